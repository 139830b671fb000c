/**
 * A real nginx with the configuration of `deploy/nginx.conf`, on free ports of 127.0.0.1: for tests and
 * for the benchmark.
 *
 * @module
 */

import { ROOT } from "./project.ts";

/** Where nginx may be: on Debian it is not in everybody's `PATH`. */
const PLACES = ["nginx", "/usr/sbin/nginx", "/usr/local/bin/nginx", "/opt/homebrew/bin/nginx"];

/** How long a start may take, in milliseconds. */
const START_LIMIT = 10_000;

/** What is changed of the configuration. */
export interface NginxOptions {
  /** The ports of the two bridges. */
  readonly bridges: readonly [number, number];
  /** The folder with the certificate. */
  readonly certificate: { readonly cert: string; readonly key: string };
  /** Seconds for which a bridge that failed is out. @default that of the file */
  readonly failTimeout?: number;
}

/** A running nginx. */
export interface Nginx extends AsyncDisposable {
  /** Its port with TLS. */
  readonly tlsPort: number;
  /** Its plain port, that of the probe. */
  readonly port: number;
  /** The master's process. */
  readonly pid: number;
  /** The processes that do the work. */
  readonly workers: () => Promise<number[]>;
  /** The lines of its access log so far, as objects. */
  readonly log: () => Promise<Record<string, string | number>[]>;
  /** The text of its error log so far. */
  readonly errors: () => Promise<string>;
}

/**
 * Looks for nginx.
 *
 * @returns The program, or undefined where there is none.
 */
export async function findNginx(): Promise<string | undefined> {
  for (const program of PLACES) {
    try {
      const { success } = await new Deno.Command(program, {
        args: ["-v"],
        stdout: "null",
        stderr: "null",
      }).output();
      if (success) return program;
    } catch {
      // Not there, or not to be run.
    }
  }
  return undefined;
}

/**
 * A port of 127.0.0.1 that is free now.
 *
 * @example
 * ```ts
 * import { freePort } from "./nginx.ts";
 *
 * if (!(freePort() > 0)) throw new Error("a port");
 * ```
 */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/** Replaces a text that must be there. */
function replace(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`deploy/nginx.conf has no "${from}"`);
  return text.replaceAll(from, to);
}

/** The configuration with names, ports and folders of this machine; everything else is as it is. */
function localConfiguration(
  conf: string,
  folder: string,
  ports: { tls: number; plain: number },
  { bridges, certificate, failTimeout }: NginxOptions,
): string {
  let text = replace(conf, " /tmp/", ` ${folder}/`);
  for (const [at, port] of bridges.entries()) {
    text = replace(text, `bridge-${at + 1}:8080`, `127.0.0.1:${port}`);
  }
  text = replace(text, "listen 8443 ssl", `listen 127.0.0.1:${ports.tls} ssl`);
  text = replace(text, "listen 127.0.0.1:8081", `listen 127.0.0.1:${ports.plain}`);
  text = replace(text, "/etc/nginx/tls/tls.crt", certificate.cert);
  text = replace(text, "/etc/nginx/tls/tls.key", certificate.key);
  text = replace(text, "/dev/stdout", `${folder}/access.log`);
  text = replace(text, "/dev/stderr", `${folder}/error.log`);
  if (failTimeout !== undefined) {
    text = replace(text, "fail_timeout=15s", `fail_timeout=${failTimeout}s`);
  }
  return text;
}

/**
 * Starts nginx in front of two bridges, and waits until it listens. The configuration is tested with
 * `nginx -t` first.
 *
 * @param program From {@linkcode findNginx}.
 * @param options The bridges and the certificate.
 * @returns The nginx; to be disposed of (`await using`).
 * @throws {Error} With nginx's own words, when it refuses the configuration or doesn't start.
 */
export async function startNginx(program: string, options: NginxOptions): Promise<Nginx> {
  const folder = await Deno.makeTempDir({ prefix: "fd-bridge-nginx-" });
  const ports = { tls: freePort(), plain: freePort() };
  const conf = await Deno.readTextFile(`${ROOT}deploy/nginx.conf`);
  const file = `${folder}/nginx.conf`;
  await Deno.writeTextFile(file, localConfiguration(conf, folder, ports, options));
  // Started by root, its workers would be somebody who may not write into the folder.
  const user = Deno.uid() === 0 ? "user root; " : "";
  const args = ["-p", folder, "-c", file, "-e", `${folder}/error.log`];
  const tested = await new Deno.Command(program, {
    args: [...args, "-t", "-g", user],
    stdout: "null",
    stderr: "piped",
  }).output();
  const said = new TextDecoder().decode(tested.stderr);
  if (!tested.success || said.includes("[warn]")) {
    await Deno.remove(folder, { recursive: true });
    throw new Error(said);
  }
  const child = new Deno.Command(program, {
    args: [...args, "-g", `${user}daemon off;`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  let ended = false;
  const status = child.status.then(() => void (ended = true));
  const errors = () => Deno.readTextFile(`${folder}/error.log`).catch(() => "");
  async function stop(): Promise<void> {
    if (!ended) child.kill("SIGTERM");
    await status;
    await Deno.remove(folder, { recursive: true });
  }
  const begun = performance.now();
  while (!await accepts(ports.plain)) {
    if (ended || performance.now() - begun > START_LIMIT) {
      const text = await errors();
      await stop();
      throw new Error(`nginx did not start: ${text}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return {
    tlsPort: ports.tls,
    port: ports.plain,
    pid: child.pid,
    async workers() {
      const { stdout } = await new Deno.Command("pgrep", { args: ["-P", `${child.pid}`] }).output();
      return new TextDecoder().decode(stdout).trim().split("\n").map(Number);
    },
    errors,
    async log() {
      const text = await Deno.readTextFile(`${folder}/access.log`);
      // The last line may be half written.
      return text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
    },
    [Symbol.asyncDispose]: stop,
  };
}

async function accepts(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
