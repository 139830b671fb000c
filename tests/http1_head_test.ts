/** Heads of HTTP/1.1: what is read, what is refused, and that both ways agree. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { bodyLength, formatHead, headEnd, parseHead } from "../lib/http1/head.ts";
import { latin1 } from "./helpers/memory_socket.ts";
import { randomFromEnvironment } from "./helpers/random.ts";

/** A head's bytes, whether it is ASCII or not. */
const written = (...head: Parameters<typeof formatHead>) => {
  const bytes = formatHead(...head);
  return typeof bytes === "string" ? latin1(bytes) : bytes;
};
const toText = (bytes: Uint8Array) => String.fromCharCode(...bytes);

/** Heads → the start line, and the value of the field `a`. */
const READ: readonly (readonly [what: string, head: string, start: string, a: string | null])[] = [
  ["a start line alone", "GET / HTTP/1.1", "GET / HTTP/1.1", null],
  ["a field", "GET / HTTP/1.1\r\na: b", "GET / HTTP/1.1", "b"],
  ["no space behind the colon", "G\r\na:b", "G", "b"],
  ["blanks around a value", "G\r\na: \t b \t ", "G", "b"],
  ["blanks within a value", "G\r\na: b \t c", "G", "b \t c"],
  ["an empty value", "G\r\na:", "G", ""],
  ["a value of blanks", "G\r\na: \t ", "G", ""],
  ["a value with colons", "G\r\na: b:c: d", "G", "b:c: d"],
  ["a name in capitals", "G\r\nA: b", "G", "b"],
  ["two fields of a name", "G\r\na: b\r\nx: y\r\nA: c", "G", "b, c"],
  ["a name like one of an object's own", "G\r\n__proto__: x\r\na: b", "G", "b"],
  ["a name of all kinds of letters", "G\r\n!#$%&'*+.^_`|~-09azAZ: x\r\na: b", "G", "b"],
  ["a status line without a reason", "HTTP/1.1 200 ", "HTTP/1.1 200 ", null],
  ["Latin-1", "HTTP/1.1 200 Schön\r\na: grün", "HTTP/1.1 200 Schön", "grün"],
  ["Latin-1's own blanks at the edges", "G\r\na: \xa0\x85b\xa0", "G", "\xa0\x85b\xa0"],
  ["what looks like UTF-8", "G\r\na: Ã¤", "G", "Ã¤"],
];

for (const [what, head, start, a] of READ) {
  Deno.test(`parseHead() reads ${what}`, () => {
    const read = parseHead(latin1(head));
    assertEquals(read && [read.start, read.headers.get("a")], [start, a]);
  });
}

const REFUSED: Readonly<Record<string, string>> = {
  "a bare LF between lines": "G\na: b",
  "a bare LF within a value": "G\r\na: b\nc: d",
  "a bare LF before a value": "G\r\na:\nb: c",
  "a bare LF behind a value": "G\r\na: b\n",
  "a bare LF behind a CRLF": "G\r\n\na: b",
  "a bare LF in the start line": "GET /\n HTTP/1.1\r\na: b",
  "a bare CR within a value": "G\r\na: b\rc",
  "a bare CR before a value": "G\r\na:\rb",
  "a bare CR behind a value": "G\r\na: b\r",
  "two CR and an LF": "G\r\na: b\r\r\nc: d",
  "a bare CR in the start line": "GET /\r HTTP/1.1\r\na: b",
  "a bare CR between lines": "G\ra: b",
  "a folded line": "G\r\na: b\r\n c",
  "a line folded with a tab": "G\r\na: b\r\n\tc",
  "a folded line that looks like a field": "G\r\na: b\r\n c: d",
  "a space before the colon": "G\r\na : b",
  "a tab before the colon": "G\r\na\t: b",
  "a space before a name": "G\r\n a: b",
  "a space in a name": "G\r\na b: c",
  "an empty name": "G\r\n: b",
  "a line without a colon": "G\r\na",
  "an empty line": "G\r\n\r\na: b",
  "NUL in a value": "G\r\na: b\0c",
  "NUL behind a value": "G\r\na: b\0",
  "NUL in a name": "G\r\na\0: b",
  "NUL in the start line": "GET /\0 HTTP/1.1",
  "Latin-1 in a name": "G\r\nä: b",
  "a quote in a name": 'G\r\n"a": b',
  "a bracket in a name": "G\r\n(a): b",
  "a control character in a name": "G\r\na\x01: b",
};

