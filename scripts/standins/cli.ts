/**
 * Stand-in for the part of `@std/cli` that the project uses, for networks that do not reach JSR. It
 * does without `node:util`, which takes 8 ms of every start to load. `tests/standins_test.ts` compares it with the real package
 * wherever both can be had.
 *
 * Not here: the options `--` and `stopEarly`, names with dots, `boolean: true` for all flags.
 *
 * @module
 */

/** A flag, one letter of a group of flags, or another argument. */
interface Token {
  /** Where the argument stands. */
  readonly index: number;
  /** The flag's name; undefined where this is none. */
  readonly name?: string;
  /** Whether it was written with two hyphens. */
  readonly long: boolean;
  /** What stands behind an equals sign. */
  readonly value?: string;
}

function tokenize(arg: string, index: number): Token[] {
  if (arg.startsWith("--")) {
    const equals = arg.indexOf("=");
    if (equals === -1) return [{ index, long: true, name: arg.slice(2) }];
    return [{ index, long: true, name: arg.slice(2, equals), value: arg.slice(equals + 1) }];
  }
  if (!arg.startsWith("-") || arg === "-") return [{ index, long: false }];
  return [...arg.slice(1)].map((name) => ({ index, long: false, name }));
}

/** The options of {@linkcode parseArgs}. */
export interface ParseOptions<
  B extends string = string,
  S extends string = string,
  C extends string = string,
  N extends string = string,
  D extends Record<string, unknown> = Record<string, unknown>,
  A extends Record<string, string | readonly string[]> = Record<string, string | readonly string[]>,
