"""Ollama's issue 17408: a load that waits beside an idle model is freed by unloading that model again (PRODUCT 3.3)."""

import threading

import pytest
from boxes import model
from programs import ask

BOX = {
    "max_loaded_models": 1,
    "num_parallel": 2,
    "models": [model("a", tokens=200, tokens_per_s=100), model("b")],
}


def body_of(name, **more):
    return {"model": name, "prompt": "x", "stream": False} | more


@pytest.mark.sim(config=BOX)
def test_a_load_that_another_program_blocks_comes_all_the_same(sim, proxy):
    server = proxy("--scheduler", "turns")
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    # how long a load takes is known
    assert ask(server.url, "POST", "/api/generate", body_of("b"))[0] == 200
    # another program keeps a busy, so that our load of b has to wait inside Ollama ...
    stranger = threading.Thread(target=ask, args=(sim.url, "POST", "/api/generate", body_of("a")), kwargs={"timeout": 30})
    stranger.start()
    server.wait_for(lambda stats: [runner["name"] for runner in stats["runners"]] == ["a:latest"])
    answers = []
    waiter = threading.Thread(
        target=lambda: answers.append(ask(server.url, "POST", "/api/generate", body_of("b"), timeout=40))
    )
    waiter.start()
    server.wait_for(lambda stats: stats["turn"]["state"] == "loading", timeout=40)
    sim.wait_for(lambda state: state["models"]["a:latest"]["evicted"])
    # ... and takes its eviction back
    assert ask(sim.url, "POST", "/api/generate", {"model": "a", "keep_alive": "30m"})[0] == 200
    assert not sim.state()["models"]["a:latest"]["evicted"]
    stranger.join()
    waiter.join()
    assert answers[0][0] == 200
    assert "a load is stuck" in server.stderr()
