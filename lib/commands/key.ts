/**
 * `fd-bridge key`: prints the key that a bridge with tokens of its own asks its clients for.
 *
 * @module
 */

import { BridgeError } from "../errors.ts";
import { loadBridgeKey, rotateBridgeKey } from "../gateway/tokens/mod.ts";
import { addClientKey, listClientKeys, removeClientKey } from "./client_keys.ts";
import type { Start } from "../system/system.ts";

/** What is done with the keys of clients. */
const CLIENT_KEYS = [
  { word: "add", words: 2, run: addClientKey },
  { word: "list", words: 1, run: listClientKeys },
  { word: "remove", words: 2, run: removeClientKey },
] as const;

/**
 * Prints the key, and makes it where there is none; with `--rotate` it makes another one. Only the key
 * goes to standard output, so that a script can take it.
 *
 * @param start The machine and what was typed.
 * @returns The exit code, 0.
 * @throws {BridgeError} kind `usage` for further words; `config` where the key can't be read or written.
 */
export async function key(start: Start): Promise<number> {
  const { system, line, rows } = start;
  const action = CLIENT_KEYS.find(({ word }) => word === line.words[0]);
  if (action && line.words.length === action.words) return await action.run(start, line.words[1]);
  if (line.words.length > 0) {
    throw new BridgeError(
      "usage",
      `Expected \`fd-bridge key\`, \`fd-bridge key --rotate\`, \`key add NAME\`, \`key list\` or \`key remove NAME\`; got \`fd-bridge key ${
        line.words.join(" ")
      }\`.`,
    );
  }
  if (system.machine === undefined) {
    throw new BridgeError("usage", "This command needs a machine with files.");
  }
  const machine = { ...system, files: system.machine.files };
  const rotate = line.flags.rotate === true;
  const value = rotate ? await rotateBridgeKey(machine) : await loadBridgeKey(machine);
  system.out(`${value}\n`);
  if (rotate) {
    system.err(
      "A bridge that runs takes this key within a second, and refuses the old one. Enter it as the API key of your clients; in ForgeCode with `forge provider login openai_compatible`.\n",
    );
  }
  if (rows.find(({ flag }) => flag.name === "client-key")?.text) {
    system.err(
      "FD_BRIDGE_CLIENT_KEY (--client-key) is set: with that setting the bridge asks for that key instead of this one.\n",
    );
  }
  return 0;
}
