/**
 * `fd-bridge setup` without an agent: from nothing to agents that work.
 *
 * @module
 */

import { BridgeError } from "../errors.ts";
import { type Agent, AGENTS } from "../setup/agents.ts";
import { findProgram } from "../system/find_program.ts";
import type { Machine, Start } from "../system/system.ts";
import { paintFor, Terminal } from "../system/terminal.ts";
import { chooseGateway } from "./choose_gateway.ts";
import { models } from "./models.ts";

/**
 * Asks for the gateway where none is set, offers to read its models, and sets up each agent that is on the
 * `PATH`.
 *
 * @param start The machine and the settings.
 * @param machine The machine's files and programs.
 * @param setUp Sets up the agent that the command line names.
 * @returns The exit code: 1 where something was declined or doesn't work.
 * @throws {BridgeError} kind `usage`, where nobody is there to ask.
 */
export async function setUpAll(
  start: Start,
  machine: Machine,
  setUp: (start: Start) => Promise<number>,
): Promise<number> {
  const { system } = start;
  const terminal = new Terminal(system);
  if (!terminal.interactive) {
    throw new BridgeError(
      "usage",
      "`fd-bridge setup` asks questions, and nobody is there. Without questions: put DATABRICKS_AI_GATEWAY_URL into .env, then `fd-bridge setup AGENT --yes`.",
    );
  }
  const paint = paintFor(system, "err");
  const title = (text: string) => system.err(`\n${paint("bold", text)}\n\n`);
  title("Gateway");
  const known = knownGateway(start);
  if (known) system.err(`  Known: ${known}. fd-bridge doctor checks it.\n`);
  const chosen = known ? start : await chooseGateway(start, terminal);
  if (chosen === undefined) {
    system.err("Nothing was set up.\n");
    return 1;
  }
  title("Models");
  await offerModels(chosen, terminal);
  title("Agents");
  const code = await offerAgents(chosen, machine, setUp);
  system.err(
    chosen.config.demo
      ? "\nStart the bridge with `fd-bridge --demo`.\n"
      : "\nStart the bridge with `fd-bridge`, or at each login with `fd-bridge service install`.\n",
  );
  return code;
}

function knownGateway({ config }: Start): string | undefined {
  const { demo, gateway, profile, auth, tokenCommand } = config;
  if (demo) return "the demo";
  const known = [
    gateway,
    profile && `profile ${profile}`,
    auth && `tokens by ${auth}`,
    tokenCommand && "a command for tokens",
  ].filter(Boolean);
  return known.join(", ") || undefined;
}

async function offerModels(start: Start, terminal: Terminal): Promise<void> {
  const { system, config: { demo, profile, auth, tokenCommand } } = start;
  const own = profile || tokenCommand || (auth && auth !== "client");
  if (demo || !own) {
    system.err("  A list of models comes with the program; `fd-bridge models` shows it.\n");
    return;
  }
  if (!await terminal.confirm("Ask the workspace for its models?", true)) return;
  try {
    await models({ ...start, line: { command: "models", words: ["sync"], flags: {} } });
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    system.err(`  ${error.message}\n  The list that comes with the program is used.\n`);
  }
}

async function offerAgents(
  start: Start,
  machine: Machine,
  setUp: (start: Start) => Promise<number>,
): Promise<number> {
  const { system, line } = start;
  const found: Agent[] = [];
  for (const agent of AGENTS) {
    if (await findProgram(agent.program, { ...system, machine })) found.push(agent);
  }
  if (found.length === 0) {
    const titles = AGENTS.map(({ title }) => title).join(", ");
    system.err(`  None of ${titles} is on the PATH. Later: fd-bridge setup AGENT\n`);
  }
  let code = 0;
  for (const { name, title } of found) {
    system.err(`${title} is here.\n`);
    try {
      code = Math.max(code, await setUp({ ...start, line: { ...line, words: [name] } }));
    } catch (error) {
      // An agent whose file is broken hinders no other one.
      if (!(error instanceof BridgeError)) throw error;
      system.err(`  ${error.message}\n`);
      code = 1;
    }
  }
  return code;
}
