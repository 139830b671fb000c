/**
 * Imports each module of `@std` that the project uses, and does nothing: where Deno can load this
 * file, it can load the project. A test keeps the list complete.
 *
 * @module
 */
import "@std/assert";
import "@std/cli/parse-args";
import "@std/dotenv/parse";
import "@std/http/status";
import "@std/streams/text-line-stream";
