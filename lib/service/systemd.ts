/**
 * The service as a systemd user unit.
 *
 * @module
 */

import { DESCRIPTION, type ServiceSpec } from "./service.ts";

/** A word as a unit's `ExecStart=` and `Environment=` read it: quoted, without specifiers. */
function quote(word: string): string {
  const plain = word.replaceAll("%", "%%");
  if (/^[\w@+=:,./%-]+$/.test(plain)) return plain;
  return `"${plain.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n")}"`;
}

/** An argument of `ExecStart=`, where `$` begins a variable besides. */
function argument(word: string): string {
  return quote(word.replaceAll("$", "$$$$"));
}

/**
 * The unit's text. Exit code 2 means settings that a person must set right, so that it isn't tried again;
 * the folder is `/`, because a home folder may have a `.env` that is meant for something else.
 *
 * @param spec The service.
 */
export function systemdUnit({ program, args, env, stopSeconds }: ServiceSpec): string {
  return [
    "[Unit]",
    `Description=${DESCRIPTION}`,
    "Documentation=https://github.com/fd-bridge/fd-bridge",
    "",
    "[Service]",
    `ExecStart=${[quote(program), ...args.map(argument)].join(" ")}`,
    ...Object.entries(env).map(([name, value]) => `Environment=${quote(`${name}=${value}`)}`),
    "WorkingDirectory=/",
    "Restart=on-failure",
    "RestartSec=5",
    "RestartPreventExitStatus=2",
    `TimeoutStopSec=${stopSeconds}`,
    "NoNewPrivileges=true",
    "",
    "[Install]",
    "WantedBy=default.target",
    "",
  ].join("\n");
}
