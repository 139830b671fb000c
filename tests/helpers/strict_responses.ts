/**
 * The contract of a Responses stream, as Codex, the openai SDK's `responses.stream()` and ForgeCode read it
 * (`clients.md`). Written from that list, and independent of what writes the streams.
 *
 * @module
 */

/** A stream breaks the contract. */
export class StrictResponsesError extends Error {
  /** Marks a failed assertion for test runners. */
  override name = "AssertionError";
}

// deno-lint-ignore no-explicit-any
type Json = any;

/** What a stream that keeps the contract says. */
export interface StrictResponses {
  /** The events, in order. */
  events: Json[];
  /** The items in the order of their `done`: what Codex keeps and sends back. */
  items: Json[];
  /** The text of all messages. */
  text: string;
  /** The text of all reasoning, summaries and content. */
  reasoning: string;
  /** The function calls and other calls for the client. */
  calls: { name: string; callId: string; arguments: string; namespace?: string; type: string }[];
  /** How it ended. */
  end: "completed" | "incomplete" | "failed";
  /** The response of the ending. */
  response: Json;
  /** The `error` event behind `response.failed`. */
  error?: { code: string | null; message: string; param: string | null };
}

interface OpenPart {
  type: string;
  text: string;
}

interface OpenItem {
  id: string;
  item: Json;
  content: OpenPart[];
  summary: OpenPart[];
  open?: { list: "content" | "summary"; index: number };
  closedText?: { list: "content" | "summary"; index: number };
  callText: string;
  callDone: boolean;
}

const CALL_FIELDS: Record<string, string> = {
  function_call: "arguments",
  custom_tool_call: "input",
};

/** Event → the kind of item that it belongs to, the part's type, the index's name, the text's field. */
const TEXT_EVENTS: Record<string, [item: string, part: string, index: string, field: string]> = {
  "response.output_text": ["message", "output_text", "content_index", "text"],
  "response.refusal": ["message", "refusal", "content_index", "refusal"],
  "response.reasoning_text": ["reasoning", "reasoning_text", "content_index", "text"],
  "response.reasoning_summary_text": ["reasoning", "summary_text", "summary_index", "text"],
};

/** Items of other kinds may have events in between; these are all that the openai SDK knows. */
const PROGRESS =
  /^response\.(output_text\.annotation|(web_search|file_search|code_interpreter|image_generation|mcp|shell)_call|mcp_list_tools)/;

/**
 * Checks a whole stream.
 *
 * @param body The stream's text.
 * @returns What it says.
 * @throws {StrictResponsesError} At the first event that breaks the contract; the message quotes it.
 */
