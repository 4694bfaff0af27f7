"""A client that cannot be answered within its patience is told so at once, and its place is kept (PRODUCT 3.5)."""

import json
import threading
import time

import pytest
from boxes import ENDLESS, chat, talker
from doctors import examine
from programs import ask, wait_for
from wire import request

# Half a second each, one at a time.
HALF_A_SECOND = talker(10, 20, num_parallel=1)


def ask_v1(path="/v1/chat/completions", headers=(), model="m", text="hi"):
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    return request("POST", path, json.dumps(body).encode(), headers)


def busy(server, wire, waiting):
    """One runs, so many wait behind it; none of them announces any patience."""
    connections = [wire(server.url) for _ in range(waiting + 1)]
    for connection in connections:
        connection.send(chat(stream=False))
    server.wait_for(lambda stats: stats["queued"] == waiting and stats["in_progress"] == 1)
    return connections


def expect_no_time_left(answer):
    assert answer.status == 503
    assert 1 <= int(answer.get("Retry-After")) <= 60
    assert "time-out" in json.loads(answer.body)["error"]["message"]


@pytest.mark.sim(config=HALF_A_SECOND)
def test_a_refused_client_that_obeys_goes_in_before_later_arrivals(proxy, wire):
    server = proxy("--max-concurrent", 1)
    first = wire(server.url)
    first.send(chat(stream=False))
    assert first.read_answer().status == 200
    earlier = busy(server, wire, 10)
    announced = [("X-Request-Timeout", "4"), ("X-Request-Id", "refused")]
    begun = time.monotonic()
    refused = wire(server.url)
    refused.send(ask_v1(headers=announced, text="page 7"))
    answer = refused.read_answer()
    expect_no_time_left(answer)
    assert time.monotonic() - begun < 1
    told = server.wait_log(2)[-1]
    assert (told["request_id"], told["error_type"], told["http_status"]) == ("refused", "no_time_left", 503)
    later = [wire(server.url) for _ in range(3)]
    for number, connection in enumerate(later):
        connection.send(chat(stream=False, headers=[("X-Request-Id", f"later-{number}")]))
    server.wait_for(lambda stats: stats["queued"] >= 3)
    waiting = [job for job in server.requests() if job["id"].startswith("later")]
    assert len(waiting) == 3
    for job in waiting:
        assert "kept for its client until" in job["reason"]
        assert job["forecast_ms"] > 0
    # what a client that obeys does
    time.sleep(int(answer.get("Retry-After")))
    again = wire(server.url)
    again.send(ask_v1(headers=[("X-Request-Timeout", "30"), ("X-Request-Id", "again")], text="page 7"))
    assert again.read_answer().status == 200
    for connection in earlier + later:
        assert connection.read_answer().status == 200
    order = [line["request_id"] for line in server.wait_log(2 + len(earlier) + len(later) + 1)]
    assert order.index("again") < min(order.index(f"later-{number}") for number in range(3))


@pytest.mark.sim(config=HALF_A_SECOND)
def test_a_client_that_obeys_gets_in_though_the_ring_is_full(proxy, wire):
    server = proxy("--max-concurrent", 1, "--concurrency", "fixed", "--max-queue-size", 4)
    first = wire(server.url)
    first.send(chat(stream=False))
    assert first.read_answer().status == 200
    waiting = busy(server, wire, 3)
    refused = wire(server.url)
    refused.send(ask_v1(headers=[("X-Request-Timeout", "1200ms")], text="page 7"))
    expect_no_time_left(refused.read_answer())
    assert ask(server.url, "POST", "/api/v1/queue/pause", {})[0] == 200
    server.wait_for(lambda stats: stats["in_progress"] == 0)
    while server.stats()["queued"] < 4:
        queued = server.stats()["queued"]
        waiting.append(wire(server.url))
        waiting[-1].send(chat(stream=False))
        server.wait_for(lambda stats: stats["queued"] == queued + 1)
    again, later = wire(server.url), wire(server.url)
    again.send(ask_v1(headers=[("X-Request-Timeout", "60"), ("X-Request-Id", "again")], text="page 7"))
    server.wait_for(lambda stats: stats["queued"] == 5)
    later.send(ask_v1(text="page 8"))
    answer = later.read_answer()
    assert answer.status == 503
    wait_for(lambda: server.log_lines()[-1]["error_type"] == "queue_full", what="the line of the refused job")
    assert ask(server.url, "POST", "/api/v1/queue/resume", {})[0] == 200
    assert again.read_answer().status == 200
    for connection in waiting:
        assert connection.read_answer().status == 200


