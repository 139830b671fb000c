/**
 * What is told of each candidate, and what the bridge must reach, as ratios to others in the same run.
 *
 * @module
 */

/** The names of the rows. */
export type RowName =
  | "firstByte"
  | "firstByteLarge"
  | "latency"
  | "latencyLate"
  | "latency16"
  | "latencyLate16"
  | "events1"
  | "events16"
  | "events128"
  | "cpuFlat"
  | "cpuPaced"
  | "requests"
  | "cpuRequest"
  | "models"
  | "memoryIdle"
  | "memoryAfter"
  | "startUp";

/** A ratio that the bridge must reach. */
export interface Goal {
  /** Against whom. */
  readonly against: "python" | "passthrough";
  /** The bridge's number over the other's: at least this where more is better, else at most this. */
  readonly ratio: number;
}

/** One row. */
export interface Row {
  /** What results are kept under. */
  readonly name: RowName;
  /** What people read. */
  readonly label: string;
  /** Of its numbers. */
  readonly unit: "ms" | "µs" | "MiB" | "/s";
  /** Which way is better. */
  readonly better: "more" | "less";
  /** What the bridge must reach; none where the row is shown only. */
  readonly goals: readonly Goal[];
}

const python = (ratio: number): Goal => ({ against: "python", ratio });
const passthrough = (ratio: number): Goal => ({ against: "passthrough", ratio });

/**
 * The rows, in the order in which they are shown.
 *
 * @example
 * ```ts
 * import { ROWS } from "./rows.ts";
 *
 * if (!ROWS.some(({ name }) => name === "cpuFlat")) throw new Error("CPU an event is a row");
 * ```
 */
export const ROWS: readonly Row[] = [
  {
    name: "firstByte",
    label: "Time to the first byte, small body",
    unit: "ms",
    better: "less",
    goals: [python(0.9)],
  },
  {
    name: "firstByteLarge",
    label: "Time to the first byte, 512 KB body",
    unit: "ms",
    better: "less",
    goals: [python(0.8)],
  },
  {
    name: "latency",
    label: "Latency at one event per 5 ms, 1 stream, median",
    unit: "ms",
    better: "less",
    goals: [python(1.4)],
  },
  {
    name: "latencyLate",
    label: "Latency at one event per 5 ms, 1 stream, 99 of 100",
    unit: "ms",
    better: "less",
    goals: [],
  },
  {
    name: "latency16",
    label: "Latency at one event per 5 ms, 16 streams, median",
    unit: "ms",
    better: "less",
    goals: [],
  },
  {
    name: "latencyLate16",
    label: "Latency at one event per 5 ms, 16 streams, 99 of 100",
    unit: "ms",
    better: "less",
    goals: [],
  },
  {
    name: "events1",
    label: "Events a second, flat out, 1 stream",
    unit: "/s",
    better: "more",
    goals: [python(4)],
  },
  {
    name: "events16",
    label: "Events a second, flat out, 16 streams",
    unit: "/s",
    better: "more",
    goals: [python(5)],
  },
  {
    name: "events128",
    label: "Events a second, flat out, 128 streams",
    unit: "/s",
    better: "more",
    goals: [python(4)],
  },
  {
    name: "cpuFlat",
    label: "CPU an event, flat out, 16 streams",
    unit: "µs",
    better: "less",
    goals: [python(0.25)],
  },
  {
    name: "cpuPaced",
    label: "CPU an event, one per 5 ms, 16 streams",
    unit: "µs",
    better: "less",
    goals: [python(1)],
  },
  {
    name: "requests",
    label: "Requests a second without streaming, 16 at once",
    unit: "/s",
    better: "more",
    goals: [python(3)],
  },
  {
    name: "cpuRequest",
    label: "CPU a request without streaming",
    unit: "µs",
    better: "less",
    goals: [],
  },
  {
    name: "models",
    label: "GET /models a second, 16 at once",
    unit: "/s",
    better: "more",
    goals: [python(5)],
  },
  {
    name: "startUp",
    label: "From its start to the first answer",
    unit: "ms",
    better: "less",
    goals: [python(0.8)],
  },
  {
    name: "memoryIdle",
    label: "Memory, idle",
    unit: "MiB",
    better: "less",
    goals: [],
  },
  {
    name: "memoryAfter",
    label: "Memory after 128 streams",
    unit: "MiB",
    better: "less",
    goals: [passthrough(2)],
  },
];
