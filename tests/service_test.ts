/** `fd-bridge service`: what it writes on each system, and what it runs, on a machine in memory. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { loadStart } from "../lib/commands/mod.ts";
import { type Programs, service } from "../lib/commands/service.ts";
import { parseCommandLine } from "../lib/config/command_line.ts";
import { BridgeError } from "../lib/errors.ts";
import { MissingProgram } from "../lib/gateway/tokens/mod.ts";
import { PLATFORMS } from "../lib/service/platforms.ts";
import type { ServiceSpec } from "../lib/service/service.ts";
import { systemdUnit } from "../lib/service/systemd.ts";
import { escapeToAscii } from "../lib/service/xml.ts";
import { testMachine, type TestMachineOptions } from "./helpers/machine.ts";

const FIXTURES = new URL("fixtures/service/", import.meta.url);
const GATEWAY = "https://1.7.ai-gateway.azuredatabricks.net";

/** System → a user of it, the file of the service, and the fixture with its text. */
const SYSTEMS: Record<string, { env: Record<string, string>; path: string; fixture: string }> = {
  linux: {
    env: { HOME: "/home/ada", PATH: "/home/ada/.local/bin:/usr/bin" },
    path: "/home/ada/.config/systemd/user/fd-bridge.service",
    fixture: "linux.service",
  },
  darwin: {
    env: { HOME: "/Users/ada", PATH: "/opt/homebrew/bin:/usr/bin" },
    path: "/Users/ada/Library/LaunchAgents/io.github.fd-bridge.plist",
    fixture: "darwin.plist",
  },
  windows: {
    env: {
      USERPROFILE: "C:\\Users\\Zoë",
      APPDATA: "C:\\Users\\Zoë\\AppData\\Roaming",
      PATH: "C:\\Users\\Zoë\\AppData\\Local\\Programs\\fd-bridge;C:\\Windows",
      USERDOMAIN: "DESK",
      USERNAME: "Zoë",
    },
    path: "C:\\Users\\Zoë\\AppData\\Roaming\\fd-bridge\\fd-bridge.task.xml",
    fixture: "windows.xml",
  },
};

const PROGRAM: Record<string, string> = {
  linux: "/home/ada/.local/bin/fd-bridge",
  darwin: "/opt/homebrew/bin/fd-bridge",
  windows: "C:\\Users\\Zoë\\AppData\\Local\\Programs\\fd-bridge\\fd-bridge.exe",
};

interface Case extends TestMachineOptions {
  /** Step → its exit code, where that isn't 0; a list for one try after the other. */
  readonly codes?: Record<string, number | number[]>;
  /** A program that isn't there. */
  readonly missing?: string;
  /** Whether a bridge answers from the start; else once the service is started. */
  readonly running?: boolean;
  /** Whether the service never answers. */
  readonly dead?: boolean;
}

async function runService(words: string[], options: Case = {}) {
  const os = options.os ?? "linux";
  const { env } = SYSTEMS[os];
  const ran: string[] = [];
  const machine = testMachine({
    ...options,
    os,
    env: { ...env, ...options.env },
    files: options.files ?? { [PROGRAM[os]]: "" },
    fetch: () => {
      const started = ran.some((step) => /restart|bootstrap|\/Run/.test(step));
      const answers = options.running || (started && !options.dead);
      if (!answers) throw new TypeError("connect ECONNREFUSED");
      return new Response("{}");
    },
  });
  const codes = structuredClone(options.codes ?? {});
  const take = (program: string, args: readonly string[]) => {
    if (program === options.missing) throw new MissingProgram("not found");
    const step = [program, ...args].join(" ");
    ran.push(step);
    const code = codes[step] ?? 0;
    return Array.isArray(code) ? code.shift() ?? 0 : code;
  };
  let waited = 0;
  // deno-lint-ignore require-await
  const run: Programs["run"] = async (program, args) => {
    const code = take(program, args);
    return { code, stdout: program === "id" ? "501\n" : "", stderr: code ? "Error: no luck." : "" };
  };
  const programs: Programs = {
    run,
    // deno-lint-ignore require-await
    runAtTerminal: async (program, args) => take(program, args),
    wait: () => Promise.resolve(void waited++),
  };
  const start = await loadStart(parseCommandLine(["service", ...words]), machine.system);
  const code = await service(start, programs);
  return { ...machine, code, ran, waited: () => waited };
}

const INSTALL = ["install", "--gateway", GATEWAY];

Deno.test("service install gives the bridge time to drain and to let its answers finish", async () => {
  const times = ["--drain-time", "5s", "--shutdown-time", "1m"];
  const { files } = await runService([...INSTALL, ...times]);
  assertStringIncludes(files[SYSTEMS.linux.path], "TimeoutStopSec=75\n");
});

