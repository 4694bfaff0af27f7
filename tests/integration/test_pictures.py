"""Pictures to be looked at: DASHBOARD_SHOTS=FOLDER takes them. The live page, empty, busy and in trouble, in both colours and on
a phone; `top` in a terminal; the report of two days as HTML. FOLDER/docs has those of docs/images.
"""

import http.client
import os
import pathlib
import random
import select
import threading
import time

import pytest
from boxes import model
from browser import Browser, find_browser
from programs import ask, program_path, wait_for
from reports import run, write
from screen import Screen
from terminal import Terminal
from two_days import two_days

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
        model("qwen2.5-coder:7b", load_ms=3500, tokens=110, size=5 * GIB) | SPEED,
        model("gemma3:27b", load_ms=5000, tokens=60, size=17 * GIB, size_ram=22 * GIB, size_vram=15 * GIB) | SPEED,
    ],
}
CLIENTS = [
    ("Docling_Machine", "qwen2.5vl:7b"), ("Docling_Machine", "qwen2.5vl:7b"), ("Docling_Machine", "qwen2.5vl:7b"),
    ("open-webui", "llama3.2"), ("open-webui", "llama3.2"), ("Home_Assistant", "llama3.2"), ("coder", "qwen2.5-coder:7b"),
]  # fmt: skip
RULES = 'projects = ( { name = "Docling_Machine"; class = "batch"; }, { name = "Home_Assistant"; class = "interactive"; } );'
# Without a height: the whole page.
SCREENS = {
    "docs": {"width": 1000, "height": 800},
    "docs-phone": {"width": 360, "height": 740, "dark": True},
} | {"light": {}, "dark": {"dark": True}, "phone-light": {"width": 360}, "phone-dark": {"width": 360, "dark": True}}
# Of these the README has pictures.
KEPT = {"busy-docs": "page", "top": "top", "report-docs": "report"}
BUSY_SECONDS = 50
COLUMNS, ROWS = 150, 24
END = "\x1bOF"
PIXELS_A_COLUMN, PIXELS_A_ROW = 7.83, 17.55


def path_of(name):
    folder = pathlib.Path(FOLDER)
    (folder / "docs").mkdir(parents=True, exist_ok=True)
    return folder / "docs" / f"{KEPT[name]}.png" if name in KEPT else folder / f"{name}.png"


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


def keep(page, name, whole):
    page.screenshot(path_of(name), whole=whole)
    assert page.complaints() == []
    assert page.run("document.documentElement.scrollWidth") <= page.width


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
            keep(page, f"{name}-{screen}", "height" not in SCREENS[screen])

    take.open = open_pages
    yield take
    for page in pages.values():
        page.close()


def open_proxy(ruled):
    server = ruled(RULES, "--scheduler", "turns", "--concurrency", "fixed", "--max-turn-wait", 10)
    server.wait_for(lambda stats: stats["upstream"]["up"])
    return server


class Top:
    """`top` in a terminal, of which a picture can be taken."""

    def __init__(self, browser, server, folder):
        self.browser, self.folder = browser, folder
        self.terminal = Terminal([program_path("SHARED_OLLAMA"), "top", server.url], COLUMNS, ROWS, {"LC_ALL": "C.UTF-8"})
        self.terminal.wait_for("Queue")

    def screen(self):
        while self.terminal.raw and select.select([self.terminal.fd], [], [], 0)[0]:
            self.terminal.read(0)
        screen = Screen(COLUMNS, ROWS)
        screen.feed(self.terminal.raw)
        return screen

    def shoot(self, name, words, lines=slice(None), keys=""):
        """As soon as these words are on the screen; the keys are pressed until then."""

        def is_there():
            screen = self.screen()
            if words in "\n".join(screen.lines()[lines]):
                return screen
            os.write(self.terminal.fd, keys.encode())
            return None

        screen = wait_for(is_there, 20, words)
        file = self.folder / f"{name}.html"
        file.write_text(screen.html("shared-ollama top"))
        size = {"width": int(COLUMNS * PIXELS_A_COLUMN) + 32, "height": int(ROWS * PIXELS_A_ROW) + 28}
        page = self.browser.page(file.as_uri(), **size)
        keep(page, name, whole=False)
        page.close()

    def close(self):
        self.terminal.close()


@pytest.mark.sim(config=BOX)
def test_empty(ruled, shoot):
    shoot.open(open_proxy(ruled))
    shoot("empty")


@pytest.mark.sim(config=BOX)
def test_busy(ruled, shoot, browser, tmp_path):
    server = open_proxy(ruled)
    shoot.open(server)
    top = Top(browser, server, tmp_path)
    traffic = Traffic(server, CLIENTS)
    begun = time.monotonic()

    def is_lively(stats):
        return time.monotonic() - begun > BUSY_SECONDS and stats["queued"] >= 3 and stats["in_progress"] >= 2

    server.wait_for(is_lively, timeout=150)
    shoot("busy")
    # the last one waits; its reason stands in full below
    top.shoot("top", "is being", slice(-2, -1), END)
    top.close()
    traffic.stop()


@pytest.mark.sim(config=BOX)
def test_in_trouble(sim, ruled, shoot, browser, tmp_path):
    server = open_proxy(ruled)
    shoot.open(server)
    top = Top(browser, server, tmp_path)
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
    top.shoot("top-trouble", "Foreign traffic")
    top.close()
    traffic.stop()


def test_the_report(browser, tmp_path):
    file = tmp_path / "report.html"
    write(tmp_path / "requests.jsonl", two_days())
    file.write_bytes(run("requests.jsonl", "--html", cwd=tmp_path))
    for screen, options in SCREENS.items():
        page = browser.page(file.as_uri(), **options)
        if screen == "docs":
            page.size(1000, 1000)
            page.run("document.querySelector('#latency_distribution').scrollIntoView()")
        keep(page, f"report-{screen}", whole="height" not in options)
        page.close()