@pytest.mark.sim(config=ENDLESS)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/vlm/openai"])
def test_python_requests_is_known_to_wait_twenty_seconds(proxy, wire, path):
    server = proxy("--max-concurrent", 1)
    held = busy(server, wire, 25)
    agent = [("User-Agent", "python-requests/2.34.0")]
    refused = wire(server.url)
    refused.send(ask_v1(path, agent))
    expect_no_time_left(refused.read_answer())
    # who announces nothing is held, and what the client says counts more than its name
    for message in (
        request("POST", "/api/chat", b'{"model":"m"}', agent),
        ask_v1(path),
        ask_v1(path, [*agent, ("X-Request-Timeout", "10m")]),
        ask_v1(path, [("User-Agent", "ollama-python/0.6"), ("x-stainless-retry-count", "2"), ("x-stainless-timeout", "20")]),
    ):
        held.append(wire(server.url))
        held[-1].send(message)
    server.wait_for(lambda stats: stats["queued"] == 29)
    assert server.stats()["rejected"] == 1
    for connection in held:
        connection.close()
    server.wait_for(lambda stats: stats["cancelled"] == 30)


@pytest.mark.sim(config=ENDLESS)
def test_a_wait_ends_while_there_is_time_for_an_answer(proxy, wire):
    server = proxy("--max-concurrent", 1)
    running = wire(server.url)
    running.send(chat())
    server.wait_for(lambda stats: stats["in_progress"] == 1)
    begun = time.monotonic()
    waiting = wire(server.url)
    waiting.send(ask_v1(headers=[("X-Stainless-Timeout", "3")]))
    expect_no_time_left(waiting.read_answer())
    # an answer is thought to take a second, nothing was measured
    assert time.monotonic() - begun < 2.9
    assert server.wait_log(1)[0]["error_type"] == "no_time_left"
    running.close()
    server.wait_for(lambda stats: stats["cancelled"] == 1)


@pytest.mark.sim(config=HALF_A_SECOND)
def test_a_patience_shorter_than_any_answer_is_not_believed(proxy, wire):
    server = proxy("--max-concurrent", 1)
    first = wire(server.url)
    first.send(chat(stream=False))
    assert first.read_answer().status == 200
    connections = busy(server, wire, 2)
    doubted = wire(server.url)
    doubted.send(ask_v1(headers=[("X-Request-Timeout", "0.2")]))
    assert doubted.read_answer().status == 200
    for connection in connections:
        assert connection.read_answer().status == 200
    assert server.stats()["patience_doubted"] == 1
    # the doctor tells of it
    result, text = examine(server.url)["patience"]
    assert result == "warn" and text.startswith("1 requests announced less patience")


@pytest.mark.sim(config={"max_loaded_models": 1, "models": [{"name": "a", "load_ms": 2500, "tokens": 3}]})
def test_an_impatient_client_does_not_keep_a_model_from_being_loaded(sim, proxy, wire):
    server = proxy("--scheduler", "turns")
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    statuses = []

    def obey():
        for _ in range(6):
            client = wire(server.url)
            client.send(ask_v1(headers=[("X-Request-Timeout", "2")], model="a"))
            answer = client.read_answer()
            statuses.append(answer.status)
            if answer.status != 503:
                return
            time.sleep(int(answer.get("Retry-After")))

    thread = threading.Thread(target=obey)
    thread.start()
    thread.join()
    assert statuses[0] == 503
    assert statuses[-1] == 200
    told = sim.state()["models"]["a:latest"]
    assert (told["loads"], told["loads_aborted"]) == (1, 0)


@pytest.mark.sim(config=HALF_A_SECOND)
def test_who_will_be_late_is_told_after_the_answer_that_shows_it(sim, proxy, wire):
    server = proxy("--max-concurrent", 1)
    first = wire(server.url)
    first.send(chat(stream=False))
    assert first.read_answer().status == 200
    # what runs takes four times as long as it should
    sim.fault("stall_before_head", path="/api/chat", count=1, ms=1500)
    connections = busy(server, wire, 6)
    begun = time.monotonic()
    waiting = wire(server.url)
    waiting.send(ask_v1(headers=[("X-Request-Timeout", "6")]))
    # at first there is time enough
    server.wait_for(lambda stats: stats["queued"] == 7)
    expect_no_time_left(waiting.read_answer())
    # its own bound, 6 s less a service, is not reached by far
    assert time.monotonic() - begun < 4
    for connection in connections:
        assert connection.read_answer().status == 200
