/**
 * Tokens of a person's login (U2M), from `databricks auth token`. What the CLI says, and that its lock
 * fails in passing, is from `tokens.md`, "The Databricks CLI".
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import {
  complaint,
  MissingProgram,
  nameOf,
  type Run,
  type RunOptions,
  type RunResult,
} from "./run.ts";
import {
  needsPerson,
  readToken,
  type Sleep,
  sleep,
  type Token,
  type TokenSource,
} from "./token.ts";

/** What a {@linkcode DatabricksCliSource} is made of. */
export interface DatabricksCliOptions {
  /** What it is called in messages. */
  readonly label: string;
  /** The profile to ask for; it goes before the host, because several profiles may share one. */
  readonly profile?: string;
  /** The workspace, `https://<host>`, where no profile is named. */
  readonly host?: string;
  /** The CLI's path. @default {"databricks"} */
  readonly program?: string;
  /** Runs programs. */
  readonly run: Run;
  /** The CLI's environment. */
  readonly env: RunOptions["env"];
  /** How long one run may take, in milliseconds. @default {15000} */
  readonly limit?: number;
  /** Milliseconds since 1970. @default {Date.now} */
  readonly now?: () => number;
  /** From 0 to 1, for jitter. @default {Math.random} */
  readonly random?: () => number;
  /** Waits between tries. @default by a timer */
  readonly sleep?: Sleep;
}

/** The CLI's lock on its cache is taken by another process, for a moment. */
const LOCKED =
  /cache update|exit status 45|(?:acquir|obtain)\w* (?:the )?lock|lock(?:ed)? by another/i;

/** The network failed, not the login. */
const NETWORK =
  /dial tcp|no such host|connection re(?:fused|set)|i\/o timeout|TLS handshake|context deadline/i;

/** How often a locked cache is tried again. */
const LOCK_RETRIES = 4;

/** Waits between the tries, in milliseconds: at least the first, at most the second. */
const LOCK_WAIT = [50, 800] as const;

/** Where to get the CLI, in one place. */
export const CLI_DOWNLOAD =
  "https://learn.microsoft.com/en-us/azure/databricks/dev-tools/cli/install";

/** What the CLI says → what is wrong. The first row that fits is used: the later ones are less sure. */
const FAILURES: readonly {
  readonly words: RegExp;
  readonly what: (source: DatabricksCliSource, said: string) => string;
  readonly remedy?: (source: DatabricksCliSource) => string;
}[] = [
  {
    words: /No such command .?auth|databricks-cli.*legacy|Usage: databricks \[OPTIONS\]/i,
    what: () => "The `databricks` on the PATH is the old CLI, which has no `auth token`",
    remedy: () => `install the new one, ${CLI_DOWNLOAD}`,
  },
  {
    words: /uses M2M authentication|only supports U2M/i,
    what: ({ label }) =>
      `The Databricks CLI has no token for ${label}, because the profile is a service principal's`,
    remedy: () => "set auth_type = oauth-m2m in the profile, or start with --auth m2m",
  },
  {
    words: /refresh token (?:is|has)|invalid_refresh_token|invalid_grant|UNAUTHENTICATED/i,
    what: ({ label }) => `The login of ${label} is over`,
  },
  {
    words: /use --profile|multiple profiles|profiles? match/i,
    what: (source, said) => `Several profiles are for ${source.target} (the CLI says: ${said})`,
    remedy: () => "name one of them with --profile NAME",
  },
  {
    words: /keyring/i,
    what: (_source, said) => `The Databricks CLI can't reach the system's keychain (${said})`,
    remedy: ({ remedy }) =>
      `start the bridge in a session that has one, or set DATABRICKS_AUTH_STORAGE=plaintext for both and ${remedy}`,
  },
  {
    words: /has no \S+ profile|no profile|profile\b.*\b(?:not found|does not exist)/i,
    what: ({ label }) => `The Databricks CLI does not know ${label}`,
  },
  {
    words: /OAuth is not configured|no cached|not logged in|auth login/i,
    what: ({ label }) => `Nobody has logged in to ${label}`,
  },
];