for (const [what, head] of Object.entries(REFUSED)) {
  Deno.test(`parseHead() refuses ${what}`, () => {
    assertEquals(parseHead(latin1(head)), undefined);
  });
}

Deno.test("parseHead() keeps a byte order mark, which is no part of a method", () => {
  const head = parseHead(latin1("\xef\xbb\xbfGET / HTTP/1.1\r\na: b"));
  assert(head === undefined || head.start !== "GET / HTTP/1.1", "the mark was thrown away");
});

Deno.test("parseHead() and formatHead() keep every byte that Latin-1 has beyond ASCII", () => {
  for (let byte = 0x80; byte <= 0xff; byte++) {
    const value = `x${String.fromCharCode(byte)}y`;
    const bytes = written("G", [["a", value]]);
    assertEquals(toText(bytes), `G\r\na: ${value}\r\n\r\n`);
    assertEquals(parseHead(bytes.subarray(0, headEnd(bytes)))?.headers.get("a"), value);
  }
  const all = Array.from({ length: 128 }, (_, at) => String.fromCharCode(128 + at)).join("");
  assertEquals(parseHead(latin1(`G\r\na: ${all}`))?.headers.get("a"), all);
});

Deno.test("formatHead() writes the fields, and then what comes behind them", () => {
  const bytes = written("HTTP/1.1 200 OK", [["a", "b"], ["c", "d"]], "x: y\r\n");
  assertEquals(toText(bytes), "HTTP/1.1 200 OK\r\na: b\r\nc: d\r\nx: y\r\n\r\n");
  assertEquals(toText(written("G", [])), "G\r\n\r\n");
});

Deno.test("formatHead() writes each cookie into a line of its own", () => {
  const headers = new Headers([["set-cookie", "a=1"], ["set-cookie", "b=2"]]);
  assertEquals(toText(written("G", headers)).match(/set-cookie: /g)?.length, 2);
});

for (const value of ["b\r\nc: d", "b\n", "\rb", "b\0", "b\u0100", "b\u{1f600}"]) {
  Deno.test(`formatHead() refuses the value ${JSON.stringify(value)}`, () => {
    assertThrows(() => formatHead("G", [["a", value]]), TypeError);
  });
}

/** Bytes → where their head ends. */
const ENDS: readonly (readonly [text: string, end: number])[] = [
  ["", -1],
  ["\r\n\r", -1],
  ["\r\n\r\n", 0],
  ["G\r\n\r\n", 1],
  ["G\r\na: b\r\n\r\nrest\r\n\r\n", 7],
  ["G\n\n", -1],
  ["G\r\n\n", -1],
  ["G\n\r\n", -1],
  ["G\r\n\n\r\n\r\n", 4],
  ["G\r\r\n\r\n", 2],
];

for (const [text, end] of ENDS) {
  Deno.test(`headEnd() of ${JSON.stringify(text)} is ${end}`, () => {
    assertEquals(headEnd(latin1(text)), end);
  });
}

Deno.test("headEnd() finds the same end wherever the search was interrupted", () => {
  const bytes = latin1("GET / HTTP/1.1\r\nhost: a\r\n\r\nrest\r\n\r\n");
  for (let cut = 0; cut <= 27; cut++) {
    const first = headEnd(bytes.subarray(0, cut));
    assertEquals(first === -1 ? headEnd(bytes, cut) : first, 23, `cut at ${cut}`);
  }
});

type Lengths = Readonly<{ length?: string; encoding?: string }>;

