"""PAUSE holds the queue and RESUME goes on; on wish the models are unloaded meanwhile (PRODUCT 3.8)."""

import json

import jsonschema
import pytest
from boxes import QUICK, chat, chat_body, talker
from programs import SCHEMAS, wait_for

PAUSE, RESUME = "/api/v1/queue/pause", "/api/v1/queue/resume"
# Some seconds for one answer, so that there is something that runs.
SLOW = talker(60, 30)



def test_waiting_and_new_jobs_are_held_and_running_ones_finish(make_sim, proxy, wire):
    server = proxy("--max-concurrent", 1, upstream=make_sim(SLOW).url)
    running, waiting, late = wire(server.url), wire(server.url), wire(server.url)
    running.send(chat())
    running.read_head()
    waiting.send(chat(stream=False))
    server.wait_for(lambda stats: stats["queued"] == 1)
    assert server.change("POST", PAUSE) == (200, {"paused": True, "unload": False, "queued": 1, "in_progress": 1})
    late.send(chat(stream=False))
    assert server.health()["paused"] and server.stats()["paused"]
    while running.read_chunk():
        pass
    stats = server.wait_for(lambda stats: stats["queued"] == 2 and stats["in_progress"] == 0 and stats)
    assert stats["completed"] == 1
    assert {row["reason"] for row in server.requests()} == {"paused by an operator"}
    waiting.expect_silence(0.2)
    assert server.change("POST", RESUME) == (200, {"paused": False, "unload": False, "queued": 2, "in_progress": 0})
    assert waiting.read_answer().status == 200
    assert late.read_answer().status == 200
    assert not server.health()["paused"]


@pytest.mark.sim(config=QUICK)
def test_passes_flow_and_deadlines_go_on(proxy, wire):
    server = proxy("--default-timeout", "0.3")
    server.change("POST", PAUSE)
    waiting = wire(server.url)
    waiting.send(chat())
    assert server.get("/api/tags")[0] == 200
    answer = waiting.read_answer()
    assert (answer.status, json.loads(answer.body)["error"].split(":")[0]) == (503, "waited in the queue until the deadline")


@pytest.mark.parametrize("scheduler", ["fifo", "turns"])
@pytest.mark.parametrize("target,body", [(PAUSE + "?unload=1", None), (PAUSE, {"unload": True})])
def test_models_are_unloaded_once_nothing_runs(make_sim, proxy, wire, scheduler, target, body):
    sim = make_sim(SLOW)
    server = proxy("--scheduler", scheduler, upstream=sim.url)
    running = wire(server.url)
    running.send(chat())
    running.read_head()
    status, told = server.change("POST", target, body)
    assert (status, told["paused"], told["unload"]) == (200, True, True)
    jsonschema.Draft202012Validator(json.loads((SCHEMAS / "pause.schema.json").read_text())).validate(told)
    assert server.stats()["in_progress"] == 1
    while running.read_chunk():
        pass
    wait_for(lambda: server.stats()["runners"] == [], what="nothing loaded")
    held = wire(server.url)
    held.send(chat(stream=False))
    server.wait_for(lambda stats: stats["queued"] == 1)
    assert server.change("POST", RESUME)[0] == 200
    assert held.read_answer().status == 200


@pytest.mark.sim(config=QUICK)
def test_without_the_wish_models_stay(proxy, wire):
    server = proxy()
    assert wire(server.url).ask("POST", "/api/chat", chat_body(stream=False)).status == 200
    server.change("POST", PAUSE)
    server.wait_for(lambda stats: stats["runners"])
    server.change("POST", RESUME)


@pytest.mark.sim(config=QUICK)
def test_what_is_no_wish_is_refused(proxy, wire):
    server = proxy()
    connection = wire(server.url)
    for body, status in (b"[", 400), (b'{"unload":3}', 400), (b" " * 2000, 413), (b'{"unload":false}', 200), (b"{}", 200):
        assert connection.ask("POST", PAUSE, body).status == status, body
        assert server.health()["paused"] == (status == 200)
    for method, target, allow in ("GET", PAUSE, "POST"), ("PUT", RESUME, "POST"):
        answer = connection.ask(method, target)
        assert (answer.status, answer.get("Allow")) == (405, allow)


@pytest.mark.sim(config=QUICK)
def test_the_one_who_did_it_is_named(proxy):
    server = proxy()
    server.change("POST", PAUSE, {"unload": True})
    server.change("POST", RESUME)
    assert 'msg="paused by an operator" client_ip=127.0.0.1' in server.stderr()
    assert 'msg="resumed by an operator" client_ip=127.0.0.1' in server.stderr()
