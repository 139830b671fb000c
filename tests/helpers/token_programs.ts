/**
 * Scripted `databricks` and `az` in a folder of their own, to be put on the PATH.
 *
 * @module
 */

const FIXTURES = new URL("../fixtures/tokens/", import.meta.url);

/** A folder with both programs. */
export interface TokenPrograms extends AsyncDisposable {
  /** The folder. */
  readonly folder: string;
  /** A PATH that begins with it. */
  readonly path: string;
  /** Tells both what to do. */
  readonly play: (mode: string) => Promise<void>;
  /** What they were asked, one text a run. */
  readonly calls: () => Promise<string[]>;
  /** How many runs began while another one was running. */
  readonly overlaps: () => Promise<number>;
}

/**
 * Makes a folder with the programs.
 *
 * @param mode What they do: a case of the scripts.
 */
export async function tokenPrograms(mode: string): Promise<TokenPrograms> {
  const folder = await Deno.makeTempDir({ prefix: "fd-bridge-" });
  for (const name of ["databricks", "az"]) {
    await Deno.copyFile(new URL(name, FIXTURES), `${folder}/${name}`);
    await Deno.chmod(`${folder}/${name}`, 0o755);
  }
  const play = (mode: string) => Deno.writeTextFile(`${folder}/mode`, mode);
  const lines = async (name: string) =>
    (await Deno.readTextFile(`${folder}/${name}`).catch(() => "")).split("\n").filter(Boolean);
  await play(mode);
  return {
    folder,
    path: `${folder}:${Deno.env.get("PATH")}`,
    play,
    calls: () => lines("calls"),
    overlaps: async () => (await lines("overlaps")).length,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}
