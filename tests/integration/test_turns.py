"""Turns (PRODUCT 3.3, 3.6): a loaded model is served until it runs dry, then handed over by our own unload and load."""

import json
import threading
import time

import pytest
from boxes import model
from programs import ask, wait_for
from wire import request


# One runner fits.
BOX = {
    "max_loaded_models": 1,
    "num_parallel": 4,
    "models": [model("a"), model("b"), model("e", capabilities=["embedding"])],
}
SLOW_LOAD = BOX | {"models": [model("a", load_ms=800), model("b", load_ms=800)]}
ROOMY = BOX | {"max_loaded_models": 2}


def body_of(name, **more):
    return {"model": name, "prompt": "x", "stream": False} | more


class Callers:
    """Requests at the same time, each on a connection of its own; (status, bytes) in the order in which they were made."""

    def __init__(self):
        self.threads = []
        self.answers = []

    def call(self, url, target, body):
        at = len(self.answers)
        self.answers.append(None)

        def run():
            self.answers[at] = ask(url, "POST", target, body, timeout=30)

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def join(self):
        for thread in self.threads:
            thread.join()
        return self.answers


def turns(proxy, *flags):
    server = proxy("--scheduler", "turns", "--max-queue-size", 200, *flags)
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    return server


def loads(sim):
    return {name.removesuffix(":latest"): told["loads"] for name, told in sim.state()["models"].items() if told["loads"]}


@pytest.mark.sim(config=BOX)
def test_interleaved_bursts_cost_a_load_a_burst_not_a_request(sim, proxy):
    server = turns(proxy)
    for _ in range(2):
        callers = Callers()
        for number in range(24):
            callers.call(server.url, "/api/generate", body_of("ab"[number % 2]))
        assert [status for status, _ in callers.join()] == [200] * 24
    counts = loads(sim)
    assert sum(counts.values()) <= 4, counts
    # Ollama never had to swap by itself: what it unloaded, we unloaded or tried to keep
    assert server.stats()["model_loads"] == sum(counts.values())
    lines = server.wait_log(48)
    assert {line["runner"] for line in lines} == {"a:latest", "b:latest"}
    for line in lines:
        if line["load_wait_ms"] is not None:
            assert line["model_warm_start"] is False
            assert line["queue_wait_ms"] >= line["load_wait_ms"] > 0


@pytest.mark.sim(config=BOX)
def test_names_of_one_runner_are_one_key(sim, proxy):
    server = turns(proxy)
    callers = Callers()
    for name in ("a", "A", "a:latest", "registry.ollama.ai/library/a"):
        callers.call(server.url, "/api/generate", body_of(name))
    callers.call(server.url, "/v1/chat/completions", {"model": "a", "messages": [{"role": "user", "content": "x"}]})
    assert [status for status, _ in callers.join()] == [200] * 5
    assert loads(sim) == {"a": 1}
    assert {line["runner"] for line in server.wait_log(5)} == {"a:latest"}


@pytest.mark.sim(config=BOX)
def test_a_model_with_two_values_of_num_ctx_has_two_turns(sim, proxy):
    server = turns(proxy)
    callers = Callers()
    for number in range(16):
        options = {"num_ctx": 2048} if number % 2 else {}
        callers.call(server.url, "/api/generate", body_of("a", options=options))
    assert [status for status, _ in callers.join()] == [200] * 16
    assert loads(sim)["a"] <= 3
    assert {line["runner"] for line in server.wait_log(16)} == {"a:latest", "a:latest num_ctx=2048"}


@pytest.mark.sim(config=ROOMY)
def test_two_that_fit_stay_loaded_together(sim, proxy):
    server = turns(proxy)
    for _ in range(3):
        callers = Callers()
        for number in range(12):
            callers.call(server.url, "/api/generate", body_of("ab"[number % 2]))
        assert [status for status, _ in callers.join()] == [200] * 12
    assert loads(sim) == {"a": 1, "b": 1}
    assert sorted(runner["name"] for runner in server.stats()["runners"]) == ["a:latest", "b:latest"]


@pytest.mark.sim(config=BOX)
def test_an_embedding_model_has_turns_too(sim, proxy):
    server = turns(proxy)
    callers = Callers()
    for number in range(18):
        if number % 2:
            callers.call(server.url, "/api/embed", {"model": "e", "input": "x"})
        else:
            callers.call(server.url, "/api/generate", body_of("a"))
    answers = callers.join()
    assert [status for status, _ in answers] == [200] * 18
    assert all(json.loads(data)["embeddings"] for _, data in answers[1::2])
    assert sum(loads(sim).values()) <= 3


