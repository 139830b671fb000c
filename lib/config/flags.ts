/**
 * The flags as a table: every flag, its environment variable, its default and its help text stand here once,
 * and `--help`, the shell completions and the configuration are made from it.
 *
 * @module
 */

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
    name: "client-keys",
    env: "FD_BRIDGE_CLIENT_KEYS",
    kind: "file",
    value: "FILE",
    help: "One key for each client, with its limits: see `key add`",
    commands: [...SERVE, "doctor", "key"],
  },
  {
    name: "store",
    env: "FD_BRIDGE_STORE",
    kind: "text",
    value: "URL",
    secret: true,
    help: "Redis or Valkey that bridges share: redis:// or rediss://",
    commands: [...SERVE, "doctor", "usage"],
  },
  {
    name: "store-key",
    env: "FD_BRIDGE_STORE_KEY",
    kind: "text",
    value: "SECRET",
    secret: true,
    help: "Secret that encrypts what is in the store; the same for all",
    commands: [...SERVE, "doctor", "usage"],
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
    name: "drain-time",
    env: "FD_BRIDGE_DRAIN_TIME",
    kind: "seconds",
    value: "TIME",
    default: "0s",
    help: "How long to go on listening after SIGTERM, not ready, for a balancer to notice",
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
  {
    name: "allow-models",
    kind: "list",
    value: "MODELS",
    help: "With `add`: models that the key may ask, such as databricks-claude-*",
    commands: ["key"],
  },
  {
    name: "requests-per-minute",
    kind: "text",
    value: "N",
    help: "With `add`: how many requests",
    commands: ["key"],
  },
  {
    name: "tokens-per-day",
    kind: "text",
    value: "N",
    help: "With `add`: how many tokens, of prompts and answers",
    commands: ["key"],
  },
  {
    name: "dollars-per-day",
    kind: "text",
    value: "N",
    help: "With `add`: how many dollars, of models with a price",
    commands: ["key"],
  },
  {
    name: "admin",
    kind: "boolean",
    help: "With `add`: the key also opens the page and /metrics",
    commands: ["key"],
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
