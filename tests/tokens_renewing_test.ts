/** How tokens are renewed: on a clock of the test's, and with a scripted CLI. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { BridgeError } from "../lib/errors.ts";
import { DatabricksCliSource } from "../lib/gateway/tokens/databricks_cli.ts";
import {
  authorize,
  refusesToken,
  RenewingTokenSource,
  type Token,
  type TokenEvent,
  type TokenSource,
  withRemedy,
} from "../lib/gateway/tokens/mod.ts";
import { run } from "../lib/gateway/tokens/run.ts";
import { randomFromEnvironment } from "./helpers/random.ts";
import { tokenPrograms } from "./helpers/token_programs.ts";

const { signal } = new AbortController();
const MINUTE = 60_000;

/** What a source answers to one question. */
type Answer = (forced: boolean) => Token | Promise<Token>;

/** A source on a clock of the test's; it tells of questions at the same time. */
class TestSource implements TokenSource {
  readonly label = "profile dev (databricks-cli)";
  readonly remedy = "type `databricks auth login --profile dev`";
  readonly asked: ("token" | "rejected")[] = [];
  answer: Answer;
  running = 0;
  most = 0;

  constructor(answer: Answer) {
    this.answer = answer;
  }

  token(): Promise<Token> {
    return this.#ask(false);
  }

  rejected(): Promise<Token> {
    return this.#ask(true);
  }

  async #ask(forced: boolean): Promise<Token> {
    this.asked.push(forced ? "rejected" : "token");
    this.most = Math.max(this.most, ++this.running);
    try {
      // A program takes some turns of the event loop.
      await turn();
      return await this.answer(forced);
    } finally {
      this.running--;
    }
  }
}

/** Lets everything that is ready run. */
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

async function settle(): Promise<void> {
  for (let turns = 0; turns < 4; turns++) await turn();
}

function setUp(life: number | undefined) {
  const clock = { now: Date.UTC(2026, 10, 26, 12) };
  let made = 0;
  const fresh = () => ({
    value: `token-${++made}`,
    expiresAt: life === undefined ? undefined : clock.now + life,
  });
  const source = new TestSource(fresh);
  const events: TokenEvent[] = [];
  const waits: number[] = [];
  const renewing = new RenewingTokenSource(source, {
    now: () => clock.now,
    onEvent: (event) => events.push(event),
    sleep: (time) => {
      waits.push(time);
      clock.now += time;
      return Promise.resolve();
    },
  });
  const value = async () => (await renewing.token(signal)).value;
  return { clock, source, renewing, events, waits, value, fresh };
}

const dead = () =>
  Promise.reject(
    new BridgeError(
      "unauthenticated",
      "The login of profile dev is over: type `databricks auth login --profile dev`.",
    ),
  );

Deno.test("RenewingTokenSource asks once for 200 callers at once", async () => {
  const { source, renewing } = setUp(60 * MINUTE);
  const tokens = await Promise.all(
    Array.from({ length: 200 }, () => renewing.token(signal)),
  );
  assertEquals(new Set(tokens.map(({ value }) => value)), new Set(["token-1"]));
  assertEquals([source.asked.length, source.most], [1, 1]);
});

Deno.test("RenewingTokenSource renews in the background when less than ten minutes are left", async () => {
  const { clock, source, value, events } = setUp(60 * MINUTE);
  assertEquals(await value(), "token-1");
  clock.now += 49 * MINUTE;
  assertEquals(await value(), "token-1");
  await settle();
  assertEquals(source.asked.length, 1);
  clock.now += 2 * MINUTE;
  const callers = await Promise.all([value(), value(), value()]);
  assertEquals(callers, ["token-1", "token-1", "token-1"]);
  await settle();
  assertEquals(source.asked, ["token", "token"]);
  assertEquals(await value(), "token-2");
  assertEquals(events.map(({ type }) => type), ["renewed", "renewed"]);
});

Deno.test("RenewingTokenSource renews a first token near its end at once, and short ones half-way", async () => {
  const { clock, source, value } = setUp(8 * MINUTE);
  await value();
  await value();
  await settle();
  assertEquals(source.asked.length, 2);
  for (let requests = 0; requests < 20; requests++) await value();
  await settle();
  assertEquals(source.asked.length, 2);
  clock.now += 4 * MINUTE;
  await value();
  await settle();
  assertEquals(source.asked.length, 3);
});

Deno.test("RenewingTokenSource tells a source to renew that hands out what it has", async () => {
  const { clock, source, value } = setUp(undefined);
  const held = { value: "cached", expiresAt: clock.now + 60 * MINUTE };
  source.answer = (forced) => forced ? { value: "new", expiresAt: clock.now + 60 * MINUTE } : held;
  await value();
  clock.now += 51 * MINUTE;
  await value();
  await settle();
  assertEquals(source.asked, ["token", "token"]);
  clock.now += 5 * MINUTE;
  assertEquals(await value(), "cached");
  await settle();
  assertEquals(source.asked, ["token", "token", "rejected"]);
  assertEquals(await value(), "new");
});

