/**
 * The command line as a table: every flag and command, its environment variable, its default and its
 * help text stand here once, and `--help`, the shell completions and the configuration are made from it.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { BridgeError } from "../errors.ts";
import { didYouMean } from "../suggest.ts";

/** How the text of a flag is read. `seconds` takes `10`, `500ms`, `10s`, `5m`; `bytes` takes `32MB`. */
export type FlagKind =
  | "text"
  | "file"
  | "boolean"
  | "port"
  | "count"
  | "seconds"
  | "bytes"
  | "list";

/** One flag. */
export interface Flag {
  /** Long name, without dashes. */
  readonly name: string;
  /** One letter, without the dash. */
  readonly short?: string;
  /** The environment variable that sets it too; the flag wins. */
  readonly env?: string;
  /** How its value is read. */
  readonly kind: FlagKind;
  /** What a value is called in the help. */
  readonly value?: string;
  /** The only values it takes. */
  readonly choices?: readonly string[];
  /** Its default, as one would type it. */
  readonly default?: string;
  /** What it does, in one line. */
  readonly help: string;
  /** The commands that take it; all of them where this is missing. */
  readonly commands?: readonly string[];
  /** Whether its value is a secret, to be masked wherever it is shown. */
  readonly secret?: boolean;
}

/** One command. */
export interface Command {
  /** What is typed; `serve` is also what runs when nothing is. */
  readonly name: string;
  /** What follows it in the usage line. */
  readonly usage: string;
  /** What it does, in one line. */
  readonly help: string;
  /** The words that may follow it, for completions. */
  readonly words?: readonly string[];
  /** Words after which a file follows, for completions. */
  readonly fileAfter?: readonly string[];
  /** Whether models may follow it, for completions. */
  readonly takesModels?: boolean;
  /** The most words that may follow it; any number where this is missing. */
  readonly most?: number;
  /** What its words mean, for its own page of the help. */
  readonly about?: readonly (readonly [word: string, text: string])[];
  /** A line that one may type, for its own page. */
  readonly example?: string;
}

/** The agents of `setup`; their files are in `lib/setup/agents.ts`. */
const AGENT_NAMES = [
  "forge",
  "codex",
  "claude",
  "opencode",
  "qwen",
  "continue",
  "gemini",
  "pi",
  "cline",
] as const;

