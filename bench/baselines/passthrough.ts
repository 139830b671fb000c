/**
 * The floor: `Deno.serve` in front, `fetch` behind, the gateway's body handed over as it is. It mends
 * nothing; what it costs is what Deno costs.
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
      body: request.body,
    });
    const type = answer.headers.get("content-type") ?? "application/json";
    return new Response(answer.body, { status: answer.status, headers: { "content-type": type } });
  });
}
