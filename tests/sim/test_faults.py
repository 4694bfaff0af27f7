"""Faults on demand: each breaks just the requests it was asked to, in the way it says."""

import json
import time

import pytest

CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "options": {"num_predict": 8}}
WHOLE = CHAT | {"stream": False}


@pytest.fixture(scope="module")
def shared():
    from conftest import Sim

    server = Sim()
    server.ask("POST", "/api/generate", {"model": "tiny", "keep_alive": -1})
    yield server
    server.stop()


@pytest.fixture
def sim(shared):
    yield shared
    assert shared.ask("POST", "/api/chat", WHOLE).status == 200, "the fault is used up"


def send(sim, body=None):
    connection = sim.connect()
    connection.send("POST", "/api/chat", body or CHAT)
    return connection


@pytest.mark.parametrize("kind", ["reset_before_head", "close_before_head"])
def test_no_head(sim, kind):
    sim.fault("/api/chat", kind)
    connection = send(sim)
    if kind == "reset_before_head":
        with pytest.raises(ConnectionResetError):
            connection.read()
    else:
        assert connection.read() is None and connection.at_end()


def test_count_and_path(sim):
    sim.fault("/api/chat", "status_500", count=2)
    assert sim.ask("POST", "/api/generate", {"model": "tiny"}).status == 200
    assert [sim.ask("POST", "/api/chat", WHOLE).status for _ in range(3)] == [500, 500, 200]


def test_stall_before_head(sim):
    sim.fault("/api/chat", "stall_before_head", ms=300)
    started = time.monotonic()
    assert send(sim).read().complete
    assert time.monotonic() - started > 0.29


def test_silent_until_the_client_leaves(sim):
    sim.fault("/api/chat", "silent")
    before = sim.state()["clients_aborted"]
    with sim.connect(timeout=0.2) as connection:
        connection.send("POST", "/api/chat", CHAT)
        with pytest.raises(TimeoutError):
            connection.read()
    sim.wait_for(lambda state: state["clients_aborted"] == before + 1)


def test_413_before_the_body_was_read(sim):
    sim.fault("/api/chat", "early_413")
    with sim.connect() as connection:
        connection.send_raw(f"POST /api/chat HTTP/1.1\r\nHost: {connection.host}\r\nContent-Length: 100000000\r\n\r\n".encode())
        answer = connection.read()
        assert answer.status == 413 and answer.header("Connection") == "close"


@pytest.mark.parametrize("kind, start", [("malformed_head", b"HTTP/1.1 two hundred"), ("half_head", b"HTTP/1.1 200 OK\r\nContent-Type: appl")])
def test_broken_heads(sim, kind, start):
    sim.fault("/api/chat", kind)
    assert send(sim).reader.rest().startswith(start)


def test_103_comes_before_the_head(sim):
    sim.fault("/api/chat", "header_103")
    connection = send(sim)
    assert connection.read().status == 103
    assert connection.read().status == 200


@pytest.mark.parametrize("kind", ["die_mid_stream", "truncate"])
def test_stream_ends_without_its_last_chunk(sim, kind):
    sim.fault("/api/chat", kind, after_lines=3)
    before = sim.model("tiny:latest")["aborted"]
    answer = send(sim).read()
    whole_lines = [chunk for chunk in answer.chunks if chunk.endswith(b"\n")]
    assert answer.status == 200 and not answer.complete and len(whole_lines) == 3
    assert sim.wait_for_model("tiny:latest", aborted=before + 1, running=0)


def test_reset_mid_stream(sim):
    sim.fault("/api/chat", "reset_mid_stream", after_lines=2)
    with pytest.raises(ConnectionResetError):
        send(sim).read()


def test_malformed_chunk(sim):
    sim.fault("/api/chat", "malformed_chunk", after_lines=1)
    data = send(sim).reader.rest()
    assert b"\r\nzz\r\n" in data and data.count(b'"done"') == 1


def test_stall_mid_stream(sim):
    sim.fault("/api/chat", "stall_mid_stream", after_lines=2, ms=300)
    connection = send(sim)
    started = time.monotonic()
    answer = connection.read()
    assert answer.complete and len(answer.lines()) == 9
    assert time.monotonic() - started > 0.25


@pytest.mark.parametrize("kind", ["die_mid_stream", "truncate", "malformed_chunk"])
def test_whole_answer_is_cut(sim, kind):
    sim.fault("/api/chat", kind)
    answer = send(sim, WHOLE).read()
    assert answer.framing == "length" and not answer.complete and answer.body


