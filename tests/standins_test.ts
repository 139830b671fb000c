/**
 * The stand-ins for `@std`: what they must do is written here, and the real packages are held to it
 * as well wherever they can be had; there, both also get the same random input. The judge is
 * `node:assert`: the assertions of `@std/assert` are themselves what is tried.
 */
import { deepStrictEqual, ok } from "node:assert";
import * as std from "@std/assert";
import { parseArgs as stdParseArgs } from "@std/cli/parse-args";
import { parse as stdParse } from "@std/dotenv/parse";
import { STATUS_TEXT as STD_TEXT } from "@std/http/status";
import { TextLineStream as StdTextLineStream } from "@std/streams/text-line-stream";
import * as standinAssert from "../scripts/standins/assert.ts";
import { parseArgs } from "../scripts/standins/cli.ts";
import { parse } from "../scripts/standins/dotenv.ts";
import { STATUS_TEXT } from "../scripts/standins/http.ts";
import { TextLineStream } from "../scripts/standins/streams.ts";
import { currentStdSource } from "../scripts/std_source.ts";

/** Without JSR the name `@std` leads to the stand-ins themselves: nothing to compare with. */
const alone = currentStdSource() === "standins";
const reason = alone ? " (ignored: @std is the stand-ins here, JSR can't be reached)" : "";

/** What the real packages are held to as well. */
const forReal: { name: string; check: () => void | Promise<void> }[] = [];

/** A test for the stand-in, and a step of the last test of this file for the real package. */
function conform<T>(name: string, standin: T, real: T, check: (it: T) => void | Promise<void>) {
  Deno.test(`stand-in: ${name}`, () => check(standin));
  forReal.push({ name, check: () => check(real) });
}

/** Small numbers, the same ones for the same seed. */
function dice(): (sides: number) => number {
  let state = Number(Deno.env.get("FD_BRIDGE_SEED") ?? Date.now() % 1e9);
  console.log(`FD_BRIDGE_SEED=${state}`);
  return (sides) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % sides;
  };
}

/** Random input for both: what they make of it is the same. */
function compare(name: string, check: (roll: (sides: number) => number) => void | Promise<void>) {
  Deno.test({
    name: `stand-in and @std: ${name}${reason}`,
    ignore: alone,
    fn: () => check(dice()),
  });
}

type ParseArgs = typeof stdParseArgs;
const FLAGS = {
  string: ["port", "host", "header"],
  boolean: ["demo", "help"],
  alias: { port: "p", help: "h" },
  negatable: ["color"],
  collect: ["header"],
  default: { host: "127.0.0.1" },
};
const NOTHING = { demo: false, help: false, h: false, header: [], host: "127.0.0.1" };

const ARGUMENTS: readonly { args: string[]; gives: Record<string, unknown> }[] = [
  { args: [], gives: { ...NOTHING, _: [] } },
  { args: ["--port", "80"], gives: { ...NOTHING, port: "80", p: "80", _: [] } },
  { args: ["--port=80"], gives: { ...NOTHING, port: "80", p: "80", _: [] } },
  { args: ["-p80"], gives: { ...NOTHING, port: "80", p: "80", _: [] } },
  { args: ["-p", "80"], gives: { ...NOTHING, port: "80", p: "80", _: [] } },
  { args: ["--port"], gives: { ...NOTHING, port: "", p: "", _: [] } },
  { args: ["--port", "--demo"], gives: { ...NOTHING, port: "", p: "", demo: true, _: [] } },
  { args: ["--port", "1", "--port", "2"], gives: { ...NOTHING, port: "2", p: "2", _: [] } },
  { args: ["--demo", "x"], gives: { ...NOTHING, demo: true, _: ["x"] } },
  { args: ["--demo=false"], gives: { ...NOTHING, _: [] } },
  { args: ["--demo", "false"], gives: { ...NOTHING, _: [] } },
  { args: ["-h"], gives: { ...NOTHING, help: true, h: true, _: [] } },
  { args: ["--no-color"], gives: { ...NOTHING, color: false, _: [] } },
  { args: ["--no-demo"], gives: { ...NOTHING, "no-demo": true, _: [] } },
  { args: ["--header", "a", "--header=b"], gives: { ...NOTHING, header: ["a", "b"], _: [] } },
  { args: ["--other", "7"], gives: { ...NOTHING, other: 7, _: [] } },
  { args: ["serve", "2", "--", "--demo"], gives: { ...NOTHING, _: ["serve", 2, "--demo"] } },
];

