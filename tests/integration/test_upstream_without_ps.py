"""An upstream that does not tell what is loaded (another OpenAI server): no turns, and no wait for them (PRODUCT 3.3)."""

import contextlib
import http.server
import threading
import time

import pytest
from programs import ask


class Plain(http.server.BaseHTTPRequestHandler):
    """Answers /v1/chat/completions and nothing else."""

    protocol_version = "HTTP/1.1"
    ps = (404, b"not found")

    def reply(self, status, data):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.path == "/api/ps":
            self.reply(*self.ps)
        else:
            self.reply(404, b"not found")

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/v1/chat/completions":
            self.server.asked.append(self.headers["X-Request-Id"])
            time.sleep(self.server.work_s)
            self.reply(200, b'{"object":"chat.completion","choices":[]}')
        else:
            self.reply(404, b"not found")

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def upstream(ps, work_s=0.0):
    handler = type("Handler", (Plain,), {"ps": ps})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.asked = []
    server.work_s = work_s
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def url_of(server):
    return f"http://127.0.0.1:{server.server_port}"


def chat(url, model, request_id):
    body = {"model": model, "messages": [{"role": "user", "content": "x"}]}
    return ask(url, "POST", "/v1/chat/completions", body, headers={"X-Request-Id": request_id}, timeout=30)[0]


@pytest.mark.parametrize("ps", [(404, b"not found"), (200, b"<html>hello</html>"), (200, b"[]"), (500, b"{}")])
def test_jobs_go_at_once(proxy, ps):
    with upstream(ps) as server:
        front = proxy("--scheduler", "turns", upstream=url_of(server))
        front.wait_for(lambda stats: stats["upstream"]["state"] == "up")
        for number in range(6):
            assert chat(front.url, f"model-{number % 3}", f"job-{number}") == 200
        # not 2 s for each, nor for the first
        assert max(line["queue_wait_ms"] for line in front.wait_log(6)) < 1000
        front.stop()
        assert "does not tell what is loaded" in front.stderr()


def test_in_order_of_arrival_within_the_slots(proxy):
    with upstream((404, b""), work_s=0.05) as server:
        front = proxy("--scheduler", "turns", "--max-concurrent", 1, upstream=url_of(server))
        front.wait_for(lambda stats: stats["upstream"]["state"] == "up")
        threads = []
        for number in range(8):
            threads.append(threading.Thread(target=chat, args=(front.url, f"model-{number % 3}", f"job-{number}")))
            threads[-1].start()
            front.wait_for(lambda stats, number=number: stats["received"] == number + 1)
        for thread in threads:
            thread.join()
        assert server.asked == [f"job-{number}" for number in range(8)]
        front.stop()
