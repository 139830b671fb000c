/**
 * The floor: `Deno.serve` in front, `fetch` behind, both bodies handed over as they are. It repairs
 * nothing; what it costs is what Deno costs. The request is read first: Deno 2.8.2 announces no more of a
 * stream's bytes than its first read brought.
 *
 * `deno run --allow-net baselines/passthrough.ts PORT GATEWAY`
 *
 * @module
 */

if (import.meta.main) {
  const [port, gateway] = Deno.args;
  Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen() {} }, async (request) => {
    if (request.method === "GET") return Response.json({ object: "list", data: [] });
    const answer = await fetch(`${gateway}/mlflow/v1/chat/completions`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: request.headers.get("authorization") ?? "",
      },
      body: await request.bytes(),
    });
    const type = answer.headers.get("content-type") ?? "application/json";
    return new Response(answer.body, { status: answer.status, headers: { "content-type": type } });
  });
}
