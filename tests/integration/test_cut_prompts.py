"""Cut prompts (PRODUCT 4.2): Ollama cuts what is longer than its context without a word; the log and the stats say so."""

import json

import pytest
from boxes import QUICK

MODEL = QUICK["models"][0] | {"context_length": 1024}
CONFIG = {"num_parallel": 4, "models": [MODEL | {"name": "m"}, MODEL | {"name": "n", "bos": False}]}
pytestmark = pytest.mark.sim(config=CONFIG)

LONG = "word " * 3000
SHORT = "word " * 20


def generate(prompt, model="m", **options):
    return json.dumps({"model": model, "prompt": prompt, "stream": False, "options": options}).encode()


def messages(*contents):
    said = [{"role": "user", "content": content} for content in contents]
    return json.dumps({"model": "m", "messages": said, "stream": False}).encode()


def ready(proxy, wire):
    """A proxy that has seen both models loaded."""
    server = proxy("--scheduler", "fifo")
    connection = wire(server.url)
    for model in "mn":
        assert connection.ask("POST", "/api/generate", generate(SHORT, model)).status == 200
    server.wait_for(lambda stats: {runner["context_length"] for runner in stats["runners"]} == {1024})
    return server, connection


def test_the_log_tells_which_prompts_were_cut(proxy, wire):
    server, connection = ready(proxy, wire)
    calls = [
        ("/api/generate", generate(LONG), 515, True),
        ("/api/generate", generate(LONG, "n"), 514, True),
        ("/api/generate", generate(LONG, num_keep=100), 563, True),
        ("/api/generate", generate(LONG, num_keep=-1), 1023, True),
        ("/api/generate", generate(SHORT), None, False),
        ("/api/chat", messages(LONG), 515, True),
        ("/v1/chat/completions", messages(LONG), 515, True),
        ("/v1/chat/completions", messages(SHORT), None, False),
        # old messages went: no sign
        ("/api/chat", messages(*["word " * 400] * 5), None, None),
    ]
    for target, body, *_ in calls:
        assert connection.ask("POST", target, body).status == 200
    lines = server.wait_log(2 + len(calls))[2:]
    for line, (target, _, tokens, is_cut) in zip(lines, calls, strict=True):
        assert line["prompt_truncated"] is is_cut, line
        assert line["context_length"] == 1024
        if tokens:
            assert line["prompt_eval_count"] == tokens, (target, line)


def test_the_stats_count_them_by_project_and_model(proxy, wire):
    server, connection = ready(proxy, wire)
    for project, prompt, model in [("a", LONG, "m"), ("a", SHORT, "m"), ("b", LONG, "n"), ("a", LONG, "n")]:
        headers = [("X-Project-Name", project)]
        assert connection.ask("POST", "/api/generate", generate(prompt, model), headers).status == 200
    cut = server.wait_for(lambda stats: stats["cut_prompts"]["count"] == 3 and stats["cut_prompts"])
    assert [(told["name"], told["count"]) for told in cut["projects"]] == [("a", 2), ("b", 1)]
    assert [(told["name"], told["count"]) for told in cut["models"]] == [("m:latest", 1), ("n:latest", 2)]


def test_nothing_is_said_where_the_context_is_not_known(proxy, wire, sim):
    server = proxy("--scheduler", "fifo")
    sim.fault("status_500", path="/api/ps", count=1000)
    connection = wire(server.url)
    assert connection.ask("POST", "/api/generate", generate(LONG)).status == 200
    line = server.wait_log(1)[0]
    assert (line["context_length"], line["prompt_truncated"]) == (None, None)
