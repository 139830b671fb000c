/**
 * The `.env` files: which are read, how they merge, and what of a file in the working folder is taken.
 *
 * A folder may be a cloned repository, and its `.env` somebody else's. So from `./.env` nothing is taken
 * that decides where tokens go or whom the program trusts; the user's own file, in the configuration
 * folder, and one that is named with `--env-file` may set everything.
 *
 * @module
 */

import { parse } from "@std/dotenv/parse";
import { BridgeError } from "../errors.ts";
import { isDatabricksHost, isLoopback } from "./base_url.ts";
import {
  configFolder,
  joinPath,
  type Place,
  readIfThere,
  readNamed,
  type ReadText,
} from "./locate.ts";

/** What the `.env` files say. */
export interface EnvFiles {
  /** Name → value, over all files. */
  readonly variables: Readonly<Record<string, string>>;
  /** The file that a variable comes from. */
  readonly fileOf: (name: string) => string | undefined;
  /** The files that were read; the first one wins. */
  readonly paths: readonly string[];
  /** What of them was not taken, and why: one line each. */
  readonly warnings: readonly string[];
}

/** The `.env` of the working folder. */
const FOLDER_ENV = ".env";

/** Addresses that a folder's `.env` may set as long as they are Databricks' or this machine's. */
const ADDRESSES: ReadonlySet<string> = new Set(["DATABRICKS_AI_GATEWAY_URL", "DATABRICKS_HOST"]);

/** What a folder's `.env` may not set, and what it would decide. */
const REFUSED: readonly { readonly name: RegExp; readonly decides: string }[] = [
  { name: /^(HTTP|HTTPS|ALL|NO)_PROXY$/i, decides: "which proxy sees the requests" },
  {
    name: /^(DENO_CERT|DENO_TLS_CA_STORE|SSL_CERT_FILE|FD_BRIDGE_CA_FILE)$/,
    decides: "which certificates are trusted",
  },
  {
    name: /^(FD_BRIDGE_TOKEN_COMMAND|DATABRICKS_CLI_PATH|DATABRICKS_CONFIG_FILE)$/,
    decides: "what is run or read for a token",
  },
  {
    name: /^FD_BRIDGE_(HOST|ALLOW_HOST|ALLOW_ORIGIN|STORE|STORE_KEY|CLIENT_KEYS)$/,
    decides: "who reaches the bridge, and your token by it",
  },
  { name: /^FD_BRIDGE_STORE(_KEY)?$/, decides: "where reasoning is kept" },
];

/**
 * Reads the `.env` files: the one that `--env-file` names and no other; else `./.env` and the one in the
 * configuration folder, variable by variable, the folder's first.
 *
 * @param named The file of `--env-file`, which must be there.
 * @param place The system.
 * @param read Reads files.
 * @throws {BridgeError} kind `config`, when a file is there and can't be read.
 */
export async function readEnvFiles(
  named: string | undefined,
  place: Place,
  read: ReadText,
): Promise<EnvFiles> {
  const folder = configFolder(place);
  const paths = named !== undefined
    ? [named]
    : [FOLDER_ENV, ...folder ? [joinPath(folder, ".env")] : []];
  const variables: Record<string, string> = {};
  const files = new Map<string, string>();
  const found: string[] = [];
  const warnings: string[] = [];
  for (const path of paths) {
    const text = named !== undefined
      ? await readNamed(path, "the env file", read)
      : await readIfThere(path, read);
    if (text === undefined) continue;
    found.push(path);
    for (const [name, value] of Object.entries(parseEnv(path, text, warnings))) {
      const why = path === FOLDER_ENV && named === undefined ? refusal(name, value) : undefined;
      if (why !== undefined) {
        warnings.push(
          `./.env sets ${name}, which is not taken from a folder's .env: ${why}. If it is yours, set it in the environment${
            folder ? ` or in ${joinPath(folder, ".env")}` : ""
          }, or start with --env-file .env.`,
        );
      } else if (value !== "" && !Object.hasOwn(variables, name)) {
        variables[name] = value;
        files.set(name, path === FOLDER_ENV ? "./.env" : path);
      }
    }
  }
  return { variables, fileOf: (name) => files.get(name), paths: found, warnings };
}

/** Why a folder's `.env` may not set a variable to a value; undefined where it may. */
function refusal(name: string, value: string): string | undefined {
  if (value === "") return undefined;
  const row = REFUSED.find((row) => row.name.test(name));
  if (row) return `it decides ${row.decides}`;
  if (!ADDRESSES.has(name)) return undefined;
  const host = hostOf(value);
  if (host === undefined || isLoopback(host) || isDatabricksHost(host)) return undefined;
  return `${host} is neither a Databricks host nor this machine, and your token would go there`;
}

/** The host of an address, typed with or without its scheme; undefined where it is no address at all. */
function hostOf(address: string): string | undefined {
  const text = address.trim();
  // URL's parser takes `https:host` as well: whatever it makes of the text is where a request would go.
  for (const url of [text, `https://${text}`]) {
    if (URL.canParse(url) && /^(https?|wss?|ftp):$/.test(new URL(url).protocol)) {
      return new URL(url).hostname;
    }
  }
  return undefined;
}

