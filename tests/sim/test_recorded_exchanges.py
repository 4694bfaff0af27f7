"""Each recorded exchange, in the recorded order, gets an answer of the same status, headers, framing, chunks and keys."""

import json
import pathlib
import re

import pytest

import shapes
import wire

EXCHANGES = json.loads((pathlib.Path(__file__).parent / "transcripts" / "exchanges.json").read_text())
# Their text is noise, or depends on a grammar.
FREE_TEXT = {"14_generate_garbage_stream", "24_generate_json_format", "25_generate_logprobs"}
# After a call of embed on it the recording's `tiny2` was a chat model: the same here.
TINY_MODELS = {"tiny", "tiny2", "slow", "tinytool", "tinythink", "tinyembed"}


def without_values(form):
    """Types and keys only."""
    if isinstance(form, dict):
        return {key: without_values(value) for key, value in form.items()}
    if isinstance(form, list) and len(form) == 2 and form[0] in ("string", "bool", "null"):
        return form[:1]
    if isinstance(form, list):
        return [without_values(item) for item in form]
    return form


def exchange_raw(ollama, request):
    """The request as recorded, but to this server's address."""
    request = re.sub(r"^Host: 127\.0\.0\.1:11436", "Host: %s:%d" % ollama.address, request, flags=re.M)
    head, _, body = request.partition("\r\n\r\n")
    method = head.split(" ")[0]
    with ollama.connect() as connection:
        waits = "100-continue" in head
        connection.send_raw((head + "\r\n\r\n").encode() + (b"" if waits else body.encode()))
        answers = []
        if waits:
            answers.append(connection.read(method))
            connection.send_raw(body.encode())
        answers.append(connection.read(method))
        return answers


def needed_models(exchange):
    named = set(re.findall(r'"(?:model|from)": "([a-z0-9]+)"', exchange["request"]))
    return named & TINY_MODELS


@pytest.mark.parametrize("exchange", [e for e in EXCHANGES if not e["name"].startswith("200_")], ids=lambda e: e["name"])
def test_answers_as_recorded(ollama, exchange):
    if ollama.is_real:
        if not {name + ":latest" for name in needed_models(exchange)} <= ollama.model_names():
            pytest.skip("that Ollama has not the recording's models")
        if exchange["name"].split("_")[0] in {"06", "10", "93", "94"}:
            pytest.skip("depends on what is installed")
    answers = [shapes.describe(answer) for answer in exchange_raw(ollama, exchange["request"])]
    expected = exchange["answers"]
    if ollama.is_real or exchange["name"] in FREE_TEXT:
        answers, expected = without_values(answers), without_values(expected)
    assert answers == expected


BROKEN = {e["name"]: e for e in EXCHANGES if e["name"].startswith("200_")}


@pytest.mark.parametrize("name", sorted(BROKEN), ids=str)
def test_runner_killed_ends_as_recorded(sim, name):
    recorded = BROKEN[name]
    path = recorded["request"].split(" ")[1]
    expected = recorded["answers"][0]
    lines = len(expected["chunks"])
    sim.fault(path, "runner_killed", after_lines=max(lines - 2, 1))
    answer = shapes.describe(exchange_raw(sim, recorded["request"])[0])
    assert answer["status"] == expected["status"]
    assert answer["headers"] == expected["headers"]
    assert answer["chunks"][0] == expected["chunks"][0]
    assert answer["chunks"][-1] == expected["chunks"][-1] or "messages" in path
    assert sim.loaded().keys() == {"slow:latest"}, "still listed"


def test_runner_killed_in_messages_just_ends(sim):
    sim.fault("/v1/messages", "runner_killed", after_lines=3)
    body = {"model": "slow", "max_tokens": 50, "stream": True, "messages": [{"role": "user", "content": "x"}]}
    answer = sim.ask("POST", "/v1/messages", body)
    assert answer.complete
    assert b"message_stop" not in answer.body and b'" w2"' in answer.body


def test_next_request_after_a_killed_runner_reloads(sim):
    body = {"model": "tiny", "prompt": "hi", "stream": False}
    sim.fault("/api/generate", "runner_killed")
    assert sim.ask("POST", "/api/generate", body).status == 500
    answer = sim.ask("POST", "/api/generate", body)
    assert answer.status == 200
    assert answer.json()["load_duration"] > 200e6
    assert sim.model("tiny:latest")["loads"] == 2


def test_pipelined_gets_are_answered_in_order(ollama):
    with ollama.connect() as connection:
        host = ("Host: %s:%d\r\n\r\n" % ollama.address).encode()
        paths = [b"/api/version", b"/", b"/api/ps", b"/nope"]
        connection.send_raw(b"".join(b"GET " + path + b" HTTP/1.1\r\n" + host for path in paths))
        answers = [connection.read("GET") for _ in paths]
        assert [answer.status for answer in answers] == [200, 200, 200, 404]
        assert answers[1].body == b"Ollama is running"
        assert b"version" in answers[0].body and b"models" in answers[2].body


def test_show_is_chunked_and_names_capabilities(ollama):
    name = sorted(ollama.model_names())[0]
    answer = ollama.ask("POST", "/api/show", {"model": name})
    assert answer.status == 200 and answer.framing == "chunked"
    assert {"details", "model_info", "capabilities", "modified_at"} <= answer.json().keys()
    assert ollama.ask("POST", "/api/show", {"name": name}).json() == answer.json()
