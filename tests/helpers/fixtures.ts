/**
 * Reads the files under `tests/fixtures`.
 *
 * @module
 */

import type { Expected } from "./expectations.ts";

const FIXTURES = new URL("../fixtures/", import.meta.url);

/** What every fixture of an answer says about itself. */
export interface About {
  /** The file's name without its endings. */
  name: string;
  /** What is special about it. */
  what: string;
  /** The dialect that it is in. */
  dialect: "chat" | "responses";
}

/** A stream as a gateway sends it: `streams/<name>.sse`, and beside it what must come of it. */
export interface StreamFixture extends About {
  /** The bytes. */
  bytes: Uint8Array;
  /** What must come of them. */
  expected: Expected;
}

/** A whole answer as a gateway sends it: `streams/<name>.completion.json`. */
export interface CompletionFixture extends About {
  /** The parsed body. */
  body: Record<string, unknown>;
  /** What must come of it. */
  expected: Expected;
}

/** An error as a gateway sends it: a line of `errors/errors.jsonl`. */
export interface ErrorFixture {
  /** A name for messages. */
  id: string;
  /** The status. */
  status: number;
  /** Headers, where they matter. */
  headers?: Record<string, string>;
  /** The body: JSON, or text where it is a string. */
  body: unknown;
  /** What it is about, in a word or two. */
  kind: string;
  /** Words that the error must still have when it reaches the client. */
  includes: string;
  /** Whether it may be tried again before the first byte. */
  retry: boolean;
  /** What a bridge can learn of it, where it can. */
  teaches?: string;
}

function namesIn(folder: string, ending: string): string[] {
  return [...Deno.readDirSync(new URL(folder, FIXTURES))]
    .map((entry) => entry.name)
    .filter((name) => name.endsWith(ending))
    .map((name) => name.slice(0, -ending.length))
    .sort();
}

function readFixture(path: string): string {
  return Deno.readTextFileSync(new URL(path, FIXTURES));
}

/**
 * All streams.
 *
 * @param dialect Only those in this dialect; all if left out.
 * @returns The streams by name.
 */
export function streamFixtures(dialect?: About["dialect"]): StreamFixture[] {
  return namesIn("streams/", ".sse").map((name) => {
    const { what, dialect, ...expected } = JSON.parse(readFixture(`streams/${name}.json`));
    const bytes = Deno.readFileSync(new URL(`streams/${name}.sse`, FIXTURES));
    return { name, what, dialect, bytes, expected };
  }).filter((fixture) => dialect === undefined || fixture.dialect === dialect);
}

/**
 * All whole answers.
 *
 * @param dialect Only those in this dialect; all if left out.
 * @returns The answers by name.
 */
export function completionFixtures(dialect?: About["dialect"]): CompletionFixture[] {
  return namesIn("streams/", ".completion.json").map((name) => {
    const file = JSON.parse(readFixture(`streams/${name}.completion.json`));
    return { name, dialect: "chat", ...file } as CompletionFixture;
  }).filter((fixture) => dialect === undefined || fixture.dialect === dialect);
}

/**
 * All errors.
 *
 * @returns The errors in the order of the file.
 */
export function errorFixtures(): ErrorFixture[] {
  return readFixture("errors/errors.jsonl").trim().split("\n").map((line) => JSON.parse(line));
}

/**
 * A request of ForgeCode's.
 *
 * @param name The file's name in `requests/`, without its ending.
 * @returns The parsed body.
 */
export function requestFixture(name: string): Record<string, unknown> {
  return JSON.parse(readFixture(`requests/${name}.json`));
}
