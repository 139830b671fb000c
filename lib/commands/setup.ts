/**
 * `fd-bridge setup`: points an agent at the bridge, and takes it back.
 *
 * @module
 */

import { findModels } from "../config/locate.ts";
import { variableOf } from "../config/variables.ts";
import { BridgeError } from "../errors.ts";
import { isObject } from "../json.ts";
import { urlOf } from "../listen.ts";
import { loadBridgeKey } from "../gateway/tokens/mod.ts";
import { listModels } from "../models/catalog.ts";
import {
  type Agent,
  type AgentPlace,
  AGENTS,
  KEY_AND_TOKEN,
  type SettingsFile,
  type Target,
  TOKEN,
} from "../setup/agents.ts";
import { diffOf, pointed, takenBack } from "../setup/change.ts";
import { FormatError } from "../setup/text.ts";
import { didYouMean } from "../suggest.ts";
import { writeAtomically } from "../system/atomic.ts";
import { findProgram } from "../system/find_program.ts";
import type { Machine, Start } from "../system/system.ts";
import { paintFor, printable, Terminal } from "../system/terminal.ts";
import { openOutside } from "./outside.ts";
import { setUpAll } from "./setup_all.ts";
import { findTokenSource } from "./own_tokens.ts";

/** What is put behind a file's name for its copy; one of a file that wasn't there is empty. */
const BACKUP = ".before-fd-bridge";

/** How long the bridge may take to say that it runs, and a model to answer, in milliseconds. */
const TIMES = { health: 3_000, answer: 60_000 };

/** A file, what it says now, and what it will say; undefined where it will not be there. */
interface Change {
  readonly file: SettingsFile;
  readonly now: string | undefined;
  readonly next: string | undefined;
}

/**
 * Runs `fd-bridge setup`, which asks for all that is needed, or `fd-bridge setup AGENT [MODEL]`, which
 * shows what changes in the agent's files, asks, and writes. The first time a file is written, its copy is
 * kept beside it; `--remove` puts back what stood there.
 *
 * @param start The machine and the settings.
 * @returns The exit code: 0, or 1 where a person declined, or the request that proves it failed.
 * @throws {BridgeError} kind `usage` for an agent that isn't known; `config` where a file can't be read,
 *   is not in its format, or can't be written.
 */
export async function setup(start: Start): Promise<number> {
  const { system, line } = start;
  const { machine } = system;
  if (machine === undefined) throw new BridgeError("usage", "This command needs a machine.");
  const remove = line.flags.remove === true;
  if (line.words.length === 0 && !remove && line.flags.print !== true) {
    return await setUpAll(start, machine, setup);
  }
  const agent = agentOf(line.words[0]);
  const target = await targetOf(agent, start, machine);
  const place = placeOn(start, machine);
  const changes: Change[] = [];
  // Taken back is whatever may have been written, with a key or without.
  const all = remove ? { ...target, key: target.key ?? "any" } : target;
  for (const file of await agent.files(place, all)) {
    changes.push(await changeOf(file, remove, start));
  }
  const diffs = changes.map(({ file, now = "", next = "" }) =>
    diffOf(file.path, now, next, target.key)
  ).filter(Boolean);
  const then = remove ? [] : [...keyAndToken(target), ...agent.then(target)];
  if (line.flags.print === true) {
    for (const diff of diffs) system.out(diff);
    for (const command of then) system.out(`${command}\n`);
    return 0;
  }
  if (diffs.length > 0) {
    if (!await agreed(start, agent, diffs)) return 1;
    for (const change of changes) await write(change, remove, machine);
  }
  const paint = paintFor(system, "err");
  const done = paint("green", "✓");
  if (remove) {
    const what = diffs.length > 0 ? "is as it was" : "was not pointed at the bridge";
    system.err(`${done} ${agent.title} ${what}.\n`);
    return 0;
  }
  if (changes.length > 0) {
    const what = diffs.length > 0 ? "is pointed" : "was pointed already";
    system.err(
      `${done} ${agent.title} ${what} at ${target.url}, with\n  ${target.model}. Back again: fd-bridge setup ${agent.name} --remove\n`,
    );
  }
  if (then.length > 0) system.err(`Now type:\n${then.map((text) => `  ${text}\n`).join("")}`);
  return await prove(start, target);
}

