"""A streamed answer reaches the client line by line, as Ollama sends it (PRODUCT 1.5)."""

import json
import re

import pytest
from boxes import QUICK, chat, lines_of, talker
from programs import Memory, wait_for
from wire import request


# a fifth of a second apart: what arrives together was held back, not late
@pytest.mark.sim(config=talker(10, 5))
def test_lines_arrive_one_by_one(proxy, wire):
    connection = wire(proxy().url)
    connection.send(chat())
    head = connection.read_head()
    assert head.status == 200
    assert head.get("Content-Type") == "application/x-ndjson"
    lines = connection.assert_one_line_per_recv(at_least=10)
    assert json.loads(lines[-1])["done"] is True


@pytest.mark.sim(config=QUICK)
def test_each_upstream_chunk_stays_one_chunk(sim, proxy, wire):
    direct = wire(sim.url)
    direct.send(chat())
    through = wire(proxy().url)
    through.send(chat())
    expected = [sorted(json.loads(chunk)) for chunk in direct.read_answer().chunks]
    assert [sorted(json.loads(chunk)) for chunk in through.read_answer().chunks] == expected
    assert len(expected) > 3


@pytest.mark.sim(config=QUICK)
@pytest.mark.parametrize("target", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_server_sent_events_keep_their_framing(sim, proxy, wire, target):
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "input": "hi", "stream": True, "max_tokens": 6}
    asked = request("POST", target, json.dumps(body).encode())
    answers = []
    for url in (sim.url, proxy().url):
        connection = wire(url)
        connection.send(asked)
        answers.append(connection.read_answer())
    direct, through = answers
    assert through.status == direct.status == 200
    assert through.get("Content-Type") == "text/event-stream"
    assert len(through.chunks) == len(direct.chunks)
    assert [chunk[:6] for chunk in through.chunks] == [chunk[:6] for chunk in direct.chunks]


@pytest.mark.sim(config=QUICK)
def test_streams_are_logged_and_counted(proxy, wire):
    server = proxy()
    connection = wire(server.url)
    connection.send(chat(headers=[("X-Project-Name", "Docling_Machine")]))
    answer = connection.read_answer()
    final = lines_of(answer.body)[-1]
    line = server.wait_log(1)[0]
    assert line["operation"] == "chat"
    assert line["status"] == "success"
    assert line["stream"] is True
    assert line["model"] == "m"
    assert line["project_name"] == "Docling_Machine"
    assert line["http_status"] == 200
    assert line["generation_eval_count"] == final["eval_count"]
    assert line["prompt_eval_count"] == final["prompt_eval_count"]
    assert line["model_load_ms"] == pytest.approx(final["load_duration"] / 1e6, abs=0.001)
    assert line["response_bytes"] == len(answer.body)
    assert line["request_id"] == answer.get("X-Request-Id")
    assert line["attempts"] == 1
    stats = server.wait_idle()
    assert stats["completed"] == 1
    assert stats["latency_ms"]["mean"] > 0


# 200 MB that nobody reads: what the proxy may hold of it is its own buffers and no more.
BIG = 200 * 1000 * 1000


@pytest.mark.sim(config=QUICK)
def test_a_stalled_reader_costs_bounded_memory(sim, proxy, wire):
    server = proxy()
    wire(server.url).ask("GET", "/api/version")
    memory = Memory(server)
    connection = wire(server.url, receive_buffer=16384)
    connection.send(request("GET", f"/sim/bytes?n={BIG}"))
    assert connection.read_head().status == 200
    # the stream has stopped when a second look finds nothing more in the socket's buffers
    connection.expect_more_than(100000)
    for _ in range(50):
        memory.check()
        assert server.get("/api/v1/health")[0] == 200


def unsent_bytes(server):
    """{"": of all clients, "most": of one, "limit": the mark of one}"""
    text = server.get("/metrics")[1].decode()
    return {word.strip("_"): int(value) for word, value in re.findall(r"^shared_ollama_client_unsent_(|most_|limit_)bytes (\d+)$", text, re.M)}


@pytest.mark.sim(config=talker(400000, 0))
def test_a_job_whose_reader_stalls_costs_bounded_memory(proxy, wire):
    server = proxy()
    memory = Memory(server)
    connection = wire(server.url, receive_buffer=16384)
    connection.send(chat())
    assert connection.read_head().status == 200
    server.wait_for(lambda stats: stats["in_progress"] == 1)
    for _ in range(50):
        memory.check()
    assert server.stats()["in_progress"] == 1
    # what is held for it is told, and bounded: the mark, and what one turn reads at most beyond it
    held = wait_for(lambda: (unsent := unsent_bytes(server))["most"] >= unsent["limit"] and unsent, what="the mark")
    assert held[""] == held["most"] < 4 * held["limit"]
    connection.close()
    server.wait_for(lambda stats: stats["cancelled"] == 1)
    assert unsent_bytes(server)["most"] < held["limit"]


@pytest.mark.sim(config=talker(20000, 0))
def test_a_slow_reader_gets_every_line(proxy, wire):
    server = proxy()
    connection = wire(server.url, receive_buffer=4096)
    connection.send(chat())
    assert connection.read_head().status == 200
    wait_for(lambda: server.stats()["in_progress"] == 1)
    lines = []
    while chunk := connection.read_chunk():
        lines += lines_of(chunk)
    assert lines[-1]["done"] is True
    assert len(lines) == 20001
