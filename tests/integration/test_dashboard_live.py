"""The live page in a real browser: what it shows, what it does, and who can use it (PRODUCT 6.4).

With DASHBOARD_SHOTS=FOLDER in the environment the tests leave pictures there.
"""

import ast
import contextlib
import http.server
import json
import os
import pathlib
import queue
import threading

import ollama
import pytest
from boxes import model
from browser import Browser, find_browser
from wire import request

BROWSER = find_browser()
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium: apt-get install chromium")

ADMIN = "so-alpha-2b1f6c0d9a"
PAUSE, RESUME = "/api/v1/queue/pause", "/api/v1/queue/resume"
# Two models of which one fits, and answers of minutes.
BOX = {
    "max_loaded_models": 1,
    "num_parallel": 2,
    "models": [
        model("llama3.2", load_ms=300, tokens=100000, tokens_per_s=30),
        model("qwen2.5vl:7b", load_ms=300, tokens=100000, tokens_per_s=30, capabilities=["completion", "vision"]),
        model("nomic-embed-text", capabilities=["embedding"]),
    ],
}
PHONE = 360


@pytest.fixture(scope="module")
def browser():
    made = Browser(BROWSER)
    yield made
    made.close()


@pytest.fixture
def page(browser):
    """page(server, …): the live page of this proxy, once it is live."""
    made = []

    def open_page(server, is_live=True, **options):
        made.append(browser.page(server.own_url + "/dashboard", **options))
        if is_live:
            made[-1].wait_text("Live, as of", "#link")
        return made[-1]

    yield open_page
    for one in made:
        one.close()


@pytest.fixture
def chat(wire):
    """chat(server, id, project, model): a job of which nobody reads the answer to its end."""

    def ask(server, name, project="Docling_Machine", model="llama3.2", **headers):
        connection = wire(server.url)
        fields = [("X-Request-Id", name), ("X-Project-Name", project), *headers.items()]
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]}).encode()
        connection.send(request("POST", "/api/chat", body, fields))
        return connection

    return ask


def shoot(page, name):
    folder = os.environ.get("DASHBOARD_SHOTS")
    if folder:
        page.screenshot(pathlib.Path(folder) / f"{name}.png", whole=True)


def busy(server, chat):
    """Two that run, three that wait, one of them for another model."""
    jobs = [chat(server, "page-1"), chat(server, "page-2")]
    for job in jobs:
        job.read_head()
    jobs += [chat(server, "page-3"), chat(server, "ask-1", "Home_Assistant"), chat(server, "scan-1", "open-webui", "qwen2.5vl:7b")]
    server.wait_for(lambda stats: (stats["in_progress"], stats["queued"]) == (2, 3))
    return jobs


def turns(proxy, *flags, **options):
    server = proxy("--scheduler", "turns", "--concurrency", "fixed", "--max-concurrent", 2, "--max-turn-wait", 0, *flags, **options)
    server.wait_for(lambda stats: stats["upstream"]["up"])
    return server


@pytest.mark.sim(config=BOX)
def test_it_loads_without_a_complaint_and_asks_nobody_else(proxy, page):
    server = turns(proxy)
    shown = page(server)
    shown.wait_text("is up", "#ollama")
    shown.wait_text("No job waits or runs.", "#jobs")
    assert shown.run("document.querySelector('#jobs-table').hidden")
    assert shown.complaints() == []
    assert {url for url in shown.asked() if not url.startswith("data:")} == {f"{server.url}/dashboard", f"{server.url}/api/v1/events"}
    shoot(shown, "empty")


