/** What `doctor --fix` writes. */
import { assertEquals } from "@std/assert";
import { fixesOf, withFixes } from "../lib/doctor/fix.ts";
import type { ModelCheck } from "../lib/doctor/probe.ts";
import { parseModels } from "../lib/models/catalog.ts";

function check(name: string, more: Partial<ModelCheck>): ModelCheck {
  return {
    name,
    status: "ok",
    detail: "",
    surface: "mlflow",
    firstByteMs: 1,
    tokens: null,
    calledTool: true,
    learned: [],
    repaired: [],
    ...more,
  };
}

const TEXT = `{
  // ours
  "models": [
    "databricks-a",
    { "id": "databricks-b", "name": "B" },
    "databricks-c", // gone soon
    "databricks-d",
  ],
}
`;

Deno.test("fixesOf() finds surfaces that answered instead, and models that are gone", () => {
  const fixes = fixesOf([
    check("databricks-a", { surface: "cursor" }),
    check("databricks-b", { surface: "cursor" }),
    check("databricks-c", { status: "fail", detail: "404: ENDPOINT_NOT_FOUND", surface: null }),
    check("databricks-d", { status: "fail", detail: "403: PERMISSION_DENIED" }),
    check("databricks-unlisted", { surface: "cursor" }),
    { name: "dns", status: "ok", detail: "Known." },
  ], parseModels(TEXT, "m.json"));
  assertEquals(fixes, [
    { id: "databricks-a", endpoint: "cursor" },
    { id: "databricks-b", endpoint: "cursor" },
    { id: "databricks-c", gone: true },
  ]);
});

Deno.test("withFixes() changes the entries alone: comments and layout stay", () => {
  const text = withFixes(TEXT, [
    { id: "databricks-a", endpoint: "cursor" },
    { id: "databricks-b", endpoint: "cursor" },
    { id: "databricks-c", gone: true },
  ]);
  assertEquals(text.match(/ours|gone soon/g), ["ours", "gone soon"]);
  assertEquals(parseModels(text, "m.json").models, [
    { id: "databricks-a", endpoint: "cursor" },
    { id: "databricks-b", name: "B", endpoint: "cursor" },
    { id: "databricks-c", gone: true },
    { id: "databricks-d" },
  ]);
});