# Two agents that wait for their answer and ask again at once.
@pytest.mark.sim(config=BOX)
def test_agents_in_a_closed_loop_do_not_swap_at_every_call(sim, proxy):
    server = turns(proxy)
    calls = 20

    def agent(name):
        for _ in range(calls):
            assert ask(server.url, "POST", "/api/generate", body_of(name), timeout=30)[0] == 200

    threads = [threading.Thread(target=agent, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(loads(sim).values()) <= calls, loads(sim)


# The floor, four loads, falls into the middle of a batch: there is something to drain.
@pytest.mark.sim(config=BOX | {"models": [model("a", tokens=50, tokens_per_s=200), model("b")]})
def test_nothing_is_sent_to_a_model_that_gives_way(sim, proxy):
    server = turns(proxy, "--max-turn-wait", "0.2", "--max-concurrent", 2)
    callers = Callers()
    for _ in range(24):
        callers.call(server.url, "/api/generate", body_of("a"))
    server.wait_for(lambda stats: stats["completed"] >= 2)
    callers.call(server.url, "/api/generate", body_of("b"))
    running = None
    states = set()
    while any(thread.is_alive() for thread in callers.threads):
        turn = server.stats()["turn"]
        states.add(turn["state"])
        if turn["state"] in ("draining", "unloading", "loading") and turn["next"] != "a:latest":
            now = {job["id"] for job in server.requests() if job["model"] == "a" and job["state"] in ("awaiting", "streaming")}
            # the list came after the state: only compare while it has not changed
            if server.stats()["turn"]["state"] == turn["state"]:
                assert running is None or now <= running or turn["state"] == "loading"
                running = now
        else:
            running = None
    assert [status for status, _ in callers.join()] == [200] * 25
    assert "draining" in states
    assert loads(sim)["b"] == 1
    # the cut came before the flood was over
    order = [line["model"] for line in server.wait_log(25)]
    assert order.index("b") < 24


@pytest.mark.sim(config=SLOW_LOAD)
def test_a_client_that_leaves_does_not_abort_the_load(sim, proxy, wire):
    server = turns(proxy)
    leaver, waiter = wire(server.url), wire(server.url)
    leaver.send(request("POST", "/api/generate", json.dumps(body_of("a")).encode()))
    server.wait_for(lambda stats: stats["turn"]["state"] == "loading")
    leaver.close()
    server.wait_for(lambda stats: stats["cancelled"] == 1)
    waiter.send(request("POST", "/api/generate", json.dumps(body_of("a")).encode()))
    answer = waiter.read_answer()
    assert answer.status == 200
    assert answer.get("X-Model-Warm-Start") == "false"
    told = sim.state()["models"]["a:latest"]
    assert (told["loads"], told["loads_aborted"]) == (1, 0)


@pytest.mark.sim(config=SLOW_LOAD)
def test_the_deadline_stands_still_while_its_own_model_is_loaded(proxy):
    server = turns(proxy, "--default-timeout", "0.4")
    callers = Callers()
    callers.call(server.url, "/api/generate", body_of("a"))
    server.wait_for(lambda stats: stats["turn"]["state"] == "loading")
    # it waits for another's load, and its own comes too late
    callers.call(server.url, "/api/generate", body_of("b"))
    server.wait_for(lambda stats: stats["queued"] == 2)
    waiting = {job["model"]: job for job in server.requests()}
    assert waiting["a"]["reason"].startswith("a:latest is being loaded")
    assert "b:latest next" in waiting["b"]["reason"]
    assert (waiting["a"]["place"], waiting["b"]["place"]) == (1, 2)
    assert [status for status, _ in callers.join()] == [200, 503]
    line = next(line for line in server.wait_log(2) if line["http_status"] == 200)
    assert line["load_wait_ms"] > 400


@pytest.mark.sim(config=BOX)
def test_a_load_that_fails_gives_its_waiters_ollamas_own_error(sim, proxy):
    server = turns(proxy)
    sim.fault("load_fail", path="/api/generate", count=1)
    callers = Callers()
    callers.call(server.url, "/api/generate", body_of("a"))
    callers.call(server.url, "/v1/chat/completions", {"model": "a", "messages": [{"role": "user", "content": "x"}]})
    (status, native), (status_v1, openai) = callers.join()
    failed = [data for code, data in ((status, native), (status_v1, openai)) if code == 500]
    assert failed, (status, status_v1)
    if status == 500:
        assert json.loads(native)["error"]
    if status_v1 == 500:
        assert json.loads(openai)["error"]["message"]
    lines = server.wait_log(2)
    assert {line["error_type"] for line in lines if line["http_status"] == 500} == {"upstream_status"}
    # and the next one is loaded
    assert ask(server.url, "POST", "/api/generate", body_of("a"))[0] == 200


@pytest.mark.sim(config=SLOW_LOAD)
def test_ollama_that_is_killed_in_the_middle_of_a_load_loses_nobody(sim, proxy):
    server = turns(proxy)
    callers = Callers()
    for _ in range(4):
        callers.call(server.url, "/api/generate", body_of("a"))
    server.wait_for(lambda stats: stats["turn"]["state"] == "loading" and stats["queued"] == 4)
    sim.kill()
    server.wait_for(lambda stats: not stats["upstream"]["up"])
    sim.restart()
    assert [status for status, _ in callers.join()] == [200] * 4


@pytest.mark.sim(config=SLOW_LOAD)
def test_an_unknown_model_gets_ollamas_answer_at_once(proxy):
    server = turns(proxy)
    callers = Callers()
    callers.call(server.url, "/api/generate", body_of("a"))
    server.wait_for(lambda stats: stats["turn"]["state"] == "loading")
    begun = time.monotonic()
    status, data = ask(server.url, "POST", "/api/generate", body_of("nope"))
    assert (status, json.loads(data)["error"]) == (404, "model 'nope' not found")
    assert time.monotonic() - begun < 0.6
    assert callers.join()[0][0] == 200


@pytest.mark.sim(config=BOX)
def test_a_passing_unload_is_seen(sim, proxy):
    server = turns(proxy)
    assert ask(server.url, "POST", "/api/generate", body_of("a"))[0] == 200
    assert ask(server.url, "POST", "/api/generate", {"model": "a", "keep_alive": 0})[0] == 200
    wait_for(lambda: not sim.state()["models"]["a:latest"]["resident"])
    assert ask(server.url, "POST", "/api/generate", body_of("a"))[0] == 200
    assert loads(sim) == {"a": 2}
    assert server.stats()["model_loads"] == 2
