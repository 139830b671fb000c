/**
 * `fd-bridge login`: logs a person in with the Databricks CLI, and writes what the bridge needs to know of
 * it into `.env`. The bridge never sees the login itself: it asks the CLI for tokens.
 *
 * @module
 */

import { configFolder, joinPath } from "../config/locate.ts";
import { variableOf } from "../config/variables.ts";
import { BridgeError } from "../errors.ts";
import {
  CLI_DOWNLOAD,
  findProfile,
  MissingProgram,
  type ProfileFile,
  readProfiles,
  runAtTerminal,
  tokenMachine,
  workspaceHost,
} from "../gateway/tokens/mod.ts";
import { writeAtomically } from "../system/atomic.ts";
import type { Start } from "../system/system.ts";
import { paintFor, Terminal } from "../system/terminal.ts";

/** System → how the Databricks CLI gets there. */
const INSTALL: Readonly<Record<string, string>> = {
  darwin: "brew tap databricks/tap && brew install databricks",
  windows: "winget install Databricks.DatabricksCLI",
  linux:
    "curl -fsSL https://raw.githubusercontent.com/databricks/setup-cli/main/install.sh | sudo sh",
};

/** Runs a program at the terminal; the result is its exit code. */
export type RunAtTerminal = (program: string, args: readonly string[]) => Promise<number>;

/**
 * Runs `databricks auth login`, finds out which profile it wrote, and offers to put that profile and the
 * gateway's address into `.env` of the configuration folder.
 *
 * @param start The machine and what was typed.
 * @param run Runs the CLI.
 * @returns The exit code: 0 when the login succeeded, 1 when the CLI says it didn't.
 * @throws {BridgeError} kind `usage` for too many words; `config` without the CLI, with how to get it.
 */
export async function login(start: Start, run: RunAtTerminal = runAtTerminal): Promise<number> {
  const { system, line } = start;
  if (line.words.length > 1) {
    throw new BridgeError(
      "usage",
      `Expected \`fd-bridge login [HOST]\`; got \`fd-bridge login ${line.words.join(" ")}\`.`,
    );
  }
  const host = hostOf(start);
  const wanted = textOf(start, "profile");
  const place = tokenMachine(start, fetch);
  const before = await readProfiles(place);
  const args = [
    ...["auth", "login"],
    ...host ? ["--host", host] : [],
    ...wanted ? ["--profile", wanted] : [],
  ];
  const paint = paintFor(system, "err");
  system.err(`${paint("gray", `databricks ${args.join(" ")}`)}\n`);
  const code = await run(place.variable("DATABRICKS_CLI_PATH") ?? "databricks", args)
    .catch((cause) => {
      throw cause instanceof MissingProgram ? withoutCli(system.os, cause) : cause;
    });
  if (code !== 0) {
    system.err(`\`databricks auth login\` ended with code ${code}. Nothing was written.\n`);
    return 1;
  }
  const terminal = new Terminal(system);
  const after = await readProfiles(place);
  const profile = wanted ?? await chosen(before, after, host, terminal);
  if (profile === undefined) {
    system.err(
      "You are logged in. Start the bridge with --profile and the name of your profile (`databricks auth profiles` lists them).\n",
    );
    return 0;
  }
  await offer(start, terminal, profile, host ?? hostIn(after, profile));
  return 0;
}

/** A setting's text. */
function textOf({ rows }: Start, name: string): string | undefined {
  return rows.find(({ flag }) => flag.name === name)?.text || undefined;
}

/** The workspace that was typed, or that is set; undefined lets the CLI ask. */
function hostOf(start: Start): string | undefined {
  const [typed] = start.line.words;
  if (typed !== undefined) return workspaceHost(typed.replace(/\/ai-gateway\b.*$/, ""), "HOST");
  // A profile that is there has its own host.
  if (textOf(start, "profile") !== undefined) return undefined;
  const set = variableOf(start, "DATABRICKS_HOST");
  if (set) return workspaceHost(set, "DATABRICKS_HOST");
  const gateway = textOf(start, "gateway");
  return gateway?.endsWith("/ai-gateway")
    ? workspaceHost(gateway.slice(0, -"/ai-gateway".length), "DATABRICKS_AI_GATEWAY_URL")
    : undefined;
}

