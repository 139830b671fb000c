/** Bodies on a connection: each length, each way to read, and not a byte too far. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Body, type BodyLength, readAll } from "../lib/http1/body.ts";
import { type BodyEvents, bodyStream } from "../lib/http1/body_readers.ts";
import { Connection } from "../lib/http1/connection.ts";
import { inTime } from "./helpers/fault_bridge.ts";
import { bytewise, MemorySocket } from "./helpers/memory_socket.ts";
import { randomFromEnvironment } from "./helpers/random.ts";
import { sanitizeTests } from "./helpers/sanitizers.ts";

sanitizeTests();

const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);

type Stream = ReadableStream<Uint8Array<ArrayBuffer>>;

/** Reads with a default reader. */
async function readDefault(stream: Stream): Promise<string> {
  let all = "";
  for await (const piece of stream) all += text(piece);
  return all;
}

/** Reads into buffers of the reader's own. */
const readByob = (size: number) => async (stream: Stream) => {
  const reader = stream.getReader({ mode: "byob" });
  let all = "";
  for (;;) {
    const { value, done } = await reader.read(new Uint8Array(size));
    if (done) return all;
    all += text(value);
  }
};

/** Reads with the body's own method. */
const readDirect = (size: number) => async (body: Body) => {
  let all = "";
  const into = new Uint8Array(size);
  for (let count = -1; count !== 0;) {
    count = await body.read(into);
    all += text(into.subarray(0, count));
  }
  return all;
};

/** Every way to read a body to its end. */
const WAYS: Readonly<Record<string, (body: Body) => Promise<string>>> = {
  "Body.read() of a byte": readDirect(1),
  "Body.read() of 7 bytes": readDirect(7),
  "Body.read() of much": readDirect(10_000),
  "readAll()": async (body) => text(new Uint8Array(await readAll(body))),
  "bodyStream() by a default reader": (body) => readDefault(bodyStream(body)),
  "bodyStream() by a BYOB reader of a byte": (body) => readByob(1)(bodyStream(body)),
  "bodyStream() by a BYOB reader of 7 bytes": (body) => readByob(7)(bodyStream(body)),
  "bodyStream() by a BYOB reader of much": (body) => readByob(10_000)(bodyStream(body)),
};

/** Bodies of each kind: as they come, and what they carry. */
const KINDS: Readonly<Record<string, readonly [BodyLength, body: string, payload: string]>> = {
  "a stated length": [11, "hello world", "hello world"],
  "no length at all": [0, "", ""],
  "chunks": ["chunked", "5;a\r\nhello\r\n006\r\n world\r\n0\r\na: b\r\n\r\n", "hello world"],
  "no chunks": ["chunked", "0\r\n\r\n", ""],
};
const NEXT = "GET /next HTTP/1.1\r\nhost: a\r\n\r\n";

for (const [way, read] of Object.entries(WAYS)) {
  for (const [what, [length, body, payload]] of Object.entries(KINDS)) {
    // The head before it is what makes the connection read too far.
    for (const head of ["", "POST / HTTP/1.1\r\n\r\n"]) {
      const behind = head === "" ? "" : " behind a head";
      Deno.test(`${way} leaves what comes behind ${what}${behind}, cut anywhere`, async () => {
        const all = head + body + NEXT;
        const cuts = Array.from(
          { length: all.length },
          (_, at) => [all.slice(0, at), all.slice(at)],
        );
        for (const pieces of [...cuts, bytewise(all)]) {
          const connection = new Connection(new MemorySocket(pieces));
          if (head !== "") assert(typeof await connection.readHead() === "object");
          const reading = new Body(connection, length);
          assertEquals(await read(reading), payload, JSON.stringify(pieces));
          assert(reading.complete);
          const next = await connection.readHead();
          assert(typeof next === "object", `${JSON.stringify(pieces)}: the next head is ${next}`);
          assertEquals(next.start, "GET /next HTTP/1.1");
          assertEquals(await connection.readHead(), "closed");
        }
      });
    }
  }

  Deno.test(`${way} takes all to the connection's end`, async () => {
    const socket = new MemorySocket(["HTTP/1.0 200 OK\r\n\r\nhello", " ", "world"]);
    const connection = new Connection(socket);
    await connection.readHead();
    assertEquals(await read(new Body(connection, "to the end")), "hello world");
  });

  const broken: Readonly<Record<string, readonly [BodyLength, string]>> = {
    "a body shorter than stated": [12, "hello world"],
    "a body of nothing, where something was stated": [1, ""],
    "a chunked body of nothing": ["chunked", ""],
    "a chunked body cut off in a size": ["chunked", "5"],
    "a chunked body cut off in a chunk": ["chunked", "5\r\nhel"],
    "a chunked body cut off behind a chunk": ["chunked", "5\r\nhello\r\n"],
    "a chunked body cut off in its trailers": ["chunked", "5\r\nhello\r\n0\r\na: b\r\n"],
    "what is no chunked body": ["chunked", "hello world"],
  };
  for (const [what, [length, body]] of Object.entries(broken)) {
    Deno.test(`${way} rejects with TypeError on ${what}`, async () => {
      const connection = new Connection(new MemorySocket(bytewise(body)));
      await assertRejects(() => read(new Body(connection, length)), TypeError, "incomplete");
    });
  }

  for (const length of [12, "chunked", "to the end"] as const) {
    Deno.test(`${way} rejects with the socket's error in a body of ${length}`, async () => {
      const socket = new MemorySocket(["5\r\nhe"], "broken");
      await assertRejects(
        () => read(new Body(new Connection(socket), length)),
        Deno.errors.ConnectionReset,
      );
    });
  }
}

