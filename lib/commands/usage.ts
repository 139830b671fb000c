/**
 * `fd-bridge usage`: requests, tokens and cost of the last days, by model, client or day.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { configFolder } from "../config/locate.ts";
import { readAuthorities } from "../config/proxies.ts";
import { BridgeError } from "../errors.ts";
import { PRICE_SOURCE } from "../observe/cost.ts";
import {
  addUsage,
  firstDay,
  KEPT_DAYS,
  noUsage,
  readUsage,
  type UsageGroup,
  type UsageKey,
  type UsageTotals,
  why,
} from "../observe/usage_totals.ts";
import { openStore } from "../store/mod.ts";
import type { Start, System } from "../system/system.ts";
import { type Paint, paintFor, printable } from "../system/terminal.ts";
import { localDate } from "../observe/log.ts";

const KEYS: readonly UsageKey[] = ["model", "client", "day"];
/** Days that are shown where nobody says how many. */
const DEFAULT_DAYS = 7;

/**
 * The file with the usage of the bridges of this user; undefined where the environment names no folder.
 *
 * @param system The machine.
 */
export function usagePath(system: Pick<System, "os" | "variable">): string | undefined {
  const folder = configFolder(system);
  return folder && `${folder}${system.os === "windows" ? "\\" : "/"}usage.db`;
}

/**
 * Runs `fd-bridge usage [--days N] [--by model|client|day] [--json]`.
 *
 * @param start The machine and what was typed.
 * @returns The exit code.
 * @throws {BridgeError} kind `usage` for words and numbers that it doesn't take; `config` where the file can't be read.
 */
export async function usage({ system, line, config }: Start): Promise<number> {
  if (line.words.length > 0) {
    throw new BridgeError("usage", "Expected `fd-bridge usage` without further words.");
  }
  const days = readDays(line.flags.days);
  const by = readKey(line.flags.by);
  const path = usagePath(system);
  const now = new Date();
  const groups = config.store
    ? await readShared(by, days, config, system)
    : path === undefined
    ? []
    : await read(path, by, days, now, system);
  const source = config.store?.shown ?? path;
  const totals = noUsage();
  for (const group of groups) addUsage(totals, group);
  const span = { since: firstDay(now, days), until: localDate(now) };
  if (line.flags.json === true) {
    const report = { file: source ?? null, days, ...span, by, rows: groups, totals };
    system.out(JSON.stringify(report, null, 2) + "\n");
    return 0;
  }
  const paint = paintFor(system, "out");
  system.out(
    groups.length === 0
      ? `No usage from ${span.since} to ${span.until}${source ? ` in ${source}` : ""}.\n`
      : usageText(groups, totals, by, span, paint),
  );
  return 0;
}

function readDays(value: unknown): number {
  if (value === undefined) return DEFAULT_DAYS;
  const days = /^\d{1,4}$/.test(String(value)) ? Number(value) : 0;
  if (days >= 1 && days <= KEPT_DAYS) return days;
  throw new BridgeError(
    "usage",
    `--days ${value}: expected a number of days from 1 to ${KEPT_DAYS}, which are kept.`,
  );
}

function readKey(value: unknown): UsageKey {
  if (value === undefined) return "model";
  const key = KEYS.find((key) => key === value);
  if (key) return key;
  throw new BridgeError("usage", `--by ${value}: expected ${KEYS.join(", ")}.`);
}

async function read(
  path: string,
  by: UsageKey,
  days: number,
  now: Date,
  { machine }: System,
): Promise<UsageGroup[]> {
  if (await machine?.files.mode(path) === undefined) return [];
  try {
    return readUsage(path, by, days, now);
  } catch (cause) {
    throw new BridgeError("config", `${path} can't be read: ${why(cause)}.`, { cause });
  }
}

/** The totals of all bridges that share a store. */
async function readShared(
  by: UsageKey,
  days: number,
  config: Config,
  system: System,
): Promise<UsageGroup[]> {
  const troubles: string[] = [];
  const authorities = await readAuthorities(config.caFile, system, config.setBy?.["ca-file"]);
  const store = openStore(config, authorities, {
    tell: (message) => troubles.push(message),
    count: () => {},
  })!;
  const shared = store.shareUsage();
  await store.connect();
  await shared.refresh();
  store.close();
  if (troubles.length === 0) return shared.groups(by, days);
  throw new BridgeError("config", `The usage can't be read: ${troubles[0].split(": ")[0]}.`);
}

