/**
 * A program that adds requests to a `usage.db` as fast as it can, and says on standard output after each
 * how many are over. `usage_child.ts PATH COUNT`; a count of 0 goes on until it is killed.
 *
 * @module
 */

import { UsageStore } from "../../lib/observe/usage.ts";
import { machine } from "../../lib/system/machine.ts";

if (import.meta.main) {
  const [path, count] = Deno.args;
  const store = await UsageStore.open({
    path,
    files: machine.files,
    tell: (message) => console.error(message),
  });
  await machine.seal();
  const encoder = new TextEncoder();
  for (let number = 1; Number(count) === 0 || number <= Number(count); number++) {
    store.add({
      time: Date.now(),
      model: `model-${number % 7}`,
      client: "child",
      failed: false,
      tokens: { input: 3, output: 2, cached: 1, written: 0, writtenForHour: 0 },
    });
    // The turn ends, and with it the request.
    await new Promise((resolve) => setTimeout(resolve, 0));
    Deno.stdout.writeSync(encoder.encode(`${number}\n`));
  }
  if (!await store.close(5_000)) Deno.exit(1);
}
