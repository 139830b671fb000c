/**
 * The commands: each is a function from what was typed and set to an exit code; `serve` is run by
 * `main.ts` itself.
 *
 * @module
 */

import { type Config, readConfig, settings } from "../config/config.ts";
import { type CommandLine } from "../config/command_line.ts";
import { COMMANDS as COMMAND_TABLE } from "../config/commands.ts";
import { FLAGS } from "../config/flags.ts";
import { CALLED_FROM, meantFrom } from "../config/called_from.ts";
import { readEnvFiles } from "../config/env.ts";
import { misspeltVariables } from "../config/misspelt.ts";
import { setUpNetwork } from "../config/proxies.ts";
import { BridgeError } from "../errors.ts";
import type { Start, System } from "../system/system.ts";
import { completions } from "./completions.ts";
import { config } from "./config.ts";
import { doctor } from "./doctor.ts";
import { healthcheck } from "./healthcheck.ts";
import { helpText } from "./help.ts";
import { key } from "./key.ts";
import { login } from "./login.ts";
import { logs } from "./logs.ts";
import { models } from "./models.ts";
import { service } from "./service.ts";
import { usage } from "./usage.ts";
import { didYouMean } from "../suggest.ts";
import { versionText } from "./version.ts";

/** Runs a command; the result is the exit code. */
type Command = (start: Start) => Promise<number>;

/** Command → its code. */
const COMMANDS: Readonly<Record<string, Command>> = {
  config,
  doctor,
  healthcheck,
  key,
  login: (start) => login(start),
  logs,
  models,
  service: (start) => service(start),
  // The libraries that edit other programs' files are needed here only.
  setup: async (start) => await (await import("./setup.ts")).setup(start),
  usage,
};

/** Commands that need no settings, so that a wrong one can't stop them. */
const WITHOUT_SETTINGS: ReadonlySet<string> = new Set(["completions", "help", "version"]);

/** Whether what was typed needs no settings. */
export function runsWithoutSettings({ command, flags }: CommandLine): boolean {
  return flags.help === true || flags.version === true || flags.all === true ||
    WITHOUT_SETTINGS.has(command);
}

/**
 * Runs a command other than `serve`.
 *
 * @param line What was typed.
 * @param system The machine.
 * @param start The settings, where the command needs them.
 * @returns The exit code: 0 when all went well.
 */
export async function runCommand(
  line: CommandLine,
  system: System,
  start?: Start,
): Promise<number> {
  const { command: name, flags, words: [topic] } = line;
  if (flags.help === true || flags.all === true || name === "help") {
    system.out(helpOf(line, topic) + "\n");
    return 0;
  }
  if (flags.version === true || name === "version") {
    system.out(versionText(system.version) + "\n");
    return 0;
  }
  if (line.command === "completions") return completions(line, system);
  const command = Object.hasOwn(COMMANDS, line.command) ? COMMANDS[line.command] : undefined;
  if (command === undefined || start === undefined) {
    throw new BridgeError("usage", `There is no command "${line.command}": see fd-bridge --help.`);
  }
  return await command(start);
}

/** The page that was asked for: `help models` and `models --help` are the same one. */
function helpOf({ command, flags }: CommandLine, topic: string | undefined): string {
  const all = flags.all === true;
  if (command !== "help") return helpText(command, all);
  if (topic === undefined) return helpText("serve", all);
  const names = COMMAND_TABLE.map(({ name }) => name);
  if (!names.includes(topic)) {
    throw new BridgeError(
      "usage",
      `There is no command "${topic}".${didYouMean(topic, names)} Commands: ${names.join(", ")}.`,
    );
  }
  // What `serve` takes beyond the main page is what somebody asks for who names it.
  return helpText(topic, all || topic === "serve");
}

/**
 * Loads the settings: flags, then the environment, then the `.env` file, then the defaults.
 *
 * @param typed What was typed.
 * @param system The machine.
 * @throws {BridgeError} kind `config`, when a file can't be read.
 */
export async function loadStart(typed: CommandLine, system: System): Promise<Start> {
  const line = meantFrom(typed, system.variable(CALLED_FROM));
  const process: Record<string, string> = {};
  for (const { env } of FLAGS) {
    const value = env === undefined ? undefined : system.variable(env);
    if (env !== undefined && value !== undefined) process[env] = value;
  }
  const named = settings(line, { process }).find((row) => row.flag.name === "env-file")?.text;
  const env = await readEnvFiles(named, system, system.readText);
  const misspelt = misspeltVariables(system.variable, env.variables, env.fileOf);
  for (const warning of [...env.warnings, ...misspelt]) system.err(`fd-bridge: ${warning}\n`);
  const rows = settings(line, { process, file: env.variables, fileOf: env.fileOf });
  let config: Config | undefined;
  return {
    system,
    line,
    rows,
    // Read when it is asked for: `fd-bridge config` shows the settings where one is wrong, too.
    get config() {
      return config ??= readConfig(rows);
    },
    env,
    proxies: setUpNetwork(system, env.variables),
  };
}
