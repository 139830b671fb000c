/**
 * Signing, as far as it can be tried without the certificates of a developer.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";

const SCRIPT = new URL("../scripts/sign.sh", import.meta.url).pathname;
const windows = Deno.build.os === "windows";

async function sign(target: string, file: string, env: Record<string, string> = {}) {
  const { code, stderr } = await new Deno.Command("sh", {
    args: [SCRIPT, target, file],
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH")!, ...env },
    stdout: "null",
    stderr: "piped",
  }).output();
  return { code, said: new TextDecoder().decode(stderr) };
}

/** Whether a program is on this machine. */
function has(program: string): boolean {
  try {
    new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync();
    return true;
  } catch {
    return false;
  }
}

Deno.test({
  name: "sign.sh leaves a program alone without a certificate, and says so",
  ignore: windows,
  async fn() {
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, "the program");
    for (
      const [target, said] of [
        ["aarch64-apple-darwin", "APPLE_CERTIFICATE is not set; not signed"],
        ["x86_64-pc-windows-msvc", "WINDOWS_CERTIFICATE is not set; not signed"],
        ["x86_64-unknown-linux-gnu", ""],
      ]
    ) {
      const result = await sign(target, file);
      assertEquals(result.code, 0, result.said);
      assertStringIncludes(result.said, said);
    }
    assertEquals(await Deno.readTextFile(file), "the program");
    const half = await sign("aarch64-apple-darwin", file, { APPLE_CERTIFICATE: "eA==" });
    assert(half.code !== 0);
    assertStringIncludes(half.said, "Apple notarizes nothing without it");
    await Deno.remove(file);
  },
});

const tools = has("osslsigncode") && has("openssl");
Deno.test({
  name: `sign.sh signs a program for Windows${tools ? "" : " (ignored: no osslsigncode)"}`,
  ignore: windows || !tools,
  async fn() {
    const folder = await Deno.makeTempDir();
    const run = async (program: string, ...args: string[]) => {
      const { success, stdout, stderr } = await new Deno.Command(program, { args, cwd: folder })
        .output();
      const text = new TextDecoder();
      return { success, said: text.decode(stdout) + text.decode(stderr) };
    };
    const subject = ["-subj", "/CN=fd-bridge trial", "-days", "2"];
    const made = await run(
      "openssl",
      ...[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
      ],
      ...[...subject, "-addext", "extendedKeyUsage=codeSigning"],
    );
    assert(made.success, made.said);
    const packed = await run(
      "openssl",
      ...["pkcs12", "-export", "-inkey", "key.pem", "-in", "cert.pem", "-out", "c.p12"],
      ...["-passout", "pass:trial", "-certpbe", "AES-256-CBC", "-keypbe", "AES-256-CBC"],
    );
    assert(packed.success, packed.said);
    await Deno.writeFile(`${folder}/program.exe`, smallestProgram());
    const certificate = (await Deno.readFile(`${folder}/c.p12`)).toBase64();
    const { code, said } = await sign("x86_64-pc-windows-msvc", `${folder}/program.exe`, {
      WINDOWS_CERTIFICATE: certificate,
      WINDOWS_CERTIFICATE_PASSWORD: "trial",
    });
    assertEquals(code, 0, said);
    const verified = await run("osslsigncode", "verify", "-CAfile", "cert.pem", "program.exe");
    assertStringIncludes(verified.said, "fd-bridge trial");
    await Deno.remove(folder, { recursive: true });
  },
});

/** A file that has the headers of a Windows program and nothing in it. */
function smallestProgram(): Uint8Array {
  const bytes = new Uint8Array(1024);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("MZ"));
  view.setUint32(0x3c, 0x80, true);
  bytes.set(new TextEncoder().encode("PE\0\0"), 0x80);
  view.setUint16(0x84, 0x8664, true);
  // The optional header's size and its magic number for 64 bits, file alignment, and 16 directories.
  view.setUint16(0x94, 240, true);
  view.setUint16(0x98, 0x20b, true);
  view.setUint32(0x98 + 32, 4096, true);
  view.setUint32(0x98 + 36, 512, true);
  view.setUint32(0x98 + 56, 4096, true);
  view.setUint32(0x98 + 60, 512, true);
  view.setUint32(0x98 + 108, 16, true);
  return bytes;
}
