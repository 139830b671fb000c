/**
 * What a normalizer makes of the events that it reads: items for the writer, in the order of the output.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import { gatewayError } from "../../gateway/errors.ts";
import { isObject, type JsonObject } from "../../json.ts";
import type { DialectContext } from "../dialect.ts";
import { callCutOff } from "./failure.ts";
import { UNNAMED } from "./input.ts";
import type { Item, Slot } from "./item.ts";
import type { OutputItem } from "./output_item.ts";
import { idOf, isJson, place, textOf } from "./read.ts";
import { type ResponseEnd, ResponsesReader } from "./reader.ts";
import { ToolNames } from "./tools.ts";
import { encodeUsage } from "./usage.ts";
import { ResponseWriter } from "./writer.ts";

/** Item types that are calls for the client to answer, though their kind has no text here. */
const CLIENT_CALLS = new Set<unknown>([
  "local_shell_call",
  "shell_call",
  "apply_patch_call",
  "computer_call",
]);

/**
 * Progress events of items of other kinds. The openai SDK throws on a type that it doesn't know, so that no
 * other events pass.
 */
const PROGRESS: ReadonlySet<unknown> = new Set(
  [
    "output_text.annotation.added",
    ...["in_progress", "searching", "completed"].flatMap((state) =>
      ["web_search_call", "file_search_call"].map((call) => `${call}.${state}`)
    ),
    ...["in_progress", "interpreting", "completed"].map((state) =>
      `code_interpreter_call.${state}`
    ),
    ...["in_progress", "generating", "completed", "partial_image"].map((state) =>
      `image_generation_call.${state}`
    ),
    ...["in_progress", "completed", "failed"].flatMap((state) =>
      ["mcp_call", "mcp_list_tools"].map((call) => `${call}.${state}`)
    ),
    ...["delta", "done"].flatMap((piece) =>
      ["code_interpreter_call_code", "mcp_call_arguments", "shell_call_output_content"]
        .map((call) => `${call}.${piece}`)
    ),
    ...["added", "delta", "done"].map((piece) => `shell_call_command.${piece}`),
  ].map((name) => `response.${name}`),
);

/** Item kind → the prefix of an id that is made up. */
const PREFIX = { message: "msg_", call: "fc_", reasoning: "rs_" } as const;

/** The normalizer's reader: what it reads goes to the writer. */
export class NormalizerReader extends ResponsesReader {
  /** What the items are written with. */
  readonly writer: ResponseWriter;
  readonly #tools: ToolNames;
  readonly #context: DialectContext;
  readonly #written = new Map<Item, OutputItem>();
  readonly #opaque = new Map<string, OutputItem>();
  /** Calls that may not go out yet. */
  readonly #waiting = new Set<Item>();
  /** The gateway's places that were seen in the current response, and the first that wasn't. */
  #places = new Set<number>();
  #firstMissing = 0;
  /** The items of the current response, which the gateway's places order. */
  #current = new Set<OutputItem>();
  #calls = 0;
  #spoke = false;
  #ending: ResponseEnd | undefined;
  #error: BridgeError | undefined;
  /** The last token counts, as they came. */
  usage: JsonObject | undefined;

  /** Makes the reader of one stream. */
  constructor(context: DialectContext) {
    const tools = new ToolNames(context.request?.tools);
    super({
      memory: context.calls,
      model: context.model,
      ...(context.request === undefined ? {} : { offered: tools.names }),
    });
    this.#tools = tools;
    this.#context = context;
    this.writer = new ResponseWriter(context);
  }

  /** The last ending that came, as long as nothing follows it. */
  get ending(): ResponseEnd | undefined {
    return this.#ending;
  }

  /** The error that the gateway sent. */
  get error(): BridgeError | undefined {
    return this.#error;
  }

  /** How many calls there are for the client to answer. */
  get calls(): number {
    return this.#calls;
  }

  /** Whether there is content: text, a refusal or a call. */
  get spoke(): boolean {
    return this.#spoke;
  }

  /** Takes the next event. */
  read(event: JsonObject): void {
    if (event.type === "response.created") this.#ending = undefined;
    this.take(event);
  }