function agentOf(name: string | undefined): Agent {
  const names = AGENTS.map((agent) => agent.name);
  const agent = AGENTS.find((agent) => agent.name === name?.toLowerCase());
  if (agent) return agent;
  throw new BridgeError(
    "usage",
    name === undefined
      ? `Expected \`fd-bridge setup AGENT [MODEL]\`, with one of these: ${names.join(", ")}.`
      : `There is no agent "${printable(name)}".${didYouMean(name, names)} Agents: ${
        names.join(", ")
      }.`,
  );
}

async function targetOf(agent: Agent, start: Start, machine: Machine): Promise<Target> {
  const { system, config, line } = start;
  const { catalog } = await findModels(
    config.models,
    system,
    system.readText,
    system.embeddedModels,
    config.setBy?.models,
  );
  const models = listModels(catalog).data.map(({ id }) => String(id));
  const [, named] = line.words;
  if (named !== undefined && !models.includes(named)) {
    throw new BridgeError(
      "usage",
      `There is no model "${printable(named)}".${
        didYouMean(named, models)
      } \`fd-bridge models\` shows them.`,
    );
  }
  const model = named ?? newest(models, agent.family) ?? models[0];
  if (model === undefined) {
    throw new BridgeError("config", "The list of models is empty: run `fd-bridge models sync`.");
  }
  return { url: urlOf(config.host, config.port), model, models, ...await keyOf(start, machine) };
}

/** The model of the highest version, the first of several; undefined where the family has none. */
function newest(models: readonly string[], family: RegExp | undefined): string | undefined {
  const versions = models.flatMap((id) => {
    const [, major, minor = "0"] = family?.exec(id) ?? [];
    return major === undefined ? [] : [{ id, version: Number(major) * 1_000 + Number(minor) }];
  });
  return versions.sort((a, b) => b.version - a.version)[0]?.id;
}

/**
 * What a client shows: the bridge's key where it holds a token; else a token, behind the client key where
 * one is set.
 */
async function keyOf(start: Start, machine: Machine): Promise<Pick<Target, "key" | "variable">> {
  const { system, config } = start;
  const { clientKey } = config;
  const variable = clientKey === undefined ? TOKEN : KEY_AND_TOKEN;
  if (config.demo) return { variable, key: clientKey === undefined ? "demo" : `${clientKey}:demo` };
  await using ways = new AsyncDisposableStack();
  const found = await findTokenSource(start, () => {
    const client = machine.createClient({
      connectTimeout: config.connectTimeout,
      firstByteTimeout: 0,
      idleTimeout: 0,
      proxyFor: start.proxies.proxyFor,
    });
    ways.defer(() => client.close());
    return client;
  });
  if (found === undefined) return { variable, key: undefined };
  return { variable, key: clientKey ?? await loadBridgeKey({ ...system, files: machine.files }) };
}

/** The line that makes the variable with client key and token, where an agent needs it. */
function keyAndToken({ key, variable }: Target): string[] {
  if (key !== undefined || variable !== KEY_AND_TOKEN) return [];
  return [`export ${KEY_AND_TOKEN}="$FD_BRIDGE_CLIENT_KEY:$${TOKEN}"`];
}

function placeOn({ system }: Start, { files }: Machine): AgentPlace {
  const home = system.variable(system.os === "windows" ? "USERPROFILE" : "HOME");
  if (!home) {
    throw new BridgeError(
      "config",
      "The home folder isn't known: expected HOME (on Windows USERPROFILE) in the environment.",
    );
  }
  const isThere = async (path: string) =>
    await files.realPath(path).catch(() => undefined) !== undefined;
  return { os: system.os, variable: system.variable, home, isThere };
}

async function changeOf(file: SettingsFile, remove: boolean, start: Start): Promise<Change> {
  const { readText } = start.system;
  try {
    const now = await readText(file.path);
    if (!remove) return { file, now, next: pointed(file, now ?? "") };
    const before = await readText(file.path + BACKUP);
    // Without a copy, `setup` never wrote it.
    const ours = now !== undefined && before !== undefined;
    return { file, now, next: ours ? takenBack(file, now, before) : now };
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw new BridgeError(
      "config",
      `${file.path} is no ${file.format.toUpperCase()} (${cause.message}): nothing was written. Repair it, or see \`fd-bridge setup AGENT --print\` on another machine for what belongs there.`,
      { cause },
    );
  }
}

