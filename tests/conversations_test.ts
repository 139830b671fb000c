/** What one turn leaves for the next reaches its own conversation alone. */
import { assertEquals } from "@std/assert";
import type { JsonObject } from "../lib/json.ts";
import { eventStream, testBridge } from "./helpers/bridge.ts";

const GEMINI = "databricks-gemini-3-flash";
const ID = "call_8Zq3kd9aXw2LmN0p";

/** A request whose history, from its second turn on, has a call that the client tells without its signature. */
function turn(first: string, second: boolean): JsonObject {
  const messages: JsonObject[] = [{ role: "user", content: first }];
  if (second) {
    messages.push(
      {
        role: "assistant",
        content: "",
        tool_calls: [{ id: ID, type: "function", function: { name: "f", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: ID, content: "r" },
    );
  }
  return { model: GEMINI, stream: true, messages };
}

Deno.test("a call's signature goes back in its own conversation, and in no other, whatever its id", async () => {
  let answers = 0;
  const bridge = testBridge({
    gateway: () => {
      const signature = `signature-${++answers}`;
      const call = {
        index: 0,
        id: ID,
        type: "function",
        thoughtSignature: signature,
        function: { name: "f", arguments: "{}" },
      };
      return eventStream(
        { choices: [{ index: 0, delta: { tool_calls: [call] }, finish_reason: "tool_calls" }] },
        "[DONE]",
      );
    },
  });
  const post = async (body: JsonObject, headers: Record<string, string> = {}) => {
    const response = await bridge.post("/chat/completions", body, { headers });
    await response.text();
    return JSON.stringify(bridge.requests.at(-1)!.body).match(/signature-\d/)?.[0];
  };
  assertEquals(await post(turn("A", false)), undefined);
  assertEquals(await post(turn("B", true)), undefined, "another conversation");
  assertEquals(await post(turn("A", true), { authorization: "Bearer another-token" }), undefined);
  assertEquals(await post(turn("A", true)), "signature-1");
});
