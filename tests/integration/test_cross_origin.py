"""Browsers on other origins: Ollama's own answers pass, ours carry what Ollama's would (PRODUCT 9)."""

import json

import pytest
from boxes import ENDLESS, QUICK, chat, chat_body

PAGE = "http://localhost:3000"
ORIGIN = [("Origin", PAGE)]
PREFLIGHT = [*ORIGIN, ("Access-Control-Request-Method", "POST")]
FOREIGN = [("Origin", "http://evil.example")]
KEY = "so-alpha-2b1f6c0d9a"


def vary(answer):
    return [value for value in answer.all("Vary")]


def cors_of(answer):
    names = ["Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers"]
    return {name: answer.get(name) for name in [*names, "Access-Control-Max-Age"]} | {"Vary": vary(answer)}


@pytest.mark.sim(config=QUICK)
def test_ollamas_answers_pass_unchanged(proxy, wire):
    connection = wire(proxy().url)
    for method, target in ("GET", "/api/tags"), ("POST", "/api/chat"):
        answer = connection.ask(method, target, chat_body(stream=False) if method == "POST" else b"", ORIGIN)
        assert answer.status == 200
        assert answer.get("Access-Control-Allow-Origin") == PAGE
        assert vary(answer) == ["Origin"]
    assert connection.ask("GET", "/api/tags", headers=FOREIGN).status == 403
    assert connection.ask("POST", "/api/chat", chat_body(), FOREIGN).status == 403
    assert connection.ask("OPTIONS", "/api/chat", headers=PREFLIGHT).status == 204


@pytest.mark.sim(config=QUICK)
def test_own_endpoints_answer_as_ollama_does(proxy, wire):
    connection = wire(proxy().url)
    theirs = connection.ask("OPTIONS", "/api/chat", headers=PREFLIGHT)
    ours = connection.ask("OPTIONS", "/api/v1/queue/stats", headers=PREFLIGHT)
    assert (ours.status, cors_of(ours)) == (204, cors_of(theirs))
    assert ours.get("Content-Length") is None
    theirs = connection.ask("GET", "/api/tags", headers=ORIGIN)
    ours = connection.ask("GET", "/api/v1/queue/stats", headers=ORIGIN)
    assert (ours.status, cors_of(ours)) == (200, cors_of(theirs))
    assert connection.ask("GET", "/api/v1/queue/stats", headers=FOREIGN).status == 403
    assert connection.ask("OPTIONS", "/api/v1/queue/stats", headers=[*FOREIGN, PREFLIGHT[1]]).status == 403
    assert connection.ask("OPTIONS", "/api/v1/queue/stats").status == 405


@pytest.mark.sim(config=ENDLESS)
def test_a_page_can_read_our_503(proxy, wire):
    server = proxy("--max-concurrent", 1, "--max-queue-size", 1)
    running, waiting = wire(server.url), wire(server.url)
    running.send(chat())
    running.read_head()
    waiting.send(chat())
    server.wait_for(lambda stats: stats["queued"] == 1)
    answer = wire(server.url).ask("POST", "/v1/chat/completions", chat_body(), ORIGIN)
    assert answer.status == 503
    assert answer.get("Access-Control-Allow-Origin") == PAGE
    assert vary(answer) == ["Origin"]
    assert wire(server.url).ask("POST", "/api/chat", chat_body(), FOREIGN).get("Access-Control-Allow-Origin") is None
    assert wire(server.url).ask("POST", "/api/chat", chat_body()).all("Vary") == []
    running.close()
    waiting.close()


@pytest.mark.sim(config=QUICK)
def test_cors_origins_adds_pages(proxy, wire):
    server = proxy("--cors-origins", "https://chat.example,https://*.lab.example")
    connection = wire(server.url)
    for origin in "https://chat.example", "https://x.lab.example":
        answer = connection.ask("GET", "/api/v1/health", headers=[("Origin", origin)])
        assert (answer.status, answer.get("Access-Control-Allow-Origin")) == (200, origin)
    assert connection.ask("GET", "/api/v1/health", headers=[("Origin", "https://lab.example")]).status == 403


@pytest.mark.sim(config=QUICK)
def test_a_page_is_asked_for_its_key_after_the_preflight(keyed, wire):
    connection = wire(keyed({KEY: ""}).url)
    assert connection.ask("OPTIONS", "/api/chat", headers=PREFLIGHT).status == 204
    assert connection.ask("OPTIONS", "/api/v1/queue/stats", headers=PREFLIGHT).status == 204
    answer = connection.ask("POST", "/api/chat", chat_body(), ORIGIN)
    assert answer.status == 401
    assert answer.get("Access-Control-Allow-Origin") == PAGE
    assert json.loads(answer.body)["error"]
    answer = connection.ask("POST", "/api/chat", chat_body(stream=False), [*ORIGIN, ("Authorization", f"Bearer {KEY}")])
    assert answer.status == 200
