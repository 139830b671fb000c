/**
 * What a service is, on every system: the program with its flags, its variables, and how it ends.
 *
 * @module
 */

/** What runs when the user is logged in. */
export interface ServiceSpec {
  /** The program's file. */
  readonly program: string;
  /** Its flags. */
  readonly args: readonly string[];
  /** Variables that it gets beside those of the system's own. */
  readonly env: Readonly<Record<string, string>>;
  /** How long it may take to end, in whole seconds. */
  readonly stopSeconds: number;
  /** Where its log goes, on a system that has no log of its own. */
  readonly log: string;
  /** Whose service it is, as Windows names an account. */
  readonly user: string;
}

/** A program to run, with its arguments. */
export type Step = readonly [program: string, ...args: string[]];

/** Where a service's file is, and what tells the system of it. */
export interface ServicePlace {
  /** The file that describes the service. */
  readonly path: string;
  /** The user's number, for systems that name a session by it. */
  readonly uid: string;
}

/** How services are described and run on a system: a row of `platforms.ts`. */
export interface Platform {
  /** What the system's own manager is called. */
  readonly name: string;
  /** The service's file, from the user's folders; undefined where the environment doesn't tell them. */
  readonly path: (folders: Folders) => string | undefined;
  /** The file's text. */
  readonly text: (spec: ServiceSpec) => string;
  /** Whether the steps need the user's number. */
  readonly needsUid?: boolean;
  /** Steps before the file is written whose failure means only that nothing was there. */
  readonly clear?: (place: ServicePlace) => readonly Step[];
  /** Steps after the file is written. */
  readonly install: (place: ServicePlace) => readonly Step[];
  /** Steps before the file is removed; that one fails means only that nothing was there. */
  readonly uninstall: (place: ServicePlace) => readonly Step[];
  /** Steps after the file is removed. */
  readonly removed?: (place: ServicePlace) => readonly Step[];
  /** Prints how the service is. */
  readonly status: (place: ServicePlace) => Step;
  /** Prints the end of its log; undefined where the log is a file. */
  readonly logs?: (place: ServicePlace) => Step;
  /** What a person may still want to do. */
  readonly hint?: string;
}

/** The user's folders. */
export interface Folders {
  /** The home folder. */
  readonly home: string | undefined;
  /** `$XDG_CONFIG_HOME`, or its default. */
  readonly config: string | undefined;
  /** The bridge's own configuration folder. */
  readonly own: string | undefined;
}

/** The service's name, everywhere. */
export const SERVICE_NAME = "fd-bridge";

/** One line about it. */
export const DESCRIPTION = "fd-bridge: coding agents with a Databricks AI Gateway";
