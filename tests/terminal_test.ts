/** What a terminal shows: colours by the environment, and lines of its width. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { checkLine } from "../lib/doctor/check.ts";
import { Report } from "../lib/doctor/report.ts";
import { PROGRAM_FLAGS } from "../scripts/permissions.ts";
import { currentStdSource, stdFlags } from "../scripts/std_source.ts";
import { isColored, paintFor, Terminal } from "../lib/system/terminal.ts";
import { testMachine } from "./helpers/machine.ts";

/** A terminal, or a pipe, with an environment. */
function output(terminal: boolean, environment: Record<string, string>) {
  return {
    terminal: { out: terminal, err: terminal },
    variable: (name: string): string | undefined => environment[name],
  };
}

/** A terminal or not, the environment → whether there are colours. */
const COLORS: readonly (readonly [boolean, Record<string, string>, boolean])[] = [
  [true, {}, true],
  [true, { TERM: "xterm" }, true],
  [true, { TERM: "dumb" }, false],
  [true, { NO_COLOR: "1" }, false],
  [true, { FORCE_COLOR: "0" }, false],
  [false, {}, false],
  [false, { FORCE_COLOR: "1" }, true],
  [false, { FORCE_COLOR: "1", NO_COLOR: "1" }, false],
];

for (const [terminal, environment, colored] of COLORS) {
  const where = terminal ? "a terminal" : "a pipe";
  Deno.test(`isColored() is ${colored} on ${where} with ${JSON.stringify(environment)}`, () => {
    assertEquals(isColored(output(terminal, environment), "out"), colored);
  });
}

Deno.test("paintFor() uses no bright black, which some dark backgrounds swallow", () => {
  assertEquals(paintFor(output(true, {}), "out")("gray", "x"), "\x1b[2mx\x1b[0m");
});

const LONG = {
  name: "databricks-meta-llama-3-3-70b-instruct",
  status: "fail",
  detail: "the gateway says that this workspace has no such model, or that it is not enabled",
  remedy: "Compare the name with the AI Gateway page of the workspace, and try again",
} as const;

Deno.test("checkLine() fits the width, and breaks no word", () => {
  for (const columns of [60, 80, 120]) {
    const lines = checkLine(LONG, (_, text) => text, 12, columns).trimEnd().split("\n");
    for (const line of lines) assert(line.length <= columns, line);
    const words = lines.join(" ").split(/\s+/);
    for (const word of LONG.detail.split(" ")) assert(words.includes(word), word);
  }
});

Deno.test("Report.end() says what is wrong once more, with the remedies", () => {
  let out = "";
  const report = new Report({
    version: "1.0.0",
    out: (text) => void (out += text),
    ...output(false, {}),
  }, false);
  report.add("Network", { name: "dns", status: "ok", detail: "Known." });
  report.add("Gateway", { name: "token", status: "warn", detail: "Old.", remedy: "Renew it" });
  report.add("Models", LONG);
  assertEquals(report.end(), 1);
  const end = out.slice(out.indexOf("2 things are wrong:"));
  for (const words of ["Old. → Renew it", LONG.name, LONG.remedy]) assertStringIncludes(end, words);
  assert(!end.includes("dns"));
});

Deno.test("the program ends quietly where the reader of its output has gone", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", ...stdFlags(currentStdSource()), ...PROGRAM_FLAGS, "main.ts", "models", "--json"],
    cwd: new URL("..", import.meta.url),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await child.stdout.cancel();
  const said = await new Response(child.stderr).text();
  assertEquals((await child.status).code, 0);
  assert(!/broken pipe|os error/i.test(said), said);
});

Deno.test("Terminal.spin() draws nothing after stop(), even where a tick of its timer was due", () => {
  const { system, err } = testMachine();
  const { setInterval } = globalThis;
  let tick = () => {};
  globalThis.setInterval = ((callback: () => void) => {
    tick = callback;
    return 0;
  }) as unknown as typeof setInterval;
  try {
    const terminal = new Terminal({
      ...system,
      terminal: { out: true, err: true, columns: 80 },
    });
    const spinner = terminal.spin("Asking");
    tick();
    spinner.stop();
    const before = err();
    tick();
    assertEquals(err(), before);
  } finally {
    globalThis.setInterval = setInterval;
  }
});