  /**
   * Lets everything go out that waited, because nothing more will be known.
   *
   * @returns An error where a call is not whole.
   */
  settle(status: string): BridgeError | undefined {
    for (const item of this.#waiting) this.#release(item);
    for (const [item, written] of this.#written) {
      if (item.kind !== "call" || item.ran || written.final !== undefined) continue;
      const cut = status === "incomplete" &&
        (!item.closed || item.raw?.status === "incomplete");
      const broken = written.type === "custom_tool_call" ? cut : !isJson(written.text) ||
        (status === "incomplete" && this.#isBare(item, written) &&
          item.raw?.status !== "completed");
      if (broken) return callCutOff(item.name, written.text.length, this.#tokens());
      this.#closeCall(item, written, item.raw);
    }
    return undefined;
  }

  /** Counts places anew. */
  protected override nextResponse(): void {
    this.#places = new Set();
    this.#firstMissing = 0;
    this.#current = new Set();
  }

  /** Begins the stream. */
  protected override head(response: JsonObject): void {
    this.writer.begin(response);
    if (isObject(response.usage)) this.usage = response.usage;
  }

  /** Adds an item. */
  protected override opened(item: Item): void {
    if (item.ran || (item.kind === "call" && item.name === "" && !item.settled)) return;
    const written = this.#itemOf(item);
    this.#see(item.outputIndex);
    if (item.kind === "call" && item.settled) this.#release(item);
    // The name came late; the call waited only for it.
    else if (item.kind === "call" && !this.#mustWait(item)) {
      this.#waiting.delete(item);
      written.release();
    }
  }

  /** Adds to an item's text. */
  protected override text(item: Item, slot: Slot, part: number, fresh: string): void {
    if (item.kind === "message") this.#spoke = true;
    if (item.ran || (item.kind === "call" && item.name === "")) return;
    const known = this.#written.get(item);
    const written = known ?? this.#itemOf(item);
    // A call that is new here has all that came before its name was known, this piece included.
    if (known !== undefined || item.kind !== "call") written.append(slot, fresh, part);
    this.#see(item.outputIndex);
  }

  /** Closes an item that is whole. */
  protected override closed(item: Item, raw: JsonObject): void {
    if (item.kind === "call") {
      if (item.name === "" || item.ran) return;
      const written = this.#itemOf(item);
      this.#see(item.outputIndex);
      // Half a call never closes: clients run what is closed.
      const whole = written.type === "custom_tool_call"
        ? raw.status !== "incomplete"
        : isJson(written.text) &&
          // No arguments: complete, or cut off at a limit. The end of the answer decides.
          (raw.status === "completed" || !this.#isBare(item, written));
      if (written.final === undefined && whole) this.#closeCall(item, written, raw);
      return;
    }
    const status = raw.status === "incomplete" ? "incomplete" : "completed";
    this.#itemOf(item).close(raw, status);
    this.#see(item.outputIndex);
  }

  /** Sends a call that the gateway ran as reasoning. */
  protected override ran(item: Item, words: string): void {
    const written = this.#written.get(item);
    if (written?.started) {
      // Too late: it has been sent as a call of the client's tool.
      item.ran = false;
      return;
    }
    this.#waiting.delete(item);
    const order = item.outputIndex ?? Number.MAX_SAFE_INTEGER;
    const told = this.writer.add(
      { type: "reasoning", id: this.writer.uniqueId("", PREFIX.reasoning) },
      false,
      (other) => other === written || (this.#current.has(other) && other.order > order),
    );
    told.order = order;
    told.append("summary", words);
    told.close();
    if (written === undefined) return;
    this.#calls--;
    written.drop();
  }

  /** Adds or closes an item of another kind. */
  protected override opaque(raw: JsonObject, at: number | undefined, closed: boolean): void {
    const key = idOf(raw.id) || `#${raw.type}${at}`;
    let written = this.#opaque.get(key);
    if (written === undefined) {
      if (this.#opaque.size >= 4096) return;
      const id = this.writer.uniqueId(idOf(raw.id), "item_");
      const { status: _status, ...rest } = raw;
      const opening = closed ? { ...rest, status: "in_progress" } : raw;
      written = this.writer.add({ ...opening, id });
      written.order = at ?? written.order;
      this.#opaque.set(key, written);
      if (CLIENT_CALLS.has(raw.type)) this.#calls++;
      this.#spoke = true;
    }
    if (closed) written.close(raw);
    this.#see(at);
  }

  /** Passes the progress of an item of another kind. */
  protected override other(event: JsonObject): void {
    if (!PROGRESS.has(event.type)) return;
    const id = idOf(event.item_id);
    if (event.type === "response.output_text.annotation.added") {
      const item = this.items.find("message", id, place(event.output_index));
      this.#written.get(item)?.pass(event);
      return;
    }
    this.#opaque.get(id)?.pass(event);
  }

  /** Keeps the ending: another response may follow. */
  protected override end(end: ResponseEnd): void {
    this.#ending = end;
  }

  /** Keeps the failure. */
  protected override fail(error: JsonObject): void {
    const message = textOf(error.message) || textOf(error.error) || "The model's answer failed.";
    const { secrets } = this.#context;
    const read = gatewayError(200, { error: { ...error, message } }, { secrets });
    const status = STATUS_OF_CODE.get(error.code) ?? statusIn(error.code) ??
      (typeof error.code === "string" ? 400 : read.status);
    const { type, code, param } = read;
    this.#error = new BridgeError("gateway", read.message, { status, type, code, param });
  }

  /** Keeps the failure. */
  protected override overflow(message: string): void {
    this.#error = new BridgeError("overflow", message, { code: "overflow" });
  }

  #tokens(): number | undefined {
    const usage = encodeUsage(this.usage);
    return usage === null ? undefined : usage.output_tokens as number;
  }

  #itemOf(item: Item): OutputItem {
    const known = this.#written.get(item);
    if (known !== undefined) return known;
    const { raw = {}, outputIndex } = item;
    const order = outputIndex ?? Number.MAX_SAFE_INTEGER;
    const early = item.kind === "reasoning";
    const waits = item.kind === "call" && this.#mustWait(item);
    const written = this.writer.add(
      this.#head(item, raw),
      waits,
      // Places of an earlier response say nothing about this one's.
      outputIndex === undefined ? undefined : (other) =>
        this.#current.has(other) &&
        (other.order > order || (other.order === order && early && other.type !== "reasoning")),
    );
    written.order = order;
    this.#written.set(item, written);
    this.#current.add(written);
    if (waits) this.#waiting.add(item);
    if (item.kind === "call") {
      this.#calls++;
      this.#spoke = true;
      const early = item.emitted("arguments");
      if (early !== "") written.append("arguments", early);
    }
    return written;
  }

  #head(item: Item, raw: JsonObject): JsonObject {
    const { kind } = item;
    if (kind === "message") {
      const id = this.writer.uniqueId(item.id, PREFIX.message);
      return { ...(raw.phase === undefined ? {} : { phase: raw.phase }), id, type: "message" };
    }
    if (kind === "reasoning") {
      const encrypted = raw.encrypted_content;
      return {
        id: this.writer.uniqueId(item.id, PREFIX.reasoning),
        type: "reasoning",
        ...(typeof encrypted === "string" ? { encrypted_content: encrypted } : {}),
      };
    }
    item.sentId = this.uniqueId(item.callId || item.id, this.writer.id);
    const known = this.#tools.of(item.name || UNNAMED);
    return {
      id: this.writer.uniqueId(item.id, item.custom ? "ctc_" : PREFIX.call),
      type: item.custom ? "custom_tool_call" : "function_call",
      call_id: item.sentId,
      name: known.name,
      ...(known.namespace === undefined ? {} : { namespace: known.namespace }),
    };
  }

  /** Whether a call must not go out yet: the gateway may have run it, or what led to it may still come. */
  #mustWait(item: Item): boolean {
    if (item.settled) return false;
    if (!this.mayBeClients(item)) return true;
    return item.outputIndex !== undefined && item.outputIndex > this.#firstMissing;
  }

  /** Whether a call has no arguments so far. */
  #isBare({ announcedArguments }: Item, { text }: OutputItem): boolean {
    return text.trim() === "" && announcedArguments.trim() === "";
  }

