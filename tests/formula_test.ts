import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { TARGETS } from "../scripts/compile/targets.ts";
import { formula } from "../scripts/formula.ts";

const sumOf = (at: number) => at.toString(16).repeat(64);
const SUMS = TARGETS.map(({ archive }, at) => `${sumOf(at)}  ${archive}\n`).join("");
const TEXT = formula({ version: "1.2.3", sums: SUMS });

/** Whether Ruby is on this machine; says so where it isn't. */
function rubyIsThere(): boolean {
  try {
    return new Deno.Command("ruby", { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    console.warn("tests/formula_test.ts: without ruby the formula's syntax is not checked.");
    return false;
  }
}
const ignore = !rubyIsThere();

async function ruby(args: string[], input: string) {
  const child = new Deno.Command("ruby", {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { success, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

Deno.test("formula() gives each system and processor its address and checksum", () => {
  TARGETS.forEach(({ brew, archive }, at) => {
    const pair =
      `url "https://github.com/fd-bridge/fd-bridge/releases/download/v1.2.3/${archive}"\n` +
      `      sha256 "${sumOf(at)}"`;
    assertEquals(TEXT.includes(pair), brew !== undefined, archive);
  });
});

Deno.test("formula() refuses a release that lacks an archive", () => {
  const sums = SUMS.split("\n").slice(1).join("\n");
  assertThrows(() => formula({ version: "1.2.3", sums }), TypeError, TARGETS[0].archive);
});

Deno.test("formula() has a description as brew wants it", () => {
  const [, description] = /^ {2}desc "(.*)"$/m.exec(TEXT) ?? [];
  assert(description.length <= 80 && !/^(an?|the) |\.$|fd-bridge/i.test(description), description);
});

Deno.test({
  name: "formula() is Ruby",
  ignore,
  async fn() {
    const { success, out, err } = await ruby(["-wc"], TEXT);
    assert(success, err);
    assertEquals([out.trim(), err.trim()], ["Syntax OK", ""]);
    assert(!(await ruby(["-wc"], TEXT.replace(/^end$/m, ""))).success, "a lost end is found");
  },
});

/** Brew's words, as far as the formula uses them: they print what they are told. */
const BREW = `
class Formula
  def self.method_missing(name, *args, **options, &block)
    puts "#{name} #{args.join(' ')}".strip
    instance_eval(&block) if block && %i[on_macos on_linux on_arm on_intel].include?(name)
  end
  def self.respond_to_missing?(*) = true
  def self.test = puts("test")
end
`;

Deno.test({
  name: "formula() says to brew what it is meant to say",
  ignore,
  async fn() {
    const { success, out, err } = await ruby(
      ["-"],
      `${BREW}\n${TEXT}\nputs FdBridge.instance_methods(false).sort.join(" ")\n`,
    );
    assert(success, err);
    const lines = out.trim().split("\n");
    for (
      const line of ["version 1.2.3", "license MIT", "on_macos", "on_linux", "service", "test"]
    ) {
      assert(lines.includes(line), out);
    }
    assertEquals(lines.filter((line) => line.startsWith("sha256")).length, 4);
    assertEquals(lines.at(-1), "caveats install");
    assertStringIncludes(
      TEXT,
      'generate_completions_from_executable(bin/"fd-bridge", "completions")',
    );
  },
});