@pytest.mark.sim(config=BOX)
def test_a_waiting_job_says_why(proxy, page, chat):
    server = turns(proxy)
    jobs = busy(server, chat)
    shown = page(server)
    shown.wait_text("scan-1", "#jobs-rows")
    reasons = {row["id"]: row["reason"] for row in server.requests() if row["reason"]}
    assert "is being served" in reasons["scan-1"]
    for name in "page-3", "ask-1":
        shown.wait_text(reasons[name], "#jobs-rows")
    for words in "is answered", "waits, next", "Home_Assistant", "waits, place 3":
        shown.wait_text(words, "#jobs-rows")
    shown.wait_text("llama3.2", "#models-rows")
    shown.wait_text("Docling_Machine", "#projects-rows")
    shown.wait_text("2 under way, 3 waiting", "#timeline-text")
    assert shown.run("document.querySelectorAll('#timeline .bar.waiting').length") >= 3
    shoot(shown, "busy")
    for job in jobs:
        job.close()
    shown.wait_text("No job waits or runs.", "#jobs")


@pytest.mark.sim(config=BOX)
def test_cancel_and_pause_are_done_and_followed(proxy, page, chat):
    server = turns(proxy)
    jobs = busy(server, chat)
    shown = page(server)
    shown.wait_text("page-3", "#jobs-rows")
    shown.click("[aria-label='Cancel page-3 of Docling_Machine']")
    assert jobs[2].read_answer().status == 410
    shown.wait("!document.querySelector('#jobs-rows').innerText.includes('page-3')")
    shown.click("#pause")
    server.wait_for(lambda stats: stats["paused"])
    shown.wait_text("Paused.", "#alerts")
    shown.wait_text("Resume", "#pause")
    shown.wait_text("paused by an operator", "#jobs-rows")
    assert server.change("POST", RESUME)[0] == 200
    shown.wait_text("Pause", "#pause")
    shown.wait("document.querySelector('#alerts').children.length === 0")
    shown.wait_text("Resumed", "#lately")
    assert shown.complaints() == []


HOSTILE = [
    "<img src=x onerror=document.title=1>",
    "</script><script>document.title=1</script>",
    "'\"><svg onload=document.title=1>",
    "x" * 60,
    "__proto__",
]


@pytest.mark.sim(config=BOX)
def test_names_are_text_whatever_they_say(proxy, page, chat):
    server = turns(proxy)
    server.change("POST", PAUSE)
    jobs = [chat(server, f"job-{at}", name, f"{name}:latest") for at, name in enumerate(HOSTILE)]
    server.wait_for(lambda stats: stats["queued"] == len(HOSTILE))
    shown = page(server, width=PHONE)
    for name in HOSTILE:
        shown.wait_text(name, "#jobs-rows")
        shown.wait_text(name, "#projects-rows")
        shown.wait_text(name, "#legend")
    assert shown.run("document.querySelectorAll('main img, main script, main svg svg, [onerror], [onload]').length") == 0
    assert "shared-ollama" in shown.run("document.title")
    assert shown.run("document.documentElement.scrollWidth") <= PHONE
    assert shown.complaints() == []
    for job in jobs:
        job.close()


# Every text against what lies behind it, as WCAG 2.1 computes it (1.4.3, AA).
CONTRAST = """(() => {
    const rgb = text => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
    const over = (top, below) => [0, 1, 2].map(i => top[i] * (top[3] ?? 1) + below[i] * (1 - (top[3] ?? 1)));
    const light = color => [0, 1, 2].map(i => color[i] / 255).map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = node => node ? over(rgb(getComputedStyle(node).backgroundColor), behind(node.parentElement)) : [255, 255, 255];
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode.parentElement;
        const box = node.getBoundingClientRect();
        if (!walker.currentNode.data.trim() || box.width < 2 || box.height < 2 || node.closest('svg, [aria-disabled=true], script, style')) continue;
        const style = getComputedStyle(node);
        const [a, b] = [light(rgb(style.color)), light(behind(node))].sort((x, y) => y - x);
        const size = parseFloat(style.fontSize);
        const needed = size >= 24 || size >= 18.66 && style.fontWeight >= 700 ? 3 : 4.5;
        if ((a + 0.05) / (b + 0.05) < needed) found.push([walker.currentNode.data, style.color, ((a + 0.05) / (b + 0.05)).toFixed(2)]);
    }
    return found;
})()"""
# What reaches over the right edge.
WIDE = """[...document.querySelectorAll('body *')].filter(node => node.getBoundingClientRect().right > innerWidth + 1 &&
    !node.closest('.unseen, .skip, svg, thead')).map(node => node.outerHTML.slice(0, 80))"""


