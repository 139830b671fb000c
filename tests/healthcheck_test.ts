/** `fd-bridge healthcheck`, which a container without a shell asks. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { runOn } from "./helpers/machine.ts";

const UP = () => Response.json({ status: "ok", program: "fd-bridge/1.0.0" });

Deno.test("fd-bridge healthcheck asks the host and port of the settings, and exits with 0", async () => {
  const cases: [env: Record<string, string>, args: string[], url: string][] = [
    [{}, [], "http://127.0.0.1:8080/healthz"],
    [{ FD_BRIDGE_HOST: "0.0.0.0", FD_BRIDGE_PORT: "9191" }, [], "http://127.0.0.1:9191/healthz"],
    [{}, ["--port", "9192"], "http://127.0.0.1:9192/healthz"],
  ];
  for (const [env, args, url] of cases) {
    let asked: string | undefined;
    const { code } = await runOn(["healthcheck", ...args], {
      env: { HOME: "/home/ada", ...env },
      fetch: (request) => {
        asked = request.url;
        return UP();
      },
    });
    assertEquals([code, asked as string | undefined], [0, url]);
  }
});

Deno.test("fd-bridge healthcheck exits with 1 and says what it found where no bridge is up", async () => {
  const cases: [answer: () => Response, words: string][] = [
    [() => {
      throw new TypeError("connection refused");
    }, "gave no answer"],
    [() => Response.json({}, { status: 503 }), "answered 503"],
    [() => new Response("<p>nginx</p>"), "is no fd-bridge"],
    [() => Response.json({ program: "another/1" }), "is no fd-bridge"],
  ];
  for (const [answer, words] of cases) {
    const ran = await runOn(["healthcheck"], {
      env: { HOME: "/home/ada" },
      fetch: answer,
    });
    assertEquals(ran.code, 1);
    assertStringIncludes(ran.err(), words);
  }
});
