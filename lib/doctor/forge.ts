/**
 * Whether ForgeCode is here, and set to this bridge. Its files are read, never written, and of its
 * credentials only the address is looked at (and whether there is a key).
 *
 * Where they are: `$FORGE_CONFIG`, else `~/forge` where that is there, else `~/.forge`; in it
 * `.forge.toml` (`[session]` with `provider_id` and `model_id`), before that the older `.config.json`,
 * and `.credentials.json`. `FORGE_SESSION__…` in the environment wins (ForgeCode's source, `forge_config`
 * and `forge_domain`).
 *
 * @module
 */

import { isLoopback } from "../config/base_url.ts";
import { isObject, type JsonObject } from "../json.ts";
import { type Catalog, entryIn } from "../models/catalog.ts";
import { findProgram } from "../system/find_program.ts";
import type { Machine, System } from "../system/system.ts";
import type { Check } from "./check.ts";

/** What is needed to look. */
export interface ForgeChecks {
  /** The machine and its files. */
  readonly system: Pick<System, "os" | "readText" | "variable"> & {
    readonly machine: Pick<Machine, "files">;
  };
  /** The port that the bridge listens on; 0 where any will do. */
  readonly port: number;
  /** Host names beyond loopback's at which clients reach it. */
  readonly hosts: readonly string[];
  /** The list in force; undefined where it can't be used. */
  readonly catalog: Catalog | undefined;
  /** Whether ForgeCode would send even loopback addresses to a proxy. */
  readonly loopbackProxied: boolean;
}

/** The kinds of provider by which ForgeCode can reach the bridge (`forgecode.md`, "Other provider kinds it has"). */
const PROVIDERS = ["openai_compatible", "openai_responses_compatible"];

const LOGIN = "Run `forge provider login openai_compatible`";

/**
 * Looks for ForgeCode and its settings.
 *
 * @param checks What is needed.
 * @yields Checks named `forge`, `forge set`, `forge url`, `forge model` and `no_proxy`; only the first
 *   where ForgeCode isn't here.
 *
 * @example
 * ```ts
 * import { parseModels } from "../models/catalog.ts";
 * import type { Files } from "../system/system.ts";
 * import { checkForge } from "./forge.ts";
 *
 * const files = { realPath: () => Promise.resolve(undefined) } as unknown as Files;
 * const found: string[] = [];
 * const looking = checkForge({
 *   system: {
 *     os: "linux",
 *     variable: () => undefined,
 *     readText: () => Promise.resolve(undefined),
 *     machine: { files },
 *   },
 *   port: 8080,
 *   hosts: [],
 *   catalog: parseModels('{"models": []}', "models.json"),
 *   loopbackProxied: false,
 * });
 * for await (const { name, status } of looking) found.push(`${name} ${status}`);
 * if (found.join() !== "forge skip") throw new Error(found.join());
 * ```
 */
export async function* checkForge(checks: ForgeChecks): AsyncGenerator<Check> {
  const { system } = checks;
  const program = await findProgram("forge", system);
  const home = await forgeHome(system);
  if (program === undefined) {
    return yield {
      name: "forge",
      status: "skip",
      detail: "ForgeCode is not on the PATH; other OpenAI clients work as well.",
    };
  }
  yield { name: "forge", status: "ok", detail: program };
  const { provider, model, where } = await readSession(home, system);
  yield checkProvider(provider, where);
  if (provider === undefined || !PROVIDERS.includes(provider)) return;
  yield await checkUrl(provider, home, checks);
  if (checks.catalog) yield checkModel(provider, model, checks.catalog);
  if (checks.loopbackProxied) {
    yield {
      name: "no_proxy",
      status: "fail",
      detail: "A proxy is set, and ForgeCode would send even the bridge's address to it.",
      remedy: "Set NO_PROXY=127.0.0.1,localhost where ForgeCode is started.",
    };
  }
}

function join(folder: string, name: string, os: string): string {
  return `${folder}${os === "windows" ? "\\" : "/"}${name}`;
}

async function forgeHome({ os, variable, machine }: ForgeChecks["system"]): Promise<string> {
  const named = variable("FORGE_CONFIG");
  if (named) return named;
  const home = variable(os === "windows" ? "USERPROFILE" : "HOME") ?? ".";
  const old = join(home, "forge", os);
  return await machine.files.realPath(old).catch(() => undefined) ? old : join(home, ".forge", os);
}

interface Session {
  readonly provider?: string;
  readonly model?: string;
  /** The file, for messages. */
  readonly where: string;
}

async function readSession(
  home: string,
  { os, readText, variable }: ForgeChecks["system"],
): Promise<Session> {
  const path = join(home, ".forge.toml", os);
  const toml = sessionOf(await readText(path).catch(() => undefined) ?? "");
  const old = oldSessionOf(
    await readText(join(home, ".config.json", os)).catch(() => undefined) ?? "",
  );
  return {
    provider: variable("FORGE_SESSION__PROVIDER_ID") || toml.provider || old.provider,
    model: variable("FORGE_SESSION__MODEL_ID") || toml.model || old.model,
    where: path,
  };
}

