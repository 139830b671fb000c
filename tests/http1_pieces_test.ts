import { assert, assertEquals, assertRejects } from "@std/assert";
import { ChunkDecoder } from "../lib/http1/chunks.ts";
import { Connection } from "../lib/http1/connection.ts";
import { inPieces, type Pieces, piecesOf, toReply, toStream } from "../lib/http1/reply.ts";
import { writeReply } from "../lib/http1/reply_writer.ts";
import { latin1, MemorySocket } from "./helpers/memory_socket.ts";
import { sanitizeTests } from "./helpers/sanitizers.ts";

sanitizeTests();

/** A socket that takes at most so many bytes at once. */
class NarrowSocket extends MemorySocket {
  readonly #most: number;
  writes = 0;

  constructor(most: number) {
    super([]);
    this.#most = most;
  }

  override write(bytes: Uint8Array): Promise<number> {
    this.writes++;
    return super.write(bytes.subarray(0, this.#most));
  }
}

/** A socket that looks at the bytes only when it is let. */
class HeldSocket extends MemorySocket {
  take = () => {};

  override write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve) => this.take = () => resolve(super.write(bytes)));
  }
}

/** Pieces that are there; what isn't text or bytes is thrown. */
class ListedPieces implements Pieces {
  readonly #list: (string | Uint8Array<ArrayBuffer> | Error)[];
  readonly #tellsEnd: boolean;
  cancelled = false;

  constructor(list: (string | Uint8Array<ArrayBuffer> | Error)[], tellsEnd: boolean) {
    this.#list = [...list];
    this.#tellsEnd = tellsEnd;
  }
  get over(): boolean {
    return this.#tellsEnd && this.#list.length === 0;
  }
  async next(): Promise<string | Uint8Array<ArrayBuffer> | undefined> {
    await Promise.resolve();
    const piece = this.#list.shift();
    if (piece instanceof Error) throw piece;
    return piece;
  }
  cancel(): void {
    this.cancelled = true;
  }
}

/** The payload of a chunked body, as text. */
function unchunked(written: string): { text: string; complete: boolean; behind: string } {
  const decoder = new ChunkDecoder();
  const bytes = latin1(written);
  const length = decoder.decode(bytes);
  return {
    text: new TextDecoder().decode(bytes.subarray(0, length)),
    complete: decoder.complete,
    behind: written.slice(decoder.used),
  };
}

const TEXTS: Readonly<Record<string, string>> = {
  "a character": "x",
  "15 bytes": "x".repeat(15),
  "16 bytes": "x".repeat(16),
  "255 bytes": "x".repeat(255),
  "umlauts": "grüß dich, größter Bär ".repeat(20),
  "emoji": "🙂".repeat(300),
  "as much as surely fits": "x".repeat(21_000),
  "three bytes a character, as many as fit": "€".repeat(21_800),
  "more than the buffer": "ä".repeat(70_000),
};

for (const [what, text] of Object.entries(TEXTS)) {
  for (const most of [Infinity, 1000, 7]) {
    Deno.test(`Connection.writeChunk() writes ${what} as one chunk, ${most} bytes at once`, async () => {
      const socket = new NarrowSocket(most);
      const connection = new Connection(socket);
      await connection.writeChunk(text);
      assert(/^[1-9a-f][0-9a-f]*\r\n/.test(socket.written), socket.written.slice(0, 20));
      assertEquals(unchunked(socket.written), { text, complete: false, behind: "" });
      // The buffer is used again; what goes out behind it is in the same write.
      const before = socket.writes;
      await connection.writeChunk("z", "0\r\n\r\n");
      assertEquals(unchunked(socket.written), { text: `${text}z`, complete: true, behind: "" });
      if (most === Infinity) assertEquals(socket.writes, before + 1);
    });
  }

  Deno.test(`Connection.write() writes ${what}, whatever stands before and behind it`, async () => {
    const socket = new NarrowSocket(1000);
    const connection = new Connection(socket);
    await connection.write(text);
    await connection.write("<", text, ">");
    await connection.write("<", new TextEncoder().encode(text), "");
    await connection.write("");
    const expected = `${text}<${text}><${text}`;
    assertEquals(new TextDecoder().decode(latin1(socket.written)), expected);
  });
}

