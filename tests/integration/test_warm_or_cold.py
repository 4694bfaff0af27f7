"""Warm or cold (PRODUCT 4.1): by load_duration, on /v1 by what was loaded and by how soon the answer began."""

import json

import pytest
from boxes import QUICK, talker
from programs import wait_for

MODEL = QUICK["models"][0]
# "copy" is the same file under another name: Ollama has one runner for both, /api/ps tells one name
COPIES = {"models": [MODEL | {"name": "m", "blob": "sha256:" + "a" * 64}, MODEL | {"name": "copy", "blob": "sha256:" + "a" * 64}]}
SLOW = {"models": [MODEL | {"name": "m", "load_ms": 700}, MODEL | {"name": "other", "load_ms": 700}]}
HEADER = "X-Model-Warm-Start"


def chat(model="m", **more):
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "x"}], "stream": False} | more).encode()


def first_in_first_out(proxy, wire, model):
    """Without loads of our own; it has seen that this model alone is loaded."""
    server = proxy("--scheduler", "fifo")
    assert wire(server.url).ask("POST", "/api/chat", chat(model)).status == 200
    server.wait_log(1)
    server.wait_for(lambda stats: [told["name"] for told in stats["runners"] if told["context_length"]] == [f"{model}:latest"])
    return server


@pytest.mark.sim(config=COPIES)
def test_an_answer_sooner_than_any_load_is_warm_whatever_is_listed(sim, proxy, wire):
    server = first_in_first_out(proxy, wire, "m")
    connection = wire(server.url)

    def is_soon_and_warm():
        # what answered is taken for loaded until /api/ps says otherwise
        server.wait_for(lambda stats: [told["name"] for told in stats["runners"]] == ["m:latest"])
        lines = server.log_lines()
        answer = connection.ask("POST", "/v1/chat/completions", chat("copy"))
        assert (answer.status, answer.get(HEADER)) == (200, "false")
        line = server.wait_log(len(lines) + 1)[-1]
        # on a busy machine an answer may take longer, and is then what was listed
        assert line["model_warm_start"] is True or line["ttft_ms"] > 100
        return line["model_warm_start"]

    wait_for(is_soon_and_warm)
    assert sim.state()["models"]["m:latest"]["loads"] + sim.state()["models"]["copy:latest"]["loads"] == 1


@pytest.mark.sim(config=SLOW)
def test_a_wait_for_ollamas_own_load_is_cold_on_both_apis(proxy, wire):
    server = first_in_first_out(proxy, wire, "other")
    connection = wire(server.url)
    first = connection.ask("POST", "/v1/chat/completions", chat())
    assert first.get(HEADER) == "false"
    # other options: listed, and loaded again
    reload = connection.ask("POST", "/api/chat", chat(options={"num_ctx": 512}))
    warm = connection.ask("POST", "/api/chat", chat(options={"num_ctx": 512}))
    assert (reload.get(HEADER), warm.get(HEADER)) == ("true", "true")
    lines = server.wait_log(4)[1:]
    assert [line["model_warm_start"] for line in lines] == [False, False, True]
    assert lines[0]["model_load_ms"] is None
    assert lines[1]["model_load_ms"] >= 700
    stats = server.stats()
    assert stats["warm_start_rate"] == pytest.approx(1 / 4, abs=0.001)
    assert stats["model_loads"] == 3


@pytest.mark.sim(config=talker(3, 0, load_ms=700))
def test_a_wait_for_our_load_is_cold_in_header_and_log(proxy, wire):
    server = proxy("--scheduler", "turns")
    answer = wire(server.url).ask("POST", "/v1/chat/completions", chat())
    assert answer.get(HEADER) == "false"
    line = server.wait_log(1)[0]
    assert line["model_warm_start"] is False
    assert line["queue_wait_ms"] >= line["load_wait_ms"] >= 700
    assert server.stats()["model_loads"] == 1


@pytest.mark.sim(config=QUICK)
def test_a_model_that_is_not_there_is_neither(proxy, wire):
    server = proxy("--scheduler", "turns")
    answer = wire(server.url).ask("POST", "/v1/chat/completions", chat("nope"))
    assert (answer.status, answer.get(HEADER)) == (404, None)
    assert server.wait_log(1)[0]["model_warm_start"] is None


@pytest.mark.sim(config={"models": [MODEL | {"name": "m", "load_ms": 700, "tokens": 30, "tokens_per_s": 10}]})
@pytest.mark.parametrize("stream, context_length", [(True, 4096), (False, None)])
def test_a_reload_under_v1_shows_in_the_context(proxy, wire, stream, context_length):
    server = proxy("--scheduler", "fifo")
    connection = wire(server.url)
    small = chat(options={"num_ctx": 512, "num_predict": 1})
    assert connection.ask("POST", "/api/chat", small).status == 200
    server.wait_for(lambda stats: [told["context_length"] for told in stats["runners"]] == [512])
    # /v1 has no num_ctx: Ollama loads the model again, and /api/ps tells while it answers for three seconds
    answer = connection.ask("POST", "/v1/chat/completions", chat(stream=stream))
    assert (answer.status, answer.get(HEADER)) == (200, "true")
    line = server.wait_log(2)[1]
    # without a stream nobody knows when the load was over
    assert (line["model_warm_start"], line["context_length"]) == (False, context_length)