for (const { args, gives } of ARGUMENTS) {
  conform<ParseArgs>(
    `parseArgs() reads ${JSON.stringify(args)}`,
    parseArgs as ParseArgs,
    stdParseArgs,
    (parseArgs) => deepStrictEqual(parseArgs(args, FLAGS), gives),
  );
}

conform<ParseArgs>(
  "parseArgs() asks `unknown` about what no option names",
  parseArgs as ParseArgs,
  stdParseArgs,
  (parseArgs) => {
    const asked: unknown[][] = [];
    const flags = parseArgs(["--port", "80", "--tail=9", "-x", "run"], {
      string: ["port"],
      unknown: (...about) => {
        asked.push(about);
        return false;
      },
    });
    deepStrictEqual(flags, { port: "80", _: [] });
    deepStrictEqual(asked, [["--tail=9", "tail", "9"], ["-x", "x", "run"]]);
  },
);

/** `true` where two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true
  : false;

Deno.test("parseArgs() has the types of its options, whichever of the two it is", () => {
  const flags = stdParseArgs(["--port", "80"], {
    string: ["port", "host", "header"],
    boolean: ["demo"],
    collect: ["header"],
    default: { host: "127.0.0.1" },
  });
  // `deno check` does the checking: with another type these lines do not compile.
  const types: [
    Same<typeof flags.port, string | undefined>,
    Same<typeof flags.host, string>,
    Same<typeof flags.header, string[]>,
    Same<typeof flags.demo, boolean>,
    Same<typeof flags.other, unknown>,
    Same<typeof flags._, (string | number)[]>,
  ] = [true, true, true, true, true, true];
  ok(types.every(Boolean));
});

compare("parseArgs() reads random arguments alike", (roll) => {
  const words = ["--port", "80", "--port=80", "--port=", "--demo", "--demo=false", "--no-demo"];
  words.push("--no-color", "--color", "-p", "-p80", "-p=80", "-h", "-hp", "-ph", "--", "-", "x");
  words.push("true", "false", "--x=1", "--x", "", "1.5", "1e3", "--header", "--header=a:b", "-1");
  const sets = [FLAGS, { string: "_" }, {}];
  for (let i = 0; i < 5000; i++) {
    const args = Array.from({ length: roll(6) }, () => words[roll(words.length)]!);
    const set = sets[roll(sets.length)];
    const strict = roll(2) === 1;
    const run = (parseArgs: ParseArgs) => {
      const asked: unknown[] = [];
      const unknown = (...about: unknown[]) => asked.push(about) < 0;
      return { flags: parseArgs(args, { ...set, ...strict ? { unknown } : {} }), asked };
    };
    deepStrictEqual(run(parseArgs as ParseArgs), run(stdParseArgs), JSON.stringify({ args, set }));
  }
});

const ENV_FILES: readonly { text: string; gives: Record<string, string> }[] = [
  { text: "A=b", gives: { A: "b" } },
  { text: "  export A = b  \r\nB=c\r\n", gives: { A: "b", B: "c" } },
  { text: "# A=b\n\nA=b # c\nnothing", gives: { A: "b" } },
  { text: "A=\nB=''", gives: { A: "", B: "" } },
  { text: "A=' b # c '\nB=\" b # c \"", gives: { A: " b # c ", B: " b # c " } },
  { text: "A=\"b\\nc\\td\"\nB='b\\nc'", gives: { A: "b\nc\td", B: "b\\nc" } },
  { text: 'A="one\ntwo"', gives: { A: "one\ntwo" } },
  { text: "A=https://x.y/z?a=b&c", gives: { A: "https://x.y/z?a=b&c" } },
  { text: 'A={"b":"c"}', gives: { A: '{"b":"c"}' } },
  { text: "A=b\nA=c", gives: { A: "c" } },
  { text: "\uFEFFA=b", gives: { A: "b" } },
  // Not unescaped: the value ends at the second quotation mark, with its backslash.
  { text: 'A="b\\"c"', gives: { A: "b\\" } },
  { text: "A='$HOME'\nB=\"$HOME\"", gives: { A: "$HOME", B: "$HOME" } },
];

for (const { text, gives } of ENV_FILES) {
  conform(`parse() reads ${JSON.stringify(text)}`, parse, stdParse, (parse) => {
    deepStrictEqual({ ...parse(text) }, gives);
  });
}

conform("parse() drops what is no name", parse, stdParse, (parse) => {
  const { warn } = console;
  const warnings: unknown[] = [];
  console.warn = (text: unknown) => warnings.push(text);
  try {
    deepStrictEqual({ ...parse("1A=b\nA-B=c\nC=d") }, { C: "d" });
  } finally {
    console.warn = warn;
  }
  deepStrictEqual(warnings.length, 2);
});

/** Files with references → what becomes of them. `NOPE_…` is set nowhere. */
const REFERENCES: typeof ENV_FILES = [
  { text: "A=b\nB=$A\nC=${A}", gives: { A: "b", B: "b", C: "b" } },
  { text: "B=$A-${A}/$A\nA=b", gives: { A: "b", B: "b-b/b" } },
  { text: "A=b\nB=$A\nC=x$B", gives: { A: "b", B: "b", C: "xb" } },
  { text: "A='b c'\nB=\"d\"\nC=$A!$B", gives: { A: "b c", B: "d", C: "b c!d" } },
  { text: "A=b\nB='$A'\nC=\"$A\"\nD=$B", gives: { A: "b", B: "$A", C: "$A", D: "b" } },
  { text: "A=${NOPE_1:-x}\nB=$NOPE_1:-/x/y", gives: { A: "x", B: "/x/y" } },
  { text: "A=b\nB=${A:-x}\nC=$A:-x", gives: { A: "b", B: "b", C: "b" } },
  { text: "A=${NOPE_1:-${NOPE_2:-x}}\nB=$NOPE_1:-$NOPE_2:-x", gives: { A: "x", B: "x" } },
  { text: "A=b\nB=${NOPE_1:-${A:-x}}", gives: { A: "b", B: "b" } },
  { text: "A=b\nB=\\$A\nC=\\${A}", gives: { A: "b", B: "\\$A", C: "\\b" } },
  { text: "A=$NOPE_1\nB=${NOPE_1}x", gives: { A: "undefined", B: "undefinedx" } },
  { text: "A=$STANDINS_TEST\nB=$B_1\nB_1=", gives: { A: "from outside", B: "", B_1: "" } },
  { text: "A=a$\nB=$-\nC=$ {A}\nD=b # $A", gives: { A: "a$", B: "$-", C: "$ {A}", D: "b" } },
];

