"""Other programs use the same Ollama: what they load, evict or unload is seen (PRODUCT 3.3)."""

import contextlib
import subprocess

import pytest
from boxes import model
from browser import Browser, find_browser
from doctors import examine
from programs import ask, clean_environment, program_path

BOX = {"max_loaded_models": 1, "num_parallel": 4, "models": [model("a"), model("b")]}


def generate(url, name, **more):
    body = {"model": name, "prompt": "x", "stream": False} | more
    assert ask(url, "POST", "/api/generate", body, timeout=30)[0] == 200


def turns(proxy):
    server = proxy("--scheduler", "turns")
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    return server


# Then it is loaded again by ourselves, not by the client's request.
@pytest.mark.sim(config=BOX)
def test_a_model_that_others_evicted_is_loaded_by_us(sim, proxy):
    server = turns(proxy)
    generate(server.url, "a")
    generate(sim.url, "b")
    server.wait_for(lambda stats: [runner["name"] for runner in stats["runners"]] == ["b:latest"])
    generate(server.url, "a")
    first, second = server.wait_log(2)
    assert first["load_wait_ms"] > 0
    assert second["load_wait_ms"] > 0


@pytest.mark.sim(config=BOX)
def test_what_others_loaded_is_warm(sim, proxy):
    server = turns(proxy)
    generate(sim.url, "a")
    server.wait_for(lambda stats: stats["runners"])
    generate(server.url, "a")
    assert server.wait_log(1)[0]["load_wait_ms"] is None
    assert sim.state()["models"]["a:latest"]["loads"] == 1


@pytest.mark.sim(config=BOX)
def test_a_request_that_unloads_when_it_is_done(sim, proxy):
    server = turns(proxy)
    generate(server.url, "a", keep_alive=0)
    server.wait_for(lambda stats: stats["runners"] == [])
    generate(server.url, "a")
    assert server.wait_log(2)[1]["load_wait_ms"] > 0


def said_by_top(server):
    argv = [program_path("SHARED_OLLAMA"), "top", "--once", server.url]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, env=clean_environment({}), check=True).stdout


def said_by_the_page(server):
    """What stands among the alerts of the live page; nothing where there is no browser."""
    if not (path := find_browser()):
        return None
    with contextlib.closing(Browser(path)) as browser, contextlib.closing(browser.page(server.url + "/dashboard")) as page:
        page.wait_text("Foreign traffic.", "#alerts")
        return page.text("#alerts")


# Looks are 5 s apart while nothing runs, so all who tell it are asked at once.
@pytest.mark.sim(config=BOX)
def test_use_past_us_is_told(sim, proxy):
    server = turns(proxy)
    assert examine(server.url)["foreign traffic"] == ("ok", "nobody was seen to use Ollama past the service")
    server.wait_for(lambda stats: stats["upstream"]["foreign_activity"]["count"] == 0)
    generate(sim.url, "b")
    seen = server.wait_for(
        lambda stats: stats["upstream"]["foreign_activity"]["count"] and stats["upstream"]["foreign_activity"], 30
    )
    assert seen["model"] == "b:latest"
    assert 0 <= seen["age_s"] < 30
    result, text = examine(server.url)["foreign traffic"]
    assert result == "warn" and text.startswith("somebody uses Ollama past the service: seen ") and text.endswith("last with b:latest")
    assert "Foreign traffic: another program uses this Ollama past the queue, last with b:latest" in said_by_top(server)
    assert "last with b." in (said_by_the_page(server) or "last with b.")


@pytest.mark.sim(config=BOX)
def test_our_own_use_is_none_of_others(sim, proxy):
    server = proxy("--scheduler", "turns", "--keep-alive", "30m", "--preload", "b")
    server.wait_for(lambda stats: [runner["name"] for runner in stats["runners"]] == ["b:latest"])
    for _ in range(3):
        generate(server.url, "a")
        generate(server.url, "b")
        # until Ollama was asked what is loaded
        server.wait_for(lambda stats: [runner["size_vram"] for runner in stats["runners"] if runner["name"] == "b:latest"])
    assert server.stats()["upstream"]["foreign_activity"]["count"] == 0
