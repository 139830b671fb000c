/**
 * Holds a token of any source and renews it in time, so that a request finds a valid one and never waits
 * for it, as far as that is possible.
 *
 * One refresh runs at a time, whoever asks: refreshes at once can revoke the whole family of tokens
 * (`tokens.md`). A refresh belongs to nobody, so a client that leaves doesn't end it: a CLI that is killed
 * between the server's answer and its cache has lost the login.
 *
 * @module
 */

import { BridgeError, maskSecrets } from "../../errors.ts";
import { type Sleep, sleep, type Token, type TokenSource, until } from "./token.ts";

/** What happened to a token. */
export type TokenEvent =
  | {
    /** There is another token than before. */
    readonly type: "renewed";
    /** For the log: `token renewed, valid until 14:05`. */
    readonly message: string;
    /** Whether the gateway had refused the one before. */
    readonly forced: boolean;
  }
  | {
    /** A refresh failed. */
    readonly type: "failed";
    /** For the log: what is wrong, and whether the old token still holds. */
    readonly message: string;
    readonly forced: boolean;
    readonly error: BridgeError;
    /** Whether the old token is still valid, so that no request fails yet. */
    readonly kept: boolean;
  };

/** How a {@linkcode RenewingTokenSource} behaves. Times in milliseconds. */
export interface RenewingOptions {
  /** Told of every new token and every failed refresh: for log and metrics. */
  readonly onEvent?: (event: TokenEvent) => void;
  /** Further secrets that must never be shown; see {@linkcode RenewingTokenSource.secrets}. */
  readonly secrets?: readonly string[];
  /** The wall clock: a timer stands still while the machine sleeps. @default {Date.now} */
  readonly now?: () => number;
  /** Waits between two failed refreshes. @default by a timer */
  readonly sleep?: Sleep;
}

/** How the token stands, for `/healthz` and the doctor. */
export interface TokenState {
  /** Whether requests find a token, as far as is known. */
  readonly ok: boolean;
  /** `valid until 14:05`, or what is wrong and what to do. */
  readonly text: string;
  /** When it expires, in milliseconds since 1970; undefined where there is none, or nobody says. */
  readonly expiresAt: number | undefined;
}

/** With less left than this, a token is renewed in the background. */
const RENEW_BEFORE = 10 * 60_000;

/** A token with less left than this is not used any more; a tenth of its life where that is less. */
const MARGIN = 10_000;

/** With less left than this, the source is not told to renew what it hands out again and again. */
const FORCE_BEFORE = 60_000;

/** How long a token that came with a past expiry is tried: the machine's clock may be wrong. */
const DOUBTFUL_LIFE = 30_000;

/** Time between two refreshes of which the first one failed, or brought a token that was refused at once. */
const PAUSE = 1_000;

/** Time until a refresh in the background is tried again after it failed. */
const BACKGROUND_PAUSE = 30_000;

/** How often the same failure is told. */
const REPEAT_FAILURE = 60_000;

/** Tokens that are remembered as secrets. */
const MAX_SECRETS = 8;

/** A token, and when what is due. */
interface Held {
  readonly token: Token;
  /** Until when it is handed out. */
  readonly freshUntil: number;
}

/** A source that holds a token and renews it. */
export class RenewingTokenSource implements TokenSource {
  /** What it is called in messages. */
  readonly label: string;
  /** What a person does when it has no valid token. */
  readonly remedy: string;
  /**
   * What must never be shown: the last tokens, and what the options name. The array is the same for the
   * life of the source and changes in place, so that who holds it knows new tokens, too.
   */
  readonly secrets: readonly string[];
  readonly #secrets: string[];
  readonly #fixedSecrets: number;
  readonly #source: TokenSource;
  readonly #now: () => number;
  readonly #options: RenewingOptions;
  readonly #closing = new AbortController();
  #held: Held | undefined;
  /** The refresh that runs. */
  #flight: Promise<Token> | undefined;
  /** The forced refresh that runs or waits for another one to end. */
  #forcing: Promise<void> | undefined;
  #lastForced = -Infinity;
  /** When the next refresh in the background is due. */
  #renewAt = 0;
  /** Whether the last refresh brought the token that was there. */
  #unchanged = false;
  #failure: { readonly error: BridgeError; readonly at: number } | undefined;
  #told: { readonly message: string; readonly at: number } | undefined;

