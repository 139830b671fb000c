/**
 * `fd-bridge models`: shows the list of models, and keeps it right: from a table that was copied from the
 * AI Gateway page (`update`), or from the workspace itself (`sync`).
 *
 * @module
 */

import { writeAtomically } from "../system/atomic.ts";
import { inHouseStyle } from "../models/update/document.ts";
import { applyChanges, type Change, compare, type Offer } from "../models/update/merge.ts";
import { isChatModel, readNames } from "../models/update/names.ts";
import { changesText, modelRows, modelTable } from "../models/update/report.ts";
import { discoverModels, type Discovery, workspaceUrl } from "../models/update/workspace.ts";
import { BridgeError } from "../errors.ts";
import { commandTokens } from "./own_tokens.ts";
import { configFolder, findModels } from "../config/locate.ts";
import { type Catalog, countListed, parseModels } from "../models/catalog.ts";
import { startSimulator } from "../simulator/mod.ts";
import { openOutside } from "./outside.ts";
import type { Machine, Start } from "../system/system.ts";
import { paintFor, Terminal } from "../system/terminal.ts";
import { variableOf } from "../config/variables.ts";

/**
 * Runs `fd-bridge models`, `models update FILE` or `models sync`.
 *
 * @param start The machine and the settings.
 * @returns The exit code: 0, or 1 where a person declined the changes.
 * @throws {BridgeError} kind `usage` for words that it doesn't know; `config` and `gateway` where
 *   something can't be read, asked or written. Then the file is as it was.
 */
export async function models(start: Start): Promise<number> {
  const [action = "list", ...rest] = start.line.words;
  const usage = USAGES[action];
  if (usage === undefined || rest.length !== usage.words) {
    throw new BridgeError(
      "usage",
      `Expected ${
        Object.values(USAGES).map(({ text }) => `\`fd-bridge ${text}\``).join(", ")
      }; got \`fd-bridge ${["models", ...start.line.words].join(" ")}\`.`,
    );
  }
  if (action === "list") return await list(start);
  const target = await findTarget(start);
  const { offers, notes } = action === "update"
    ? await offersOfFile(rest[0], start)
    : await offersOfWorkspace(start, target.catalog);
  return await merge(start, target, offers, notes);
}

/** Action → what it looks like, and how many words follow it. */
const USAGES: Readonly<Record<string, { text: string; words: number }>> = {
  list: { text: "models", words: 0 },
  update: { text: "models update FILE", words: 1 },
  sync: { text: "models sync", words: 0 },
};

async function list({ system, line, config }: Start): Promise<number> {
  for (const flag of ["yes", "dry-run", "prune"]) {
    if (line.flags[flag] === true) {
      throw new BridgeError(
        "usage",
        `--${flag} goes with \`fd-bridge models update FILE\` and \`fd-bridge models sync\`.`,
      );
    }
  }
  const { catalog, path } = await findModels(
    config.models,
    system,
    system.readText,
    system.embeddedModels,
    config.setBy?.models,
  );
  for (const warning of catalog.warnings ?? []) system.err(`fd-bridge: ${warning}\n`);
  const rows = modelRows(catalog, path === undefined ? "embedded" : "file");
  if (line.flags.json === true) {
    system.out(JSON.stringify({ file: path ?? null, models: rows }, null, 2) + "\n");
    return 0;
  }
  const paint = paintFor(system, "out");
  const gone = rows.filter((row) => row.gone).length;
  const models = rows.length === 1 ? "model" : "models";
  const count = `${rows.length} ${models} from ${catalog.source}${
    gone ? `, ${gone} gone` : ""
  }. Prices: dollars a million tokens, in/out.`;
  system.out(`${modelTable(rows, paint)}\n${paint("gray", count)}\n`);
  return 0;
}

/** The file that is written, as it is now. */
interface Target {
  readonly path: string;
  /** Its text, or the text that a new file begins with. */
  readonly text: string;
  readonly catalog: Catalog;
  /** Whether it isn't there yet. */
  readonly isNew: boolean;
}

