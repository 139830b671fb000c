/**
 * Gemini requests, checked, and as chat completions requests.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import { decodeContinuity } from "../../enrich/continuity.ts";
import { isObject, type JsonObject } from "../../json.ts";
import { familyOf } from "../../models/families.ts";
import { checkFields, type FieldRules, OBJECT, OBJECTS, wrongType } from "../check.ts";
import type { DialectContext, RequestSummary } from "../dialect.ts";

const FIELDS: FieldRules = {
  generationConfig: OBJECT,
  systemInstruction: OBJECT,
  tools: OBJECTS,
  toolConfig: OBJECT,
};

/** Method of the API → whether it streams. */
const METHODS: Readonly<Record<string, boolean>> = {
  generateContent: false,
  streamGenerateContent: true,
};

/**
 * Checks a request. The path names the model and the method: `gemini-3-flash:streamGenerateContent`.
 *
 * @param body The client's body.
 * @param rest What follows `/v1beta/models/`.
 * @throws {BridgeError} kind `request`, with the field at fault; `not_found` for another method.
 */
export function parseRequest(body: JsonObject, rest: string): RequestSummary {
  const [, name = "", method = ""] = /^(.*):([^:]*)$/.exec(rest) ?? [];
  const stream = Object.hasOwn(METHODS, method) ? METHODS[method] : undefined;
  if (stream === undefined || name === "") {
    throw new BridgeError(
      "not_found",
      `There is no "${rest.slice(0, 100)}": expected a model and one of ${
        Object.keys(METHODS).join(", ")
      }, countTokens.`,
      { code: "unknown_path" },
    );
  }
  checkFields(body, FIELDS, "");
  const { contents } = body;
  if (!Array.isArray(contents) || !contents.every(isObject)) {
    throw wrongType("contents", "an array of contents", contents);
  }
  if (contents.length === 0) {
    throw new BridgeError("request", "`contents` is empty: expected at least one content.", {
      param: "contents",
    });
  }
  let model = name;
  try {
    model = decodeURIComponent(name);
  } catch {
    // A stray percent sign is just part of a name that isn't there.
  }
  return { model, stream };
}

/** The value if it is a string, else an empty string. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The parts of a content, or of an instruction. */
export function partsOf(content: unknown): JsonObject[] {
  if (typeof content === "string") return [{ text: content }];
  const parts = isObject(content) ? content.parts : undefined;
  return Array.isArray(parts) ? parts.filter(isObject) : [];
}

/** JSON Schema in lower case: Gemini's own types are written in capitals. */
function schemaOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(schemaOf);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      name,
      name === "type" && typeof field === "string" ? field.toLowerCase() : schemaOf(field),
    ]),
  );
}

function decodeTools(tools: unknown): JsonObject[] {
  const declared = (Array.isArray(tools) ? tools : []).filter(isObject).flatMap((tool) =>
    Array.isArray(tool.functionDeclarations) ? tool.functionDeclarations.filter(isObject) : []
  );
  return declared.map(({ name, description, parameters, parametersJsonSchema }) => ({
    type: "function",
    function: {
      name,
      ...description === undefined ? {} : { description },
      parameters: parametersJsonSchema ?? schemaOf(parameters) ??
        { type: "object", properties: {} },
    },
  }));
}

function callingOf(config: unknown): { mode: string; names: readonly unknown[] } {
  const calling = isObject(config) && isObject(config.functionCallingConfig)
    ? config.functionCallingConfig
    : {};
  const names = calling.allowedFunctionNames;
  return { mode: textOf(calling.mode).toUpperCase(), names: Array.isArray(names) ? names : [] };
}

/** The tools of which one must be called: chat completions can't say which of them may. */
function allowedOf(tools: JsonObject[], config: unknown): JsonObject[] {
  const { mode, names } = callingOf(config);
  if (mode !== "ANY" || names.length < 2) return tools;
  return tools.filter(({ function: tool }) => isObject(tool) && names.includes(tool.name));
}

function decodeChoice(config: unknown): JsonObject {
  const { mode, names } = callingOf(config);
  switch (mode) {
    case "ANY":
      return {
        tool_choice: names.length === 1
          ? { type: "function", function: { name: names[0] } }
          : "required",
      };
    case "NONE":
      return { tool_choice: "none" };
    default:
      return {};
  }
}