/** Every command of the program. */
export const COMMANDS: readonly Command[] = [
  { name: "serve", usage: "", help: "Run the bridge (the default)", most: 0 },
  {
    name: "models",
    usage: "[update FILE | sync]",
    help: "Show the models, or bring the list up to date",
    words: ["update", "sync"],
    fileAfter: ["update"],
    about: [
      [
        "update FILE",
        "Take the names from a text, such as the table copied from the AI Gateway page",
      ],
      ["update -", "The same from the standard input"],
      ["sync", "Ask the workspace (DATABRICKS_HOST) for its models"],
    ],
    example: "pbpaste | fd-bridge models update - --dry-run",
  },
  {
    name: "doctor",
    usage: "[MODEL ...]",
    help: "Find out what is wrong, from the settings to the models",
    takesModels: true,
    about: [["MODEL", "A model to ask; without one the doctor asks those that you choose"]],
    example: "fd-bridge doctor --quick",
  },
  {
    name: "usage",
    usage: "[--days N] [--by KEY]",
    help: "Show requests, tokens and cost of the last days",
    most: 0,
    example: "fd-bridge usage --days 30 --by model",
  },
  {
    name: "logs",
    usage: "--last-error",
    help: "Show what is known of the last failed request",
    most: 0,
    example: "fd-bridge logs --last-error",
  },
  {
    name: "login",
    usage: "[HOST]",
    help: "Log in with the Databricks CLI",
    most: 1,
    about: [["HOST", "The workspace's address, where no profile has it"]],
    example: "fd-bridge login adb-1234567890123456.7.azuredatabricks.net",
  },
  {
    name: "key",
    usage: "[--rotate]",
    help: "Print the key that a bridge with its own token asks for",
    most: 0,
    example: "fd-bridge key",
  },
  {
    name: "setup",
    usage: "[AGENT [MODEL]]",
    help: "Set up the bridge, or point a coding agent at it",
    words: AGENT_NAMES,
    takesModels: true,
    most: 2,
    about: [
      ["AGENT", `${AGENT_NAMES.join(", ")}; without one all that are found, and the gateway first`],
      ["MODEL", "The model that it uses; without one the newest of the agent's own family"],
    ],
    example: "fd-bridge setup codex databricks-gpt-5 --print",
  },
  {
    name: "service",
    usage: "install | status | logs | uninstall",
    help: "Run the bridge in the background, from each login on",
    words: ["install", "status", "logs", "uninstall"],
    most: 1,
    about: [
      [
        "install",
        "Start it now and at each login, with the flags that are given; --print only shows the file",
      ],
      ["status", "Say whether it runs"],
      ["logs", "Show the end of its log"],
      ["uninstall", "End it, and start it no more"],
    ],
    example: "fd-bridge service install --port 9090",
  },
  {
    name: "config",
    usage: "[--json]",
    help: "Show the files and settings in force",
    most: 0,
    example: "fd-bridge config --json",
  },
  {
    name: "completions",
    usage: "SHELL",
    help: "Print a shell's completion script",
    words: ["bash", "zsh", "fish", "powershell"],
    about: [["SHELL", "bash, zsh, fish or powershell"]],
    example: "source <(fd-bridge completions bash)",
  },
  {
    name: "help",
    usage: "[COMMAND]",
    help: "Show this help, or a command's own",
    most: 1,
    about: [["COMMAND", "The command to explain"]],
    example: "fd-bridge help models",
  },
  { name: "version", usage: "", help: "Print the version", most: 0, example: "fd-bridge version" },
];

/**
 * The settings of the server; `config` takes them to show what would be in force with them, `service` to
 * hand them on.
 */
const SERVE = ["serve", "config", "service"];

