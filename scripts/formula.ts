/**
 * The formula of the Homebrew tap: `deno task formula` prints it for the release in `dist`.
 *
 * `brew install fd-bridge/tap/fd-bridge` installs the binary of the release, whatever is on the machine.
 *
 * @module
 */
import { TARGETS } from "./compile/targets.ts";
import { DESCRIPTION, HOMEPAGE, PROGRAM, releaseUrl, ROOT } from "./project.ts";
import { parseChecksums } from "./release/checksums.ts";

/** What a formula is written from. */
export interface FormulaOptions {
  /** The version, without a "v". */
  readonly version: string;
  /** The text of `SHA256SUMS`. */
  readonly sums: string;
  /** The address of the release's folder. @default {releaseUrl(version)} */
  readonly url?: string;
}

/** The name of the formula's class: brew makes it of the file's name. */
const CLASS = PROGRAM.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());

/** The part of one system: an address and a checksum for each processor. */
function system(
  name: "macos" | "linux",
  url: string,
  sums: ReadonlyMap<string, string>,
): string[] {
  return [
    `  on_${name} do`,
    ...TARGETS.flatMap(({ brew, archive }) => {
      if (brew?.system !== name) return [];
      const sum = sums.get(archive);
      if (sum === undefined) throw new TypeError(`SHA256SUMS has no ${archive}.`);
      return [
        `    on_${brew.processor} do`,
        `      url "${url}/${archive}"`,
        `      sha256 "${sum}"`,
        "    end",
      ];
    }),
    "  end",
  ];
}

/**
 * Writes the formula.
 *
 * @example Usage
 * ```ts
 * import { TARGETS } from "./compile/targets.ts";
 * import { formula } from "./formula.ts";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const sums = TARGETS.map(({ archive }) => `${"0".repeat(64)}  ${archive}\n`).join("");
 * assertStringIncludes(formula({ version: "1.2.3", sums }), "class FdBridge < Formula");
 * ```
 *
 * @param options Version and checksums.
 * @returns Ruby, with a newline at its end.
 * @throws {TypeError} If the checksum of an archive is missing.
 */
export function formula({ version, sums, url = releaseUrl(version) }: FormulaOptions): string {
  const known = parseChecksums(sums);
  return [
    `# Written by scripts/formula.ts of ${HOMEPAGE}; changes belong there.`,
    `class ${CLASS} < Formula`,
    `  desc "${DESCRIPTION}"`,
    `  homepage "${HOMEPAGE}"`,
    `  version "${version}"`,
    '  license "MIT"',
    "",
    ...system("macos", url, known),
    "",
    ...system("linux", url, known),
    "",
    "  def install",
    `    bin.install "${PROGRAM}"`,
    '    pkgshare.install ".env.example"',
    `    generate_completions_from_executable(bin/"${PROGRAM}", "completions")`,
    "  end",
    "",
    "  def caveats",
    "    <<~EOS",
    "      Try it without an account:",
    `        ${PROGRAM} --demo`,
    "      A service reads its settings from .env in the configuration folder, which this names:",
    `        ${PROGRAM} config`,
    "      An example of that file:",
    "        #{opt_pkgshare}/.env.example",
    "    EOS",
    "  end",
    "",
    "  service do",
    `    run [opt_bin/"${PROGRAM}"]`,
    "    keep_alive crashed: true",
    `    log_path var/"log/${PROGRAM}.log"`,
    `    error_log_path var/"log/${PROGRAM}.log"`,
    "  end",
    "",
    "  test do",
    `    assert_match version.to_s, shell_output("#{bin}/${PROGRAM} --version")`,
    "    port = free_port",
    `    pid = spawn bin/"${PROGRAM}", "--demo", "--port", port.to_s`,
    "    begin",
    '      url = "http://127.0.0.1:#{port}"',
    '      curl = "curl --silent --retry 20 --retry-delay 1 --retry-connrefused"',
    '      assert_match "databricks-", shell_output("#{curl} #{url}/models")',
    "    ensure",
    '      Process.kill "TERM", pid',
    "      Process.wait pid",
    "    end",
    "  end",
    "end",
    "",
  ].join("\n");
}

if (import.meta.main) {
  const [folder = `${ROOT}dist`] = Deno.args;
  try {
    const { version } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
    const sums = await Deno.readTextFile(`${folder}/SHA256SUMS`);
    await Deno.stdout.write(new TextEncoder().encode(formula({ version, sums })));
  } catch (error) {
    if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    console.error(`formula: ${error.message}`);
    Deno.exit(1);
  }
}