@pytest.mark.sim(config=BOX)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_read_on_a_phone_and_in_both_colours(proxy, page, chat, dark):
    server = turns(proxy)
    jobs = busy(server, chat)
    shown = page(server, width=PHONE, height=740, dark=dark)
    shown.wait_text("scan-1", "#jobs-rows")
    server.change("POST", PAUSE)
    shown.wait_text("Paused.", "#alerts")
    shown.click("#connect summary")
    shown.run("document.querySelector('#key-form').hidden = false")
    for width in PHONE, 1200:
        shown.size(width, 740)
        assert shown.run("document.documentElement.scrollWidth") <= width
        assert shown.run(WIDE) == []
        assert shown.run(CONTRAST) == []
    background = shown.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (max(background) < 60) if dark else (min(background) > 230)
    for job in jobs:
        job.close()


@pytest.mark.sim(config=BOX)
def test_the_keyboard_reaches_pause_and_cancel(proxy, page, chat):
    server = turns(proxy)
    jobs = busy(server, chat)
    shown = page(server)
    shown.wait_text("scan-1", "#jobs-rows")
    path = []
    while path[-1:] != ["BUTTON Cancel scan-1 of open-webui"] and len(path) < 30:
        shown.press("Tab")
        path.append(shown.run("((e) => e.tagName + ' ' + (e.getAttribute('aria-label') || e.textContent))(document.activeElement)"))
        outline = shown.run("((s) => [s.outlineStyle, parseFloat(s.outlineWidth)])(getComputedStyle(document.activeElement))")
        assert outline[0] != "none" and outline[1] >= 2, path[-1]
        if path[-1] == "BUTTON Pause":
            shown.press("Enter")
            server.wait_for(lambda stats: stats["paused"])
            shown.wait_text("Resume", "#pause")
            assert shown.run("document.activeElement.id") == "pause"
    assert path[0] == "A Skip to the jobs"
    assert len([stop for stop in path if stop.startswith("BUTTON Cancel")]) == 5, path
    shown.press(" ")
    server.wait_for(lambda stats: stats["cancelled"] == 1)
    # the row is gone, the focus is not
    shown.wait("!document.querySelector('#jobs-rows').innerText.includes('scan-1')")
    assert shown.run("document.activeElement.closest('#jobs') !== null")
    for job in jobs:
        job.close()


