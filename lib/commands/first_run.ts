/**
 * The first start without any settings: asks a person at a terminal for the gateway, or offers the demo.
 *
 * @module
 */

import type { Start } from "../system/system.ts";
import { paintFor, Terminal } from "../system/terminal.ts";
import { chooseGateway } from "./choose_gateway.ts";

/**
 * Asks for the gateway.
 *
 * @param start The machine and the settings, without a gateway.
 * @returns The same with what was chosen in force, to go on with; undefined where there is nobody to ask,
 *   or who was asked left it.
 *
 * @example
 * ```ts
 * import { firstRun } from "./first_run.ts";
 * import type { Start } from "../system/system.ts";
 *
 * const system = { err: () => {}, terminal: { out: false, err: false }, variable: () => undefined };
 * if (await firstRun({ system } as unknown as Start) !== undefined) throw new Error("nobody is there");
 * ```
 */
export async function firstRun(start: Start): Promise<Start | undefined> {
  const { system } = start;
  const terminal = new Terminal(system);
  if (!terminal.interactive) return undefined;
  const paint = paintFor(system, "err");
  system.err(`\n${paint("bold", "fd-bridge")} does not know your gateway yet.\n\n`);
  const chosen = await chooseGateway(start, terminal);
  if (chosen && !chosen.config.demo) {
    system.err(
      "  `fd-bridge setup` sets up your agents, `fd-bridge doctor` checks all the rest.\n",
    );
  }
  return chosen;
}
