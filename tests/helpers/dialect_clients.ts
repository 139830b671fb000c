/**
 * One client for each dialect: how it asks, and what it makes of an answer. The words of a dialect stand
 * here, and nowhere in the expectations.
 *
 * @module
 */

import type { DialectName } from "../../lib/dialects/dialect.ts";
import type { JsonObject } from "../../lib/json.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

/** A call of a tool. */
export interface Call {
  /** The tool. */
  readonly name: string;
  /** What it is given. */
  readonly arguments: Json;
}

/** What a client understood. */
export interface Understood {
  /** The text. */
  readonly text: string;
  /** The reasoning that it was shown. */
  readonly thinking: string;
  /** The calls that it would run. */
  readonly calls: readonly Call[];
  /** How it ended. */
  readonly end: "stop" | "tool_calls" | "length" | "refusal" | "error";
  /** The words of the error. */
  readonly error: string;
  /** The assistant's turn, as the client sends it back. */
  readonly turn: readonly JsonObject[];
}

/** What is asked. */
export interface Question {
  /** What the user says. */
  readonly text: string;
  /** An image beside it, as base64. */
  readonly image?: string;
  /** The tools. */
  readonly tools?: boolean;
  /** The schema of the answer. */
  readonly schema?: JsonObject;
  /** An earlier turn of the assistant's, and the results of its calls. */
  readonly earlier?: { readonly turn: readonly JsonObject[]; readonly results: readonly string[] };
}

/** A client of one dialect. */
export interface DialectClient {
  /** Its dialect. */
  readonly dialect: DialectName;
  /** Where it asks. */
  readonly path: (model: string, stream: boolean) => string;
  /** How it asks. */
  readonly body: (model: string, stream: boolean, question: Question) => JsonObject;
  /** What it makes of a stream. */
  readonly readStream: (text: string) => Understood;
  /** What it makes of a whole answer. */
  readonly readWhole: (body: Json, status: number) => Understood;
}

const TOOL = {
  name: "look",
  description: "Looks at a file",
  schema: { type: "object", properties: { path: { type: "string" } }, required: ["path"] },
};

function events(text: string): Json[] {
  return text.split(/\r?\n\r?\n/).flatMap((chunk) =>
    chunk.split(/\r?\n/).filter((line) => line.startsWith("data:"))
  ).map((line) => line.slice(5).trim()).filter((data) => data !== "[DONE]" && data !== "")
    .map((data) => JSON.parse(data));
}

function failed(error: string): Understood {
  return { text: "", thinking: "", calls: [], end: "error", error, turn: [] };
}

const CHAT_ENDS: Record<string, Understood["end"]> = {
  stop: "stop",
  tool_calls: "tool_calls",
  length: "length",
  content_filter: "refusal",
};

function chatUnderstood(message: Json, reason: string): Understood {
  const calls = message.tool_calls ?? [];
  return {
    text: message.content ?? "",
    thinking: message.reasoning_content ?? "",
    calls: calls.map(({ function: { name, arguments: text } }: Json) => ({
      name,
      arguments: JSON.parse(text),
    })),
    end: CHAT_ENDS[reason] ?? "error",
    error: "",
    turn: [message],
  };
}

const CHAT: DialectClient = {
  dialect: "chat",
  path: () => "/v1/chat/completions",
  body: (model, stream, { text, image, tools, schema, earlier }) => ({
    model,
    stream,
    messages: [
      {
        role: "user",
        content: image
          ? [{ type: "text", text }, {
            type: "image_url",
            image_url: { url: `data:image/png;base64,${image}` },
          }]
          : text,
      },
      ...earlier?.turn ?? [],
      ...((earlier?.turn[0]?.tool_calls ?? []) as Json[]).map(({ id }, at) => ({
        role: "tool",
        tool_call_id: id,
        content: earlier!.results[at],
      })),
    ],
    ...tools
      ? {
        tools: [{
          type: "function",
          function: {
            name: TOOL.name,
            description: TOOL.description,
            parameters: TOOL.schema,
          },
        }],
      }
      : {},
    ...schema
      ? { response_format: { type: "json_schema", json_schema: { name: "answer", schema } } }
      : {},
  }),
  readStream(text) {
    const message: Json = { role: "assistant", content: "", reasoning_content: "" };
    const calls: Json[] = [];
    let reason = "";
    for (const event of events(text)) {
      if (event.error) return failed(event.error.message);
      for (const { delta, finish_reason: finish } of event.choices) {
        message.content += delta.content ?? "";
        message.reasoning_content += delta.reasoning_content ?? "";
        for (const { index, function: call, ...rest } of delta.tool_calls ?? []) {
          calls[index] ??= { ...rest, function: { name: call.name, arguments: "" } };
          calls[index].function.arguments += call.arguments ?? "";
        }
        reason = finish ?? reason;
      }
    }
    if (calls.length > 0) message.tool_calls = calls;
    if (!text.endsWith("data: [DONE]\n\n")) return failed("no end");
    return chatUnderstood(message, reason);
  },
  readWhole: (body, status) =>
    status !== 200
      ? failed(body.error.message)
      : chatUnderstood(body.choices[0].message, body.choices[0].finish_reason),
};

