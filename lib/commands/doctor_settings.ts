/**
 * What the doctor looks at before it asks anybody: settings, certificates, the list of models, the keys of
 * clients, the shared store and the gateway's address.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { findModels } from "../config/locate.ts";
import { readAuthorities } from "../config/proxies.ts";
import type { Report } from "../doctor/report.ts";
import { BridgeError } from "../errors.ts";
import { KeyRing } from "../keys/mod.ts";
import { type Catalog, parseModels } from "../models/catalog.ts";
import { openStore } from "../store/mod.ts";
import type { Start } from "../system/system.ts";
import { openOutside, type Outside, outsideWith } from "./outside.ts";

/** How long a check of the network may take where the settings have no limit, in milliseconds. */
const LONGEST_CHECK = 60_000;

/** The settings, and the `.env` files that they come from. Without usable settings, undefined. */
export function checkSettings(start: Start, report: Report): Config | undefined {
  const { env, rows } = start;
  const files = env.paths.join(" and ");
  report.add("Settings", {
    name: ".env",
    status: "ok",
    detail: files ? `Read: ${files}.` : "None; the environment and the flags alone count.",
  });
  for (const warning of env.warnings) {
    report.add("Settings", { name: ".env", status: "warn", detail: warning });
  }
  try {
    const { config } = start;
    const chosen = rows.filter(({ flag, origin }) =>
      flag.env !== undefined && origin !== "default"
    );
    const words = chosen.map(({ flag, origin }) => `${flag.name} (${origin})`).join(", ");
    const detail = words === "" ? "All at their defaults." : `Set: ${words}.`;
    report.add("Settings", { name: "settings", status: "ok", detail });
    // 0 is no limit; a check that never ended would find nothing.
    return config.connectTimeout > 0 ? config : { ...config, connectTimeout: LONGEST_CHECK };
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    report.add("Settings", {
      name: "settings",
      status: "fail",
      detail: error.message,
      remedy: `Correct it${
        files ? ` in ${files} or` : ""
      } in the environment; \`fd-bridge config\` shows where each setting comes from.`,
    });
    return undefined;
  }
}

/** The user's certificates; where they can't be used, the rest is looked at without them. */
export async function checkCertificates(
  start: Start,
  config: Config,
  report: Report,
): Promise<{ config: Config; outside: Outside }> {
  const name = "ca-file";
  try {
    const outside = await openOutside(start, config);
    if (config.caFile !== undefined) {
      report.add("Settings", { name, status: "ok", detail: `${config.caFile} is trusted, too.` });
    }
    return { config, outside };
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    report.add("Settings", {
      name,
      status: "fail",
      detail: error.message,
      remedy: "Name a file of certificates, PEM.",
    });
    return {
      config: { ...config, caFile: undefined },
      outside: outsideWith(undefined, start, config),
    };
  }
}

/** The list that the checks go by. */
export interface List {
  /** The models. */
  readonly catalog: Catalog;
  /** Whether it is the one in force, and has models. */
  readonly usable: boolean;
  /** Its file, where it is one. */
  readonly path?: string;
}

/** The list in force, or the embedded one where that can't be used, so that all else can still be looked at. */
export async function checkModelsFile(
  { system }: Start,
  config: Config | undefined,
  report: Report,
): Promise<List> {
  const { embeddedModels, readText } = system;
  try {
    const found = await findModels(
      config?.models,
      system,
      readText,
      embeddedModels,
      config?.setBy?.models,
    );
    const models = found.catalog.models.filter(({ gone }) => gone !== true);
    const detail = `${models.length} ${
      models.length === 1 ? "model" : "models"
    } from ${found.catalog.source}.`;
    report.add(
      "Settings",
      models.length > 0 ? { name: "models", status: "ok", detail } : {
        name: "models",
        status: "fail",
        detail,
        remedy: "Add some: `fd-bridge models sync` or `fd-bridge models update FILE`.",
      },
    );
    for (const warning of found.catalog.warnings ?? []) {
      report.add("Settings", { name: "models", status: "warn", detail: warning });
    }
    return { catalog: found.catalog, usable: models.length > 0, path: found.path };
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    report.add("Settings", {
      name: "models",
      status: "fail",
      detail: error.message,
      remedy: "Correct the file; no model is asked before that, unless it is named.",
    });
    const catalog = parseModels(embeddedModels, "the list embedded in the program");
    return { catalog, usable: false };
  }
}

/** The gateway's address; undefined where there is none. */
export function checkAddress(
  { rows }: Start,
  config: Config | undefined,
  report: Report,
): string | undefined {
  if (config === undefined) return undefined;
  const name = "address";
  if (config.gateway === "") {
    report.add("Network", {
      name,
      status: "fail",
      detail: "DATABRICKS_AI_GATEWAY_URL is not set.",
      remedy:
        "Put the address from the AI Gateway page into .env, or start `fd-bridge` in a terminal, which asks for it.",
    });
    return undefined;
  }
  const row = rows.find(({ flag }) => flag.name === "gateway")!;
  report.add("Network", {
    name,
    status: "ok",
    detail: row.text === config.gateway
      ? `${config.gateway}`
      : `${config.gateway}, read from ${row.text}`,
  });
  return config.gateway;
}

/** The keys of clients and the shared store, where they are set. */
export async function checkTeam({ system }: Start, config: Config, report: Report): Promise<void> {
  const { clientKeys: path } = config;
  if (path !== undefined) {
    try {
      const { keys } = await KeyRing.open({ path, read: system.readText, tell: () => {} });
      const detail = `${keys.length} in ${path}.`;
      report.add("Settings", { name: "client-keys", status: "ok", detail });
    } catch (error) {
      if (!(error instanceof BridgeError)) throw error;
      report.add("Settings", {
        name: "client-keys",
        status: "fail",
        detail: error.message,
        remedy: "Correct the file; the bridge doesn't start without it.",
      });
    }
  }
  if (config.store === undefined) return;
  const troubles: string[] = [];
  const authorities = await readAuthorities(config.caFile, system, config.setBy?.["ca-file"]);
  const store = openStore(config, authorities, {
    tell: (message) => troubles.push(message),
    count: () => {},
  })!;
  await store.connect();
  store.close();
  report.add(
    "Network",
    troubles.length === 0 ? { name: "store", status: "ok", detail: store.address } : {
      name: "store",
      status: "fail",
      detail: `${troubles[0].replace(/^t/, "T").split(": what this bridge")[0]}.`,
      remedy:
        "Correct FD_BRIDGE_STORE (--store), or start the store; until then bridges remember nothing together.",
    },
  );
}
