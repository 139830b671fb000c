import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { BridgeError } from "../lib/errors.ts";
import { configFolder, findModels } from "../lib/config/locate.ts";

const EMBEDDED = '{"models": ["embedded"]}';

function place(os: string, variables: Record<string, string> = {}) {
  return { os, variable: (name: string): string | undefined => variables[name] };
}

const HOME = place("linux", { HOME: "/home/ada" });

/** Files that can be read; an Error as content is what reading it throws. */
function reader(
  files: Record<string, string | Error>,
): (path: string) => Promise<string | undefined> {
  return (path) => {
    const content = files[path];
    return content instanceof Error ? Promise.reject(content) : Promise.resolve(content);
  };
}

Deno.test("configFolder() is where each system keeps such things", () => {
  assertEquals(configFolder(HOME), "/home/ada/.config/fd-bridge");
  assertEquals(
    configFolder(place("linux", { HOME: "/home/ada", XDG_CONFIG_HOME: "/x" })),
    "/x/fd-bridge",
  );
  assertEquals(
    configFolder(place("darwin", { HOME: "/Users/ada" })),
    "/Users/ada/Library/Application Support/fd-bridge",
  );
  assertEquals(
    configFolder(place("windows", { APPDATA: "C:\\Users\\ada\\AppData\\Roaming" })),
    "C:\\Users\\ada\\AppData\\Roaming\\fd-bridge",
  );
  assertEquals(configFolder(place("linux")), undefined);
  assertEquals(configFolder(place("windows")), undefined);
});

Deno.test("findModels() looks at the named file, here, the configuration folder, and what is embedded, in this order", async () => {
  const everywhere: Record<string, string> = {
    "named.json": '{"models": ["named"]}',
    "./models.json": '{"models": ["here"]}',
    "/home/ada/.config/fd-bridge/models.json": '{"models": ["folder"]}',
  };
  const first = async (named: string | undefined, files: Record<string, string>) => {
    const { catalog, path } = await findModels(named, HOME, reader(files), EMBEDDED);
    return [catalog.models[0].id, path, catalog.source];
  };
  assertEquals(await first("named.json", everywhere), ["named", "named.json", "named.json"]);
  assertEquals(await first(undefined, everywhere), ["here", "./models.json", "./models.json"]);
  delete everywhere["./models.json"];
  const folder = "/home/ada/.config/fd-bridge/models.json";
  assertEquals(await first(undefined, everywhere), ["folder", folder, folder]);
  assertEquals(await first(undefined, {}), [
    "embedded",
    undefined,
    "the list embedded in the program",
  ]);
});

Deno.test("findModels() falls back from a missing default file only", async () => {
  const fails = async (named: string | undefined, files: Record<string, string | Error>) => {
    const error = await assertRejects(
      () => findModels(named, HOME, reader(files), EMBEDDED),
      BridgeError,
    );
    assertEquals(error.kind, "config");
    return error.message;
  };
  assertStringIncludes(await fails("mine.json", {}), "mine.json: there is no such file");
  assertStringIncludes(
    await fails(undefined, { "./models.json": '{"models": ["a",,' }),
    "./models.json: line 1, column 17",
  );
  assertStringIncludes(
    await fails(undefined, { "./models.json": '{\n  "models": ["a", {}]}' }),
    "./models.json: line 2, column 19: models[1]",
  );
  const denied = new Error("Permission denied (os error 13): open './models.json'");
  const message = await fails(undefined, { "./models.json": denied });
  assertEquals(message, "./models.json: can't be read: Permission denied.");
});

Deno.test("findModels() passes over a models.json in the folder that is another program's", async () => {
  const folder = "/home/ada/.config/fd-bridge/models.json";
  const foreign = [
    "{",
    "[]",
    "",
    "module.exports = {}",
    '{"User": {"fields": []}}',
    '{"models": {"User": {}}}',
    '{"models": [{"name": "User"}]}',
    '{"models": [3]}',
    '{"models": [{"name": "User",}',
  ];
  for (const text of foreign) {
    const files = { "./models.json": text, [folder]: '{"models": ["mine"]}' };
    const found = await findModels(undefined, HOME, reader(files), EMBEDDED);
    assertEquals([found.path, found.foreign], [folder, "./models.json"], text);
    const embedded = await findModels(
      undefined,
      HOME,
      reader({ "./models.json": text }),
      EMBEDDED,
    );
    assertEquals([embedded.path, embedded.foreign], [undefined, "./models.json"], text);
    // Who names a file means it.
    await assertRejects(
      () => findModels("./models.json", HOME, reader(files), EMBEDDED),
      BridgeError,
    );
  }
  const ours = await findModels(
    undefined,
    HOME,
    reader({ "./models.json": '\ufeff// mine\n{"models": ["a", /* b */ "c",],}' }),
    EMBEDDED,
  );
  assertEquals(ours.foreign, undefined);
  assertEquals(ours.catalog.models.map(({ id }) => id), ["a", "c"]);
});
