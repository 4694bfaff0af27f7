"""preload (PRODUCT 5): models are loaded at the start and after a restart of Ollama, by our own request, and stay loaded."""

import json

import pytest
from boxes import model
from programs import ask, wait_for

BOX = {
    "max_loaded_models": 2,
    "num_parallel": 4,
    "models": [model("a"), model("b"), model("c"), model("e", capabilities=["embedding"])],
}
FOR_EVER = "2100"  # a year that no test sees


SCHEDULERS = ["turns", "fifo"]


def preloading(proxy, models, scheduler="turns", **more):
    return proxy("--scheduler", scheduler, "--preload", models, **more)


def residents(sim):
    return {name.removesuffix(":latest") for name, told in sim.state()["models"].items() if told["resident"]}


def loads(sim, name):
    return sim.state()["models"][f"{name}:latest"]["loads"]


def expiry(sim):
    running = json.loads(ask(sim.url, "GET", "/api/ps")[1])["models"]
    return {entry["name"].removesuffix(":latest"): entry["expires_at"] for entry in running}


def generate(url, name, **more):
    return ask(url, "POST", "/api/generate", {"model": name, "prompt": "x", "stream": False} | more, timeout=30)[0]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.sim(config=BOX)
def test_models_are_loaded_at_the_start_and_pinned(sim, proxy, scheduler):
    server = preloading(proxy, "a,E", scheduler)
    server.wait_for(lambda stats: [runner["pinned"] for runner in stats["runners"]] == [True, True])
    assert residents(sim) == {"a", "e"}
    assert all(moment > FOR_EVER for moment in expiry(sim).values())
    assert server.stats()["received"] == 0
    assert generate(server.url, "a") == 200
    assert server.wait_log(1)[0]["model_warm_start"] is True
    assert loads(sim, "a") == 1


@pytest.mark.sim(config=BOX | {"models": [model("a", load_ms=60000)]})
def test_listening_never_waits_for_it(sim, proxy):
    server = preloading(proxy, "a")
    server.wait_for(lambda stats: stats["turn"]["state"] == "loading")
    assert server.health()["status"] == "healthy"


@pytest.mark.sim(config=BOX)
def test_again_after_a_restart(sim, proxy):
    server = preloading(proxy, "a")
    sim.wait_for(lambda state: state["models"]["a:latest"]["resident"])
    sim.kill()
    server.wait_for(lambda stats: not stats["upstream"]["up"])
    sim.restart()
    sim.wait_for(lambda state: state["models"]["a:latest"]["resident"])
    server.wait_for(lambda stats: stats["upstream"]["up"])
    assert expiry(sim)["a"] > FOR_EVER


# No probe sees it down: only the idle connections were closed.
@pytest.mark.sim(config=BOX)
def test_again_after_a_restart_between_two_probes(sim, proxy):
    server = preloading(proxy, "a")
    server.wait_for(lambda stats: [runner["name"] for runner in stats["runners"]] == ["a:latest"])
    sim.kill()
    sim.restart()
    sim.wait_for(lambda state: state["models"]["a:latest"]["resident"], timeout=20)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.sim(config=BOX)
def test_what_cannot_be_preloaded_is_said(sim, proxy, scheduler):
    sim.fault("load_fail", path="/api/generate", count=1)
    server = preloading(proxy, "a,nope,b", scheduler)
    sim.wait_for(lambda state: state["models"]["b:latest"]["resident"])
    wait_for(lambda: server.stderr().count("cannot preload") == 2)
    assert "Ollama does not have this model" in server.stderr()
    assert "the load failed" in server.stderr()
    assert generate(server.url, "a") == 200


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.sim(config=BOX)
def test_a_client_does_not_unpin_it_by_its_own_keep_alive(sim, proxy, scheduler):
    server = preloading(proxy, "a", scheduler)
    server.wait_for(lambda stats: stats["runners"])
    assert generate(server.url, "a", keep_alive="1m") == 200
    wait_for(lambda: expiry(sim)["a"] > FOR_EVER)
    assert loads(sim, "a") == 1


@pytest.mark.sim(config=BOX)
def test_it_gives_way_last(sim, proxy):
    server = preloading(proxy, "a")
    server.wait_for(lambda stats: stats["runners"])
    for name in "bcbc":
        assert generate(server.url, name) == 200
    assert "a" in residents(sim)


@pytest.mark.sim(config=BOX | {"max_loaded_models": 1})
def test_but_it_does_give_way_where_only_one_fits(sim, proxy):
    server = preloading(proxy, "a")
    server.wait_for(lambda stats: stats["runners"])
    for name in "bab":
        assert generate(server.url, name) == 200
    assert residents(sim) == {"b"}
