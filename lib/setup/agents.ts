/**
 * The agents that `fd-bridge setup` knows: which of their files say where models are, and what stands
 * there for the bridge. All but ForgeCode, whose source tells its files, and Cline were run with what is
 * written here, in the versions of `docs/agents.md`.
 *
 * @module
 */

import type { System } from "../system/system.ts";
import type { Format, Path } from "./text.ts";

/** What an agent is pointed at. */
export interface Target {
  /** The bridge's address, without `/v1`. */
  readonly url: string;
  /** The model that it uses. */
  readonly model: string;
  /** Every model of the list. */
  readonly models: readonly string[];
  /** The key that the bridge asks for; undefined where clients send a token of Databricks'. */
  readonly key: string | undefined;
  /** The variable that a client takes its token from, where there is no key. */
  readonly variable: string;
}

/** A value, and where it stands. */
export interface Entry {
  /** Where. */
  readonly path: Path;
  /** What. */
  readonly value: unknown;
  /** Whether a value that is there already stays. */
  readonly keep?: true;
  /** The value by which it is still the bridge's: where that was changed since, it is not taken back. */
  readonly sign?: { readonly path: Path; readonly value: string };
}

/** A file of an agent's. */
export interface SettingsFile {
  /** Its path. */
  readonly path: string;
  /** How it is written. */
  readonly format: Format;
  /** What it says for the bridge. */
  readonly entries: readonly Entry[];
}

/** Where an agent's files are. */
export interface AgentPlace extends Pick<System, "os" | "variable"> {
  /** The user's home folder. */
  readonly home: string;
  /** Whether a path is there. */
  readonly isThere: (path: string) => Promise<boolean>;
}

/** An agent. */
export interface Agent {
  /** What is typed: `fd-bridge setup codex`. */
  readonly name: string;
  /** Its name for people. */
  readonly title: string;
  /** Its program. */
  readonly program: string;
  /** Models of the family that it is made for, with their version: the newest is its default. */
  readonly family?: RegExp;
  /** Its files; none where it is set up by a command of its own. */
  readonly files: (place: AgentPlace, target: Target) => Promise<readonly SettingsFile[]>;
  /** What is left to do, line by line. */
  readonly then: (target: Target) => readonly string[];
}

/** The name of the bridge in other programs' files. */
const NAME = "fd-bridge";

/** The variable that holds a token of Databricks' where the bridge has none of its own. */
export const TOKEN = "DATABRICKS_TOKEN";

/** The variable that holds the bridge's client key and such a token, where the bridge asks for both. */
export const KEY_AND_TOKEN = "FDB_API_KEY";

/** What a model may read and write where its own limits aren't known: those of the smallest in use. */
const LIMITS = { context: 200_000, output: 32_000 };

/** The line that gives an agent its key by a variable, where its file can't. */
function exported(name: string, { key, variable }: Target): string[] {
  return key === undefined ? [`export ${name}="$${variable}"`] : [];
}

/** What says that an agent still uses the bridge. */
const CODEX_SIGN = { path: ["model_provider"], value: NAME };
const FORGE_SIGN = { path: ["session", "provider_id"], value: "openai_compatible" };

