/**
 * The contract of a Messages stream, as Claude Code and Anthropic's SDK read it (`clients.md`). Written from
 * that list, and independent of what writes the streams.
 *
 * @module
 */

// deno-lint-ignore no-explicit-any
type Json = any;

/** What a stream that keeps the contract says. */
export interface StrictMessages {
  /** The whole message. */
  readonly message: Json;
  /** The events, in order, without pings. */
  readonly events: readonly Json[];
  /** The error that ended it, if one did. */
  readonly error?: { readonly type: string; readonly message: string };
}

/** Delta → the kind of block that it belongs to, and the field that it adds to. */
const DELTAS: Readonly<Record<string, readonly [block: string, field: string]>> = {
  text_delta: ["text", "text"],
  thinking_delta: ["thinking", "thinking"],
  signature_delta: ["thinking", "signature"],
  input_json_delta: ["tool_use", "partial_json"],
};

const COUNTS = [
  "input_tokens",
  "output_tokens",
  "cache_read_input_tokens",
  "cache_creation_input_tokens",
];

/**
 * Checks a whole stream.
 *
 * @param text The stream's text.
 * @throws {Error} At the first event that breaks the contract.
 */
export function assertStrictMessages(text: string): StrictMessages {
  const events: Json[] = [];
  let message: Json;
  let open: { index: number; block: Json; json: string } | undefined;
  let error: StrictMessages["error"];
  let stopped = false;
  for (const chunk of text.split("\n\n")) {
    if (chunk === "") continue;
    const match = /^event: (\S+)\ndata: (.+)$/.exec(chunk);
    if (!match) throw new Error(`no event: ${JSON.stringify(chunk.slice(0, 200))}`);
    const [, name, data] = match;
    const event: Json = JSON.parse(data);
    const need = (fits: unknown, what: string) => {
      if (!fits) throw new Error(`Event ${events.length} ${what}: ${data.slice(0, 400)}`);
    };
    need(name === event.type, "has another name than type");
    need(!stopped && error === undefined, "comes after the end");
    if (event.type === "ping") continue;
    events.push(event);
    switch (event.type) {
      case "message_start":
        need(message === undefined, "begins a second message");
        message = event.message;
        need(typeof message.id === "string" && message.id !== "", "has no id");
        need(message.type === "message" && message.role === "assistant", "is no message");
        need(Array.isArray(message.content) && message.content.length === 0, "has content");
        need(COUNTS.every((count) => Number.isInteger(message.usage?.[count])), "lacks counts");
        break;
      case "content_block_start":
        need(message !== undefined, "comes before message_start");
        need(open === undefined, "comes while a block is open");
        need(event.index === message.content.length, "has a wrong index");
        open = { index: event.index, block: { ...event.content_block }, json: "" };
        message.content.push(open.block);
        break;
      case "content_block_delta": {
        need(open !== undefined && open.index === event.index, "belongs to no open block");
        const [block, field] = DELTAS[event.delta.type] ?? [];
        need(block === open!.block.type, "has a delta of another kind of block");
        need(typeof event.delta[field] === "string", "has no text");
        if (field === "partial_json") open!.json += event.delta[field];
        else open!.block[field] = (open!.block[field] ?? "") + event.delta[field];
        break;
      }
      case "content_block_stop":
        need(open !== undefined && open.index === event.index, "ends no open block");
        if (open!.block.type === "tool_use") open!.block.input = JSON.parse(open!.json || "{}");
        open = undefined;
        break;
      case "message_delta":
        need(open === undefined, "comes while a block is open");
        need(typeof event.delta.stop_reason === "string", "has no stop_reason");
        need(message.stop_reason === null, "is the second one");
        need(COUNTS.every((count) => Number.isInteger(event.usage?.[count])), "lacks counts");
        Object.assign(message, event.delta, { usage: event.usage });
        break;
      case "message_stop":
        need(message?.stop_reason, "comes without a stop_reason");
        stopped = true;
        break;
      case "error":
        error = event.error;
        need(typeof error?.type === "string" && typeof error?.message === "string", "is no error");
        break;
      default:
        need(false, "is of no known type");
    }
  }
  if (!stopped && error === undefined) {
    throw new Error(`The stream has no end: ${text.slice(-300)}`);
  }
  return { message, events, ...error ? { error } : {} };
}
