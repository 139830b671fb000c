/**
 * The coding agents that the bridge is tried with: where npm has them, how they are set up, and how one
 * prompt is run without a person.
 *
 * @module
 */

/** What a run of an agent is given. */
export interface Setting {
  /** The bridge's address. */
  readonly url: string;
  /** The model. */
  readonly model: string;
  /** What it is asked. */
  readonly prompt: string;
  /** A home folder of its own. */
  readonly home: string;
  /** Its program: the path of an npm package's command. */
  readonly program: string;
}

/** A command to run. */
export interface Run {
  /** Program and arguments. */
  readonly command: readonly string[];
  /** Its environment, beside what every process needs. */
  readonly env: Readonly<Record<string, string>>;
}

/** An agent. */
export interface Agent {
  /** Its name. */
  readonly name: string;
  /** The npm package, with its version. */
  readonly package: string;
  /** The command that the package brings. */
  readonly bin: string;
  /** The dialect that it speaks. */
  readonly dialect: string;
  /** Writes its settings and says how to run one prompt. */
  readonly prepare: (setting: Setting) => Promise<Run>;
}

const KEY = "any-word";

async function write(path: string, value: unknown): Promise<void> {
  await Deno.mkdir(path.replace(/\/[^/]*$/, ""), { recursive: true });
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  await Deno.writeTextFile(path, text);
}

/** All agents. */
export const AGENTS: readonly Agent[] = [
  {
    name: "Codex",
    package: "@openai/codex@0.169.0",
    bin: "codex",
    dialect: "Responses",
    async prepare({ url, model, prompt, home, program }) {
      await write(
        `${home}/.codex/config.toml`,
        `model = "${model}"\nmodel_provider = "fd"\n\n[model_providers.fd]\nname = "fd"\n` +
          `base_url = "${url}/v1"\nenv_key = "FD_KEY"\nwire_api = "responses"\n`,
      );
      const flags = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"];
      return {
        command: [program, "exec", ...flags, prompt],
        env: { CODEX_HOME: `${home}/.codex`, FD_KEY: KEY },
      };
    },
  },
  {
    name: "Claude Code",
    package: "@anthropic-ai/claude-code@2.1.332",
    bin: "claude",
    dialect: "Messages",
    prepare: ({ url, model, prompt, program }) =>
      Promise.resolve({
        command: [program, "-p", prompt, "--dangerously-skip-permissions"],
        env: {
          ANTHROPIC_BASE_URL: url,
          ANTHROPIC_AUTH_TOKEN: KEY,
          ANTHROPIC_MODEL: model,
          ANTHROPIC_DEFAULT_HAIKU_MODEL: model,
          CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
          IS_SANDBOX: "1",
        },
      }),
  },
  {
    name: "opencode",
    package: "opencode-ai@1.18.33",
    bin: "opencode",
    dialect: "chat",
    async prepare({ url, model, prompt, home, program }) {
      await write(`${home}/.config/opencode/opencode.json`, {
        permission: { "*": "allow" },
        provider: {
          fd: {
            npm: "@ai-sdk/openai-compatible",
            options: { baseURL: `${url}/v1`, apiKey: KEY },
            models: { [model]: { tool_call: true, limit: { context: 200_000, output: 8_000 } } },
          },
        },
        small_model: `fd/${model}`,
      });
      return { command: [program, "run", "-m", `fd/${model}`, prompt], env: {} };
    },
  },
  {
    name: "Qwen Code",
    package: "@qwen-code/qwen-code@0.24.4",
    bin: "qwen",
    dialect: "chat",
    async prepare({ url, model, prompt, home, program }) {
      await write(`${home}/.qwen/settings.json`, {
        security: { auth: { selectedType: "openai" } },
      });
      return {
        command: [program, "--yolo", "-p", prompt],
        env: { OPENAI_API_KEY: KEY, OPENAI_BASE_URL: `${url}/v1`, OPENAI_MODEL: model },
      };
    },
  },
  {
    name: "pi",
    package: "@mariozechner/pi-coding-agent@0.73.1",
    bin: "pi",
    dialect: "chat",
    async prepare({ url, model, prompt, home, program }) {
      await write(`${home}/.pi/agent/models.json`, {
        providers: {
          fd: {
            baseUrl: `${url}/v1`,
            api: "openai-completions",
            apiKey: KEY,
            models: [{
              id: model,
              name: model,
              reasoning: true,
              input: ["text"],
              contextWindow: 200_000,
              maxTokens: 8_192,
              cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
            }],
          },
        },
      });
      return { command: [program, "-p", "--provider", "fd", "--model", model, prompt], env: {} };
    },
  },
  {
    name: "Continue",
    package: "@continuedev/cli@1.5.47",
    bin: "cn",
    dialect: "chat",
    async prepare({ url, model, prompt, home, program }) {
      const config = `${home}/config.yaml`;
      await write(
        config,
        `name: fd\nversion: 1.0.0\nschema: v1\nmodels:\n  - name: m\n    provider: openai\n` +
          `    model: ${model}\n    apiBase: ${url}/v1\n    apiKey: ${KEY}\n` +
          `    roles: [chat]\n    capabilities: [tool_use, image_input]\n`,
      );
      return { command: [program, "-p", "--auto", "--config", config, prompt], env: {} };
    },
  },
  {
    name: "Gemini CLI",
    package: "@google/gemini-cli@0.61.0",
    bin: "gemini",
    dialect: "Gemini",
    async prepare({ url, model, prompt, home, program }) {
      await write(`${home}/.gemini/settings.json`, {
        security: { auth: { selectedType: "gemini-api-key" }, folderTrust: { enabled: false } },
      });
      return {
        command: [program, "--yolo", "-m", model, "-p", prompt],
        env: { GEMINI_API_KEY: KEY, GOOGLE_GEMINI_BASE_URL: url },
      };
    },
  },
];
