/**
 * Tokens from a command of the user's own, as Claude Code's `apiKeyHelper` is one. It prints a token, or
 * the JSON that the Databricks CLI prints.
 *
 * @module
 */

import { complaint, MissingProgram, nameOf, type Run } from "./run.ts";
import { needsPerson, readToken, type Token, type TokenSource } from "./token.ts";

/** What a {@linkcode TokenCommandSource} is made of. */
export interface TokenCommandOptions {
  /** The program and its arguments. */
  readonly words: readonly string[];
  /** Runs programs. */
  readonly run: Run;
  /** How long a run may take, in milliseconds. @default {15000} */
  readonly limit?: number;
  /** Milliseconds since 1970. @default {Date.now} */
  readonly now?: () => number;
}

/** Tokens from a command. What it prints is never shown, because it may be a token. */
export class TokenCommandSource implements TokenSource {
  /** What it is called in messages. */
  readonly label: string;
  /** What a person does when it has no valid token. */
  readonly remedy: string;
  readonly #options: TokenCommandOptions;

  /** Makes a source of a command. */
  constructor(options: TokenCommandOptions) {
    this.#options = options;
    // Its arguments may be secrets.
    this.label = `the token command ${nameOf(options.words[0])}`;
    this.remedy = "run the command of --token-command yourself and see what is wrong with it";
  }

  /** Runs the command. */
  async token(signal: AbortSignal): Promise<Token> {
    const { words: [program, ...args], run, limit, now = Date.now } = this.#options;
    const { code, stdout, stderr } = await run(program, args, { signal, limit }).catch((cause) => {
      if (!(cause instanceof MissingProgram)) throw cause;
      throw needsPerson(
        `"${program}" of --token-command can't be started`,
        "expected a program on the PATH, or a program's path",
        cause,
      );
    });
    if (code !== 0) {
      const why = complaint(stderr) || "it says nothing on standard error";
      throw needsPerson(
        `The token command ${nameOf(program)} failed with exit code ${code} (${why})`,
        this.remedy,
      );
    }
    const token = readToken(stdout, now());
    if (token !== undefined) return token;
    throw needsPerson(
      `The token command ${nameOf(program)} printed ${
        stdout.trim() === "" ? "nothing" : "something else than a token"
      }`,
      'expected the token alone, or JSON such as {"access_token": "…", "expiry": "2026-11-26T05:00:00Z"}',
    );
  }

  /** Runs the command again. */
  rejected(_token: Token, signal: AbortSignal): Promise<Token> {
    return this.token(signal);
  }
}
