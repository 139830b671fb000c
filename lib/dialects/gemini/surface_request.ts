/**
 * Requests on their way to a surface that speaks Gemini's API: those of its own clients pass, chat
 * completions are translated.
 *
 * @module
 */

import { repairHistory } from "../../adapt/history.ts";
import { isOwnContent } from "../../enrich/continuity.ts";
import { isObject, type JsonObject } from "../../json.ts";
import type { CallScope, EncodedRequest, Target } from "../dialect.ts";
import { textOf } from "./request.ts";

/**
 * The path of a request: the API names the model and the method there.
 *
 * @param base The surface's path, `/gemini/v1beta`.
 * @param target The model, and whether a stream is wanted.
 */
export function pathFor(base: string, { model, stream }: Pick<Target, "model" | "stream">): string {
  const method = stream ? "streamGenerateContent?alt=sse" : "generateContent";
  return `${base}/models/${encodeURIComponent(model)}:${method}`;
}

/**
 * A Gemini request as the gateway takes it: what the bridge itself has signed for another model's sake is
 * left out.
 *
 * @param body The client's body; it is not changed.
 */
export function passRequest(body: JsonObject): EncodedRequest {
  const contents = (Array.isArray(body.contents) ? body.contents : []).map((content) => {
    if (!isObject(content) || !Array.isArray(content.parts)) return content;
    const parts = content.parts.map((part) => {
      if (!isObject(part) || !isOwnContent(part.thoughtSignature)) return part;
      const { thoughtSignature: _signature, ...rest } = part;
      return rest;
    });
    return { ...content, parts };
  });
  return { body: { ...body, contents }, dropped: [] };
}

/** A chat request's content as parts. */
function partsFor(content: unknown): JsonObject[] {
  if (typeof content === "string") return content === "" ? [] : [{ text: content }];
  return (Array.isArray(content) ? content.filter(isObject) : []).flatMap((part): JsonObject[] => {
    if (typeof part.text === "string") return part.text === "" ? [] : [{ text: part.text }];
    const url = isObject(part.image_url) ? textOf(part.image_url.url) : "";
    const data = /^data:([^;,]*)[^,]*;base64,/.exec(url);
    return data
      ? [{ inlineData: { mimeType: data[1], data: url.slice(data[0].length) } }]
      : url === ""
      ? []
      : [{ fileData: { fileUri: url } }];
  });
}

function argumentsOf(text: unknown): JsonObject {
  try {
    const value: unknown = JSON.parse(textOf(text) || "{}");
    return isObject(value) ? value : { value };
  } catch {
    return {};
  }
}

function contentsOf(messages: readonly JsonObject[]): JsonObject[] {
  const names = new Map<string, string>();
  const contents: { role: string; parts: JsonObject[] }[] = [];
  const put = (role: string, parts: readonly JsonObject[]) => {
    if (parts.length === 0) return;
    const last = contents.at(-1);
    if (last?.role === role) last.parts.push(...parts);
    else contents.push({ role, parts: [...parts] });
  };
  for (const message of messages) {
    if (message.role === "assistant") {
      const calls = Array.isArray(message.tool_calls) ? message.tool_calls.filter(isObject) : [];
      put("model", [
        ...partsFor(message.content),
        ...calls.map(({ id, function: call, thoughtSignature: signature }) => {
          const { name, arguments: text } = isObject(call) ? call : {} as JsonObject;
          names.set(textOf(id), textOf(name));
          return {
            functionCall: { name, args: argumentsOf(text) },
            ...textOf(signature) === "" ? {} : { thoughtSignature: signature },
          };
        }),
      ]);
    } else if (message.role === "tool") {
      const output = partsFor(message.content).map(({ text }) => textOf(text)).join("\n");
      const name = names.get(textOf(message.tool_call_id)) ?? textOf(message.name);
      put("user", [{ functionResponse: { name, response: { output } } }]);
    } else put("user", partsFor(message.content));
  }
  return contents;
}

function isSystem({ role }: JsonObject): boolean {
  return role === "system" || role === "developer";
}

/** Fields that are translated; what is not among them has no words here. */
const TRANSLATED = new Set([
  "model",
  "messages",
  "stream",
  "stream_options",
  "tools",
  "tool_choice",
  "max_tokens",
  "max_completion_tokens",
  "temperature",
  "top_p",
  "stop",
  "seed",
  "presence_penalty",
  "frequency_penalty",
  "n",
  "response_format",
]);

function configOf(body: JsonObject): JsonObject {
  const most = body.max_completion_tokens ?? body.max_tokens;
  const stops = (Array.isArray(body.stop) ? body.stop : [body.stop])
    .filter((one) => typeof one === "string");
  const format = isObject(body.response_format) ? body.response_format : {};
  const schema = isObject(format.json_schema) ? format.json_schema.schema : undefined;
  return {
    ...typeof body.temperature === "number" ? { temperature: body.temperature } : {},
    ...typeof body.top_p === "number" ? { topP: body.top_p } : {},
    ...typeof most === "number" ? { maxOutputTokens: most } : {},
    ...stops.length > 0 ? { stopSequences: stops } : {},
    ...typeof body.seed === "number" ? { seed: body.seed } : {},
    ...typeof body.presence_penalty === "number" ? { presencePenalty: body.presence_penalty } : {},
    ...typeof body.frequency_penalty === "number"
      ? { frequencyPenalty: body.frequency_penalty }
      : {},
    ...typeof body.n === "number" && body.n > 1 ? { candidateCount: body.n } : {},
    ...format.type === "json_object" || isObject(schema)
      ? { responseMimeType: "application/json" }
      : {},
    ...isObject(schema) ? { responseJsonSchema: schema } : {},
  };
}

/**
 * A chat completions request as a Gemini request.
 *
 * @param request A chat completions request; it is not changed.
 * @param target Where it goes.
 * @param calls What is cached for the conversation's tool calls.
 */
export function encodeRequest(
  request: JsonObject,
  target: Target,
  calls?: CallScope,
): EncodedRequest {
  const body = repairHistory(request, target.model, calls);
  const messages = (Array.isArray(body.messages) ? body.messages : []).filter(isObject);
  const system = messages.filter(isSystem).flatMap(({ content }) => partsFor(content));
  const tools = (Array.isArray(body.tools) ? body.tools : []).filter(isObject).flatMap((tool) => {
    const own = isObject(tool.function) ? tool.function : {};
    const { name, description, parameters } = own;
    return typeof name === "string"
      ? [{ name, description, parametersJsonSchema: parameters }]
      : [];
  });
  const choice = body.tool_choice;
  const named = isObject(choice) && isObject(choice.function) ? choice.function.name : undefined;
  const mode = named !== undefined || choice === "required"
    ? "ANY"
    : choice === "none"
    ? "NONE"
    : undefined;
  return {
    body: {
      ...system.length > 0 ? { systemInstruction: { parts: system } } : {},
      contents: contentsOf(messages.filter((message) => !isSystem(message))),
      ...tools.length > 0 ? { tools: [{ functionDeclarations: tools }] } : {},
      ...mode === undefined || tools.length === 0 ? {} : {
        toolConfig: {
          functionCallingConfig: {
            mode,
            ...named === undefined ? {} : { allowedFunctionNames: [named] },
          },
        },
      },
      generationConfig: configOf(body),
    },
    dropped: Object.keys(body).filter((name) => !TRANSLATED.has(name)),
  };
}
