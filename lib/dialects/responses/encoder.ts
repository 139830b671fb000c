/**
 * Strict chat chunks as a strict Responses stream, for clients of the Responses API whose model speaks
 * something else.
 *
 * @module
 */

import type { BridgeError } from "../../errors.ts";
import { isObject, type JsonObject } from "../../json.ts";
import type { DialectContext, StreamEncoder } from "../dialect.ts";
import { type Continuity, encodeContinuity } from "../../enrich/continuity.ts";
import { callCutOff, failureOf } from "./failure.ts";
import type { OutputItem } from "./output_item.ts";
import { cleanName, isJson } from "./read.ts";
import { type ToolName, ToolNames } from "./tools.ts";
import { encodeUsage } from "./usage.ts";
import { HEARTBEAT, ResponseWriter } from "./writer.ts";

/** A call that is under way. */
interface OpenCall {
  readonly item: OutputItem;
  readonly tool: ToolName;
  readonly id: string;
  arguments: string;
}

/** Encodes one stream; see {@linkcode StreamEncoder}. */
export class ResponsesEncoder implements StreamEncoder {
  readonly #context: DialectContext;
  readonly #writer: ResponseWriter;
  readonly #tools: ToolNames;
  readonly #wantsEncrypted: boolean;
  /** The reasoning item that is open, and what it carries to the next turn. */
  #reasoning: OutputItem | undefined;
  #reasoningText = "";
  #details: JsonObject[] = [];
  #message: OutputItem | undefined;
  #refused = false;
  #call: OpenCall | undefined;
  #callIndex: unknown;
  readonly #callIds = new Set<string>();
  #broken: OpenCall | undefined;
  #reason: unknown;
  #usage: unknown;

  /** Makes the encoder of one stream. */
  constructor(context: DialectContext) {
    this.#context = context;
    this.#writer = new ResponseWriter(context);
    const { request } = context;
    this.#tools = new ToolNames(request?.tools);
    this.#wantsEncrypted = Array.isArray(request?.include) &&
      request.include.includes("reasoning.encrypted_content");
  }

  /** What keeps a silent connection open: a comment. */
  readonly heartbeat: string = HEARTBEAT;

  /** The whole response, once the stream has ended. */
  get response(): JsonObject | undefined {
    return this.#writer.response;
  }

  /** A call that turned out to be cut off, once the stream has ended. */
  get cutOff(): BridgeError | undefined {
    const call = this.#broken;
    if (call === undefined) return undefined;
    const tokens = encodeUsage(this.#usage)?.output_tokens;
    return callCutOff(
      call.tool.name,
      call.arguments.length,
      typeof tokens === "number" ? tokens : undefined,
    );
  }

  /** The events for one strict chunk. */
  chunk(chunk: JsonObject): string {
    this.#writer.begin({ created_at: chunk.created });
    if (isObject(chunk.usage)) this.#usage = chunk.usage;
    for (const choice of Array.isArray(chunk.choices) ? chunk.choices : []) {
      if (!isObject(choice) || (choice.index ?? 0) !== 0) continue;
      if (isObject(choice.delta)) this.#delta(choice.delta);
      this.#reason = choice.finish_reason ?? this.#reason;
    }
    return this.#writer.take();
  }

  /** The events for the end of a complete answer; a failure where a call is cut off. */
  end(): string {
    this.#closeReasoning();
    this.#closeCall();
    const cut = this.cutOff;
    if (cut !== undefined) return this.error(cut);
    const { status, details } = this.#ending();
    // A message that was cut is marked so by the writer; it is still open.
    if (status === "completed") this.#closeMessage();
    this.#writer.end(status, this.#usage, details);
    return this.#writer.take();
  }

  /** The events that end a failed stream. */
  error(error: BridgeError): string {
    this.#writer.fail(failureOf(error, this.#writer.begun), this.#usage);
    return this.#writer.take();
  }

  #ending(): { status: string; details: JsonObject | null } {
    if (this.#reason === "length") {
      return { status: "incomplete", details: { reason: "max_output_tokens" } };
    }
    // A refusal in the model's own words is a whole answer here.
    if (this.#reason === "content_filter" && !this.#refused) {
      return { status: "incomplete", details: { reason: "content_filter" } };
    }
    return { status: "completed", details: null };
  }

