/**
 * The tool calls of a stream, ordered so that the strictest client can join them. ForgeCode ignores
 * `index` and joins fragments by change of `id` (`forgecode.md`), so the fragments of one call must stand
 * together, each call needs an id of its own, and arguments are always strings.
 *
 * @module
 */

import { cleanToolName } from "../adapt/tool_names.ts";
import { BridgeError } from "../errors.ts";
import { fitsField, wholeCharacters } from "./fields.ts";
import { isObject, type JsonObject } from "../json.ts";
import { ArgumentsScanner } from "./json_scanner.ts";

/** One call of the stream. */
interface Call {
  readonly id: string;
  /** The gateway's own id, if it gave one; two calls may share it. */
  readonly givenId: string | undefined;
  /** The gateway's own index, if it gave one. */
  readonly index: number | undefined;
  name: string;
  /** Fields of the call that the bridge doesn't know, such as Gemini's `thoughtSignature`. */
  extra: JsonObject;
  readonly text: ArgumentsScanner;
  /** Arguments that were not sent to the client yet. */
  held: string;
  /** Its place among the calls sent to the client; -1 while none of it was sent. */
  place: number;
  /** Whether any argument text came at all. */
  any: boolean;
  /** Joins a character that was cut in two. */
  readonly whole: (text: string) => string;
}

/** A call that was begun, for its cache entry. */
export interface BegunCall {
  /** The id that the client gets. */
  readonly id: string;
  /** Unknown fields, as the gateway sent them. */
  readonly extra: JsonObject;
  /** Whether it is the first call of the answer. */
  readonly first: boolean;
}

/** The most calls in one answer; far more than any model makes. */
const MAX_CALLS = 1024;

/** The most argument text that is held back for calls whose turn has not come, in characters. */
const MAX_HELD = 16 * 1024 * 1024;

/** The name of a call that came without one: a client answers it as an unknown tool, and the model can correct itself. */
const UNNAMED = "unnamed_tool";

/** What a {@linkcode ToolCallAssembler} is made of. */
export interface ToolCallAssemblerOptions {
  /** Makes an id for a call that has none of its own. */
  readonly makeId: () => string;
  /** The names of the tools that the request offers, by which names are cleaned. @default none */
  readonly toolNames?: ReadonlySet<string>;
  /** Ids that calls of the conversation have already. @default none */
  readonly usedIds?: ReadonlySet<string>;
  /** Called for every call when its first fragment goes out. */
  readonly onBegin?: (call: BegunCall) => void;
}

/** Whether an id is made of the call's place (`call_0`, `0`): the next answer's calls get the same ones. */
function isNumbered(id: string, place: number): boolean {
  const end = String(place);
  return id.endsWith(end) && /^(?:[a-z]{0,16}[_\-:.])?$/i.test(id.slice(0, -end.length));
}

/**
 * Orders the tool call fragments of one choice. The first call goes out live; another one that begins
 * before it is complete is held, and goes out when its turn comes, at the latest with the ending.
 *
 * @example
 * ```ts
 * import { ToolCallAssembler } from "./tool_calls.ts";
 *
 * const order = new ToolCallAssembler({ makeId: () => "call_1" });
 * const first = order.push([{ index: 1, function: { name: "ls", arguments: '{"p":' } }]);
 * if (first[0].index !== 0 || first[0].id !== "call_1") throw new Error("renumbered, with an id");
 * order.push([{ index: 2, id: "b", function: { name: "cat", arguments: "{" } }]);
 * const rest = order.push([{ index: 1, function: { arguments: "1}" } }]);
 * if (rest.length !== 2 || rest[1].id !== "b") throw new Error("then the one that was held");
 * ```
 */
export class ToolCallAssembler {
  readonly #options: ToolCallAssemblerOptions;
  readonly #calls: Call[] = [];
  #open: Call | undefined;
  #sent = 0;
  #held = 0;

  /** Makes the assembler of one choice's calls. */
  constructor(options: ToolCallAssemblerOptions) {
    this.#options = options;
  }

  /** Whether any call was seen. */
  get any(): boolean {
    return this.#calls.length > 0;
  }

  /**
   * Takes the `tool_calls` of one delta.
   *
   * @param fragments As the gateway sent them.
   * @returns The fragments to send now, in order; may be none.
   * @throws {BridgeError} kind `overflow`, when more than 16 Mi characters would be held back.
   */
  push(fragments: readonly unknown[]): JsonObject[] {
    const out: JsonObject[] = [];
    for (const fragment of fragments) {
      if (!isObject(fragment)) continue;
      const call = this.#callOf(fragment);
      if (call === undefined) continue;
      const { arguments: args } = isObject(fragment.function) ? fragment.function : fragment;
      const text = call.whole(argumentsText(args));
      if (text !== "" && !(call.text.complete && text.trim() === "")) {
        call.any = true;
        call.text.push(text);
        call.held += text;
        this.#held += text.length;
      }
      this.#advance(out);
      if (this.#held > MAX_HELD) {
        throw new BridgeError(
          "overflow",
          `The gateway sent tool calls with more than ${MAX_HELD} characters of arguments at once; no model writes that much.`,
        );
      }
    }
    return out;
  }

