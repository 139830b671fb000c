/**
 * The commands as a table: `--help`, the shell completions and what words a command takes are made from it.
 *
 * @module
 */

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
    name: "healthcheck",
    usage: "",
    help: "Exit with 0 if the bridge is up, for containers",
    most: 0,
    example: "fd-bridge healthcheck --port 9090",
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
    usage: "[--rotate] | add NAME | list | remove NAME",
    help: "Print the key that agents send; make keys for a team",
    about: [
      ["add NAME", "Make a key for a client, in the file of --client-keys"],
      ["list", "List the clients that have one, and their limits"],
      ["remove NAME", "Take a client's key away"],
    ],
    most: 2,
    example: "fd-bridge key add ada --client-keys keys.json --tokens-per-day 5000000",
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
