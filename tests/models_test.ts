import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { BridgeError } from "../lib/errors.ts";
import {
  type Catalog,
  DEFAULT_ENDPOINTS,
  listModels,
  parseModels,
  routeOf,
  surfaceRoute,
} from "../lib/models/catalog.ts";
import type { DialectName } from "../lib/dialects/dialect.ts";
import { readModelsAsForge } from "./helpers/forge_reader.ts";

function catalog(value: unknown): Catalog {
  return parseModels(JSON.stringify(value), "models.json");
}

function surface(list: Catalog, model: string, body: DialectName = "chat"): string {
  return routeOf(list, model, body).surface;
}

Deno.test("parseModels() takes entries as strings, with an endpoint and without", () => {
  const list = catalog({
    endpoints: { own: "/serving-endpoints/mine/invocations" },
    models: ["databricks-gpt-5", { id: "a", endpoint: "own" }, { id: "b", name: "B", x: [1] }],
  });
  assertEquals(list.models.map(({ id }) => id), ["databricks-gpt-5", "a", "b"]);
  assertEquals(list.endpoints, {
    ...DEFAULT_ENDPOINTS,
    own: "/serving-endpoints/mine/invocations",
  });
  assertEquals(list.models[2].x, [1]);
});

Deno.test("parseModels() takes a byte order mark and a file without endpoints", () => {
  const list = parseModels('\uFEFF{"models": []}', "models.json");
  assertEquals(list.endpoints, DEFAULT_ENDPOINTS);
  assertEquals(list.models, []);
});

Deno.test("DEFAULT_ENDPOINTS are the surfaces that every gateway has", () => {
  assertEquals(DEFAULT_ENDPOINTS, {
    mlflow: "/mlflow/v1/chat/completions",
    cursor: "/cursor/v1/chat/completions",
    openai: "/openai/v1/responses",
    anthropic: "/anthropic/v1/messages",
    gemini: "/gemini/v1beta",
  });
});

Deno.test("routeOf() sends databricks-gpt* to cursor and all else to mlflow, listed or not", () => {
  const listed = catalog({
    models: ["databricks-gpt-5", "databricks-gpt-oss-20b", "kimi", "gpt"],
  });
  for (const list of [listed, catalog({ models: [] })]) {
    assertEquals(surface(list, "databricks-gpt-5"), "cursor");
    assertEquals(surface(list, "databricks-gpt-oss-20b"), "cursor");
    assertEquals(surface(list, "databricks-claude-sonnet-5"), "mlflow");
    assertEquals(surface(list, "kimi"), "mlflow");
    assertEquals(surface(list, "gpt"), "mlflow");
    assertEquals(surface(list, "constructor"), "mlflow");
    assertEquals(surface(list, "__proto__"), "mlflow");
  }
});

Deno.test("routeOf() follows an entry's own endpoint", () => {
  const list = catalog({
    endpoints: { own: "/own/v1/chat/completions" },
    models: [{ id: "databricks-gpt-5", endpoint: "mlflow" }, { id: "m", endpoint: "own" }],
  });
  assertEquals(routeOf(list, "databricks-gpt-5", "chat"), {
    surface: "mlflow",
    path: "/mlflow/v1/chat/completions",
    dialect: "chat",
  });
  assertEquals(routeOf(list, "m", "chat").path, "/own/v1/chat/completions");
});

Deno.test("routeOf() sends messages for a model on openai to cursor where both exist", () => {
  const models = [{ id: "m", endpoint: "openai" }];
  assertEquals(surface(catalog({ models }), "m"), "cursor");
  const without = catalog({ models, endpoints: { cursor: null } });
  assertEquals(routeOf(without, "m", "chat"), {
    surface: "openai",
    path: "/openai/v1/responses",
    dialect: "responses",
  });
});

Deno.test("routeOf() sends input for a model on cursor to openai where both exist", () => {
  const models = [{ id: "m", endpoint: "cursor" }];
  assertEquals(surface(catalog({ models }), "m", "responses"), "openai");
  assertEquals(surface(catalog({ models }), "databricks-gpt-5-unlisted", "responses"), "openai");
  const without = catalog({ models, endpoints: { openai: null } });
  assertEquals(surface(without, "m", "responses"), "cursor");
});

Deno.test("routeOf() passes input for any other chat surface to openai, too", () => {
  assertEquals(surface(catalog({ models: [] }), "databricks-grok-4-6", "responses"), "openai");
  const own = catalog({
    endpoints: { codex: "/codex/v1/responses" },
    models: [{ id: "m", endpoint: "codex" }],
  });
  assertEquals(surface(own, "m", "responses"), "codex");
});

Deno.test("routeOf() says what is missing where the list has taken a surface away", () => {
  const list = catalog({ models: [], endpoints: { mlflow: null } });
  const error = assertThrows(() => routeOf(list, "databricks-kimi-k3", "chat"), BridgeError);
  assertStringIncludes(error.message, 'endpoints has no "mlflow"');
  assertStringIncludes(error.message, "databricks-kimi-k3");
});

