/**
 * `fd-bridge service`: the bridge as a service of the user's, by the system's own manager.
 *
 * @module
 */

import { wrapAtTerminal } from "../system/wrap.ts";
import type { Setting } from "../config/config.ts";
import { configFolder, joinPath } from "../config/locate.ts";
import { BridgeError } from "../errors.ts";
import { complaint, MissingProgram, type Run, run, runAtTerminal } from "../gateway/tokens/run.ts";
import { urlOf } from "../listen.ts";
import { PLATFORMS } from "../service/platforms.ts";
import {
  type Platform,
  SERVICE_NAME,
  type ServicePlace,
  type ServiceSpec,
  type Step,
} from "../service/service.ts";
import { didYouMean } from "../suggest.ts";
import { writeAtomically } from "../system/atomic.ts";
import { findProgram } from "../system/find_program.ts";
import type { Machine, Start } from "../system/system.ts";
import { paintFor } from "../system/terminal.ts";
import { openOutside } from "./outside.ts";

/** How programs are run, and time passes. */
export interface Programs {
  /** Runs one to its end. */
  readonly run: Run;
  /** Runs one at the user's terminal; the result is its exit code. */
  readonly runAtTerminal: (program: string, args: readonly string[]) => Promise<number>;
  /** Waits for some milliseconds. */
  readonly wait: (time: number) => Promise<void>;
}

const PROGRAMS: Programs = {
  run,
  runAtTerminal,
  wait: (time) => new Promise((resolve) => setTimeout(resolve, time)),
};

/** Everything that an action is handed. */
interface Context {
  readonly start: Start;
  readonly machine: Machine;
  readonly platform: Platform;
  readonly place: ServicePlace;
  readonly programs: Programs;
}

/** Word → what is done. */
const ACTIONS: Readonly<Record<string, (context: Context) => Promise<number>>> = {
  install,
  status,
  logs,
  uninstall,
};

/** How long a service's program may take to end beyond `--drain-time` and `--shutdown-time`, in milliseconds. */
const STOP_MARGIN = 10_000;

/** Time between two looks at whether the bridge answers, in milliseconds, and how many there are. */
const LOOK = { pause: 500, times: 20 };

/** How long an answer may take, in milliseconds. */
const TIME = 2_000;

/** How often a manager that still stops the old service is asked again, a {@linkcode LOOK} apart. */
const TRIES = 30;

/** The lines of a log that are shown. */
const LOG_LINES = 100;

/** Variables with folders and files that the program must find as a service, too. */
const HANDED_ON = [
  "XDG_CONFIG_HOME",
  "DATABRICKS_CONFIG_FILE",
  "DATABRICKS_CLI_PATH",
  "AZURE_CONFIG_DIR",
];

/** Flags of `service` itself. */
const OWN_FLAGS: ReadonlySet<string> = new Set(["print", "yes"]);

/**
 * Installs the service, shows how it is, or takes it away.
 *
 * @param start The machine and what was typed.
 * @param programs How programs are run.
 * @returns The exit code: 1 where the service doesn't answer, or isn't there.
 * @throws {BridgeError} kind `usage` for another word; `config` where it can't be installed.
 */
export async function service(start: Start, programs: Programs = PROGRAMS): Promise<number> {
  const { system, line } = start;
  const [word] = line.words;
  const names = Object.keys(ACTIONS);
  if (word === undefined || !names.includes(word)) {
    throw new BridgeError(
      "usage",
      word === undefined
        ? `Expected \`fd-bridge service ${names.join("|")}\`.`
        : `There is no "service ${word}".${didYouMean(word, names)} Expected one of ${
          names.join(", ")
        }.`,
    );
  }
  const platform = PLATFORMS[system.os];
  if (platform === undefined || system.machine === undefined) {
    throw new BridgeError("config", `fd-bridge makes no services on ${system.os}.`);
  }
  const home = system.variable(system.os === "windows" ? "USERPROFILE" : "HOME");
  const path = platform.path({
    home,
    config: system.variable("XDG_CONFIG_HOME") || (home && `${home}/.config`),
    own: configFolder(system),
  });
  if (path === undefined) {
    throw new BridgeError("config", "HOME is not set: there is no place for a service's file.");
  }
  const uid = platform.needsUid && line.flags.print !== true
    ? (await runStep(["id", "-u"], programs)).trim()
    : "";
  const context = { start, machine: system.machine, platform, place: { path, uid }, programs };
  return await ACTIONS[word](context);
}