for (const [os, { path, fixture }] of Object.entries(SYSTEMS)) {
  Deno.test(`service install writes the service of ${os} as the fixture has it`, async () => {
    const { files, code } = await runService([...INSTALL, "--port", "9090", "--no-page"], { os });
    assertEquals(code, 0);
    const url = new URL(fixture, FIXTURES);
    if (Deno.env.get("UPDATE_FIXTURES")) await Deno.writeTextFile(url, files[path]);
    assertEquals(files[path], await Deno.readTextFile(url));
  });

  Deno.test(`service install --print writes and runs nothing on ${os}`, async () => {
    const { files, out, ran } = await runService([...INSTALL, "--print"], { os });
    assertEquals([Object.keys(files), ran], [[PROGRAM[os]], []]);
    assertStringIncludes(out(), escapeToAscii(PROGRAM[os]));
  });

  Deno.test(`service uninstall takes away what install wrote on ${os}`, async () => {
    const { files } = await runService(INSTALL, { os });
    const { code, ran } = await runService(["uninstall"], { os, files });
    assertEquals([code, Object.keys(files)], [0, [PROGRAM[os]]]);
    assert(ran.some((step) => /disable --now|bootout|\/Delete/.test(step)), ran.join("\n"));
  });
}

Deno.test("service install runs systemd's steps in their order, and speaks of enable-linger", async () => {
  const { ran, err } = await runService(INSTALL);
  assertEquals(ran, [
    "systemctl --user daemon-reload",
    "systemctl --user enable fd-bridge.service",
    "systemctl --user restart fd-bridge.service",
  ]);
  assertStringIncludes(err(), "loginctl enable-linger");
  assertStringIncludes(err(), "The bridge answers at http://127.0.0.1:8080");
});

Deno.test("service install asks launchd again while it still ends the old agent", async () => {
  const { path } = SYSTEMS.darwin;
  const bootstrap = `launchctl bootstrap gui/501 ${path}`;
  const { ran, code } = await runService(INSTALL, { os: "darwin", codes: { [bootstrap]: [5, 5] } });
  assertEquals(code, 0);
  assertEquals(ran, [
    "id -u",
    "launchctl bootout gui/501/io.github.fd-bridge",
    "launchctl enable gui/501/io.github.fd-bridge",
    bootstrap,
    bootstrap,
    bootstrap,
  ]);
});

Deno.test("service install tells what a step complained of", async () => {
  const codes = {
    "launchctl bootout gui/501/io.github.fd-bridge": 3,
    [`launchctl bootstrap gui/501 ${SYSTEMS.darwin.path}`]: 5,
  };
  const error = await assertRejects(
    () => runService(INSTALL, { os: "darwin", codes }),
    BridgeError,
  );
  assertStringIncludes(error.message, "ended with code 5: no luck.");
});

Deno.test("service install says so where the bridge doesn't answer", async () => {
  const { code, err, waited } = await runService(INSTALL, { dead: true });
  assertEquals([code, waited()], [1, 20]);
  assertStringIncludes(err(), "fd-bridge service logs");
});

Deno.test("service install refuses a port that another bridge has", async () => {
  const error = await assertRejects(() => runService(INSTALL, { running: true }), BridgeError);
  assertStringIncludes(error.message, "another --port");
  const again = { [PROGRAM.linux]: "", [SYSTEMS.linux.path]: "old" };
  const { code } = await runService(INSTALL, { running: true, files: again });
  assertEquals(code, 0);
});

Deno.test("service install names the settings that a service doesn't see", async () => {
  const error = await assertRejects(
    () => runService(["install"], { env: { DATABRICKS_AI_GATEWAY_URL: GATEWAY } }),
    BridgeError,
  );
  assertStringIncludes(error.message, "DATABRICKS_AI_GATEWAY_URL (your shell)");
  assertStringIncludes(error.message, "/home/ada/.config/fd-bridge/.env");
  const files = {
    [PROGRAM.linux]: "",
    ".env": "FD_BRIDGE_PORT=9090\n",
    "/home/ada/.config/fd-bridge/.env": `DATABRICKS_AI_GATEWAY_URL=${GATEWAY}\n`,
  };
  const { code, err } = await runService(["install"], { files });
  assertEquals(code, 0);
  assertStringIncludes(err(), "FD_BRIDGE_PORT (./.env)");
});

Deno.test("service install without any settings speaks of setup", async () => {
  const error = await assertRejects(() => runService(["install"]), BridgeError);
  assertStringIncludes(error.message, "fd-bridge setup");
});