/** The file that `--models` names, or that is in force; else a new one, where every start finds it. */
async function findTarget({ system, config }: Start): Promise<Target> {
  const named = config.models;
  if (named === undefined || await system.readText(named) !== undefined) {
    const found = await findModels(named, system, system.readText, system.embeddedModels);
    const text = found.path && await system.readText(found.path);
    if (found.path && text !== undefined) {
      return { path: found.path, text, catalog: found.catalog, isNew: false };
    }
  }
  const folder = configFolder(system);
  const slash = system.os === "windows" ? "\\" : "/";
  const path = named ?? (folder ? `${folder}${slash}models.json` : "models.json");
  const text = inHouseStyle(system.embeddedModels);
  return { path, text, catalog: parseModels(text, path), isNew: true };
}

/** What was found, and what a person should know about it. */
interface Found {
  readonly offers: readonly Offer[];
  readonly notes: readonly string[];
}

async function offersOfFile(path: string, { system }: Start): Promise<Found> {
  const text = path === "-"
    ? await machineOf(system).input.readAll()
    : await readTable(path, system);
  const { names, skipped } = readNames(text);
  const what = path === "-" ? "The input" : path;
  if (names.length === 0) {
    throw new BridgeError(
      "config",
      `${what} names no model: expected names such as databricks-gpt-5 or system.ai.gpt-5, as the table on the AI Gateway page has them. Nothing was written.`,
    );
  }
  const silent = names.filter((id) => !isChatModel(id));
  const notes = [`${what}: ${names.length} ${names.length === 1 ? "name" : "names"} found`];
  if (silent.length > 0) notes.push(`left out, because they answer no chats: ${some(silent)}`);
  if (skipped.length > 0) {
    notes.push(`passed over: ${some(skipped.map(({ name, why }) => `${name} (${why})`))}`);
  }
  return { offers: names.map((id) => ({ id })), notes };
}

/** How many names a note lists. */
const MOST_LISTED = 10;