function withoutCli(os: string, cause: unknown): BridgeError {
  return new BridgeError(
    "config",
    `The Databricks CLI is not on the PATH, and it is what logs in. Install it: ${
      INSTALL[os] ?? INSTALL.linux
    } (all ways: ${CLI_DOWNLOAD}). Then run \`fd-bridge login\` again.`,
    { cause },
  );
}

/** The profile that the CLI wrote: the one that is new or changed, else the one of the host. */
async function chosen(
  before: ProfileFile,
  after: ProfileFile,
  host: string | undefined,
  terminal: Terminal,
): Promise<string | undefined> {
  const old = new Map(before.profiles.map(({ name, values }) => [name, JSON.stringify(values)]));
  const changed = after.profiles.filter(({ name, values }) =>
    values.host !== undefined && old.get(name) !== JSON.stringify(values)
  ).map(({ name }) => name);
  if (changed.length === 1) return changed[0];
  const fitting = after.profiles.filter(({ name, values }) =>
    values.token === undefined && values.client_secret === undefined &&
    values.host !== undefined && (host === undefined || hostIn(after, name) === host)
  ).map(({ name }) => name);
  if (fitting.length <= 1) return fitting[0];
  if (!terminal.interactive) return undefined;
  const answer = await terminal.ask(`Which profile shall the bridge use (${fitting.join(", ")})?`);
  return fitting.find((name) => name === answer);
}

/** A profile's workspace; undefined where there is none, or none that can be one. */
function hostIn(file: ProfileFile, name: string): string | undefined {
  const text = findProfile(file, name)?.values.host;
  try {
    return text && workspaceHost(text, "host");
  } catch {
    return undefined;
  }
}

/** Offers to write the profile, and the address where none is there, into `.env`. */
async function offer(
  start: Start,
  terminal: Terminal,
  profile: string,
  host: string | undefined,
): Promise<void> {
  const { system, line } = start;
  const folder = configFolder(system);
  const path = folder && joinPath(folder, ".env");
  const old = path && await system.readText(path) || "";
  const settings: [string, string][] = [["DATABRICKS_CONFIG_PROFILE", profile]];
  const hasAddress = /^(?:export )?DATABRICKS_AI_GATEWAY_URL=[ \t]*[^\s#]/m.test(old);
  if (host && !hasAddress) settings.push(["DATABRICKS_AI_GATEWAY_URL", `${host}/ai-gateway`]);
  const shown = settings.map(([name, value]) => `  ${name}=${quoted(value)}\n`).join("");
  const say = `You are logged in. These settings let the bridge use it:\n${shown}`;
  system.err(say);
  const files = system.machine?.files;
  const agreed = path !== undefined && files !== undefined &&
    (line.flags.yes === true ||
      (terminal.interactive && await terminal.confirm(`Write them to ${path}?`, true)));
  if (!agreed) {
    system.err(`Nothing was written. \`fd-bridge --profile ${profile}\` does the same.\n`);
    return;
  }
  const text = settings.reduce((text, [name, value]) => withVariable(text, name, value), old);
  await writeAtomically(path, text, files);
  system.err(`Written to ${path}. Start the bridge: fd-bridge\n`);
  // The folder's file wins, variable by variable; so does one that is named.
  const stronger = start.env.paths.filter((other) => other !== path)
    .find((other) => settings.some(([name]) => start.env.fileOf(name)?.endsWith(other)));
  if (stronger !== undefined) {
    system.err(`${stronger} says otherwise, and comes first where it is in force.
`);
  }
}

/** A value as `.env` has it. */
function quoted(value: string): string {
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", "")}'`;
}

/**
 * The text of a `.env` with a variable in it: in the place of a line that sets it, else at its end.
 *
 * @param text The file so far.
 * @param name The variable.
 * @param value Its value.
 */
export function withVariable(text: string, name: string, value: string): string {
  const line = `${name}=${quoted(value)}`;
  const there = new RegExp(`^(?:export )?${name}=.*$`, "gm");
  if (there.test(text)) return text.replace(there, () => line);
  return text + (text === "" || text.endsWith("\n") ? "" : "\n") + line + "\n";
}