Deno.test("Body.read() never asks the socket for more than the stated length", async () => {
  const socket = new MemorySocket(["hello", "world"]);
  const body = new Body(new Connection(socket), 7);
  assertEquals(await readDirect(100)(body), "hellowo");
  assertEquals(socket.left, 3);
});

Deno.test("Body.read() asks onBegin once, before its first read, and tells onRead of each", async () => {
  const events: string[] = [];
  const body = new Body(
    new Connection(new MemorySocket(["5\r\nhe", "llo\r\n0\r\n\r\n"])),
    "chunked",
  );
  body.onBegin = () => Promise.resolve(void events.push("begin"));
  body.onRead = () => events.push(body.complete ? "complete" : "read");
  assertEquals(events, []);
  await readDirect(100)(body);
  assertEquals(events, ["begin", "read", "complete"]);
});

Deno.test("Body.left counts down what was stated", async () => {
  const body = new Body(new Connection(new MemorySocket(["hello"])), 5);
  const left = [body.left];
  for (const size of [2, 3]) {
    await body.read(new Uint8Array(size));
    left.push(body.left);
  }
  assertEquals(left, [5, 3, 0]);
  assertEquals(new Body(new Connection(new MemorySocket([])), "chunked").left, Infinity);
});

Deno.test("readAll() reads more than its first buffer holds", async () => {
  const payload = Uint8Array.from({ length: 3_000_000 }, (_, at) => at % 251);
  const hex = payload.length.toString(16);
  const whole = new Body(new Connection(new MemorySocket([payload])), payload.length);
  const chunked = new Body(
    new Connection(new MemorySocket([`${hex}\r\n`, payload, "\r\n0\r\n\r\n"])),
    "chunked",
  );
  for (const body of [whole, chunked]) {
    const bytes = new Uint8Array(await readAll(body));
    assert(bytes.length === payload.length && bytes.every((byte, at) => byte === at % 251));
  }
});

Deno.test("readAll() doesn't believe a stated length as far as to take that much memory", async () => {
  const body = new Body(new Connection(new MemorySocket(["hello"])), 999_999_999_999_999);
  await assertRejects(() => readAll(body), TypeError, "incomplete");
});

/** What a stream's events tell. */
function recorder() {
  const told: string[] = [];
  const events: BodyEvents = {
    onComplete: () => told.push("complete"),
    onBroken: () => told.push("broken"),
    failure: (error) => new Error("told", { cause: error }),
  };
  return { told, events };
}

Deno.test("bodyStream() tells of the end with the last piece, and once", async () => {
  const { told, events } = recorder();
  const socket = new MemorySocket(["hello"], "silent");
  const reader = bodyStream(new Body(new Connection(socket), 5), events).getReader();
  assertEquals(text((await reader.read()).value!), "hello");
  assertEquals(told, ["complete"]);
  assertEquals((await reader.read()).done, true);
  assertEquals(told, ["complete"]);
});

Deno.test("bodyStream() reads nothing that nobody asked for", async () => {
  const socket = new MemorySocket(["hello"], "silent");
  const stream = bodyStream(new Body(new Connection(socket), 5));
  await Promise.resolve();
  assertEquals(socket.left, 5);
  assertEquals(await readDefault(stream), "hello");
});

Deno.test("bodyStream() fails with what a failure is told as, and tells once", async () => {
  const { told, events } = recorder();
  const stream = bodyStream(new Body(new Connection(new MemorySocket(["he"])), 5), events);
  const reader = stream.getReader();
  assertEquals(text((await reader.read()).value!), "he");
  for (let round = 0; round < 2; round++) await assertRejects(() => reader.read(), Error, "told");
  assertEquals(told, ["broken"]);
});

