/**
 * The benchmark: the bridge beside a raw Deno pass-through and a plain Python bridge, in turn, in one
 * run, against a gateway on loopback. `deno task bench --help` says what can be chosen.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { bundleBridge, candidates, findPython } from "./candidates.ts";
import { type CaseName, CASES } from "./cases.ts";
import { type BenchOptions, measure } from "./measure.ts";
import { circumstances, goalsTable, troubles, valuesTable } from "./report.ts";
import { busyShare } from "./usage.ts";

const ALL_CASES = Object.keys(CASES) as CaseName[];

const HELP = `Measures the bridge beside a raw Deno pass-through and a plain Python bridge.

  --quick           One short round: shows that it works, not how fast it is
  --rounds N        Rounds; what is shown is the median of them [5]
  --seconds S       How long a case without an end of its own goes on [1.5]
  --cases A,B       Only these: ${ALL_CASES.join(", ")}
  --candidates A,B  Only these: direct, passthrough, parts, python, bridge, source, binary
  --seed N          For the order of the candidates
  --no-pin          Leave it to the system which processor does what
  --json FILE       Keep the raw numbers

FD_BRIDGE_BIN names a compiled bridge to measure as well.
`;

/** The share of the machine that others may use before a run is warned of. */
const BUSY = 0.1;

/** The names in a list, each of which must be known. */
function names<T extends string>(text: string | undefined, known: readonly T[]): readonly T[] {
  if (text === undefined) return known;
  const list = text.split(",") as T[];
  const unknown = list.find((name) => !known.includes(name));
  if (unknown === undefined) return list;
  throw new TypeError(`There is no "${unknown}"; there are: ${known.join(", ")}.`);
}

/** A number on the command line. */
function positive(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (value > 0 && value <= 1e10) return value;
  throw new TypeError(`--${name} is "${text}": expected a number above 0.`);
}

/**
 * Reads the command line, and looks at what this machine has.
 *
 * @param args As typed.
 * @param bundle The bridge in one file, where there is one.
 * @throws {TypeError} When something typed can't be understood.
 */
export async function readOptions(
  args: readonly string[],
  bundle?: string,
): Promise<BenchOptions & { json: string | undefined }> {
  const flags = parseArgs([...args], {
    string: ["rounds", "seconds", "cases", "candidates", "seed", "json"],
    boolean: ["quick", "pin", "help"],
    negatable: ["pin"],
    default: { pin: true },
    unknown: (arg: string) => {
      throw new TypeError(`There is no flag ${arg}; see --help.`);
    },
  });
  const { quick, json } = flags;
  const python = await findPython();
  const binary = Deno.env.get("FD_BRIDGE_BIN") || undefined;
  const all = candidates({ python: python?.program, bundle, binary });
  // The source is measured where it is asked for.
  const chosen = names(flags.candidates, all.map(({ name }) => name))
    .filter((name) => flags.candidates !== undefined || name !== "source");
  return {
    rounds: Math.ceil(positive("rounds", flags.rounds, quick ? 1 : 5)),
    seconds: positive("seconds", flags.seconds, quick ? 0.5 : 1.5),
    share: quick ? 0.3 : 1,
    settle: quick ? 200 : 1000,
    cases: names(flags.cases, ALL_CASES),
    candidates: all.filter(({ name }) => chosen.includes(name)),
    pin: flags.pin,
    seed: Math.floor(positive("seed", flags.seed, 1 + Math.random() * 2 ** 31)),
    // The file's name is the user's own.
    command: ["deno task bench", ...args].join(" ").replace(/ --json[= ]\S+/, ""),
    missing: [
      ...(bundle ? [] : ["the bundle, so that the bridge runs from its source"]),
      ...(python ? [] : ["threaded Python, because there is no python3"]),
      ...(Deno.build.os === "linux" ? [] : ["CPU, because only Linux tells it"]),
    ],
    versions: python ? { Python: python.version } : {},
    tell: (line) => console.error(line),
    json,
  };
}

async function main(args: readonly string[], folder: string): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(HELP);
    return 0;
  }
  const busy = await busyShare();
  if (busy > BUSY) {
    console.error(
      `Other programs use ${Math.round(busy * 100)} % of this machine: the numbers will be off.`,
    );
  }
  const bundle = await bundleBridge(folder);
  const options = await readOptions(args, bundle).catch((error) => {
    if (!(error instanceof TypeError)) throw error;
    console.error(error.message);
  });
  if (!options) return 2;
  console.error(`seed ${options.seed}`);
  const results = await measure(options);
  if (options.json) {
    await Deno.writeTextFile(options.json, JSON.stringify(results, null, 1) + "\n");
  }
  console.log([circumstances(results), valuesTable(results), goalsTable(results)].join("\n\n"));
  if (results.candidates.some(({ name }) => name === "binary")) {
    console.log(`\nCompiled:\n\n${goalsTable(results, "binary")}`);
  }
  const wrong = troubles(results);
  console.log(`\nBad answers: ${wrong.length === 0 ? "none" : `\n- ${wrong.join("\n- ")}`}`);
  return wrong.length === 0 ? 0 : 1;
}

if (import.meta.main) {
  const folder = await Deno.makeTempDir({ prefix: "fd-bridge-bench-" });
  const code = await main(Deno.args, folder).finally(() =>
    Deno.remove(folder, { recursive: true })
  );
  Deno.exit(code);
}
