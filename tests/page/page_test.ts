/**
 * The page in Debian's Chromium: `deno task test:page`. Where no browser can be had, every test is
 * skipped, and the reason is told.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import axe from "axe-core";
import type { Browser, Page as Tab } from "playwright-core";
import { startBrowser } from "../helpers/browser.ts";
import { type PageServer, startPage } from "../helpers/page_server.ts";

// What is handed to `evaluate` and `waitForFunction` runs in the browser, where these are there.
// deno-lint-ignore no-explicit-any
declare const document: any;
declare const getComputedStyle: (element: unknown) => { readonly backgroundColor: string };

const started = await startBrowser();
const browser = typeof started === "string" ? undefined : started;
if (typeof started === "string") console.error(`The page's tests are skipped: ${started}.`);

/** A test in a tab of its own. A tab that complains of anything fails it. */
function test(
  name: string,
  run: (tab: Tab, server: PageServer) => Promise<void>,
  { page, tab: options }: {
    page?: Parameters<typeof startPage>[0];
    tab?: Parameters<Browser["newContext"]>[0];
  } = {},
) {
  Deno.test({
    name,
    ignore: browser === undefined,
    // The browser is shared by all tests.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using server = await startPage(page);
      const context = await browser!.newContext(options);
      const complaints: string[] = [];
      try {
        const tab = await context.newPage();
        tab.setDefaultTimeout(10_000);
        tab.on("pageerror", (error) => complaints.push(String(error)));
        tab.on("console", (message) => {
          if (/Content Security Policy/i.test(message.text())) complaints.push(message.text());
        });
        await run(tab, server);
      } finally {
        await context.close();
      }
      assertEquals(complaints, []);
    },
  });
}

const ROWS = "#requests tbody tr.row:not([hidden])";

async function open(tab: Tab, server: PageServer): Promise<void> {
  await tab.goto(server.url);
  await tab.waitForFunction(() => document.getElementById("connection")!.textContent === "live");
}

async function waitForRows(tab: Tab, count: number): Promise<void> {
  await tab.waitForFunction(
    ([rows, count]) => document.querySelectorAll(rows as string).length === count,
    [ROWS, count],
  );
}

/** What axe-core finds that is serious or worse. */
async function violations(tab: Tab): Promise<unknown[]> {
  // Debugging gets past the policy; the page itself could not load this.
  await tab.evaluate(axe.source);
  return await tab.evaluate(async () => {
    // deno-lint-ignore no-explicit-any
    const { violations, passes } = await (globalThis as any).axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
    });
    if (passes.length < 20) throw new Error(`axe-core looked at ${passes.length} rules only`);
    return violations
      .filter(({ impact }: { impact: string }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }: { id: string; nodes: { html: string; failureSummary: string }[] }) => [
        id,
        ...nodes.slice(0, 3).map(({ html, failureSummary }) => `${html} ${failureSummary}`),
      ]);
  });
}

test(
  "a stream shows up while it runs, with a line that moves, and becomes a row",
  async (tab, server) => {
    await open(tab, server);
    const exchange = server.begin({ model: "databricks-gpt-5", client: "codex_cli_rs/1" });
    exchange.pieces = 5;
    const item = tab.locator("#running li");
    await item.waitFor();
    assertStringIncludes(await item.innerText(), "databricks-gpt-5");
    assertStringIncludes(await item.innerText(), "codex_cli_rs");
    const line = tab.locator("#running polyline");
    const before = await line.getAttribute("points");
    exchange.pieces = 40;
    await tab.waitForFunction(
      (before) => document.querySelector("#running polyline")?.getAttribute("points") !== before,
      before,
    );
    await tab.waitForFunction(() =>
      /\b40 tokens/.test(document.querySelector("#running")!.textContent!)
    );
    exchange.end({
      status: 200,
      ending: "stop",
      usage: { prompt_tokens: 9, completion_tokens: 40 },
    });
    await waitForRows(tab, 1);
    await item.waitFor({ state: "detached" });
    assertStringIncludes(await tab.locator(ROWS).innerText(), "databricks-gpt-5");
  },
);

test("filters show the rows of a model, a client and a status", async (tab, server) => {
  server.add({ model: "model-a", client: "ForgeCode/1" });
  server.add({ model: "model-a", client: "codex/1" });
  server.add({ model: "model-b", error: { status: 502, message: "broken" } });
  await open(tab, server);
  await waitForRows(tab, 3);
  await tab.selectOption("#filter-model", "model-a");
  await waitForRows(tab, 2);
  await tab.selectOption("#filter-client", "codex");
  await waitForRows(tab, 1);
  // What arrives meanwhile is filtered, too.
  server.add({ model: "model-b", client: "codex/1" });
  server.add({ model: "model-a", client: "codex/1" });
  await waitForRows(tab, 2);
  await tab.click("#filters button[type=reset]");
  await waitForRows(tab, 5);
  await tab.selectOption("#filter-status", "error");
  await waitForRows(tab, 1);
  assertStringIncludes(await tab.locator(ROWS).innerText(), "502");
});