> {
  /** Other names for a flag. */
  alias?: A;
  /** Flags that take no value; `false` where they are not given. */
  boolean?: B | readonly B[];
  /** Values of the flags that are not given. */
  default?: D;
  /** Flags whose value stays a text; `""` where it is missing. */
  string?: S | readonly S[];
  /** Flags that may come several times; their values become an array. */
  collect?: C | readonly C[];
  /** Flags that `--no-NAME` sets to `false`. */
  negatable?: N | readonly N[];
  /**
   * Called for what none of the options above names: with the argument, and for a flag with its
   * name and value. `false` keeps it out of the result.
   */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** A flag's own name and its aliases. */
export type Names<K extends string, A> = K extends keyof A
  ? K | (A[K] extends readonly (infer Name extends string)[] ? Name : A[K] & string)
  : K;

/** The type of one flag that has no default. */
export type Value<K extends string, B, C, N> =
  | (K extends C ? (K extends B ? boolean : string)[] : K extends B ? boolean : string | undefined)
  | (K extends N ? (K extends B ? never : false) : never);

/** What {@linkcode parseArgs} returns: a member for each flag, and the other arguments in `_`. */
export type Args<
  B extends string = never,
  S extends string = never,
  C extends string = never,
  N extends string = never,
  D = Record<never, never>,
  A = Record<never, never>,
> =
  & { _: (string | number)[] }
  & ([B | S | C] extends [never] ? AnyFlags
    : { [name: string]: unknown } & KnownFlags<B, S, C, N, D, A>);

/** The flags where no option says anything about them. */
// deno-lint-ignore no-explicit-any
export type AnyFlags = { [name: string]: any };

/** The flags that the options name, each with its type. */
export type KnownFlags<
  B extends string,
  S extends string,
  C extends string,
  N extends string,
  D,
  A,
> = {
  [K in B | S | C as Names<K, A>]: K extends keyof D ? D[K] | NonNullable<Value<K, B, C, N>>
    : Value<K, B, C, N>;
};

/**
 * Reads command line arguments into flags and the rest. The rules are those of `@std/cli`: a flag's
 * value follows it (`--port 80`, `--port=80`, `-p 80`, `-p80`), unless the flag is boolean or the
 * next argument begins with a hyphen; the last of several values counts; what looks like a number
 * is one, except in `string` flags; nothing after `--` is a flag.
 *
 * @example Usage
 * ```ts
 * import { parseArgs } from "./cli.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const { port, demo, _ } = parseArgs(["serve", "--port", "80", "--demo"], {
 *   string: ["port"],
 *   boolean: ["demo"],
 * });
 * assertEquals({ port, demo, _ }, { port: "80", demo: true, _: ["serve"] });
 * ```
 *
 * @param args The arguments, as in `Deno.args`.
 * @param options Which flags there are.
 * @returns The value of each flag, and the other arguments in `_`.
 */
export function parseArgs<
  B extends string = never,
  S extends string = never,
  C extends string = never,
  N extends string = never,
  D extends Record<string, unknown> = Record<never, never>,
  const A extends Record<string, string | readonly string[]> = Record<never, never>,
>(
  args: readonly string[],
  options: ParseOptions<B, S, C, N, D, A> = {},
): Args<B, S, C, N, D, A> {
  const others = new Map<string, string[]>();
  for (const [name, alias] of Object.entries(options.alias ?? {})) {
    const group = [name, ...[alias].flat()];
    for (const one of group) others.set(one, group.filter((other) => other !== one));
  }
  const withAliases = (names: string | readonly string[] = []) =>
    new Set([names].flat().flatMap((name) => [name, ...others.get(name) ?? []]));
  const boolean = withAliases(options.boolean);
  const string = withAliases(options.string);
  const collect = withAliases(options.collect);
  const negatable = withAliases(options.negatable);

  const result: { _: (string | number)[]; [name: string]: unknown } = { _: [] };
  const number = (text: string) =>
    text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
  const set = (name: string, value: unknown) => {
    for (const one of [name, ...others.get(name) ?? []]) {
      if (one !== "__proto__") result[one] = value;
    }
  };
  const flag = (name: string, value: string | boolean, arg: string) => {
    const known = [boolean, string, others, collect].some((names) => names.has(name));
    if (!known && options.unknown?.(arg, name, value) === false) return;
    const typed = typeof value === "string" && !string.has(name) ? number(value) : value;
    if (!collect.has(name) || (typed === false && negatable.has(name))) return set(name, typed);
    set(name, [...Array.isArray(result[name]) ? result[name] : [], typed]);
  };

  const end = args.includes("--") ? args.indexOf("--") : args.length;
  const own = args.slice(0, end);
  const tokens = own.flatMap(tokenize);
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    const arg = own[token.index]!;
    if (token.name === undefined) {
      if (options.unknown?.(arg) !== false) result._.push(string.has("_") ? arg : number(arg));
      continue;
    }
    const { long } = token;
    // `-p80` and `-p=80` are a value, and no further flags.
    const inline = long ? token.value : /^-[A-Za-z](?:=(.*)|(.*\d\.?))$/s.exec(arg)?.slice(1)
      .find((value) => value !== undefined);
    if (inline !== undefined) {
      const name = long ? token.name.replace(/^no-/, "") : token.name;
      flag(name, long && boolean.has(name) ? inline !== "false" : inline, arg);
      while (tokens[i + 1]?.index === token.index) i++;
      continue;
    }
    const positive = long && token.name.startsWith("no-") ? token.name.slice(3) : undefined;
    if (positive !== undefined && negatable.has(positive)) {
      flag(positive, false, arg);
      continue;
    }
    // Only the last letter of a group such as `-vp` may take the next argument.
    const last = tokens[i + 1]?.index !== token.index;
    const next = last ? own[token.index + 1] : undefined;
    const isFlag = long ? /^-/ : /^--?[^-]/;
    if (next && !boolean.has(token.name) && !isFlag.test(next)) {
      flag(token.name, next, arg);
      i++;
    } else if (next === "true" || next === "false") {
      flag(token.name, next === "true", arg);
      i++;
    } else {
      flag(token.name, string.has(token.name) ? "" : true, arg);
    }
  }

  for (const [name, value] of Object.entries(options.default ?? {})) {
    if (!Object.hasOwn(result, name)) set(name, value);
  }
  for (const name of [...boolean, ...string]) {
    if (Object.hasOwn(result, name)) continue;
    if (collect.has(name)) result[name] = [];
    else if (boolean.has(name)) result[name] = false;
  }
  result._.push(...args.slice(end + 1));
  return result as Args<B, S, C, N, D, A>;
}