/** Thinking levels and budgets as efforts. */
function effortOf(
  { thinkingLevel: level, thinkingBudget: budget }: JsonObject,
): string | undefined {
  const named = textOf(level).toLowerCase();
  if (["minimal", "low", "medium", "high"].includes(named)) return named;
  if (typeof budget !== "number" || budget < 0) return undefined;
  return budget <= 2048 ? "low" : budget <= 8192 ? "medium" : "high";
}

/**
 * A part of a request with its names as `maxOutputTokens`: Google's API takes `max_output_tokens` as well.
 * What functions take and give, and schemas, have names of their own.
 */
function camelCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCased);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => {
      const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
      return [camel, OWN_NAMES.has(camel) ? field : camelCased(field)];
    }),
  );
}

/** Fields whose keys are chosen by the client. */
const OWN_NAMES: ReadonlySet<string> = new Set([
  "args",
  "response",
  "parameters",
  "parametersJsonSchema",
  "responseSchema",
  "responseJsonSchema",
]);

/**
 * Settings that chat completions know by another name. There is none for `topK`, which Gemini CLI always
 * sends and which changes next to nothing beside `topP`.
 */
const SAME_MEANING = [
  ["seed", "seed"],
  ["presencePenalty", "presence_penalty"],
  ["frequencyPenalty", "frequency_penalty"],
] as const;

/** Settings of the answer, in OpenAI's words. */
function decodeConfig(config: JsonObject, model: string): JsonObject {
  const chat: JsonObject = {};
  const { temperature, topP, maxOutputTokens, stopSequences, thinkingConfig } = config;
  if (temperature !== undefined) chat.temperature = temperature;
  if (topP !== undefined) chat.top_p = topP;
  if (maxOutputTokens !== undefined) chat.max_tokens = maxOutputTokens;
  if (Array.isArray(stopSequences) && stopSequences.length > 0) chat.stop = stopSequences;
  for (const [theirs, ours] of SAME_MEANING) {
    if (typeof config[theirs] === "number") chat[ours] = config[theirs];
  }
  if (typeof config.candidateCount === "number" && config.candidateCount > 1) {
    chat.n = config.candidateCount;
  }
  const schema = config.responseJsonSchema ?? schemaOf(config.responseSchema);
  if (isObject(schema)) {
    chat.response_format = { type: "json_schema", json_schema: { name: "response", schema } };
  } else if (config.responseMimeType === "application/json") {
    chat.response_format = { type: "json_object" };
  }
  const effort = isObject(thinkingConfig) ? effortOf(thinkingConfig) : undefined;
  // Claude and Gemini think by themselves, and refuse an effort.
  if (effort !== undefined && ["gpt", "grok"].includes(familyOf(model))) {
    chat.reasoning_effort = effort;
  }
  return chat;
}

/**
 * Whether Google's signatures go to a model: Gemini wants them, and so may an endpoint whose name tells
 * nothing. Others refuse the field; Google's client signs every call, whoever made it.
 */
function takesSignatures(model: string): boolean {
  const family = familyOf(model);
  return family === "gemini" ||
    (family === "open" && !/^(databricks-|system\.ai\.)/i.test(model));
}

/** The messages as they grow; calls without ids get some, and results find theirs by name and order. */
class History {
  readonly messages: JsonObject[] = [];
  readonly #open = new Map<string, string[]>();
  readonly #model: string;
  readonly #takesSignatures: boolean;
  #made = 0;

  constructor(model: string) {
    this.#model = model;
    this.#takesSignatures = takesSignatures(model);
  }

  content({ role, parts }: JsonObject, path: string): void {
    const list = partsOf({ parts });
    if (role === "model") this.#answer(list);
    else this.#user(list, path);
  }

