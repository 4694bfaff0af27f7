"""keep_alive (PRODUCT 5): set by our own requests, once a load, so that it works for /v1 too; bodies stay untouched."""

import datetime
import json

import pytest
from boxes import chat_body, model
from programs import ask, wait_for

BOX = {"max_loaded_models": 2, "num_parallel": 4, "models": [model("a"), model("b")]}


def keeping(proxy, value, *flags, scheduler="turns"):
    server = proxy("--scheduler", scheduler, "--keep-alive", value, *flags)
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    return server


def minutes_left(sim, name="a"):
    for entry in json.loads(ask(sim.url, "GET", "/api/ps")[1])["models"]:
        if entry["name"] == f"{name}:latest":
            end = datetime.datetime.fromisoformat(entry["expires_at"][:19] + "+00:00")
            return (end - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 60
    return None


def generate(url, **more):
    body = {"model": "a", "prompt": "x", "stream": False} | more
    assert ask(url, "POST", "/api/generate", body, timeout=30)[0] == 200


def v1(url):
    assert ask(url, "POST", "/v1/chat/completions", json.loads(chat_body(stream=False, model="a")), timeout=30)[0] == 200


def posts(sim):
    """POST requests that Ollama got."""
    return [head["target"] for head in sim.state()["heads"] if head["method"] == "POST"]


@pytest.mark.sim(config=BOX)
def test_it_comes_with_the_load_and_holds_for_v1(sim, proxy):
    server = keeping(proxy, "30m")
    for _ in range(3):
        v1(server.url)
    server.wait_idle()
    assert 29 < minutes_left(sim) <= 30
    # one load, and what the clients sent
    assert posts(sim) == ["/api/generate"] + ["/v1/chat/completions"] * 3


@pytest.mark.sim(config=BOX)
def test_numbers_are_seconds(sim, proxy):
    server = keeping(proxy, "3600")
    generate(server.url)
    assert 59 < minutes_left(sim) <= 60


# Ollama's default holds for what somebody else loaded, until one of ours used it.
@pytest.mark.sim(config=BOX)
def test_what_others_loaded_is_told_once(sim, proxy):
    generate(sim.url)
    server = keeping(proxy, "30m")
    server.wait_for(lambda stats: stats["runners"])
    assert minutes_left(sim) <= 5
    for _ in range(3):
        v1(server.url)
    wait_for(lambda: minutes_left(sim) > 29)
    server.wait_idle()
    assert posts(sim).count("/api/generate") == 2


@pytest.mark.sim(config=BOX)
def test_a_clients_own_value_stands(sim, proxy):
    server = keeping(proxy, "30m")
    generate(server.url, keep_alive="10m")
    generate(server.url)
    v1(server.url)
    server.wait_idle()
    assert 9 < minutes_left(sim) <= 10
    assert len(posts(sim)) == 4


# Ollama loads by itself; our own request comes when nothing else goes on, with the options of what is loaded.
@pytest.mark.sim(config=BOX)
def test_with_fifo_it_is_told_after_the_load(sim, proxy):
    server = keeping(proxy, "30m", scheduler="fifo")
    generate(server.url, options={"num_ctx": 2048})
    wait_for(lambda: minutes_left(sim) > 29)
    assert sim.state()["models"]["a:latest"]["loads"] == 1


@pytest.mark.sim(config=BOX)
def test_without_it_nothing_is_said(sim, proxy):
    server = proxy("--scheduler", "turns")
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    v1(server.url)
    server.wait_idle()
    assert 4 < minutes_left(sim) <= 5
    assert posts(sim) == ["/api/generate", "/v1/chat/completions"]
