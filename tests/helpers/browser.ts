/**
 * Debian's Chromium, headless, for the page's tests. It has no network but loopback.
 *
 * @module
 */

import { type Browser, chromium } from "playwright-core";

/** Where Chromium may be; `CHROMIUM` in the environment names another place. */
const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(({ isFile }) => isFile, () => false);
}

async function findChromium(): Promise<string | undefined> {
  const named = Deno.env.get("CHROMIUM");
  for (const path of named ? [named] : PLACES) if (await isThere(path)) return path;
  return undefined;
}

/** Installs Debian's Chromium, where there is `apt-get` and the right to use it. */
async function install(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") {
    return "there is no Chromium, and only on Debian it can be installed";
  }
  const run = async (...args: string[]) => {
    const command = new Deno.Command("apt-get", {
      args,
      env: { DEBIAN_FRONTEND: "noninteractive" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    });
    const { success, stderr } = await command.output();
    if (success) return undefined;
    return new TextDecoder().decode(stderr).trim().split("\n").at(-1);
  };
  try {
    await run("update", "-q");
    const packages = ["chromium", "fonts-dejavu-core"];
    const failure = await run("install", "-qy", "--no-install-recommends", ...packages);
    return failure && `Chromium can't be installed: ${failure}`;
  } catch (error) {
    return `there is no Chromium, and no apt-get: ${
      error instanceof Error ? error.message : error
    }`;
  }
}

/**
 * Starts Chromium, and installs it first where it isn't there.
 *
 * @returns The browser; or, as text, why there is none.
 */
export async function startBrowser(): Promise<Browser | string> {
  let path = await findChromium();
  if (path === undefined) {
    const failure = await install();
    path = await findChromium();
    if (path === undefined) return failure ?? "there is no Chromium after it was installed";
  }
  return await chromium.launch({ executablePath: path, args: FLAGS });
}
