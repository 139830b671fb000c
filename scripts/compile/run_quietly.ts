/**
 * Runs a tool whose words matter only when it fails.
 *
 * @module
 */

/** What a tool is run with. */
export interface ToolOptions {
  /** The folder to run it in. */
  cwd: string;
  /** Further environment variables. @default {{}} */
  env?: Record<string, string>;
}

/** A tool that failed or is not there; the message is for a person. */
export class ToolError extends Error {
  /** The class's name, for messages. */
  override name = "ToolError";
}

/**
 * Runs a tool and waits for its end.
 *
 * @example Usage
 * ```ts
 * import { runQuietly } from "./run_quietly.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const out = await runQuietly(Deno.execPath(), ["eval", "console.log(6 * 7)"], { cwd: "." });
 * assertEquals(out, "42");
 * ```
 *
 * @param program The tool.
 * @param args Its arguments.
 * @param options Folder and environment.
 * @returns What it wrote to its standard output, without white space at the end.
 * @throws {ToolError} If it is not there, or ends with another exit code than 0.
 */
export async function runQuietly(
  program: string,
  args: readonly string[],
  options: ToolOptions,
): Promise<string> {
  const shown = `${program.replace(/.*[\\/]/, "")} ${args[0] ?? ""}`.trim();
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(program, { args: [...args], ...options, stdin: "null" })
      .output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new ToolError(`${program} is needed, and it is not there.`);
  }
  const text = (bytes: Uint8Array) =>
    new TextDecoder().decode(bytes).replace(/\n\s*Stack backtrace:[^]*/, "").trimEnd();
  if (!output.success) {
    throw new ToolError(
      `${shown} ended with ${output.code}: ${text(output.stderr) || text(output.stdout)}`,
    );
  }
  return text(output.stdout);
}