@pytest.mark.sim(config=BOX)
def test_screen_readers_find_their_way(proxy, page, chat):
    server = turns(proxy)
    jobs = busy(server, chat)
    shown = page(server)
    shown.wait_text("scan-1", "#jobs-rows")
    shown.click("#connect summary")
    nodes = [node for node in shown.call("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
    named = [(node["role"]["value"], (node.get("name") or {}).get("value", "")) for node in nodes]
    roles = [role for role, _ in named]
    for role in "banner", "main", "contentinfo":
        assert roles.count(role) == 1, role
    for role, name in named:
        if role in ("button", "textbox", "checkbox", "link", "image", "region", "table", "heading", "group"):
            assert name.strip(), role
    tables = {name for role, name in named if role == "table"}
    assert tables == {"Jobs", "Models", "Projects"}
    for role in "columnheader", "row", "cell":
        assert role in roles
    assert {name for role, name in named if role == "region"} >= {"Figures", "Timeline", "Jobs", "Models", "Projects", "Connect a client"}
    assert ("button", "Cancel scan-1 of open-webui") in named
    assert shown.run("document.documentElement.lang") == "en"
    assert shown.run("document.querySelectorAll('[id]').length === new Set([...document.querySelectorAll('[id]')].map(n => n.id)).size")
    levels = shown.run("[...document.querySelectorAll('h1, h2, h3')].map(node => Number(node.tagName[1]))")
    assert levels[0] == 1 and all(later - earlier <= 1 for earlier, later in zip(levels, levels[1:]))
    # what changes is said, politely, and once
    server.change("POST", PAUSE)
    shown.wait_text("Paused. Nothing is sent", "#say[role=status][aria-live=polite]")
    for job in jobs:
        job.close()


@pytest.mark.sim(config=BOX)
def test_who_may_not_is_told_and_can_show_a_key(keyed, page, browser):
    server = keyed({ADMIN: "admin = true;", "so-beta-77aa01": ""})
    behind = {"X-Forwarded-For": "192.0.2.7"}
    shown = page(server, is_live=False, headers=behind)
    shown.wait_text("wants a key", "#key-form")
    shown.run("document.querySelector('#key').focus()")
    shown.type("so-beta-77aa01")
    shown.press("Enter")
    shown.wait_text("Live, as of", "#link")
    shown.click("#pause")
    shown.wait_text("Not allowed: changes are for peers on loopback and admin keys", "#key-form")
    assert not server.health()["paused"]
    shoot(shown, "key")
    assert shown.run("document.activeElement.id") == "key"
    shown.type(ADMIN)
    shown.press("Enter")
    server.wait_for(lambda stats: stats["paused"])
    shown.wait("document.querySelector('#key-form').hidden")
    # in memory only
    assert shown.run("document.documentElement.outerHTML").find(ADMIN) == -1
    assert shown.run("[localStorage.length, sessionStorage.length, document.cookie, document.querySelector('#key').value]") == [0, 0, "", ""]
    shown.click("#key-forget")
    shown.wait_text("wants a key", "#key-form")
    server.change("POST", RESUME)


@pytest.mark.sim(config=BOX)
def test_it_comes_back_when_the_stream_broke(proxy, page):
    server = turns(proxy)
    shown = page(server)
    server.stop()
    shown.wait_text("Old: as of", "#link")
    shown.wait_text("Next try in", "#link")
    assert shown.run("document.body.classList.contains('old') && document.querySelector('#pause').ariaDisabled === 'true'")
    shown.wait_text("The connection is lost. What is shown is old.", "#say")
    turns(proxy, "--listen", f"127.0.0.1:{server.port}")
    shown.wait_text("Live, as of", "#link")
    shown.wait_text("Connected again.", "#say")
    assert not shown.run("document.body.classList.contains('old') || document.querySelector('#pause').ariaDisabled === 'true'")


@pytest.mark.sim(config=BOX)
def test_trouble_is_said_at_once(sim, proxy, page, chat):
    server = turns(proxy)
    shown = page(server)
    server.change("POST", PAUSE)
    waiting = chat(server, "page-1")
    sim.kill()
    shown.wait_text("Ollama is down.", "#alerts")
    shown.wait_text("1 job waits for it", "#alerts")
    shown.wait_text("is down", "#ollama.bad")
    shown.wait_text("Ollama does not answer", "#lately")
    shoot(shown, "trouble")
    sim.restart()
    shown.wait_text("is up", "#ollama.good", timeout=60)
    shown.wait_text("Ollama answers again", "#lately")
    waiting.close()


@pytest.mark.sim(config=BOX)
def test_lines_to_copy_name_this_address(proxy, page):
    server = turns(proxy)
    shown = page(server)
    shown.click("#connect summary")
    lines = shown.run("[...document.querySelectorAll('#clients pre')].map(node => node.textContent)")
    assert len(lines) == 8
    assert all(server.url in line for line in lines)
    assert f"export OLLAMA_HOST={server.url}\nollama run llama3.2" in lines
    assert f"OLLAMA_BASE_URL={server.url}\nENABLE_FORWARD_USER_INFO_HEADERS=true" in lines
    assert f"{server.url}/@my-project" in lines
    assert f"export OLLAMA_API_BASE={server.url}\naider --model ollama_chat/llama3.2" in lines
    for python in lines[1:4]:
        ast.parse(python)
    shown.run("document.querySelector('#project').value = 'my \"page$(reboot)'")
    shown.run("document.querySelector('#address').value = 'https://box.lan:8443/x'")
    shown.run("document.querySelector('#project').dispatchEvent(new Event('input'))")
    lines = shown.run("[...document.querySelectorAll('#clients pre')].map(node => node.textContent).join('\\n')")
    assert server.url not in lines and "https://box.lan:8443/v1/chat/completions" in lines
    assert "my__page__reboot_" in lines and "$(reboot)" not in lines
    assert shown.run("document.querySelector('#connect-note').hidden")


@pytest.mark.sim(config=BOX)
def test_on_an_admin_listener_it_says_so(proxy, page):
    server = turns(proxy, "--admin-listen", "127.0.0.1:0")
    shown = page(server)
    shown.click("#connect summary")
    shown.wait_text("This page is on the admin listener", "#connect-note")


class Stub(http.server.BaseHTTPRequestHandler):
    """The page of a proxy, and figures of its own: what a proxy cannot be made to say at will."""

    def do_GET(self):
        if self.path == "/api/v1/events":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            while figures := self.server.figures.get():
                for name, value in figures:
                    self.wfile.write(f"event: {name}\ndata: {json.dumps(value)}\n\n".encode())
            return
        status, data = self.server.page.get(self.path)
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words):
        pass


@pytest.fixture
def stub():
    """stub(server): has own_url, as a proxy, for one page; show(stats, requests) sends this to it."""
    with contextlib.ExitStack() as stack:

        def make(server):
            made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub)
            made.page, made.figures = server, queue.Queue()
            made.show = lambda stats, requests: made.figures.put([("stats", stats), ("requests", {"requests": requests})])
            made.own_url = f"http://127.0.0.1:{made.server_port}"
            thread = threading.Thread(target=made.serve_forever)
            thread.start()
            for step in made.server_close, thread.join, made.shutdown, lambda: made.figures.put(None):
                stack.callback(step)
            return made

        yield make