Deno.test("service install keeps secrets out of its file", async () => {
  const error = await assertRejects(
    () => runService([...INSTALL, "--client-key", "very-secret-key"]),
    BridgeError,
  );
  assertStringIncludes(error.message, "FD_BRIDGE_CLIENT_KEY=…");
  assert(!error.message.includes("very-secret-key"));
});

Deno.test("service install from the source needs a program", async () => {
  const error = await assertRejects(() => runService(INSTALL, { files: {} }), BridgeError);
  assertStringIncludes(error.message, "deno task compile");
});

Deno.test("service install says what to do without systemd", async () => {
  const error = await assertRejects(
    () => runService(INSTALL, { missing: "systemctl" }),
    BridgeError,
  );
  assertStringIncludes(error.message, "There is no systemctl on the PATH");
});

Deno.test("service status and logs ask the system", async () => {
  const files = { [SYSTEMS.linux.path]: "" };
  const status = "systemctl --user status --no-pager fd-bridge.service";
  const well = await runService(["status"], { files });
  assertEquals([well.code, well.ran], [0, [status]]);
  const ill = await runService(["status"], { files, codes: { [status]: 3 } });
  assertEquals(ill.code, 1);
  const logs = await runService(["logs"], { files });
  assertEquals(logs.ran, ["journalctl --user --no-pager --lines=100 --unit=fd-bridge.service"]);
});

Deno.test("service logs prints the end of a log that is a file", async () => {
  const lines = Array.from({ length: 150 }, (_, at) => `line ${at}\n`);
  const files = { "/Users/ada/Library/Logs/fd-bridge.log": lines.join("") };
  const { out } = await runService(["logs"], { os: "darwin", files });
  assertEquals(out(), lines.slice(50).join(""));
});

for (const word of ["status", "uninstall"]) {
  Deno.test(`service ${word} says so where there is none`, async () => {
    const { code, err, ran } = await runService([word], { files: {} });
    assertEquals([code, ran], [1, []]);
    assertStringIncludes(err(), "fd-bridge service install");
  });
}

Deno.test("service refuses another word, with the one that was meant", async () => {
  const error = await assertRejects(() => runService(["instal"]), BridgeError);
  assertStringIncludes(error.message, "Did you mean install?");
});

const ODD: ServiceSpec = {
  program: "/home/a b/100%/fd-bridge",
  args: ["--gateway", "https://x.example/$HOME?a=%20", "--models", '/home/a b/"m".json'],
  env: { PATH: "/home/a b/bin:/usr/bin:100%" },
  stopSeconds: 20,
  log: "/home/a b/fd-bridge.log",
  user: "ada",
};

Deno.test("systemdUnit() quotes what systemd reads as its own", () => {
  const unit = systemdUnit(ODD);
  assertStringIncludes(unit, 'ExecStart="/home/a b/100%%/fd-bridge" --gateway');
  assertStringIncludes(unit, '"https://x.example/$$HOME?a=%%20"');
  assertStringIncludes(unit, '"/home/a b/\\"m\\".json"');
  assertStringIncludes(unit, 'Environment="PATH=/home/a b/bin:/usr/bin:100%%"');
});

Deno.test("the tasks of Windows are ASCII, and refuse what cmd.exe would read", async () => {
  const { files } = await runService(INSTALL, { os: "windows" });
  // deno-lint-ignore no-control-regex
  assert(/^[\x00-\x7f]+$/.test(files[SYSTEMS.windows.path]));
  await assertRejects(
    () => runService(["install", "--gateway", "https://x.example/%PATH%"], { os: "windows" }),
    BridgeError,
    "command line",
  );
});

const analyze = await new Deno.Command("systemd-analyze", { args: ["--version"] }).output()
  .then(({ success }) => success, () => false);

Deno.test({
  name: `systemd-analyze verifies the unit${analyze ? "" : " (ignored: no systemd-analyze here)"}`,
  ignore: !analyze,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "fd-bridge-unit-" });
    try {
      const program = `${folder}/a b 100%/fd-bridge`;
      await Deno.mkdir(`${folder}/a b 100%`);
      await Deno.writeTextFile(program, "#!/bin/sh\n", { mode: 0o755 });
      const file = `${folder}/fd-bridge.service`;
      await Deno.writeTextFile(file, PLATFORMS.linux.text({ ...ODD, program }));
      const { success, stderr } = await new Deno.Command("systemd-analyze", {
        args: ["verify", "--man=no", file],
        env: { SYSTEMD_LOG_LEVEL: "warning", XDG_RUNTIME_DIR: folder },
      }).output();
      const said = new TextDecoder().decode(stderr).split("\n")
        .filter((line) => line.includes("fd-bridge.service"));
      assertEquals([success, said], [true, []]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