  #release(item: Item): void {
    this.#waiting.delete(item);
    this.#written.get(item)?.release();
  }

  #see(at: number | undefined): void {
    if (at === undefined || at > 65_535 || this.#places.has(at)) return;
    this.#places.add(at);
    if (at !== this.#firstMissing) return;
    while (this.#places.has(this.#firstMissing)) this.#firstMissing++;
    for (const item of this.#waiting) if (!this.#mustWait(item)) this.#release(item);
  }

  #closeCall(item: Item, written: OutputItem, raw?: JsonObject): void {
    const { name: _name, namespace: _namespace, call_id: _id, ...rest } = raw ?? {};
    if (written.type === "function_call" && written.text.trim() === "") {
      const announced = item.announcedArguments;
      written.append("arguments", announced !== "" && isJson(announced) ? announced : "{}");
    }
    written.close(rest);
  }
}

/** The status that a code is, as a number or in digits. */
function statusIn(code: unknown): number | undefined {
  return /^[45]\d\d$/.test(String(code)) ? Number(code) : undefined;
}

/** A failed response's code → the status that it has over HTTP. */
const STATUS_OF_CODE: ReadonlyMap<unknown, number> = new Map<unknown, number>([
  ["rate_limit_exceeded", 429],
  ["server_error", 500],
  ["server_is_overloaded", 503],
  ["vector_store_timeout", 504],
  ["invalid_prompt", 400],
  ["context_length_exceeded", 400],
  ["cancelled", 400],
]);
