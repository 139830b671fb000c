/**
 * The list of models while the bridge runs: a changed `models.json` takes effect without a restart, and
 * a broken one is told of once while the old list stays.
 *
 * It looks at the files instead of being told by the system: what editors do to a file (rename, delete,
 * write in pieces), files that come later or go, and folders on other machines are then all the same.
 *
 * @module
 */

import type { FoundModels, ReadText } from "../config/locate.ts";
import type { Catalog } from "./catalog.ts";

/** What a {@linkcode LiveModels} is handed. */
export interface LiveModelsOptions {
  /** Finds the list, reading by the given way. */
  readonly find: (read: ReadText) => Promise<FoundModels>;
  /** Reads a file. */
  readonly read: ReadText;
  /** Told of a list that has taken effect. */
  readonly onLoaded: (found: FoundModels) => void;
  /** Told of a list that can't be used, once for each state of its files. */
  readonly onBroken: (message: string) => void;
}

/** A file that could not be read is a state of its own. */
const UNREADABLE = Symbol("unreadable");

/** Path → text; undefined where there is no file. */
type Texts = ReadonlyMap<string, string | undefined | typeof UNREADABLE>;

/**
 * The list in force.
 *
 * @example
 * ```ts
 * import { findModels } from "../config/locate.ts";
 * import { LiveModels } from "./watch.ts";
 *
 * let text = '{"models": ["a"]}';
 * const place = { os: "linux", variable: () => undefined };
 * const models = await LiveModels.load({
 *   find: (read) => findModels(undefined, place, read, '{"models": []}'),
 *   read: (path) => Promise.resolve(path === "./models.json" ? text : undefined),
 *   onLoaded() {},
 *   onBroken() {},
 * });
 * text = '{"models": ["b"]}';
 * await models.look();
 * await models.look();
 * if (models.catalog.models[0].id !== "b") throw new Error("it took effect");
 * ```
 */
export class LiveModels {
  readonly #options: LiveModelsOptions;
  #found: FoundModels;
  /** The files as they were when the list was last loaded, or found broken. */
  #loaded: Texts;
  /** The files as they were at the last look. */
  #seen: Texts;
  #looking = false;
  /** When it was looked last, on the clock of `performance.now()`. */
  #looked = performance.now();

  private constructor(options: LiveModelsOptions, found: FoundModels, texts: Texts) {
    this.#options = options;
    this.#found = found;
    this.#loaded = this.#seen = texts;
  }

  /**
   * Finds the list for the first time.
   *
   * @throws {BridgeError} kind `config`, where it can't be used: then there is no old one to stay with.
   */
  static async load(options: LiveModelsOptions): Promise<LiveModels> {
    const { texts, outcome } = await gather(options);
    if (outcome instanceof Error) throw outcome;
    return new LiveModels(options, outcome, texts);
  }

  /** The list in force. */
  get catalog(): Catalog {
    return this.#found.catalog;
  }

  /** The list in force, with its file. */
  get found(): FoundModels {
    return this.#found;
  }

  /**
   * Looks at the files. What has changed takes effect once two looks have seen the same, so that a file
   * that is being written, or is away for a moment while an editor replaces it, is not believed.
   */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    this.#looked = performance.now();
    try {
      const now = await readAgain(this.#seen, this.#options.read);
      const settled = isSame(now, this.#seen);
      this.#seen = now;
      if (!settled || isSame(now, this.#loaded)) return;
      const { texts, outcome } = await gather(this.#options);
      this.#loaded = this.#seen = texts;
      if (outcome instanceof Error) return this.#options.onBroken(outcome.message);
      if (outcome.foreign !== undefined && outcome.foreign === this.#found.path) {
        // It was ours a moment ago: somebody is editing it.
        return this.#options.onBroken(`${outcome.foreign}: expected a list "models" of names.`);
      }
      this.#found = outcome;
      this.#options.onLoaded(outcome);
    } finally {
      this.#looking = false;
    }
  }

  /**
   * Looks, where the last look was some time ago, and at once believes what it sees: for whoever asks
   * now and then, while nothing watches.
   *
   * @param age How old the last look may be, in milliseconds.
   */
  async refresh(age: number): Promise<void> {
    if (performance.now() - this.#looked < age) return;
    await this.look();
    await this.look();
  }

  /**
   * Looks again and again.
   *
   * @param interval Time between two looks, in milliseconds.
   * @returns Ends it.
   */
  watch(interval: number): () => void {
    const timer = setInterval(() => this.look(), interval);
    return () => clearInterval(timer);
  }
}

/** Finds the list and remembers every file that was looked at on the way: each of them may change it. */
async function gather(
  { find, read }: LiveModelsOptions,
): Promise<{ texts: Texts; outcome: FoundModels | Error }> {
  const texts = new Map<string, string | undefined | typeof UNREADABLE>();
  try {
    const outcome = await find(async (path) => {
      texts.set(path, UNREADABLE);
      const text = await read(path);
      texts.set(path, text);
      return text;
    });
    return { texts, outcome };
  } catch (cause) {
    return { texts, outcome: cause instanceof Error ? cause : new Error(String(cause)) };
  }
}

async function readAgain(texts: Texts, read: ReadText): Promise<Texts> {
  const now = new Map<string, string | undefined | typeof UNREADABLE>();
  for (const path of texts.keys()) now.set(path, await read(path).catch(() => UNREADABLE));
  return now;
}

function isSame(one: Texts, other: Texts): boolean {
  return one.size === other.size && [...one].every(([path, text]) => other.get(path) === text);
}
