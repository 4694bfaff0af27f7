"""A wait is bounded by default_timeout, due when it is due, and takes no slot with it (PRODUCT 3.1, 3.2)."""

import json
import time

import pytest
from boxes import ENDLESS, chat, talker


@pytest.mark.sim(config=ENDLESS)
def test_sixty_timeouts_in_a_row_leave_every_slot_usable(sim, proxy, wire):
    server = proxy("--max-concurrent", 3, "--max-queue-size", 100, "--default-timeout", "0.3")
    held = [wire(server.url) for _ in range(3)]
    for connection in held:
        connection.send(chat())
    server.wait_for(lambda stats: stats["in_progress"] == 3)
    waiting = [wire(server.url) for _ in range(60)]
    for connection in waiting:
        connection.send(chat())
    for connection in waiting:
        answer = connection.read_answer()
        assert answer.status == 503
        assert answer.get("Retry-After")
        assert "deadline" in json.loads(answer.body)["error"]
    stats = server.wait_for(lambda stats: stats["timeout"] == 60 and stats)
    assert stats["in_progress"] == 3
    assert stats["max_wait_time_ms"] >= 300
    for connection in held:
        connection.close()
    server.wait_for(lambda stats: stats["in_progress"] == 0)
    # all three slots at once again
    again = [wire(server.url) for _ in range(3)]
    for connection in again:
        connection.send(chat())
    for connection in again:
        assert connection.read_head().status == 200
    assert server.stats()["in_progress"] == 3
    for connection in again:
        connection.close()
    server.wait_for(lambda stats: stats["cancelled"] == 6)


@pytest.mark.sim(config=ENDLESS)
def test_the_bound_fires_when_it_is_due_not_at_the_head_of_the_queue(proxy, wire):
    server = proxy("--max-concurrent", 1, "--default-timeout", "0.4")
    running = wire(server.url)
    running.send(chat())
    server.wait_for(lambda stats: stats["in_progress"] == 1)
    begun = time.monotonic()
    waiting = [wire(server.url) for _ in range(5)]
    for connection in waiting:
        connection.send(chat())
    for connection in waiting:
        assert connection.read_answer().status == 503
    waited = time.monotonic() - begun
    assert 0.39 < waited < 1.5
    # a running job is bounded by nothing of the queue
    assert running.read_head().status == 200
    running.close()
    server.wait_for(lambda stats: stats["cancelled"] == 1)
    assert all(line["queue_wait_ms"] >= 399 for line in server.log_lines() if line["error_type"] == "queue_timeout")


@pytest.mark.sim(config=talker(10, 50, num_parallel=1))
def test_order_is_first_in_first_out_and_waits_are_told(proxy, wire):
    server = proxy("--max-concurrent", 1, "--concurrency", "fixed")
    connections = []
    for number in range(4):
        connections.append(wire(server.url))
        connections[-1].send(chat(headers=[("X-Request-Id", f"job-{number}")]))
        server.wait_for(lambda stats, n=number: stats["in_progress"] + stats["queued"] + stats["completed"] == n + 1)
    waits = []
    for connection in connections:
        answer = connection.read_answer()
        assert answer.status == 200
        waits.append(int(answer.get("X-Queue-Wait-Ms")))
    assert waits == sorted(waits)
    assert waits[-1] > 300
    lines = server.wait_log(4)
    assert [line["request_id"] for line in lines] == [f"job-{number}" for number in range(4)]
    for line, wait in zip(lines, waits):
        assert int(line["queue_wait_ms"]) == wait
    stats = server.stats()
    assert stats["total_wait_time_ms"] == pytest.approx(sum(line["queue_wait_ms"] for line in lines), abs=0.01)
    assert stats["avg_wait_time_ms"] == pytest.approx(stats["total_wait_time_ms"] / 4, abs=0.01)


@pytest.mark.sim(config=ENDLESS)
def test_living_jobs_are_listed(proxy, wire):
    server = proxy("--max-concurrent", 1)
    first, second = wire(server.url), wire(server.url)
    first.send(chat(headers=[("X-Request-Id", "one"), ("X-Project-Name", "p1")]))
    assert first.read_head().status == 200
    second.send(chat(headers=[("X-Request-Id", "two")]))
    server.wait_for(lambda stats: stats["queued"] == 1)
    one, two = server.requests()
    assert (one["id"], one["state"], one["project"], one["model"], one["operation"]) == ("one", "streaming", "p1", "m", "chat")
    assert (two["id"], two["state"], two["project"], two["place"]) == ("two", "queued", "127.0.0.1", 1)
    assert two["wait_ms"] >= 0
    first.close()
    second.close()
    server.wait_for(lambda stats: stats["cancelled"] == 2)
