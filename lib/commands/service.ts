/**
 * `fd-bridge service`: the bridge in the background, from each login on.
 *
 * @module
 */

import { configFolder } from "../config/locate.ts";
import { BridgeError } from "../errors.ts";
import { MissingProgram, runAtTerminal } from "../gateway/tokens/mod.ts";
import { type CommandLine, type ServiceUnit, serviceUnit } from "../service/units.ts";
import { writeAtomically } from "../system/atomic.ts";
import type { Machine, Start } from "../system/system.ts";
import type { RunAtTerminal } from "./login.ts";

/** What may follow the command. */
const ACTIONS = ["install", "status", "logs", "uninstall"] as const;

/**
 * Runs `fd-bridge service install`, `status`, `logs` or `uninstall`.
 *
 * @param start The machine and what was typed.
 * @param run Runs the system's own programs.
 * @returns The exit code: that of the system's program where one fails.
 * @throws {BridgeError} kind `usage` for another word; `config` where the system can't run it as a service.
 */
export async function service(start: Start, run: RunAtTerminal = runAtTerminal): Promise<number> {
  const { system, line } = start;
  const action = ACTIONS.find((name) => name === line.words[0]);
  if (action === undefined || line.words.length !== 1) {
    throw new BridgeError(
      "usage",
      `Expected \`fd-bridge service ${ACTIONS.join("|")}\`; got \`fd-bridge ${
        ["service", ...line.words].join(" ")
      }\`.`,
    );
  }
  const { machine } = system;
  if (machine === undefined) throw new BridgeError("usage", "This command needs a machine.");
  const unit = unitOf(start, machine);
  const tell = (command: CommandLine) => tellRun(run, command, unit, start);
  switch (action) {
    case "install":
      return await install(start, machine, unit, tell);
    case "uninstall":
      return await uninstall(start, machine, unit, tell);
    case "status":
      return await tell(unit.status);
    case "logs":
      if (typeof unit.logs !== "string") return await tell(unit.logs);
      system.out(`${unit.logs}\n`);
      return 0;
  }
}

function unitOf({ system }: Start, { program }: Machine): ServiceUnit {
  if (program === undefined) {
    throw new BridgeError(
      "config",
      "A service needs the compiled program, and this one runs from its source: build it with `deno task compile`, then run `dist/fd-bridge service install`.",
    );
  }
  const unit = serviceUnit({ os: system.os, program, variable: system.variable });
  if (unit === undefined) {
    throw new BridgeError(
      "config",
      `This system (${system.os}) has no manager of services that fd-bridge knows: expected systemd, launchd or Task Scheduler. Start \`fd-bridge\` at login by other means.`,
    );
  }
  return unit;
}

/** Runs a program of the system's; says which it was where it fails. */
async function tellRun(
  run: RunAtTerminal,
  [program, ...args]: CommandLine,
  { manager }: ServiceUnit,
  { system }: Start,
): Promise<number> {
  const code = await run(program, args).catch((cause) => {
    throw cause instanceof MissingProgram
      ? new BridgeError(
        "config",
        `\`${program}\` isn't there, which belongs to ${manager}: this machine can't run services of a user.`,
        { cause },
      )
      : cause;
  });
  if (code !== 0) system.err(`\`${[program, ...args].join(" ")}\` ended with code ${code}.\n`);
  return code;
}

type Tell = (command: CommandLine) => Promise<number>;

async function install(
  { system, line, config, env }: Start,
  machine: Machine,
  unit: ServiceUnit,
  tell: Tell,
): Promise<number> {
  if (line.flags.print === true) {
    system.err(`${unit.path}\n\n`);
    system.out(unit.text);
    return 0;
  }
  await writeAtomically(unit.path, unit.text, machine.files);
  for (const command of unit.install) {
    const code = await tell(command);
    if (code !== 0) return code;
  }
  system.out(`Installed: ${unit.path}. It runs now, and from each login on.\n`);
  for (const hint of unit.hints) system.out(`${hint}\n`);
  // A service starts in no folder of the user's.
  const folder = configFolder(system);
  const local = env.paths.filter((path) => folder === undefined || !path.startsWith(folder));
  if (local.length > 0 || (!config.gateway && !config.demo)) {
    system.err(
      `A service doesn't read ${
        local.join(" and ") || "the environment of this terminal"
      }: put its settings into .env of the configuration folder, which \`fd-bridge config\` names.\n`,
    );
  }
  return 0;
}

async function uninstall(
  { system }: Start,
  { files }: Machine,
  unit: ServiceUnit,
  tell: Tell,
): Promise<number> {
  if (await files.mode(unit.path) === undefined) {
    system.out(`There is no service: ${unit.path} isn't there.\n`);
    return 0;
  }
  const [first, ...rest] = unit.uninstall;
  // What doesn't run any more can't be ended, and goes all the same.
  await tell(first);
  await files.remove(unit.path);
  for (const command of rest) await tell(command);
  system.out(`Removed: ${unit.path}.\n`);
  return 0;
}
