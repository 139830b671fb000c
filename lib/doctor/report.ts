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
    out(checkLine(check, this.#paint, width));
  }

  /** Writes the sum; gives the exit code. */
  end(): number {
    const { out, version } = this.#system;
    const well = isWell(this.checks);
    const bad = this.checks.filter(({ status }) => status === "fail" || status === "warn").length;
    if (this.#json) {
      out(JSON.stringify({ ok: well, version, checks: this.checks }, null, 2) + "\n");
    } else {
      out(
        well
          ? `\n${this.#paint("green", "All is well.")}\n`
          : `\n${
            this.#paint("red", bad === 1 ? "One thing is not well." : `${bad} things are not well.`)
          }\n`,
      );
    }
    return well ? 0 : 1;
  }
}