Deno.test("surfaceRoute() knows no alias that an object only inherits", () => {
  const list = catalog({ models: [] });
  assertEquals(surfaceRoute(list, "constructor"), undefined);
  assertEquals(surfaceRoute(list, "__proto__"), undefined);
});

const BAD: readonly (readonly [what: string, file: string, ...words: string[]])[] = [
  ["a syntax error", '{\n  "models": [\n    "a",,\n  ]\n}', "line 3, column 9", "not JSON"],
  ["an empty file", "", "not JSON"],
  ["half a file", '{"models": ["a"', "not JSON"],
  ["an array", "[]", "the file", "an array"],
  ["a text", '"x"', "the file"],
  ["no models", "{}", "models", "expected an array"],
  ["models as an object", '{"models": {}}', "models", "an object"],
  ["a number among the models", '{"models": ["a", 5]}', "models[1]", "number 5"],
  ["null among the models", '{"models": [null]}', "models[0]", "null"],
  ["no id", '{"models": [{"name": "x"}]}', "models[0].id"],
  ["an empty id", '{"models": ["a", {"id": " "}]}', "models[1].id"],
  ["an empty name", '{"models": [""]}', "models[0]"],
  ["the same model twice", '{"models": ["a", {"id": "a"}]}', "models[1].id", "twice"],
  ["an unknown endpoint", '{"models": [{"id": "a", "endpoint": "cursr"}]}', "models[0].endpoint"],
  [
    "an inherited endpoint",
    '{"models": [{"id": "a", "endpoint": "constructor"}]}',
    "models[0].endpoint",
  ],
  ["an endpoint that is no text", '{"models": [{"id": "a", "endpoint": 1}]}', "models[0].endpoint"],
  ["endpoints as an array", '{"endpoints": [], "models": []}', "endpoints"],
  ["a path without a slash", '{"endpoints": {"x": "mlflow/v1"}, "models": []}', "endpoints.x"],
  ["a URL for a path", '{"endpoints": {"x": "https://e.example/v1"}, "models": []}', "endpoints.x"],
  ["another host", '{"endpoints": {"x": "//e.example/v1"}, "models": []}', "endpoints.x"],
  ["a way up", '{"endpoints": {"x": "/a/../b"}, "models": []}', "endpoints.x"],
  ["a path that is no text", '{"endpoints": {"x": 4}, "models": []}', "endpoints.x"],
  ["created as a text", '{"models": [{"id": "a", "created": "x"}]}', "models[0].created"],
  [
    "a context of half a token",
    '{"models": [{"id": "a", "context_length": 0.5}]}',
    "models[0].context_length",
  ],
  [
    "parameters as a text",
    '{"models": [{"id": "a", "supported_parameters": "tools"}]}',
    "models[0].supported_parameters",
  ],
  [
    "a null endpoint that a model needs",
    '{"endpoints": {"cursor": null}, "models": [{"id": "a", "endpoint": "cursor"}]}',
    "models[0].endpoint",
  ],
];

for (const [what, file, ...words] of BAD) {
  Deno.test(`parseModels() says what is wrong, and where: ${what}`, () => {
    const error = assertThrows(() => parseModels(file, "/etc/models.json"), BridgeError);
    assertEquals(error.kind, "config");
    assert(error.message.startsWith("/etc/models.json: "), error.message);
    for (const word of words) assertStringIncludes(error.message, word);
    assert(!error.message.includes("\n"), "one line");
  });
}

Deno.test("listModels() gives the file's order and everything that ForgeCode's gate asks for", () => {
  const list = listModels(catalog({
    models: [
      "z",
      {
        id: "a",
        endpoint: "mlflow",
        name: "A",
        context_length: 5,
        supported_parameters: ["tools"],
      },
      { id: "b", created: 12, owned_by: "us", object: "engine" },
    ],
  }));
  assertEquals(list.object, "list");
  assertEquals(list.data.map(({ id }) => id), ["z", "a", "b"]);
  for (const entry of list.data) {
    assertEquals(entry.object, "model");
    assert(Number.isInteger(entry.created) && typeof entry.owned_by === "string");
    assert(!("endpoint" in entry), "the route is the bridge's own business");
  }
  assertEquals(list.data[1].context_length, 5);
  assertEquals([list.data[2].created, list.data[2].owned_by], [12, "us"]);
  const read = readModelsAsForge(JSON.stringify(list));
  assertEquals(read.models?.map(({ id }) => id), ["z", "a", "b"], JSON.stringify(read));
});

Deno.test("listModels() lets the file's own fields win over what is known otherwise", () => {
  const { data } = listModels(
    catalog({ models: [{ id: "a", context_length: 1 }] }),
    () => ({ context_length: 2, name: "known" }),
  );
  assertEquals([data[0].context_length, data[0].name], [1, "known"]);
});

Deno.test("the repository's own models.json fits", async () => {
  const text = await Deno.readTextFile(new URL("../models.json", import.meta.url));
  const list = parseModels(text, "models.json");
  assert(list.models.length > 20);
  for (const { id } of list.models) assert(routeOf(list, id, "chat").path.startsWith("/"));
});