test("a row opens with every fact, the advice, and a report to copy", async (tab, server) => {
  const exchange = server.begin();
  exchange.repair("fills missing tool call ids");
  exchange.retry("the connection was refused", 5);
  exchange.end({
    status: 200,
    ending: "stop",
    usage: { prompt_tokens: 1_234, completion_tokens: 5 },
  });
  const failed = server.add({
    error: { status: 429, message: "Exceeded the limit [fd-bridge: wait a little.]" },
  });
  await tab.context().grantPermissions(["clipboard-read", "clipboard-write"], {
    origin: server.url,
  });
  await open(tab, server);
  await waitForRows(tab, 2);
  await tab.locator(ROWS).nth(1).click();
  const details = tab.locator("tr.details");
  for (
    const fact of [
      exchange.id,
      "1,234",
      "fills missing tool call ids",
      "the connection was refused",
      "parallel_tool_calls",
      "chat → chat",
    ]
  ) assertStringIncludes(await details.innerText(), fact);
  await tab.locator(ROWS).nth(1).click();
  await details.waitFor({ state: "detached" });
  await tab.locator(ROWS).nth(0).click();
  assertEquals(await tab.locator(".advice").innerText(), "wait a little.");
  await tab.getByRole("button", { name: "Copy report" }).click();
  await tab.getByRole("button", { name: "Copied" }).waitFor();
  const report = await tab.evaluate<string>("navigator.clipboard.readText()");
  assertStringIncludes(report, failed.id);
  assertStringIncludes(report, "Exceeded the limit");
});

test("usage, plots and health are shown", async (tab, server) => {
  server.add({ tokens: [1_000_000, 100_000, 800_000] });
  await open(tab, server);
  await tab.waitForFunction(() => /1\.0 M/.test(document.getElementById("week")!.textContent!));
  const today = await tab.locator("#today").innerText();
  // 200,000 × $3 + 800,000 × $0.3 + 100,000 × $15, a million.
  assertStringIncludes(today, "$2.34");
  assertStringIncludes(today, "80 %");
  assertStringIncludes(today, "$2.16");
  assertStringIncludes(await tab.locator("#models").innerText(), "databricks-claude-sonnet-4-5");
  assertEquals(await tab.locator("#plot-first svg[role=img]").count(), 1);
  const health = await tab.locator("#health").innerText();
  for (const word of ["answers", "4 more minutes", "models.json"]) {
    assertStringIncludes(health, word);
  }
  assertStringIncludes(await tab.locator("#learned").innerText(), "drops parallel_tool_calls");
});

test("the doctor asks before it runs", async (tab, server) => {
  await open(tab, server);
  await tab.click("#doctor");
  await tab.getByRole("button", { name: "Cancel" }).click();
  assertEquals(server.doctorRuns(), 0);
  await tab.click("#doctor");
  await tab.getByRole("button", { name: "Run it" }).click();
  await tab.waitForFunction(() => document.getElementById("doctor-state")!.textContent === "done");
  assertStringIncludes(await tab.locator("#doctor-report").innerText(), "Everything is well.");
  assertEquals(server.doctorRuns(), 1);
});

