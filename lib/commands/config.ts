/**
 * `fd-bridge config`: which files and variables are in force, and where each setting comes from.
 * Secrets are masked. It also runs where a setting is wrong, and then says which.
 *
 * @module
 */

import type { Setting } from "../config/config.ts";
import { BridgeError, maskSecrets } from "../errors.ts";
import { configFolder, findModels } from "../config/locate.ts";
import type { Start } from "../system/system.ts";
import { isColored } from "../system/terminal.ts";
import { variableOf } from "../config/variables.ts";
import { countListed } from "../models/catalog.ts";
import { versionText } from "./version.ts";

/** Variables beyond the flags' own that change what the program does. */
const OTHER_VARIABLES: readonly { name: string; secret?: boolean; what: string }[] = [
  { name: "DATABRICKS_HOST", what: "the workspace, for models sync and doctor" },
  { name: "DATABRICKS_TOKEN", secret: true, what: "the workspace's token" },
  ...["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
    .map((name) => ({ name, what: "proxy to the gateway" })),
  ...["NO_PROXY", "no_proxy"].map((name) => ({ name, what: "reached without the proxy" })),
  { name: "DENO_TLS_CA_STORE", what: "whose certificates are trusted" },
  { name: "DENO_CERT", what: "certificate to trust in addition" },
  { name: "XDG_CONFIG_HOME", what: "where the configuration folder is" },
  { name: "NO_COLOR", what: "no colours" },
];

/** A setting as it is shown. */
export interface ShownSetting {
  /** Its flag, without dashes. */
  readonly name: string;
  /** Its variable. */
  readonly variable: string;
  /** Its value as text, masked; null where it is not set. */
  readonly value: string | null;
  /** Where it came from. */
  readonly from: Setting["origin"];
  /** The file that it came from, where it was one. */
  readonly file?: string;
}

/** A variable as it is shown. */
export interface ShownVariable {
  /** Its name. */
  readonly name: string;
  /** Its value, masked. */
  readonly value: string;
  /** What it does. */
  readonly what: string;
}

/** Everything that the command tells; `--json` prints it as it is. */
export interface ConfigReport {
  /** The line of `--version`. */
  readonly program: string;
  /** The `.env` file in force, or null; of two, the one that wins. */
  readonly envFile: string | null;
  /** All `.env` files that were read, the one that wins first. */
  readonly envFiles: readonly string[];
  /** The `models.json` in force; null for the list that is embedded in the program. */
  readonly modelsFile: string | null;
  /** How many models that list has; null where it can't be read. */
  readonly models: number | null;
  /** The user's configuration folder, or null where the environment doesn't tell. */
  readonly configFolder: string | null;
  /** Every setting, in the order of the help. */
  readonly settings: readonly ShownSetting[];
  /** Further variables, those that are set. */
  readonly variables: readonly ShownVariable[];
  /** What is wrong, in words; empty where nothing is. */
  readonly problems: readonly string[];
}

/** Hides tokens, and the name and password that an address may carry. */
function masked(text: string, secret?: boolean): string {
  return secret ? "***" : maskSecrets(text).replace(/(?<=:\/\/)[^/\s]+@/g, "***@");
}

/** The settings as they are in force: of the gateway's address, what was read from what was typed. */
function shownSettings(rows: readonly Setting[], gateway = ""): ShownSetting[] {
  return rows.flatMap(({ flag, text, origin, file }) =>
    // A flag without a variable, such as --help, is no setting.
    flag.env === undefined ? [] : [{
      name: flag.name,
      variable: flag.env,
      value: text === undefined
        ? null
        : masked(flag.name === "gateway" && gateway !== "" ? gateway : text, flag.secret),
      from: origin,
      file,
    }]
  );
}

function shownVariables(start: Start): ShownVariable[] {
  const shown: ShownVariable[] = [];
  for (const { name, secret, what } of OTHER_VARIABLES) {
    if (start.rows.some(({ flag }) => flag.env === name)) continue;
    const value = variableOf(start, name);
    if (value !== undefined) shown.push({ name, value: masked(value, secret), what });
  }
  return shown;
}

/** Runs something whose failure is to be told, not to end the report. */
async function attempt<T>(
  problems: string[],
  work: () => T | Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    problems.push(masked(error.message));
    return undefined;
  }
}