function responsesUnderstood(response: Json): Understood {
  const { output, status, incomplete_details: details, error } = response;
  if (status === "failed") return failed(error.message);
  const of = (type: string) => output.filter((item: Json) => item.type === type);
  const parts = of("message").flatMap(({ content }: Json) => content);
  const calls = of("function_call").map(({ name, arguments: text }: Json) => ({
    name,
    arguments: JSON.parse(text),
  }));
  return {
    text: parts.map((part: Json) => part.text ?? part.refusal).join(""),
    thinking: of("reasoning").flatMap(({ summary }: Json) => summary)
      .map(({ text }: Json) => text).join(""),
    calls,
    end: status === "incomplete"
      ? details.reason === "max_output_tokens" ? "length" : "refusal"
      : calls.length > 0
      ? "tool_calls"
      : "stop",
    error: "",
    turn: output,
  };
}

const RESPONSES: DialectClient = {
  dialect: "responses",
  path: () => "/v1/responses",
  body: (model, stream, { text, image, tools, schema, earlier }) => ({
    model,
    stream,
    store: false,
    include: ["reasoning.encrypted_content"],
    input: [
      {
        role: "user",
        content: [
          { type: "input_text", text },
          ...image ? [{ type: "input_image", image_url: `data:image/png;base64,${image}` }] : [],
        ],
      },
      ...earlier?.turn ?? [],
      ...((earlier?.turn ?? []) as Json[]).filter(({ type }) => type === "function_call").map((
        { call_id },
        at,
      ) => ({ type: "function_call_output", call_id, output: earlier!.results[at] })),
    ],
    ...tools
      ? {
        tools: [{
          type: "function",
          name: TOOL.name,
          description: TOOL.description,
          parameters: TOOL.schema,
          strict: false,
        }],
      }
      : {},
    ...schema ? { text: { format: { type: "json_schema", name: "answer", schema } } } : {},
  }),
  readStream(text) {
    const ending = events(text).findLast(({ type }) =>
      /^response\.(completed|incomplete|failed)$/.test(type)
    );
    return ending ? responsesUnderstood(ending.response) : failed("no end");
  },
  readWhole: (body, status) =>
    status !== 200 ? failed(body.error.message) : responsesUnderstood(body),
};

const MESSAGES_ENDS: Record<string, Understood["end"]> = {
  end_turn: "stop",
  tool_use: "tool_calls",
  max_tokens: "length",
  refusal: "refusal",
};

function messagesUnderstood({ content, stop_reason: reason }: Json): Understood {
  const of = (type: string) => content.filter((block: Json) => block.type === type);
  return {
    text: of("text").map(({ text }: Json) => text).join(""),
    thinking: of("thinking").map(({ thinking }: Json) => thinking).join(""),
    calls: of("tool_use").map(({ name, input }: Json) => ({ name, arguments: input })),
    end: MESSAGES_ENDS[reason] ?? "error",
    error: "",
    turn: [{ role: "assistant", content }],
  };
}

