/**
 * What people and scripts read of a list of models: the table, and the changes before they are made.
 *
 * @module
 */

import type { DialectName } from "../../dialects/dialect.ts";
import { metadataOf } from "../metadata.ts";
import { type Catalog, type ModelEntry, routeOf } from "../catalog.ts";
import { bareName, familyOf } from "../families.ts";
import { isChatModel } from "./names.ts";
import { priceOf } from "../../observe/cost.ts";
import type { Paint } from "../../system/terminal.ts";
import type { Change } from "./merge.ts";

/** One model as `fd-bridge models` shows it; `--json` prints it as it is. */
export interface ModelRow {
  /** Its name. */
  readonly id: string;
  /** The alias of its surface; null where the list has none for it. */
  readonly surface: string | null;
  /** What its surface speaks, by its path. */
  readonly dialect: DialectName | null;
  /** The context window in tokens, or null. */
  readonly context: number | null;
  /** The most that comes out, in tokens, or null. */
  readonly output: number | null;
  /** Whether it calls tools; null where nobody knows. */
  readonly tools: boolean | null;
  /** Whether it thinks before it answers. */
  readonly reasoning: boolean | null;
  /** Whether it reads images. */
  readonly vision: boolean | null;
  /** Where it stands. */
  readonly source: "file" | "embedded";
  /** Whether the gateway no longer has it. */
  readonly gone: boolean;
  /** Dollars a million tokens; null where nobody knows. */
  readonly price: { readonly input: number; readonly output: number } | null;
}

/**
 * The rows of a list; what the file says of a model wins over what is known of its family.
 *
 * @param catalog The list.
 * @param source Where it stands.
 *
 * @example
 * ```ts
 * import { parseModels } from "../catalog.ts";
 * import { modelRows } from "./report.ts";
 *
 * const [row] = modelRows(parseModels('{"models": ["databricks-gpt-5"]}', "models.json"), "file");
 * if (row.surface !== "cursor" || row.context !== 400_000) throw new Error("its family's");
 * ```
 */
export function modelRows(catalog: Catalog, source: ModelRow["source"]): ModelRow[] {
  return catalog.models.map((entry) => {
    const known = metadataOf(entry.id);
    const said = Array.isArray(entry.supported_parameters) ? entry.supported_parameters : undefined;
    const route = routeIn(catalog, entry.id);
    return {
      id: entry.id,
      surface: entry.endpoint ?? route?.surface ?? null,
      dialect: dialectIn(catalog, entry.endpoint) ?? route?.dialect ?? null,
      context: numberIn(entry.context_length) ?? known?.context ?? null,
      output: numberIn(entry.max_output_tokens) ?? known?.output ?? null,
      tools: said?.includes("tools") ?? known?.tools ?? null,
      reasoning: said?.includes("reasoning") ?? known?.reasoning ?? null,
      vision: known?.vision ?? null,
      source,
      gone: entry.gone === true,
      price: priceIn(entry),
    };
  });
}

function priceIn({ id, price }: ModelEntry): ModelRow["price"] {
  const known = priceOf(id, price);
  return known ? { input: known.input, output: known.output } : null;
}

