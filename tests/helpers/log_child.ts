/**
 * A program that logs 5,000 lines to standard error and says on standard output how far it is. When a
 * line arrives on standard input, it logs one more, flushes for at most half a second, and ends.
 *
 * @module
 */

import { queuedLog } from "../../lib/observe/log.ts";

if (import.meta.main) {
  const { log, queue } = queuedLog(
    { level: "info", format: "text", color: false },
    (bytes) => Deno.stderr.write(bytes),
  );
  for (let line = 1; line <= 5_000; line++) {
    log.info("POST /chat/completions 200", { line, padding: "x".repeat(60) });
    if (line % 500 === 0) {
      // What is in flight gets its turn.
      await new Promise((resolve) => setTimeout(resolve, 1));
      console.log(`answered ${line}`);
    }
  }
  await Deno.stdin.read(new Uint8Array(1));
  log.info("the last line");
  console.log(`flushed ${await queue.flush(500)}`);
  Deno.exit(0);
}
