/**
 * `fd-bridge doctor`: looks at everything between the settings and the models, step by step, and says
 * what is wrong and what to do about it.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { checkForge } from "../doctor/forge.ts";
import { askWithoutToken, askWithToken } from "../doctor/gateway.ts";
import { askModels, chooseModels } from "../doctor/models.ts";
import { checkNetwork, checkPort } from "../doctor/network.ts";
import { Report } from "../doctor/report.ts";
import { fixesOf, withFixes } from "../doctor/fix.ts";
import { writeAtomically } from "../system/atomic.ts";
import { splitAdvice } from "../doctor/check.ts";
import type { Fetch } from "../gateway/fetch_client.ts";
import {
  checkAddress,
  checkCertificates,
  checkModelsFile,
  checkSettings,
  checkTeam,
  type List,
} from "./doctor_settings.ts";
import { BridgeError } from "../errors.ts";
import { commandTokens } from "./own_tokens.ts";
import { startSimulator } from "../simulator/mod.ts";
import type { Machine, Start, System } from "../system/system.ts";
import { Terminal } from "../system/terminal.ts";
import { variableOf } from "../config/variables.ts";

/**
 * Runs `fd-bridge doctor [MODEL …]`.
 *
 * @param start The machine and the settings.
 * @returns The exit code: 0 only if all is well, else 1.
 */
export async function doctor(start: Start): Promise<number> {
  const { system, line } = start;
  if (system.machine === undefined) {
    throw new BridgeError("usage", "This command needs a machine with a network.");
  }
  const report = new Report(system, line.flags.json === true);
  const list = await examine(start, system.machine, report);
  const code = report.end();
  if (line.flags.fix === true) await fix(start, system.machine, list, report);
  return code;
}

/** Writes what was learned of the models, after asking. */
async function fix({ system, line }: Start, machine: Machine, list: List, report: Report) {
  const fixes = fixesOf(report.checks, list.catalog);
  if (fixes.length === 0) return system.err("Nothing was learned that models.json lacks.\n");
  const words = fixes.map(({ id, endpoint }) =>
    `  ${id}: ${endpoint === undefined ? "gone" : `endpoint ${endpoint}`}\n`
  );
  system.err(`\nLearned:\n${words.join("")}`);
  if (list.path === undefined) {
    return system.err("There is no models.json to write to: `fd-bridge models sync` makes one.\n");
  }
  const terminal = new Terminal(system);
  if (line.flags.yes !== true) {
    if (!terminal.interactive) return system.err("Nothing was written: --yes writes it.\n");
    if (!await terminal.confirm(`Write this to ${list.path}?`, true)) return;
  }
  const text = await system.readText(list.path) ?? "";
  await writeAtomically(list.path, withFixes(text, fixes), machine.files);
  system.err(`Written to ${list.path}.\n`);
}

/** The checks in their order; one that can't be made without an earlier one is not made. */
async function examine(start: Start, machine: Machine, report: Report): Promise<List> {
  const { system } = start;
  const set = checkSettings(start, report);
  const checked = set && await checkCertificates(start, set, report);
  await using outside = checked?.outside;
  const config = checked?.config;
  const list = await checkModelsFile(start, config, report);
  if (config) await checkTeam(start, config, report);
  const simulated = config?.demo ? startSimulator({ pace: 0 }) : undefined;
  try {
    const base = simulated?.url ?? await gatewayOfSource(start, config, report) ??
      checkAddress(start, config, report);
    if (simulated) {
      const detail = "Simulated, inside this program: nothing is paid.";
      report.add("Gateway", { name: "gateway", status: "ok", detail });
    }
    if (config && outside && base) {
      const { fetch } = outside;
      if (simulated || await checkWay(start, machine, config, { base, fetch, report })) {
        await checkModels(start, config, { base, fetch, list, report, demo: !!simulated });
      }
    }
  } finally {
    await simulated?.close();
  }
  if (config === undefined || outside === undefined) return list;
  report.add("This machine", await checkPort(config, machine, outside.fetch));
  const looking = checkForge({
    system: { ...system, machine },
    port: config.port,
    hosts: config.allowHosts,
    catalog: list.usable ? list.catalog : undefined,
    loopbackProxied: start.proxies.loopbackProxied,
  });
  for await (const check of looking) report.add("This machine", check);
  return list;
}

/**
 * The doctor's report as it is written, for the page: every model is asked, and nobody is there to
 * answer a question.
 *
 * @param start The machine and the settings of the running bridge.
 * @param signal Ends the wait for more of it; requests under way end by their own time limits.
 */
