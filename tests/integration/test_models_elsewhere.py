"""Names: one that /api/tags does not have costs one fresh look and has no runner; copies share one (PRODUCT 3.3)."""

import json

import pytest
from boxes import model
from programs import ask

BOX = {"max_loaded_models": 1, "num_parallel": 4, "models": [model("a"), model("b"), model("e", capabilities=["embedding"])]}


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


# Ollama runs a copy on the other one's runner, and lists that under the name it was loaded under.
@pytest.mark.sim(config=BOX)
def test_a_copy_shares_the_runner(sim, proxy):
    server = proxy("--scheduler", "turns")
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    assert ask(server.url, "POST", "/api/copy", {"source": "a", "destination": "z"})[0] == 200
    for name in "azazaz":
        body = {"model": name, "prompt": "x", "stream": False}
        assert ask(server.url, "POST", "/api/generate", body, timeout=30)[0] == 200
    assert sum(told["loads"] for told in sim.state()["models"].values()) == 1
    assert [line["runner"] for line in server.wait_log(7)][-1] == "a:latest"
    # and gives way like any other
    for name in "bzb":
        body = {"model": name, "prompt": "x", "stream": False}
        assert ask(server.url, "POST", "/api/generate", body, timeout=30)[0] == 200
    assert sum(told["loads"] for told in sim.state()["models"].values()) == 4


@pytest.mark.sim(config=BOX)
def test_a_name_that_comes_is_looked_for_again(sim, proxy):
    server = proxy("--scheduler", "turns")
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    assert ask(server.url, "POST", "/api/embed", {"model": "f", "input": "x"})[0] == 404
    assert ask(server.url, "POST", "/api/copy", {"source": "e", "destination": "f"})[0] == 200
    for _ in range(2):
        assert ask(server.url, "POST", "/api/embed", {"model": "f", "input": "x"})[0] == 200
    assert [line["runner"] for line in server.wait_log(4)][-1] == "e:latest"