Deno.test("RenewingTokenSource renews before it answers when the machine has slept for two hours", async () => {
  const { clock, source, value } = setUp(60 * MINUTE);
  await value();
  clock.now += 120 * MINUTE;
  const values = await Promise.all(Array.from({ length: 50 }, value));
  assertEquals(new Set(values), new Set(["token-2"]));
  assertEquals([source.asked.length, source.most], [2, 1]);
});

Deno.test("RenewingTokenSource keeps the old token while it is valid and renewing fails", async () => {
  const { clock, source, value, renewing, events, fresh } = setUp(60 * MINUTE);
  await value();
  source.answer = dead;
  clock.now += 52 * MINUTE;
  for (let requests = 0; requests < 30; requests++) {
    assertEquals(await value(), "token-1");
    await settle();
  }
  assertEquals(source.asked.length, 2);
  const failed = events.filter(({ type }) => type === "failed");
  assertEquals(failed.map((event) => event.type === "failed" && event.kept), [true]);
  assertStringIncludes(failed[0].message, "The old token holds, valid until ");
  assertStringIncludes(renewing.state().text, "the last renewal failed");
  assert(renewing.state().ok);
  clock.now += 30_000;
  source.answer = fresh;
  await value();
  await settle();
  assertEquals(await value(), "token-2");
  assert(!renewing.state().text.includes("failed"));
});

Deno.test("A dead session is one clear error for everybody, once a second at most, and over after the login", async () => {
  const { source, value, renewing, events, waits, fresh } = setUp(60 * MINUTE);
  source.answer = dead;
  for (let round = 0; round < 3; round++) {
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, value));
    for (const outcome of outcomes) {
      assert(outcome.status === "rejected" && outcome.reason instanceof BridgeError);
      assertStringIncludes(outcome.reason.message, "`databricks auth login --profile dev`");
      assertEquals(outcome.reason.status, 401);
    }
  }
  assertEquals(source.asked.length, 3);
  assertEquals(waits, [1000, 1000]);
  assertEquals(events.length, 1);
  assertEquals(renewing.state().ok, false);
  assertStringIncludes(renewing.state().text, "databricks auth login");
  source.answer = fresh;
  assertEquals(await value(), "token-1");
  assertEquals(renewing.state().ok, true);
});

Deno.test("A client that leaves ends its waiting and not the refresh", async () => {
  const { source, renewing, value } = setUp(60 * MINUTE);
  const controller = new AbortController();
  const asking = renewing.token(controller.signal);
  controller.abort(new Error("left"));
  await assertRejects(() => asking, Error, "left");
  assertEquals(await value(), "token-1");
  assertEquals(source.asked.length, 1);
});

Deno.test("rejected() is one forced refresh for all who were refused the same token", async () => {
  const { source, renewing } = setUp(60 * MINUTE);
  const revoked = await renewing.token(signal);
  const refused = Array.from({ length: 50 }, () => renewing.rejected(revoked, signal));
  const asking = Array.from({ length: 50 }, () => renewing.token(signal));
  const tokens = await Promise.all([...refused, ...asking]);
  assertEquals(new Set(tokens.map(({ value }) => value)), new Set(["token-2"]));
  assertEquals((await renewing.rejected(revoked, signal)).value, "token-2");
  assertEquals(source.asked, ["token", "rejected"]);
  assertEquals(source.most, 1);
});

Deno.test("rejected() waits for a refresh that runs, and forces none where that brought another token", async () => {
  const { clock, source, renewing } = setUp(60 * MINUTE);
  const old = await renewing.token(signal);
  clock.now += 55 * MINUTE;
  await renewing.token(signal);
  const tokens = await Promise.all([
    renewing.rejected(old, signal),
    renewing.rejected(old, signal),
  ]);
  assertEquals(tokens.map(({ value }) => value), ["token-2", "token-2"]);
  assertEquals(source.asked, ["token", "token"]);
});

Deno.test("rejected() gives the same token back where there is no other, and asks once a second at most", async () => {
  const { clock, source, renewing } = setUp(undefined);
  source.answer = () => ({ value: "pat", expiresAt: undefined });
  const token = await renewing.token(signal);
  for (let requests = 0; requests < 20; requests++) {
    assertEquals((await renewing.rejected(token, signal)).value, "pat");
  }
  assertEquals(source.asked, ["token", "rejected"]);
  clock.now += 1000;
  await renewing.rejected(token, signal);
  assertEquals(source.asked.length, 3);
});

