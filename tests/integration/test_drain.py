"""SIGTERM and SIGINT drain: running and waiting jobs are served, new ones get 503 on an open listener (PRODUCT 7)."""

import json
import signal
import time

import pytest
from boxes import ENDLESS, QUICK, chat, lines_of, talker
from programs import wait_for
from steady import tell
from wire import request


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.sim(config=talker(20, 40, num_parallel=2))
def test_running_and_waiting_jobs_are_served_new_ones_refused(proxy, wire, number):
    server = proxy("--max-concurrent", 2, "--concurrency", "fixed")
    jobs = [wire(server.url) for _ in range(6)]
    for job in jobs:
        job.send(chat())
    server.wait_for(lambda stats: (stats["in_progress"], stats["queued"]) == (2, 4))
    begun = time.monotonic()
    server.signal(number)
    wait_for(lambda: server.get("/api/v1/health")[0] == 503)
    late = wire(server.url)
    late.send(chat())
    answer = late.read_answer()
    assert answer.status == 503
    assert answer.get("Retry-After")
    assert wire(server.url).ask("GET", "/api/tags").status == 503
    for connection in jobs:
        answer = connection.read_answer()
        assert answer.status == 200
        assert lines_of(answer.body)[-1]["done"] is True
    tell(f"drain with 2 running and 4 waiting jobs of 0.5 s: all answered after {time.monotonic() - begun:.2f} s, new ones refused meanwhile")
    server.wait_exit()
    refused = [line for line in server.log_lines() if line["error_type"] == "shutting_down"]
    assert len(refused) == 2


@pytest.mark.sim(config=ENDLESS)
def test_what_still_runs_at_the_end_of_the_drain_is_cut(proxy, wire):
    server = proxy("--max-concurrent", 1, "--drain-timeout", "0.3")
    running, waiting = wire(server.url), wire(server.url)
    running.send(chat())
    assert running.read_head().status == 200
    waiting.send(chat())
    server.wait_for(lambda stats: stats["queued"] == 1)
    server.signal(signal.SIGTERM)
    rest = running.expect_cut()
    assert b'{"error":' in rest
    assert not rest.endswith(b"0\r\n\r\n")
    begun = time.monotonic()
    assert waiting.read_answer().status == 503
    assert time.monotonic() - begun < 0.3
    server.wait_exit()
    assert [line["error_type"] for line in server.log_lines()].count("shutting_down") == 2


@pytest.mark.sim(config=ENDLESS)
def test_a_second_signal_stops_at_once(proxy, wire):
    server = proxy()
    running = wire(server.url)
    running.send(chat())
    assert running.read_head().status == 200
    server.signal(signal.SIGTERM)
    wait_for(lambda: server.get("/api/v1/health")[0] == 503)
    server.signal(signal.SIGTERM)
    running.expect_cut()
    server.wait_exit(5)


@pytest.mark.sim(config=QUICK)
def test_an_idle_proxy_ends_at_once_and_idle_connections_are_closed(proxy, wire):
    server = proxy()
    idle = wire(server.url)
    assert json.loads(idle.ask("GET", "/api/version").body)
    server.signal(signal.SIGTERM)
    idle.expect_end()
    server.wait_exit(3)


@pytest.mark.sim(config=talker(30, 60))
def test_a_kept_connection_is_closed_after_its_last_answer(proxy, wire):
    server = proxy()
    connection = wire(server.url)
    connection.send(chat())
    assert connection.read_head().status == 200
    server.signal(signal.SIGTERM)
    while connection.read_chunk():
        pass
    connection.send(request("GET", "/api/version"))
    assert connection.expect_cut() == b""
    server.wait_exit()


@pytest.mark.sim(config=ENDLESS)
def test_what_was_sent_but_has_no_answer_yet_is_told_to_come_again(sim, proxy, wire):
    server = proxy("--drain-timeout", "0.3")
    sim.fault("silent", path="/api/chat")
    connection = wire(server.url)
    connection.send(chat())
    server.wait_for(lambda stats: stats["in_progress"] == 1)
    server.signal(signal.SIGTERM)
    answer = connection.read_answer()
    assert (answer.status, bool(answer.get("Retry-After"))) == (503, True)
    server.wait_exit()
    line = server.log_lines()[0]
    assert (line["error_type"], line["http_status"], line["attempts"]) == ("shutting_down", 503, 1)