function some(names: readonly string[]): string {
  const rest = names.length - MOST_LISTED;
  return names.slice(0, MOST_LISTED).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

async function readTable(path: string, { readText }: Start["system"]): Promise<string> {
  let text: string | undefined;
  try {
    text = await readText(path);
  } catch (cause) {
    throw new BridgeError("config", `${path} can't be read: is it a text file?`, { cause });
  }
  if (text === undefined) throw new BridgeError("config", `${path}: there is no such file.`);
  return text;
}

async function offersOfWorkspace(start: Start, { endpoints }: Catalog): Promise<Found> {
  const { system, config } = start;
  await using outside = await openOutside(start, config);
  const simulated = config.demo ? startSimulator() : undefined;
  const terminal = new Terminal(system);
  const own = await commandTokens(start);
  try {
    const host = simulated?.url ?? own?.found.host ?? workspaceOf(start);
    const token = simulated
      ? "demo"
      : own
      ? (await own.tokens.token(AbortSignal.timeout(TOKEN_TIME))).value
      : await tokenOf(start, terminal, host);
    const spinner = terminal.spin(`Asking ${host}`);
    const discovery = await discoverModels({
      host,
      token,
      endpoints,
      fetch: outside.fetch,
      userAgent: `fd-bridge/${system.version}`,
      onProgress: (text) => spinner.update(`${host}${text.startsWith("/") ? "" : ": "}${text}`),
    }).finally(() => spinner.stop());
    return { offers: discovery.offers, notes: notesOf(discovery, host) };
  } finally {
    await own?.close();
    await simulated?.close();
  }
}

/** How long a source may take to give a token, in milliseconds. */
const TOKEN_TIME = 20_000;

function notesOf({ offers, source, unusable }: Discovery, host: string): string[] {
  const silent =
    offers.filter(({ id, chat, surface }) => surface !== "" && !(chat ?? isChatModel(id))).length;
  return [
    `${offers.length} models at ${host}${source}${
      silent ? `, ${silent} of them not for chats` : ""
    }`,
    ...unusable.length > 0
      ? [`left out, because no surface of the list serves them: ${unusable.join(", ")}`]
      : [],
  ];
}

/** The workspace's address; a gateway in the workspace form has it in its own. */
function workspaceOf(start: Start): string {
  const named = variableOf(start, "DATABRICKS_HOST");
  if (named) return workspaceUrl(named);
  const { gateway } = start.config;
  if (gateway.endsWith("/ai-gateway")) return gateway.replace(/\/ai-gateway$/, "");
  throw new BridgeError(
    "config",
    "DATABRICKS_HOST is not set: put the workspace's address, such as adb-1234567890123456.7.azuredatabricks.net, into the environment or into .env.",
  );
}

async function tokenOf(start: Start, terminal: Terminal, host: string): Promise<string> {
  const token = variableOf(start, "DATABRICKS_TOKEN") ??
    (terminal.interactive
      ? await terminal.secret(`Databricks token for ${host} (not shown):`)
      : "");
  if (!token) {
    throw new BridgeError(
      "config",
      "DATABRICKS_TOKEN is not set: put a token of the workspace's into the environment or into .env.",
    );
  }
  return token;
}

function machineOf({ machine }: Start["system"]): Machine {
  if (machine === undefined) {
    throw new BridgeError("usage", "This command needs a machine with files and a keyboard.");
  }
  return machine;
}

/** Shows what would change, asks where somebody can be asked, and writes. */
async function merge(
  start: Start,
  target: Target,
  offers: readonly Offer[],
  notes: readonly string[],
): Promise<number> {
  const { system, line: { flags } } = start;
  const changes = compare(target.catalog, offers, { prune: flags.prune === true });
  const text = applyChanges(target.text, changes);
  // A list that the bridge couldn't read must never be written.
  parseModels(text, target.path);
  const dry = flags["dry-run"] === true;
  if (flags.json !== true) show(start, target, changes, notes);
  const nothing = changes.length === 0 && !(target.isNew && start.config.models !== undefined);
  let written = false;
  if (!dry && !nothing) {
    if (flags.yes !== true && !await agreed(start, target, changes)) {
      system.err("Nothing was written.\n");
      return 1;
    }
    await write(start, target, text);
    written = true;
  }
  if (flags.json === true) {
    system.out(JSON.stringify({ file: target.path, written, changes }, null, 2) + "\n");
  } else if (written) system.out(`Written to ${target.path}.\n`);
  else if (dry && !nothing) system.out(`Nothing was written: --dry-run.\n`);
  return 0;
}

function show(
  { system }: Start,
  { path, catalog, isNew }: Target,
  changes: readonly Change[],
  notes: readonly string[],
): void {
  const paint = paintFor(system, "out");
  for (const note of notes) system.out(`${paint("gray", note)}\n`);
  if (changes.length === 0) {
    const what = isNew ? "The list embedded in the program" : path;
    return system.out(`${what} is up to date: ${catalog.models.length} models.\n`);
  }
  const title = isNew ? `${path} (new, from the list embedded in the program)` : path;
  system.out(`${paint("bold", title)}\n\n${changesText(changes, catalog.models.length, paint)}`);
}

/**
 * Asks; where more than a third of the list would go, a bare Enter means no. So does nobody to ask, where
 * the names are from a text, which may be a part of the list: a workspace says all that it has.
 */
async function agreed(
  { system, line }: Start,
  { path, catalog }: Target,
  changes: readonly Change[],
): Promise<boolean> {
  const terminal = new Terminal(system);
  const listed = countListed(catalog);
  const lost = changes.filter(({ kind, id }) =>
    kind === "gone" ||
    (kind === "removed" && !catalog.models.some((model) => model.id === id && model.gone))
  ).length;
  const much = lost > listed / 3;
  if (!terminal.interactive && (!much || line.words[0] === "sync")) return true;
  if (much) {
    const paint = paintFor(system, "err");
    const question = `${lost} of ${listed} models would go: is that the whole list?`;
    const advice = terminal.interactive ? "" : " If it is, say so with --yes.";
    system.err(`${paint("yellow", question)}${advice}\n`);
    if (!terminal.interactive) return false;
  }
  return await terminal.confirm(`Write this to ${path}?`, !much);
}

async function write({ system }: Start, target: Target, text: string): Promise<void> {
  const now = await system.readText(target.path);
  if (now !== (target.isNew ? undefined : target.text)) {
    throw new BridgeError(
      "config",
      `${target.path} was changed by somebody else in the meantime: nothing was written. Run the command again.`,
    );
  }
  await writeAtomically(target.path, text, machineOf(system).files);
}
