/**
 * Numbers about what the bridge does, as Prometheus reads them. Labels come from small fixed sets: no
 * model's name that a client made up becomes a label.
 *
 * @module
 */

/** Upper bounds of the histograms, in seconds. */
const BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** Name → what it counts. The order is the order of the output. */
const COUNTERS: Readonly<Record<CounterName, string>> = {
  fd_bridge_requests_total: "Requests by path and status.",
  fd_bridge_errors_total: "Failed requests and streams by kind.",
  fd_bridge_retries_total: "Retries of requests to the gateway.",
  fd_bridge_token_refreshes_total: "Refreshes of the bridge's own token by result.",
  fd_bridge_lessons_total: "Refusals of the gateway's that were learned from.",
  fd_bridge_tokens_total: "Tokens by direction, as the gateway counts them.",
  fd_bridge_cache_tokens_total: "Tokens of prompts that were read from and written to the cache.",
  fd_bridge_cost_dollars_total: "What answers cost, as far as prices are known.",
  fd_bridge_store_failures_total: "Failures of the shared store by what was wrong.",
};

const HISTOGRAMS: Readonly<Record<HistogramName, string>> = {
  fd_bridge_first_byte_seconds: "Time from the request to the first byte of its answer.",
  fd_bridge_duration_seconds: "Time from the request to the end of its answer.",
};

/** A counter's name. */
export type CounterName =
  | "fd_bridge_requests_total"
  | "fd_bridge_errors_total"
  | "fd_bridge_retries_total"
  | "fd_bridge_token_refreshes_total"
  | "fd_bridge_lessons_total"
  | "fd_bridge_tokens_total"
  | "fd_bridge_cache_tokens_total"
  | "fd_bridge_cost_dollars_total"
  | "fd_bridge_store_failures_total";
/** A histogram's name. */
export type HistogramName = "fd_bridge_first_byte_seconds" | "fd_bridge_duration_seconds";

/** The most label sets of one counter; what comes after is counted as `other`. */
const MAX_SERIES = 200;

interface Histogram {
  readonly counts: number[];
  sum: number;
  count: number;
}

/**
 * The numbers of one program.
 *
 * @example
 * ```ts
 * import { Metrics } from "./metrics.ts";
 *
 * const metrics = new Metrics();
 * metrics.count("fd_bridge_requests_total", { path: "/models", status: "200" });
 * if (!metrics.text().includes('fd_bridge_requests_total{path="/models",status="200"} 1')) {
 *   throw new Error("counted");
 * }
 * ```
 */
export class Metrics {
  readonly #counters = new Map<CounterName, Map<string, number>>();
  readonly #histograms = new Map<HistogramName, Histogram>();
  /** Streams that are open now. */
  openStreams = 0;

  /** Adds to a counter. */
  count(name: CounterName, labels: Readonly<Record<string, string>> = {}, by = 1): void {
    let series = this.#counters.get(name);
    if (series === undefined) this.#counters.set(name, series = new Map());
    let key = labelText(labels);
    if (!series.has(key) && series.size >= MAX_SERIES) key = '{other="true"}';
    series.set(key, (series.get(key) ?? 0) + by);
  }

  /** The sum of a counter over all label sets that have the given labels. */
  sum(name: CounterName, labels: Readonly<Record<string, string>> = {}): number {
    const wanted = labelText(labels).replace(/^\{|\}$/g, "");
    let sum = 0;
    for (const [key, value] of this.#counters.get(name) ?? []) {
      if (key.includes(wanted)) sum += value;
    }
    return sum;
  }

  /** Adds a time, in milliseconds, to a histogram. */
  observe(name: HistogramName, ms: number): void {
    let histogram = this.#histograms.get(name);
    if (histogram === undefined) {
      this.#histograms.set(name, histogram = { counts: BUCKETS.map(() => 0), sum: 0, count: 0 });
    }
    const seconds = ms / 1000;
    const at = BUCKETS.findIndex((bound) => seconds <= bound);
    if (at !== -1) histogram.counts[at]++;
    histogram.sum += seconds;
    histogram.count++;
  }

  /** Everything in Prometheus' text format, version 0.0.4. */
  text(): string {
    const lines: string[] = [];
    for (const [name, help] of Object.entries(COUNTERS)) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} counter`);
      const series = this.#counters.get(name as CounterName);
      if (series === undefined) lines.push(`${name} 0`);
      else for (const [labels, value] of series) lines.push(`${name}${labels} ${value}`);
    }
    lines.push(
      "# HELP fd_bridge_open_streams Streams that are open now.",
      "# TYPE fd_bridge_open_streams gauge",
      `fd_bridge_open_streams ${this.openStreams}`,
    );
    for (const [name, help] of Object.entries(HISTOGRAMS)) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} histogram`);
      const { counts, sum, count } = this.#histograms.get(name as HistogramName) ??
        { counts: BUCKETS.map(() => 0), sum: 0, count: 0 };
      let below = 0;
      BUCKETS.forEach((bound, at) =>
        lines.push(`${name}_bucket{le="${bound}"} ${below += counts[at]}`)
      );
      lines.push(
        `${name}_bucket{le="+Inf"} ${count}`,
        `${name}_sum ${sum}`,
        `${name}_count ${count}`,
      );
    }
    return lines.join("\n") + "\n";
  }
}

function labelText(labels: Readonly<Record<string, string>>): string {
  let text = "";
  for (const name in labels) text += `${text === "" ? "" : ","}${name}="${quoted(labels[name])}"`;
  return text === "" ? "" : `{${text}}`;
}

function quoted(value: string): string {
  if (!/[\\"\n]/.test(value)) return value;
  return value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}
