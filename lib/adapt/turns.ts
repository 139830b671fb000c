/**
 * The turns of a request, in any dialect: their roles, and how the last one ends.
 *
 * @module
 */

import { isObject, type JsonObject } from "../json.ts";
import { mapKeeping } from "./paths.ts";

/** What asks a model to go on with its own unfinished message. */
const CONTINUE = "Continue exactly where your last message stops. Repeat nothing.";

/** The last message or item of a body, and the name of the list that it is in. */
function lastTurn(
  body: JsonObject,
): { list: JsonObject[]; name: string; last: JsonObject } | undefined {
  for (const name of ["messages", "input", "contents"]) {
    const list = body[name];
    if (!Array.isArray(list)) continue;
    const last = list.at(-1);
    return isObject(last) ? { list, name, last } : undefined;
  }
  return undefined;
}

/** A body whose conversation ends with the user, who asks the model to go on with its last message. */
export function goOn(body: JsonObject): JsonObject {
  const turn = lastTurn(body);
  if (turn === undefined || (turn.last.role !== "assistant" && turn.last.role !== "model")) {
    return body;
  }
  const ask = turn.name === "contents"
    ? { role: "user", parts: [{ text: CONTINUE }] }
    : { role: "user", content: CONTINUE };
  return { ...body, [turn.name]: [...turn.list, ask] };
}

/** The last message without white space at its end, where it is the assistant's. */
export function trimLast(body: JsonObject): JsonObject {
  const turn = lastTurn(body);
  if (turn === undefined || turn.last.role !== "assistant") return body;
  const { content } = turn.last;
  const parts = Array.isArray(content) ? content : undefined;
  const part = parts?.at(-1);
  const text = typeof content === "string" ? content : isObject(part) ? part.text : undefined;
  if (typeof text !== "string" || text.trimEnd() === text || text.trim() === "") return body;
  const trimmed = parts
    ? [...parts.slice(0, -1), { ...part, text: text.trimEnd() }]
    : text.trimEnd();
  return { ...body, [turn.name]: [...turn.list.slice(0, -1), { ...turn.last, content: trimmed }] };
}

/** A text of the system's as users' messages have it. */
function reminder(text: string): string {
  return `<system-reminder>\n${text}\n</system-reminder>`;
}

/** A content of a system message's as a reminder in a user's. */
function asReminder(content: unknown): unknown {
  if (typeof content === "string") return reminder(content);
  return !Array.isArray(content) ? content : mapKeeping(
    content,
    (part) =>
      isObject(part) && typeof part.text === "string"
        ? { ...part, text: reminder(part.text) }
        : part,
  );
}

/** A body whose messages of one role have another; what the system says stays recognizable in a user's. */
export function changeRoles(body: JsonObject, from: string, to: string): JsonObject {
  let changed = body;
  for (const name of ["messages", "input"]) {
    const list = body[name];
    if (!Array.isArray(list)) continue;
    const renamed = mapKeeping(
      list,
      (entry) => {
        if (!isObject(entry) || entry.role !== from) return entry;
        return from === "system" && to === "user"
          ? { ...entry, role: to, content: asReminder(entry.content) }
          : { ...entry, role: to };
      },
    );
    if (renamed !== list) changed = { ...changed, [name]: renamed };
  }
  return changed;
}