const MESSAGES: DialectClient = {
  dialect: "messages",
  path: () => "/v1/messages",
  body: (model, stream, { text, image, tools, schema, earlier }) => ({
    model,
    stream,
    max_tokens: 1_000,
    thinking: { type: "enabled", budget_tokens: 1_024 },
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text },
          ...image
            ? [{
              type: "image",
              source: { type: "base64", media_type: "image/png", data: image },
            }]
            : [],
        ],
      },
      ...earlier
        ? [...earlier.turn, {
          role: "user",
          content: ((earlier.turn[0].content ?? []) as Json[])
            .filter(({ type }) => type === "tool_use")
            .map(({ id }, at) => ({
              type: "tool_result",
              tool_use_id: id,
              content: earlier.results[at],
            })),
        }]
        : [],
    ],
    ...tools
      ? {
        tools: [{
          name: TOOL.name,
          description: TOOL.description,
          input_schema: TOOL.schema,
        }],
      }
      : {},
    ...schema ? { output_config: { format: { type: "json_schema", schema } } } : {},
  }),
  readStream(text) {
    const content: Json[] = [];
    let reason: unknown;
    let stopped = false;
    for (const event of events(text)) {
      const { type, index, delta } = event;
      if (type === "error") return failed(event.error.message);
      if (type === "content_block_start") content[index] = { ...event.content_block, json: "" };
      if (type === "message_delta") reason = delta.stop_reason;
      if (type === "message_stop") stopped = true;
      if (type !== "content_block_delta") continue;
      if (delta.type === "text_delta") content[index].text += delta.text;
      if (delta.type === "thinking_delta") content[index].thinking += delta.thinking;
      if (delta.type === "signature_delta") content[index].signature += delta.signature;
      if (delta.type === "input_json_delta") content[index].json += delta.partial_json;
    }
    if (!stopped) return failed("no end");
    const blocks = content.map(({ json, ...block }) =>
      block.type === "tool_use" ? { ...block, input: JSON.parse(json || "{}") } : block
    );
    return messagesUnderstood({ content: blocks, stop_reason: reason });
  },
  readWhole: (body, status) =>
    status !== 200 ? failed(body.error.message) : messagesUnderstood(body),
};

function geminiUnderstood(parts: Json[], reason: string, error: string): Understood {
  if (reason === "OTHER" || reason === "") return failed(error || "no end");
  const calls = parts.filter(({ functionCall: call }) => call).map(({ functionCall: call }) => ({
    name: call.name,
    arguments: call.args,
  }));
  const texts = (thought: boolean) =>
    parts.filter((part) => typeof part.text === "string" && (part.thought === true) === thought)
      .map(({ text }) => text).join("");
  return {
    text: texts(false),
    thinking: texts(true),
    calls,
    end: reason === "MAX_TOKENS"
      ? "length"
      : reason !== "STOP"
      ? "refusal"
      : calls.length > 0
      ? "tool_calls"
      : "stop",
    error: "",
    turn: [{ role: "model", parts }],
  };
}

const GEMINI: DialectClient = {
  dialect: "gemini",
  path: (model, stream) =>
    `/v1beta/models/${model}:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`,
  body: (_model, _stream, { text, image, tools, schema, earlier }) => ({
    contents: [
      {
        role: "user",
        parts: [
          { text },
          ...image ? [{ inlineData: { mimeType: "image/png", data: image } }] : [],
        ],
      },
      ...earlier
        ? [...earlier.turn, {
          role: "user",
          parts: ((earlier.turn[0].parts ?? []) as Json[]).filter(({ functionCall }) =>
            functionCall
          ).map(({ functionCall: { id, name } }, at) => ({
            functionResponse: { id, name, response: { output: earlier.results[at] } },
          })),
        }]
        : [],
    ],
    ...tools
      ? {
        tools: [{
          functionDeclarations: [{
            name: TOOL.name,
            description: TOOL.description,
            parametersJsonSchema: TOOL.schema,
          }],
        }],
      }
      : {},
    generationConfig: {
      maxOutputTokens: 1_000,
      thinkingConfig: { includeThoughts: true },
      ...schema ? { responseMimeType: "application/json", responseJsonSchema: schema } : {},
    },
  }),
  readStream(text) {
    const parts: Json[] = [];
    let reason = "";
    let error = "";
    for (const event of events(text)) {
      error = event.error?.message ?? error;
      const [candidate] = event.candidates ?? [];
      if (event.error) return failed(error);
      parts.push(...candidate?.content?.parts ?? []);
      reason = candidate?.finishReason ?? reason;
    }
    return geminiUnderstood(parts, reason, error);
  },
  readWhole(body, status) {
    if (status !== 200) return failed(body.error.message);
    const [candidate] = body.candidates;
    return geminiUnderstood(candidate.content.parts, candidate.finishReason, "");
  },
};

/** All of them. */
export const DIALECT_CLIENTS: readonly DialectClient[] = [CHAT, RESPONSES, MESSAGES, GEMINI];