for (const { text, gives } of REFERENCES) {
  conform(`parse() expands ${JSON.stringify(text)}`, parse, stdParse, (parse) => {
    Deno.env.set("STANDINS_TEST", "from outside");
    try {
      deepStrictEqual({ ...parse(text) }, gives);
    } finally {
      Deno.env.delete("STANDINS_TEST");
    }
  });
}

compare("parse() reads random files alike", (roll) => {
  const { warn } = console;
  console.warn = () => {};
  try {
    const pieces = ["A", "B_1", "=", "=", " ", "\n", "\r\n", "'", '"', "#", "\\n", "\\", "export "];
    pieces.push("x y", "1", "\t", "`", "é", "\r", "\u2028", "\\$");
    // None that the text sets: one that led to itself would never end.
    pieces.push("$NOPE_1", "${NOPE_1}", "${NOPE_1:-x}", "$NOPE_1:-x", "${NOPE_1:-${NOPE_2:-x}}");
    for (let i = 0; i < 20_000; i++) {
      const text = Array.from({ length: roll(15) }, () => pieces[roll(pieces.length)]).join("");
      deepStrictEqual(parse(text), stdParse(text), JSON.stringify(text));
    }
  } finally {
    console.warn = warn;
  }
});

type Lines = new (options?: { allowCR?: boolean }) => TransformStream<string, string>;