export async function* doctorText(start: Start, signal: AbortSignal): AsyncGenerator<string> {
  const written = new TransformStream<string, string>(undefined, undefined, {
    highWaterMark: 1_000,
  });
  const writer = written.writable.getWriter();
  const reader = written.readable.getReader();
  const system: System = {
    ...start.system,
    out: (text) => void writer.write(text).catch(() => {}),
    err: () => {},
    terminal: { out: false, err: false },
  };
  const flags = { ...start.line.flags, yes: true, json: false };
  const line = { ...start.line, command: "doctor", flags, words: [] };
  const { config, rows, env, proxies } = start;
  const done = doctor({ system, line, rows, config, env, proxies })
    .catch((error) => system.out(error instanceof Error ? error.message : String(error)))
    .finally(() => void writer.close().catch(() => {}));
  const leave = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", leave, { once: true });
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      yield piece.value;
    }
    await done;
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

/** Name, port, certificate, and whether it is the gateway that answers there. */
async function checkWay(
  start: Start,
  machine: Machine,
  config: Config,
  { base, fetch, report }: {
    readonly base: string;
    readonly fetch: Fetch;
    readonly report: Report;
  },
): Promise<boolean> {
  const { system, proxies } = start;
  const way = checkNetwork(base, { system: { ...system, machine }, config, proxies });
  let open = true;
  for await (const check of way) {
    report.add("Network", check);
    open &&= check.status !== "fail";
  }
  if (!open) {
    report.add("Gateway", {
      name: "answer",
      status: "skip",
      detail: "Not asked, because it can't be reached.",
    });
    return false;
  }
  const answer = await askWithoutToken(base, { fetch, timeout: config.connectTimeout });
  report.add("Gateway", answer);
  return answer.status === "ok";
}

/** The token, then the models. */
async function checkModels(
  start: Start,
  config: Config,
  { base, fetch, list: { catalog, usable }, report, demo }: {
    readonly base: string;
    readonly fetch: Fetch;
    readonly list: List;
    readonly report: Report;
    readonly demo: boolean;
  },
): Promise<void> {
  const { system, proxies } = start;
  const terminal = new Terminal(system);
  const sourced = demo ? undefined : await checkSource(start, report);
  if (sourced === null) return;
  const token = demo ? "demo" : sourced ?? variableOf(start, "DATABRICKS_TOKEN") ??
    (terminal.interactive ? await terminal.secret("Databricks token (not shown):") : undefined);
  if (token === undefined) {
    return report.add("Gateway", {
      name: "token",
      status: "fail",
      detail: "There is none, so no model was asked.",
      remedy: "Set DATABRICKS_TOKEN, in the environment or in .env.",
    });
  }
  const accepted = await askWithToken(base, token, {
    fetch,
    timeout: config.connectTimeout,
  });
  report.add("Gateway", accepted);
  if (accepted.status === "fail") return;
  const named = start.line.words.length > 0;
  const models = usable || named ? await chooseModels(start, catalog, terminal, demo) : [];
  if (models.length === 0) {
    return report.add("Models", { name: "models", status: "skip", detail: "None was asked." });
  }
  await askModels(models, report, terminal, {
    config,
    base,
    token,
    catalog,
    fetch,
    proxied: proxies.proxyFor(base) !== undefined,
    timeout: timeoutOf(start),
    userAgent: `fd-bridge/${system.version} (doctor)`,
  });
}

/** The gateway of a profile's workspace, where no address is set. */
async function gatewayOfSource(
  start: Start,
  config: Config | undefined,
  report: Report,
): Promise<string | undefined> {
  if (config === undefined || config.gateway !== "") return undefined;
  // What is wrong with the source is told where its token is asked for.
  const own = await commandTokens(start).catch(() => undefined);
  if (own === undefined) return undefined;
  await own.close();
  const { gateway } = own.found;
  if (gateway) {
    report.add("Network", { name: "address", status: "ok", detail: `${gateway}, by the profile` });
  }
  return gateway;
}

/** The source of tokens: gives one, and can give a new one. Null where it can't; undefined where there is none. */
async function checkSource(start: Start, report: Report): Promise<string | null | undefined> {
  const name = "token source";
  try {
    const own = await commandTokens(start);
    if (own === undefined) return undefined;
    const { found: { source }, tokens } = own;
    try {
      const { value } = await tokens.refresh(AbortSignal.timeout(TOKEN_TIME));
      const detail = `${source.label}: a new token, ${tokens.state().text}.`;
      report.add("Gateway", { name, status: "ok", detail });
      return value;
    } finally {
      await own.close();
    }
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    report.add("Gateway", { name, status: "fail", ...splitAdvice(error.message) });
    return null;
  }
}

/** How long a source may take to give a token, in milliseconds. */
const TOKEN_TIME = 20_000;

/** `--timeout 0` is no limit: a day is longer than any answer. */
const UNLIMITED = 24 * 3_600_000;

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** The text of `--timeout` was checked with all other settings. */
function timeoutOf({ rows }: Start): number {
  const { text = "60s" } = rows.find(({ flag }) => flag.name === "timeout")!;
  const [, count, unit = "s"] = /^([\d.]+)\s*([a-z]*)$/i.exec(text.trim())!;
  return Math.round(Number(count) * UNITS[unit.toLowerCase() || "s"]) || UNLIMITED;
}