function numberIn(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function routeIn(catalog: Catalog, id: string): ReturnType<typeof routeOf> | undefined {
  try {
    return routeOf(catalog, id, "chat");
  } catch {
    return undefined;
  }
}

/** The dialect of the surface that the user chose; chats may be routed to another one. */
function dialectIn(
  catalog: Catalog,
  alias: string | undefined,
): ModelRow["dialect"] | undefined {
  if (alias === undefined) return undefined;
  return catalog.endpoints[alias].endsWith("/responses") ? "responses" : "chat";
}

/**
 * Tokens as people write them: 400K, 1M, 1.5M.
 */
function tokensText(tokens: number | null): string {
  if (tokens === null) return "?";
  if (tokens >= 1_000_000) return `${Number((tokens / 1_000_000).toFixed(1))}M`;
  return tokens >= 1000 ? `${Math.round(tokens / 1000)}K` : `${tokens}`;
}

/**
 * The table of `fd-bridge models`.
 *
 * @param rows From {@linkcode modelRows}.
 * @param paint Colours.
 *
 * @example
 * ```ts
 * import { parseModels } from "../catalog.ts";
 * import { modelRows, modelTable } from "./report.ts";
 *
 * const catalog = parseModels('{"models": ["databricks-gpt-5"]}', "models.json");
 * const table = modelTable(modelRows(catalog, "file"), (_color, text) => text);
 * if (!table.includes("databricks-gpt-5  cursor   400K     reasoning  1.25/10")) throw new Error(table);
 * ```
 */
export function modelTable(rows: readonly ModelRow[], paint: Paint): string {
  const groups = Map.groupBy(rows, ({ id }) => groupOf(id));
  const sorted = [...groups.values()].flat();
  const columns = COLUMNS.map(({ name, cell }) => ({ name, cells: sorted.map(cell) }))
    // What is the same in every row tells no row from another.
    .filter(({ cells }, at) => at === 0 || rows.length === 1 || new Set(cells).size > 1)
    .map((column) => ({
      ...column,
      width: column.cells.reduce((most, { length }) => Math.max(most, length), column.name.length),
    }));
  const line = (of: (column: (typeof columns)[number]) => string) =>
    columns.map((column) => of(column).padEnd(column.width)).join("  ").trimEnd();
  const out = [paint("bold", line(({ name }) => name))];
  for (const [at, row] of sorted.entries()) {
    if (at > 0 && familyOf(row.id) !== familyOf(sorted[at - 1].id)) out.push("");
    const text = line(({ cells }) => cells[at]);
    out.push(row.gone ? paint("gray", text) : text);
  }
  return out.join("\n") + "\n";
}

/** The table's columns. The first one is always shown. */
const COLUMNS: readonly { name: string; cell: (row: ModelRow) => string }[] = [
  { name: "model", cell: ({ id }) => id },
  { name: "surface", cell: ({ surface }) => surface ?? "none" },
  { name: "context", cell: ({ context }) => tokensText(context) },
  { name: "kind", cell: kindText },
  {
    name: "price",
    cell: ({ price }) => price === null ? "?" : `${price.input}/${price.output}`,
  },
];

/** What a model is good for, in a word: each kind can do what the ones before it can. */
function kindText({ gone, id, reasoning, tools }: ModelRow): string {
  if (gone) return "gone";
  if (!isChatModel(id)) return "no chat";
  return reasoning ? "reasoning" : tools ? "tools" : "chat";
}

/** Models that stand together: those of a family, open-weight ones by the first word of their names. */
function groupOf(id: string): string {
  const family = familyOf(id);
  return family === "open" ? bareName(id).split("-")[0] : family;
}

/** How each kind of change is shown. */
const SHOWN = {
  new: { mark: "+", color: "green", note: "" },
  back: { mark: "~", color: "cyan", note: "back: the mark goes" },
  gone: { mark: "-", color: "yellow", note: "marked as gone" },
  removed: { mark: "-", color: "red", note: "removed" },
} as const;

/**
 * Changes as people read them before they are made: a line each, and a sum.
 *
 * @param changes From `compare` of `merge.ts`.
 * @param total How many models the list had.
 * @param paint Colours.
 *
 * @example
 * ```ts
 * import { changesText } from "./report.ts";
 *
 * const text = changesText([{ kind: "new", id: "b", surface: "mlflow" }], 1, (_color, text) => text);
 * if (text !== "  + b  mlflow\n\n1 new, 1 as before\n") throw new Error(text);
 * ```
 */
export function changesText(changes: readonly Change[], total: number, paint: Paint): string {
  const width = changes.reduce((most, { id }) => Math.max(most, id.length), 0);
  const lines = changes.map(({ kind, id, surface }) => {
    const { mark, color, note } = SHOWN[kind];
    const beside = kind === "new" ? surface ?? "no surface of the list serves it" : note;
    return `  ${paint(color, `${mark} ${id}`)}${" ".repeat(width - id.length)}  ${
      paint("gray", beside)
    }`;
  });
  const count = (kind: Change["kind"]) => changes.filter((change) => change.kind === kind).length;
  const same = total - count("gone") - count("removed") - count("back");
  const sums = (["new", "back", "gone", "removed"] as const)
    .filter((kind) => count(kind) > 0).map((kind) => `${count(kind)} ${kind}`);
  return `${lines.join("\n")}\n\n${[...sums, `${same} as before`].join(", ")}\n`;
}
