/**
 * Flags and environment → one frozen {@linkcode Config}. The program's only door to its settings; it
 * reads no file and no environment of its own, it is handed both.
 *
 * @module
 */

import { baseUrl, isLoopback } from "./base_url.ts";
import { readStoreAddress, type StoreAddress } from "../store/address.ts";
import { BridgeError } from "../errors.ts";
import { type CommandLine } from "./command_line.ts";
import { type Flag, FLAGS } from "./flags.ts";

/** How much is logged; each level shows those before it. */
export type LogLevel = "error" | "warn" | "info" | "debug" | "trace";

/** The sources that `--auth` names; `client` means the client's own token. */
export type AuthName = "databricks-cli" | "azure-cli" | "m2m" | "pat" | "client";

/** Everything that can be set, checked and ready to use. Times are in milliseconds, sizes in bytes. */
export interface Config {
  /** The gateway's base URL, without a trailing slash; empty when none is set. */
  readonly gateway: string;
  /** Where the gateway's address was set, for people: `--gateway`, a variable, a file. */
  readonly gatewayOrigin?: string;
  /** The profile that tokens come from. */
  readonly profile?: string;
  /** The source that tokens come from. */
  readonly auth?: AuthName;
  /** The command that prints a token. */
  readonly tokenCommand?: string;
  /** The port to listen on; 0 takes a free one. @default {8080} */
  readonly port: number;
  /** The address to listen on. @default {"127.0.0.1"} */
  readonly host: string;
  /** The file that `--models` names. */
  readonly models?: string;
  /** Whether the simulated gateway is used. */
  readonly demo: boolean;
  /** How much is logged. @default {"info"} */
  readonly logLevel: LogLevel;
  /** The form of a log line. @default {"text"} */
  readonly logFormat: "text" | "json";
  /** The secret that clients must send, if any. */
  readonly clientKey?: string;
  /** The file with a key for each client, if there is one. */
  readonly clientKeys?: string;
  /** The store that is shared with other bridges, if any. */
  readonly store?: StoreAddress;
  /** What the bridges of a store share to encrypt what is in it. */
  readonly storeKey?: string;
  /** Origins of web pages that may use the bridge. */
  readonly allowOrigins: readonly string[];
  /** Further `Host` names to answer to, lower case. */
  readonly allowHosts: readonly string[];
  /** Largest request body, in bytes. @default {33554432} */
  readonly maxBody: number;
  /** How long a connection to the gateway may take. @default {10000} */
  readonly connectTimeout: number;
  /** How long the gateway may take to begin its answer. @default {600000} */
  readonly firstByteTimeout: number;
  /** How long a stream may be silent. @default {300000} */
  readonly idleTimeout: number;
  /** Silence after which a comment line is sent; 0 for none. @default {15000} */
  readonly heartbeat: number;
  /** Retries before the first byte. @default {2} */
  readonly retries: number;
  /** Time for all retries of a request. @default {10000} */
  readonly retryTime: number;
  /** Whether the runaway guard is on. @default {true} */
  readonly runawayGuard: boolean;
  /** Whether prompts to Claude are marked for its cache where the client doesn't. */
  readonly promptCache: boolean;
  /** Whether browsers get the page, and its data. */
  readonly page: boolean;
  /** How long the bridge listens on after a signal, not ready; 0 to stop at once. @default {0} */
  readonly drainTime: number;
  /** How long streams may finish after a signal, and after the drain. @default {10000} */
  readonly shutdownTime: number;
  /** A file of certificates to trust in addition. */
  readonly caFile?: string;
  /** Flag → how it was set, for messages: `--host`, `FD_BRIDGE_HOST (in ./.env)`. Only what was set. */
  readonly setBy?: Readonly<Record<string, string>>;
}

/** Where a setting's value came from. */
export type Origin = "flag" | "environment" | "env file" | "default";

/** A setting with where it came from, for `fd-bridge config` and for error messages. */
export interface Setting {
  /** The flag's row in the table. */
  readonly flag: Flag;
  /** Its text, or undefined when it is not set and has no default. */
  readonly text: string | undefined;
  /** Where the text came from. */
  readonly origin: Origin;
  /** The file that it came from, where it was one. */
  readonly file?: string;
}

/** The variables of the process and of the `.env` file; the process wins. */
export interface Environment {
  /** The process's environment. */
  readonly process: Readonly<Record<string, string>>;
  /** What the `.env` files say. */
  readonly file?: Readonly<Record<string, string>>;
  /** The file that a variable comes from. */
  readonly fileOf?: (name: string) => string | undefined;
}

/**
 * The text of every setting and where it came from: the flag, then the environment, then the `.env`
 * file, then the default. An empty variable counts as not set.
 *
 * @example
 * ```ts
 * import { settings } from "./config.ts";
 * import { parseCommandLine } from "./command_line.ts";
 *
 * const rows = settings(parseCommandLine([]), { process: { FD_BRIDGE_PORT: "9000" } });
 * const port = rows.find((row) => row.flag.name === "port");
 * if (port?.text !== "9000" || port.origin !== "environment") throw new Error("environment");
 * ```
 */