/** Every flag of the program, in the order of `--help`. */
export const FLAGS: readonly Flag[] = [
  {
    name: "gateway",
    env: "DATABRICKS_AI_GATEWAY_URL",
    kind: "text",
    value: "URL",
    help: "Address of the Databricks AI Gateway; usually set in .env",
  },
  {
    name: "profile",
    env: "DATABRICKS_CONFIG_PROFILE",
    kind: "text",
    value: "NAME",
    help: "Profile of ~/.databrickscfg to take tokens from",
    commands: [...SERVE, "models", "doctor", "login", "setup"],
  },
  {
    name: "auth",
    env: "FD_BRIDGE_AUTH",
    kind: "text",
    value: "SOURCE",
    choices: ["databricks-cli", "azure-cli", "m2m", "pat", "client"],
    help: "Where tokens come from, without a profile",
    commands: [...SERVE, "models", "doctor", "setup"],
  },
  {
    name: "token-command",
    env: "FD_BRIDGE_TOKEN_COMMAND",
    kind: "text",
    value: "COMMAND",
    secret: true,
    help: "Command that prints a token",
    commands: [...SERVE, "models", "doctor", "setup"],
  },
  {
    name: "port",
    short: "p",
    env: "FD_BRIDGE_PORT",
    kind: "port",
    value: "PORT",
    default: "8080",
    help: "Port to listen on; 0 takes any free one",
  },
  {
    name: "host",
    env: "FD_BRIDGE_HOST",
    kind: "text",
    value: "ADDRESS",
    default: "127.0.0.1",
    help: "Address to listen on; other than loopback needs --client-key",
  },
  {
    name: "models",
    env: "FD_BRIDGE_MODELS",
    kind: "file",
    value: "FILE",
    help: "models.json to use instead of the one that is found",
  },
  {
    name: "env-file",
    env: "FD_BRIDGE_ENV_FILE",
    kind: "file",
    value: "FILE",
    help: "File with environment variables, instead of .env",
  },
  {
    name: "demo",
    env: "FD_BRIDGE_DEMO",
    kind: "boolean",
    help: "Use a simulated gateway inside the program: no account needed",
    commands: [...SERVE, "models", "doctor", "setup"],
  },
  {
    name: "log-level",
    env: "FD_BRIDGE_LOG_LEVEL",
    kind: "text",
    value: "LEVEL",
    choices: ["error", "warn", "info", "debug", "trace"],
    default: "info",
    help: "error, warn, info, debug or trace; only trace shows contents",
  },
  {
    name: "log-format",
    env: "FD_BRIDGE_LOG_FORMAT",
    kind: "text",
    value: "FORMAT",
    choices: ["text", "json"],
    default: "text",
    help: "text or json (one object a line)",
  },
  {
    name: "client-key",
    env: "FD_BRIDGE_CLIENT_KEY",
    kind: "text",
    value: "SECRET",
    secret: true,
    help: "Secret that clients must send; required beyond loopback",
    commands: [...SERVE, "logs", "setup"],
  },
  {
    name: "allow-origin",
    env: "FD_BRIDGE_ALLOW_ORIGIN",
    kind: "list",
    value: "ORIGIN",
    help: "Web page that may use the bridge; may be repeated",
    commands: SERVE,
  },
  {
    name: "allow-host",
    env: "FD_BRIDGE_ALLOW_HOST",
    kind: "list",
    value: "NAME",
    help: "Further Host name to answer to; may be repeated",
    commands: SERVE,
  },
  {
    name: "max-body",
    env: "FD_BRIDGE_MAX_BODY",
    kind: "bytes",
    value: "SIZE",
    default: "32MB",
    help: "Largest request body",
    commands: SERVE,
  },
  {
    name: "connect-timeout",
    env: "FD_BRIDGE_CONNECT_TIMEOUT",
    kind: "seconds",
    value: "TIME",
    default: "10s",
    help: "How long a connection to the gateway may take; 0 for no limit",
    commands: SERVE,
  },
  {
    name: "first-byte-timeout",
    env: "FD_BRIDGE_FIRST_BYTE_TIMEOUT",
    kind: "seconds",
    value: "TIME",
    default: "10m",
    help: "How long the gateway may take to begin its answer; 0 for no limit",
    commands: SERVE,
  },
  {
    name: "idle-timeout",
    env: "FD_BRIDGE_IDLE_TIMEOUT",
    kind: "seconds",
    value: "TIME",
    default: "5m",
    help: "How long a stream may be silent; 0 for no limit",
    commands: SERVE,
  },
  {
    name: "heartbeat",
    env: "FD_BRIDGE_HEARTBEAT",
    kind: "seconds",
    value: "TIME",
    default: "15s",
    help: "Comment line to the client after this much silence; 0 for none",
    commands: SERVE,
  },
  {
    name: "retries",
    env: "FD_BRIDGE_RETRIES",
    kind: "count",
    value: "N",
    default: "2",
    help: "Retries of a request before its first byte",
    commands: SERVE,
  },
  {
    name: "retry-time",
    env: "FD_BRIDGE_RETRY_TIME",
    kind: "seconds",
    value: "TIME",
    default: "10s",
    help: "Time for all retries of a request together; 0 for none",
    commands: SERVE,
  },
  {
    name: "runaway-guard",
    env: "FD_BRIDGE_RUNAWAY_GUARD",
    kind: "boolean",
    default: "true",
    help: "Stop the same request from being repeated over and over",
    commands: SERVE,
  },
  {
    name: "prompt-cache",
    env: "FD_BRIDGE_PROMPT_CACHE",
    kind: "boolean",
    default: "true",
    help: "Mark prompts to Claude for its cache where the client doesn't",
    commands: SERVE,
  },
  {
    name: "page",
    env: "FD_BRIDGE_PAGE",
    kind: "boolean",
    default: "true",
    help: "Show requests, usage and health on a page for browsers",
    commands: SERVE,
  },
  {
    name: "shutdown-time",
    env: "FD_BRIDGE_SHUTDOWN_TIME",
    kind: "seconds",
    value: "TIME",
    default: "10s",
    help: "How long running streams may go on after Ctrl-C; 0 to end at once",
    commands: SERVE,
  },
  {
    name: "ca-file",
    env: "FD_BRIDGE_CA_FILE",
    kind: "file",
    value: "FILE",
    help: "Certificates (PEM) to trust in addition",
  },
  {
    name: "json",
    kind: "boolean",
    help: "Print JSON, for programs",
    commands: ["config", "models", "doctor", "usage", "logs"],
  },
  {
    name: "days",
    kind: "count",
    value: "N",
    default: "7",
    help: "How many days, today among them; 400 are kept",
    commands: ["usage"],
  },
  {
    name: "by",
    kind: "text",
    value: "KEY",
    choices: ["model", "client", "day"],
    default: "model",
    help: "What each row is: model, client or day",
    commands: ["usage"],
  },
  {
    name: "last-error",
    kind: "boolean",
    help: "The record of the running bridge's last failed request",
    commands: ["logs"],
  },
  {
    name: "yes",
    short: "y",
    kind: "boolean",
    help: "Ask nothing: write the changes, send the requests",
    commands: ["models", "doctor", "login", "setup"],
  },
  {
    name: "print",
    kind: "boolean",
    help: "Only show what would be written",
    commands: ["service", "setup"],
  },
  {
    name: "remove",
    kind: "boolean",
    help: "Put back what was there before",
    commands: ["setup"],
  },
  { name: "rotate", kind: "boolean", help: "Make another key", commands: ["key"] },
  {
    name: "dry-run",
    kind: "boolean",
    help: "Show what would change, write nothing",
    commands: ["models"],
  },
  {
    name: "prune",
    kind: "boolean",
    help: "Remove the models that are gone, instead of marking them",
    commands: ["models"],
  },
  {
    name: "quick",
    kind: "boolean",
    help: "Ask only the first model of each family",
    commands: ["doctor"],
  },
  {
    name: "fix",
    kind: "boolean",
    help: "Write what was learned of the models into models.json",
    commands: ["doctor"],
  },
  {
    name: "timeout",
    kind: "seconds",
    value: "TIME",
    default: "60s",
    help: "How long a model may take for its whole answer; 0 for no limit",
    commands: ["doctor"],
  },
  { name: "version", short: "V", kind: "boolean", help: "Print the version, and end" },
  { name: "help", short: "h", kind: "boolean", help: "Print this help, and end" },
  {
    name: "all",
    kind: "boolean",
    help: "Print the help with every flag, and end",
    commands: ["serve", "help"],
  },
];