/** Every agent. */
export const AGENTS: readonly Agent[] = [
  {
    name: "forge",
    title: "ForgeCode",
    program: "forge",
    async files({ home, variable, isThere }, { url, model, key }) {
      const folder = variable("FORGE_CONFIG") ||
        (await isThere(`${home}/forge`) ? `${home}/forge` : `${home}/.forge`);
      const login = { field: "id", value: "openai_compatible" };
      return [
        ...key === undefined ? [] : [{
          path: `${folder}/.credentials.json`,
          format: "json" as const,
          entries: [{
            path: [login],
            value: {
              id: "openai_compatible",
              auth_details: { api_key: key },
              url_params: { OPENAI_URL: url },
            },
          }],
        }],
        {
          path: `${folder}/.forge.toml`,
          format: "toml" as const,
          entries: [
            { path: ["session", "provider_id"], value: "openai_compatible", sign: FORGE_SIGN },
            { path: ["session", "model_id"], value: model, sign: FORGE_SIGN },
          ],
        },
      ];
    },
    then: ({ key, url, variable }) =>
      key === undefined
        ? [
          "forge provider login openai_compatible",
          `  # URL ${url}, API key ${
            variable === TOKEN ? "your token" : `what echo $${variable} prints`
          }`,
        ]
        : [],
  },
  {
    name: "codex",
    title: "Codex",
    program: "codex",
    family: /gpt-(\d+)(?:-(\d+))?/,
    files: ({ home, variable: valueOf }, { url, model, key, variable }) =>
      Promise.resolve([{
        path: `${valueOf("CODEX_HOME") || `${home}/.codex`}/config.toml`,
        format: "toml",
        entries: [
          { path: ["model"], value: model, sign: CODEX_SIGN },
          { path: ["model_provider"], value: NAME, sign: CODEX_SIGN },
          {
            path: ["model_providers", NAME],
            value: {
              name: NAME,
              base_url: `${url}/v1`,
              wire_api: "responses",
              ...key === undefined ? { env_key: variable } : { experimental_bearer_token: key },
            },
          },
        ],
      }]),
    then: () => [],
  },
  {
    name: "claude",
    title: "Claude Code",
    program: "claude",
    family: /claude-sonnet-(\d+)(?:-(\d+))?/,
    files: ({ home, variable }, { url, model, key }) =>
      Promise.resolve([{
        path: `${variable("CLAUDE_CONFIG_DIR") || `${home}/.claude`}/settings.json`,
        format: "json",
        entries: [
          { path: ["env", "ANTHROPIC_BASE_URL"], value: url },
          ...key === undefined ? [] : [{ path: ["env", "ANTHROPIC_AUTH_TOKEN"], value: key }],
          { path: ["env", "ANTHROPIC_MODEL"], value: model },
          { path: ["env", "ANTHROPIC_DEFAULT_HAIKU_MODEL"], value: model },
        ],
      }]),
    then: (target) => exported("ANTHROPIC_AUTH_TOKEN", target),
  },
  {
    name: "opencode",
    title: "opencode",
    program: "opencode",
    async files({ home, variable: valueOf, isThere }, target) {
      const { url, model, models, key, variable } = target;
      const folder = `${valueOf("XDG_CONFIG_HOME") || `${home}/.config`}/opencode`;
      const commented = `${folder}/opencode.jsonc`;
      return [{
        path: await isThere(commented) ? commented : `${folder}/opencode.json`,
        format: "json",
        entries: [
          {
            path: ["provider", NAME],
            value: {
              npm: "@ai-sdk/openai-compatible",
              options: { baseURL: `${url}/v1`, apiKey: key ?? `{env:${variable}}` },
              models: Object.fromEntries(
                models.map((id) => [id, { tool_call: true, limit: LIMITS }]),
              ),
            },
          },
          { path: ["model"], value: `${NAME}/${model}` },
          { path: ["small_model"], value: `${NAME}/${model}` },
        ],
      }];
    },
    then: () => [],
  },
  {
    name: "qwen",
    title: "Qwen Code",
    program: "qwen",
    files: ({ home }, { url, model, key }) =>
      Promise.resolve([
        {
          path: `${home}/.qwen/settings.json`,
          format: "json",
          entries: [{ path: ["security", "auth", "selectedType"], value: "openai" }],
        },
        {
          path: `${home}/.qwen/.env`,
          format: "env",
          entries: [
            { path: ["OPENAI_BASE_URL"], value: `${url}/v1` },
            { path: ["OPENAI_MODEL"], value: model },
            ...key === undefined ? [] : [{ path: ["OPENAI_API_KEY"], value: key }],
          ],
        },
      ]),
    then: (target) => exported("OPENAI_API_KEY", target),
  },
  {
    name: "continue",
    title: "Continue",
    program: "cn",
    files: ({ home }, { url, model, key, variable }) =>
      Promise.resolve([{
        path: `${home}/.continue/config.yaml`,
        format: "yaml",
        entries: [
          { path: ["name"], value: NAME, keep: true },
          { path: ["version"], value: "1.0.0", keep: true },
          { path: ["schema"], value: "v1", keep: true },
          {
            path: ["models", { field: "name", value: NAME }],
            value: {
              name: NAME,
              provider: "openai",
              model,
              apiBase: `${url}/v1`,
              apiKey: key ?? `\${{ secrets.${variable} }}`,
              roles: ["chat", "edit", "apply"],
              capabilities: ["tool_use", "image_input"],
            },
          },
        ],
      }]),
    then: ({ key, variable }) =>
      key === undefined
        ? [`echo "${variable}=$${variable}" >> ~/.continue/.env   # where Continue's secrets are`]
        : [],
  },
  {
    name: "gemini",
    title: "Gemini CLI",
    program: "gemini",
    family: /gemini-(\d+)(?:-(\d+))?/,
    files: ({ home }, { url, model, key }) =>
      Promise.resolve([
        {
          path: `${home}/.gemini/settings.json`,
          format: "json",
          entries: [
            { path: ["security", "auth", "selectedType"], value: "gemini-api-key" },
            { path: ["model", "name"], value: model },
          ],
        },
        {
          path: `${home}/.gemini/.env`,
          format: "env",
          entries: [
            { path: ["GOOGLE_GEMINI_BASE_URL"], value: url },
            ...key === undefined ? [] : [{ path: ["GEMINI_API_KEY"], value: key }],
          ],
        },
      ]),
    then: (target) => exported("GEMINI_API_KEY", target),
  },
  {
    name: "pi",
    title: "pi",
    program: "pi",
    files: ({ home }, { url, models, key, variable }) =>
      Promise.resolve([{
        path: `${home}/.pi/agent/models.json`,
        format: "json",
        entries: [{
          path: ["providers", NAME],
          value: {
            baseUrl: `${url}/v1`,
            api: "openai-completions",
            apiKey: key ?? variable,
            models: models.map((id) => ({
              id,
              name: id,
              reasoning: true,
              input: ["text", "image"],
              contextWindow: LIMITS.context,
              maxTokens: LIMITS.output,
              cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
            })),
          },
        }],
      }]),
    then: ({ model }) => [`pi --provider ${NAME} --model ${model}`],
  },
  {
    name: "cline",
    title: "Cline",
    program: "cline",
    files: () => Promise.resolve([]),
    then: ({ url, model, key, variable }) => [
      `cline auth -p openai-compatible -k ${key ?? `"$${variable}"`} -m ${model} -b ${url}/v1`,
    ],
  },
];
