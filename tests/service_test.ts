/** `fd-bridge service`, as text and on a machine in memory. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { loadStart } from "../lib/commands/mod.ts";
import { service } from "../lib/commands/service.ts";
import { parseCommandLine } from "../lib/config/flags.ts";
import { BridgeError } from "../lib/errors.ts";
import { MissingProgram } from "../lib/gateway/tokens/mod.ts";
import { serviceUnit } from "../lib/service/units.ts";
import type { System } from "../lib/system/system.ts";
import { testMachine, type TestMachineOptions } from "./helpers/machine.ts";

const HOME = "/home/ada";
const UNIT = `${HOME}/.config/systemd/user/fd-bridge.service`;

function unitFor(os: string, program: string, variables: Record<string, string> = {}) {
  const all: Record<string, string> = { HOME, LOCALAPPDATA: "C:\\Users\\ada\\AppData\\Local" };
  return serviceUnit({ os, program, variable: (name) => ({ ...all, ...variables })[name] })!;
}

interface Case extends TestMachineOptions {
  readonly args: readonly string[];
  /** The program's path; none where it runs from its source. */
  readonly program?: string | null;
  /** Program → its exit code; null where there is no such program. */
  readonly codes?: Readonly<Record<string, number | null>>;
}

async function runService({ args, program = "/usr/bin/fd-bridge", codes = {}, ...options }: Case) {
  const machine = testMachine({ ...options, env: { HOME, ...options.env } });
  const system: System = {
    ...machine.system,
    machine: { ...machine.system.machine, program: program ?? undefined },
  };
  const ran: string[] = [];
  const start = await loadStart(parseCommandLine(["service", ...args]), system);
  const exit = await service(start, (name, words) => {
    ran.push([name, ...words].join(" "));
    const code = codes[name] === undefined ? 0 : codes[name];
    return code === null ? Promise.reject(new MissingProgram(name)) : Promise.resolve(code);
  });
  return { exit, ran, out: machine.out(), err: machine.err(), files: machine.files };
}

Deno.test("service install writes the unit, and starts it now and at each login", async () => {
  const { exit, ran, files, out } = await runService({
    args: ["install"],
    files: { [`${HOME}/.config/fd-bridge/.env`]: "DATABRICKS_AI_GATEWAY_URL=http://127.0.0.1:1" },
  });
  assertEquals(exit, 0);
  assertEquals(ran, [
    "systemctl --user daemon-reload",
    "systemctl --user enable fd-bridge.service",
    "systemctl --user restart fd-bridge.service",
  ]);
  assertEquals(files[UNIT], unitFor("linux", "/usr/bin/fd-bridge").text);
  assertStringIncludes(out, "loginctl enable-linger");
});

Deno.test("service install says where a service's settings must stand", async () => {
  const { err } = await runService({
    args: ["install"],
    files: { ".env": "DATABRICKS_AI_GATEWAY_URL=http://127.0.0.1:1" },
  });
  assertStringIncludes(err, "doesn't read .env");
  assertStringIncludes(err, "configuration folder");
});

Deno.test("service install --print writes and runs nothing", async () => {
  const { exit, ran, files, out, err } = await runService({ args: ["install", "--print"] });
  assertEquals([exit, ran.length, Object.keys(files).length], [0, 0, 0]);
  assertEquals(out, unitFor("linux", "/usr/bin/fd-bridge").text);
  assertStringIncludes(err, UNIT);
});

Deno.test("service uninstall ends what runs and removes the file", async () => {
  const { exit, ran, files } = await runService({ args: ["uninstall"], files: { [UNIT]: "x" } });
  assertEquals(exit, 0);
  assertEquals(ran, [
    "systemctl --user disable --now fd-bridge.service",
    "systemctl --user daemon-reload",
  ]);
  assertEquals(files, {});
  const none = await runService({ args: ["uninstall"] });
  assertEquals([none.exit, none.ran], [0, []]);
  assertStringIncludes(none.out, "There is no service");
});

