/**
 * The limits of client keys. Requests are counted when they come. Tokens and dollars are known only at the end:
 * so what a request may take is reserved when it comes, and what it didn't take is given back. Many requests at
 * once can therefore exceed a limit only by answers that are longer than what was reserved, which happens where
 * a request sets no maximum.
 *
 * @module
 */

import { maxTokensOf } from "../adapt/adjustments.ts";
import { BridgeError } from "../errors.ts";
import { isObject, type JsonObject } from "../json.ts";
import { type Cost, costOf, type Price } from "../observe/cost.ts";
import type { Tokens } from "../observe/tokens.ts";
import type { Counters } from "../store/counters.ts";
import { type ClientKey, mayAsk } from "./client_keys.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** Characters of a prompt for a token, so that the reserve is rather too large. */
const CHARACTERS = 3;

/** What is reserved for an answer where the request sets no maximum, in tokens. */
const USUAL_ANSWER = 4_096;

/** A request that asks to be let through. */
export interface Ask {
  /** Whose. */
  readonly key: ClientKey;
  /** The model, as the client asks for it. */
  readonly model: string;
  /** The body. */
  readonly body: JsonObject;
  /** What the model costs, where that is known. */
  readonly price?: Price;
}

/**
 * Returns what a request reserved and did not use.
 *
 * @param tokens What it took, where the gateway has counted it.
 * @param cost What that cost.
 * @param pieces How many pieces of the answer were sent: what a client has taken that left before the end.
 */
export type Settle = (tokens?: Tokens, cost?: Cost, pieces?: number) => void;

/**
 * Refuses a model that a key may not ask.
 *
 * @throws {BridgeError} kind `forbidden`.
 */
export function checkModel(key: ClientKey, model: string): void {
  if (mayAsk(key, model)) return;
  throw new BridgeError(
    "forbidden",
    `The key of ${key.name} may not ask the model "${model.slice(0, 100)}", only ${
      key.models!.join(", ")
    }. Who runs the bridge can allow more.`,
    { code: "model_not_allowed", param: "model" },
  );
}

/**
 * Admits a request, or refuses it.
 *
 * @param ask What it asks for.
 * @param counters Where its key's requests, tokens and dollars are counted.
 * @param now Milliseconds since 1970; days are those of UTC.
 * @returns Settles the limits: to be called once, when the request ends.
 * @throws {BridgeError} kind `forbidden` for a model that is not allowed, `limit` over a limit.
 */
export async function admit(ask: Ask, counters: Counters, now = Date.now()): Promise<Settle> {
  const { key, model, body, price } = ask;
  checkModel(key, model);
  const minute = Math.floor(now / MINUTE);
  const day = Math.floor(now / DAY);
  const { requestsPerMinute, tokensPerDay, dollarsPerDay } = key;
  if (requestsPerMinute !== undefined) {
    const endsAt = (minute + 1) * MINUTE;
    const sum = await counters.add(`${key.name} requests ${minute}`, 1, endsAt);
    if (sum > requestsPerMinute) {
      throw exceeded(key, `${requestsPerMinute} requests a minute`, endsAt, now);
    }
  }
  if (tokensPerDay === undefined && dollarsPerDay === undefined) return () => {};
  const input = Math.ceil(JSON.stringify(body).length / CHARACTERS);
  const output = mostTokensOf(body);
  const endsAt = (day + 1) * DAY;
  const reserves: { readonly name: string; readonly amount: number }[] = [];
  const giveBack = () => {
    for (const { name, amount } of reserves) void counters.add(name, -amount, endsAt);
  };
  const reserve = async (what: string, amount: number, most: number, words: string) => {
    const name = `${key.name} ${what} ${day}`;
    reserves.push({ name, amount });
    const sum = await counters.add(name, amount, endsAt);
    if (sum <= most) return;
    giveBack();
    throw exceeded(key, words, endsAt, now, sum - amount < most);
  };
  if (tokensPerDay !== undefined) {
    await reserve("tokens", input + output, tokensPerDay, `${tokensPerDay} tokens a day`);
  }
  if (dollarsPerDay !== undefined) {
    if (price === undefined) {
      giveBack();
      throw new BridgeError(
        "forbidden",
        `The key of ${key.name} has a limit of $${dollarsPerDay} a day, and "${
          model.slice(0, 100)
        }" has no price, so that nobody can say what it costs: set its "price" in models.json.`,
        { code: "model_without_price", param: "model" },
      );
    }
    const tokens = { input, output, cached: 0, written: 0, writtenForHour: 0 };
    const { total } = costOf(tokens, price);
    await reserve("dollars", total, dollarsPerDay, `$${dollarsPerDay} a day`);
  }
  return (tokens, known, pieces = 0) => {
    giveBack();
    const guess = { input, output: pieces, cached: 0, written: 0, writtenForHour: 0 };
    const counted = tokens ?? (pieces > 0 ? guess : undefined);
    const taken = counted === undefined ? 0 : counted.input + counted.output;
    const cost = known ?? (counted && price && costOf(counted, price));
    if (tokensPerDay !== undefined && taken > 0) {
      void counters.add(`${key.name} tokens ${day}`, taken, endsAt);
    }
    if (dollarsPerDay !== undefined && cost !== undefined && cost.total > 0) {
      void counters.add(`${key.name} dollars ${day}`, cost.total, endsAt);
    }
  };
}

/** What all answers to a request may have together, in tokens. */
function mostTokensOf(body: JsonObject): number {
  const config = isObject(body.generationConfig) ? body.generationConfig : {};
  const most = maxTokensOf(body);
  const answers = Number(body.n ?? config.candidateCount ?? 1);
  // A number that no request can mean gives nothing back.
  return (most !== undefined && most >= 1 && Number.isFinite(most) ? most : USUAL_ANSWER) *
    (answers >= 1 && Number.isFinite(answers) ? answers : 1);
}

function exceeded(
  { name }: ClientKey,
  limit: string,
  endsAt: number,
  now: number,
  isReserve = false,
): BridgeError {
  const seconds = Math.max(1, Math.ceil((endsAt - now) / 1_000));
  const isMinute = seconds <= 60;
  return new BridgeError(
    "limit",
    `The key of ${name} may take ${limit}, and ${
      isReserve
        ? "what is left is less than this request may take: ask for fewer output tokens (max_tokens), or"
        : isMinute
        ? "has taken them:"
        : "has taken them, running requests included:"
    } wait until ${
      new Date(endsAt).toISOString().slice(isMinute ? 11 : 0, 19).replace("T", " ")
    } UTC${isMinute ? "" : ", when the next day begins"}. Who runs the bridge can raise it.`,
    {
      code: "key_limit",
      // A minute is worth waiting for, a day isn't.
      headers: { "retry-after": `${seconds}`, "x-should-retry": `${isMinute}` },
    },
  );
}