async function install(context: Context): Promise<number> {
  const { start, machine, platform, place, programs } = context;
  const { system, line, config } = start;
  const spec = await specOf(context);
  const text = platform.text(spec);
  if (line.flags.print === true) {
    system.err(`${place.path}:\n`);
    system.out(text);
    return 0;
  }
  checkSeen(start);
  const url = urlOf(config.host, config.port);
  if (await machine.files.realPath(place.path) === undefined && await answers(start, url)) {
    throw new BridgeError(
      "config",
      `A bridge runs at ${url} already, and the service would find its port taken: end it first, or give the service another --port.`,
    );
  }
  const cleared = await clear(platform.clear?.(place) ?? [], programs);
  await machine.files.makeFolder(spec.log.replace(/[/\\][^/\\]*$/, ""));
  await writeAtomically(place.path, text, machine.files);
  for (const step of platform.install(place)) {
    await runStep(step, programs, cleared ? TRIES : 1);
  }
  const paint = paintFor(system, "err");
  system.err(`${paint("green", "✓")} Started by ${platform.name}: ${place.path}\n`);
  const well = await waitForBridge(start, url, programs);
  system.err(
    well
      ? `${paint("green", "✓")} The bridge answers at ${url}.\n`
      : `${
        paint("yellow", "!")
      } It does not answer at ${url} yet. What it says: fd-bridge service logs\n`,
  );
  if (platform.hint) system.err(`  ${platform.hint}\n`);
  return well ? 0 : 1;
}

async function status({ start, machine, platform, place, programs }: Context): Promise<number> {
  if (await machine.files.realPath(place.path) === undefined) return notInstalled(start);
  const [program, ...args] = platform.status(place);
  return await atTerminal(program, args, programs) === 0 ? 0 : 1;
}

async function logs(context: Context): Promise<number> {
  const { start: { system }, platform, place, programs } = context;
  if (platform.logs) {
    const [program, ...args] = platform.logs(place);
    return await atTerminal(program, args, programs) === 0 ? 0 : 1;
  }
  const path = logPath(context);
  const text = await system.readText(path);
  if (text === undefined) {
    system.err(`There is no log at ${path}: the service has not run yet.\n`);
    return 1;
  }
  system.out(text.split(/(?<=\n)/).slice(-LOG_LINES).join(""));
  return 0;
}

async function uninstall({ start, machine, platform, place, programs }: Context): Promise<number> {
  if (await machine.files.realPath(place.path) === undefined) return notInstalled(start);
  await clear(platform.uninstall(place), programs);
  await machine.files.remove(place.path);
  for (const step of platform.removed?.(place) ?? []) await runStep(step, programs);
  start.system.err(`Stopped, and removed: ${place.path}\n`);
  return 0;
}

function notInstalled({ system }: Start): number {
  system.err("No service is installed. To install it: fd-bridge service install\n");
  return 1;
}

/** Where the log goes, on a system that has no log of its own. */
function logPath({ start: { system } }: Pick<Context, "start">): string {
  const home = system.variable("HOME");
  if (system.os === "darwin" && home) return `${home}/Library/Logs/${SERVICE_NAME}.log`;
  return joinPath(configFolder(system) ?? ".", `${SERVICE_NAME}.log`);
}

/** The service as the settings and the machine have it. */
async function specOf({ start, machine }: Context): Promise<ServiceSpec> {
  const { system, config } = start;
  const env: Record<string, string> = {};
  // A service has a short PATH of its own, without what `databricks` and `az` stand in.
  const names = system.os === "windows" ? HANDED_ON : ["PATH", ...HANDED_ON];
  for (const name of names) {
    const value = system.variable(name);
    if (value) env[name] = value;
  }
  const user = [system.variable("USERDOMAIN"), system.variable("USERNAME")].filter(Boolean);
  return {
    program: await programOf(start, machine),
    args: await argsOf(start, machine),
    env,
    stopSeconds: Math.ceil((config.drainTime + config.shutdownTime + STOP_MARGIN) / 1000),
    log: logPath({ start }),
    user: user.join("\\"),
  };
}

/**
 * The program's file. Of two names the one on the `PATH` is taken where it leads to the same file: a
 * package manager changes the other with every version.
 */
async function programOf({ system }: Start, machine: Machine): Promise<string> {
  const found = await findProgram(SERVICE_NAME, { ...system, machine });
  if (machine.program === undefined) {
    if (found !== undefined) return found;
    throw new BridgeError(
      "config",
      "A service runs the compiled program, and there is none on the PATH: make it with `deno task compile`, and run `dist/fd-bridge service install`.",
    );
  }
  const real = (path: string) => machine.files.realPath(path).catch(() => undefined);
  const same = found !== undefined && await real(found) === await real(machine.program);
  return same ? found : machine.program;
}

