/**
 * The record of one request as a text that a person can paste into a report. It holds no secrets, because
 * the record holds none.
 *
 * @module
 */

import { wrap } from "../system/wrap.ts";
import type { RequestRecord } from "./record.ts";

/** Label → what the record says of it; what is undefined is left out. */
const ROWS: readonly [string, (record: RequestRecord) => string | number | undefined][] = [
  ["time", ({ time }) => time],
  ["id", ({ id }) => id],
  ["gateway's id", (record) => record.gateway_request_id],
  ["client", ({ client }) => client],
  ["request", ({ method, path }) => `${method} ${path}`],
  ["model", ({ model }) => model],
  ["surface", ({ surface }) => surface],
  ["dialects", ({ dialects }) => dialects],
  ["stream", ({ stream }) => stream === undefined ? undefined : stream ? "yes" : "no"],
  ["status", ({ status }) => status],
  ["ending", ({ ending }) => ending],
  ["error", ({ error }) => error && `${error.kind} ${error.status} ${error.code ?? ""}`.trim()],
  ["message", ({ error }) => error?.message],
  ["first byte", (record) => `${record.first_byte_ms} ms`],
  ["duration", (record) => `${record.duration_ms} ms`],
  ["tokens in", (record) => record.tokens_in],
  ["tokens out", (record) => record.tokens_out],
  ["cached", (record) => record.tokens_cached],
  ["written", (record) => record.tokens_written],
  ["cost", ({ cost }) => cost === undefined ? undefined : `$${cost.toPrecision(4)}`],
  ["retries", ({ retries }) => retries || undefined],
  ["retried after", (record) => list(record.retry_causes)],
  ["dropped", ({ dropped }) => list(dropped)],
  ["repaired", ({ repaired }) => list(repaired)],
  ["learned", ({ learned }) => list(learned)],
];

/** What stands in front of the further lines of a value. */
const INDENT = " ".repeat(15);

function list(words: readonly string[] | undefined): string | undefined {
  return Array.isArray(words) && words.length > 0 ? words.join("; ") : undefined;
}

/**
 * The report.
 *
 * @param record The request.
 * @param version The bridge's name and version.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { reportText } from "./report.ts";
 *
 * const record = {
 *   id: "0123456789abcdef",
 *   time: "2026-09-01T12:34:56.000Z",
 *   client: "ForgeCode",
 *   method: "POST",
 *   path: "/chat/completions",
 *   status: 502,
 *   first_byte_ms: 3,
 *   duration_ms: 5,
 *   dropped: ["store"],
 *   repaired: [],
 *   learned: [],
 *   retries: 0,
 *   retry_causes: [],
 * };
 * assert(reportText(record, "fd-bridge/1.0.0").includes("status         502\n"));
 * ```
 */
export function reportText(record: RequestRecord, version: string): string {
  const lines = [`${clean(version)}: a request`, ""];
  for (const [label, read] of ROWS) {
    const value = read(record);
    if (value !== undefined && value !== "") {
      const [first, ...further] = wrap(clean(String(value)), 80 - INDENT.length);
      lines.push(`${label.padEnd(INDENT.length)}${first}`);
      lines.push(...further.map((line) => INDENT + line));
    }
  }
  return lines.join("\n") + "\n";
}

/** One line, without what could write over a terminal. */
function clean(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, " ");
}