  #delta(delta: JsonObject): void {
    const details = Array.isArray(delta.reasoning_details)
      ? delta.reasoning_details.filter(isObject)
      : [];
    const told = textOf(delta.reasoning_content) || textOf(delta.reasoning) ||
      details.map(({ text }) => textOf(text)).join("");
    if (told !== "" || details.length > 0) this.#think(told, details);
    const { content, refusal } = delta;
    if (typeof content === "string" && content !== "") this.#say("text", content);
    if (typeof refusal === "string" && refusal !== "") {
      this.#refused = true;
      this.#say("refusal", refusal);
    }
    for (const fragment of Array.isArray(delta.tool_calls) ? delta.tool_calls : []) {
      if (isObject(fragment)) this.#fragment(fragment);
    }
  }

  #think(text: string, details: readonly JsonObject[]): void {
    if (this.#reasoning === undefined) {
      this.#closeMessage();
      this.#closeCall();
      const id = this.#writer.uniqueId("", "rs_");
      this.#reasoning = this.#writer.add({ id, type: "reasoning" });
    }
    this.#reasoningText += text;
    if (text !== "") this.#reasoning.append("summary", text);
    for (const detail of details) this.#keep(detail);
  }

  /** Keeps a detail; pieces of thinking belong to the signature that follows them. */
  #keep(detail: JsonObject): void {
    const last = this.#details.at(-1);
    const joins = last !== undefined && last.type === "reasoning.text" &&
      detail.type === "reasoning.text" && !last.signature;
    if (!joins) {
      this.#details.push({ ...detail });
      return;
    }
    this.#details[this.#details.length - 1] = {
      ...last,
      ...detail,
      text: `${textOf(last.text)}${textOf(detail.text)}`,
    };
  }

  /** Closes the reasoning, or writes an empty one where a call has something to carry. */
  #closeReasoning(calls?: Readonly<Record<string, JsonObject>>): void {
    if (this.#reasoning === undefined) {
      if (calls === undefined) return;
      this.#reasoning = this.#writer.add({
        id: this.#writer.uniqueId("", "rs_"),
        type: "reasoning",
      });
    }
    const signed = this.#details.some(({ type, signature }) =>
      type !== "reasoning.text" || (typeof signature === "string" && signature !== "")
    );
    const continuity: Continuity = {
      model: this.#context.model,
      ...(signed ? { details: this.#details } : {}),
      ...(this.#reasoningText !== "" && !signed ? { reasoning: this.#reasoningText } : {}),
      ...(calls === undefined ? {} : { calls }),
    };
    const carries = signed || calls !== undefined || this.#wantsEncrypted;
    this.#reasoning.close(
      carries ? { encrypted_content: encodeContinuity(continuity) } : undefined,
    );
    this.#reasoning = undefined;
    this.#reasoningText = "";
    this.#details = [];
  }

  #say(slot: "text" | "refusal", text: string): void {
    this.#closeReasoning();
    this.#message ??= this.#writer.add({
      id: this.#writer.uniqueId("", "msg_"),
      type: "message",
    });
    this.#message.append(slot, text);
  }

  #closeMessage(): void {
    this.#message?.close();
    this.#message = undefined;
  }

  #fragment(fragment: JsonObject): void {
    const body = isObject(fragment.function) ? fragment.function : {};
    if (this.#call === undefined || fragment.index !== this.#callIndex) {
      this.#closeCall();
      this.#begin(fragment, cleanName(textOf(body.name)));
    }
    const call = this.#call!;
    const text = textOf(body.arguments);
    call.arguments += text;
    if (call.tool.kind === "function") call.item.append("arguments", text);
  }

  #begin(fragment: JsonObject, flatName: string): void {
    const { index, id: given, type: _type, function: _function, ...fields } = fragment;
    const id = textOf(given) !== "" && !this.#callIds.has(textOf(given))
      ? textOf(given)
      : this.#context.makeId("call_");
    this.#callIds.add(id);
    const carried = Object.keys(fields).length > 0 ? { [id]: fields } : undefined;
    this.#closeMessage();
    this.#closeReasoning(carried);
    const tool = this.#tools.of(flatName || "unknown");
    const head = { call_id: id, name: tool.name };
    const namespace = tool.namespace === undefined ? {} : { namespace: tool.namespace };
    const item = tool.kind === "local_shell"
      ? this.#writer.add({
        id: this.#writer.uniqueId("", "lsh_"),
        type: "local_shell_call",
        call_id: id,
        status: "in_progress",
        action: { type: "exec", command: [], env: {} },
      })
      : this.#writer.add({
        id: this.#writer.uniqueId("", tool.kind === "custom" ? "ctc_" : "fc_"),
        type: tool.kind === "custom" ? "custom_tool_call" : "function_call",
        ...head,
        ...namespace,
      });
    this.#call = { item, tool, id, arguments: "" };
    this.#callIndex = index;
  }

  /** Closes the call under way, if it is whole; half a call never closes. */
  #closeCall(): void {
    const call = this.#call;
    this.#call = undefined;
    if (call === undefined) return;
    if (!isJson(call.arguments)) {
      this.#broken ??= call;
      return;
    }
    const { item, tool } = call;
    if (tool.kind === "function") {
      if (call.arguments.trim() === "") item.append("arguments", "{}");
      item.close();
      return;
    }
    const value: unknown = call.arguments.trim() === "" ? {} : JSON.parse(call.arguments);
    if (tool.kind === "custom") {
      item.append("arguments", customInput(value, call.arguments));
      item.close();
      return;
    }
    item.close({ call_id: call.id, status: "completed", action: shellAction(value) });
  }
}

/** The text that a free-text tool is given. */
function customInput(value: unknown, text: string): string {
  if (typeof value === "string") return value;
  if (!isObject(value)) return text;
  if (typeof value.input === "string") return value.input;
  // The model called its one argument something else.
  const texts = Object.values(value).filter((field) => typeof field === "string");
  return texts.length === 1 ? texts[0] as string : text;
}

/** What Codex' shell is asked to run. */
function shellAction(value: unknown): JsonObject {
  const { command, working_directory, timeout_ms } = isObject(value) ? value : {};
  const words = Array.isArray(command)
    ? command.map(String)
    : typeof command === "string"
    ? ["bash", "-lc", command]
    : [];
  return {
    type: "exec",
    command: words,
    env: {},
    ...(typeof working_directory === "string" ? { working_directory } : {}),
    ...(Number.isInteger(timeout_ms) ? { timeout_ms } : {}),
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
