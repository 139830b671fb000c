/**
 * What the program is handed: the machine, and what was typed.
 *
 * @module
 */

import type { Config, Setting } from "./config.ts";
import type { CommandLine } from "./flags.ts";
import type { Place, ReadText } from "./locate.ts";

/** The machine, as far as the program uses it. */
export interface System extends Place {
  /** The program's version. */
  readonly version: string;
  /** The text of the embedded `models.json`. */
  readonly embeddedModels: string;
  /** Reads a file. */
  readonly readText: ReadText;
  /** Writes to standard output. */
  readonly out: (text: string) => void;
  /** Writes to standard error. */
  readonly err: (text: string) => void;
  /** Whether a person reads them. */
  readonly terminal: { readonly out: boolean; readonly err: boolean };
  /** Calls a function when a signal comes. */
  readonly onSignal: (name: "SIGINT" | "SIGTERM", handler: () => void) => void;
  /** Ends the program at once. */
  readonly exit: (code: number) => void;
}

/** Everything that a command is handed. */
export interface Start {
  /** The machine. */
  readonly system: System;
  /** What was typed. */
  readonly line: CommandLine;
  /** Every setting with where it came from. */
  readonly rows: readonly Setting[];
  /** The same, checked. */
  readonly config: Config;
  /** The `.env` file in force, if there is one. */
  readonly envPath: string | undefined;
}
