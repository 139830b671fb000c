/**
 * Stops clients that repeat a paid request. ForgeCode does so up to 100 times over an ending that it
 * doesn't like, and adds the partial answer to the request each time (`forgecode.md`, "Runaway"). The
 * bridge normalizes what it can; what it can't, such as an answer that is cut for its length every time,
 * ends here.
 *
 * @module
 */

import { BridgeError } from "../errors.ts";
import { hash64 } from "../hash.ts";
import { isObject, type JsonObject } from "../json.ts";
import { maxTokensOf, TOKEN_FIELDS } from "./adjustments.ts";

/** How many bad endings of one turn in a row are let through. A client may go on with a cut answer. */
export const MOST = 8;

/** How many are let through where nothing was said: what is repeated then says nothing again. */
export const MOST_SILENT = 3;

/** How long a turn is kept that nobody asks for, in milliseconds. */
export const LIFETIME = 60 * 60 * 1000;

/** How many turns are watched at once; the longest unused go first. */
const MAX_TURNS = 2_000;

/** The ending of an answer whose tool call was cut off; also that error's code. */
export const CALL_CUT_OFF = "tool_call_incomplete";

/** Endings that a higher limit may help. */
const TOO_LONG: ReadonlySet<string> = new Set(["length", CALL_CUT_OFF]);

/** Endings of a complete answer. */
const GOOD = new Set([
  "stop",
  "end_turn",
  "stop_sequence",
  "completed",
  "tool_calls",
  "tool_use",
  "function_call",
]);

/** The bad endings of one turn since its last good one. */
interface Turn {
  /** How many there were. */
  count: number;
  /** How many of them said nothing. */
  silent: number;
  /** The last one. */
  ending: string;
  /** The highest limit of tokens that it was asked with. */
  limit: number;
  /** When it was last asked for or ended, in milliseconds. */
  touched: number;
}

/**
 * Counts the bad endings of each turn. A turn is what a model is asked: the model, the tools and the
 * messages up to the last one that isn't the assistant's, so that a request which goes on with a cut
 * answer belongs to the same turn. A good ending forgets the turn: it says something, and ends with
 * `stop` or with tool calls.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { BridgeError } from "../errors.ts";
 * import { RetryLoopGuard } from "./retry_loop_guard.ts";
 *
 * const guard = new RetryLoopGuard();
 * const request = { model: "m", messages: [{ role: "user", content: "Write a novel" }] };
 * for (let time = 0; time < 8; time++) guard.ended(request, "length");
 * assertThrows(() => guard.check(request), BridgeError, "max_tokens");
 * ```
 */
export class RetryLoopGuard {
  readonly #turns = new Map<string, Turn>();
  readonly #now: () => number;

  /** Makes a guard that reads the time, in milliseconds, from `now`. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** How many turns are watched. */
  get size(): number {
    return this.#turns.size;
  }

