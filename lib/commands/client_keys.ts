/**
 * `fd-bridge key add|list|remove`: the keys of clients, in the file of `--client-keys`.
 *
 * @module
 */

import { BridgeError } from "../errors.ts";
import {
  type ClientKey,
  hashOfKey,
  makeKey,
  parseClientKeys,
  withClientKey,
  withoutClientKey,
} from "../keys/mod.ts";
import { writeAtomically } from "../system/atomic.ts";
import type { Start } from "../system/system.ts";

/** The file, its text and what it says. */
interface KeysFile {
  readonly path: string;
  readonly text: string;
  readonly keys: readonly ClientKey[];
}

async function readFile({ system, config }: Start): Promise<KeysFile> {
  const path = config.clientKeys;
  if (path === undefined) {
    throw new BridgeError(
      "usage",
      "No file of client keys is set: name it with --client-keys FILE or FD_BRIDGE_CLIENT_KEYS, as for the bridge itself.",
    );
  }
  const text = await system.readText(path) ?? "";
  return { path, text, keys: text.trim() === "" ? [] : parseClientKeys(text, path) };
}

async function write({ system }: Start, path: string, text: string): Promise<void> {
  // Who can write the file can let himself in; hashes are nobody else's business either.
  await writeAtomically(path, text, system.machine!.files, 0o600);
}

/**
 * Makes a key for a client, and prints it: the only time that it is seen.
 *
 * @throws {BridgeError} kind `usage` for a name that is taken; `config` where the file can't be read or written.
 */
export async function addClientKey(start: Start, name = ""): Promise<number> {
  const { system, line } = start;
  const { path, text, keys } = await readFile(start);
  if (keys.some((key) => key.name === name)) {
    throw new BridgeError(
      "usage",
      `${name} has a key already, and it can't be shown again: take it away with \`fd-bridge key remove ${name}\` first.`,
    );
  }
  const value = makeKey();
  const { flags } = line;
  const number = (flag: string) => {
    const given = flags[flag];
    if (given === undefined) return undefined;
    const most = Number(given);
    if (String(given).trim() !== "" && Number.isFinite(most) && most >= 0) return most;
    throw new BridgeError("usage", `--${flag} ${given}: expected a number from 0 on.`);
  };
  const models = flags["allow-models"];
  const key: ClientKey = {
    name,
    hash: hashOfKey(value),
    models: models === undefined
      ? undefined
      : [models].flat().flatMap((one) => String(one).split(",")).filter((one) => one !== ""),
    requestsPerMinute: number("requests-per-minute"),
    tokensPerDay: number("tokens-per-day"),
    dollarsPerDay: number("dollars-per-day"),
    admin: flags.admin === true ? true : undefined,
  };
  const changed = withClientKey(text, key);
  // What can't be read is not written: a name with a blank, for example.
  parseClientKeys(changed, "The new key");
  await write(start, path, changed);
  system.out(`${value}\n`);
  system.err(
    `Added this key for ${name}. It is shown only this once; ${path} has its hash. Running bridges accept it within two seconds. ${name} sends it as the API key: alone where the bridge has a token of its own, else before the Databricks token: <key>:<token>.\n`,
  );
  return 0;
}

/** Lists the clients that have a key. */
export async function listClientKeys(start: Start): Promise<number> {
  const { path, keys } = await readFile(start);
  const { system } = start;
  if (keys.length === 0) system.out(`There is no key in ${path}.\n`);
  for (const key of keys) {
    const limits = [
      ...key.admin ? ["admin"] : [],
      ...key.models ? [key.models.join(", ")] : [],
      ...key.requestsPerMinute === undefined ? [] : [`${key.requestsPerMinute} requests a minute`],
      ...key.tokensPerDay === undefined ? [] : [`${key.tokensPerDay} tokens a day`],
      ...key.dollarsPerDay === undefined ? [] : [`$${key.dollarsPerDay} a day`],
    ];
    system.out(`${key.name.padEnd(20)} ${limits.join("; ") || "no limits"}\n`);
  }
  return 0;
}

/**
 * Takes a client's key away.
 *
 * @throws {BridgeError} kind `usage` for a name that has none.
 */
export async function removeClientKey(start: Start, name = ""): Promise<number> {
  const { path, text, keys } = await readFile(start);
  const at = keys.findIndex((key) => key.name === name);
  if (at === -1) {
    throw new BridgeError(
      "usage",
      `${name} has no key in ${path}: ${keys.map((key) => key.name).join(", ") || "nobody has"}.`,
    );
  }
  await write(start, path, withoutClientKey(text, at));
  start.system.err(
    `Removed the key of ${name}. Running bridges refuse it within two seconds.\n`,
  );
  return 0;
}
