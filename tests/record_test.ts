import { assertEquals } from "@std/assert";
import { clientName } from "../lib/observe/client_name.ts";
import { MAX_RECORDS, RequestLog, type RequestRecord } from "../lib/observe/record.ts";

function record(more: Partial<RequestRecord>): RequestRecord {
  return {
    id: "0",
    time: new Date(2026, 8, 1).toISOString(),
    client: "ForgeCode",
    method: "POST",
    path: "/chat/completions",
    status: 200,
    first_byte_ms: 1,
    duration_ms: 2,
    dropped: [],
    repaired: [],
    learned: [],
    retries: 0,
    retry_causes: [],
    ...more,
  };
}

function filled(records: readonly Partial<RequestRecord>[]): RequestLog {
  const requests = new RequestLog();
  for (const more of records) {
    requests.end({ running: () => ({}) as never }, record(more));
  }
  return requests;
}

Deno.test("RequestLog keeps the last thousand, the newest first", () => {
  const requests = filled(Array.from({ length: 2_345 }, (_, at) => ({ id: String(at) })));
  const ids = requests.find().map(({ id }) => Number(id));
  assertEquals(ids, Array.from({ length: MAX_RECORDS }, (_, at) => 2_344 - at));
  assertEquals(requests.find({ limit: 2 }).map(({ id }) => id), ["2344", "2343"]);
});

Deno.test("RequestLog.find() filters by status, model, client and time", () => {
  const error = { kind: "gateway", status: 502, message: "no" };
  const requests = filled([
    { id: "a" },
    { id: "b", status: 404, error, model: "m" },
    { id: "c", status: 200, error, client: "codex" },
    { id: "d", status: 429, error, time: new Date(2026, 8, 2).toISOString() },
  ]);
  const ids = (query: Parameters<RequestLog["find"]>[0]) =>
    requests.find(query).map(({ id }) => id).join("");
  assertEquals(ids({ status: "error" }), "dcb");
  assertEquals(ids({ status: "4xx" }), "db");
  assertEquals(ids({ status: "404" }), "b");
  assertEquals(ids({ model: "m" }), "b");
  assertEquals(ids({ client: "codex" }), "c");
  assertEquals(ids({ since: new Date(2026, 8, 2).getTime() }), "d");
  assertEquals(ids({ status: "error", limit: 1 }), "d");
});

Deno.test("RequestLog.subscribe() tells of what ends, until it is ended", () => {
  const requests = new RequestLog();
  const seen: string[] = [];
  const end = requests.subscribe(({ id }) => seen.push(id));
  const running = { running: () => ({}) as never };
  requests.begin(running);
  requests.end(running, record({ id: "1" }));
  requests.end(running, undefined);
  end();
  requests.end(running, record({ id: "2" }));
  assertEquals(seen, ["1"]);
});

Deno.test("clientName() is the first product of any user agent, short and printable", () => {
  for (
    const [agent, name] of [
      ["ForgeCode/2.9.1 (linux; x86_64)", "ForgeCode"],
      ["codex_cli_rs/0.169.0 (Debian 12)", "codex_cli_rs"],
      ["claude-cli/2.1.332 (external, cli)", "claude-cli"],
      ["OpenAI/JS 7.57.0", "OpenAI"],
      ["ai-sdk/openai-compatible/3.0.92 ai/7.0.173", "ai-sdk"],
      ["Mozilla/5.0 (X11; Linux x86_64)", "browser"],
      ["curl", "curl"],
      ["", "unknown"],
      ["   ", "unknown"],
      [undefined, "unknown"],
      ["a\\u0007b/1".replace("\\u0007", "\x07"), "ab"],
      ["x".repeat(5_000), "x".repeat(40)],
      ["dapi0123456789abcdef/1", "***"],
    ] as const
  ) assertEquals(clientName(agent), name);
});