/** What was typed, before it is checked against the environment: see `config.ts`. */
export interface CommandLine {
  /** The command; `serve` where none was typed. */
  readonly command: string;
  /** The words after the command. */
  readonly words: readonly string[];
  /** Flag name → its text, `true`/`false` for a boolean, or a list. Only what was typed. */
  readonly flags: Readonly<Record<string, string | boolean | readonly string[]>>;
}

/**
 * Reads the command line.
 *
 * @param typed The arguments without the program's name, `Deno.args`.
 * @returns The command, its words and its flags, values still as text.
 * @throws {BridgeError} kind `usage`: an unknown flag or command, a flag without its value, or one that the command does not take.
 *
 * @example
 * ```ts
 * import { parseCommandLine } from "./flags.ts";
 *
 * const line = parseCommandLine(["--port", "9090", "--demo"]);
 * if (line.command !== "serve" || line.flags.port !== "9090") throw new Error("port is kept as text");
 * ```
 */
export function parseCommandLine(typed: readonly string[]): CommandLine {
  const args = withNegativeValues(typed);
  const unknown: string[] = [];
  const booleans = FLAGS.filter((flag) => flag.kind === "boolean");
  const parsed: Record<string, unknown> & { _: (string | number)[] } = parseArgs([...args], {
    string: [
      ...FLAGS.filter((flag) => flag.kind !== "boolean").map((flag) => flag.name),
      "_",
    ],
    boolean: booleans.map((flag) => flag.name),
    negatable: booleans.filter((flag) => flag.default === "true").map((flag) => flag.name),
    collect: FLAGS.filter((flag) => flag.kind === "list").map((flag) => flag.name),
    alias: Object.fromEntries(
      FLAGS.flatMap((flag) => flag.short ? [[flag.short, flag.name]] : []),
    ),
    unknown: (arg: string, key?: string) => {
      if (key === undefined) return true;
      unknown.push(arg);
      return false;
    },
  });
  if (unknown.length > 0) throw unknownFlag(unknown[0]);

  const [first, ...rest] = parsed._.map(String);
  const command = first ?? "serve";
  const row = COMMANDS.find((row) => row.name === command);
  if (row === undefined) {
    const names = COMMANDS.map((row) => row.name);
    throw new BridgeError(
      "usage",
      `There is no command "${command}".${didYouMean(command, names)} Commands: ${
        names.join(", ")
      }.`,
    );
  }
  checkWords(row, rest);
  const flags: Record<string, string | boolean | readonly string[]> = {};
  for (const flag of FLAGS) {
    const value = parsed[flag.name];
    if (value === undefined || !wasTyped(flag, args)) continue;
    if (Array.isArray(value) ? value.includes("") : value === "") {
      throw new BridgeError("usage", `--${flag.name} needs a value: --${flag.name} ${flag.value}.`);
    }
    if (flag.commands && !flag.commands.includes(command)) {
      throw new BridgeError("usage", `--${flag.name} does not go with \`fd-bridge ${command}\`.`);
    }
    flags[flag.name] = Array.isArray(value) ? value.map(String) : value as string | boolean;
  }
  return { command, words: rest, flags };
}

