/** The framing of chunked bodies, however it is cut. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ChunkDecoder } from "../lib/http1/chunks.ts";
import { latin1 } from "./helpers/memory_socket.ts";
import { type Random, randomFromEnvironment } from "./helpers/random.ts";

/** Decodes pieces one after the other; `rest` is what the decoder left, of any piece. */
function decode(pieces: readonly Uint8Array[]) {
  const decoder = new ChunkDecoder();
  let payload = "";
  let rest = "";
  for (const piece of pieces) {
    const bytes = piece.slice();
    const length = decoder.decode(bytes);
    payload += String.fromCharCode(...bytes.subarray(0, length));
    rest += String.fromCharCode(...bytes.subarray(decoder.used));
  }
  return { payload, rest, complete: decoder.complete };
}

/** What is cut in the body → the body, and its payload. */
const BODIES: Readonly<Record<string, readonly [body: string, payload: string]>> = {
  "one chunk": ["5\r\nhello\r\n0\r\n\r\n", "hello"],
  "several chunks": ["2\r\nhe\r\n3\r\nllo\r\n1\r\n!\r\n0\r\n\r\n", "hello!"],
  "no chunk": ["0\r\n\r\n", ""],
  "a last chunk of several zeros": ["1\r\na\r\n000\r\n\r\n", "a"],
  "sizes with leading zeros": ["0005\r\nhello\r\n00\r\n\r\n", "hello"],
  "a size in capitals": ["A\r\n0123456789\r\n0\r\n\r\n", "0123456789"],
  "a size in small letters": ["c\r\n0123456789ab\r\n0\r\n\r\n", "0123456789ab"],
  "a size of two digits": [`1f\r\n${"x".repeat(31)}\r\n0\r\n\r\n`, "x".repeat(31)],
  "extensions": ['2;a=b\r\nhe\r\n3;c;d="e;f"\r\nllo\r\n0;g\r\n\r\n', "hello"],
  "padded sizes": ["5  \r\nhello\r\n0\t\r\n\r\n", "hello"],
  "a padded extension": ["5 ; a=b\r\nhello\r\n0 ;\r\n\r\n", "hello"],
  "trailers": ["5\r\nhello\r\n0\r\nx-a: b\r\nx-c: d\r\n\r\n", "hello"],
  "payload that looks like framing": ["c\r\n0\r\n\r\n5\r\nabcd\r\n0\r\n\r\n", "0\r\n\r\n5\r\nabcd"],
  "payload of zeros and high bytes": ["4\r\n\0\xff\x80\0\r\n0\r\n\r\n", "\0\xff\x80\0"],
};

for (const [what, [body, payload]] of Object.entries(BODIES)) {
  for (const rest of ["", "GET / HTTP/1.1\r\n\r\n", "0\r\n\r\n"]) {
    const behind = rest === "" ? "nothing" : JSON.stringify(rest);
    Deno.test(`ChunkDecoder reads ${what}, cut anywhere, with ${behind} behind`, () => {
      const bytes = latin1(body + rest);
      for (let first = 0; first <= bytes.length; first++) {
        for (let second = first; second <= bytes.length; second++) {
          assertEquals(
            decode([bytes.slice(0, first), bytes.slice(first, second), bytes.slice(second)]),
            { payload, rest, complete: true },
            `cut at ${first} and ${second}`,
          );
        }
      }
    });
  }

  Deno.test(`ChunkDecoder isn't complete before the last byte of ${what}`, () => {
    for (let end = 0; end < body.length; end++) {
      const { complete, payload: part } = decode([latin1(body.slice(0, end))]);
      assert(!complete && payload.startsWith(part), `after ${end} bytes`);
    }
  });

  Deno.test(`ChunkDecoder reads ${what} byte by byte`, () => {
    const pieces = [...body].map(latin1);
    assertEquals(decode(pieces), { payload, rest: "", complete: true });
  });
}

Deno.test("ChunkDecoder joins what several chunks carry", () => {
  const decoder = new ChunkDecoder();
  const bytes = latin1("1\r\na\r\n2;x\r\nbc\r\n3\r\nde");
  const length = decoder.decode(bytes);
  assertEquals(new TextDecoder().decode(bytes.subarray(0, length)), "abcde");
  assertEquals([decoder.used, decoder.complete], [bytes.length, false]);
});

Deno.test("ChunkDecoder takes nothing of what comes behind the end", () => {
  const decoder = new ChunkDecoder();
  decoder.decode(latin1("0\r\n\r\n"));
  const next = latin1("5\r\nhello");
  assertEquals([decoder.decode(next), decoder.used], [0, 0]);
  assertEquals(next, latin1("5\r\nhello"));
});