Deno.test("Connection.write() keeps what its socket hasn't taken yet, whatever other connections write", async () => {
  const sockets = Array.from({ length: 12 }, () => new HeldSocket([]));
  const connections = sockets.map((socket) => new Connection(socket));
  const text = (round: number, at: number) => `${round}-${at} `.repeat(at + 1);
  for (const round of [1, 2, 3]) {
    const writing = connections.map((connection, at) =>
      at % 3 === 0
        ? connection.write(text(round, at))
        : at % 3 === 1
        ? connection.writeChunk(text(round, at))
        : connection.write(latin1(text(round, at)), "")
    );
    // The last ones first; those in the middle are written before the others have gone out.
    for (const socket of sockets.toReversed()) socket.take();
    await Promise.all(writing);
  }
  sockets.forEach(({ written }, at) => {
    const said = at % 3 === 1 ? unchunked(written).text : written;
    assertEquals(said, [1, 2, 3].map((round) => text(round, at)).join(""));
  });
});

/** Writes pieces as an answer. */
async function answer(pieces: Pieces, chunked = true) {
  const socket = new NarrowSocket(Infinity);
  const whole = await writeReply(new Connection(socket), {
    status: 200,
    headers: {},
    body: pieces,
  }, { head: false, chunked, close: false, onLeave: () => {} });
  const at = socket.written.indexOf("\r\n\r\n") + 4;
  return { whole, body: socket.written.slice(at), writes: socket.writes };
}

for (const tellsEnd of [true, false]) {
  const kind = tellsEnd ? "that tell of their end" : "whose end shows later";
  Deno.test(`writeReply() writes pieces ${kind}, empty ones left out`, async () => {
    const list = ["", "a", new Uint8Array(), latin1("bc"), "", "dé", ""];
    const { whole, body, writes } = await answer(new ListedPieces(list, tellsEnd));
    assertEquals(unchunked(body), { text: "abcdé", complete: true, behind: "" });
    assert(whole && writes === 4, `${writes} writes`);
  });

  Deno.test(`writeReply() writes the last of pieces ${kind}, and the end of the body`, async () => {
    const { body, writes } = await answer(new ListedPieces(["a", "b"], tellsEnd));
    assertEquals(unchunked(body), { text: "ab", complete: true, behind: "" });
    assertEquals(
      writes,
      tellsEnd ? 2 : 3,
      "the end goes out with the last piece where it is known",
    );
  });

  Deno.test(`writeReply() writes an empty body of no pieces, ${kind}`, async () => {
    const { whole, body } = await answer(new ListedPieces([], tellsEnd));
    assertEquals([whole, body], [true, "0\r\n\r\n"]);
  });

  Deno.test(`writeReply() writes pieces ${kind} without chunks to HTTP/1.0`, async () => {
    const { whole, body } = await answer(new ListedPieces(["a", "", latin1("b")], tellsEnd), false);
    assertEquals([whole, body], [true, "ab"]);
  });
}

Deno.test("writeReply() leaves a body without its end when it breaks off, and lets go of it", async () => {
  const pieces = new ListedPieces(["a", new Error("broken")], true);
  const { whole, body } = await answer(pieces);
  assertEquals([whole, unchunked(body).complete, pieces.cancelled], [false, false, true]);
});

Deno.test("toStream() and piecesOf() are each other's reverse, empty pieces left out", async () => {
  const pieces = new ListedPieces(["", "a", latin1("b"), "", "é"], false);
  const back = piecesOf(toStream(pieces));
  assert(inPieces(back));
  const bytes: number[] = [];
  for (let piece = await back.next(); piece !== undefined; piece = await back.next()) {
    bytes.push(...piece as Uint8Array);
  }
  assertEquals(new TextDecoder().decode(new Uint8Array(bytes)), "abé");
  assert(back.over);
});

Deno.test("toStream() breaks off where its pieces do, and hands a cancel on", async () => {
  const broken = toStream(new ListedPieces(["a", new Error("broken")], false));
  await assertRejects(() => new Response(broken).text(), Error, "broken");
  const pieces = new ListedPieces(["a", "b"], false);
  const reader = toStream(pieces).getReader();
  await reader.read();
  await reader.cancel();
  assert(pieces.cancelled);
});

Deno.test("toReply() reads what is whole, and streams what is one", async () => {
  const whole = await toReply(Response.json({ a: 1 }));
  assertEquals(whole.body, latin1('{"a":1}'));
  const headers = { "content-type": "text/event-stream" };
  const streamed = await toReply(new Response("data: 1", { headers }));
  assert(inPieces(streamed.body));
  assertEquals(await streamed.body.next(), latin1("data: 1"));
  streamed.body.cancel();
  assertEquals(await streamed.body.next(), undefined);
  assertEquals((await toReply(new Response(null, { status: 204 }))).body, null);
});