def waiting(name, place, **more):
    return {
        "id": name, "project": "Docling_Machine", "class": "batch", "model": "gemma3:27b", "operation": "chat", "state": "queued", "age_ms": 9000,
        "wait_ms": 8500, "place": place, "reason": "gemma3:27b is being loaded", "tokens": None, "tokens_per_s": None,
    } | more  # fmt: skip


# Cancel is pressed for the job that was chosen, wherever its row went.
@pytest.mark.sim(config=BOX)
def test_the_focus_stays_with_its_job(proxy, stub, page):
    server = turns(proxy)
    feed = stub(server)
    stats = server.stats()
    feed.show(stats, [waiting("a", 1), waiting("b", 2), waiting("c", 3)])
    shown = page(feed)
    shown.wait_text("c", "#jobs-rows")
    for chosen in "c", "a", "b":
        shown.run(f"document.querySelector(\"[aria-label='Cancel {chosen} of Docling_Machine']\").focus()")
        for order in "cab", "bca", "abc":
            feed.show(stats, [waiting(name, order.index(name) + 1) for name in "abc"])
            shown.wait("[...document.querySelectorAll('#jobs-rows tr')].map(row => row.job.id).join('') === '" + order + "'")
            assert shown.run("document.activeElement.ariaLabel") == f"Cancel {chosen} of Docling_Machine"
    feed.show(stats, [waiting("a", 1), waiting("c", 2)])
    shown.wait("document.querySelectorAll('#jobs-rows tr').length === 2")
    assert shown.run("document.activeElement.ariaLabel") == "Cancel c of Docling_Machine"


@pytest.mark.sim(config=BOX)
def test_bars_do_not_cover_each_other(proxy, stub, page):
    server = turns(proxy)
    feed = stub(server)
    stats = server.stats()
    # each is told of later than the one before it, and came earlier
    ages = [9000, 20000, 40000, 15000]
    shown = None
    for count in range(1, len(ages) + 1):
        feed.show(stats, [waiting(f"job-{at}", at + 1, age_ms=ages[at], wait_ms=ages[at]) for at in range(count)])
        shown = shown or page(feed)
        shown.wait(f"document.querySelectorAll('#timeline .bar').length === {count}")
    bars = shown.run("[...document.querySelectorAll('#timeline .bar')].map(bar => [bar.y, bar.x, bar.width].map(one => one.baseVal.value))")
    assert len({top for top, _, _ in bars}) == len(ages)


