/**
 * What once made a new user stumble, where no other test stands for it.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { readNames } from "../lib/models/update/names.ts";
import { startProgram } from "./helpers/program.ts";
import { testMachine } from "./helpers/machine.ts";
import { run } from "./helpers/run.ts";

Deno.test("readNames() drops no name of a model silently, and reads none in scripts and comments", () => {
  const typed = readNames("Databricks-Claude-Sonnet-5-5\nDATABRICKS-GPT-7-NOVA\n");
  assert(JSON.stringify(typed).toLowerCase().includes("databricks-claude-sonnet-5-5"));
  assert(JSON.stringify(typed).toLowerCase().includes("databricks-gpt-7-nova"));
  const glued = JSON.stringify(readNames("databricks-gpt-6-solCopy\n"));
  assert(glued.includes("databricks-gpt-6-sol"), glued);
  const page =
    "<script>databricks-gpt-1-a</script><!-- databricks-gpt-1-b --><p>databricks-gpt-5</p>";
  assertEquals(readNames(page).names, ["databricks-gpt-5"]);
});

Deno.test("--log-format json writes nothing but JSON to standard error, banner and all", async () => {
  const machine = testMachine();
  const done = run(["--demo", "--port", "0", "--log-format", "json"], machine.system);
  await machine.said("127.0.0.1:");
  machine.signals.get("SIGINT")!();
  await done;
  const lines = machine.err().trim().split("\n");
  assert(lines.length > 0);
  for (const line of lines) JSON.parse(line);
});

Deno.test("GET /healthz isn't logged at info, because monitors ask all day", async () => {
  await using program = await startProgram(["--demo", "--port", "0"]);
  const url = await program.url;
  await (await fetch(`${url}/healthz`)).text();
  // The next request is logged, and so the log has got past the first.
  await (await fetch(`${url}/nowhere`)).text();
  while (!program.text().includes("/nowhere")) await new Promise((go) => setTimeout(go, 10));
  assert(!program.text().includes("GET /healthz"), program.text());
});

Deno.test("banner says 1 model, and 2 models elsewhere, as English does", async () => {
  const machine = testMachine({ files: { "./models.json": '{"models":["databricks-gpt-5"]}' } });
  assertEquals(await run(["models", "--demo"], machine.system), 0);
  assertMatch(machine.out() + machine.err(), /\b1 model\b(?!s)/);
});