export function settings(line: CommandLine, environment: Environment): Setting[] {
  return FLAGS.map((flag) => {
    const typed = line.flags[flag.name];
    if (typed !== undefined) {
      return { flag, text: Array.isArray(typed) ? typed.join(",") : String(typed), origin: "flag" };
    }
    const variable = flag.env ?? "";
    const fromProcess = environment.process[variable];
    if (fromProcess) return { flag, text: fromProcess, origin: "environment" };
    const fromFile = environment.file?.[variable];
    if (fromFile) {
      return { flag, text: fromFile, origin: "env file", file: environment.fileOf?.(variable) };
    }
    return { flag, text: flag.default, origin: "default" };
  });
}

/** What a setting is called in a message: the way by which the user set it. */
function nameOf(setting: Setting): string {
  if (setting.origin === "flag") return `--${setting.flag.name}`;
  const variable = setting.flag.env ?? setting.flag.name;
  return setting.file === undefined ? variable : `${variable} (in ${setting.file})`;
}

function fail(setting: Setting, expected: string): never {
  const shown = setting.flag.secret ? "***" : setting.text;
  throw new BridgeError("config", `${nameOf(setting)} is "${shown}": expected ${expected}.`);
}

const SECONDS = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)?$/i;
const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const BYTES = /^(\d+(?:\.\d+)?)\s*([kmg]?)i?b?$/i;
const SIZES: Record<string, number> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };
/** Timers count in 32 bits: a day is far more than any setting needs. */
const LONGEST = 24 * 3_600_000;

/** Reads one setting's text by the kind of its flag. */
function read(setting: Setting): string | boolean | number | string[] | undefined {
  const { flag } = setting;
  const text = setting.text?.trim();
  if (text === undefined) {
    return flag.kind === "boolean" ? false : flag.kind === "list" ? [] : undefined;
  }
  switch (flag.kind) {
    case "boolean":
      if (/^(true|1|yes|on)$/i.test(text)) return true;
      if (/^(false|0|no|off)$/i.test(text)) return false;
      return fail(setting, "true or false");
    case "port":
      if (/^\d{1,5}$/.test(text) && Number(text) <= 65535) return Number(text);
      return fail(setting, "a port, 0 to 65535");
    case "count":
      if (/^\d{1,3}$/.test(text)) return Number(text);
      return fail(setting, "a whole number, 0 to 999");
    case "seconds": {
      const match = SECONDS.exec(text);
      const ms = match ? Number(match[1]) * UNITS[(match[2] ?? "s").toLowerCase()] : NaN;
      return ms <= LONGEST
        ? Math.round(ms)
        : fail(setting, "a time such as 500ms, 10s or 5m, a day at most");
    }
    case "bytes": {
      const match = BYTES.exec(text);
      const bytes = match ? Math.floor(Number(match[1]) * SIZES[match[2].toLowerCase()]) : NaN;
      return bytes >= 1 && bytes <= 2 ** 30
        ? bytes
        : fail(setting, "a size such as 32MB, 1GB at most");
    }
    case "list":
      return text.split(",").map((word) => word.trim()).filter((word) => word !== "");
    default:
      if (flag.choices === undefined) return setting.text;
      return flag.choices.find((choice) => choice === text.toLowerCase()) ??
        fail(setting, `one of ${flag.choices.join(", ")}`);
  }
}

/**
 * Reads and checks every setting.
 *
 * @param rows From {@linkcode settings}.
 * @returns The configuration, frozen. `gateway` is empty where none is set: only some commands need it.
 * @throws {BridgeError} kind `config`, naming the flag or variable, its value and what was expected.
 *
 * @example
 * ```ts
 * import { readConfig, settings } from "./config.ts";
 * import { parseCommandLine } from "./command_line.ts";
 *
 * const line = parseCommandLine(["--port", "9090", "--idle-timeout", "2m"]);
 * const config = readConfig(settings(line, { process: {} }));
 * if (config.port !== 9090 || config.idleTimeout !== 120_000) throw new Error("read");
 * ```
 */