const MALFORMED: Readonly<Record<string, string>> = {
  "no size": "\r\nhello\r\n",
  "an empty line between chunks": "1\r\na\r\n\r\n0\r\n\r\n",
  "no number": "g\r\n",
  "a number with a sign": "+5\r\nhello\r\n",
  "a negative number": "-5\r\nhello\r\n",
  "a number with 0x": "0x5\r\nhello\r\n",
  "a number in quotes": '"5"\r\nhello\r\n',
  "a blank before the size": " 5\r\nhello\r\n",
  "an extension without a size": ";a\r\nhello\r\n",
  "a bare LF behind the size": "5\nhello\r\n0\r\n\r\n",
  "a bare CR behind the size": "5\rhello\r\n0\r\n\r\n",
  "a bare LF behind an extension": "5;a\nhello\r\n0\r\n\r\n",
  "a bare CR in an extension": "5;a\rb\r\nhello\r\n0\r\n\r\n",
  "a bare LF behind a chunk": "5\r\nhello\n0\r\n\r\n",
  "a bare CR behind a chunk": "5\r\nhello\r0\r\n\r\n",
  "a chunk longer than its size": "4\r\nhello\r\n0\r\n\r\n",
  "a chunk shorter than its size": "6\r\nhello\r\n0\r\n\r\n",
  "a size of 13 digits": "1000000000000\r\n",
  "a size of 2 ** 64 and more": "10000000000000005\r\nhello\r\n0\r\n\r\n",
  "an endless size": "0".repeat(100),
  "a size in Latin-1": "\xb2\r\nab\r\n",
  "NUL in the size": "5\0\r\nhello\r\n",
  "an endless extension": `5;${"x".repeat(17_000)}`,
  "an endless trailer": `0\r\nx: ${"x".repeat(17_000)}`,
  "endless trailers": `0\r\n${"x: y\r\n".repeat(3_000)}`,
  "a bare LF at the end": "0\r\n\n",
  "a bare LF behind a trailer": "0\r\na: b\n\r\n",
  "a bare CR in a trailer": "0\r\na: b\rc\r\n\r\n",
  "two CR at the end": "0\r\n\r\r\n",
};

for (const [what, body] of Object.entries(MALFORMED)) {
  Deno.test(`ChunkDecoder refuses ${what}`, () => {
    assertThrows(() => decode([latin1(body)]), TypeError);
    assertThrows(() => decode([...body].map(latin1)), TypeError);
  });
}

Deno.test("ChunkDecoder allows an extension and trailers up to their bound", () => {
  const long = "x".repeat(16_000);
  const body = `5;${long}\r\nhello\r\n0;${long}\r\na: ${long}\r\n\r\n`;
  assertEquals(decode([latin1(body)]).payload, "hello");
});

/** A chunked body, written in all the ways that are allowed. */
function randomBody(random: Random): { body: Uint8Array; payload: Uint8Array } {
  const payload = Uint8Array.from(
    { length: random.integer(0, 400) },
    () => random.chance(0.3) ? random.pick([10, 13, 48]) : random.integer(0, 255),
  );
  const parts: Uint8Array[] = [];
  const size = (number: number) => {
    let text = number.toString(16).padStart(random.integer(1, 6), "0");
    if (random.chance(0.5)) text = text.toUpperCase();
    if (random.chance(0.2)) text += " ".repeat(random.integer(1, 3));
    if (random.chance(0.3)) text += random.pick([";", ";a", ";a=b", '; a="\xff"', ";a;b"]);
    parts.push(latin1(`${text}\r\n`));
  };
  for (let at = 0; at < payload.length;) {
    const chunk = payload.subarray(at, at + random.integer(1, random.pick([1, 20, 400])));
    size(chunk.length);
    parts.push(chunk, latin1("\r\n"));
    at += chunk.length;
  }
  size(0);
  if (random.chance(0.3)) parts.push(latin1("a: b\r\n".repeat(random.integer(1, 3))));
  parts.push(latin1("\r\n"));
  return { body: Uint8Array.from(parts.flatMap((part) => [...part])), payload };
}

Deno.test("ChunkDecoder reads every body back, in whatever pieces it comes", () => {
  const random = randomFromEnvironment("chunked bodies");
  for (let round = 0; round < 1_000; round++) {
    const { body, payload } = randomBody(random);
    const rest = latin1(random.pick(["", "G", "0\r\n\r\n", "\r\n"]));
    const bytes = Uint8Array.from([...body, ...rest]);
    const pieces: Uint8Array[] = [];
    const most = random.pick([1, 5, 50, 1000]);
    for (let at = 0; at < bytes.length; at += pieces.at(-1)!.length) {
      pieces.push(bytes.slice(at, at + random.integer(1, most)));
    }
    assertEquals(decode(pieces), {
      payload: String.fromCharCode(...payload),
      rest: String.fromCharCode(...rest),
      complete: true,
    }, `round ${round}`);
  }
});

Deno.test("ChunkDecoder says TypeError or goes on, whatever was changed in a body", () => {
  const random = randomFromEnvironment("changed chunked bodies");
  for (let round = 0; round < 2_000; round++) {
    const bytes = [...randomBody(random).body];
    const at = random.integer(0, bytes.length - 1);
    if (random.chance(0.5)) bytes[at] = random.integer(0, 255);
    else bytes.splice(at, random.integer(0, 2), ...random.pick([[], [10], [13], [48]]));
    try {
      const { payload } = decode([Uint8Array.from(bytes)]);
      assert(payload.length <= bytes.length, `round ${round}`);
    } catch (error) {
      assert(error instanceof TypeError, `round ${round}: ${error}`);
    }
  }
});
