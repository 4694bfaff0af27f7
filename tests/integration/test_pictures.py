"""Pictures of the live page, empty, busy and in trouble, in both colours and on a phone: DASHBOARD_SHOTS=FOLDER takes them.

Those in docs/ are busy-docs.png (dashboard.png) and trouble-docs-phone.png (dashboard-phone.png).
"""

import http.client
import os
import pathlib
import random
import threading
import time

import pytest
from boxes import model
from browser import Browser, find_browser
from programs import ask

FOLDER = os.environ.get("DASHBOARD_SHOTS")
BROWSER = find_browser()
pytestmark = [
    pytest.mark.skipif(not FOLDER, reason="pictures are taken where DASHBOARD_SHOTS names a folder"),
    pytest.mark.skipif(BROWSER is None, reason="no chromium: apt-get install chromium"),
    pytest.mark.timeout(300),
]

GIB = 2**30
SPEED = {"prompt_tokens_per_s": 900, "tokens_per_s": 22}
BOX = {
    "max_loaded_models": 1,
    "num_parallel": 3,
    "models": [
        model("qwen2.5vl:7b", load_ms=4000, tokens=90, size=6 * GIB, capabilities=["completion", "vision"]) | SPEED,
        model("llama3.2", load_ms=1500, tokens=70, size=2 * GIB) | SPEED,
        model("gemma3:27b", load_ms=5000, tokens=60, size=17 * GIB, size_ram=22 * GIB, size_vram=15 * GIB) | SPEED,
    ],
}
CLIENTS = [("Docling_Machine", "qwen2.5vl:7b"), ("Docling_Machine", "qwen2.5vl:7b"), ("open-webui", "llama3.2"), ("Home_Assistant", "llama3.2")]
# Without a height: the whole page.
SCREENS = {
    "docs": {"width": 1000, "height": 800},
    "docs-phone": {"width": 360, "height": 740, "dark": True},
} | {"light": {}, "dark": {"dark": True}, "phone-light": {"width": 360}, "phone-dark": {"width": 360, "dark": True}}
BUSY_SECONDS = 40


class Traffic:
    """Clients that ask again and again, until told not to."""

    def __init__(self, server, clients):
        self.server, self.is_over = server, threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(at, *client)) for at, client in enumerate(clients)]
        for thread in self.threads:
            thread.start()

    def work(self, at, project, name):
        chance = random.Random(at)
        count = 0
        while not self.is_over.is_set():
            count += 1
            body = {"model": name, "stream": count % 2 == 0, "messages": [{"role": "user", "content": "hi " * chance.randrange(30, 900)}]}
            headers = {"X-Project-Name": project, "X-Request-Id": f"{project.lower()[:7]}-{at}{count:02d}"}
            try:
                ask(self.server.url, "POST", "/api/chat", body, timeout=120, headers=headers)
            except (OSError, http.client.HTTPException):
                return
            self.is_over.wait(chance.random() * 2)

    def stop(self):
        self.is_over.set()
        for row in self.server.requests():
            self.server.change("DELETE", f"/api/v1/queue/requests/{row['id']}")
        for thread in self.threads:
            thread.join()


@pytest.fixture(scope="module")
def browser():
    made = Browser(BROWSER)
    yield made
    made.close()


@pytest.fixture
def shoot(browser):
    """shoot(name) takes one of each page that open_pages(server) opened, and looks whether it is whole."""
    pages = {}

    def open_pages(server):
        for screen, options in SCREENS.items():
            pages[screen] = browser.page(server.url + "/dashboard", **options)
            pages[screen].wait_text("Live, as of", "#link")

    def take(name):
        for screen, page in pages.items():
            page.screenshot(pathlib.Path(FOLDER) / f"{name}-{screen}.png", whole="height" not in SCREENS[screen])
            assert page.complaints() == []
            assert page.run("document.documentElement.scrollWidth") <= page.run("innerWidth")

    take.open = open_pages
    yield take
    for page in pages.values():
        page.close()


def open_proxy(proxy):
    server = proxy("--scheduler", "turns", "--concurrency", "fixed", "--max-turn-wait", 10)
    server.wait_for(lambda stats: stats["upstream"]["up"])
    return server


@pytest.mark.sim(config=BOX)
def test_empty(proxy, shoot):
    shoot.open(open_proxy(proxy))
    shoot("empty")


@pytest.mark.sim(config=BOX)
def test_busy(proxy, shoot):
    server = open_proxy(proxy)
    shoot.open(server)
    traffic = Traffic(server, CLIENTS * 2)
    begun = time.monotonic()
    server.wait_for(lambda stats: time.monotonic() - begun > BUSY_SECONDS and stats["queued"] >= 3, timeout=120)
    shoot("busy")
    traffic.stop()


@pytest.mark.sim(config=BOX)
def test_in_trouble(sim, proxy, shoot):
    server = open_proxy(proxy)
    shoot.open(server)
    # somebody past the queue, with a model that does not fit
    ask(sim.url, "POST", "/api/chat", {"model": "gemma3:27b", "stream": False, "messages": []}, timeout=60)
    server.wait_for(lambda stats: stats["runners"])
    shoot("split")
    server.change("POST", "/api/v1/queue/pause")
    traffic = Traffic(server, CLIENTS)
    server.wait_for(lambda stats: stats["queued"] == len(CLIENTS))
    sim.kill()
    server.wait_for(lambda stats: stats["upstream"]["state"] == "down")
    shoot("trouble")
    traffic.stop()