export function readConfig(rows: readonly Setting[]): Config {
  const values: Record<string, unknown> = {};
  for (const row of rows) values[row.flag.name] = read(row);
  const setBy = Object.fromEntries(
    rows.filter(({ origin }) => origin !== "default").map((row) => [row.flag.name, nameOf(row)]),
  );
  const gateway = rows.find((row) => row.flag.name === "gateway")!;
  const host = String(values.host).toLowerCase();
  const clientKey = values["client-key"] as string | undefined;
  if (clientKey !== undefined && !/^[\x21-\x39\x3b-\x7e]{8,256}$/.test(clientKey)) {
    throw new BridgeError(
      "config",
      `The client key (${
        setBy["client-key"]
      }) must be 8 to 256 printable characters without spaces and colons.`,
    );
  }
  if (clientKey !== undefined && values["client-keys"] !== undefined) {
    throw new BridgeError(
      "config",
      `Both ${setBy["client-key"]} and ${
        setBy["client-keys"]
      } are set, one key for all and one for each client: take one of them away.`,
    );
  }
  const { store, storeKey } = readStore(values, setBy);
  for (const origin of values["allow-origin"] as string[]) {
    if (!isOrigin(origin)) {
      throw new BridgeError(
        "config",
        `${
          setBy["allow-origin"]
        } is "${origin}": expected an origin such as https://app.example.com, without a path.`,
      );
    }
  }
  return Object.freeze({
    gateway: gateway.text ? baseUrl(gateway.text, nameOf(gateway)) : "",
    profile: values.profile as string | undefined,
    auth: values.auth as AuthName | undefined,
    tokenCommand: values["token-command"] as string | undefined,
    gatewayOrigin: gateway.text ? originOf(gateway) : undefined,
    port: values.port as number,
    host,
    models: values.models as string | undefined,
    demo: values.demo as boolean,
    logLevel: values["log-level"] as LogLevel,
    logFormat: values["log-format"] as "text" | "json",
    clientKey,
    clientKeys: values["client-keys"] as string | undefined,
    store,
    storeKey,
    allowOrigins: values["allow-origin"] as string[],
    allowHosts: (values["allow-host"] as string[]).map((name) => name.toLowerCase()),
    maxBody: values["max-body"] as number,
    connectTimeout: values["connect-timeout"] as number,
    firstByteTimeout: values["first-byte-timeout"] as number,
    idleTimeout: values["idle-timeout"] as number,
    heartbeat: values.heartbeat as number,
    retries: values.retries as number,
    retryTime: values["retry-time"] as number,
    runawayGuard: values["runaway-guard"] as boolean,
    promptCache: values["prompt-cache"] as boolean,
    page: values.page as boolean,
    drainTime: values["drain-time"] as number,
    shutdownTime: values["shutdown-time"] as number,
    caFile: values["ca-file"] as string | undefined,
    setBy,
  });
}

/** The shortest secret of a store, in characters. */
const SHORTEST_STORE_KEY = 16;

/** The shared store. What is in it is encrypted, and so there is none without a secret. */
function readStore(
  values: Readonly<Record<string, unknown>>,
  setBy: Readonly<Record<string, string>>,
): Pick<Config, "store" | "storeKey"> {
  const address = values.store as string | undefined;
  if (address === undefined) return {};
  const store = readStoreAddress(address, setBy.store);
  const storeKey = values["store-key"] as string | undefined;
  if (storeKey !== undefined && storeKey.length >= SHORTEST_STORE_KEY) return { store, storeKey };
  throw new BridgeError(
    "config",
    `${
      storeKey === undefined
        ? "FD_BRIDGE_STORE_KEY (--store-key) is not set"
        : `${setBy["store-key"]} is shorter than ${SHORTEST_STORE_KEY} characters`
    }: bridges that share a store encrypt what they put there with a secret of theirs. Make one with \`openssl rand -base64 32\`, and give it to all of them.`,
  );
}

/** Where a setting's text came from, in words. */
function originOf({ origin, flag, file }: Setting): string {
  if (origin === "flag") return `--${flag.name}`;
  return file ?? (origin === "environment" ? "the environment" : origin);
}

function isOrigin(text: string): boolean {
  try {
    return new URL(text).origin === text;
  } catch {
    return false;
  }
}

/**
 * What a person must know or do before the bridge may listen where it was told to: beyond loopback a
 * client key is required, because whoever reaches the port may spend the company's money.
 *
 * @throws {BridgeError} kind `config`, beyond loopback without a client key.
 * @returns A warning to show, or undefined.
 *
 * @example
 * ```ts
 * import { exposure, readConfig, settings } from "./config.ts";
 * import { parseCommandLine } from "./command_line.ts";
 *
 * const config = readConfig(settings(parseCommandLine([]), { process: {} }));
 * if (exposure(config) !== undefined) throw new Error("loopback needs no warning");
 * ```
 */
export function exposure(config: Config): string | undefined {
  if (isLoopback(config.host)) return undefined;
  if (config.clientKey === undefined && config.clientKeys === undefined) {
    throw new BridgeError(
      "config",
      `${
        config.setBy?.host ?? "--host"
      } is ${config.host}, which lets other machines in: set --client-key (or FD_BRIDGE_CLIENT_KEY) to a secret that they must send, give each its own with --client-keys, or listen on 127.0.0.1.`,
    );
  }
  return `Listening on ${config.host}: other machines can reach the bridge, over plain HTTP. They need the client key.`;
}
