/**
 * The requests that ForgeCode sends (`forgecode.md`), built in its order of fields. The same bodies are
 * files under `tests/fixtures/requests`, for tests and tools that take a file.
 *
 * @module
 */

import { FORGE_TOOLS } from "./forge_tools.ts";

/** A request body. */
export type RequestBody = Record<string, unknown>;

/** A message of a request. */
export type RequestMessage = Record<string, unknown>;

/** What every request of its has: always a stream, always with usage. */
const STREAMED = { stream: true } as const;
const WITH_USAGE = { stream_options: { include_usage: true } } as const;

const RULES = [
  "Work on what was asked and on nothing beside it; say so when you see something else.",
  "Read a file before changing it, and read it again when someone else may have changed it.",
  "Keep the style that the file has: its names, its indentation, its way with errors.",
  "Run the tests that touch what you changed, and say plainly when they fail.",
  "Answer in a few sentences; long lists of what was done help nobody.",
  "Never write a secret into a file, a command or an answer.",
];

/** The first system message: long, the same in every turn. */
function instructions(): string {
  const sections = Array.from({ length: 32 }, (_, at) => {
    const lines = RULES.map((rule, line) => `${at + 1}.${line + 1} ${rule}`);
    return [`## Section ${at + 1}`, ...lines].join("\n");
  });
  return ["You help with software from a terminal.", ...sections].join("\n\n");
}

/** The second system message: where the user is. */
function surroundings(): string {
  const files = Array.from({ length: 40 }, (_, at) => ` - src/module_${at}.ts`);
  return ["<system_information>", "<operating_system>linux</operating_system>", ...files]
    .concat("</system_information>").join("\n");
}

function turn(model: string, messages: RequestMessage[]): RequestBody {
  return {
    messages: [
      { role: "system", content: instructions() },
      { role: "system", content: surroundings() },
      ...messages,
    ],
    model,
    ...STREAMED,
    tools: structuredClone(FORGE_TOOLS),
    parallel_tool_calls: true,
    ...WITH_USAGE,
    max_completion_tokens: 20480,
  };
}

const TASK: RequestMessage = {
  role: "user",
  content: "<task>Rename the harbour module and fix what breaks.</task>",
};

/**
 * The first request of a turn: 13 tools, about 50 KB.
 *
 * @param model The model.
 * @returns The body.
 *
 * @example
 * ```ts
 * import { mainTurn } from "./requests.ts";
 *
 * if ((mainTurn("m").tools as unknown[]).length !== 13) throw new Error("ForgeCode sends 13 tools");
 * ```
 */
export function mainTurn(model: string): RequestBody {
  return turn(model, [TASK]);
}

/**
 * The request after the tools ran: two calls, their results as a string and as parts, and the
 * reasoning of the turn before.
 *
 * @param model The model.
 * @returns The body.
 */
export function secondTurn(model: string): RequestBody {
  const call = (id: string, name: string, values: unknown) => ({
    id,
    type: "function",
    function: { name, arguments: JSON.stringify(values) },
  });
  return turn(model, [
    TASK,
    {
      role: "assistant",
      content: "",
      tool_calls: [
        call("call_read_1", "read", { file_path: "/srv/harbour/src/module_1.ts" }),
        call("call_shell_2", "shell", { command: "deno test", description: "Runs the tests" }),
      ],
      reasoning_details: [{
        type: "reasoning.text",
        text: "The module is small; its tests tell what depends on it.",
        signature: "c2lnbmF0dXJlLW1hZGUtdXA=",
      }],
    },
    {
      role: "tool",
      content: "1:export const quay = 7;\n",
      name: "read",
      tool_call_id: "call_read_1",
    },
    {
      role: "tool",
      content: [{ type: "text", text: "12 passed" }, { type: "text", text: "0 failed" }],
      name: "shell",
      tool_call_id: "call_shell_2",
    },
  ]);
}

/**
 * A request whose user message comes with an image, which is a message of its own.
 *
 * @param model The model.
 * @returns The body.
 */
export function imageTurn(model: string): RequestBody {
  const url = "data:image/png;base64," +
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  return turn(model, [TASK, {
    role: "user",
    content: [{ type: "image_url", image_url: { url } }],
  }]);
}

function structured(
  model: string,
  system: string,
  user: string,
  name: string,
  description: string,
): RequestBody {
  return {
    messages: [{ role: "system", content: system }, { role: "user", content: user }],
    model,
    response_format: {
      type: "json_schema",
      json_schema: {
        name,
        schema: {
          "$schema": "https://json-schema.org/draft/2020-12/schema",
          title: name,
          type: "object",
          properties: { [name]: { description, type: "string" } },
          required: [name],
        },
      },
    },
    ...STREAMED,
    temperature: 1,
    ...WITH_USAGE,
  };
}

/**
 * The title of a conversation, asked for beside its first turn.
 *
 * @param model The model.
 * @returns The body.
 */
export function title(model: string): RequestBody {
  return structured(
    model,
    "Find a title of two to six words for the conversation that starts with this message.",
    "<user_prompt>Rename the harbour module and fix what breaks.</user_prompt>",
    "title",
    "The title",
  );
}

/**
 * `forge suggest`: a shell command for what the user describes. It needs bare JSON back.
 *
 * @param model The model.
 * @returns The body.
 */
export function suggest(model: string): RequestBody {
  return structured(
    model,
    "Answer with one shell command that does what is described, and nothing else.",
    "<task>count the lines of all TypeScript files</task>",
    "shell_command",
    "The command",
  );
}

/** All of them by the name of their file under `tests/fixtures/requests`. */
export const FORGE_REQUESTS: Readonly<Record<string, (model: string) => RequestBody>> = {
  "main-turn": mainTurn,
  "second-turn": secondTurn,
  "image-turn": imageTurn,
  title,
  suggest,
};

/** The model that the files under `tests/fixtures/requests` ask for. */
export const FIXTURE_MODEL = "databricks-claude-sonnet-5";

/** The headers that it sends, but for the address of its own home page. */
export const FORGE_HEADERS: Readonly<Record<string, string>> = {
  "accept": "text/event-stream",
  "authorization": "Bearer dapi-made-up-token",
  "content-type": "application/json",
  "user-agent": "Forge",
  "x-app-version": "2.13.21",
  "x-title": "forge",
};