/** What becomes of pieces of text. */
function lines(Stream: Lines, pieces: string[], allowCR: boolean): Promise<string[]> {
  return Array.fromAsync(ReadableStream.from(pieces).pipeThrough(new Stream({ allowCR })));
}

const TEXTS: readonly { pieces: string[]; gives: string[]; allowCR?: boolean }[] = [
  { pieces: ["a\nb\r\n\nc"], gives: ["a", "b", "", "c"] },
  { pieces: ["a", "b\r", "\nc", "\n"], gives: ["ab", "c"] },
  { pieces: ["a\rb\r"], gives: ["a\rb\r"] },
  { pieces: [], gives: [] },
  { pieces: ["a\rb\r", "\nc\r", "d\r"], gives: ["a", "b", "c", "d"], allowCR: true },
  { pieces: ["\r\r\n\n"], gives: ["", "", ""], allowCR: true },
  { pieces: ["a\r"], gives: ["a"], allowCR: true },
];

for (const { pieces, gives, allowCR = false } of TEXTS) {
  conform<Lines>(
    `TextLineStream splits ${JSON.stringify(pieces)}${allowCR ? " with allowCR" : ""}`,
    TextLineStream,
    StdTextLineStream,
    async (Stream) => deepStrictEqual(await lines(Stream, pieces, allowCR), gives),
  );
}

compare("TextLineStream splits random text alike", async (roll) => {
  const letters = ["a", "\n", "\r", "\r\n", "é"];
  const piece = () => Array.from({ length: roll(5) }, () => letters[roll(letters.length)]).join("");
  for (let i = 0; i < 2000; i++) {
    const pieces = Array.from({ length: roll(6) }, piece);
    const allowCR = roll(2) === 1;
    deepStrictEqual(
      await lines(TextLineStream, pieces, allowCR),
      await lines(StdTextLineStream, pieces, allowCR),
      JSON.stringify({ pieces, allowCR }),
    );
  }
});

Deno.test("stand-in: STATUS_TEXT has words for every status code", () => {
  deepStrictEqual(Object.keys(STATUS_TEXT).length, 62);
  deepStrictEqual(
    [100, 207, 418, 429, 451, 511].map((code) => STATUS_TEXT[code]),
    [
      "Continue",
      "Multi Status",
      "I'm a teapot",
      "Too Many Requests",
      "Unavailable For Legal Reasons",
      "Network Authentication Required",
    ],
  );
});

compare("STATUS_TEXT is the same", () => deepStrictEqual({ ...STATUS_TEXT }, { ...STD_TEXT }));

type Assertions = Pick<
  typeof std,
  | "assert"
  | "assertEquals"
  | "assertMatch"
  | "assertRejects"
  | "assertStrictEquals"
  | "assertStringIncludes"
  | "assertThrows"
  | "AssertionError"
>;

const loop: Record<string, unknown> = { a: 1 };
loop.self = loop;
const otherLoop: Record<string, unknown> = { a: 1 };
otherLoop.self = otherLoop;
const bare = (entries: object) => Object.assign(Object.create(null), entries);

/** Pairs of values, and whether `assertEquals()` takes them for equal. */
const PAIRS: readonly [what: string, a: unknown, b: unknown, equal: boolean][] = [
  ["numbers", 1, 1, true],
  ["a number and a text", 1, "1", false],
  ["NaN", NaN, NaN, true],
  ["0 and -0", 0, -0, true],
  ["0 and -0 inside", [{ a: 0 }], [{ a: -0 }], true],
  ["null and undefined", null, undefined, false],
  ["nested objects, in another order", { a: 1, b: [{}] }, { b: [{}], a: 1 }, true],
  ["an object that lacks a member", { a: 1 }, { a: 1, b: 2 }, false],
  ["undefined and not there", { a: undefined }, {}, false],
  ["an object without prototype", bare({ a: bare({}) }), { a: {} }, true],
  ["instances and plain objects", new URLSearchParams(), {}, false],
  ["arrays of different length", [1, 2], [1], false],
  ["a hole and undefined", [undefined], new Array(1), false],
  ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 2]), true],
  ["other bytes", new Uint8Array([1, 2]), new Uint8Array([1, 3]), false],
  ["dates", new Date(5), new Date(5), true],
  ["other dates", new Date(5), new Date(6), false],
  ["patterns", /a/g, /a/g, true],
  ["other patterns", /a/g, /a/i, false],
  ["maps", new Map([[1, { a: 1 }]]), new Map([[1, { a: 1 }]]), true],
  ["other maps", new Map([[1, { a: 1 }]]), new Map([[1, { a: 2 }]]), false],
  ["sets", new Set([1, 2]), new Set([2, 1]), true],
  ["objects that hold themselves", loop, otherLoop, true],
];

