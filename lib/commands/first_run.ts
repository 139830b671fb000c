/**
 * The first start without any settings: asks a person at a terminal for the gateway's address, tries it,
 * and writes `.env`.
 *
 * @module
 */

import { baseUrl } from "../config/base_url.ts";
import { writeAtomically } from "../system/atomic.ts";
import { askWithoutToken } from "../doctor/gateway.ts";
import { BridgeError } from "../errors.ts";
import { configFolder, joinPath } from "../config/locate.ts";
import { openOutside } from "./outside.ts";
import type { Start } from "../system/system.ts";
import { paintFor, Terminal } from "../system/terminal.ts";

/** How often an address that can't be one is asked for again. */
const MAX_ASKS = 5;

/**
 * Offers to write `.env`.
 *
 * @param start The machine and the settings, without a gateway.
 * @returns The gateway's base URL, to go on with; undefined where there is nobody to ask, or who was
 *   asked left it.
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
export async function firstRun(start: Start): Promise<string | undefined> {
  const { system, config } = start;
  const terminal = new Terminal(system);
  if (!terminal.interactive) return undefined;
  const paint = paintFor(system, "err");
  system.err(
    `\n${paint("bold", "fd-bridge")} does not know your gateway yet.\n\n` +
      "  Its address stands on the AI Gateway page in Databricks, in every example. It looks like\n" +
      "    https://1234567890123456.7.ai-gateway.azuredatabricks.net\n" +
      "    https://adb-1234567890123456.7.azuredatabricks.net/ai-gateway\n\n",
  );
  const gateway = await askForGateway(terminal, system);
  if (gateway === undefined) return undefined;

  const spinner = terminal.spin(`Trying ${gateway}`);
  await using outside = await openOutside(start, config);
  const tried = await askWithoutToken(gateway, {
    fetch: outside.fetch,
    timeout: config.connectTimeout || 60_000,
  }).finally(() => spinner.stop());
  if (tried.status === "ok") system.err(`${paint("green", "✓")} ${tried.detail}\n`);
  else {
    system.err(`${paint("yellow", "!")} ${tried.detail}\n`);
    if (tried.remedy) system.err(`  ${tried.remedy}\n`);
    if (!await terminal.confirm("Use this address all the same?", false)) return undefined;
  }

  const folder = configFolder(system);
  const path = start.env.paths[0] ?? (folder ? joinPath(folder, ".env") : ".env");
  if (await terminal.confirm(`Write it to ${path}?`, true)) {
    const old = await system.readText(path) ?? "";
    try {
      await writeAtomically(path, withGateway(old, gateway), system.machine!.files);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      system.err(
        `${
          paint("yellow", "!")
        } ${why}\n  The bridge starts all the same; next time: DATABRICKS_AI_GATEWAY_URL=${gateway}\n`,
      );
      return gateway;
    }
    system.err(
      `${
        paint("green", "✓")
      } Written. Next time the bridge starts by itself; \`fd-bridge doctor\` checks all the rest.\n`,
    );
  }
  return gateway;
}

async function askForGateway(
  terminal: Terminal,
  { err }: Start["system"],
): Promise<string | undefined> {
  for (let asked = 0; asked < MAX_ASKS; asked++) {
    const answer = await terminal.ask("Address of the gateway (Enter to leave):");
    if (!answer) return undefined;
    const address = /^[\w-]+(\.[\w-]+)+/.test(answer) ? `https://${answer}` : answer;
    try {
      return baseUrl(address, "The address");
    } catch (error) {
      if (!(error instanceof BridgeError)) throw error;
      err(`  ${error.message}\n`);
    }
  }
  return undefined;
}

/**
 * The text of a `.env` with the gateway in it: in the place of a line without a value, else at its end.
 *
 * @param text The file so far.
 * @param gateway The gateway's base URL.
 *
 * @example
 * ```ts
 * import { withGateway } from "./first_run.ts";
 *
 * const text = withGateway("# mine\nDATABRICKS_AI_GATEWAY_URL=\nA=1\n", "https://x.example");
 * if (text !== "# mine\nDATABRICKS_AI_GATEWAY_URL=https://x.example\nA=1\n") throw new Error(text);
 * ```
 */
export function withGateway(text: string, gateway: string): string {
  const line = `DATABRICKS_AI_GATEWAY_URL=${gateway}`;
  const empty = /^(export )?DATABRICKS_AI_GATEWAY_URL=[ \t"']*$/m;
  if (empty.test(text)) return text.replace(empty, line);
  return text + (text === "" || text.endsWith("\n") ? "" : "\n") + line + "\n";
}
