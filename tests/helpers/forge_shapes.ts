/**
 * What ForgeCode can deserialize, as tables: the fields that it knows, their types, and which of them
 * must be there. Fields that it doesn't know are ignored. Read in its source (`forge_app`,
 * `dto/openai`) and checked against gateway behaviour written down in `forgecode.md`.
 *
 * @module
 */

import { duplicateKeys, FloatNumber, isMap, type Json, kindOf } from "./json.ts";

/** Checks one value: undefined if it fits, else what is wrong, with the path inside the value. */
export type Shape = (value: Json | undefined) => string | undefined;

/** Any value at all, null included; it may be missing too. */
const anything: Shape = () => undefined;

/** A string. */
const string: Shape = (value) =>
  typeof value === "string" ? undefined : `expected a string, found ${kindOf(value)}`;

/** A boolean. */
const boolean: Shape = (value) =>
  typeof value === "boolean" ? undefined : `expected a boolean, found ${kindOf(value)}`;

/** A number, whole or not. */
const number: Shape = (value) =>
  typeof value === "number" || value instanceof FloatNumber
    ? undefined
    : `expected a number, found ${kindOf(value)}`;

/**
 * A whole number, written as one: `1.0` and `1e3` are not.
 *
 * @param least The smallest that fits.
 * @param most The greatest that fits.
 * @returns The shape.
 */
function integer(least: number, most: number): Shape {
  return (value) =>
    typeof value === "number" && value >= least && value <= most
      ? undefined
      : `expected an integer from ${least} to ${most}, found ${kindOf(value)}`;
}

const count = integer(0, 2 ** 64);
const index32 = integer(0, 2 ** 32 - 1);
const signed32 = integer(-(2 ** 31), 2 ** 31 - 1);

/**
 * A value that may be missing or null.
 *
 * @param shape What it must be otherwise.
 * @returns The shape.
 */
function optional(shape: Shape): Shape {
  return (value) => value === undefined || value === null ? undefined : shape(value);
}

/**
 * A value that may be missing, but not null.
 *
 * @param shape What it must be otherwise.
 * @returns The shape.
 */
function defaulted(shape: Shape): Shape {
  return (value) => value === undefined ? undefined : shape(value);
}

/**
 * An array.
 *
 * @param shape What each item must be.
 * @returns The shape.
 */
function list(shape: Shape): Shape {
  return (value) => {
    if (!Array.isArray(value)) return `expected an array, found ${kindOf(value)}`;
    for (const [at, item] of value.entries()) {
      const wrong = shape(item);
      if (wrong !== undefined) return `[${at}] ${wrong}`;
    }
    return undefined;
  };
}

/**
 * An object with known fields. A known field that stands twice is an error; unknown ones are ignored.
 *
 * @param fields The known fields.
 * @returns The shape.
 */
function struct(fields: Record<string, Shape>): Shape {
  return (value) => {
    if (!isMap(value)) return `expected an object, found ${kindOf(value)}`;
    const twice = duplicateKeys(value);
    for (const [name, shape] of Object.entries(fields)) {
      if (twice.has(name)) return `${name}: expected once, found twice`;
      const wrong = shape(value[name]);
      if (wrong !== undefined) return `${name}: ${wrong}`;
    }
    return undefined;
  };
}

/**
 * The first of several shapes that fits.
 *
 * @param shapes The shapes by name, in the order in which they are tried.
 * @returns The shape; it complains with the last one's words.
 */
function oneOf(...shapes: Shape[]): Shape {
  return (value) => {
    let wrong: string | undefined;
    for (const shape of shapes) {
      wrong = shape(value);
      if (wrong === undefined) return undefined;
    }
    return wrong;
  };
}

/** An error's body: all optional, but each of its own type; a code is a string or an unsigned 16 bit. */
const errorBody: Shape = (value) => errorFields(value);
const errorFields = struct({
  error: optional((value) => errorBody(value)),
  message: optional(string),
  errno: optional(signed32),
  code: optional(oneOf(string, integer(0, 65535))),
  metadata: defaulted((value) =>
    isMap(value) ? undefined : `expected an object, found ${kindOf(value)}`
  ),
  syscall: optional(string),
  type: anything,
  param: anything,
});

