import { assert, assertEquals } from "@std/assert";
import { currentStdSource, stdFlags } from "../scripts/std_source.ts";

/** What `deno info --json` says of a module. */
interface Module {
  readonly specifier: string;
  readonly dependencies?: readonly { readonly code?: { readonly specifier?: string } }[];
}

const ROOT = new URL("../", import.meta.url);

/** File → the files that it imports at run time; imports of types alone don't count. */
async function imports(): Promise<Map<string, string[]>> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", ...stdFlags(currentStdSource()), "main.ts"],
    cwd: ROOT,
    stdin: "null",
    stderr: "null",
  }).output();
  const { modules }: { modules: readonly Module[] } = JSON.parse(new TextDecoder().decode(stdout));
  const own = (url?: string) => url?.startsWith(ROOT.href) ? [url.slice(ROOT.href.length)] : [];
  return new Map(
    modules.flatMap(({ specifier, dependencies = [] }) =>
      own(specifier).map((file): [string, string[]] => [
        file,
        dependencies.flatMap(({ code }) => own(code?.specifier)),
      ])
    ),
  );
}

/** The first circle, as its files; undefined where there is none. */
function findCircle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, above: readonly string[]): string[] | undefined => {
    if (above.includes(file)) return [...above.slice(above.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const other of graph.get(file) ?? []) {
      const circle = visit(other, [...above, file]);
      if (circle) return circle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const circle = visit(file, []);
    if (circle) return circle;
  }
  return undefined;
}

Deno.test("the program's files import each other in no circle", async () => {
  const graph = await imports();
  assert(graph.size > 100, `${graph.size} files`);
  assertEquals(findCircle(graph), undefined);
});

Deno.test("findCircle() finds a circle that doesn't begin with the first file", () => {
  const graph = new Map([["a", ["b"]], ["b", ["c", "d"]], ["c", []], ["d", ["b"]]]);
  assertEquals(findCircle(graph), ["b", "d", "b"]);
});