/**
 * Collects what the command tells.
 *
 * @param start The machine and the settings.
 */
export async function configReport(start: Start): Promise<ConfigReport> {
  const { system, rows, env } = start;
  const problems: string[] = [];
  const config = await attempt(problems, () => start.config);
  const named = rows.find(({ flag }) => flag.name === "models")?.text;
  const found = await attempt(
    problems,
    () => findModels(named, system, system.readText, system.embeddedModels),
  );
  return {
    program: versionText(system.version),
    envFile: env.paths[0] ?? null,
    envFiles: env.paths,
    modelsFile: found?.path ?? (found ? null : named ?? null),
    models: found ? countListed(found.catalog) : null,
    configFolder: configFolder(system) ?? null,
    settings: shownSettings(rows, config?.gateway),
    variables: shownVariables(start),
    problems,
  };
}

/** Where a setting comes from, for a person. */
function origin({ from, name, variable, file }: ShownSetting): string {
  switch (from) {
    case "flag":
      return `--${name}`;
    case "environment":
      return `${variable} in the environment`;
    case "env file":
      return `${variable} in ${file ?? ".env"}`;
    default:
      return "default";
  }
}

/**
 * The report as a person reads it: what somebody chose stands out, defaults are pale.
 *
 * @param report From {@linkcode configReport}.
 * @param color Whether text is coloured.
 */
export function configText(report: ConfigReport, color: boolean): string {
  const paint = (code: string, text: string) => color ? `\x1b[${code}m${text}\x1b[0m` : text;
  const { settings, variables, configFolder: folder } = report;
  const labels = [...settings, ...variables].map(({ name }) => name.length);
  const wide = Math.max(...labels, "models.json".length) + 2;
  // A long address would push every note to the right of it.
  const values = [...settings, ...variables].map(({ value }) => (value ?? "").length)
    .filter((length) => length <= 30);
  const column = Math.max(...values, 7);
  const row = (name: string, value: string, note: string, code: string) =>
    `  ${paint("2", name.padEnd(wide))}` +
    (note === ""
      ? paint(code, value)
      : value.length > column
      ? `${paint(code, value)}\n${" ".repeat(wide + 2)}${paint("2", note)}`
      : `${paint(code, value.padEnd(column))}  ${paint("2", note)}`);

  const places = folder ? `looked for here and in ${folder}` : "looked for here";
  const count = report.models === null
    ? "not usable"
    : `${report.models} ${report.models === 1 ? "model" : "models"}`;
  const lines = [
    paint("1", report.program),
    "",
    paint("1", "Files"),
    report.envFile === null
      ? row(".env", "none", places, "2")
      : row(".env", report.envFiles.join(", "), "", "36"),
    report.modelsFile === null && report.models !== null
      ? row("models.json", `embedded in the program, ${count}`, "", "0")
      : row("models.json", `${report.modelsFile ?? "the one found"}, ${count}`, "", "36"),
    "",
    paint("1", "Settings"),
    ...settings.map((setting) =>
      setting.from === "default"
        ? row(
          setting.name,
          setting.value ?? "-",
          setting.value === null ? "not set" : "default",
          "2",
        )
        : row(setting.name, setting.value ?? "", origin(setting), "1;36")
    ),
  ];
  if (variables.length > 0) {
    lines.push("", paint("1", "Further variables"));
    for (const { name, value, what } of variables) lines.push(row(name, value, what, "36"));
  }
  if (report.problems.length > 0) {
    lines.push("", paint("1;31", "Problems"));
    for (const problem of report.problems) lines.push(`  ${problem}`);
  }
  return lines.join("\n") + "\n";
}

/**
 * Prints the report, with `--json` as one JSON object.
 *
 * @param start The machine and the settings.
 * @returns The exit code: 0, or 2 where a setting or a file is wrong.
 */
export async function config(start: Start): Promise<number> {
  const { system, line } = start;
  const report = await configReport(start);
  const color = isColored(system, "out");
  system.out(
    line.flags.json === true ? JSON.stringify(report, null, 2) + "\n" : configText(report, color),
  );
  return report.problems.length > 0 ? 2 : 0;
}
