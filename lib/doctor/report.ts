/**
 * The doctor's report: a line a check for people, one object for scripts.
 *
 * @module
 */

import type { System } from "../system/system.ts";
import { type Paint, paintFor } from "../system/terminal.ts";
import { type Check, checkLine, isWell } from "./check.ts";

/** The section of a check, as it is shown. */
export type Section = "Settings" | "Network" | "Gateway" | "Models" | "This machine";

/** A check with the section it stands in. */
export interface SectionCheck extends Check {
  /** The section. */
  readonly section: Section;
}

/** What a report needs of the system. */
export type ReportSystem = Pick<System, "out" | "terminal" | "variable" | "version">;

/**
 * What was found so far; for people each line is written as soon as it is known.
 *
 * @example
 * ```ts
 * import { Report } from "./report.ts";
 *
 * let out = "";
 * const report = new Report({
 *   version: "1.0.0",
 *   out: (text) => void (out += text),
 *   terminal: { out: false, err: false },
 *   variable: () => undefined,
 * }, false);
 * report.add("Network", { name: "dns", status: "ok", detail: "Known." });
 * if (report.end() !== 0 || !out.includes("All is well.")) throw new Error(out);
 * ```
 */
export class Report {
  /** In the order in which they were made. */
  readonly checks: SectionCheck[] = [];
  readonly #system: ReportSystem;
  readonly #json: boolean;
  readonly #paint: Paint;
  readonly #columns: number | undefined;
  #section: Section | undefined;

  /**
   * An empty report.
   *
   * @param system Where it is written.
   * @param json Whether it is written as one JSON object, at its end.
   */
  constructor(system: ReportSystem, json: boolean) {
    this.#system = system;
    this.#json = json;
    this.#paint = paintFor(system, "out");
    this.#columns = system.terminal.out ? system.terminal.columns ?? 80 : undefined;
  }

  /**
   * Takes a check.
   *
   * @param section Where it belongs.
   * @param check What was found.
   * @param width The width of the names' column.
   */
  add(section: Section, check: Check, width?: number): void {
    this.checks.push({ section, ...check });
    if (this.#json) return;
    const { out } = this.#system;
    if (section !== this.#section) {
      out(`${this.#section ? "\n" : ""}${this.#paint("bold", section)}\n`);
      this.#section = section;
    }
    out(checkLine(check, this.#paint, width, this.#columns));
  }

  /** Writes the sum; gives the exit code. */
  end(): number {
    const { out, version } = this.#system;
    const well = isWell(this.checks);
    const bad = this.checks.filter(({ status }) => status === "fail" || status === "warn");
    if (this.#json) {
      out(JSON.stringify({ ok: well, version, checks: this.checks }, null, 2) + "\n");
    } else {
      out(
        well ? `\n${this.#paint("green", "All is well.")}\n` : `\n${
          this.#paint(
            "red",
            bad.length === 1 ? "One thing is wrong:" : `${bad.length} things are wrong:`,
          )
        }\n`,
      );
      // The list above may be longer than a screen.
      const width = Math.max(0, ...bad.map(({ name }) => name.length));
      for (const check of bad) out(checkLine(check, this.#paint, width, this.#columns));
    }
    return well ? 0 : 1;
  }
}