  /**
   * The name of a call whose arguments are no complete JSON, though nothing more will come: it was cut
   * off, and must not be run.
   *
   * @param whole Whether the model ended by itself; then a call without any arguments is complete.
   */
  cutOff(whole: boolean): string | undefined {
    const call = this.#calls.find(({ any, text }) => any ? !text.complete : !whole);
    return call && (call.name || UNNAMED);
  }

  /**
   * What is still held, with a name for a call that has none, and `{}` for a call that got no arguments
   * at all, which clients could not parse.
   */
  end(): JsonObject[] {
    const out: JsonObject[] = [];
    for (const call of this.#calls) {
      if (call.name === "") call.name = UNNAMED;
      if (!call.any) {
        call.held = "{}";
        call.text.push("{}");
        this.#held += 2;
      }
      call.any = true;
      if (call.place === -1 || call.held !== "") this.#send(call, out);
    }
    this.#open = undefined;
    return out;
  }

  /** Sends what the open call has, and goes on to the next one once it is complete. */
  #advance(out: JsonObject[]): void {
    for (;;) {
      this.#open ??= this.#calls.find((call) => call.place === -1);
      const call = this.#open;
      if (call === undefined) return;
      // Without a name the client could not begin the call.
      if (call.place === -1 && call.name === "") return;
      if (call.place === -1 || call.held !== "") this.#send(call, out);
      const next = this.#calls.find((other) => other.place === -1);
      if (!call.text.complete || next === undefined) return;
      this.#open = next;
    }
  }

  #send(call: Call, out: JsonObject[]): void {
    const text = call.held;
    call.held = "";
    this.#held -= text.length;
    if (call.place !== -1) {
      out.push({ index: call.place, function: { arguments: text } });
      return;
    }
    call.place = this.#sent++;
    const { id, name, extra } = call;
    out.push({
      index: call.place,
      id,
      type: "function",
      function: { name, arguments: text },
      ...extra,
    });
    this.#options.onBegin?.({ id, extra, first: call.place === 0 });
  }

  /** Which call a fragment belongs to: by its id, else by its index, else to the last one; a new one if none fits. */
  #callOf(fragment: JsonObject): Call | undefined {
    const id = typeof fragment.id === "string" && fragment.id !== "" ? fragment.id : undefined;
    const index = Number.isInteger(fragment.index) ? fragment.index as number : undefined;
    const { name } = isObject(fragment.function) ? fragment.function : fragment;
    const given = typeof name === "string" && name !== ""
      ? cleanToolName(name, this.#options.toolNames)
      : "";
    const known = this.#known(id, index, given);
    if (known) {
      if (known.name === "" && known.place === -1) known.name = given;
      if (known.place === -1) known.extra = { ...known.extra, ...extraOf(fragment) };
      return known;
    }
    if (this.#calls.length >= MAX_CALLS) return undefined;
    const call: Call = {
      id: id !== undefined && this.#isUnique(id, index) ? id : this.#options.makeId(),
      givenId: id,
      index,
      name: given,
      extra: extraOf(fragment),
      text: new ArgumentsScanner(),
      held: "",
      place: -1,
      any: false,
      whole: wholeCharacters(),
    };
    this.#calls.push(call);
    return call;
  }

  /** Whether an id names one call only, in this answer and in the conversation. */
  #isUnique(id: string, index: number | undefined): boolean {
    return !isNumbered(id, index ?? this.#calls.length) && !this.#options.usedIds?.has(id) &&
      !this.#calls.some((call) => call.id === id);
  }

  #known(id: string | undefined, index: number | undefined, name: string): Call | undefined {
    const here = index === undefined
      ? undefined
      : this.#calls.findLast((call) => call.index === index);
    if (id !== undefined) {
      const same = this.#calls.filter((call) => call.givenId === id);
      const exact = same.findLast((call) => call.index === index);
      if (exact) return exact;
      // One id for two calls: a name under another index begins the second.
      if (same.length > 0 && (name === "" || index === undefined)) return same.at(-1);
      // A call begins with a name: an id that only comes late, or changes, goes on with the call at its index.
      return name === "" ? here : undefined;
    }
    const last = index === undefined ? this.#calls.at(-1) : here;
    // An index that is new, on a fragment without id and name, can only go on with the last call.
    if (last === undefined) return name === "" ? this.#calls.at(-1) : undefined;
    const another = name !== "" && (last.text.complete || (last.name !== "" && last.name !== name));
    return another ? undefined : last;
  }
}

/** Arguments are strings; families also send objects, null and nothing. */
function argumentsText(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : JSON.stringify(value);
}

/** What a call carries beside OpenAI's fields, with Gemini's signature also where ForgeCode looks for it. */
function extraOf(fragment: JsonObject): JsonObject {
  const {
    index: _index,
    id: _id,
    type: _type,
    function: _function,
    name: _name,
    arguments: _arguments,
    ...extra
  } = fragment;
  if (!fitsField("extra_content", extra.extra_content)) delete extra.extra_content;
  if (typeof extra.thoughtSignature === "string" && extra.extra_content === undefined) {
    extra.extra_content = { google: { thought_signature: extra.thoughtSignature } };
  }
  return extra;
}