/** What a head states → how long its body is. */
const BODIES: readonly (readonly [Lengths, ReturnType<typeof bodyLength>])[] = [
  [{}, undefined],
  [{ length: "0" }, 0],
  [{ length: "5" }, 5],
  [{ length: "007" }, 7],
  [{ length: "999999999999999" }, 999_999_999_999_999],
  [{ length: "9999999999999999" }, "contradictory"],
  [{ length: "18446744073709551617" }, "contradictory"],
  [{ length: "" }, "contradictory"],
  [{ length: "+5" }, "contradictory"],
  [{ length: "-5" }, "contradictory"],
  [{ length: "5.0" }, "contradictory"],
  [{ length: "5 5" }, "contradictory"],
  [{ length: "5, 5" }, "contradictory"],
  [{ length: "5, 6" }, "contradictory"],
  [{ length: "0x5" }, "contradictory"],
  [{ length: "1e3" }, "contradictory"],
  [{ length: "f" }, "contradictory"],
  [{ length: "5\xa0" }, "contradictory"],
  [{ length: "5\x0b" }, "contradictory"],
  [{ encoding: "chunked" }, "chunked"],
  [{ encoding: "Chunked" }, "chunked"],
  [{ encoding: "CHUNKED" }, "chunked"],
  [{ encoding: "chunked, chunked" }, "contradictory"],
  [{ encoding: "gzip, chunked" }, "contradictory"],
  [{ encoding: "chunked, identity" }, "contradictory"],
  [{ encoding: "identity" }, "contradictory"],
  [{ encoding: "" }, "contradictory"],
  [{ encoding: "chunked;q=1" }, "contradictory"],
  [{ encoding: "xchunked" }, "contradictory"],
  // What only JavaScript calls a blank; to another reader it belongs to the word.
  [{ encoding: "\x0bchunked" }, "contradictory"],
  [{ encoding: "chunked\x0c" }, "contradictory"],
  [{ encoding: "\xa0chunked" }, "contradictory"],
  [{ length: "5", encoding: "chunked" }, "contradictory"],
  [{ length: "5", encoding: "identity" }, "contradictory"],
];

for (const [{ length, encoding }, expected] of BODIES) {
  Deno.test(`bodyLength() of ${JSON.stringify({ length, encoding })} is ${expected}`, () => {
    let head = "POST / HTTP/1.1";
    if (encoding !== undefined) head += `\r\nTransfer-Encoding: ${encoding}`;
    if (length !== undefined) head += `\r\nContent-Length: ${length}`;
    assertEquals(bodyLength(parseHead(latin1(head))!.headers), expected);
  });
}

for (const name of ["Content-Length: 5", "Transfer-Encoding: chunked"]) {
  Deno.test(`bodyLength() of a head with two lines of ${name} is contradictory`, () => {
    const head = parseHead(latin1(`POST / HTTP/1.1\r\n${name}\r\n${name.toLowerCase()}`));
    assertEquals(bodyLength(head!.headers), "contradictory");
  });
}

const NAMES = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";

Deno.test("parseHead() reads what formatHead() wrote, whatever it was", () => {
  const random = randomFromEnvironment("heads, written and read");
  const string = (least: number, most: number, character: () => string) =>
    Array.from({ length: random.integer(least, most) }, character).join("");
  for (let round = 0; round < 500; round++) {
    const fields = new Map<string, string>();
    for (let left = random.integer(0, 8); left > 0; left--) {
      const letter = () =>
        String.fromCharCode(random.integer(0x21, random.chance(0.5) ? 126 : 255));
      fields.set(string(1, 12, () => random.pick([...NAMES])), string(0, 20, letter));
    }
    const bytes = written("GET / HTTP/1.1", fields);
    assertEquals(headEnd(bytes), bytes.length - 4, `round ${round}`);
    const head = parseHead(bytes.subarray(0, -4));
    for (const [name, value] of fields) {
      assertEquals(head?.headers.get(name), value, `round ${round}`);
    }
  }
});

Deno.test("parseHead() never throws, whatever the bytes", () => {
  const random = randomFromEnvironment("heads of noise");
  const likely = latin1("\r\n\r\n: \t\0aAGET / HTTP/1.1\x80\xff");
  for (let round = 0; round < 2_000; round++) {
    const bytes = Uint8Array.from(
      { length: random.integer(0, 40) },
      () => random.chance(0.9) ? random.pick([...likely]) : random.integer(0, 255),
    );
    const head = parseHead(bytes);
    // Nothing that a head is written with again may be able to hold a line's end.
    if (head) assert(!/[\r\n]/.test(head.start), `round ${round}`);
  }
});
