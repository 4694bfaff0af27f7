"""An upstream that loads models but never lists them (OLLAMA_KEEP_ALIVE=0 does that): jobs are answered (PRODUCT 3.3)."""

import http.server
import json
import threading

from programs import ask

KNOWN = {
    "/": b"Ollama is running",
    "/api/version": b'{"version":"0.30.0"}',
    "/api/ps": b'{"models":[]}',
    "/api/tags": json.dumps(
        {"models": [{"name": f"{name}:latest", "model": f"{name}:latest", "digest": name * 64} for name in "ab"]}
    ).encode(),
}


class Forgetful(http.server.BaseHTTPRequestHandler):
    """Answers as Ollama does; what it loaded is gone at once."""

    protocol_version = "HTTP/1.1"

    def reply(self, status, data):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        data = KNOWN.get(self.path)
        self.reply(200 if data else 404, data or b"{}")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        if self.path == "/api/show":
            self.reply(200, b'{"capabilities":["completion"]}')
            return
        if self.path == "/api/generate" and not body.get("prompt"):
            self.server.loads.append(body["model"])
        self.reply(200, json.dumps({"model": body["model"], "response": "", "done": True}).encode())

    def log_message(self, *arguments):
        pass


def generate(url, model, answers):
    body = {"model": model, "prompt": "x", "stream": False}
    answers.append(ask(url, "POST", "/api/generate", body, timeout=40)[0])


def test_jobs_are_answered_and_loads_have_an_end(proxy):
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forgetful)
    upstream.daemon_threads = True
    upstream.loads = []
    thread = threading.Thread(target=upstream.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        front = proxy("--scheduler", "turns", upstream=f"http://127.0.0.1:{upstream.server_port}")
        front.wait_for(lambda stats: stats["upstream"]["state"] == "up")
        answers = []
        clients = [threading.Thread(target=generate, args=(front.url, "ab"[i % 2], answers)) for i in range(6)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert answers == [200] * 6
        # two loads each before it is believed; at worst one for each job then
        assert len(upstream.loads) <= 2 * 2 + 6
    finally:
        upstream.shutdown()
        thread.join()
        upstream.server_close()