const extraContent = struct({ google: optional(struct({ thought_signature: optional(string) })) });

const toolCall = struct({
  id: optional(string),
  // Its type is not looked at: it may be anything, or missing.
  type: anything,
  function: struct({ name: optional(string), arguments: defaulted(string) }),
  extra_content: optional(extraContent),
});

const reasoningDetail = struct({
  type: string,
  text: optional(string),
  signature: optional(string),
  data: optional(string),
  id: optional(string),
  format: optional(string),
  index: optional(signed32),
});

const message = struct({
  content: optional(string),
  reasoning: optional(string),
  reasoning_content: optional(string),
  role: optional(string),
  tool_calls: optional(list(toolCall)),
  refusal: optional(string),
  reasoning_details: optional(list(reasoningDetail)),
  reasoning_text: optional(string),
  reasoning_opaque: optional(string),
  extra_content: optional(extraContent),
});

/** The three kinds of choice, in the order in which the client tries them. */
export const CHOICE_SHAPES: Record<"text" | "message" | "delta", Shape> = {
  text: struct({ finish_reason: optional(string), text: string, error: optional(errorBody) }),
  message: struct({
    logprobs: anything,
    index: index32,
    finish_reason: optional(string),
    message,
    error: optional(errorBody),
  }),
  delta: struct({
    finish_reason: optional(string),
    delta: message,
    error: optional(errorBody),
  }),
};

const choice = oneOf(CHOICE_SHAPES.text, CHOICE_SHAPES.message, CHOICE_SHAPES.delta);

const usage = struct({
  prompt_tokens: count,
  completion_tokens: count,
  total_tokens: count,
  cost: optional(number),
  prompt_tokens_details: optional(struct({ cached_tokens: count })),
  cost_details: optional(struct({
    upstream_inference_cost: optional(number),
    upstream_inference_prompt_cost: optional(number),
    upstream_inference_completions_cost: optional(number),
  })),
});

const filterResult = optional(struct({ filtered: boolean, severity: string }));

/** What an event's data may be, in the order in which the client tries them. */
export const EVENT_SHAPES: Record<"success" | "costOnly" | "failure", Shape> = {
  success: struct({
    id: string,
    provider: optional(string),
    model: optional(string),
    choices: list(choice),
    created: defaulted(count),
    object: optional(string),
    system_fingerprint: optional(string),
    usage: optional(usage),
    prompt_filter_results: optional(list(struct({
      prompt_index: index32,
      content_filter_results: struct({
        hate: filterResult,
        self_harm: filterResult,
        sexual: filterResult,
        violence: filterResult,
      }),
    }))),
  }),
  // A later chunk with choices is taken for a note about costs: its choices are dropped.
  costOnly: struct({ choices: list(choice), cost: optional(oneOf(number, string)) }),
  failure: struct({ error: errorBody }),
};

const price = optional((value) =>
  typeof value === "string"
    ? (value.trim() === value && value !== "" && !Number.isNaN(Number(value))
      ? undefined
      : "expected a number in the string")
    : number(value)
);

/** The answer to `GET /models`. */
export const MODELS_SHAPE: Shape = struct({
  data: list(struct({
    id: string,
    name: optional(string),
    created: optional(count),
    description: optional(string),
    context_length: optional(count),
    // Half an architecture is worse than none: the whole list is refused.
    architecture: optional(struct({
      modality: string,
      tokenizer: string,
      instruct_type: optional(string),
      input_modalities: optional(list(string)),
      output_modalities: optional(list(string)),
    })),
    pricing: optional(struct({
      prompt: price,
      completion: price,
      image: price,
      request: price,
    })),
    top_provider: optional(struct({
      context_length: optional(count),
      max_completion_tokens: optional(count),
      is_moderated: boolean,
    })),
    per_request_limits: anything,
    supported_parameters: optional(list(string)),
  })),
});