Deno.test("bodyStream() tells of a cancel, also while it reads", async () => {
  for (const read of [false, true]) {
    const { told, events } = recorder();
    const connection = new Connection(new MemorySocket([], "silent"));
    const reader = bodyStream(new Body(connection, 5), events).getReader();
    const reading = read ? reader.read() : undefined;
    await inTime("the cancel", reader.cancel());
    assertEquals(told, ["broken"]);
    if (reading) assertEquals((await inTime("the read", reading)).done, true);
    // What the read that was under way ends with, nobody is told of any more.
    connection.close();
    await new Promise((resolve) => setTimeout(resolve));
    assertEquals(told, ["broken"]);
  }
});

for (const mode of ["default", "byob"] as const) {
  Deno.test(`bodyStream() ends every read that waits (${mode})`, async () => {
    const stream = bodyStream(new Body(new Connection(new MemorySocket(["hello"])), 5));
    let reads: Promise<{ value?: Uint8Array; done: boolean }>[];
    if (mode === "default") {
      const reader = stream.getReader();
      reads = [reader.read(), reader.read(), reader.read()];
    } else {
      const reader = stream.getReader({ mode: "byob" });
      reads = Array.from({ length: 3 }, () => reader.read(new Uint8Array(10)));
    }
    const results = await inTime("the reads", Promise.all(reads), 1_000);
    assertEquals(results.map(({ done }) => done), [false, true, true]);
  });
}

Deno.test("bodyStream() gives a reader that asks for more than there is what there is", async () => {
  const stream = bodyStream(new Body(new Connection(new MemorySocket(["he", "llo"])), 5));
  const reader = stream.getReader({ mode: "byob" });
  const reading = reader.read(new Uint8Array(10), { min: 10 });
  assertEquals(text((await inTime("the read", reading, 1_000)).value!), "hello");
});

for (const way of ["default", "byob"] as const) {
  Deno.test(`bodyStream() doesn't write over what it handed out (${way})`, async () => {
    const random = randomFromEnvironment("pieces that are kept");
    const chunks = Array.from(
      { length: 200 },
      (_, at) => String.fromCharCode(97 + at % 26).repeat(random.integer(1, 200)),
    );
    const body = `${
      chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("")
    }`;
    const pieces: string[] = [];
    for (let at = 0; at < body.length; at += pieces.at(-1)!.length) {
      pieces.push(body.slice(at, at + random.integer(1, 3_000)));
    }
    const socket = new MemorySocket(["G\r\n\r\n" + pieces[0], ...pieces.slice(1), "0\r\n\r\n"]);
    const connection = new Connection(socket);
    await connection.readHead();
    const stream = bodyStream(new Body(connection, "chunked"));
    const kept: Uint8Array[] = [];
    if (way === "default") { for await (const piece of stream) kept.push(piece); }
    else {
      const reader = stream.getReader({ mode: "byob" });
      for (;;) {
        const { value, done } = await reader.read(new Uint8Array(random.integer(1, 5_000)));
        if (done) break;
        kept.push(value);
      }
    }
    assertEquals(kept.map(text).join(""), chunks.join(""));
  });
}

Deno.test("Body and Connection read a row of random messages, in whatever pieces they come", async () => {
  const random = randomFromEnvironment("messages in a row");
  for (let round = 0; round < 200; round++) {
    let bytes = "";
    const messages = Array.from({ length: random.integer(1, 5) }, (_, number) => {
      const payload = "x\r\n0".repeat(random.integer(0, 300)).slice(random.integer(0, 3));
      const chunked = random.chance(0.5);
      bytes += `POST /${number} HTTP/1.1\r\n\r\n`;
      if (!chunked) bytes += payload;
      for (let at = 0; chunked && at < payload.length;) {
        const chunk = payload.slice(at, at + random.integer(1, 300));
        bytes += `${chunk.length.toString(16)}\r\n${chunk}\r\n`;
        at += chunk.length;
      }
      if (chunked) bytes += "0\r\n\r\n";
      return { payload, length: chunked ? "chunked" as const : payload.length };
    });
    const pieces: string[] = [];
    const most = random.pick([1, 10, 1_000, 10_000]);
    for (let at = 0; at < bytes.length; at += pieces.at(-1)!.length) {
      pieces.push(bytes.slice(at, at + random.integer(1, most)));
    }
    const connection = new Connection(new MemorySocket(pieces));
    for (const [number, { payload, length }] of messages.entries()) {
      const head = await connection.readHead();
      assert(typeof head === "object", `round ${round}, ${number}: ${head}`);
      assertEquals(head.start, `POST /${number} HTTP/1.1`, `round ${round}`);
      const read = random.pick(Object.values(WAYS));
      assertEquals(await read(new Body(connection, length)), payload, `round ${round}, ${number}`);
    }
    assertEquals(await connection.readHead(), "closed");
  }
});
