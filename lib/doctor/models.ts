/**
 * Which models the doctor asks, and asking them several at a time.
 *
 * @module
 */

import { bareName, familyOf } from "../models/families.ts";
import { type Catalog, suggestModel } from "../models/catalog.ts";
import type { Start } from "../system/system.ts";
import type { Terminal } from "../system/terminal.ts";
import { type ModelCheck, probe, type ProbeOptions } from "./probe.ts";
import type { Report } from "./report.ts";

/** How many models are asked at a time: more would meet the gateway's limits on requests. */
const AT_A_TIME = 4;

/**
 * The models that are asked: those that were named, else all. At a terminal a person is asked first,
 * because requests are paid, and may prefer one of each family.
 *
 * @param start What was typed.
 * @param catalog The list in force.
 * @param terminal Who is asked.
 * @param demo Whether nothing is paid.
 * @returns Names; none where none is to be asked.
 */
export async function chooseModels(
  { system, line }: Start,
  { models }: Catalog,
  terminal: Terminal,
  demo: boolean,
): Promise<string[]> {
  if (line.words.length > 0) return [...new Set(line.words)];
  const all = models.filter(({ gone }) => gone !== true).map(({ id }) => id);
  const firsts = firstOfEachFamily(all);
  if (line.flags.quick === true) return firsts;
  if (demo || line.flags.yes === true) return all;
  const paid = `a tiny request, which is paid, to each of ${all.length} models`;
  if (!terminal.interactive) {
    system.err(`Sending ${paid}. --quick asks one of each family, names ask just those.\n`);
    return all;
  }
  if (all.length <= 1) return all;
  const answer = await terminal.ask(
    `Send ${paid}?\n  [a]ll, the [f]irst of each family (${firsts.length}), [n]one [a/F/n]`,
  );
  return /^a/i.test(answer ?? "n") ? all : /^(f.*)?$/i.test(answer ?? "n") ? firsts : [];
}

/** A family is what the bridge treats alike; open-weight models are told apart by their own first word. */
function firstOfEachFamily(ids: readonly string[]): string[] {
  const firsts = new Map<string, string>();
  for (const id of ids) {
    const family = familyOf(id);
    const key = family === "open" ? bareName(id).split("-")[0] : family;
    if (!firsts.has(key)) firsts.set(key, id);
  }
  return [...firsts.values()];
}

/**
 * Asks models, several at a time; their lines stand in the given order all the same.
 *
 * @param models Names, at least one.
 * @param report Takes what is found.
 * @param terminal Shows how far it is.
 * @param options How to ask.
 */
export async function askModels(
  models: readonly string[],
  report: Report,
  terminal: Terminal,
  options: ProbeOptions,
): Promise<void> {
  const width = Math.max(...models.map((id) => id.length));
  const known = new Set(options.catalog.models.map(({ id }) => id));
  const found: (ModelCheck | undefined)[] = [];
  const spinner = terminal.spin(`Asking ${models.length} models`);
  let next = 0;
  let done = 0;
  let shown = 0;
  const work = async () => {
    while (next < models.length) {
      const at = next++;
      const check = await probe(models[at], options);
      found[at] = known.has(check.name) ? check : {
        ...check,
        detail: `${check.detail} (not in the list)${suggestModel(options.catalog, check.name)}`,
      };
      done++;
      spinner.pause(() => {
        for (let ready = found[shown]; ready !== undefined; ready = found[++shown]) {
          report.add("Models", ready, width);
        }
      });
      spinner.update(`Asking models: ${done}/${models.length}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(AT_A_TIME, models.length) }, work));
  } finally {
    spinner.stop();
  }
}