export function assertStrictResponses(body: string): StrictResponses {
  const events: Json[] = [];
  const items: Json[] = [];
  const ids = new Set<string>();
  const callIds = new Set<string>();
  let responseId: string | undefined;
  let open: OpenItem | undefined;
  let ending: Json | undefined;
  let error: StrictResponses["error"];
  const result = { text: "", reasoning: "" };

  for (const data of dataOf(body)) {
    const event = JSON.parse(data);
    const fail = (what: string): never => {
      throw new StrictResponsesError(`Event ${events.length} ${what}: ${data.slice(0, 600)}`);
    };
    const need = (condition: unknown, what: string) => {
      if (!condition) fail(what);
    };
    if (typeof event.type !== "string") fail("has no type");
    need(event.sequence_number === events.length, `isn't number ${events.length}`);
    if (/\\ud[89a-f]/i.test(data)) fail("has half of a character");
    events.push(event);
    const { type } = event;
    if (error !== undefined) fail("comes after the error");
    if (ending !== undefined && !(type === "error" && ending.status === "failed")) {
      fail("comes after the ending");
    }
    if (events.length === 1) need(type === "response.created", "is first and not response.created");
    else need(type !== "response.created", "is a second response.created");

    if (/^response\.(created|in_progress|completed|incomplete|failed)$/.test(type)) {
      const { response } = event;
      checkResponse(response, need);
      responseId ??= response.id;
      need(response.id === responseId, "changes the response's id");
      const status = type.slice("response.".length);
      need(
        response.status === (status === "created" ? "in_progress" : status),
        "has another status",
      );
      if (status === "created" || status === "in_progress") continue;
      ending = response;
      if (status === "failed") {
        need(
          typeof response.error?.code === "string" && typeof response.error?.message === "string" &&
            response.error.message !== "",
          "has no code or message",
        );
        continue;
      }
      need(open === undefined, "ends with an open item");
      need(response.error === null, "has an error");
      need(
        JSON.stringify(response.output) === JSON.stringify(items),
        "has another output than was told",
      );
      if (status === "incomplete") {
        need(typeof response.incomplete_details?.reason === "string", "says no reason");
      }
      continue;
    }
    if (type === "error") {
      need(ending?.status === "failed", "is an error without response.failed");
      need(event.code === null || typeof event.code === "string", "has a code of a wrong type");
      need(typeof event.message === "string" && event.message !== "", "has no message");
      need(event.param === null || typeof event.param === "string", "has a param of a wrong type");
      error = { code: event.code, message: event.message, param: event.param };
      continue;
    }

    need(Number.isInteger(event.output_index), "has no output_index");
    need(event.output_index === items.length, "isn't for the item whose turn it is");
    if (type === "response.output_item.added") {
      need(open === undefined, "opens an item before the last one is done");
      const { item } = event;
      need(
        typeof item.id === "string" && item.id !== "" && !ids.has(item.id),
        "has no id of its own",
      );
      need(typeof item.type === "string", "is an item without a type");
      ids.add(item.id);
      if (item.type in CALL_FIELDS) {
        need(item[CALL_FIELDS[item.type]] === "", "begins with arguments");
        need(typeof item.name === "string" && item.name !== "", "is a call without a name");
        need(typeof item.call_id === "string" && item.call_id !== "", "is a call without call_id");
        need(!callIds.has(item.call_id), "is a call with another's call_id");
        callIds.add(item.call_id);
      }
      if (item.type === "message") {
        need(item.role === "assistant" && item.content.length === 0, "isn't empty");
      }
      if (item.type === "reasoning") {
        need(item.summary?.length === 0, "has a summary at its beginning");
      }
      open = { id: item.id, item, content: [], summary: [], callText: "", callDone: false };
      continue;
    }
    if (open === undefined) return fail("belongs to no open item");
    if (type === "response.output_item.done") {
      const { item } = event;
      need(item.id === open.id && item.type === open.item.type, "closes another item");
      need(open.open === undefined, "closes an item with an open part");
      checkDone(item, open, need);
      items.push(item);
      if (item.type === "message") result.text += textOf(item.content);
      if (item.type === "reasoning") {
        result.reasoning += textOf(item.summary) + textOf(item.content ?? []);
      }
      open = undefined;
      continue;
    }
    need(event.item_id === open.id, "has another item_id than its item");
    if (PROGRESS.test(type)) continue;
    readPart(event, open, fail, need);
  }
  if (ending === undefined) throw new StrictResponsesError(`No ending: ${body.slice(-600)}`);
  if (ending.status === "failed" && error === undefined) {
    throw new StrictResponsesError("response.failed without the error behind it");
  }
  const calls = items.filter((item) => /^(function|custom_tool|local_shell)_call$/.test(item.type))
    .map((item) => ({
      type: item.type,
      name: item.name ?? "local_shell",
      callId: item.call_id,
      arguments: item.arguments ?? item.input ?? JSON.stringify(item.action),
      ...(item.namespace === undefined ? {} : { namespace: item.namespace }),
    }));
  return { events, items, ...result, calls, end: ending.status, response: ending, error };
}

type Need = (condition: unknown, what: string) => void;

function dataOf(body: string): string[] {
  if (!body.endsWith("\n\n")) throw new StrictResponsesError("The stream's last event is open");
  return body.slice(0, -2).split("\n\n").flatMap((event) => {
    if (event.startsWith(":")) return [];
    const match = /^event: (\S+)\ndata: (.*)$/.exec(event);
    if (match === null) throw new StrictResponsesError(`Neither event nor comment: ${event}`);
    if (JSON.parse(match[2]).type !== match[1]) {
      throw new StrictResponsesError(`The event's name is not its type: ${event}`);
    }
    return [match[2]];
  });
}

function checkResponse(response: Json, need: Need): void {
  need(typeof response?.id === "string" && response.id !== "", "has a response without an id");
  need(response.object === "response", "has no object");
  need(Number.isInteger(response.created_at), "has no date");
  need(typeof response.model === "string", "has no model");
  need(Array.isArray(response.output), "has no output");
  need(Array.isArray(response.tools), "has no tools");
  need(typeof response.parallel_tool_calls === "boolean", "has no parallel_tool_calls");
  const { usage } = response;
  if (usage === null) return;
  need(
    [
      usage?.input_tokens,
      usage?.output_tokens,
      usage?.total_tokens,
      usage?.input_tokens_details?.cached_tokens,
      usage?.output_tokens_details?.reasoning_tokens,
    ].every(Number.isInteger),
    "has a usage that isn't whole",
  );
}