/** Tokens from the Databricks CLI. */
export class DatabricksCliSource implements TokenSource {
  /** What it is called in messages. */
  readonly label: string;
  /** What a person does when it has no valid token. */
  readonly remedy: string;
  /** What is asked for, for messages. */
  readonly target: string;
  readonly #options: DatabricksCliOptions;
  readonly #selection: readonly string[];
  /** Whether this CLI knows `--force-refresh`; older ones don't. */
  #forces = true;

  /** Makes a source of a profile or a host. */
  constructor(options: DatabricksCliOptions) {
    const { label, profile, host = "" } = options;
    this.#options = options;
    this.label = label;
    this.target = host || `profile ${profile}`;
    this.#selection = profile === undefined ? ["--host", host] : ["--profile", profile];
    this.remedy = `type \`databricks auth login ${this.#selection.map(asTyped).join(" ")}\``;
  }

  /** What the CLI has in its cache, renewed by it where it has expired. */
  token(signal: AbortSignal): Promise<Token> {
    return this.#ask([], signal);
  }

  /** A new token; an old CLI, which can't be told to, says what it has. */
  async rejected(_token: Token, signal: AbortSignal): Promise<Token> {
    if (!this.#forces) return await this.#ask([], signal);
    return await this.#ask(["--force-refresh"], signal);
  }

  async #ask(flags: readonly string[], signal: AbortSignal): Promise<Token> {
    const { random = Math.random, sleep: wait = sleep, now = Date.now } = this.#options;
    for (let tries = 0;; tries++) {
      const result = await this.#run(["auth", "token", ...this.#selection, ...flags], signal);
      const said = result.stderr || result.stdout;
      if (result.code === 0) {
        const token = readToken(result.stdout, now());
        if (token !== undefined) return token;
        throw needsPerson(
          `\`databricks auth token\` printed no token for ${this.label}`,
          `see what it prints for you, and ${this.remedy}`,
        );
      }
      if (flags.length > 0 && /unknown flag/i.test(said)) {
        this.#forces = false;
        return await this.#ask([], signal);
      }
      if (!LOCKED.test(said)) throw this.#failure(said, result.code);
      if (tries === LOCK_RETRIES) {
        throw new BridgeError(
          "unreachable",
          `The Databricks CLI can't write its token cache, because another process holds it: ${
            complaint(said)
          }. Ask again.`,
          { code: "token_locked" },
        );
      }
      const [least, most] = LOCK_WAIT;
      const step = Math.min(most, least * 2 ** (tries + 1));
      await wait(least + random() * (step - least), signal);
    }
  }

  async #run(args: readonly string[], signal: AbortSignal): Promise<RunResult> {
    const { run, env, limit, program = "databricks" } = this.#options;
    try {
      return await run(program, [...args, "--output", "json"], { env, signal, limit });
    } catch (cause) {
      if (!(cause instanceof MissingProgram)) throw cause;
      const what = program === "databricks"
        ? "The Databricks CLI is not on the PATH"
        : `The Databricks CLI can't be started as ${program} (DATABRICKS_CLI_PATH)`;
      throw needsPerson(what, `install it, ${CLI_DOWNLOAD}, then ${this.remedy}`, cause);
    }
  }

  #failure(said: string, code: number): BridgeError {
    const words = complaint(said);
    const row = FAILURES.find((row) => row.words.test(said));
    if (row !== undefined) {
      return needsPerson(row.what(this, words), row.remedy?.(this) ?? this.remedy);
    }
    if (NETWORK.test(said)) {
      return new BridgeError(
        "unreachable",
        `The Databricks CLI can't reach the workspace: ${words}. Check the network and the VPN.`,
        { code: "token_unreachable" },
      );
    }
    const name = nameOf(this.#options.program ?? "databricks");
    return needsPerson(
      `\`${name} auth token\` failed for ${this.label} (${words || `exit code ${code}`})`,
      this.remedy,
    );
  }
}

/** A word as it is typed into a shell. */
function asTyped(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `"${word.replace(/(["\\$`])/g, "\\$1")}"`;
}
