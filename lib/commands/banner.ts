/**
 * What a person reads when the bridge has started: where it listens, what it talks to, and what to type
 * in ForgeCode.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { type Catalog, countListed } from "../models/catalog.ts";
import { wrap } from "../system/wrap.ts";

/** What the banner tells. */
export interface BannerFacts {
  /** The program's version. */
  readonly version: string;
  /** The settings. */
  readonly config: Pick<Config, "demo" | "clientKey" | "logLevel"> & { readonly page?: boolean };
  /** Where it listens: `http://127.0.0.1:8080`. */
  readonly url: string;
  /** The gateway's base URL. */
  readonly gateway: string;
  /** The shared store, where there is one. */
  readonly store?: string;
  /** The models in force. */
  readonly catalog: Catalog;
  /** A warning about who can reach the bridge, if there is one. */
  readonly warning?: string;
  /** Whether a proxy is set in the environment, and `NO_PROXY` doesn't take loopback out. */
  readonly proxied: boolean;
  /** The key that clients show where the bridge has tokens of its own. */
  readonly key?: string;
  /** Whether text is coloured. */
  readonly color: boolean;
}

/**
 * The banner.
 *
 * @example
 * ```ts
 * import { banner } from "./banner.ts";
 * import { parseModels } from "../models/catalog.ts";
 *
 * const text = banner({
 *   version: "1.0.0",
 *   config: { demo: false, logLevel: "info" },
 *   url: "http://127.0.0.1:8080",
 *   gateway: "https://1.ai-gateway.azuredatabricks.net",
 *   catalog: parseModels('{"models": ["databricks-gpt-5"]}', "models.json"),
 *   proxied: false,
 *   color: false,
 * });
 * if (!text.includes("forge provider login openai_compatible")) throw new Error("what to type");
 * ```
 */
export function banner(facts: BannerFacts): string {
  const { config, url, catalog } = facts;
  const paint = (code: string, text: string) => facts.color ? `\x1b[${code}m${text}\x1b[0m` : text;
  const row = (name: string, value: string) => `  ${paint("2", name.padEnd(11))}${value}`;
  const warn = (text: string) => wrap(text, 78).map((line) => paint("1;33", `  ${line}`));
  const model = (catalog.models[0]?.id ?? "databricks-claude-sonnet-5").replace(/[^\w.:/-]/g, "");
  const token = config.demo ? "any word will do" : "your Databricks token";
  const key = facts.key ?? (config.clientKey ? `<client key>:<${token}>` : token);
  const lines = [
    `${paint("1", "fd-bridge")} ${facts.version}`,
    row("listening", paint("1;36", url)),
    ...config.page === false ? [] : [row("page", `${url}/`)],
    config.demo
      ? `  ${paint("1;33", "DEMO       a simulated gateway: no model answers, nothing is paid")}`
      : row("gateway", facts.gateway),
    ...facts.store ? [row("store", facts.store)] : [],
    row("models", `${countListed(catalog)} from ${catalog.source}`),
    ...facts.warning ? warn(`WARNING: ${facts.warning}`) : [],
    ...config.logLevel === "trace"
      ? warn("WARNING: --log-level trace writes prompts and answers into the log.")
      : [],
    row("ForgeCode", paint("36", "forge provider login openai_compatible")),
    row("", `URL      ${url}`),
    row("", `API key  ${key}`),
    // Not under the others: with a long name it would not fit into 80 columns.
    `    ${paint("36", `forge config set model openai_compatible ${model}`)}`,
    ...facts.proxied
      ? [row("proxy", `export NO_PROXY=127.0.0.1,localhost  before ForgeCode, or it is asked`)]
      : [],
    "  Ctrl-C ends the bridge.",
  ];
  return lines.join("\n") + "\n";
}