/** Widths of the columns; with a space between each two they fill 80. */
const NAME = 30;
const BAR = 9;
/** Eighths of a character cell. */
const EIGHTHS = " ▏▎▍▌▋▊▉";

/**
 * The table that a person reads: 80 columns wide, with a bar in each row and the sums below.
 *
 * @param groups Its rows.
 * @param totals Their sum.
 * @param by What the rows are.
 * @param span The first and the last day.
 * @param paint The terminal's colours.
 */
export function usageText(
  groups: readonly UsageGroup[],
  totals: UsageTotals,
  by: UsageKey,
  span: { readonly since: string; readonly until: string },
  paint: Paint,
): string {
  const weight = (row: UsageTotals) => totals.cost > 0 ? row.cost : row.tokens_in + row.tokens_out;
  const most = Math.max(...groups.map(weight), Number.MIN_VALUE);
  const when = span.since === span.until ? span.since : `${span.since} to ${span.until}`;
  const lines = [
    paint("bold", `Usage by ${by}, ${when}`),
    "",
    paint("gray", columns(by, "requests", "in", "cached", "out", "cost").trimEnd()),
    ...groups.map((row) =>
      columns(row.key, ...cells(row)) + " " + paint("cyan", bar(weight(row) / most))
    ),
    paint("bold", columns("total", ...cells(totals)).trimEnd()),
    "",
  ];
  if (totals.failed > 0) lines.push(`${count(totals.failed)} of the requests failed.`);
  if (totals.saved > 0) {
    lines.push(
      `The cache saved ${dollars(totals.saved)}; writing it cost ${
        dollars(totals.cache_writing)
      } more than not.`,
    );
  }
  if (totals.priced > 0) lines.push(paint("gray", `Prices: models.json, else ${PRICE_SOURCE}.`));
  const unpriced = totals.counted - totals.priced;
  if (unpriced > 0) {
    lines.push(
      paint(
        "gray",
        `No price is known for ${count(unpriced)} of them: set \`price\` in models.json.`,
      ),
    );
  }
  return lines.join("\n") + "\n";
}

function cells(row: UsageTotals): [string, string, string, string, string] {
  return [
    count(row.requests),
    amount(row.tokens_in),
    row.tokens_in > 0 ? `${Math.round(100 * row.tokens_cached / row.tokens_in)}%` : "",
    amount(row.tokens_out),
    row.priced > 0 ? dollars(row.cost) : "",
  ];
}

function columns(
  name: string,
  requests: string,
  input: string,
  cached: string,
  output: string,
  cost: string,
): string {
  const clean = printable(name, 200);
  const shown = clean.length > NAME ? `${clean.slice(0, NAME - 1)}…` : clean;
  return [
    shown.padEnd(NAME),
    requests.padStart(8),
    input.padStart(6),
    cached.padStart(6),
    output.padStart(6),
    cost.padStart(9),
  ].join(" ");
}

function bar(share: number): string {
  const eighths = Math.max(share > 0 ? 1 : 0, Math.round(share * BAR * 8));
  return ("█".repeat(eighths >> 3) + EIGHTHS[eighths & 7]).trimEnd();
}

function count(number: number): string {
  return number < 100_000 ? String(number) : amount(number);
}

/** A number in at most five characters: `999`, `12.3k`, `4.5M`. */
function amount(number: number): string {
  for (const [unit, size] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]] as const) {
    // What would be rounded up to 1000 of a unit is one of the next.
    if (number < size * 0.9995) continue;
    const value = number / size;
    return `${value < 99.95 ? value.toFixed(1) : value.toFixed(0)}${unit}`;
  }
  return String(number);
}

function dollars(number: number): string {
  if (number === 0) return "$0";
  if (number < 0.0001) return "<$0.0001";
  return `$${
    number < 1 ? number.toFixed(4) : number < 100_000 ? number.toFixed(2) : amount(number)
  }`;
}
