"""An Ollama that is killed, restarted or away loses no waiting job and none that had not begun to answer (PRODUCT 3.10, 3.11)."""

import json
import socket
import threading

import pytest
from boxes import ENDLESS, QUICK, chat, lines_of, talker
from programs import wait_for
from wire import Wire, request


def ask_in_thread(url, answers, number):
    with Wire(url, timeout=60) as connection:
        connection.send(chat(headers=[("X-Request-Id", f"job-{number}")]))
        answers[number] = connection.read_answer()


# 3 sent but not begun to answer (the load takes longer than the test waits), 20 waiting.
LOADING = talker(3, 0, num_parallel=4, load_ms=3000)


@pytest.mark.sim(config=LOADING)
def test_killing_ollama_while_jobs_wait_and_are_sent_loses_none(sim, proxy):
    # with turns nothing is sent before the load is over: test_turns.py kills it there
    server = proxy("--max-concurrent", 3, "--scheduler", "fifo")
    answers = {}
    threads = [threading.Thread(target=ask_in_thread, args=(server.url, answers, n)) for n in range(23)]
    for thread in threads:
        thread.start()
    server.wait_for(lambda stats: stats["in_progress"] == 3 and stats["queued"] == 20)
    sim.wait_for(lambda state: sum(state["request_ids"].get(f"job-{n}", 0) for n in range(23)) == 3)
    sim.kill()
    server.wait_for(lambda stats: stats["in_progress"] == 0 and stats["queued"] == 23)
    sim.restart()
    for thread in threads:
        thread.join()
    assert len(answers) == 23
    for answer in answers.values():
        assert answer.status == 200
        assert lines_of(answer.body)[-1]["done"] is True
    lines = server.wait_log(23)
    assert sum(line["attempts"] == 2 for line in lines) == 3
    assert all(line["attempts"] <= 2 for line in lines)
    # after the restart each ran once
    assert {sim.state()["request_ids"][f"job-{n}"] for n in range(23)} == {1}


@pytest.mark.sim(config=QUICK)
def test_a_request_that_ends_ollama_twice_is_not_sent_a_third_time(sim, proxy, wire):
    server = proxy()
    sim.fault("close_before_head", path="/api/chat", count=3)
    answer = wire(server.url).ask("POST", "/api/chat", b'{"model":"m","messages":[{"role":"user","content":"x"}]}')
    assert answer.status == 502
    assert "127.0.0.1" in json.loads(answer.body)["error"]
    line = server.wait_log(1)[0]
    assert (line["error_type"], line["attempts"], line["http_status"]) == ("upstream_reset", 2, 502)


@pytest.mark.parametrize("kind", ["close_before_head", "reset_before_head"])
@pytest.mark.sim(config=QUICK)
def test_a_request_that_ended_before_its_head_is_sent_again_once(sim, proxy, wire, kind):
    server = proxy()
    sim.fault(kind, path="/api/chat")
    connection = wire(server.url)
    connection.send(chat())
    assert connection.read_answer().status == 200
    assert server.wait_log(1)[0]["attempts"] == 2


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_passes_get_502_and_jobs_wait_within_their_deadline(proxy, wire):
    url = f"http://127.0.0.1:{free_port()}"
    server = proxy("--default-timeout", "0.5", upstream=url)
    answer = wire(server.url).ask("GET", "/api/tags")
    assert answer.status == 502
    assert "refuses connections" in json.loads(answer.body)["error"]
    connection = wire(server.url)
    connection.send(chat())
    answer = connection.read_answer()
    assert answer.status == 503
    assert answer.get("Retry-After")
    assert "does not answer" in json.loads(answer.body)["error"]
    assert {line["error_type"] for line in server.wait_log(2)} == {"upstream_refused", "queue_timeout"}
    assert server.health()["ollama_service"] != "healthy"
    assert server.get("/api/v1/health")[0] == 200
    assert server.get("/api/v1/health?ready=1")[0] == 503


@pytest.mark.sim(config=QUICK)
def test_jobs_that_came_while_ollama_was_away_go_out_when_it_answers(sim, proxy):
    sim.kill()
    server = proxy()
    answers = {}
    threads = [threading.Thread(target=ask_in_thread, args=(server.url, answers, n)) for n in range(5)]
    for thread in threads:
        thread.start()
    server.wait_for(lambda stats: stats["queued"] == 5)
    sim.restart()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers.values()} == {200}


@pytest.mark.sim(config=QUICK)
def test_a_connection_that_ollama_closed_while_idle_costs_nothing(sim, proxy, wire):
    server = proxy()
    connection = wire(server.url)
    for _ in range(50):
        sim.fault("close_idle", path="*", count=1)
        connection.send(chat())
        assert connection.read_answer().status == 200
        assert connection.ask("GET", "/api/tags").status == 200


@pytest.mark.sim(config=ENDLESS)
def test_after_a_break_nothing_is_sent_until_a_probe_was_answered(sim, proxy, wire):
    server = proxy("--max-concurrent", 2)
    first, second = wire(server.url), wire(server.url)
    first.send(chat())
    assert first.read_head().status == 200
    sim.kill()
    second.send(chat())
    first.expect_cut()
    server.wait_for(lambda stats: stats["failed"] == 1 and stats["queued"] == 1)
    assert server.stats()["upstream"]["state"] in ("suspect", "down")
    sim.restart()
    assert second.read_head().status == 200
    second.close()
    server.wait_for(lambda stats: stats["cancelled"] == 1)
    wait_for(lambda: server.stats()["upstream"]["state"] == "up")


@pytest.mark.sim(config=QUICK)
def test_a_reused_connection_that_ended_is_asked_again_for_a_get(sim, proxy, wire):
    server = proxy()
    connection = wire(server.url)
    assert connection.ask("GET", "/api/tags").status == 200
    sim.kill()
    sim.restart()
    assert wait_for(lambda: connection.ask("GET", "/api/tags").status == 200)
    assert connection.ask("POST", "/api/show", b'{"model":"m"}').status == 200
