/**
 * The text of `--help`, made from the tables of `commands.ts` and `flags.ts`. Every page fits 80 columns.
 *
 * @module
 */

import { type Command, COMMANDS } from "../config/commands.ts";
import { type Flag, FLAGS } from "../config/flags.ts";
import { wrap } from "../system/wrap.ts";

/** Flags that stand together. What is in no group stands under "More". */
const GROUPS: readonly { readonly title: string; readonly flags: readonly string[] }[] = [
  { title: "Gateway", flags: ["gateway", "demo", "profile", "auth", "token-command", "ca-file"] },
  {
    title: "Server",
    flags: ["port", "host", "client-key", "allow-origin", "allow-host", "page", "max-body"],
  },
  { title: "For a team", flags: ["client-keys", "store", "store-key"] },
  { title: "Files", flags: ["models", "env-file"] },
  { title: "Log", flags: ["log-level", "log-format"] },
  {
    title: "Times and retries",
    flags: [
      "connect-timeout",
      "first-byte-timeout",
      "idle-timeout",
      "heartbeat",
      "retries",
      "retry-time",
      "runaway-guard",
      "prompt-cache",
      "drain-time",
      "shutdown-time",
    ],
  },
];

/** The flags of the main page, which are those that most people use. */
const MAIN: readonly string[] = [
  "gateway",
  "profile",
  "demo",
  "port",
  "host",
  "client-key",
  "models",
  "log-level",
  "version",
  "help",
];

/** Flags that every command accepts, for one set of settings serves all; on a command's page only where it uses them. */
const USED_BY: Readonly<Record<string, readonly string[]>> = {
  port: ["config", "doctor", "healthcheck", "logs", "setup"],
  host: ["config", "doctor", "healthcheck", "logs", "setup"],
  "log-level": ["config"],
  "log-format": ["config"],
};

/** Where the texts begin: of commands, and of flags. */
const COMMAND_COLUMN = 16;
const FLAG_COLUMN = 30;

/**
 * The text of `--help`.
 *
 * @param command A command's name for its own page, `serve` for the program's.
 * @param all Whether the program's page lists every flag, not only those that most people use.
 *
 * @example
 * ```ts
 * import { helpText } from "./help.ts";
 *
 * if (!helpText("serve").includes("--port")) throw new Error("the port is on the main page");
 * if (!helpText("serve", true).includes("--max-body")) throw new Error("every flag is listed");
 * ```
 */
export function helpText(command: string, all = false): string {
  const row = COMMANDS.find(({ name }) => name === command);
  const flags = FLAGS.filter(({ commands }) => !commands || commands.includes(command));
  if (row === undefined || command === "serve") return mainPage(flags, all);
  const own = flags.filter(({ name }) => USED_BY[name]?.includes(command) ?? true);
  const usage = `fd-bridge ${command}${row.usage ? ` ${row.usage}` : ""} [FLAGS]`;
  return [
    `${row.help}.`,
    "",
    `Usage: ${usage}`,
    ...section("Words", (row.about ?? []).flatMap(([word, text]) => entry(word, text))),
    ...section("Example", row.example ? [`  ${row.example}`] : []),
    ...flagSections(command === "help" || command === "version" ? [] : own),
  ].join("\n");
}

function mainPage(flags: readonly Flag[], all: boolean): string {
  const shown = all ? flags : flags.filter(({ name }) => MAIN.includes(name));
  return [
    "fd-bridge: every coding agent, with every model of a Databricks AI Gateway",
    "",
    "Usage: fd-bridge [COMMAND] [FLAGS]",
    ...section("Commands", COMMANDS.flatMap(commandEntry)),
    ...all ? flagSections(shown) : section("Flags", shown.flatMap(flagEntry)),
    "",
    ...wrap(
      "The gateway's address comes from DATABRICKS_AI_GATEWAY_URL, in the environment or in .env. Try the bridge without an account: fd-bridge --demo",
    ),
    ...all ? [] : ["All flags: fd-bridge --help --all. A command's own: fd-bridge help COMMAND."],
  ].join("\n");
}

/** Flags under the titles of their groups. */
function flagSections(flags: readonly Flag[]): string[] {
  const grouped = new Set(GROUPS.flatMap((group) => group.flags));
  const rest = flags.filter(({ name }) => !grouped.has(name));
  const groups = GROUPS.map(({ title, flags: names }) => ({
    title,
    flags: flags.filter(({ name }) => names.includes(name)),
  }));
  const own = {
    title: groups.some((group) => group.flags.length > 0) ? "More" : "Flags",
    flags: rest,
  };
  return [...groups, own].flatMap(({ title, flags }) => section(title, flags.flatMap(flagEntry)));
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", title, ...lines];
}

function commandEntry({ name, help }: Command): string[] {
  return entry(name, help, COMMAND_COLUMN);
}

function flagEntry(flag: Flag): string[] {
  const no = flag.default === "true" ? "no-" : "";
  const value = flag.value ? ` ${flag.value}` : "";
  const notes = [
    flag.default && flag.kind !== "boolean" ? `default ${flag.default}` : "",
    flag.env ?? "",
  ].filter(Boolean).join(", ");
  const help = no ? `Do not: ${flag.help[0].toLowerCase()}${flag.help.slice(1)}` : flag.help;
  const left = `${flag.short ? `-${flag.short}, ` : "    "}--${no}${flag.name}${value}`;
  return entry(left, notes ? `${help} [${notes}]` : help);
}

/** A word and its text beside it, or below it where the word is too long. */
function entry(left: string, text: string, column = FLAG_COLUMN): string[] {
  const lines = wrap(text, 80 - column).map((line) => " ".repeat(column) + line);
  const head = `  ${left}`;
  if (head.length + 1 > column) return [head, ...lines];
  return [head.padEnd(column) + lines[0].slice(column), ...lines.slice(1)];
}