/** The text with quoted values blanked, which may have several lines; the lines stay where they are. */
function withoutQuoted(text: string): string {
  return text.replace(
    /^(\s*(?:export[ \t]+)?[\w.-]+[ \t]*=[ \t]*)("[^"]*\n[^"]*"|'[^']*\n[^']*')/gm,
    (_, name: string, value: string) => name + value.replace(/[^\n]/g, ""),
  );
}

/** How often a value is expanded, and how long it may become, before it is passed over. */
const MAX_EXPANSIONS = 50;
const MAX_EXPANDED = 64 * 1024;

/** A variable, and its value in single quotes, in double quotes, or bare: what `@std/dotenv` expands. */
const VARIABLE =
  /^\s*(?:export\s+)?([^\s=#]+)\s*=[ \t]*(?:'((?:[^'\r]|\r\n)*)'|"((?:[^"\r]|\r\n)*)"|([^\r\n#]*))/gm;

/** A reference as `@std/dotenv` has it: `${NAME}`, `${NAME:-default}`, `$NAME`, `$NAME:-default`. */
const REFERENCE = /\$\{(.+?)(?::-(.+))?\}|(?<!\\)\$(\w+)(?::-(.+))?/g;

/**
 * Variables that `@std/dotenv` can't read, and why. It expands a value as long as there is a reference in it:
 * for ever, where it leads to itself, by whatever way. And it asks the environment for a name that the file
 * doesn't set, which ends the program where that isn't allowed.
 */
function unreadableIn(text: string): Map<string, string> {
  const said = new Map<string, string>();
  const bareNames = new Set<string>();
  for (const [, name, single, double, bare] of text.matchAll(VARIABLE)) {
    said.set(name, single ?? double ?? bare.trim());
    if (bare) bareNames.add(name);
  }
  const unreadable = new Map<string, string>();
  for (const name of bareNames) {
    let value = said.get(name)!;
    let asked = "";
    for (let round = 0; value.search(REFERENCE) !== -1; round++) {
      if (round >= MAX_EXPANSIONS || value.length > MAX_EXPANDED) {
        unreadable.set(name, "it refers to itself, by its own name or by another's");
        break;
      }
      value = value.replace(REFERENCE, (_, braced, otherwise, plain, plainOtherwise) => {
        const wanted = braced ?? plain;
        try {
          return said.get(wanted) ?? Deno.env.get(wanted) ?? otherwise ?? plainOtherwise ?? "";
        } catch {
          asked = wanted;
          return "";
        }
      });
    }
    if (asked !== "") {
      unreadable.set(name, `it refers to ${asked}, which this program may not read`);
    }
  }
  return unreadable;
}

/** A file's variables; lines that are none are told. */
function parseEnv(path: string, text: string, warnings: string[]): Record<string, string> {
  if (text.includes("\0")) {
    throw new BridgeError(
      "config",
      `${path}: the env file is not UTF-8 (Windows writes UTF-16 with ">"): save it as UTF-8.`,
    );
  }
  withoutQuoted(text).split(/\r\n|\r|\n/).forEach((line, at) => {
    if (/^\s*(#|$)/.test(line)) return;
    const where = `${path}:${at + 1}`;
    const [, name, value] = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=(.*)$/.exec(line) ?? [];
    const reference = /^(?:FD_BRIDGE_|DATABRICKS_)/.test(name ?? "") && /\$\{?\w+\}?/.exec(value);
    if (reference && !/^\s*["']?$/.test(value)) {
      const wanted = reference[0].replace(/[${}]/g, "");
      if (!new RegExp(`^\\s*(export\\s+)?${wanted}\\s*=`, "m").test(text)) {
        warnings.push(
          `${where}: ${name} has ${
            reference[0]
          } in it, which this file doesn't set: write the value itself.`,
        );
      }
    }
    if (name !== undefined || /^\s*(export\s+)?[\w.-]+\s*=/.test(line)) return;
    const colon = /^\s*([A-Z][A-Z\d_]+)\s*:\s*\S/.exec(line);
    warnings.push(
      colon
        ? `${where}: expected ${colon[1]}=…, found a colon; the line is not read.`
        : `${where}: expected NAME=value; the line is not read.`,
    );
  });
  let readable = text;
  for (const [name, why] of unreadableIn(text)) {
    // Other programs' variables are their own business.
    if (why.includes("itself") || /^(?:FD_BRIDGE_|DATABRICKS_)/.test(name)) {
      warnings.push(`${path}: ${name} is not read: ${why}.`);
    }
    readable = readable.replace(
      new RegExp(`^\\s*(?:export\\s+)?${name.replace(/\W/g, "\\$&")}\\s*=.*$`, "gm"),
      "",
    );
  }
  let variables: Record<string, string>;
  try {
    variables = parse(readable);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BridgeError("config", `${path}: the env file can't be read: ${why}.`, { cause });
  }
  return variables;
}
