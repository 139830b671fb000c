/**
 * What a process has used so far, as the system tells it.
 *
 * @module
 */

/** A process's use of the machine. */
export interface Usage {
  /** CPU time of all its threads, ended ones too, in seconds, to a hundredth; undefined where the system doesn't tell. */
  readonly cpu: number | undefined;
  /** Memory that it holds (RSS), in MiB; undefined where the system doesn't tell. */
  readonly memory: number | undefined;
}

/** Ticks a second in /proc; the same on every Linux that Deno runs on. */
const TICKS = 100;

const decoder = new TextDecoder();

/** The output of a command, or undefined where it fails. */
async function output(program: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(program, {
      args,
      stdin: "null",
      stderr: "null",
    }).output();
    return success ? decoder.decode(stdout) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The usage in the text of `/proc/<pid>/stat` and `/proc/<pid>/status`, one behind the other.
 *
 * @example
 * ```ts
 * import { parseProc } from "./usage.ts";
 *
 * const stat = `7 (a (b) c) S ${"0 ".repeat(10)}150 50 0 0`;
 * const { cpu, memory } = parseProc(`${stat}\nVmRSS:\t 2048 kB\n`);
 * if (cpu !== 2 || memory !== 2) throw new Error("2 s and 2 MiB");
 * ```
 */
export function parseProc(text: string): Usage {
  // A program's name may hold spaces and parentheses: the fields count from the last one.
  const stat = text.slice(0, text.indexOf("\n"));
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const cpu = (Number(fields[11]) + Number(fields[12])) / TICKS;
  const memory = Number(/^VmRSS:\s*(\d+) kB/m.exec(text)?.[1]) / 1024;
  return {
    cpu: Number.isFinite(cpu) ? cpu : undefined,
    memory: Number.isFinite(memory) ? memory : undefined,
  };
}

/**
 * What a process has used so far: on Linux CPU and memory, on macOS memory, elsewhere nothing.
 *
 * @param pid Its id.
 *
 * @example
 * ```ts
 * import { usageOf } from "./usage.ts";
 *
 * const { memory } = await usageOf(Deno.pid);
 * if (Deno.build.os === "linux" && !(memory! > 1)) throw new Error("Deno holds more than that");
 * ```
 */
export async function usageOf(pid: number): Promise<Usage> {
  if (Deno.build.os === "linux") {
    // Deno itself reads /proc only with all permissions.
    return parseProc(await output("cat", `/proc/${pid}/stat`, `/proc/${pid}/status`) ?? "\n");
  }
  const kib = Deno.build.os === "darwin" ? await output("ps", "-o", "rss=", "-p", `${pid}`) : "";
  const memory = Number.parseInt(kib ?? "", 10) / 1024;
  return { cpu: undefined, memory: Number.isFinite(memory) ? memory : undefined };
}

/** The machine on which was measured. */
export interface Machine {
  /** The processor's name. */
  readonly cpu: string;
  /** How many processors there are. */
  readonly cpus: number;
  /** In MiB. */
  readonly memory: number;
  /** System and version. */
  readonly system: string;
}

/**
 * The machine that this runs on.
 *
 * @example
 * ```ts
 * import { machine } from "./usage.ts";
 *
 * if ((await machine()).cpus < 1) throw new Error("at least one");
 * ```
 */
export async function machine(): Promise<Machine> {
  const linux = await output("sh", "-c", "grep -m1 'model name' /proc/cpuinfo");
  const mac = linux ? undefined : await output("sysctl", "-n", "machdep.cpu.brand_string");
  return {
    cpu: (linux?.slice(linux.indexOf(":") + 1) ?? mac ?? "unknown").trim(),
    cpus: navigator.hardwareConcurrency,
    memory: Math.round(Deno.systemMemoryInfo().total / 2 ** 20),
    system: `${Deno.build.os} ${Deno.osRelease()} ${Deno.build.arch}`,
  };
}
