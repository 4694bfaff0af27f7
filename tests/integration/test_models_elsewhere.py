"""A name that /api/tags does not have costs one fresh look and has no runner (PRODUCT 3.3)."""

import json

import pytest
from boxes import model
from programs import ask

BOX = {"max_loaded_models": 1, "num_parallel": 4, "models": [model("a"), model("e", capabilities=["embedding"])]}


def asked(sim, target):
    return sum(head["target"] == target for head in sim.state()["heads"])


@pytest.mark.sim(config=BOX)
def test_an_unknown_name_is_looked_for_once(sim, proxy):
    server = proxy("--scheduler", "turns")
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    for _ in range(3):
        status, data = ask(server.url, "POST", "/api/chat", {"model": "nope", "messages": []})
        assert (status, json.loads(data)["error"]) == (404, "model 'nope' not found")
    assert asked(sim, "/api/tags") == 1
    assert asked(sim, "/api/show") == 0
    # they caused neither load nor unload: what Ollama got are the clients' own
    assert asked(sim, "/api/generate") == 0
    assert server.stats()["model_loads"] == 0


@pytest.mark.sim(config=BOX)
def test_a_known_one_is_looked_for_once(sim, proxy):
    server = proxy("--scheduler", "turns")
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    for _ in range(3):
        assert ask(server.url, "POST", "/api/embed", {"model": "E:latest", "input": "x"})[0] == 200
    assert asked(sim, "/api/tags") == 1
    assert asked(sim, "/api/show") == 0
    # loaded as what it is
    assert asked(sim, "/api/embed") == 4