  #answer(parts: readonly JsonObject[]): void {
    let text = "";
    let thoughts = "";
    const details: JsonObject[] = [];
    const calls: JsonObject[] = [];
    for (const part of parts) {
      const { thought, thoughtSignature: signature, functionCall: call } = part;
      const own = decodeContinuity(signature);
      const mine = own !== undefined && own.model === this.#model ? own : undefined;
      details.push(...mine?.details ?? []);
      if (thought === true) thoughts += textOf(part.text);
      else if (isObject(call)) {
        const id = textOf(call.id) || `call_gemini_${++this.#made}_${textOf(call.name)}`;
        const name = textOf(call.name);
        this.#open.set(name, [...this.#open.get(name) ?? [], id]);
        calls.push({
          ...own === undefined && this.#takesSignatures && textOf(signature) !== ""
            ? { thoughtSignature: signature }
            : {},
          ...mine?.calls?.[id] ?? {},
          id,
          type: "function",
          function: { name, arguments: JSON.stringify(call.args ?? {}) },
        });
      } else text += textOf(part.text);
    }
    if (text === "" && calls.length === 0) return;
    this.messages.push({
      role: "assistant",
      content: text === "" ? null : text,
      ...details.length > 0 ? { reasoning_details: details } : {},
      ...thoughts === "" ? {} : { reasoning_content: thoughts },
      ...calls.length > 0 ? { tool_calls: calls } : {},
    });
  }

  #user(parts: readonly JsonObject[], path: string): void {
    const told: JsonObject[] = [];
    for (const [at, part] of parts.entries()) {
      const { functionResponse: result } = part;
      if (!isObject(result)) {
        told.push(...decodePart(part, `${path}.parts[${at}]`));
        continue;
      }
      const name = textOf(result.name);
      const waiting = this.#open.get(name) ?? [];
      const id = textOf(result.id) || waiting[0] || `call_gemini_${name}`;
      this.#open.set(name, waiting.filter((one) => one !== id));
      this.messages.push({ role: "tool", tool_call_id: id, content: resultText(result.response) });
      const images = partsOf({ parts: result.parts }).filter((inner) => isObject(inner.inlineData));
      told.push(...images.flatMap((inner) => decodePart(inner, path)));
    }
    if (told.length === 0) return;
    const [only] = told;
    const content = told.length === 1 && only.type === "text" ? only.text : told;
    this.messages.push({ role: "user", content });
  }
}

/** A result's own text, where it is nothing but that. */
function resultText(response: unknown): string {
  if (isObject(response)) {
    const names = Object.keys(response);
    const [value] = Object.values(response);
    if (names.length === 1 && ["output", "result", "content"].includes(names[0])) {
      if (typeof value === "string") return value;
    }
  }
  return typeof response === "string" ? response : JSON.stringify(response ?? {});
}

function decodePart(part: JsonObject, path: string): JsonObject[] {
  if (typeof part.text === "string") {
    return part.text === "" ? [] : [{ type: "text", text: part.text }];
  }
  const { inlineData: data } = part;
  if (isObject(data) && /^image\//.test(textOf(data.mimeType))) {
    return [{
      type: "image_url",
      image_url: { url: `data:${data.mimeType};base64,${textOf(data.data)}` },
    }];
  }
  throw new BridgeError(
    "request",
    `\`${path}\` holds ${
      Object.keys(part)[0]?.slice(0, 40) ?? "nothing"
    }, which this model can't be told: send text or an image.`,
    { param: path, code: "unsupported_content" },
  );
}

/**
 * A request as a chat completions request. What the model's side has nothing like goes: `safetySettings`,
 * Google's own tools.
 *
 * @param given The client's body, which {@linkcode parseRequest} has taken.
 * @param context The model.
 * @throws {BridgeError} kind `request`, naming what can't be said.
 */
export function decodeRequest(given: JsonObject, { model }: DialectContext): JsonObject {
  const body = camelCased(given) as JsonObject;
  if (textOf(body.cachedContent) !== "") {
    throw new BridgeError(
      "request",
      "`cachedContent` can't be had here: send the content itself.",
      { param: "cachedContent", code: "unsupported_parameter" },
    );
  }
  const system = partsOf(body.systemInstruction).map(({ text }) => textOf(text)).join("\n\n");
  const history = new History(model);
  for (const [at, content] of (body.contents as JsonObject[]).entries()) {
    history.content(content, `contents[${at}]`);
  }
  const tools = allowedOf(decodeTools(body.tools), body.toolConfig);
  const config = isObject(body.generationConfig) ? body.generationConfig : {};
  return {
    model,
    messages: [...system === "" ? [] : [{ role: "system", content: system }], ...history.messages],
    ...tools.length > 0 ? { tools, ...decodeChoice(body.toolConfig) } : {},
    ...decodeConfig(config, model),
  };
}