/** parseArgs fills every boolean with false: only what stands on the command line may override the environment. */
function wasTyped(flag: Flag, args: readonly string[]): boolean {
  const names = [`--${flag.name}`, `--no-${flag.name}`];
  return args.some((arg) =>
    names.some((name) => arg === name || arg.startsWith(`${name}=`)) ||
    (flag.short !== undefined && /^-[A-Za-z]/.test(arg) && arg.slice(1).includes(flag.short))
  );
}

/** A value such as `-1` behind a flag that takes one is that flag's, not a flag of its own. */
function withNegativeValues(args: readonly string[]): string[] {
  const out: string[] = [];
  for (const arg of args) {
    const flag = FLAGS.find(({ name }) => out.at(-1) === `--${name}`);
    if (/^-\d/.test(arg) && flag && flag.kind !== "boolean") out.push(`${out.pop()}=${arg}`);
    else out.push(arg);
  }
  return out;
}

/** Words beyond those that a command takes are refused: they would be passed over without a word. */
function checkWords({ name, usage, most }: Command, words: readonly string[]): void {
  if (most === undefined || words.length <= most) return;
  const extra = words.slice(most).map((word) => `"${word}"`).join(" ");
  throw new BridgeError(
    "usage",
    `\`fd-bridge ${name}\` takes ${
      most === 0 ? "no words" : "one word"
    }: what is ${extra}? Expected \`fd-bridge ${`${name} ${usage}`.trim()}\`; flags begin with --.`,
  );
}

function unknownFlag(typed: string): BridgeError {
  const name = typed.replace(/^-+/, "").replace(/=.*$/s, "");
  const hint = didYouMean(name, FLAGS.map((flag) => flag.name), (flag) => `--${flag}`);
  return new BridgeError(
    "usage",
    `There is no flag "${typed.replace(/=.*$/s, "")}".${hint} See fd-bridge --help.`,
  );
}
