/**
 * Where `@std` comes from: the real packages of JSR, or, on networks that do not reach it, the
 * stand-ins beside this file. Deno itself is asked, and what it said is remembered for a while.
 *
 * @module
 */

/** Where `@std` comes from. */
export type StdSource = "jsr" | "standins";

/** An answer to the question where `@std` comes from. */
export interface StdAnswer {
  /** Where it comes from. */
  source: StdSource;
  /** Why, in words for a person. */
  reason: string;
}

/** What of the surroundings the question depends on. */
export interface AskOptions {
  /** The project's folder, with `deno.json` in it. */
  root: string;
  /** The program to ask. @default {Deno.execPath()} */
  deno?: string;
  /** Forces an answer: the value of `FD_BRIDGE_STD`, `jsr` or `standins`. */
  forced?: string;
  /** Where a "no" is remembered. @default {`${root}/.deno/std.json`} */
  memory?: string;
  /** For how many milliseconds a "no" is remembered. @default {900000} */
  rememberFor?: number;
  /** After how many milliseconds without a sign of life the network counts as dead. @default {5000} */
  silence?: number;
  /** After how many milliseconds the network counts as too slow. @default {60000} */
  limit?: number;
  /** The time now, in milliseconds. @default {Date.now} */
  now?: () => number;
  /** Further environment variables for Deno. @default {{}} */
  env?: Record<string, string>;
}

/** A remembered "no". */
interface Memory {
  /** When it was said, in milliseconds. */
  at: number;
  /** Deno's words. */
  reason: string;
}

const IMPORT_MAP = "scripts/standins/import_map.json";
const PROBE = "scripts/probe.ts";

/**
 * The flags that make a Deno command take `@std` from a source. The lock file describes the real
 * packages: they run with it as it is, and the stand-ins without it, so that none of them is ever
 * written into it.
 *
 * It is named here and not in `deno.json`, because `deno task` downloads all npm packages of the
 * lock file that it finds, before the task begins: the demo would need the packages that only tests
 * use, and on a network with certificates of its own it would stop there. (For the same reason those
 * packages are in `scopes` of `deno.json` and not in `imports`.)
 *
 * @example Usage
 * ```ts
 * import { stdFlags } from "./std_source.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(stdFlags("jsr"), ["--lock=deno.lock", "--frozen"]);
 * ```
 *
 * @param source Where `@std` comes from.
 * @returns Flags to stand right after the subcommand, for a command run in the project's folder.
 */
export function stdFlags(source: StdSource): string[] {
  return source === "jsr"
    ? ["--lock=deno.lock", "--frozen"]
    : ["--no-lock", `--import-map=${IMPORT_MAP}`];
}

/**
 * Where this very process has `@std` from: for tests and scripts that start Deno again.
 *
 * @example Usage
 * ```ts
 * import { currentStdSource, stdFlags } from "./std_source.ts";
 * import { assert } from "@std/assert";
 *
 * assert(stdFlags(currentStdSource()).length > 0);
 * ```
 *
 * @returns The source.
 */
export function currentStdSource(): StdSource {
  try {
    return import.meta.resolve("@std/assert").startsWith("file:") ? "standins" : "jsr";
  } catch {
    // Started without deno.json and import map, as the launcher itself is.
    return "jsr";
  }
}

/** Variables for every Deno that the project starts. */
export function childEnvironment(
  get: (name: string) => string | undefined,
): Record<string, string> {
  return {
    DENO_NO_UPDATE_CHECK: "1",
    DENO_TLS_CA_STORE: get("DENO_TLS_CA_STORE") ?? "system,mozilla",
  };
}

/**
 * Asks where `@std` is to come from. It takes what is in Deno's cache; else, unless the network
 * said no a short while ago, it lets Deno download. A network that is silent is given up soon.
 *
 * @param options The surroundings.
 * @returns The source, and why.
 * @throws {TypeError} If `forced` is neither `jsr` nor `standins`.
 */
export async function askStdSource(options: AskOptions): Promise<StdAnswer> {
  const { forced, root, rememberFor = 15 * 60_000, now = Date.now } = options;
  const memory = options.memory ?? `${root}/.deno/std.json`;
  if (forced === "jsr" || forced === "standins") {
    return { source: forced, reason: `FD_BRIDGE_STD=${forced}` };
  }
  if (forced) {
    throw new TypeError(
      `FD_BRIDGE_STD is "${forced}"; set it to "jsr" or "standins", or not at all`,
    );
  }

  // A run from the cache alone costs a few hundredths of a second, with either answer.
  const cached = await probe(options, ["run", "--cached-only", "--no-prompt"]);
  if (cached === undefined) return { source: "jsr", reason: "it is in Deno's cache" };

  const said = await recall(memory);
  if (said && said.at <= now() && now() < said.at + rememberFor) {
    const minutes = Math.ceil((said.at + rememberFor - now()) / 60_000);
    return { source: "standins", reason: `${said.reason}; asked again in ${minutes} min` };
  }
  // Deno keeps a registry's "not found" for ever, a company proxy's as well: hence the reload.
  const refusal = await probe(options, ["cache", "--reload"]);
  if (refusal === undefined) {
    await Deno.remove(memory).catch(() => {});
    return { source: "jsr", reason: "JSR answers" };
  }
  await remember(memory, { at: now(), reason: refusal });
  return { source: "standins", reason: refusal };
}

/** Lets Deno load what the project imports. Returns what was wrong, or nothing. */
async function probe(options: AskOptions, command: string[]): Promise<string | undefined> {
  const child = new Deno.Command(options.deno ?? Deno.execPath(), {
    args: [...command, ...stdFlags("jsr"), PROBE],
    cwd: options.root,
    // Colours would hide the error behind escapes.
    env: { ...childEnvironment((name) => Deno.env.get(name)), NO_COLOR: "1", ...options.env },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let gaveUp: string | undefined;
  const giveUp = (reason: string) => {
    gaveUp ??= reason;
    try {
      child.kill("SIGKILL");
    } catch {
      // It ended by itself in the meantime.
    }
  };
  const { silence = 5000, limit = 60_000 } = options;
  const silent = () => giveUp(`JSR was silent for ${silence / 1000} s`);
  // Deno names each file that it fetches: that is the sign of life.
  let timer = setTimeout(silent, silence);
  const end = setTimeout(() => giveUp(`JSR took longer than ${limit / 1000} s`), limit);
  let text = "";
  for await (const piece of child.stderr.pipeThrough(new TextDecoderStream())) {
    // A bound: what Deno says is short.
    text = (text + piece).slice(-20_000);
    clearTimeout(timer);
    timer = setTimeout(silent, silence);
  }
  const { success } = await child.status;
  clearTimeout(timer);
  clearTimeout(end);
  if (success) return undefined;
  return gaveUp ?? firstError(text);
}

/** The one line of Deno's output that says what is wrong. */
function firstError(text: string): string {
  const line = text.split("\n").find((line) => line.startsWith("error:")) ??
    "error: no reason given";
  return line.slice("error:".length).trim().replace(/[.\s]+$/, "").slice(0, 300);
}

async function recall(file: string): Promise<Memory | undefined> {
  try {
    const { at, reason } = JSON.parse(await Deno.readTextFile(file));
    return typeof at === "number" && typeof reason === "string" ? { at, reason } : undefined;
  } catch {
    // Nothing there, or not readable: then it is asked anew.
    return undefined;
  }
}

async function remember(file: string, memory: Memory): Promise<void> {
  try {
    await Deno.mkdir(file.replace(/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(file, JSON.stringify(memory));
  } catch {
    // A folder that can't be written to costs a question at every start, no more.
  }
}
