/**
 * How ForgeCode joins the fragments of tool calls: by change of `id`, in order of arrival, never
 * looking at `index`.
 *
 * @module
 */

/** One fragment, as it stands in a delta. */
export interface ToolCallFragment {
  /** The call's id, where the fragment has one. */
  id?: string;
  /** The tool's name, where the fragment has one; an empty one counts as none. */
  name?: string;
  /** A piece of the arguments, perhaps empty. */
  arguments: string;
  /** Gemini's thought signature, where the fragment has one. */
  signature?: string;
  /** The gateway's own number of the call: the client ignores it, this model compares with it. */
  index?: number;
}

/** A call as the client understood it. */
export interface ForgeToolCall {
  /** The id; null if none ever came, and it is replayed as null. */
  id: string | null;
  /** The tool's name. */
  name: string;
  /** The arguments as they came, `{}` if nothing came. */
  arguments: string;
  /** Gemini's thought signature, if one came. */
  signature?: string;
}

/**
 * Joins fragments as the client does. A call is finished by a fragment with another id; a nameless
 * fragment with arguments belongs to the call that stands open, whatever its id says; a call whose
 * name never came is dropped.
 *
 * @param fragments All fragments of a stream, in order of arrival.
 * @returns The calls that the client would run.
 *
 * @example
 * ```ts
 * import { joinToolCalls } from "./forge_tool_calls.ts";
 *
 * const calls = joinToolCalls([
 *   { id: "a", name: "read", arguments: "" },
 *   { arguments: "{}" },
 * ]);
 * if (calls[0].arguments !== "{}") throw new Error("unexpected");
 * ```
 */
export function joinToolCalls(fragments: ToolCallFragment[]): ForgeToolCall[] {
  const calls: ForgeToolCall[] = [];
  let open: { id?: string; name?: string; arguments: string; signature?: string } = {
    arguments: "",
  };
  // From the first fragment with both a name and an id on, nameless arguments have a home.
  let hasHome = false;
  const close = () => {
    if (open.name === undefined) return;
    calls.push({
      id: open.id ?? null,
      name: open.name,
      arguments: open.arguments === "" ? "{}" : open.arguments,
      ...(open.signature === undefined ? {} : { signature: open.signature }),
    });
  };
  for (const fragment of fragments) {
    const named = fragment.name !== undefined && fragment.name !== "";
    const continues = !named && fragment.arguments !== "" && hasHome;
    if (!continues && fragment.id !== undefined) {
      if (open.id !== undefined && open.id !== fragment.id) {
        close();
        open = { arguments: "" };
      }
      open.id = fragment.id;
    }
    if (named) {
      open.name = fragment.name;
      hasHome ||= open.id !== undefined;
    }
    open.signature ??= fragment.signature;
    open.arguments += fragment.arguments;
  }
  close();
  return calls;
}

/**
 * Joins fragments as their sender meant it: by `index`, or, where there is none, by change of id.
 *
 * @param fragments All fragments of a stream, in order of arrival.
 * @returns The calls in order of their first fragment.
 */
export function joinToolCallsByIndex(fragments: ToolCallFragment[]): ForgeToolCall[] {
  const calls = new Map<string, ForgeToolCall>();
  let last = "";
  for (const fragment of fragments) {
    const key = fragment.index !== undefined
      ? `index ${fragment.index}`
      : fragment.id
      ? `id ${fragment.id}`
      : last;
    last = key;
    const call = calls.get(key);
    if (call === undefined) {
      calls.set(key, {
        id: fragment.id ?? null,
        name: fragment.name ?? "",
        arguments: fragment.arguments,
      });
      continue;
    }
    call.arguments += fragment.arguments;
    if (call.name === "") call.name = fragment.name ?? "";
    call.id ??= fragment.id ?? null;
  }
  for (const call of calls.values()) if (call.arguments === "") call.arguments = "{}";
  return [...calls.values()];
}

/**
 * What is wrong with a stream's tool calls, from the client's point of view.
 *
 * @param fragments All fragments of a stream, in order of arrival.
 * @returns One line a problem; none for clean calls.
 */
export function toolCallProblems(fragments: ToolCallFragment[]): string[] {
  const problems: string[] = [];
  const seen = joinToolCalls(fragments);
  const meant = joinToolCallsByIndex(fragments);
  const key = (calls: ForgeToolCall[]) => JSON.stringify(calls.map((c) => [c.name, c.arguments]));
  if (key(seen) !== key(meant)) {
    problems.push(`Tool calls are corrupted: sent as ${key(meant)}, read as ${key(seen)}`);
  }
  for (const call of seen) {
    if (call.id === null) problems.push(`Tool call ${call.name} has no id: replayed as null`);
    try {
      JSON.parse(call.arguments);
    } catch {
      problems.push(`Tool call ${call.name} has arguments that are not JSON: ${call.arguments}`);
    }
  }
  const ids = meant.map((call) => call.id).filter((id) => id !== null);
  if (new Set(ids).size < ids.length) problems.push(`Tool calls share an id: ${ids.join(", ")}`);
  return problems;
}