async function agreed(
  { system, line }: Start,
  agent: Agent,
  diffs: readonly string[],
): Promise<boolean> {
  for (const diff of diffs) system.err(`${colored(diff, paintFor(system, "err"))}\n`);
  const found = await findProgram(agent.program, { ...system, machine: system.machine! });
  if (!found) {
    system.err(`${agent.title} (\`${agent.program}\`) is not on the PATH; its files can wait.\n`);
  }
  if (line.flags.yes === true) return true;
  const terminal = new Terminal(system);
  if (!terminal.interactive) {
    throw new BridgeError(
      "usage",
      "Nothing was written, because nobody can be asked here: add --yes, or --print to look.",
    );
  }
  return await terminal.confirm("Write this?", true);
}

function colored(diff: string, paint: ReturnType<typeof paintFor>): string {
  return diff.split("\n").map((line) =>
    line.startsWith("+") ? paint("green", line) : line.startsWith("-") ? paint("red", line) : line
  ).join("\n");
}

async function write({ file, now, next }: Change, remove: boolean, { files }: Machine) {
  const { path } = file;
  if (now === next) return;
  if (remove) {
    if (next === undefined) await files.remove(path);
    else await writeAtomically(path, next, files);
    if (await files.mode(path + BACKUP) !== undefined) await files.remove(path + BACKUP);
    return;
  }
  if (await files.mode(path + BACKUP) === undefined) {
    await writeAtomically(path + BACKUP, now ?? "", files, PRIVATE);
  }
  await writeAtomically(path, next ?? "", files, PRIVATE);
}

/** The mode of a file that is made: it may hold a key. */
const PRIVATE = 0o600;

/** Sends one small request through the bridge, where it runs and whoever is asked agrees. */
async function prove(start: Start, { url, model, key }: Target): Promise<number> {
  const { system, line, config } = start;
  const paint = paintFor(system, "err");
  await using outside = await openOutside(start, config);
  const health = await outside.fetch(`${url}/healthz`, {
    redirect: "error",
    signal: AbortSignal.timeout(TIMES.health),
  }).catch(() => undefined);
  await health?.body?.cancel();
  if (!health?.ok) {
    const command = config.demo ? "fd-bridge --demo" : "fd-bridge";
    system.err(`No bridge answers at ${url} yet. Start it: ${command}\n`);
    return 0;
  }
  const own = variableOf(start, TOKEN);
  const token = key ?? (own && config.clientKey ? `${config.clientKey}:${own}` : own);
  if (token === undefined) {
    system.err("The bridge runs. DATABRICKS_TOKEN is not set here, so no request was tried.\n");
    return 0;
  }
  const terminal = new Terminal(system);
  const may = line.flags.yes === true ||
    (terminal.interactive && await terminal.confirm(`Send one small request to ${model}?`, true));
  if (!may) return 0;
  const spinner = terminal.spin(`Asking ${model}`);
  const failure = await ask(outside.fetch, { url, model, token }).catch((error: Error) =>
    error.message
  ).finally(() => spinner.stop());
  if (failure === undefined) system.err(`${paint("green", "✓")} ${model} answers.\n`);
  else {
    system.err(
      `${paint("red", "✗")} ${model}: ${
        printable(failure)
      }\n  \`fd-bridge doctor ${model}\` finds out more.\n`,
    );
  }
  return failure === undefined ? 0 : 1;
}

/** What went wrong; undefined where the model answered. */
async function ask(
  fetch: Awaited<ReturnType<typeof openOutside>>["fetch"],
  { url, model, token }: { url: string; model: string; token: string },
): Promise<string | undefined> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${token}`,
      "user-agent": "fd-bridge-setup",
    },
    body: JSON.stringify({
      model,
      messages: [{ role: "user", content: "Answer with one word: ready" }],
      max_tokens: 64,
    }),
    redirect: "error",
    signal: AbortSignal.timeout(TIMES.answer),
  });
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return undefined;
  const message = isObject(body) && isObject(body.error) ? body.error.message : undefined;
  return typeof message === "string" ? message : `status ${response.status}`;
}