test("names from outside are text and never markup", async (tab, server) => {
  const evil =
    `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
  const running = server.begin({ model: evil });
  server.add({ model: evil, client: `${evil}/1`, error: { status: 500, message: evil } });
  server.add({ model: "__proto__", client: "constructor" });
  await open(tab, server);
  await waitForRows(tab, 2);
  await tab.locator("#running li").waitFor();
  await tab.locator(ROWS).nth(1).click();
  await tab.waitForFunction(() => document.querySelectorAll("#models tbody tr").length === 2);
  assertEquals(await tab.locator("main img, main script").count(), 0);
  assertEquals(await tab.title(), "fd-bridge");
  assertStringIncludes(await tab.locator("#requests").innerText(), "<img src=x");
  running.end({ status: 200 });
});

test(
  "a lost connection is told, and what ended meanwhile shows up when it is back",
  async (tab, server) => {
    server.add();
    await open(tab, server);
    await waitForRows(tab, 1);
    await server.stop();
    await tab.waitForFunction(() =>
      /lost/.test(document.getElementById("connection")!.textContent!)
    );
    server.add();
    server.restart();
    // The hub of the old bridge is over; its record is not.
    await tab.waitForFunction(
      () => document.querySelectorAll("#requests tbody tr.row").length === 2,
      undefined,
      { timeout: 15_000 },
    );
  },
);

test("with a key, the page asks for it once", async (tab, server) => {
  server.add();
  await tab.goto(server.url);
  await tab.locator("#login").waitFor();
  assertEquals(await tab.locator("#content").isVisible(), false);
  assertEquals(await tab.evaluate(() => document.activeElement?.id), "key");
  await tab.keyboard.type("wrong");
  await tab.keyboard.press("Enter");
  await tab.waitForFunction(() => document.getElementById("login-error")!.textContent !== "");
  await tab.fill("#key", "the-bridge-key");
  await tab.keyboard.press("Enter");
  await waitForRows(tab, 1);
  const [cookie] = await tab.context().cookies();
  assertEquals([cookie.httpOnly, cookie.sameSite], [true, "Strict"]);
  await tab.reload();
  await waitForRows(tab, 1);
  assertEquals(await tab.locator("#login").isVisible(), false);
}, { page: { keys: () => ["the-bridge-key"] } });

test("the keyboard alone is enough", async (tab, server) => {
  for (const model of ["first", "second", "third"]) server.add({ model });
  await open(tab, server);
  await waitForRows(tab, 3);
  const focused = () =>
    tab.evaluate(() => document.activeElement?.closest("tr")?.textContent ?? "");
  for (let at = 0; at < 20 && !(await focused()).includes("third"); at++) {
    await tab.keyboard.press("Tab");
  }
  assertStringIncludes(await focused(), "third", "Tab reaches the newest row");
  await tab.keyboard.press("ArrowDown");
  assertStringIncludes(await focused(), "second");
  await tab.keyboard.press("Enter");
  const button = tab.locator("button.toggle[aria-expanded=true]");
  assertEquals(await button.count(), 1);
  const controlled = await button.getAttribute("aria-controls");
  assertEquals(await tab.locator(`#${controlled}`).count(), 1);
  await tab.keyboard.press("End");
  assertStringIncludes(await focused(), "first");
  await tab.keyboard.press("Home");
  assertStringIncludes(await focused(), "third");
  await tab.keyboard.press("ArrowDown");
  await tab.keyboard.press("Space");
  assertEquals(await button.count(), 0);
  for (let at = 0; at < 5; at++) {
    await tab.keyboard.press("Tab");
    if (await tab.evaluate(() => document.activeElement?.id) === "doctor") break;
  }
  await tab.keyboard.press("Enter");
  await tab.keyboard.press("Escape");
  assertEquals(await tab.evaluate(() => document.activeElement?.id), "doctor");
  assertEquals(server.doctorRuns(), 0);
});

for (const scheme of ["light", "dark"] as const) {
  for (const width of [1280, 390]) {
    test(
      `axe-core finds nothing serious, ${scheme} at ${width} pixels, and nothing overflows`,
      async (tab, server) => {
        const running = server.begin();
        server.add();
        server.add({ model: `a-model-${"with-a-long-name".repeat(5)}` });
        server.add({ error: { status: 502, message: `no ${"w".repeat(300)} [fd-bridge: wait.]` } });
        await open(tab, server);
        await waitForRows(tab, 3);
        await tab.locator(ROWS).nth(0).click();
        await tab.waitForFunction(() => document.querySelectorAll("#models tbody tr").length > 0);
        assertEquals(await violations(tab), []);
        const background = await tab.evaluate(() =>
          getComputedStyle(document.body).backgroundColor
        );
        const [red] = /\d+/.exec(background)!;
        assertEquals(Number(red) < 128, scheme === "dark", background);
        const over = await tab.evaluate(() =>
          document.documentElement.scrollWidth - document.documentElement.clientWidth
        );
        assert(over <= 0, `${over} pixels too wide`);
        running.end({ status: 200 });
      },
      { tab: { colorScheme: scheme, viewport: { width, height: 900 } } },
    );
  }
}

test("the theme can be chosen, and is kept", async (tab, server) => {
  await open(tab, server);
  const background = () => tab.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await tab.selectOption("#theme", "dark");
  const dark = await background();
  assert(light !== dark);
  await tab.reload();
  assertEquals(await background(), dark);
}, { tab: { colorScheme: "light" } });

test("a thousand rows and sixteen streams take less than 5 % of a core", async (tab, server) => {
  for (let at = 0; at < 1_000; at++) server.add({ model: `model-${at % 30}` });
  const streams = Array.from({ length: 16 }, (_, at) => server.begin({ model: `stream-${at}` }));
  await open(tab, server);
  await waitForRows(tab, 1_000);
  await tab.waitForFunction(() => document.querySelectorAll("#running li").length === 16);
  const timer = setInterval(() => {
    for (const stream of streams) stream.pieces += 10;
  }, 100);
  try {
    const session = await tab.context().newCDPSession(tab);
    await session.send("Performance.enable");
    const busy = async () => {
      const { metrics } = await session.send("Performance.getMetrics");
      return metrics.find(({ name }) => name === "TaskDuration")!.value;
    };
    // The first drawing is not what is measured.
    await tab.waitForTimeout(2_000);
    const [before, start] = [await busy(), performance.now()];
    await tab.waitForTimeout(6_000);
    const share = (await busy() - before) / ((performance.now() - start) / 1_000);
    console.log(`    ${(100 * share).toFixed(1)} % of a core`);
    assert(share < 0.05, `${(100 * share).toFixed(1)} %`);
  } finally {
    clearInterval(timer);
    for (const stream of streams) stream.end({ status: 200 });
  }
}, { page: { tick: 500 } });

Deno.test({
  name: "the browser ends",
  ignore: browser === undefined,
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () => browser!.close(),
});
