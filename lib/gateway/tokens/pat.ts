/**
 * A personal access token. It can't be renewed; where it stands in a file it is read again, so that a
 * new one holds without a restart.
 *
 * @module
 */

import { isTokenText, needsPerson, type Token, type TokenSource } from "./token.ts";

/** What a {@linkcode PatSource} is made of. */
export interface PatOptions {
  /** What it is called in messages. */
  readonly label: string;
  /** What a person does when it is refused. */
  readonly remedy: string;
  /** Reads the token from where it stands. */
  readonly read: () => Promise<string | undefined>;
}

/** Tokens that a person has put somewhere. */
export class PatSource implements TokenSource {
  /** What it is called in messages. */
  readonly label: string;
  /** What a person does when it has no valid token. */
  readonly remedy: string;
  readonly #read: PatOptions["read"];

  /** Makes a source of a place to read from. */
  constructor({ label, remedy, read }: PatOptions) {
    this.label = label;
    this.remedy = remedy;
    this.#read = read;
  }

  /** The token as it stands there now. */
  async token(): Promise<Token> {
    const value = await this.#read();
    if (!value) throw needsPerson(`There is no token in ${this.label}`, this.remedy);
    if (!isTokenText(value)) {
      throw needsPerson(
        `What stands as token in ${this.label} is none, because it has spaces or special characters`,
        this.remedy,
      );
    }
    return { value, expiresAt: undefined };
  }

  /** The same, unless somebody has put another one there. */
  rejected(): Promise<Token> {
    return this.token();
  }
}
