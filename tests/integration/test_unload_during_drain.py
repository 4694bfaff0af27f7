"""A client's mere unload of a model that gives way is not sent: our own unload's answer serves it (STYLE B4)."""

import json
import threading

import pytest
from boxes import model
from programs import ask

# Its talk lasts long enough to drain; the floor falls into it.
BOX = {
    "max_loaded_models": 1,
    "num_parallel": 4,
    "models": [model("a", tokens=150, tokens_per_s=100), model("b")],
}


def generate(url, name):
    return ask(url, "POST", "/api/generate", {"model": name, "prompt": "x", "stream": False}, timeout=30)


def in_thread(results, *arguments):
    thread = threading.Thread(target=lambda: results.append(ask(*arguments, timeout=30)))
    thread.start()
    return thread


@pytest.mark.sim(config=BOX)
def test_our_own_unload_serves_it(sim, proxy):
    server = proxy("--scheduler", "turns", "--max-turn-wait", "0.2", "--max-concurrent", 2)
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    # measured loads, and what fits
    assert generate(server.url, "a")[0] == 200
    assert generate(server.url, "b")[0] == 200
    talk = []
    body = {"model": "a", "prompt": "x", "stream": False}
    threads = [in_thread(talk, server.url, "POST", "/api/generate", body) for _ in range(8)]
    server.wait_for(lambda stats: stats["turn"]["runner"] == "a:latest" and stats["in_progress"] == 2)
    threads.append(in_thread(talk, server.url, "POST", "/api/generate", body | {"model": "b"}))
    server.wait_for(lambda stats: stats["turn"]["state"] == "draining", timeout=20)
    served = []
    unloads = [
        in_thread(served, server.url, "POST", "/api/generate", {"model": "A", "keep_alive": 0}),
        in_thread(served, server.url, "POST", "/api/chat", {"model": "a", "messages": [], "keep_alive": "0s"}),
    ]
    server.wait_for(lambda stats: stats["passes"]["in_progress"] == 2)
    assert server.stats()["turn"]["state"] == "draining"
    for thread in unloads:
        thread.join()
    assert [status for status, _ in served] == [200, 200]
    answers = [json.loads(data) for _, data in served]
    by_call = {"message" in answer: answer for answer in answers}
    assert by_call[False] | {"created_at": ""} == {
        "model": "A",
        "created_at": "",
        "response": "",
        "done": True,
        "done_reason": "unload",
    }
    assert by_call[True]["message"] == {"role": "assistant", "content": ""}
    for thread in threads:
        thread.join()
    assert [status for status, _ in talk] == [200] * 9
    # none of the unloads reached Ollama: it knows the ids of what clients sent
    lines = {line["request_id"]: line for line in server.wait_log(13)}
    sent = sim.state()["request_ids"]
    unsent = [line for request_id, line in lines.items() if request_id not in sent]
    assert sorted(line["operation"] for line in unsent) == ["chat", "generate"]
    assert {line["http_status"] for line in unsent} == {200}


@pytest.mark.sim(config=BOX)
def test_it_is_sent_where_nobody_gives_way(sim, proxy):
    server = proxy("--scheduler", "turns")
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    assert generate(server.url, "a")[0] == 200
    assert ask(server.url, "POST", "/api/generate", {"model": "a", "keep_alive": 0})[0] == 200
    sim.wait_for(lambda state: not state["models"]["a:latest"]["resident"])
    # and /api/ps was asked in a moment, not at the next probe
    server.wait_for(lambda stats: stats["runners"] == [], timeout=4)
    assert len(sim.state()["request_ids"]) == 2
