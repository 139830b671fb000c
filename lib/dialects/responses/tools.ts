/**
 * The tools of a Responses request: functions, free-text tools, Codex' shell and its namespaces. Other
 * surfaces know functions only, with one flat name each; this is where names are made, and found again.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import { hash64 } from "../../hash.ts";
import { isObject, type JsonObject } from "../../json.ts";

/** What a flat name stands for. */
export interface ToolName {
  /** What a call of it is. */
  readonly kind: "function" | "custom" | "local_shell";
  /** The client's name. */
  readonly name: string;
  /** The namespace that the tool stands in. */
  readonly namespace?: string;
}

/** The longest name of a function, in characters (OpenAI's API reference). */
const MAX_NAME = 64;

/** Tools that can be left out: what they give is a help, and the client has another way. */
const OPTIONAL_TOOLS = new Set<unknown>([
  "web_search",
  "web_search_2025_08_26",
  "web_search_preview",
  "web_search_preview_2025_03_11",
  "image_generation",
  "tool_search",
]);

/** The function that stands for Codex' `local_shell`. */
const LOCAL_SHELL: JsonObject = {
  description: "Runs a command on the user's machine and returns its output.",
  parameters: {
    type: "object",
    properties: {
      command: {
        type: "array",
        items: { type: "string" },
        description: "The program and its arguments.",
      },
      working_directory: { type: "string", description: "Where it runs." },
      timeout_ms: { type: "integer", description: "After how many milliseconds it is ended." },
    },
    required: ["command"],
  },
};

/**
 * The flat name of a tool in a namespace.
 *
 * @param namespace The namespace's name.
 * @param name The tool's name in it.
 */
export function flatName(namespace: string, name: string): string {
  const joined = namespace.endsWith("__") ? namespace + name : `${namespace}__${name}`;
  const allowed = joined.replace(/[^\w-]/g, "_");
  if (allowed.length <= MAX_NAME) return allowed;
  const hash = hash64(joined);
  return `${allowed.slice(0, MAX_NAME - hash.length - 1)}_${hash}`;
}

/** The tools of one request by their flat names. */
export class ToolNames {
  readonly #byName = new Map<string, ToolName>();
  readonly #definitions: JsonObject[] = [];
  readonly #left: string[] = [];

  /** Reads `tools`; nothing is refused yet. */
  constructor(tools: unknown) {
    for (const tool of Array.isArray(tools) ? tools : []) {
      if (!isObject(tool)) continue;
      if (tool.type === "namespace" && Array.isArray(tool.tools)) {
        const namespace = textOf(tool.name);
        for (const inner of tool.tools) if (isObject(inner)) this.#add(inner, namespace);
      } else this.#add(tool);
    }
  }

  /** The flat names of all tools that clients run. */
  get names(): ReadonlySet<string> {
    return new Set(this.#byName.keys());
  }

  /** Whether any tool stands in a namespace, so that names differ. */
  get nested(): boolean {
    return [...this.#byName.values()].some(({ namespace }) => namespace !== undefined);
  }

  /** What a flat name stands for; a function of that very name where no tool has it. */
  of(name: string): ToolName {
    return this.#byName.get(name) ?? { kind: "function", name };
  }

  /** The tools as functions of chat completions. */
  functions(): JsonObject[] {
    return this.#definitions;
  }

  /** Tools of kinds that no chat surface has. */
  get others(): readonly string[] {
    return this.#left;
  }

  /** The flat name under which a call of the history went out. */
  flat(item: JsonObject): string {
    const name = textOf(item.name);
    const namespace = textOf(item.namespace);
    return namespace === "" ? name : flatName(namespace, name);
  }

  #add(tool: JsonObject, namespace?: string): void {
    const name = tool.type === "local_shell" ? "local_shell" : textOf(tool.name);
    const flat = namespace ? flatName(namespace, name) : name;
    if (tool.type === "function" || (namespace !== undefined && tool.type === undefined)) {
      const { description, parameters, strict } = tool;
      this.#define(flat, { kind: "function", name, namespace }, {
        description,
        parameters: isObject(parameters) ? parameters : { type: "object", properties: {} },
        ...(strict === true ? { strict } : {}),
      });
    } else if (tool.type === "custom") {
      this.#define(flat, { kind: "custom", name, namespace }, {
        description: customDescription(tool),
        parameters: {
          type: "object",
          properties: { input: { type: "string", description: "The tool's input, as free text." } },
          required: ["input"],
        },
      });
    } else if (tool.type === "local_shell") {
      this.#define(flat, { kind: "local_shell", name }, LOCAL_SHELL);
    } else this.#left.push(String(tool.type));
  }

  #define(flat: string, name: ToolName, definition: JsonObject): void {
    // The first of two with one name counts; a second definition of it would be refused.
    if (flat === "" || this.#byName.has(flat)) return;
    this.#byName.set(flat, name);
    const { description, ...rest } = definition;
    const described = typeof description === "string" && description !== "" ? { description } : {};
    this.#definitions.push({ type: "function", function: { name: flat, ...described, ...rest } });
  }
}

/** A free-text tool's description, with the grammar that its input must fit. */
function customDescription(tool: JsonObject): string {
  const description = textOf(tool.description);
  const format = isObject(tool.format) ? tool.format : {};
  if (format.type !== "grammar") return description;
  const grammar = isObject(format.grammar) ? format.grammar : format;
  return `${description}\n\nThe input must fit this ${textOf(grammar.syntax)} grammar:\n${
    textOf(grammar.definition)
  }`.trim();
}

/**
 * Refuses tools that no chat surface has and whose absence would change what the model can do.
 *
 * @param tools The request's tools.
 * @throws {BridgeError} kind `request`, naming the tool.
 */
export function refuseTools(tools: ToolNames): void {
  const type = tools.others.find((type) => !OPTIONAL_TOOLS.has(type));
  if (type === undefined) return;
  throw new BridgeError(
    "request",
    `\`tools\` has one of type "${type}", which this model's surface doesn't have: expected functions, ` +
      "custom tools, local_shell or namespaces. Leave it out, or choose a GPT model.",
    { param: "tools", code: "unsupported_tool" },
  );
}

/**
 * `tools` with every namespace flattened into functions, which the gateway's Responses surfaces take; the
 * same value where there is none.
 */
export function flattenNamespaces(tools: unknown): unknown {
  if (!Array.isArray(tools) || !tools.some((tool) => isObject(tool) && tool.type === "namespace")) {
    return tools;
  }
  const seen = new Set<unknown>();
  return tools.flatMap((tool) => {
    if (!isObject(tool) || tool.type !== "namespace" || !Array.isArray(tool.tools)) return [tool];
    return tool.tools.filter(isObject).map((inner) => ({
      ...inner,
      type: inner.type ?? "function",
      name: flatName(textOf(tool.name), textOf(inner.name)),
    }));
  }).filter((tool) => {
    const name = isObject(tool) ? tool.name : undefined;
    if (typeof name !== "string") return true;
    return !seen.has(name) && seen.add(name);
  });
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
