/**
 * What the program asks Deno for: the lists that the tasks and the compiled program share. Who
 * adds a setting, a file or a system call adds it here.
 *
 * @module
 */

/**
 * The environment variables that the program may read. The last star of a name stands for any
 * ending.
 */
export const ENVIRONMENT_VARIABLES: readonly string[] = [
  // The gateway and, for `models sync` and `doctor`, the workspace.
  "DATABRICKS_AI_GATEWAY_URL",
  "DATABRICKS_HOST",
  "DATABRICKS_TOKEN",
  // Where the bridge's own token comes from (`lib/gateway/tokens/`).
  "DATABRICKS_CONFIG_PROFILE",
  "DATABRICKS_CONFIG_FILE",
  "DATABRICKS_CLIENT_ID",
  "DATABRICKS_CLIENT_SECRET",
  "DATABRICKS_AUTH_TYPE",
  "DATABRICKS_CLI_PATH",
  "ARM_TENANT_ID",
  // What the Databricks CLI and the Azure CLI get of the environment, beside what stands below.
  "DATABRICKS_AUTH_STORAGE",
  "AZURE_CONFIG_DIR",
  "AZURE_EXTENSION_DIR",
  "AZURE_CLOUD_NAME",
  "REQUESTS_CA_BUNDLE",
  "SSL_CERT_DIR",
  "USER",
  "LOGNAME",
  "LANG",
  "LC_ALL",
  "TMPDIR",
  "XDG_CACHE_HOME",
  "XDG_DATA_HOME",
  "XDG_RUNTIME_DIR",
  "DBUS_SESSION_BUS_ADDRESS",
  "USERNAME",
  // Whose task `service install` makes on Windows.
  "USERDOMAIN",
  "LOCALAPPDATA",
  "PROGRAMFILES",
  "PROGRAMDATA",
  "SYSTEMROOT",
  "SYSTEMDRIVE",
  "COMSPEC",
  "PATHEXT",
  "TEMP",
  "TMP",
  // The program's own settings: one for each flag.
  "FD_BRIDGE_*",
  // Company networks. Deno reads these itself; the banner and `doctor` speak of them.
  "HTTP_PROXY",
  "http_proxy",
  "HTTPS_PROXY",
  "https_proxy",
  "ALL_PROXY",
  "all_proxy",
  "NO_PROXY",
  "no_proxy",
  "DENO_CERT",
  "DENO_TLS_CA_STORE",
  "SSL_CERT_FILE",
  // undici asks for these two.
  "JEST_WORKER_ID",
  "UNDICI_NO_WASM_SIMD",
  // The client of the shared store asks for these two.
  "REDIS_DEBUG_MAINTENANCE",
  "REDIS_EMIT_DIAGNOSTICS",
  // yaml asks for these two, at every text that it reads.
  "LOG_TOKENS",
  "LOG_STREAM",
  // Whether `nohup` has started it.
  "_",
  // Colours, and the user's configuration folder on each system.
  "NO_COLOR",
  "FORCE_COLOR",
  "TERM",
  "HOME",
  "USERPROFILE",
  "APPDATA",
  "XDG_CONFIG_HOME",
  // OpenTelemetry: its SDK reads them in the compiled program, Deno itself elsewhere. Node's HTTP client,
  // which the SDK uses, asks for the last.
  "OTEL_*",
  "NODE_USE_ENV_PROXY",
  // Where ForgeCode is, and what it is set to: `doctor` looks.
  "PATH",
  "FORGE_CONFIG",
  "FORGE_SESSION__PROVIDER_ID",
  "FORGE_SESSION__MODEL_ID",
  // Where other agents keep their settings: `setup` writes them.
  "CODEX_HOME",
  "CLAUDE_CONFIG_DIR",
];

/**
 * The flags of `deno run` and `deno compile` that give the program what it needs and no more. The
 * files that it reads are named by the user (`--models`, `--env-file`), so reading can't be narrowed
 * further, and neither can writing: `models update` and `models sync` replace the file that
 * `--models` names, the first run writes `.env`. The bridge gives the permission to write away before
 * it listens. Without a prompt, what is not allowed is an error and never a question.
 *
 * Running programs can't be narrowed either: a list is fixed when the program is compiled, and nobody
 * knows the command of `--token-command` or the path in `DATABRICKS_CLI_PATH` by then; Deno looks the
 * names of a list up only once, at the start; and a permission that was granted can only be given away
 * as a whole. So the bridge gives it away before it listens, unless the source of its tokens is a
 * program; `lib/gateway/tokens/run.ts` is the only file that starts any, without a shell.
 *
 * @example Usage
 * ```ts
 * import { PROGRAM_PERMISSIONS } from "./permissions.ts";
 * import { assert } from "@std/assert";
 *
 * assert(!PROGRAM_PERMISSIONS.includes("--allow-all"));
 * ```
 */
export const PROGRAM_PERMISSIONS: readonly string[] = [
  "--no-prompt",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-run",
  `--allow-env=${ENVIRONMENT_VARIABLES.join(",")}`,
];

/**
 * The flags of `deno test`: tests also start programs, write to temporary folders, and look at the
 * machine (the `openai` package names the system in its requests).
 */
export const TEST_PERMISSIONS: readonly string[] = [
  "--no-prompt",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-run",
  "--allow-sys",
];

/**
 * Settings of V8, measured in `docs/performance.md`: half of its young memory, 8 MB for 16, which takes
 * less memory after a busy time and costs no speed.
 */
const V8_FLAGS: readonly string[] = ["--max-semi-space-size=8"];

/** How Deno runs the program: its permissions, and how V8 does. */
export const PROGRAM_FLAGS: readonly string[] = [
  ...PROGRAM_PERMISSIONS,
  `--v8-flags=${V8_FLAGS.join(",")}`,
];
