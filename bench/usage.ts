/**
 * What processes and the machine use, as the system tells it.
 *
 * @module
 */

/** A process's use of the machine; what the system doesn't tell is undefined. */
export interface Usage {
  /** CPU time of all its threads, ended ones too, in seconds, to a hundredth. */
  readonly cpu: number | undefined;
  /** Memory that it holds (RSS), in MiB. */
  readonly memory: number | undefined;
}

/** The machine on which was measured. */
export interface Machine {
  /** The processor's name. */
  readonly cpu: string;
  /** Number of processors. */
  readonly cpus: number;
  /** In MiB. */
  readonly memory: number;
  /** System and version. */
  readonly system: string;
}

/** Ticks a second in /proc; the same on every Linux that Deno runs on. */
const TICKS = 100;

const finite = (value: number) => Number.isFinite(value) ? value : undefined;

/** The standard output of a command; undefined where it fails. */
export async function output(program: string, ...args: string[]): Promise<string | undefined> {
  try {
    const command = new Deno.Command(program, { args, stdin: "null", stderr: "null" });
    const { success, stdout } = await command.output();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch {
    return undefined;
  }
}

/** The usage in the text of `/proc/<pid>/stat` and `/proc/<pid>/status`, one behind the other. */
export function parseProc(text: string): Usage {
  // A program's name may hold spaces and parentheses: the fields count from the last one.
  const stat = text.slice(0, text.indexOf("\n"));
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return {
    cpu: finite((Number(fields[11]) + Number(fields[12])) / TICKS),
    memory: finite(Number(/^VmRSS:\s*(\d+) kB/m.exec(text)?.[1]) / 1024),
  };
}

/** What a process has used so far: on Linux CPU and memory, on macOS memory, elsewhere nothing. */
export async function usageOf(pid: number): Promise<Usage> {
  if (Deno.build.os === "linux") {
    // Deno itself reads /proc only with all permissions.
    return parseProc(await output("cat", `/proc/${pid}/stat`, `/proc/${pid}/status`) ?? "\n");
  }
  const kib = Deno.build.os === "darwin" ? await output("ps", "-o", "rss=", "-p", `${pid}`) : "";
  return { cpu: undefined, memory: finite(Number.parseInt(kib ?? "", 10) / 1024) };
}

/** The machine that this runs on. */
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

/** The busy share, 0 to 1, between two texts of `/proc/stat`; its fields are user, nice, system, idle, iowait… */
export function busyBetween(before: string, after: string): number {
  const ticks = (text: string) => text.split("\n")[0].trim().split(/\s+/).slice(1, 9).map(Number);
  const [from, to] = [ticks(before), ticks(after)];
  const spent = to.map((value, at) => value - from[at]);
  const total = spent.reduce((sum, value) => sum + value, 0);
  return total > 0 ? 1 - (spent[3] + spent[4]) / total : 0;
}

/** The share of the machine that other programs use now, 0 to 1: on Linux over half a second, elsewhere by the load. */
export async function busyShare(): Promise<number> {
  const before = Deno.build.os === "linux" ? await output("cat", "/proc/stat") : undefined;
  if (before === undefined) return Deno.loadavg()[0] / navigator.hardwareConcurrency;
  await new Promise((resolve) => setTimeout(resolve, 500));
  return busyBetween(before, await output("cat", "/proc/stat") ?? before);
}