Deno.test("A forced refresh that fails leaves the token as it is", async () => {
  const { source, renewing, events } = setUp(60 * MINUTE);
  const token = await renewing.token(signal);
  source.answer = dead;
  assertEquals((await renewing.rejected(token, signal)).value, token.value);
  assertEquals((await renewing.token(signal)).value, token.value);
  assertEquals(events.at(-1)?.type, "failed");
});

Deno.test("A token that comes with a past expiry is tried for a while", async () => {
  const { clock, source, value } = setUp(-5 * MINUTE);
  assertEquals(await value(), "token-1");
  assertEquals(await value(), "token-1");
  await settle();
  clock.now += 60_000;
  await value();
  assert(source.asked.length >= 2);
});

Deno.test("The clock may be set back", async () => {
  const { clock, source, value } = setUp(60 * MINUTE);
  source.answer = dead;
  await assertRejects(value, BridgeError);
  clock.now -= 600 * MINUTE;
  await assertRejects(value, BridgeError);
  assertEquals(source.asked.length, 2);
});

Deno.test("The log says until when a token is valid, in local time", async () => {
  const { clock, events, value, renewing } = setUp(60 * MINUTE);
  assertEquals(renewing.state().text, "not asked for yet");
  clock.now = new Date(2026, 10, 26, 13, 5).getTime();
  await value();
  assertEquals(events.map(({ message }) => message), ["token renewed, valid until 14:05"]);
  assertEquals(renewing.state().text, "valid until 14:05");
  clock.now = new Date(2026, 10, 26, 23, 30).getTime();
  await value();
  assertEquals(renewing.state().text, "valid until 2026-11-27 00:30");
});

Deno.test("The secrets are the last tokens, in an array that stays the same", async () => {
  const { clock, renewing, value } = setUp(60 * MINUTE);
  const { secrets } = renewing;
  for (let renewals = 0; renewals < 20; renewals++) {
    clock.now += 120 * MINUTE;
    assert(secrets.includes(await value()));
  }
  assertEquals(secrets.length, 8);
});

Deno.test("close() ends what runs, and nobody is answered after it", async () => {
  const { source, renewing } = setUp(60 * MINUTE);
  source.answer = dead;
  const asking = renewing.token(signal);
  await renewing.close();
  await assertRejects(() => asking);
  await assertRejects(() => renewing.token(signal));
});

/** A gateway that accepts the tokens of the moment. */
function testGateway(clock: { now: number }, known: Map<string, number | undefined>) {
  const revoked = new Set<string>();
  let refused = 0;
  const send = async ({ value }: Token) => {
    await turn();
    const expiresAt = known.get(value);
    if (!known.has(value) || revoked.has(value) || clock.now >= (expiresAt ?? Infinity)) {
      refused++;
      return { ok: false as const, status: 403, text: "Invalid Token" };
    }
    return { ok: true as const };
  };
  return { send, revoked, refused: () => refused };
}

Deno.test("No client sees a 401 in 200 streams, 50 at once, over ten expiries of tokens that live for 2 s", async () => {
  const random = randomFromEnvironment("expiries");
  const { clock, source, renewing, fresh } = setUp(2000);
  const known = new Map<string, number | undefined>();
  source.answer = () => {
    const token = fresh();
    known.set(token.value, token.expiresAt);
    return token;
  };
  const gateway = testGateway(clock, known);
  const begun = clock.now;
  let left = 200;
  const stream = async () => {
    const answer = await authorize(renewing, gateway.send, signal, () => clock.now);
    assert(answer.ok, `refused after ${clock.now - begun} ms`);
    for (let turns = random.integer(20, 100); turns > 0; turns--) await turn();
  };
  let running = 50;
  const client = async () => {
    while (left-- > 0) await stream();
    running--;
  };
  const clients = Array.from({ length: 50 }, client);
  while (running > 0) {
    clock.now += random.integer(50, 150);
    await turn();
  }
  await Promise.all(clients);
  assert(clock.now - begun >= 20_000, `only ${clock.now - begun} ms passed`);
  assertEquals(source.most, 1);
  assert(source.asked.length >= 10);
});

Deno.test("A revoked token is one forced refresh for 50 requests, and none of them fails", async () => {
  const { clock, source, renewing, fresh } = setUp(60 * MINUTE);
  const known = new Map<string, number | undefined>();
  source.answer = () => {
    const token = fresh();
    known.set(token.value, token.expiresAt);
    return token;
  };
  const gateway = testGateway(clock, known);
  const ask = () => authorize(renewing, gateway.send, signal);
  assert((await ask()).ok);
  gateway.revoked.add("token-1");
  const answers = await Promise.all(Array.from({ length: 50 }, ask));
  assert(answers.every(({ ok }) => ok));
  assertEquals(source.asked, ["token", "rejected"]);
});

