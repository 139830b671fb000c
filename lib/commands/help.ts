/**
 * The text of `--help`, made from the tables of `flags.ts`.
 *
 * @module
 */

import { COMMANDS, FLAGS } from "../config/flags.ts";

/**
 * The text of `--help`, made from the tables.
 *
 * @param command A command's name for its own page, `serve` for the program's.
 *
 * @example
 * ```ts
 * import { helpText } from "./help.ts";
 *
 * if (!helpText("serve").includes("--port")) throw new Error("every flag is listed");
 * ```
 */
export function helpText(command: string): string {
  const lines = [
    "fd-bridge lets ForgeCode and other OpenAI clients use every model behind a Databricks AI Gateway.",
    "",
    "Usage",
  ];
  for (const row of COMMANDS) {
    if (command !== "serve" && row.name !== command) continue;
    const words = row.name === "serve" ? "" : ` ${row.name}`;
    lines.push(`  fd-bridge${words}${row.usage ? ` ${row.usage}` : ""}`.padEnd(48) + row.help);
  }
  lines.push("", "Flags");
  for (const flag of FLAGS) {
    if (flag.commands && !flag.commands.includes(command)) continue;
    const no = flag.default === "true" ? "no-" : "";
    const left = `${flag.short ? `-${flag.short}, ` : "    "}--${no}${flag.name}${
      flag.value ? ` ${flag.value}` : ""
    }`;
    const notes = [
      flag.default && flag.kind !== "boolean" ? `default ${flag.default}` : "",
      flag.env ?? "",
    ].filter(Boolean).join(", ");
    const help = no ? `Do not: ${flag.help[0].toLowerCase()}${flag.help.slice(1)}` : flag.help;
    lines.push(`  ${left.padEnd(31)} ${help}${notes ? ` [${notes}]` : ""}`);
  }
  lines.push(
    "",
    "The gateway's address comes from DATABRICKS_AI_GATEWAY_URL, in the environment or in .env.",
    "Try it without an account: fd-bridge --demo",
  );
  return lines.join("\n");
}