Deno.test("service status and logs show what the system says, with its exit code", async () => {
  const status = await runService({ args: ["status"], codes: { systemctl: 3 } });
  assertEquals(status.exit, 3);
  assertEquals(status.ran, ["systemctl --user status --no-pager fd-bridge.service"]);
  const logs = await runService({ args: ["logs"] });
  assertStringIncludes(logs.ran[0], "journalctl --user");
  const windows = await runService({
    args: ["logs"],
    os: "windows",
    env: { APPDATA: "C:\\a", LOCALAPPDATA: "C:\\l" },
  });
  assertEquals(windows.ran, []);
  assertStringIncludes(windows.out, "logs --last-error");
});

const FAULTS: readonly (readonly [what: string, options: Case, words: string])[] = [
  ["without a word", { args: [] }, "install|status|logs|uninstall"],
  ["for another word", { args: ["start"] }, "service start"],
  ["from its source", { args: ["install"], program: null }, "deno task compile"],
  ["on a system without services", { args: ["install"], os: "freebsd" }, "freebsd"],
  [
    "on a machine without systemd",
    { args: ["install"], codes: { systemctl: null } },
    "belongs to systemd",
  ],
];

for (const [what, options, words] of FAULTS) {
  Deno.test(`service says what is wrong ${what}`, async () => {
    const error = await assertRejects(() => runService(options), BridgeError);
    assertStringIncludes((error as BridgeError).message, words);
  });
}

Deno.test("service install ends with the code of the program that fails, and names it", async () => {
  const { exit, err } = await runService({ args: ["install"], codes: { systemctl: 1 } });
  assertEquals(exit, 1);
  assertStringIncludes(err, "`systemctl --user daemon-reload` ended with code 1");
});

Deno.test("serviceUnit() keeps every path whole", () => {
  const odd = '/home/a b/$x%h"q\\/fd-bridge';
  assertStringIncludes(
    unitFor("linux", odd).text,
    'ExecStart="/home/a b/$x%%h\\"q\\\\/fd-bridge"\n',
  );
  assertStringIncludes(unitFor("darwin", "/a&b<c>/x").text, "<string>/a&amp;b&lt;c&gt;/x</string>");
  const windows = unitFor("windows", "C:\\Program Files\\fd & co\\fd-bridge.exe").text;
  assertStringIncludes(
    windows,
    "<Arguments>--headless &quot;C:\\Program Files\\fd &amp; co\\fd-bridge.exe&quot;</Arguments>",
  );
});

Deno.test("serviceUnit() on Windows has no battery rule, no limit of three days and no window", () => {
  const { text } = unitFor("windows", "C:\\fd-bridge.exe");
  for (
    const words of [
      "<DisallowStartIfOnBatteries>false<",
      "<StopIfGoingOnBatteries>false<",
      "<ExecutionTimeLimit>PT0S<",
      "conhost.exe",
    ]
  ) assertStringIncludes(text, words);
});

Deno.test("serviceUnit() gives answers more time than --shutdown-time", () => {
  for (
    const [os, pattern] of [["linux", /TimeoutStopSec=(\d+)/], [
      "darwin",
      /ExitTimeOut<\/key>\s*<integer>(\d+)/,
    ]] as const
  ) {
    const [, seconds] = pattern.exec(unitFor(os, "/x").text)!;
    assert(Number(seconds) > 10, os);
  }
});

const analyze = await new Deno.Command("sh", { args: ["-c", "command -v systemd-analyze"] })
  .output().then(({ success }) => success, () => false);

Deno.test({
  name: `serviceUnit() pleases systemd-analyze${analyze ? "" : " (ignored: it isn't installed)"}`,
  ignore: !analyze,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "fd-bridge-" });
    const program = `${folder}/a program $x`;
    await Deno.writeTextFile(program, "#!/bin/sh\n", { mode: 0o755 });
    const file = `${folder}/fd-bridge.service`;
    await Deno.writeTextFile(file, unitFor("linux", program).text);
    const { success, stderr } = await new Deno.Command("systemd-analyze", {
      args: ["--user", "verify", file],
      env: { XDG_RUNTIME_DIR: folder },
    }).output();
    const said = new TextDecoder().decode(stderr);
    await Deno.remove(folder, { recursive: true });
    assert(success, said);
    assert(!said.includes("fd-bridge.service"), said);
  },
});
