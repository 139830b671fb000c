/**
 * Asks a person for the gateway: by its address or by a profile of the Databricks CLI's. Tries it, and
 * keeps it in `.env` of the configuration folder.
 *
 * @module
 */

import { baseUrl } from "../config/base_url.ts";
import { configFolder, joinPath } from "../config/locate.ts";
import type { Check } from "../doctor/check.ts";
import { askWithoutToken, askWithToken } from "../doctor/gateway.ts";
import { BridgeError } from "../errors.ts";
import { type Profile, readProfiles, tokenMachine } from "../gateway/tokens/mod.ts";
import { writeAtomically } from "../system/atomic.ts";
import type { Start } from "../system/system.ts";
import { paintFor, type Terminal } from "../system/terminal.ts";
import { withVariable } from "./login.ts";
import { openOutside } from "./outside.ts";
import { commandTokens } from "./own_tokens.ts";

/** How often an answer that can't be one is asked for again. */
const MAX_ASKS = 5;

/** How long a source of tokens may take, in milliseconds. */
const TOKEN_TIME = 20_000;

/** What a person chose. */
type Choice = { readonly gateway: string } | { readonly profile: Profile } | {
  readonly demo: true;
};

/**
 * Asks, tries and writes.
 *
 * @param start The machine and the settings, without a gateway.
 * @param terminal The person.
 * @returns The same with what was chosen in force; undefined where nothing was.
 */
export async function chooseGateway(start: Start, terminal: Terminal): Promise<Start | undefined> {
  const { system } = start;
  const { profiles } = await readProfiles(tokenMachine(start, fetch));
  const choice = await ask(profiles.filter(({ values }) => values.host), terminal, start);
  if (choice === undefined) return undefined;
  if ("demo" in choice) return { ...start, config: { ...start.config, demo: true } };
  const settings = "profile" in choice
    ? { profile: choice.profile.name }
    : { gateway: choice.gateway };
  const chosen = { ...start, config: { ...start.config, ...settings } };
  const paint = paintFor(system, "err");
  const spinner = terminal.spin("Trying it");
  const tried = await attempt(chosen).finally(() => spinner.stop());
  if (tried.status === "ok") system.err(`${paint("green", "✓")} ${tried.detail}\n`);
  else {
    system.err(`${paint("yellow", "!")} ${tried.detail}\n`);
    if (tried.remedy) system.err(`  ${tried.remedy}\n`);
    const what = "profile" in choice ? "profile" : "address";
    if (!await terminal.confirm(`Use this ${what} all the same?`, false)) return undefined;
  }
  const variable = "profile" in choice
    ? ["DATABRICKS_CONFIG_PROFILE", choice.profile.name] as const
    : ["DATABRICKS_AI_GATEWAY_URL", choice.gateway] as const;
  await keep(variable, chosen, terminal);
  return chosen;
}

async function ask(
  profiles: readonly Profile[],
  terminal: Terminal,
  { system }: Start,
): Promise<Choice | undefined> {
  const { err } = system;
  const example = "https://adb-1234567890123456.7.azuredatabricks.net/ai-gateway";
  if (profiles.length > 0) {
    err("  Profiles of the Databricks CLI:\n");
    for (const [at, { name, values }] of profiles.entries()) {
      err(`    ${at + 1}  ${name}  ${values.host}\n`);
    }
    err("  Take one by its number or name: the bridge then renews its token by itself. Or type\n");
    err(`  the gateway's address, such as\n    ${example}\n`);
  } else {
    err("  Its address stands on the AI Gateway page in Databricks, in every example:\n");
    err(`    https://1234567890123456.7.ai-gateway.azuredatabricks.net\n    ${example}\n`);
  }
  err("  Type demo to try the bridge without an account.\n\n");
  const question = profiles.length > 0
    ? "Profile or address (Enter to leave):"
    : "Address of the gateway (Enter to leave):";
  for (let asked = 0; asked < MAX_ASKS; asked++) {
    const answer = await terminal.ask(question);
    if (!answer) return undefined;
    if (answer === "demo") return { demo: true };
    const profile = profiles.find(({ name }, at) => answer === name || answer === String(at + 1));
    if (profile) return { profile };
    const address = /^[\w-]+(\.[\w-]+)+/.test(answer) ? `https://${answer}` : answer;
    try {
      return { gateway: baseUrl(address, "The address") };
    } catch (error) {
      if (!(error instanceof BridgeError)) throw error;
      err(`  ${error.message}\n`);
    }
  }
  return undefined;
}

/** Whether the gateway answers, and takes the profile's token where one was chosen. */
async function attempt(start: Start): Promise<Check> {
  const { config } = start;
  await using outside = await openOutside(start, config);
  const options = { fetch: outside.fetch, timeout: config.connectTimeout };
  if (config.profile === undefined) return await askWithoutToken(config.gateway, options);
  try {
    const own = await commandTokens(start);
    try {
      const { value } = await own!.tokens.token(AbortSignal.timeout(TOKEN_TIME));
      return await askWithToken(config.gateway || own!.found.gateway!, value, options);
    } finally {
      await own?.close();
    }
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    return { name: "token", status: "fail", detail: error.message };
  }
}

/** Writes a setting where every start finds it. What can't be written is in force all the same. */
async function keep(
  [name, value]: readonly [name: string, value: string],
  { system, rows }: Start,
  terminal: Terminal,
): Promise<void> {
  const named = rows.find(({ flag }) => flag.name === "env-file")?.text;
  const folder = configFolder(system);
  const path = named ?? (folder ? joinPath(folder, ".env") : ".env");
  const paint = paintFor(system, "err");
  if (!await terminal.confirm(`Write it to ${path}?`, true)) return;
  try {
    const old = await system.readText(path) ?? "";
    await writeAtomically(path, withVariable(old, name, value), system.machine!.files);
    system.err(`${paint("green", "✓")} Written: the next start needs no questions.\n`);
  } catch (error) {
    const why = error instanceof BridgeError ? error.message : `${path} can't be written.`;
    const line = system.os === "windows"
      ? `$env:${name} = "${value}"`
      : `export ${name}='${value}'`;
    system.err(
      `${paint("yellow", "!")} ${why} This time it goes on all the same; to keep it:\n  ${line}\n`,
    );
  }
}
