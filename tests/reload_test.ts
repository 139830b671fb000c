/**
 * A changed models.json takes effect while the bridge runs.
 *
 * @module
 */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { run } from "./helpers/run.ts";
import { BridgeError } from "../lib/errors.ts";
import { findModels } from "../lib/config/locate.ts";
import { LiveModels } from "../lib/models/watch.ts";
import { machine } from "../lib/system/machine.ts";
import { testMachine } from "./helpers/machine.ts";

/** A list in memory, and what was told of it. */
async function live(files: Record<string, string | Error>, named?: string) {
  const told: string[] = [];
  const place = {
    os: "linux",
    variable: (name: string) => name === "HOME" ? "/home/ada" : undefined,
  };
  const read = (path: string) => {
    const text = files[path];
    return text instanceof Error ? Promise.reject(text) : Promise.resolve(text);
  };
  const models = await LiveModels.load({
    find: (read) => findModels(named, place, read, '{"models": ["embedded"]}'),
    read,
    onLoaded: ({ catalog }) => void told.push(`loaded ${catalog.source}`),
    onBroken: (message) => void told.push(`broken ${message}`),
  });
  const ids = () => models.catalog.models.map(({ id }) => id).join();
  /** A change is believed when two looks have seen the same. */
  const settle = async () => {
    await models.look();
    await models.look();
  };
  return { files, told, models, ids, settle };
}

const list = (...models: string[]) => JSON.stringify({ models });
const HERE = "./models.json";
const HOME = "/home/ada/.config/fd-bridge/models.json";

Deno.test("LiveModels takes a changed file, and tells of it once", async () => {
  const { files, told, ids, settle } = await live({ [HERE]: list("a") });
  await settle();
  assertEquals([ids(), told], ["a", []]);
  files[HERE] = list("a", "b");
  await settle();
  await settle();
  assertEquals([ids(), told], ["a,b", [`loaded ${HERE}`]]);
});

Deno.test("LiveModels keeps the old list where the new one is broken, and tells of that once", async () => {
  const { files, told, ids, settle } = await live({ [HERE]: list("a") });
  files[HERE] = '{"models": ["b", 3]}';
  await settle();
  await settle();
  assertEquals(ids(), "a");
  assertEquals(told.length, 1);
  assertStringIncludes(told[0], "broken ./models.json: line 1, column 18: models[1]: expected");
  files[HERE] = "{";
  await settle();
  assertEquals(told.length, 2);
  files[HERE] = list("b");
  await settle();
  assertEquals([ids(), told.at(-1)], ["b", `loaded ${HERE}`]);
});

Deno.test("LiveModels doesn't believe a file that is still being written", async () => {
  const { files, told, models, ids } = await live({ [HERE]: list("a") });
  files[HERE] = '{"models": [';
  await models.look();
  files[HERE] = '{"models": ["b"';
  await models.look();
  files[HERE] = list("b");
  await models.look();
  assertEquals([ids(), told], ["a", []]);
  await models.look();
  assertEquals([ids(), told], ["b", [`loaded ${HERE}`]]);
});

Deno.test("LiveModels overlooks that an editor takes the file away for a moment", async () => {
  const { files, told, models, ids } = await live({ [HERE]: list("a") });
  delete files[HERE];
  await models.look();
  files[HERE] = list("a");
  await models.look();
  await models.look();
  assertEquals([ids(), told], ["a", []]);
});

Deno.test("LiveModels takes a file that comes later, the nearer one first, and goes back when it goes", async () => {
  const { files, told, ids, settle } = await live({});
  assertEquals(ids(), "embedded");
  files[HOME] = list("home");
  await settle();
  assertEquals(ids(), "home");
  files[HERE] = list("here");
  await settle();
  assertEquals(ids(), "here");
  delete files[HERE];
  await settle();
  assertEquals(ids(), "home");
  delete files[HOME];
  await settle();
  assertEquals(ids(), "embedded");
  assertEquals(told.length, 4);
});

Deno.test("LiveModels keeps the list of a named file that goes or can't be read", async () => {
  const { files, told, ids, settle } = await live({ "/srv/m.json": list("a") }, "/srv/m.json");
  delete files["/srv/m.json"];
  await settle();
  files["/srv/m.json"] = new Error("Permission denied (os error 13)");
  await settle();
  assertEquals(ids(), "a");
  assertEquals(told, [
    "broken /srv/m.json: there is no such file (the models file of --models).",
    "broken /srv/m.json: the models file of --models can't be read: Permission denied.",
  ]);
  files["/srv/m.json"] = list("b");
  await settle();
  assertEquals(ids(), "b");
});

Deno.test("LiveModels.load() has no old list to stay with", async () => {
  await assertRejects(() => live({ [HERE]: '{"models": ["a"' }), BridgeError, "expected ]");
});

Deno.test("serve takes a models.json that models update has replaced, without a restart", async () => {
  const folder = await Deno.makeTempDir({ prefix: "fd-bridge-" });
  const path = `${folder}/models.json`;
  const real = (path: string) => Deno.readTextFile(path).catch(() => undefined);
  try {
    await Deno.writeTextFile(path, list("databricks-gpt-5"));
    await Deno.writeTextFile(
      `${folder}/table.md`,
      "| databricks-gpt-5 |\n| databricks-kimi-k3 |\n",
    );
    const serving = testMachine();
    const args = ["--demo", "--port", "0", "--models", path];
    const done = run(args, { ...serving.system, readText: real });
    await serving.said("Ctrl-C ends");
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(serving.err())![0];
    const updating = testMachine();
    await run(["models", "update", `${folder}/table.md`, "--models", path], {
      ...updating.system,
      readText: real,
      machine: { ...updating.system.machine, files: machine.files },
    });
    await serving.said("models: 2 from");
    const { data } = await (await fetch(`${url}/models`)).json();
    assertEquals(data.map(({ id }: { id: string }) => id), [
      "databricks-gpt-5",
      "databricks-kimi-k3",
    ]);

    await Deno.writeTextFile(path, "{}");
    await serving.said("the old list stays, because");
    const health = await (await fetch(`${url}/healthz`)).json();
    assertEquals(health.models, 2);
    serving.signals.get("SIGINT")!();
    assertEquals(await done, 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