def test_garbage_after_the_end(sim):
    sim.fault("/api/chat", "garbage_after_end")
    connection = send(sim, WHOLE)
    assert connection.read().complete
    assert connection.reader.until(b"belongs to nobody") is not None


def test_idle_connection_is_closed(sim):
    sim.fault("/api/chat", "close_idle", ms=50)
    connection = send(sim, WHOLE)
    answer = connection.read()
    assert answer.complete and answer.header("Connection") is None
    assert connection.at_end()


@pytest.mark.parametrize("body", [CHAT, WHOLE], ids=["stream", "whole"])
def test_no_length_ends_with_the_connection(sim, body):
    sim.fault("/api/chat", "no_length_keepalive")
    answer = send(sim, body).read()
    assert answer.framing == "close" and answer.header("Connection") is None
    assert answer.lines()[-1]["done"]


def test_big_head_and_big_chunk(sim):
    sim.fault("/api/chat", "big_head", bytes=300000)
    assert len(send(sim, WHOLE).read().header("Big")) == 300000
    sim.fault("/api/chat", "big_chunk", bytes=5 << 20, after_lines=1)
    assert max(len(chunk) for chunk in send(sim).read().chunks) > 5 << 20


def test_repeat_limit_ends_without_a_done_line(sim):
    many = CHAT | {"options": {"num_predict": 100}}
    sim.fault("/api/chat", "repeat_limit", count=2)
    answer = send(sim, many).read()
    assert answer.complete and len(answer.lines()) == 30
    assert not any(line["done"] for line in answer.lines())
    assert len({line["message"]["content"] for line in answer.lines()[1:]}) == 1
    whole = send(sim, many | {"stream": False}).read()
    assert whole.status == 200 and whole.json()["done"] is False and "total_duration" not in whole.json()
    sim.fault("/v1/chat/completions", "repeat_limit")
    answer = sim.ask("POST", "/v1/chat/completions", {"model": "tiny", "stream": True, "messages": CHAT["messages"]})
    assert answer.complete and b"[DONE]" not in answer.body


@pytest.mark.parametrize("body", [{}, {"path": "/x", "kind": "nonsense"}, {"path": "/x", "kind": "silent", "count": 0}], ids=str)
def test_bad_rules_are_refused(sim, body):
    assert sim.ask("POST", "/sim/faults", body).status == 400


def test_reset_forgets_rules(sim):
    sim.fault("*", "silent", count=100)
    sim.ask("POST", "/sim/reset")
    assert sim.ask("GET", "/api/version").status == 200


def pipeline(connection, *requests):
    data = b""
    for method, path, body in requests:
        text = json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {connection.host}\r\nContent-Length: {len(text)}\r\n\r\n"
        data += head.encode() + text
    connection.send_raw(data)


def test_close_in_mid_stream_starts_no_pipelined_request(sim):
    endless = {"model": "slow", "prompt": "x"}
    sim.fault("/api/chat", "close_idle", ms=100)
    before = sim.model("slow:latest")["requests"]
    with sim.connect() as connection:
        chat = ("POST", "/api/chat", WHOLE)
        pipeline(connection, chat, ("POST", "/api/generate", endless), ("POST", "/api/generate", endless))
        assert connection.read().complete
        assert connection.reader.rest() is not None
    state = sim.wait_for_model("slow:latest", references=0, loading=False)
    assert state["requests"] == before + 1


def test_half_close_starts_no_pipelined_request(sim):
    endless = ("POST", "/api/generate", {"model": "slow", "prompt": "x"})
    before = sim.model("slow:latest")["requests"]
    with sim.connect() as connection:
        pipeline(connection, endless, endless)
        connection.reader.until(b"w1")
        connection.socket.shutdown(1)
        assert connection.reader.rest().endswith(b"0\r\n\r\n")
    state = sim.wait_for_model("slow:latest", references=0)
    assert state["requests"] == before + 1


def test_stalled_whole_answer_is_followed_by_the_pipelined_one(sim):
    sim.fault("/api/chat", "stall_mid_stream", ms=50)
    with sim.connect() as connection:
        pipeline(connection, ("POST", "/api/chat", WHOLE), ("POST", "/api/chat", WHOLE))
        assert [connection.read().complete for _ in range(2)] == [True, True]


def test_answer_without_a_handler_can_be_cut(sim):
    sim.fault("/nope", "die_mid_stream")
    answer = sim.ask("GET", "/nope")
    assert answer.status == 404 and not answer.complete