  /** Wraps a source. */
  constructor(source: TokenSource, options: RenewingOptions = {}) {
    this.#source = source;
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.label = source.label;
    this.remedy = source.remedy;
    this.#secrets = [...options.secrets ?? []];
    this.#fixedSecrets = this.#secrets.length;
    this.secrets = this.#secrets;
  }

  /**
   * A valid token: the one that is held, or, where there is none or it has expired, the refresh's that
   * all callers share.
   *
   * @param signal Ends the waiting, not the refresh.
   * @throws {BridgeError} Why there is none, and what to do.
   */
  async token(signal: AbortSignal): Promise<Token> {
    if (this.#forcing !== undefined) await until(this.#forcing, signal);
    const now = this.#now();
    const held = this.#held;
    if (held === undefined || now >= held.freshUntil) {
      return await until(this.#refresh(), signal);
    }
    if (now >= this.#renewAt && this.#flight === undefined) {
      const left = (held.token.expiresAt ?? Infinity) - now;
      // A source with a cache of its own hands out the same token until it has expired.
      this.#refresh(this.#unchanged && left > FORCE_BEFORE).catch(() => {});
    }
    return held.token;
  }

  /**
   * Renews a token that the gateway refused. All callers with the same token share one forced refresh;
   * where another token has come in the meantime, that is the answer.
   *
   * @returns Another token, or the same where there is no other: then the refusal stands.
   */
  async rejected(token: Token, signal: AbortSignal): Promise<Token> {
    const held = this.#held;
    if (held === undefined || held.token.value !== token.value) return await this.token(signal);
    const now = this.#now();
    const justTried = elapsed(this.#lastForced, now) < PAUSE;
    if (this.#forcing === undefined && justTried) return held.token;
    this.#forcing ??= this.#force(held.token).finally(() => this.#forcing = undefined);
    await until(this.#forcing, signal);
    return this.#held?.token ?? token;
  }

  /**
   * Asks the source now, whatever is held: for the doctor.
   *
   * @throws {BridgeError} Where it fails, even though the old token may still be valid.
   */
  async refresh(signal: AbortSignal): Promise<Token> {
    const token = await until(this.#refresh(), signal);
    if (this.#failure) throw this.#failure.error;
    return token;
  }

  /** How the token stands. It asks nobody. */
  state(): TokenState {
    const now = this.#now();
    const failure = this.#failure?.error.message;
    const expiresAt = this.#held?.token.expiresAt;
    if (this.#held !== undefined && now < (expiresAt ?? Infinity)) {
      const valid = validity(expiresAt, now);
      return {
        ok: true,
        text: failure ? `${valid}; the last renewal failed: ${failure}` : valid,
        expiresAt,
      };
    }
    if (failure !== undefined) return { ok: false, text: failure, expiresAt: undefined };
    return {
      ok: true,
      text: this.#held ? "expired, renewed when needed" : "not asked for yet",
      expiresAt,
    };
  }

  /** Ends a refresh that runs; no other begins. */
  async close(): Promise<void> {
    this.#closing.abort(new DOMException("The bridge ends.", "AbortError"));
    await this.#flight?.catch(() => {});
  }

  /** The refresh that runs, or a new one. */
  #refresh(forced = false): Promise<Token> {
    return this.#flight ??= this.#ask(forced).finally(() => this.#flight = undefined);
  }

  /** A forced refresh of a token, once no other one runs; fails silently, because the event tells. */
  async #force(token: Token): Promise<void> {
    const isHeld = () => this.#held?.token.value === token.value;
    while (this.#flight !== undefined) await this.#flight.catch(() => {});
    // What has just expired is renewed without force.
    if (isHeld() && this.#now() >= this.#held!.freshUntil) await this.#refresh().catch(() => {});
    if (!isHeld()) return;
    await this.#refresh(true).catch(() => {});
    this.#lastForced = this.#now();
  }

  async #ask(forced: boolean): Promise<Token> {
    const { signal } = this.#closing;
    const { sleep: wait = sleep } = this.#options;
    try {
      if (this.#failure !== undefined) {
        // A source that fails is asked once a second at most, by all requests together.
        const passed = elapsed(this.#failure.at, this.#now());
        if (passed < PAUSE) await wait(PAUSE - passed, signal);
      }
      signal.throwIfAborted();
      const before = this.#held?.token;
      const token = forced && before !== undefined
        ? await this.#source.rejected(before, signal)
        : await this.#source.token(signal);
      this.#hold(token, forced);
      return token;
    } catch (cause) {
      return this.#fail(cause, forced);
    }
  }

  #hold(token: Token, forced: boolean): void {
    const now = this.#now();
    const before = this.#held;
    const { expiresAt = Infinity } = token;
    const left = expiresAt > now ? expiresAt - now : DOUBTFUL_LIFE;
    const freshUntil = now + left - Math.min(MARGIN, left / 10);
    this.#unchanged = before?.token.value === token.value;
    this.#held = { token, freshUntil };
    // The first token may come from a cache, near its end. Later ones are that short, and are renewed
    // half-way, not with every request.
    if (left > RENEW_BEFORE) this.#renewAt = expiresAt - RENEW_BEFORE;
    else this.#renewAt = before === undefined ? now : now + left / 2;
    this.#failure = undefined;
    this.#told = undefined;
    if (this.#unchanged) return;
    this.#remember(token.value);
    this.#tell({
      type: "renewed",
      message: `token renewed, ${validity(token.expiresAt, now)}`,
      forced,
    });
  }

  #fail(cause: unknown, forced: boolean): Token {
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason;
    const now = this.#now();
    const error = cause instanceof BridgeError ? cause : new BridgeError(
      "unreachable",
      `There is no token from ${this.label}: ${
        maskSecrets(cause instanceof Error ? cause.message : String(cause), this.#secrets)
      }`,
      { code: "token_unavailable", cause },
    );
    this.#failure = { error, at: now };
    const held = this.#held;
    const kept = held !== undefined &&
      now < Math.max(held.token.expiresAt ?? Infinity, held.freshUntil);
    if (kept) {
      const left = (held.token.expiresAt ?? Infinity) - now;
      this.#renewAt = now + Math.min(BACKGROUND_PAUSE, Math.max(PAUSE, left / 2));
    }
    const { message } = error;
    if (this.#told?.message !== message || elapsed(this.#told.at, now) >= REPEAT_FAILURE) {
      this.#told = { message, at: now };
      const still = kept ? ` The old token holds, ${validity(held.token.expiresAt, now)}.` : "";
      this.#tell({
        type: "failed",
        message: `token not renewed: ${message}${still}`,
        forced,
        error,
        kept,
      });
    }
    if (!kept) throw error;
    return held.token;
  }

  #remember(value: string): void {
    if (this.#secrets.includes(value)) return;
    this.#secrets.push(value);
    if (this.#secrets.length > this.#fixedSecrets + MAX_SECRETS) {
      this.#secrets.splice(this.#fixedSecrets, 1);
    }
  }

  #tell(event: TokenEvent): void {
    this.#options.onEvent?.(event);
  }
}

/** The time since a moment; where the clock was set back meanwhile, none has to be waited for. */
function elapsed(since: number, now: number): number {
  return now < since ? Infinity : now - since;
}

/** `valid until 14:05`, in local time; with the date where that is another day. */
function validity(expiresAt: number | undefined, now: number): string {
  if (expiresAt === undefined) return "valid until the gateway refuses it";
  const end = new Date(expiresAt);
  const two = (number: number) => String(number).padStart(2, "0");
  const clock = `${two(end.getHours())}:${two(end.getMinutes())}`;
  const sameDay = end.toDateString() === new Date(now).toDateString();
  const date = `${end.getFullYear()}-${two(end.getMonth() + 1)}-${two(end.getDate())}`;
  return `valid until ${sameDay ? clock : `${date} ${clock}`}`;
}