/** The flags that were typed for the bridge. */
async function argsOf({ line, rows }: Start, machine: Machine): Promise<string[]> {
  const args: string[] = [];
  for (const { flag } of rows) {
    const value = line.flags[flag.name];
    if (value === undefined || OWN_FLAGS.has(flag.name)) continue;
    if (flag.secret) {
      throw new BridgeError(
        "usage",
        `--${flag.name} is a secret, and a service's file is none: put ${flag.env}=… into the .env of the configuration folder.`,
      );
    }
    if (typeof value === "boolean") args.push(value ? `--${flag.name}` : `--no-${flag.name}`);
    else {
      for (const text of Array.isArray(value) ? value : [value]) {
        const real = flag.kind === "file" ? await machine.files.realPath(text) : text;
        args.push(`--${flag.name}`, real ?? text);
      }
    }
  }
  return args;
}

/** Whether a service sees a setting: it starts in no folder and from no shell of the user's. */
function isSeen({ origin, file }: Setting): boolean {
  return origin === "flag" || origin === "default" || (origin === "env file" && file !== "./.env");
}

/** Tells of the settings that the service doesn't see. */
function checkSeen({ system, rows }: Start): void {
  const hidden = rows.filter((row) => row.flag.env !== undefined && !isSeen(row));
  const enough = rows.some((row) =>
    ["gateway", "profile", "auth", "demo"].includes(row.flag.name) && row.text && isSeen(row)
  );
  if (enough && hidden.length === 0) return;
  const folder = configFolder(system);
  const file = folder ? joinPath(folder, ".env") : ".env of the configuration folder";
  const names = hidden.map(({ flag, file }) => `${flag.env} (${file ?? "your shell"})`).join(", ");
  const why = hidden.length > 0
    ? `A service starts in no folder of yours and from no shell, so it does not see ${names}: put what it needs into ${file}, or give it as a flag.`
    : `The gateway's address is not set: run \`fd-bridge setup\`, or put DATABRICKS_AI_GATEWAY_URL into ${file}.`;
  if (!enough) throw new BridgeError("config", why);
  system.err(wrapAtTerminal(`fd-bridge: ${why}`, system.terminal.err) + "\n");
}

/** Whether a bridge answers at an address. */
async function answers(start: Start, url: string): Promise<boolean> {
  await using outside = await openOutside(start, start.config);
  const response = await outside.fetch(`${url}/healthz`, {
    redirect: "manual",
    signal: AbortSignal.timeout(TIME),
  }).catch(() => undefined);
  await response?.body?.cancel();
  return response?.ok === true;
}

/** Waits until the bridge answers, but not for ever. */
async function waitForBridge(start: Start, url: string, { wait }: Programs): Promise<boolean> {
  for (let times = 0; times < LOOK.times; times++) {
    if (await answers(start, url)) return true;
    await wait(LOOK.pause);
  }
  return false;
}

/** Runs steps whose failure means only that nothing was there; says whether one succeeded. */
async function clear(steps: readonly Step[], programs: Programs): Promise<boolean> {
  let cleared = false;
  for (const [program, ...args] of steps) {
    const { code } = await start([program, ...args], programs);
    cleared ||= code === 0;
  }
  return cleared;
}

/** Runs a step and gives what it printed. */
async function runStep(step: Step, programs: Programs, tries = 1): Promise<string> {
  for (let left = tries;; left--) {
    const { code, stdout, stderr } = await start(step, programs);
    if (code === 0) return stdout;
    if (left > 1) await programs.wait(LOOK.pause);
    else {
      throw new BridgeError(
        "config",
        `\`${step.join(" ")}\` ended with code ${code}: ${complaint(stderr || stdout)}.`,
      );
    }
  }
}

async function start([program, ...args]: Step, { run }: Programs): ReturnType<Run> {
  try {
    return await run(program, args, { signal: new AbortController().signal, limit: 60_000 });
  } catch (cause) {
    throw cause instanceof MissingProgram ? missing(program, cause) : cause;
  }
}

async function atTerminal(
  program: string,
  args: readonly string[],
  { runAtTerminal }: Programs,
): Promise<number> {
  try {
    return await runAtTerminal(program, args);
  } catch (cause) {
    throw cause instanceof MissingProgram ? missing(program, cause) : cause;
  }
}

function missing(program: string, cause: unknown): BridgeError {
  return new BridgeError(
    "config",
    `There is no ${program} on the PATH, which this system's services need. \`fd-bridge service install --print\` shows the file, for another manager.`,
    { cause },
  );
}
