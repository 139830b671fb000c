/**
 * Plays a turn as ForgeCode plays it: repeats what it repeats, runs the tools that it believes to have been
 * called, goes on with partial answers. Without its pauses. Facts: `forgecode.md`.
 *
 * @module
 */

import type { JsonObject } from "../../lib/json.ts";
import { readMessagesAsForge } from "./forge_messages.ts";
import { readResponsesAsForge } from "./forge_responses.ts";
import { type ForgeVerdict, readAsForge } from "./forge_reader.ts";

/** The kinds of providers that ForgeCode has for the bridge. */
export type ForgeDialect = "chat" | "responses" | "messages";

/** What came of a turn. */
export interface ForgeTurn {
  /** Requests that the client sent. */
  readonly requests: number;
  /** How the turn ended. */
  readonly outcome: ForgeVerdict["outcome"];
  /** What the user sees. */
  readonly message: string;
  /** The tools that were run, with the arguments as the model had written them so far. */
  readonly ran: readonly { readonly name: string; readonly arguments: string }[];
  /** The texts that the user was shown, one for each answer that had any. */
  readonly texts: readonly string[];
}

/** The most requests of a turn, and the most tries of a request. */
const MOST_REQUESTS = 100;
const MOST_TRIES = 9;

const TOOL = {
  name: "write",
  description: "Writes a file",
  parameters: {
    type: "object",
    properties: { path: { type: "string" }, content: { type: "string" } },
    required: ["path", "content"],
  },
};

/** A message of the conversation: a chat message, or what stands for it in the other dialect. */
type Entries = readonly JsonObject[];

const DIALECTS: Readonly<
  Record<ForgeDialect, {
    readonly path: string;
    readonly body: (model: string, entries: Entries) => JsonObject;
    readonly read: (text: string, head: Parameters<typeof readAsForge>[1]) => ForgeVerdict;
    readonly said: (verdict: ForgeVerdict) => Entries;
    readonly result: (id: string | null, text: string) => JsonObject;
  }>
> = {
  chat: {
    path: "/chat/completions",
    body: (model, messages) => ({
      model,
      messages,
      tools: [{ type: "function", function: TOOL }],
      stream: true,
      stream_options: { include_usage: true },
      parallel_tool_calls: true,
      max_completion_tokens: 20_480,
    }),
    read: readAsForge,
    said: ({ content, toolCalls }) => [{
      role: "assistant",
      content,
      ...toolCalls.length === 0 ? {} : {
        tool_calls: toolCalls.map(({ id, name, arguments: text }) => ({
          id,
          type: "function",
          function: { name, arguments: text },
        })),
      },
    }],
    result: (id, content) => ({ role: "tool", tool_call_id: id, content }),
  },
  responses: {
    path: "/responses",
    body: (model, input) => ({
      model,
      input,
      instructions: "You are Forge.",
      tools: [{ type: "function", strict: false, ...TOOL }],
      stream: true,
      include: ["reasoning.encrypted_content"],
      max_output_tokens: 20_480,
    }),
    read: readResponsesAsForge,
    said: ({ content, toolCalls }) => [
      ...content === "" ? [] : [{ role: "assistant", content }],
      ...toolCalls.map(({ id, name, arguments: text }) => ({
        type: "function_call",
        call_id: id,
        name,
        arguments: text,
      })),
    ],
    result: (call_id, output) => ({ type: "function_call_output", call_id, output }),
  },
  messages: {
    path: "/messages",
    body: (model, messages) => ({
      model,
      messages,
      tools: [{
        name: TOOL.name,
        description: TOOL.description,
        input_schema: TOOL.parameters,
      }],
      stream: true,
      max_tokens: 20_480,
    }),
    read: readMessagesAsForge,
    said: ({ content, toolCalls }) => [{
      role: "assistant",
      content: [
        ...content === "" ? [] : [{ type: "text", text: content }],
        ...toolCalls.map(({ id, name, arguments: text }) => ({
          type: "tool_use",
          id,
          name,
          input: JSON.parse(text),
        })),
      ],
    }],
    result: (tool_use_id, content) => ({
      role: "user",
      content: [{ type: "tool_result", tool_use_id, content }],
    }),
  },
};

/**
 * Plays a turn.
 *
 * @param post Sends a request to the bridge.
 * @param dialect The kind of provider.
 * @param model The model.
 */
export async function playTurn(
  post: (path: string, body: JsonObject, headers: Record<string, string>) => Promise<Response>,
  dialect: ForgeDialect,
  model: string,
): Promise<ForgeTurn> {
  const { path, body, read, said, result } = DIALECTS[dialect];
  let entries: Entries = [{ role: "user", content: "Write the file." }];
  const ran: { name: string; arguments: string }[] = [];
  const texts: string[] = [];
  let requests = 0;
  let tries = 0;
  for (;;) {
    const response = await post(path, body(model, entries), { "user-agent": "Forge" });
    requests++;
    const { text, broken } = await readBody(response);
    const verdict = read(text, {
      status: response.status,
      contentType: response.headers.get("content-type"),
      broken,
    });
    if (verdict.content !== "") texts.push(verdict.content);
    const { outcome, message } = verdict;
    const turn = { requests, outcome, message, ran, texts };
    if (requests >= MOST_REQUESTS) return turn;
    if (verdict.tries === MOST_TRIES) {
      if (++tries >= MOST_TRIES) return turn;
      continue;
    }
    tries = 0;
    if (outcome === "error" || outcome === "refusal") return turn;
    entries = [...entries, ...said(verdict)];
    if (verdict.toolCalls.length === 0) {
      if (outcome === "done") return turn;
      continue;
    }
    for (const { id, name, arguments: given } of verdict.toolCalls) {
      // Broken JSON is repaired, and what it says by then is done.
      ran.push({ name, arguments: given });
      const known = name === TOOL.name;
      entries = [...entries, result(id, known ? "Written." : `There is no tool ${name}.`)];
    }
  }
}

async function readBody(response: Response): Promise<{ text: string; broken: boolean }> {
  let text = "";
  try {
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) text += piece;
    return { text, broken: false };
  } catch {
    return { text, broken: true };
  }
}
