"""A bridge as Python's standard library suggests it: a thread for each connection, a loop over lines.

    python3 threaded.py PORT GATEWAY
"""
import json
import sys
import time
import uuid
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

UNSUPPORTED = {"parallel_tool_calls", "stream_options", "store", "metadata", "logprobs", "top_logprobs"}
GATEWAY = urlsplit(sys.argv[2]).netloc


class Bridge(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def answer(self, status, kind, body=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if body is not None:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if body is not None:
            self.wfile.write(body)

    def do_GET(self):
        self.answer(200, "application/json", b'{"object": "list", "data": []}')

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        sent = {name: value for name, value in request.items() if name not in UNSUPPORTED}
        gateway = HTTPConnection(GATEWAY, timeout=60)
        headers = {"Content-Type": "application/json", "Authorization": self.headers.get("Authorization", "")}
        gateway.request("POST", "/mlflow/v1/chat/completions", json.dumps(sent).encode(), headers)
        answer = gateway.getresponse()
        kind = answer.headers.get("Content-Type", "application/json")
        if "event-stream" in kind:
            self.answer(answer.status, kind)
            self.stream(answer, request.get("model"))
        else:
            self.answer(answer.status, kind, answer.read())
        gateway.close()

    def stream(self, answer, model):
        envelope = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }
        role = {"role": "assistant"}
        for line in answer:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data != b"[DONE]":
                chunk = {**json.loads(data), **envelope}
                for index, choice in enumerate(chunk["choices"]):
                    choice.setdefault("index", index)
                    choice["delta"] = {**role, **choice.get("delta", {})}
                role = {}
                data = json.dumps(chunk).encode()
            self.wfile.write(b"data: " + data + b"\n\n")


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


Server(("127.0.0.1", int(sys.argv[1])), Bridge).serve_forever()