for (const [what, a, b, equal] of PAIRS) {
  conform<Assertions>(
    `assertEquals() ${equal ? "takes" : "does not take"} ${what} for equal`,
    standinAssert,
    std,
    ({ assertEquals, AssertionError }) => {
      let thrown: unknown;
      try {
        assertEquals(a, b, "told");
      } catch (error) {
        thrown = error;
      }
      if (equal) deepStrictEqual(thrown, undefined);
      else ok(thrown instanceof AssertionError && thrown.message.includes("told"), `${thrown}`);
    },
  );
}

/** Calls, and whether they throw an `AssertionError`. */
const CALLS: readonly [what: string, call: (it: Assertions) => unknown, holds: boolean][] = [
  ["assert(1)", (it) => it.assert(1), true],
  ["assert('')", (it) => it.assert(""), false],
  ["assertMatch() of a match", (it) => it.assertMatch("abc", /b/), true],
  ["assertMatch() of none", (it) => it.assertMatch("abc", /d/), false],
  ["assertStringIncludes() of a part", (it) => it.assertStringIncludes("abc", "b"), true],
  ["assertStringIncludes() of another", (it) => it.assertStringIncludes("abc", "d"), false],
  ["assertStrictEquals() of one object", (it) => it.assertStrictEquals(loop, loop), true],
  ["assertStrictEquals() of two", (it) => it.assertStrictEquals({}, {}), false],
  ["assertStrictEquals(0, -0)", (it) => it.assertStrictEquals(0, -0), false],
  ["assertThrows() of an error", (it) => it.assertThrows(() => JSON.parse("{")), true],
  ["assertThrows() of none", (it) => it.assertThrows(() => 1), false],
  [
    "assertThrows() of the class and words",
    (it) => it.assertThrows(() => JSON.parse("{"), SyntaxError, "JSON"),
    true,
  ],
  [
    "assertThrows() of another class",
    (it) => it.assertThrows(() => JSON.parse("{"), TypeError),
    false,
  ],
  [
    "assertThrows() of other words",
    (it) => it.assertThrows(() => JSON.parse("{"), SyntaxError, "YAML"),
    false,
  ],
  [
    "assertRejects() of an error",
    (it) => it.assertRejects(() => Promise.reject(new Error())),
    true,
  ],
  ["assertRejects() of none", (it) => it.assertRejects(() => Promise.resolve()), false],
  [
    "assertRejects() of another class",
    (it) => it.assertRejects(() => Promise.reject(new Error()), TypeError),
    false,
  ],
  [
    "assertRejects() of a throw",
    (it) =>
      it.assertRejects(() => {
        throw new Error();
      }),
    false,
  ],
];

for (const [what, call, holds] of CALLS) {
  conform<Assertions>(
    `${what} ${holds ? "holds" : "fails"}`,
    standinAssert,
    std,
    async (it) => {
      let thrown: unknown;
      try {
        await call(it);
      } catch (error) {
        thrown = error;
      }
      deepStrictEqual(thrown instanceof it.AssertionError, !holds, String(thrown));
      deepStrictEqual(thrown === undefined, holds, String(thrown));
    },
  );
}

conform<Assertions>("assertThrows() returns the error", standinAssert, std, async (it) => {
  const error = new RangeError("out");
  const thrown: RangeError = it.assertThrows(
    () => {
      throw error;
    },
    RangeError,
    "out",
  );
  ok(thrown === error);
  ok(await it.assertRejects(() => Promise.reject(error), RangeError) === error);
});

Deno.test({
  name: `@std does all that the stand-ins do${reason}`,
  ignore: alone,
  async fn(test) {
    for (const { name, check } of forReal) await test.step(name, check);
  },
});