Deno.test("A gateway that refuses every token gets each request twice, and its words reach the client with the command", async () => {
  const { source, renewing } = setUp(60 * MINUTE);
  let sent = 0;
  const refusal = { ok: false as const, status: 401, text: "Invalid Token" };
  const send = () => Promise.resolve((sent++, refusal));
  assertEquals(await authorize(renewing, send, signal), refusal);
  assertEquals([sent, source.asked.length], [2, 2]);
  const error = withRemedy(
    new BridgeError("gateway", "Invalid Token", { status: 401, refused: true }),
    renewing,
  );
  assertEquals([error.status, error.refused], [401, true]);
  assertStringIncludes(error.message, "Invalid Token [fd-bridge:");
  assertStringIncludes(error.message, "`databricks auth login --profile dev`");
});

Deno.test("A refusal for another reason forces nothing", async () => {
  const { source, renewing } = setUp(60 * MINUTE);
  const text = '{"error_code":"PERMISSION_DENIED","message":"User lacks permission"}';
  const answer = await authorize(
    renewing,
    () => Promise.resolve({ ok: false as const, status: 401, text }),
    signal,
  );
  assertEquals(answer.ok, false);
  assertEquals(source.asked, ["token"]);
});

/** Status and body → whether they are about the token. */
const REFUSALS: readonly [boolean, number, unknown][] = [
  [true, 400, "Invalid Token"],
  [true, 403, "Invalid Token"],
  [true, 403, { error_code: 403, message: "Invalid access token." }],
  [true, 403, { error_code: "PERMISSION_DENIED", message: "Invalid access token" }],
  [true, 403, { error: { message: "The access token has expired", type: "permission_error" } }],
  [true, 403, "Unable to parse the provided token"],
  [true, 401, ""],
  [true, 401, {}],
  [true, 401, "Unauthorized"],
  [true, 401, {
    error_code: 401,
    message: "Credential was not sent or was of an unsupported type",
  }],
  [true, 401, { error: { message: "Token is expired", type: "authentication_error" } }],
  [true, 401, { message: "The access token expired", error_code: "UNAUTHENTICATED" }],
  [true, 401, "<html><title>401 Authorization Required</title></html>"],
  [false, 400, { message: "Invalid token count: max_tokens must be positive" }],
  [false, 400, "Bad request"],
  [false, 401, { message: "User does not have permission to use this model" }],
  [false, 401, { error_code: "PERMISSION_DENIED", message: "You may not do this" }],
  [false, 401, {
    error: { message: "Incorrect API key provided: sk-***", code: "invalid_api_key" },
  }],
  [false, 401, { error: { message: "This model needs approval", type: "authentication_error" } }],
  [false, 401, { message: "Source IP address is blocked by the IP access list" }],
  [false, 403, ""],
  [false, 403, "Forbidden"],
  [false, 403, { message: "Source IP address: 1.2.3.4 is blocked by Databricks IP ACL" }],
  [false, 403, {
    message: "The endpoint is temporarily disabled due to a Databricks-set rate limit of 0.",
  }],
  [false, 403, { message: "Provided OAuth token does not have required scopes: all-apis" }],
  [false, 404, "Invalid Token"],
  [false, 500, "token expired"],
];

Deno.test("refusesToken() tells a refused token from other refusals", () => {
  for (const [expected, status, body] of REFUSALS) {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    assertEquals(refusesToken(status, text), expected, `${status} ${text}`);
  }
});

Deno.test({
  name: "A scripted CLI is never run twice at once, whatever 200 requests do with short tokens",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using programs = await tokenPrograms("slow");
    const events: TokenEvent[] = [];
    const renewing = new RenewingTokenSource(
      new DatabricksCliSource({
        label: "profile dev (databricks-cli)",
        profile: "dev",
        run,
        env: { PATH: programs.path },
      }),
      { onEvent: (event) => events.push(event), sleep: () => Promise.resolve() },
    );
    await Promise.all(Array.from({ length: 200 }, () => renewing.token(signal)));
    assertEquals((await programs.calls()).length, 1);
    const revoked = await renewing.token(signal);
    await programs.play("cached");
    await Promise.all(Array.from({ length: 100 }, () => renewing.rejected(revoked, signal)));
    const calls = await programs.calls();
    assertEquals(calls.filter((call) => call.includes("--force-refresh")).length, 1);
    assertEquals(calls.length, 2);
    await programs.play("over");
    await assertRejects(() => renewing.refresh(signal), BridgeError, "is over");
    await programs.play("hour");
    assertEquals((await renewing.refresh(signal)).value, "token-4");
    assertEquals(await programs.overlaps(), 0);
    assertEquals(events.map(({ type }) => type), ["renewed", "renewed", "failed", "renewed"]);
  },
});
