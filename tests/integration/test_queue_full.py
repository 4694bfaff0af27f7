"""A full ring answers 503 with Retry-After, in the shape of the API that was called (PRODUCT 2, 3.1)."""

import json

import pytest
from boxes import ENDLESS, chat
from wire import request

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}], "input": "x", "prompt": "x"}).encode()


def native(error):
    return isinstance(error["error"], str)


def openai(error):
    return set(error["error"]) == {"message", "type", "code", "param"} and error["error"]["code"] == "queue_full"


def anthropic(error):
    return error["type"] == "error" and set(error["error"]) >= {"type", "message"}


SHAPES = [
    ("/api/chat", native),
    ("/api/generate", native),
    ("/api/embed", native),
    ("/api/embeddings", native),
    ("/v1/chat/completions", openai),
    ("/v1/completions", openai),
    ("/v1/embeddings", openai),
    ("/v1/responses", openai),
    ("/v1/audio/transcriptions", openai),
    ("/v1/images/generations", openai),
    ("/v1/messages", anthropic),
    ("/api/v1/chat/completions", openai),
]


@pytest.mark.sim(config=ENDLESS)
def test_a_full_ring_answers_503_in_the_shape_of_the_api(proxy, wire):
    server = proxy("--max-concurrent", 1, "--max-queue-size", 2)
    held = [wire(server.url) for _ in range(3)]
    for connection in held:
        connection.send(chat())
    server.wait_for(lambda stats: stats["in_progress"] == 1 and stats["queued"] == 2)
    for target, is_right in SHAPES:
        answer = wire(server.url).ask("POST", target, BODY)
        assert answer.status == 503, target
        assert 1 <= int(answer.get("Retry-After")) <= 60
        assert answer.get("X-Request-Id")
        assert is_right(json.loads(answer.body)), (target, answer.body)
    assert server.stats()["rejected"] == len(SHAPES)
    # passes never wait behind inference
    assert server.get("/api/tags")[0] == 200
    for connection in held:
        connection.close()
    server.wait_for(lambda stats: stats["cancelled"] == 3)
    assert {line["error_type"] for line in server.log_lines() if line["http_status"] == 503} == {"queue_full"}


@pytest.mark.sim(config=ENDLESS)
def test_a_place_is_free_again_when_its_job_leaves_from_the_middle(proxy, wire):
    server = proxy("--max-concurrent", 1, "--max-queue-size", 3)
    held = [wire(server.url) for _ in range(4)]
    for number, connection in enumerate(held):
        connection.send(chat())
        server.wait_for(lambda stats, n=number: stats["in_progress"] + stats["queued"] == n + 1)
    assert wire(server.url).ask("POST", "/api/chat", BODY).status == 503
    held[2].close()
    server.wait_for(lambda stats: stats["queued"] == 2)
    late = wire(server.url)
    late.send(chat())
    server.wait_for(lambda stats: stats["queued"] == 3)
    for connection in (*held, late):
        connection.close()
    server.wait_for(lambda stats: stats["cancelled"] == 5)


@pytest.mark.sim(config=ENDLESS)
def test_too_many_reading_are_refused(proxy, wire):
    server = proxy("--max-reading", 2)
    held = [wire(server.url) for _ in range(2)]
    for connection in held:
        connection.send(chat()[:-5])
    server.wait_for(lambda stats: stats["reading"] == 2)
    assert wire(server.url).ask("POST", "/api/chat", BODY).status == 503
    for connection in held:
        connection.close()
    server.wait_for(lambda stats: stats["cancelled"] == 2)


@pytest.mark.sim(config=ENDLESS)
def test_a_dripping_body_takes_no_slot_and_no_place(proxy, wire):
    server = proxy("--max-concurrent", 1, "--max-queue-size", 1)
    dripping = [wire(server.url) for _ in range(60)]
    for connection in dripping:
        connection.send(chat()[:-5])
    server.wait_for(lambda stats: stats["reading"] == 60)
    quick = wire(server.url)
    quick.send(request("POST", "/api/chat", BODY))
    assert quick.read_head().status == 200
    for connection in (*dripping, quick):
        connection.close()
    server.wait_for(lambda stats: stats["cancelled"] == 61)
