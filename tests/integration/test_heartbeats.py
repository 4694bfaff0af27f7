"""A waiting client is told that it still waits, in bytes that it bears (PRODUCT 3.9)."""

import http.server
import json
import subprocess
import threading

import ollama
import openai
import pytest
import requests
from boxes import QUICK, chat, chat_body, lines_of
from programs import wait_for
from wire import request

pytestmark = pytest.mark.sim(config=QUICK)

PAUSE, RESUME = "/api/v1/queue/pause", "/api/v1/queue/resume"
MESSAGES = [{"role": "user", "content": "hi"}]
GENERATE = json.dumps({"model": "m", "prompt": "x"}).encode()


@pytest.fixture
def held(proxy):
    """held(kind, *flags): a proxy that holds every job and sends a heartbeat every 50 ms."""

    def make(kind, *flags):
        server = proxy("--heartbeat", kind, "--heartbeat-interval", "0.05", *flags)
        server.change("POST", PAUSE)
        return server

    return make


def beats_of(connection, count):
    """So many chunks of a committed answer whose head is read; each is one beat."""
    return [connection.read_chunk() for _ in range(count)]


def rest_of(connection):
    chunks = []
    while chunk := connection.read_chunk():
        chunks.append(chunk)
    return b"".join(chunks)


def test_off_means_silence(proxy, wire):
    server = proxy("--heartbeat-interval", "0.05")
    server.change("POST", PAUSE)
    waiting = wire(server.url)
    waiting.send(chat())
    waiting.expect_silence(0.3)
    server.change("POST", RESUME)
    assert waiting.read_answer().status == 200


@pytest.mark.parametrize("scheduler", ["fifo", "turns"])
def test_102_tells_the_place(held, wire, scheduler):
    server = held("processing", "--scheduler", scheduler)
    first, second = wire(server.url), wire(server.url)
    first.send(chat(stream=False))
    server.wait_for(lambda stats: stats["queued"] == 1)
    second.send(chat(stream=False))
    for connection, place in (first, "1"), (second, "2"), (first, "1"):
        head = connection.read_head()
        assert (head.status, head.reason, head.headers) == (102, "Processing", [("X-Queue-Position", place)])
    server.change("POST", RESUME)
    for connection in first, second:
        while (head := connection.read_head()).status == 102:
            pass
        assert head.status == 200 and head.get("X-Queue-Wait-Ms")
        assert json.loads(connection.read_exactly(int(head.get("Content-Length"))))["done"]
    line = server.wait_log(2)[0]
    assert (line["http_status"], line["status"]) == (200, "success")


def test_102_goes_on_while_ollama_is_silent(sim, proxy, wire):
    server = proxy("--heartbeat", "processing", "--heartbeat-interval", "0.05")
    sim.fault("stall_before_head", "/api/chat", ms=400)
    running = wire(server.url)
    running.send(chat(stream=False))
    places = []
    while (head := running.read_head()).status == 102:
        places.append(head.get("X-Queue-Position"))
    assert head.status == 200
    assert len(places) >= 2 and set(places) == {"0"}