/**
 * The provider and the model that a `.forge.toml` names, in any of TOML's ways to write it.
 *
 * @param toml The file's text.
 *
 * @example
 * ```ts
 * import { sessionOf } from "./forge.ts";
 *
 * const { model } = sessionOf('[session]\nprovider_id = "openai_compatible"\nmodel_id = "m"\n');
 * if (model !== "m") throw new Error(model);
 * ```
 */
export function sessionOf(toml: string): { provider?: string; model?: string } {
  const lines = toml.split(/\r?\n/).filter((line) => !/^\s*#/.test(line));
  const start = lines.findIndex((line) => /^\s*\[\s*session\s*\]/.test(line));
  const end = lines.findIndex((line, at) => at > start && /^\s*\[/.test(line));
  const table = start === -1 ? [] : lines.slice(start + 1, end === -1 ? undefined : end);
  const inline = lines.filter((line) => /^\s*session\s*[.=]/.test(line));
  const text = [...table, ...inline].join("\n");
  const value = (name: string) =>
    new RegExp(`\\b${name}["']?\\s*=\\s*["']([^"'\\n]*)["']`).exec(text)?.[1] || undefined;
  return { provider: value("provider_id"), model: value("model_id") };
}

function oldSessionOf(json: string): { provider?: string; model?: string } {
  const config = parse(json);
  if (!isObject(config) || typeof config.provider !== "string") return {};
  const model = isObject(config.model) ? config.model[config.provider] : undefined;
  return typeof model === "string" ? { provider: config.provider, model } : {};
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function checkProvider(provider: string | undefined, where: string): Check {
  const name = "forge set";
  if (provider === undefined) {
    return {
      name,
      status: "fail",
      detail: `ForgeCode has no provider chosen (${where}).`,
      remedy: `${LOGIN}, then \`forge config set model openai_compatible <MODEL>\`.`,
    };
  }
  if (PROVIDERS.includes(provider)) {
    return { name, status: "ok", detail: `Its provider is ${provider}.` };
  }
  return {
    name,
    status: "fail",
    detail: `ForgeCode uses the provider ${provider}, not the bridge.`,
    remedy: "Run `forge config set model openai_compatible <MODEL>`.",
  };
}

async function checkUrl(
  provider: string,
  home: string,
  { system, port, hosts }: ForgeChecks,
): Promise<Check> {
  const name = "forge url";
  const path = join(home, ".credentials.json", system.os);
  const all = parse(await system.readText(path).catch(() => undefined) ?? "");
  const own = (Array.isArray(all) ? all : []).filter(isObject).find(({ id }) => id === provider);
  const params = own && isObject(own.url_params) ? own.url_params : {};
  const text = params.OPENAI_URL;
  if (typeof text !== "string" || !URL.canParse(text)) {
    return {
      name,
      status: "fail",
      detail: `ForgeCode has no address for ${provider}.`,
      remedy: `${LOGIN} and give it http://127.0.0.1:${port || 8080} as the URL.`,
    };
  }
  const url = new URL(text);
  const ours = isLoopback(url.hostname) || hosts.includes(url.hostname);
  const samePort = port === 0 ||
    Number(url.port || (url.protocol === "https:" ? 443 : 80)) === port;
  if (!ours || !samePort || url.protocol !== "http:") {
    return {
      name,
      status: "fail",
      detail: `ForgeCode asks ${url.origin}, the bridge is at http://127.0.0.1:${port}.`,
      remedy:
        `${LOGIN} and give it the bridge's address, or start the bridge with the other --port.`,
    };
  }
  if (!hasKey(own!)) {
    return { name, status: "fail", detail: "ForgeCode has no API key.", remedy: `${LOGIN} again.` };
  }
  return { name, status: "ok", detail: `It asks ${url.origin}.` };
}

function hasKey({ auth_details }: JsonObject): boolean {
  const key = isObject(auth_details) ? auth_details.api_key ?? auth_details.ApiKey : undefined;
  return typeof key === "string" && key.trim() !== "";
}

function checkModel(provider: string, model: string | undefined, catalog: Catalog): Check {
  const name = "forge model";
  const remedy = `Run \`forge config set model ${provider} ${
    catalog.models.find(({ gone }) => gone !== true)?.id ?? "<MODEL>"
  }\`.`;
  if (model === undefined) {
    return { name, status: "fail", detail: "ForgeCode has no model chosen.", remedy };
  }
  const entry = entryIn(catalog, model);
  if (entry === undefined || entry.gone) {
    const what = entry ? "gone from the gateway" : "not in the list";
    return { name, status: "fail", detail: `ForgeCode's model ${model} is ${what}.`, remedy };
  }
  return { name, status: "ok", detail: `Its model is ${model}.` };
}
