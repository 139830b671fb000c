/**
 * The parts that the bridge is made of, alone: `Deno.serve` in front, undici behind, one `TransformStream` that
 * reads and writes each event. It checks, repairs, records and retries nothing: about what a bridge of
 * these parts can reach at best. The benchmark runs it with the project's own settings:
 *
 * `deno run --allow-net --allow-env --allow-read bench/baselines/parts.ts PORT GATEWAY`
 *
 * @module
 */

import type { Agent, Dispatcher } from "undici";

/** An answer's body, as undici's callbacks bring it. */
class Body implements Dispatcher.DispatchHandler {
  readonly #pieces: Uint8Array[] = [];
  #request: Dispatcher.DispatchController | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Resolved with the body when the answer's head has come. */
  readonly begun = Promise.withResolvers<ReadableStream<Uint8Array>>();

  onRequestStart(request: Dispatcher.DispatchController): void {
    this.#request = request;
  }

  onResponseStart(): void {
    this.begun.resolve(
      new ReadableStream({
        start: (controller) => void (this.#controller = controller),
        pull: () => this.#request!.resume(),
        cancel: () => this.#request!.abort(new Error("The client left.")),
      }, { highWaterMark: 0 }),
    );
  }

  onResponseData(_request: unknown, piece: Uint8Array): void {
    this.#pieces.push(piece);
    if (this.#pieces.length === 1) queueMicrotask(() => this.#flush());
  }

  onResponseEnd(): void {
    this.#flush();
    this.#controller!.close();
  }

  onResponseError(_request: unknown, cause: Error): void {
    this.begun.reject(cause);
  }

  #flush(): void {
    const pieces = this.#pieces.splice(0);
    if (pieces.length === 0) return;
    const bytes = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
    pieces.reduce((at, piece) => (bytes.set(piece, at), at + piece.length), 0);
    this.#controller!.enqueue(bytes);
    if (this.#controller!.desiredSize! <= 0) this.#request!.pause();
  }
}

/** The strict form of an event's line; nothing for a line that is none. */
function strict(line: string): string {
  if (!line.startsWith("data: ")) return "";
  const data = line.slice(6);
  if (data === "[DONE]") return "data: [DONE]\n\n";
  const chunk = { id: "1", object: "chat.completion.chunk", ...JSON.parse(data) };
  return `data: ${JSON.stringify(chunk)}\n\n`;
}

function eventStream(): TransformStream<Uint8Array, Uint8Array> {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let kept = "";
  return new TransformStream({
    transform(bytes, controller) {
      const lines = (kept + decoder.decode(bytes, { stream: true })).split("\n");
      kept = lines.pop()!;
      controller.enqueue(encoder.encode(lines.map(strict).join("")));
    },
  });
}

if (import.meta.main) {
  const [port, gateway] = Deno.args;
  let agent: Agent | undefined;
  Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen() {} }, async (request) => {
    if (request.method === "GET") return Response.json({ object: "list", data: [] });
    // When it already listens, as in the bridge.
    agent ??= new (await import("undici")).Agent();
    const { parallel_tool_calls: _calls, stream_options: _options, ...body } = await request.json();
    const authorization = request.headers.get("authorization") ?? "";
    const answer = new Body();
    agent.dispatch({
      origin: gateway,
      path: "/mlflow/v1/chat/completions",
      method: "POST",
      headers: { "content-type": "application/json", authorization },
      body: JSON.stringify(body),
    }, answer);
    const bytes = await answer.begun.promise;
    if (!body.stream) return Response.json(await new Response(bytes).json());
    const headers = { "content-type": "text/event-stream" };
    return new Response(bytes.pipeThrough(eventStream()), { headers });
  });
}