function checkDone(item: Json, open: OpenItem, need: Need): void {
  const field = CALL_FIELDS[item.type];
  if (field !== undefined) {
    need(open.callDone, "closes a call before its arguments");
    need(item[field] === open.callText, "has other arguments than were told");
    need(item.call_id === open.item.call_id && item.name === open.item.name, "changes the call");
    if (item.type === "function_call") JSON.parse(item.arguments);
    need(item.status === "completed", "is a call that isn't completed");
  }
  if (item.type === "message") {
    need(["completed", "incomplete"].includes(item.status), "has no status");
    sameParts(item.content, open.content, need);
  }
  if (item.type === "reasoning") {
    sameParts(item.summary, open.summary, need);
    sameParts(item.content ?? [], open.content, need);
    need(
      item.encrypted_content === undefined || typeof item.encrypted_content === "string",
      "has encrypted content of a wrong type",
    );
  }
}

function sameParts(told: Json[], seen: OpenPart[], need: Need): void {
  need(
    JSON.stringify(told.map((part) => [part.type, part.text ?? part.refusal])) ===
      JSON.stringify(seen.map(({ type, text }) => [type, text])),
    "has other parts than were told",
  );
  for (const part of told) {
    if (part.type === "output_text") need(Array.isArray(part.annotations), "has no annotations");
  }
}

function textOf(parts: Json[]): string {
  return parts.map((part) => part.text ?? part.refusal ?? "").join("");
}

function readPart(event: Json, open: OpenItem, fail: (what: string) => never, need: Need): void {
  const { type } = event;
  const call = /^response\.(function_call_arguments|custom_tool_call_input)\.(delta|done)$/.exec(
    type,
  );
  if (call !== null) {
    const kind = call[1] === "function_call_arguments" ? "function_call" : "custom_tool_call";
    need(open.item.type === kind, "belongs to another kind of item");
    need(!open.callDone, "comes after the call's done");
    if (call[2] === "delta") {
      need(typeof event.delta === "string", "has no delta");
      open.callText += event.delta;
    } else {
      need(event[CALL_FIELDS[kind]] === open.callText, "has other arguments than were told");
      open.callDone = true;
    }
    return;
  }
  const part = /^response\.(content|reasoning_summary)_part\.(added|done)$/.exec(type);
  if (part !== null) {
    const list = part[1] === "content" ? "content" : "summary";
    const index = event[list === "content" ? "content_index" : "summary_index"];
    if (part[2] === "added") {
      need(open.open === undefined, "opens a part before the last one is done");
      need(index === open[list].length, "has no rising index");
      need((event.part.text ?? event.part.refusal) === "", "is a part that isn't empty");
      open[list].push({ type: event.part.type, text: "" });
      open.open = { list, index };
      open.closedText = undefined;
    } else {
      need(open.open?.list === list && open.open.index === index, "closes another part");
      need(open.closedText !== undefined, "closes a part before its text");
      need((event.part.text ?? event.part.refusal) === open[list][index].text, "has another text");
      open.open = undefined;
    }
    return;
  }
  const match = /^(.*)\.(delta|done)$/.exec(type);
  const rule = match === null ? undefined : TEXT_EVENTS[match[1]];
  if (match === null || rule === undefined) return fail("is of a type that the openai SDK refuses");
  const [kind, partType, indexName, field] = rule;
  const list = indexName === "summary_index" ? "summary" : "content";
  const index = event[indexName];
  need(open.item.type === kind, "belongs to another kind of item");
  need(open.open?.list === list && open.open.index === index, "belongs to no open part");
  const current = open[list][index];
  need(current.type === partType, "belongs to another type of part");
  need(open.closedText === undefined, "comes after the text's done");
  if (match[2] === "delta") {
    need(typeof event.delta === "string" && event.delta !== "", "has no delta");
    current.text += event.delta;
  } else {
    need(event[field] === current.text, "has another text than was told");
    open.closedText = { list, index };
  }
  if (partType === "output_text") need(Array.isArray(event.logprobs), "has no logprobs");
}