def test_102_is_for_http_1_1_and_never_for_python_requests(held, wire):
    server = held("processing", "--default-timeout", "0.5")
    old, python = wire(server.url), wire(server.url)
    body = chat_body()
    old.send(b"POST /api/chat HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    python.send(chat(headers=[("User-Agent", "python-requests/2.34.2")]))
    assert old.read_head().status == 503
    assert python.read_head().status == 503


def test_102_then_an_error_has_its_own_status(held, wire):
    server = held("processing", "--default-timeout", "0.3")
    waiting = wire(server.url)
    waiting.send(chat())
    heads = []
    while not heads or heads[-1].status == 102:
        heads.append(waiting.read_head())
    assert len(heads) > 1 and heads[-1].status == 503
    assert heads[-1].get("Retry-After")


@pytest.mark.parametrize(
    "path,body,key",
    [("/api/chat", chat_body(), "message"), ("/api/generate", GENERATE, "response")],
)
def test_native_streams_get_lines_without_content(held, wire, path, body, key):
    server = held("body")
    waiting = wire(server.url)
    waiting.send(request("POST", path, body, [("X-Request-Id", "w")]))
    head = waiting.read_head()
    assert (head.status, head.get("Content-Type"), head.get("X-Request-Id")) == (200, "application/x-ndjson", "w")
    empty = {"role": "assistant", "content": ""} if key == "message" else ""
    for beat in beats_of(waiting, 3):
        line = json.loads(beat)
        assert list(line) == ["model", "created_at", key, "done"]
        assert (line["model"], line[key], line["done"]) == ("m", empty, False)
    server.change("POST", RESUME)
    lines = lines_of(rest_of(waiting))
    assert lines[-1]["done"]
    logged = server.wait_log(1)[0]
    assert (logged["status"], logged["http_status"], logged["stream"]) == ("success", 200, True)


def test_event_streams_get_comments(held, wire):
    server = held("body")
    waiting = wire(server.url)
    waiting.send(request("POST", "/v1/chat/completions", chat_body()))
    head = waiting.read_head()
    assert (head.status, head.get("Content-Type")) == (200, "text/event-stream")
    assert beats_of(waiting, 2) == [b": waiting\n\n"] * 2
    server.change("POST", RESUME)
    assert rest_of(waiting).endswith(b"data: [DONE]\n\n")


def test_whole_answers_get_spaces_before(held, wire):
    server = held("body")
    for path, body in ("/api/chat", chat_body(stream=False)), ("/v1/embeddings", b'{"model":"e","input":"x"}'):
        server.change("POST", PAUSE)
        waiting = wire(server.url)
        waiting.send(request("POST", path, body))
        head = waiting.read_head()
        assert (head.status, head.get("Content-Type")) == (200, "application/json; charset=utf-8")
        assert beats_of(waiting, 2) == [b" "] * 2
        server.change("POST", RESUME)
        answer = json.loads(rest_of(waiting))
        assert answer["model"] in ("m", "e")


def test_a_committed_stream_tells_a_deadline_in_its_own_form(held, wire):
    server = held("body", "--default-timeout", "0.4")
    native, events, whole = wire(server.url), wire(server.url), wire(server.url)
    native.send(chat())
    events.send(request("POST", "/v1/chat/completions", chat_body()))
    whole.send(request("POST", "/v1/chat/completions", chat_body(stream=False)))
    said = {}
    for name, connection in ("native", native), ("events", events), ("whole", whole):
        assert connection.read_head().status == 200
        rest = connection.expect_cut()
        assert not rest.endswith(b"0\r\n\r\n"), name
        said[name] = rest.split(b"\r\n")[-2]
    assert json.loads(said["native"])["error"].startswith("waited in the queue")
    assert json.loads(said["events"].removeprefix(b"data: "))["error"]["message"].startswith("waited in the queue")
    assert json.loads(said["whole"])["error"]["message"].startswith("waited in the queue")
    for line in server.wait_log(3):
        assert (line["error_type"], line["http_status"]) == ("queue_timeout", 200)
    assert server.stats()["timeout"] == 3


def test_an_error_of_ollama_is_told_in_the_streams_form(held, wire):
    server = held("body")
    native, whole = wire(server.url), wire(server.url)
    native.send(chat(model="nobody"))
    whole.send(request("POST", "/v1/chat/completions", chat_body(stream=False, model="nobody")))
    for connection in native, whole:
        assert connection.read_head().status == 200
        connection.read_chunk()
    server.change("POST", RESUME)
    said = native.expect_cut().split(b"\r\n")
    assert "nobody" in json.loads(said[-2])["error"]
    said = whole.expect_cut().split(b"\r\n")
    assert "nobody" in json.loads(said[-2])["error"]["message"]
    for line in server.wait_log(2):
        assert (line["error_type"], line["http_status"]) == ("upstream_status", 200)
        assert "nobody" in line["error_message"]
    assert server.stats()["completed"] == 2


class Plain(http.server.BaseHTTPRequestHandler):
    """Says the same plain text to everything."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        text = b'{"version":"0.1.0","models":[]}' if self.command == "GET" else b"well"
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if self.command == "GET" else "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_GET

    def log_message(self, *arguments):
        pass


@pytest.fixture
def plain():
    """Its URL."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Plain) as upstream:
        upstream.daemon_threads = True
        threading.Thread(target=upstream.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{upstream.server_address[1]}"
        upstream.shutdown()


def test_an_answer_of_another_form_is_not_mixed_in(plain, proxy, wire):
    # with turns it would be asked to load a model that it never lists
    server = proxy("--heartbeat", "body", "--heartbeat-interval", "0.05", "--scheduler", "fifo", upstream=plain)
    server.change("POST", PAUSE)
    waiting = wire(server.url)
    waiting.send(request("POST", "/v1/chat/completions", chat_body()))
    assert waiting.read_head().status == 200
    waiting.read_chunk()
    server.change("POST", RESUME)
    rest = waiting.expect_cut()
    assert b"well" not in rest and b"another form" in rest and b"data: {" in rest
    assert not rest.endswith(b"0\r\n\r\n")
    assert server.wait_log(1)[0]["error_type"] == "upstream_malformed"


def test_a_cancel_is_told_in_the_streams_form(held, wire):
    server = held("body")
    waiting = wire(server.url)
    waiting.send(chat(headers=[("X-Request-Id", "c")]))
    waiting.read_head()
    waiting.read_chunk()
    assert server.change("DELETE", "/api/v1/queue/requests/c")[0] == 200
    assert json.loads(waiting.expect_cut().split(b"\r\n")[-2])["error"].startswith("an operator")


def test_a_body_that_cannot_be_read_gets_no_beats(held, wire):
    server = held("body", "--default-timeout", "0.3")
    waiting = wire(server.url)
    waiting.send(request("POST", "/api/chat", b"[1,"))
    assert waiting.read_head().status == 503


def resume_later(server):
    """Lets go when some beats are due, from another thread: the client blocks this one."""

    def work():
        wait_for(lambda: server.requests() and server.requests()[0]["wait_ms"] > 200, what="a job that has waited")
        server.change("POST", RESUME)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("kind", ["processing", "body"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("client", ["ollama", "openai", "requests", "curl"])
def test_real_clients_bear_it(held, kind, stream, client):
    server = held(kind)
    thread = resume_later(server)
    body = {"model": "m", "messages": MESSAGES, "stream": stream}
    if client == "ollama":
        answer = ollama.Client(host=server.url).chat("m", MESSAGES, stream=stream)
        text = "".join(part.message.content for part in answer) if stream else answer.message.content
    elif client == "openai":
        answer = openai.OpenAI(base_url=server.url + "/v1", api_key="x").chat.completions.create(**body)
        if stream:
            text = "".join(part.choices[0].delta.content or "" for part in answer if part.choices)
        else:
            text = answer.choices[0].message.content
    elif client == "requests":
        answer = requests.post(server.url + "/v1/chat/completions", json=body, timeout=20)
        assert answer.status_code == 200
        text = answer.text if stream else answer.json()["choices"][0]["message"]["content"]
    else:
        command = ["curl", "-sS", "--noproxy", "*", server.url + "/api/chat", "-d", json.dumps(body)]
        out = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
        text = "".join(line["message"]["content"] for line in lines_of(out))
    thread.join()
    assert "w0" in text or len(text) > 3
