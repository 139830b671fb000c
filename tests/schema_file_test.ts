/**
 * `models.schema.json`: what editors complete by is what the program checks by.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { HOMEPAGE } from "../scripts/project.ts";
import { type Schema, validate } from "../lib/models/validate.ts";
import { BridgeError } from "../lib/errors.ts";
import { MODELS_SCHEMA, parseModels } from "../lib/models/catalog.ts";

const ROOT = new URL("../", import.meta.url);

/** The keywords that `validate()` obeys or may pass over; a schema with others would promise more than is checked. */
const KEYWORDS: ReadonlySet<string> = new Set([
  "$schema",
  "$id",
  "$ref",
  "title",
  "description",
  "default",
  "errorMessage",
  "type",
  "required",
  "properties",
  "additionalProperties",
  "items",
  "pattern",
  "minimum",
  "anyOf",
  "definitions",
]);

/** Every schema inside a schema. */
function* schemasIn(schema: Schema): Generator<Schema> {
  yield schema;
  const { properties = {}, definitions = {}, items, additionalProperties, anyOf = [] } = schema;
  const inner = [
    ...Object.values(properties),
    ...Object.values(definitions),
    ...anyOf,
    ...items ? [items] : [],
    ...additionalProperties ? [additionalProperties] : [],
  ];
  for (const each of inner) yield* schemasIn(each);
}

Deno.test("models.schema.json uses no keyword that the program doesn't check", () => {
  for (const schema of schemasIn(MODELS_SCHEMA)) {
    for (const keyword of Object.keys(schema)) assert(KEYWORDS.has(keyword), keyword);
  }
});

Deno.test("models.schema.json says in words what each place expects", () => {
  for (const schema of schemasIn(MODELS_SCHEMA)) {
    if (schema.type !== undefined) {
      assert(schema.errorMessage?.startsWith("expected "), JSON.stringify(schema));
    }
    if (schema.$ref) assert(MODELS_SCHEMA.definitions?.[schema.$ref.replace("#/definitions/", "")]);
  }
});

Deno.test("models.schema.json has the address of the latest release, which its workflow publishes", async () => {
  const { $id } = JSON.parse(await Deno.readTextFile(new URL("models.schema.json", ROOT)));
  assertEquals($id, `${HOMEPAGE}/releases/latest/download/models.schema.json`);
  const workflow = await Deno.readTextFile(new URL(".github/workflows/release.yml", ROOT));
  assertMatch(workflow, /gh release create[^]*dist\/models\.schema\.json/);
});

Deno.test("models.json names its schema, and fits it", async () => {
  const text = await Deno.readTextFile(new URL("models.json", ROOT));
  const value = JSON.parse(text);
  assertEquals(value.$schema, "./models.schema.json");
  await Deno.stat(new URL(value.$schema, ROOT));
  assertEquals(validate(value, MODELS_SCHEMA), undefined);
});

const MISFITS: readonly [file: unknown, message: string][] = [
  [[], 'the file: expected an object with "models", got an array'],
  [{}, "models: expected an array, got nothing"],
  [{ models: {} }, "models: expected an array, got an object"],
  [
    { models: ["a", 3] },
    'models[1]: expected a model\'s name or an object with "id", got number 3',
  ],
  [{ models: [{}] }, "models[0].id: expected a model's name, got nothing"],
  [{ models: [" "] }, 'models[0]: expected a model\'s name, got string " "'],
  [{ models: [{ id: 5 }] }, "models[0].id: expected a model's name, got number 5"],
  [{ models: ["a", { id: "a" }] }, 'models[1].id: "a" is there twice'],
  [
    { models: [{ id: "a", endpoint: "toString" }] },
    'models[0].endpoint: expected one of the endpoints mlflow, cursor, openai, anthropic, gemini, got string "toString"',
  ],
  [{ models: [], endpoints: [] }, "endpoints: expected an object of alias and path, got an array"],
  [
    { models: [], endpoints: { x: "https://evil.example/" } },
    'endpoints.x: expected a path such as /mlflow/v1/chat/completions, got string "https://evil.example/"',
  ],
  [
    { models: [], endpoints: { x: "/a/../b" } },
    'endpoints.x: expected a path such as /mlflow/v1/chat/completions, got string "/a/../b"',
  ],
  [
    { models: [], endpoints: { x: "//a" } },
    'endpoints.x: expected a path such as /mlflow/v1/chat/completions, got string "//a"',
  ],
  [
    { models: [{ id: "a", created: 1.5 }] },
    "models[0].created: expected whole seconds since 1970, got number 1.5",
  ],
  [
    { models: [{ id: "a", created: "1" }] },
    'models[0].created: expected whole seconds since 1970, got string "1"',
  ],
  [
    { models: [{ id: "a", context_length: 0 }] },
    "models[0].context_length: expected a whole number of tokens, got number 0",
  ],
  [
    { models: [{ id: "a", gone: "yes" }] },
    'models[0].gone: expected true or false, got string "yes"',
  ],
  [
    { models: [{ id: "a", supported_parameters: [null] }] },
    "models[0].supported_parameters[0]: expected a string, got null",
  ],
  [
    { models: [{ id: "a", architecture: { input_modalities: ["text"] } }] },
    "models[0].architecture.modality: expected a string, got nothing",
  ],
  [
    { models: [{ id: "a", price: { input: 1 } }] },
    "models[0].price.output: expected dollars a million tokens, got nothing",
  ],
  [
    { models: [{ id: "a", price: { input: -1, output: 2 } }] },
    "models[0].price.input: expected dollars a million tokens, got number -1",
  ],
  [{ $schema: 1, models: [] }, "$schema: expected a string, got number 1"],
];

for (const [file, message] of MISFITS) {
  Deno.test(`parseModels() refuses ${JSON.stringify(file)}: where, what was expected, what came`, () => {
    const error = assertThrows(() => parseModels(JSON.stringify(file), "models.json"), BridgeError);
    // The file is one line.
    const [, place] = /^models\.json: line 1, column \d+: ([^]*)$/.exec(error.message) ?? [];
    assertEquals(place, `${message}.`, error.message);
  });
}

Deno.test("parseModels() takes unknown fields as they are", () => {
  const text =
    '{"//": 1, "models": [{"id": "a", "team": {"x": []}}], "endpoints": {"cursor": null}}';
  const { models, endpoints } = parseModels(text, "m");
  assertEquals(models[0].team, { x: [] });
  assertEquals(Object.keys(endpoints), ["mlflow", "openai", "anthropic", "gemini"]);
});