  /**
   * Lets a request pass, or stops it where its turn has ended badly too often. As long as nothing has
   * ended badly, which is nearly always, it costs nothing.
   *
   * @param request The client's body, in any dialect.
   * @throws {BridgeError} kind `runaway`: what happened, and what to change.
   */
  check(request: JsonObject): void {
    const since = this.#now() - LIFETIME;
    // The turns stand in the order in which they were used.
    for (const [key, { touched }] of this.#turns) {
      if (touched > since) break;
      this.#turns.delete(key);
    }
    if (this.#turns.size === 0) return;
    const key = keyOf(request);
    const turn = this.#turns.get(key);
    if (turn === undefined) return;
    // Whoever does what the message says is let through.
    if (TOO_LONG.has(turn.ending) && (maxTokensOf(request) ?? 0) > turn.limit && turn.limit > 0) {
      this.#turns.delete(key);
      return;
    }
    this.#touch(key, turn);
    if (turn.count >= MOST || turn.silent >= MOST_SILENT) throw stopped(turn, request);
  }

  /**
   * Notes how a request ended.
   *
   * @param request As for {@linkcode RetryLoopGuard.check}.
   * @param ending A finish reason, `empty`, or an error's kind.
   * @param content Whether the answer said anything: text or a tool call; reasoning alone says nothing.
   */
  ended(request: JsonObject, ending: string, content: boolean = ending !== "empty"): void {
    const good = content && GOOD.has(ending);
    if (good && this.#turns.size === 0) return;
    const key = keyOf(request);
    if (good) {
      this.#turns.delete(key);
      return;
    }
    const turn = this.#turns.get(key) ?? { count: 0, silent: 0, ending, limit: 0, touched: 0 };
    turn.count++;
    turn.limit = Math.max(turn.limit, maxTokensOf(request) ?? 0);
    // A refusal and an error say why by themselves; silence is what repeats itself.
    turn.silent = !content && (GOOD.has(ending) || ending === "empty" || ending === "length")
      ? turn.silent + 1
      : 0;
    turn.ending = !content && GOOD.has(ending) ? "empty" : ending;
    this.#touch(key, turn);
    if (this.#turns.size > MAX_TURNS) this.#turns.delete(this.#turns.keys().next().value!);
  }

  #touch(key: string, turn: Turn): void {
    turn.touched = this.#now();
    this.#turns.delete(key);
    this.#turns.set(key, turn);
  }
}

/** Items and messages at the end of a request that belong to the answer which is asked for. */
function isAnswer(entry: unknown): boolean {
  if (!isObject(entry)) return false;
  return entry.role === "assistant" || entry.role === "model" ||
    entry.type === "reasoning" || entry.type === "function_call" ||
    entry.type === "custom_tool_call";
}

/** A message without what clients add to it, and change from one attempt to the next. */
function stable(entry: unknown): unknown {
  if (!isObject(entry)) return entry;
  const { id: _id, reasoning_details: _details, reasoning_content: _text, reasoning: _r, ...rest } =
    entry;
  return rest;
}

/**
 * What tells one turn from another, in any dialect. Clients change the rest from one attempt to the next.
 * A chain of hashes, one piece after the other, so that no prompt is kept and nothing large is built.
 */
function keyOf(request: JsonObject): string {
  const { model, instructions, system, systemInstruction, tools } = request;
  let hash = "";
  let length = 0;
  const add = (value: unknown) => {
    const text = JSON.stringify(value) ?? "";
    length += text.length;
    hash = hash64(hash + text);
  };
  [model, instructions, system, systemInstruction].forEach(add);
  for (const tool of Array.isArray(tools) ? tools : [tools]) add(tool);
  for (const name of ["messages", "input", "contents"]) {
    const list = request[name];
    if (!Array.isArray(list)) {
      add(list);
      continue;
    }
    const end = list.findLastIndex((entry) => !isAnswer(entry)) + 1;
    for (let at = 0; at < end; at++) add(stable(list[at]));
  }
  return `${length}:${hash}`;
}

/** The field that limits the answer, with its value, for people. */
function limitOf(request: JsonObject): string {
  const field = TOKEN_FIELDS.find((name) => typeof request[name] === "number") ??
    (request.contents !== undefined ? "maxOutputTokens" : undefined) ??
    (Array.isArray(request.input) || typeof request.input === "string"
      ? "max_output_tokens"
      : "max_tokens");
  const most = maxTokensOf(request);
  return most === undefined ? `\`${field}\`` : `\`${field}\` (it is ${most})`;
}

/** What helps against an ending. */
function remedy({ ending, silent }: Turn, request: JsonObject): string {
  switch (ending) {
    case "length":
      return silent > 0
        ? `The model thought until its tokens ran out, and said nothing: raise ${
          limitOf(request)
        }, or ask for less reasoning effort`
        : `The answer doesn't fit: raise ${limitOf(request)}, or ask for less at once`;
    case CALL_CUT_OFF:
      return `The tool call doesn't fit: raise ${limitOf(request)}, or ask for less at once`;
    case "empty":
      return "The model says nothing: rephrase the request, or try another model";
    case "interrupted":
      return "The gateway breaks the answer off: wait, or try another model";
    case "content_filter":
    case "refusal":
      return "A filter stops the answer, or the model refuses it: rephrase the request";
    default:
      return "Change the request, or try another model";
  }
}

function stopped(turn: Turn, request: JsonObject): BridgeError {
  const times = turn.count >= MOST ? turn.count : turn.silent;
  return new BridgeError(
    "runaway",
    `The same turn has ended badly ${times} times in a row, the last time with "${turn.ending}", and every time was paid for: the bridge stops it here. ${
      remedy(turn, request)
    }. Another message in the conversation is let through at once, the same one after an hour; --no-runaway-guard turns this off.`,
  );
}
