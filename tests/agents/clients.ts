/**
 * The coding agents that the bridge is tried with: where npm has them, and how one prompt is run without
 * a person. `fd-bridge setup` writes their settings.
 *
 * @module
 */

/** What a run of an agent is given. */
export interface Setting {
  /** The model. */
  readonly model: string;
  /** What it is asked. */
  readonly prompt: string;
}

/** An agent. */
export interface Agent {
  /** Its name. */
  readonly name: string;
  /** Its name for `fd-bridge setup`. */
  readonly setup: string;
  /** The npm package, with its version. */
  readonly package: string;
  /** The command that the package brings. */
  readonly bin: string;
  /** The dialect that it speaks. */
  readonly dialect: string;
  /** What follows the command for one prompt, all tools allowed. */
  readonly args: (setting: Setting) => readonly string[];
  /** Its environment, beside what every process needs; where the bridge is, its settings say. */
  readonly env?: Readonly<Record<string, string>>;
}

/** All agents. */
export const AGENTS: readonly Agent[] = [
  {
    name: "Codex",
    setup: "codex",
    package: "@openai/codex@0.169.0",
    bin: "codex",
    dialect: "Responses",
    args: ({ prompt }) => [
      "exec",
      "--skip-git-repo-check",
      "--dangerously-bypass-approvals-and-sandbox",
      prompt,
    ],
  },
  {
    name: "Claude Code",
    setup: "claude",
    package: "@anthropic-ai/claude-code@2.1.332",
    bin: "claude",
    dialect: "Messages",
    args: ({ prompt }) => ["-p", prompt, "--dangerously-skip-permissions"],
    env: { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1", IS_SANDBOX: "1" },
  },
  {
    name: "opencode",
    setup: "opencode",
    package: "opencode-ai@1.18.33",
    bin: "opencode",
    dialect: "chat",
    args: ({ prompt }) => ["run", prompt],
  },
  {
    name: "Qwen Code",
    setup: "qwen",
    package: "@qwen-code/qwen-code@0.24.4",
    bin: "qwen",
    dialect: "chat",
    args: ({ prompt }) => ["--yolo", "-p", prompt],
  },
  {
    name: "pi",
    setup: "pi",
    package: "@mariozechner/pi-coding-agent@0.73.1",
    bin: "pi",
    dialect: "chat",
    args: ({ model, prompt }) => ["-p", "--provider", "fd-bridge", "--model", model, prompt],
  },
  {
    name: "Continue",
    setup: "continue",
    package: "@continuedev/cli@1.5.47",
    bin: "cn",
    dialect: "chat",
    args: ({ prompt }) => ["-p", "--auto", prompt],
  },
  {
    name: "Gemini CLI",
    setup: "gemini",
    package: "@google/gemini-cli@0.61.0",
    bin: "gemini",
    dialect: "Gemini",
    args: ({ prompt }) => ["--yolo", "-p", prompt],
    env: { GEMINI_CLI_TRUST_WORKSPACE: "true" },
  },
];
