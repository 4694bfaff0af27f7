"""An operator cancels one request by its id, in every state (PRODUCT 1.3, 2)."""

import json

import jsonschema
import pytest
from boxes import ENDLESS, chat, lines_of
from programs import SCHEMAS
from wire import request

pytestmark = pytest.mark.sim(config=ENDLESS)


def url_of(identifier):
    return f"/api/v1/queue/requests/{identifier}"


def called(identifier):
    return [("X-Request-Id", identifier)]


def test_a_waiting_one_is_told_410(proxy, wire):
    server = proxy("--max-concurrent", 1)
    running, waiting = wire(server.url), wire(server.url)
    running.send(chat())
    running.read_head()
    waiting.send(chat(headers=called("page-7")))
    server.wait_for(lambda stats: stats["queued"] == 1)
    assert server.change("DELETE", url_of("page-7")) == (200, {"id": "page-7", "cancelled": 1})
    answer = waiting.read_answer()
    assert (answer.status, answer.get("X-Request-Id"), answer.get("Retry-After")) == (410, "page-7", None)
    assert json.loads(answer.body)["error"] == "an operator cancelled this request"
    assert server.stats()["cancelled"] == 1
    line = server.wait_log(1)[0]
    assert (line["request_id"], line["http_status"], line["error_type"]) == ("page-7", 410, "cancelled")
    assert "page-7" in server.stderr()
    running.close()


def test_a_running_native_one_is_told_in_a_line_and_cut(sim, proxy, wire):
    server = proxy()
    running = wire(server.url)
    running.send(chat(headers=called("a")))
    running.read_head()
    running.read_chunk()
    assert server.change("DELETE", url_of("a"))[0] == 200
    rest = running.expect_cut()
    assert b"\r\n0\r\n" not in rest
    words = lines_of(b"".join(line for line in rest.split(b"\r\n") if line.startswith(b"{")))
    assert words[-1] == {"error": "an operator cancelled this request"}
    sim.wait_for(lambda state: state["models"]["m:latest"]["references"] == 0)
    line = server.wait_log(1)[0]
    assert (line["http_status"], line["error_type"]) == (200, "cancelled")


def test_a_running_event_stream_is_told_in_an_event_and_cut(proxy, wire):
    server = proxy()
    running = wire(server.url)
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}).encode()
    running.send(request("POST", "/v1/chat/completions", body, called("b")))
    running.read_head()
    running.read_chunk()
    assert server.change("DELETE", url_of("b"))[0] == 200
    rest = running.expect_cut()
    event = [line for line in rest.split(b"\r\n") if line.startswith(b'data: {"error"')][0]
    assert json.loads(event[6:].strip())["error"]["code"] is None or b"cancelled" in event
    assert not rest.endswith(b"0\r\n\r\n")


def test_one_whose_body_is_coming_is_told_410(proxy, wire):
    server = proxy()
    reading = wire(server.url)
    reading.send(b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: slow\r\nContent-Length: 100\r\n\r\n{")
    server.wait_for(lambda stats: stats["reading"] == 1)
    assert server.change("DELETE", url_of("slow"))[0] == 200
    assert reading.read_answer().status == 410


def test_all_of_one_id_are_cancelled(proxy, wire):
    server = proxy("--max-concurrent", 1)
    connections = [wire(server.url) for _ in range(3)]
    for connection in connections:
        connection.send(chat(headers=called("twice")))
    server.wait_for(lambda stats: stats["queued"] == 2)
    status, told = server.change("DELETE", url_of("twice"))
    assert (status, told) == (200, {"id": "twice", "cancelled": 3})
    jsonschema.Draft202012Validator(json.loads((SCHEMAS / "cancel.schema.json").read_text())).validate(told)
    server.wait_for(lambda stats: stats["cancelled"] == 3)


def test_an_unknown_id_is_404(proxy, wire):
    server = proxy()
    status, told = server.change("DELETE", url_of("nobody"))
    assert status == 404 and "no request of this id" in told["error"]
    answer = wire(server.url).ask("GET", url_of("nobody"))
    assert (answer.status, answer.get("Allow")) == (405, "DELETE")
