import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { completions } from "../lib/commands/completions.ts";
import { bashCompletions } from "../lib/commands/completions/bash.ts";
import { fishCompletions } from "../lib/commands/completions/fish.ts";
import { commandWords } from "../lib/commands/completions/words.ts";
import { zshCompletions } from "../lib/commands/completions/zsh.ts";
import { BridgeError } from "../lib/errors.ts";
import { COMMANDS } from "../lib/config/commands.ts";
import { FLAGS } from "../lib/config/flags.ts";

const SHELLS = ["bash", "zsh", "fish", "powershell"];

function script(shell: string): string {
  let out = "";
  completions({ command: "completions", words: [shell], flags: {} }, {
    embeddedModels: '{"models": ["databricks-gpt-5", "databricks-claude-x"]}',
    out: (text) => out += text,
  });
  return out;
}

/** Whether a shell is on this machine; says so where it isn't. */
function isThere(shell: string): boolean {
  // There its paths are not those that Deno knows.
  if (Deno.build.os === "windows") return false;
  try {
    return new Deno.Command(shell, { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    console.warn(`tests/completions_test.ts: ${shell} is not on this machine; not tried there.`);
    return false;
  }
}

/** Runs a shell on a text, with the completions in a file that the text names `$FILE`. */
async function runShell(
  shell: string,
  args: string[],
  text: string,
  completions = script(shell),
): Promise<string> {
  const file = await Deno.makeTempFile({ prefix: "fd-bridge-completions-" });
  await Deno.writeTextFile(file, completions);
  const folder = await Deno.makeTempDir({ prefix: "fd-bridge-shell-" });
  await Deno.writeTextFile(`${folder}/settings.env`, "");
  try {
    const { success, stdout, stderr } = await new Deno.Command(shell, {
      args: [...args, text],
      cwd: folder,
      env: { FILE: file, HOME: folder, ZDOTDIR: folder, XDG_CONFIG_HOME: folder },
      stdin: "null",
      // A shell that waits for more is ended; then the test fails.
      signal: AbortSignal.timeout(30_000),
    }).output();
    const decoder = new TextDecoder();
    assert(success, decoder.decode(stderr) + decoder.decode(stdout));
    assertEquals(decoder.decode(stderr), "");
    return decoder.decode(stdout);
  } finally {
    await Deno.remove(file);
    await Deno.remove(folder, { recursive: true });
  }
}

/** What is typed, the last word being completed → words that must be offered, and words that must not. */
const CASES: readonly { typed: string[]; offered: string[]; not: string[] }[] = [
  { typed: ["comp"], offered: ["completions"], not: ["config", "--port"] },
  { typed: ["completions", ""], offered: SHELLS, not: ["serve", "settings.env"] },
  { typed: ["completions", "z"], offered: ["zsh"], not: ["bash"] },
  { typed: ["--log-level", ""], offered: ["error", "trace"], not: ["serve", "json"] },
  { typed: ["--log-level", "d"], offered: ["debug"], not: ["trace"] },
  { typed: ["--no-r"], offered: ["--no-runaway-guard"], not: ["--retries"] },
  { typed: ["--env-file", "set"], offered: ["settings.env"], not: ["serve"] },
  { typed: ["--port", "9090", "--he"], offered: ["--heartbeat", "--help"], not: ["--port"] },
  { typed: ["-p", "9090", "conf"], offered: ["config"], not: ["completions"] },
  { typed: ["config", "--js"], offered: ["--json"], not: [] },
  { typed: ["models", "up"], offered: ["update"], not: ["sync"] },
  { typed: ["models", "update", "set"], offered: ["settings.env"], not: ["update", "sync"] },
  {
    typed: ["doctor", "databricks-g"],
    offered: ["databricks-gpt-5"],
    not: ["databricks-claude-x"],
  },
  { typed: ["serve", "--js"], offered: [], not: ["--json"] },
];

Deno.test("completions() writes every command and flag for every shell", () => {
  for (const shell of SHELLS) {
    const text = script(shell);
    for (const { name } of COMMANDS) assertStringIncludes(text, name, shell);
    for (const flag of FLAGS) {
      const name = flag.default === "true" ? `no-${flag.name}` : flag.name;
      assertStringIncludes(text, name, shell);
      for (const choice of flag.choices ?? []) assertStringIncludes(text, choice, shell);
    }
  }
});

Deno.test("completions() is offered the shells that it knows", () => {
  const words = COMMANDS.find(({ name }) => name === "completions")?.words;
  assertEquals(words, SHELLS);
});

Deno.test("completions() refuses another shell, two of them, and none", () => {
  for (const words of [[], ["tcsh"], ["bash", "zsh"], ["__proto__"]]) {
    const error = assertThrows(
      () => completions({ command: "completions", words, flags: {} }, { out() {} }),
      BridgeError,
    );
    assertEquals(error.kind, "usage");
    assertStringIncludes(error.message, "bash, zsh, fish, powershell");
  }
});

Deno.test({
  name: "completions() in bash offers what fits",
  ignore: !isThere("bash"),
  async fn() {
    const lines = CASES.map(({ typed }) => {
      const words = ["fd-bridge", ...typed].map((word) => `'${word}'`).join(" ");
      return `COMP_WORDS=(${words}); COMP_CWORD=${typed.length}; _fd_bridge; echo "\${COMPREPLY[*]}"`;
    });
    const loaded = 'source "$FILE"; complete -p fd-bridge';
    const out = await runShell("bash", ["--norc", "-c"], [loaded, ...lines].join("\n"));
    const [registered, ...answers] = out.split("\n");
    assertStringIncludes(registered, "-F _fd_bridge");
    CASES.forEach(({ typed, offered, not }, at) => {
      const words = answers[at].split(" ").filter(Boolean);
      for (const word of offered) assert(words.includes(word), `${typed}: ${words}`);
      for (const word of not) assert(!words.includes(word), `${typed}: ${words}`);
    });
  },
});

Deno.test({
  name: "completions() in bash understands --flag=value, which bash splits",
  ignore: !isThere("bash"),
  async fn() {
    const out = await runShell(
      "bash",
      ["--norc", "-c"],
      [
        'source "$FILE"',
        'COMP_WORDS=(fd-bridge --log-level = d); COMP_CWORD=3; _fd_bridge; echo "${COMPREPLY[*]}"',
        'COMP_WORDS=(fd-bridge --log-level =); COMP_CWORD=2; _fd_bridge; echo "${COMPREPLY[*]}"',
        'COMP_WORDS=(fd-bridge --log-level=t); COMP_CWORD=1; _fd_bridge; echo "${COMPREPLY[*]}"',
        'COMP_WORDS=(fd-bridge --port = 1 conf); COMP_CWORD=4; _fd_bridge; echo "${COMPREPLY[*]}"',
      ].join("\n"),
    );
    assertEquals(out.split("\n").slice(0, 4), [
      "debug",
      "error warn info debug trace",
      "--log-level=trace",
      "config",
    ]);
  },
});

Deno.test({
  name: "completions() in fish offers what fits",
  ignore: !isThere("fish"),
  async fn() {
    const lines = CASES.map(({ typed }) =>
      `complete -C '${["fd-bridge", ...typed].join(" ")}'; echo ----`
    );
    const out = await runShell("fish", ["-N", "-c"], ["source $FILE", ...lines].join("\n"));
    const answers = out.split("----\n");
    CASES.forEach(({ typed, offered, not }, at) => {
      const words = answers[at].split("\n").map((line) => line.split("\t")[0]);
      for (const word of offered) assert(words.includes(word), `${typed}: ${words}`);
      for (const word of not) assert(!words.includes(word), `${typed}: ${words}`);
    });
  },
});

/** Lines for zsh: a shell at a prompt, where Ctrl-X ? says what would be offered. */
const ZSH = [
  "zmodload zsh/zpty",
  "zpty shell zsh -f -i",
  "function type { zpty -w shell $1 }",
  "type 'PS1=; RPS1=; unsetopt prompt_cr prompt_sp; at=0'",
  "type 'autoload -Uz compinit && compinit -D -u'",
  'type "source $FILE"',
  // The completion system adds matches with compadd; with -O it only stores them.
  'type \'function compadd { local -a found; (( ${@[(I)-[OAD]]} )) || { builtin compadd -O found "$@"; print -r -- offered: $found }; builtin compadd "$@" }\'',
  "type 'function show { print; zle complete-word; print; print end-of-$((at++)); BUFFER=; zle -I }; zle -N show; bindkey \"^X?\" show'",
  'function answer { local line; while zpty -r shell line; do print -r -- "$line"; [[ $line = *end-of-$1* ]] && break; done; print -r -- ---- }',
];

Deno.test({
  name: "completions() in zsh offers what fits",
  ignore: !isThere("zsh"),
  async fn() {
    const keys = CASES.map(({ typed }, at) =>
      `zpty -w -n shell $'fd-bridge ${typed.join(" ")}\\C-x?'; answer ${at}`
    );
    const out = await runShell("zsh", ["-f", "-c"], [...ZSH, ...keys, "zpty -d shell"].join("\n"));
    const answers = out.split("----\n");
    CASES.forEach(({ typed, offered, not }, at) => {
      const words = [...answers[at].matchAll(/^offered: (.*?)\r?$/gm)]
        .flatMap(([, line]) => line.split(" "));
      for (const word of offered) assert(words.includes(word), `${typed}: ${answers[at]}`);
      for (const word of not) assert(!words.includes(word), `${typed}: ${words}`);
    });
  },
});

const ODD_TEXT = 'it\'s: [odd] $(exit 3) `exit 3` "x" \\ {y}';

/** A table whose texts mean something to shells. */
const ODD = commandWords(
  [{ name: "serve", usage: "", help: ODD_TEXT }],
  [{ name: "odd", kind: "text", help: ODD_TEXT, choices: ["a", "b"] }],
);

for (
  const [shell, write] of [
    ["bash", bashCompletions],
    ["zsh", zshCompletions],
    ["fish", fishCompletions],
  ] as const
) {
  Deno.test({
    name: `${shell}Completions() keeps quotes, colons and brackets of a help text harmless`,
    ignore: !isThere(shell),
    async fn() {
      const loaded = shell === "zsh" ? "autoload -Uz compinit && compinit -D -u\n" : "";
      const quiet = { bash: ["--norc", "-c"], zsh: ["-f", "-c"], fish: ["-N", "-c"] }[shell];
      const out = await runShell(
        shell,
        quiet,
        `${loaded}source "$FILE"${
          shell === "fish" ? "; complete -C 'fd-bridge --o'" : ""
        }; echo ok`,
        write(ODD),
      );
      assertStringIncludes(out, "ok");
      if (shell === "fish") assertStringIncludes(out, ODD_TEXT);
    },
  });
}
