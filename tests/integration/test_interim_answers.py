"""Interim answers of Ollama are passed on and are not the answer (RFC 9110 §15.2, RFC 8297); however many
come and whoever does not read them, none is kept."""

import http.server
import threading

import pytest
from boxes import QUICK, chat, chat_body
from programs import Memory
from wire import request

HINT = b"HTTP/1.1 103 Early Hints\r\nX-Hint: " + b"h" * 200 + b"\r\n\r\n"
FLOOD = 150000  # 34 MB of hints


class Hinting(http.server.BaseHTTPRequestHandler):
    """Sends hints before the answer to /t/flood; says when the last one is gone."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/t/flood":
            for _ in range(FLOOD // 1000):
                self.wfile.write(HINT * 1000)
            self.server.all_sent.set()
        text = b'{"version":"0.1.0","models":[]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def hinting():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hinting) as upstream:
        upstream.daemon_threads = True
        upstream.all_sent = threading.Event()
        upstream.url = f"http://127.0.0.1:{upstream.server_address[1]}"
        threading.Thread(target=upstream.serve_forever, daemon=True).start()
        yield upstream
        upstream.shutdown()


@pytest.mark.sim(config=QUICK)
def test_a_103_comes_before_the_answer_of_a_job(sim, proxy, wire):
    server = proxy()
    sim.fault("header_103", path="/api/chat")
    connection = wire(server.url)
    connection.send(chat())
    assert connection.read_head().status == 103
    assert connection.read_answer().status == 200
    line = server.wait_log(1)[0]
    assert (line["status"], line["http_status"], line["attempts"]) == ("success", 200, 1)


@pytest.mark.sim(config=QUICK)
def test_a_client_of_http_1_0_sees_none(sim, proxy, wire):
    server = proxy()
    sim.fault("header_103", path="/api/chat")
    connection = wire(server.url)
    connection.send(chat().replace(b" HTTP/1.1", b" HTTP/1.0", 1))
    assert connection.read_answer().status == 200


@pytest.mark.sim(config=QUICK)
def test_none_comes_into_an_answer_that_a_heartbeat_began(sim, proxy, wire):
    server = proxy("--heartbeat", "body", "--heartbeat-interval", "0.05")
    server.change("POST", "/api/v1/queue/pause")
    sim.fault("header_103", path="/v1/chat/completions")
    connection = wire(server.url)
    connection.send(request("POST", "/v1/chat/completions", chat_body()))
    assert connection.read_head().status == 200
    connection.read_chunk()
    server.change("POST", "/api/v1/queue/resume")
    rest = b"".join(iter(connection.read_chunk, b""))
    assert b"HTTP/1.1" not in rest and b"[DONE]" in rest


def test_a_flood_that_nobody_reads_is_not_kept(hinting, proxy, wire):
    server = proxy("--scheduler", "fifo", upstream=hinting.url)
    memory = Memory(server)
    connection = wire(server.url, receive_buffer=4096)
    connection.send(request("GET", "/t/flood"))
    assert hinting.all_sent.wait(60)
    memory.check()
    answer = connection.read_answer()
    while answer.status == 103:
        answer = connection.read_answer()
    assert answer.status == 200