@pytest.mark.sim(config=BOX)
def test_all_that_the_figures_may_say_is_shown(proxy, stub, page):
    server = turns(proxy)
    stats = server.stats()
    stats["upstream"]["foreign_activity"] = {"count": 2, "model": "gemma3:27b", "age_s": 12.5}
    stats["runners"] = [
        {"name": "gemma3:27b", "size_vram": 15 * 2**30, "vram_share": 0.682, "context_length": 8192, "pinned": True, "waiting": 1, "running": 0}
    ]
    stats["models"] = {"gemma3:27b": {"loads": 7, "load_time_ms": 5200.0, "generated_tokens_per_s": 21.25, "prompt_tokens_per_s": 903.4}}
    stats["projects"] = {
        "Docling_Machine": {"served_s": 75, "completed": 94, "loads": 6, "warm_start_rate": 0.91, "wait_time_ms": {"p50": 800}},
        "open-webui": {"served_s": 25, "completed": 3, "loads": 1, "warm_start_rate": None, "wait_time_ms": {"p50": None}},
    }
    stats["cut_prompts"] = {"count": 3, "projects": [{"name": "Docling_Machine", "count": 3}], "models": []}
    stats["turn"] |= {"state": "loading", "runner": "gemma3:27b num_ctx=8192"}
    feed = stub(server)
    feed.show(stats, [waiting("page-9", 1, forecast_ms=14000)])
    shown = page(feed)
    for words in "Another program uses this Ollama past the queue, last with gemma3:27b", "32 % of its memory", "3 so far were longer than the context (Docling_Machine)":
        shown.wait_text(words, "#alerts")
    shown.wait_text("loads gemma3:27b num_ctx=8192", "#ollama.warn")
    shown.wait_text("gemma3:27b is being loaded; starts in about 14 s", "#jobs-rows")
    assert shown.run("document.querySelectorAll('#timeline .soon').length") == 1
    for words in "32 % on the CPU", "context 8,192, 15.0 GiB", "21.3 tokens a second", "prompt 903 a second", "pinned", "7\n5.2 s each":
        shown.wait_text(words, "#models-rows")
    rows = shown.run("[...document.querySelectorAll('#projects-rows tr')].map(row => row.innerText.replace(/\\s+/g, ' '))")
    assert [row.strip() for row in rows] == [
        "Docling_Machine 75 % 75 s 0 running 1 waiting, 94 done 8.5 s usually 0.8 s 6 91 % warm",
        "open-webui 25 % 25 s 0 running 0 waiting, 3 done – 1",
    ]
    # nothing more is said: figures grow old
    assert not shown.run("document.querySelector('#link-text').textContent.includes('No word')")
    shown.run("((now) => { performance.now = () => now + 30000; })(performance.now())")
    shown.wait_text("No word for 3", "#link.warn")


@pytest.mark.sim(time_scale=50)
def test_the_lines_work_as_they_stand(proxy, page, capsys):
    server = turns(proxy)
    shown = page(server)
    shown.click("#connect summary")
    lines = shown.run("[...document.querySelectorAll('#clients pre')].map(node => node.textContent)")
    exec(lines[1], {})
    assert capsys.readouterr().out.strip()
    names = {}
    exec(lines[2], names)
    names["client"].chat.completions.create(model="llama3.2", messages=[{"role": "user", "content": "hi"}], max_tokens=3)
    # what Home Assistant does with its URL
    ollama.Client(host=lines[5]).chat("llama3.2", [{"role": "user", "content": "hi"}])
    assert [line["project_name"] for line in server.wait_log(3)] == ["my-project"] * 3
