/**
 * What the program is handed: the machine, and what was typed.
 *
 * @module
 */

import type { Config, Setting } from "../config/config.ts";
import type { CommandLine } from "../config/command_line.ts";
import type { EnvFiles } from "../config/env.ts";
import type { Place, ReadText } from "../config/locate.ts";
import type { Proxies } from "../config/proxies.ts";
import type { Client, ClientOptions } from "../gateway/client.ts";

/** A signal that ends the program. */
export type SignalName = "SIGINT" | "SIGTERM" | "SIGHUP";

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
  /** Writes bytes to standard error, and resolves to how many were taken. @default err, at once */
  readonly sendErr?: (bytes: Uint8Array) => Promise<number>;
  /** What only some commands need of the machine; without it they refuse to work. */
  readonly machine?: Machine;
  /** Whether a person reads them. */
  readonly terminal: {
    readonly out: boolean;
    readonly err: boolean;
    /** How many characters a line of the standard output's has. @default {80} */
    readonly columns?: number;
  };
  /** Calls a function when a signal comes. */
  readonly onSignal: (name: SignalName, handler: () => void) => void;
  /** Sets a variable of the environment, for Deno to read; nothing is set where this is missing. */
  readonly setVariable?: (name: string, value: string) => void;
  /** Ends the program at once. */
  readonly exit: (code: number) => void;
}

/** The machine's files, as far as they are changed. Whatever goes wrong is thrown. */
export interface Files {
  /** Where a path leads once links are followed; undefined where nothing is there. */
  readonly realPath: (path: string) => Promise<string | undefined>;
  /** A file's mode; undefined where there is no file, 0o666 where the system has no modes. */
  readonly mode: (path: string) => Promise<number | undefined>;
  /** Makes a folder and those above it. */
  readonly makeFolder: (path: string) => Promise<void>;
  /** Makes a file that isn't there yet, flushed to the disk; with the given mode, else the system's own. */
  readonly create: (path: string, text: string, mode?: number) => Promise<void>;
  /** Gives a file another name, over a file that has it. */
  readonly rename: (from: string, to: string) => Promise<void>;
  /** Takes a file away. */
  readonly remove: (path: string) => Promise<void>;
}

/** A person's keyboard, or what is piped in instead of one. */
export interface Input {
  /** Whether a person types. */
  readonly terminal: boolean;
  /** All of it, as text. */
  readonly readAll: () => Promise<string>;
  /** The next bytes; undefined at its end. */
  readonly read: () => Promise<Uint8Array | undefined>;
  /** Whether keys arrive one by one and unseen. */
  readonly setRaw: (raw: boolean) => void;
}

/** What the doctor looks at below HTTP. Whatever goes wrong is thrown; times are in milliseconds. */
export interface Sockets {
  /** The addresses of a name. */
  readonly lookup: (hostname: string) => Promise<string[]>;
  /** Opens a connection and closes it. */
  readonly connect: (hostname: string, port: number, time: number) => Promise<void>;
  /** Opens an encrypted connection, with further certificates (PEM) to trust, and closes it. */
  readonly connectTls: (
    hostname: string,
    port: number,
    time: number,
    certificates: readonly string[],
  ) => Promise<void>;
  /** Listens on a port and stops. */
  readonly listen: (hostname: string, port: number) => void;
}

/** What only some commands need of the machine. */
export interface Machine {
  /** Files that are written. */
  readonly files: Files;
  /** What is typed or piped in. */
  readonly input: Input;
  /** Connections. */
  readonly sockets: Sockets;
  /** The path of the compiled program; undefined where it runs from its source. */
  readonly program?: string;
  /** Makes what asks other machines. */
  readonly createClient: (options: ClientOptions) => Client;
  /**
   * Gives permissions away, for as long as the program runs: to write files, and to run programs unless
   * a source of tokens needs it.
   */
  readonly seal: (needs?: { readonly run: boolean }) => Promise<void>;
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
  /** What the `.env` files say. */
  readonly env: EnvFiles;
  /** What stands between the bridge and other machines. */
  readonly proxies: Proxies;
}
