import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { BridgeError } from "../lib/errors.ts";
import { parseCommandLine } from "../lib/config/command_line.ts";
import { COMMANDS } from "../lib/config/commands.ts";
import { FLAGS } from "../lib/config/flags.ts";
import { helpText } from "../lib/commands/help.ts";

/** A value that a flag of this kind takes. */
const VALUES: Readonly<Record<string, string>> = {
  text: "x",
  file: "a b.json",
  port: "9090",
  count: "1",
  seconds: "10s",
  bytes: "1MB",
  list: "one",
};

Deno.test("parseCommandLine() takes every flag in both forms, its value kept as text", () => {
  for (const { name, kind, commands } of FLAGS) {
    const command = commands === undefined || commands.includes("serve") ? "serve" : commands[0];
    const line = (...args: string[]) => parseCommandLine([command, ...args]).flags[name];
    if (kind === "boolean") {
      assertEquals(line(`--${name}`), true, name);
      assertEquals(line(), undefined, `${name}: what was not typed is not there`);
      continue;
    }
    const value = VALUES[kind];
    const expected = kind === "list" ? [value] : value;
    assertEquals(line(`--${name}`, value), expected, name);
    assertEquals(line(`--${name}=${value}`), expected, name);
  }
});

Deno.test("parseCommandLine() takes short forms, negations and repeated lists", () => {
  assertEquals(parseCommandLine(["-p", "0"]).flags.port, "0");
  assertEquals(parseCommandLine(["-h"]).flags.help, true);
  assertEquals(parseCommandLine(["-V"]).flags.version, true);
  assertEquals(parseCommandLine(["--no-runaway-guard"]).flags["runaway-guard"], false);
  const hosts = parseCommandLine(["--allow-host", "a", "--allow-host", "b"]).flags["allow-host"];
  assertEquals(hosts, ["a", "b"]);
});

Deno.test("parseCommandLine() guesses no flag from a single letter", () => {
  const error = assertThrows(() => parseCommandLine(["-x"]), BridgeError);
  assert(!error.message.includes("Did you mean"), error.message);
});

Deno.test("parseCommandLine() takes a negative number as the value of the flag before it", () => {
  assertEquals(parseCommandLine(["--port", "-1"]).flags.port, "-1");
});

Deno.test("parseCommandLine() runs the bridge where no command is typed", () => {
  assertEquals(parseCommandLine([]).command, "serve");
  assertEquals(parseCommandLine(["--demo"]).command, "serve");
  assertEquals(parseCommandLine(["serve", "--demo"]).flags, { demo: true });
});

const REFUSED: readonly (readonly [what: string, args: readonly string[], ...words: string[]])[] = [
  ["an unknown flag", ["--prot", "80"], 'no flag "--prot"', "Did you mean --port?"],
  ["an unknown flag with a value", ["--prot=secret"], 'no flag "--prot"'],
  ["a flag that is like none", ["--quite-another"], "--help"],
  ["an unknown short flag", ["-z"], "-z"],
  ["an unknown command", ["sreve"], 'no command "sreve"', "serve"],
  ["a misspelt command", ["modles"], "Did you mean models?"],
  ["a command with a letter too few", ["doctr"], "Did you mean doctor?"],
  ["words that mean nothing", ["serve", "extra", "words"], '"extra" "words"', "no words"],
  ["a second host", ["login", "a", "b"], '"b"', "one word"],
  ["a flag without its value", ["--port"], "--port needs a value"],
  ["a flag with an empty value", ["--models="], "--models needs a value"],
  ["a flag before another one", ["--models", "--demo"], "--models"],
  ["a negation of what has none", ["--no-port"], "no-port"],
];

for (const [what, args, ...words] of REFUSED) {
  Deno.test(`parseCommandLine() refuses ${what} in one clear line`, () => {
    const error = assertThrows(() => parseCommandLine(args), BridgeError);
    assertEquals(error.kind, "usage");
    for (const word of words) assertStringIncludes(error.message, word);
    assert(!/\n|secret/.test(error.message), error.message);
  });
}

Deno.test("helpText() lists every flag of the program on --help --all, with variables and defaults", () => {
  const page = helpText("serve", true);
  for (const { name, env, commands, default: value, kind } of FLAGS) {
    if (commands && !commands.includes("serve")) continue;
    assertStringIncludes(page, name);
    if (env) assertStringIncludes(page, env);
    if (value && kind !== "boolean") assert(page.replace(/\s+/g, " ").includes(`default ${value}`));
  }
  const text = page.replace(/\s+/g, " ");
  for (const { help } of COMMANDS) assertStringIncludes(text, help);
});

Deno.test("helpText() fits 80 columns on every page", () => {
  for (const page of [helpText("serve", true), ...COMMANDS.map(({ name }) => helpText(name))]) {
    for (const line of page.split("\n")) assert(line.length <= 80, line);
  }
});

Deno.test("helpText() shows the ten flags that people use on the main page, which fits a screen", () => {
  const page = helpText("serve");
  assertEquals(page.match(/^ {2}(-.,| {3}) --/gm)?.length, 10);
  assertStringIncludes(page, "--help --all");
  assert(!page.includes("--max-body"));
});

Deno.test("helpText() gives each command its own flags, words and an example", () => {
  for (const { name, about = [], example } of COMMANDS.slice(1)) {
    const page = helpText(name);
    assertStringIncludes(page, `Usage: fd-bridge ${name}`);
    for (const [word] of about) assertStringIncludes(page, word);
    if (example) assertStringIncludes(page, example);
    assert(!page.includes("--max-body") || ["config", "service"].includes(name), name);
  }
  assertStringIncludes(helpText("models"), "update -");
  assert(!helpText("models").includes("--port"), "models listens on no port");
});
