"""`shared-ollama top`: the queue live in a terminal, and one frame of it for scripts."""

import contextlib
import signal
import subprocess

import pytest
from boxes import ENDLESS, chat
from programs import clean_environment, program_path, wait_for
from terminal import Terminal


def once(*arguments, env=None):
    argv = [program_path("SHARED_OLLAMA"), "top", "--once", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, env=clean_environment(env))


@pytest.fixture
def top():
    """top(url, …): the program in a terminal."""
    with contextlib.ExitStack() as stack:

        def start(*arguments, **options):
            terminal = Terminal([program_path("SHARED_OLLAMA"), "top", *arguments], **options)
            stack.callback(terminal.close)
            return terminal

        yield start


def busy(server, wire, ids):
    """One runs, the others wait, in this order. Ends with the connections."""
    wires = []
    for at, name in enumerate(ids):
        wires.append(wire(server.url))
        wires[-1].send(chat(headers=[("X-Request-Id", name), ("X-Project-Name", "lab" + name)]))
        server.wait_for(lambda stats, at=at: stats["in_progress"] == 1 and stats["queued"] == at)
    return wires


def end(server, wires):
    for one in wires:
        one.close()
    server.wait_idle()


@pytest.mark.sim(config=ENDLESS)
def test_one_frame_tells_what_the_endpoints_tell(sim, proxy, wire):
    server = proxy("--max-concurrent", 1, "--concurrency", "fixed")
    wires = busy(server, wire, ["one", "two", "three"])
    result = once(server.url)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert any("2 queued of 50, 1 in progress of 1" in line for line in lines)
    assert any("0.32.15 up at " + sim.url in line for line in lines)
    head = next(number for number, line in enumerate(lines) if line.startswith("ID "))
    jobs = [line.split() for line in lines[head + 1 :]]
    assert [job[0] for job in jobs] == ["one", "two", "three"]
    assert [job[1] for job in jobs] == ["labone", "labtwo", "labthree"]
    assert jobs[0][5] == "streaming" and jobs[1][5] == "queued"
    reason = server.requests()[2]["reason"]
    assert lines[-1].endswith(reason) or reason.split(",")[0] in lines[-1]
    end(server, wires)


@pytest.mark.sim(config=ENDLESS)
def test_a_request_is_selected_and_cancelled(sim, proxy, wire, top):
    server = proxy("--max-concurrent", 1, "--concurrency", "fixed")
    wires = busy(server, wire, ["one", "two", "three"])
    screen = top(server.url)
    screen.wait_for("labthree")
    screen.press("jj")
    screen.wait_for("two")
    screen.press("c")
    screen.wait_for("Cancel two of labtwo?")
    assert server.stats()["cancelled"] == 0
    screen.press("y")
    screen.wait_for("cancelled two")
    assert wires[1].read_answer().status == 410
    assert [job["id"] for job in server.requests()] == ["one", "three"]
    screen.press("q")
    assert screen.wait_exit() == 0
    end(server, wires)


@pytest.mark.sim(config=ENDLESS)
def test_the_queue_is_paused_and_resumed(sim, proxy, top):
    server = proxy()
    screen = top(server.url)
    screen.wait_for("Queue")
    screen.press("p")
    screen.wait_for("paused: r resumes")
    assert server.stats()["paused"]
    screen.wait_for("PAUSED")
    screen.press("r")
    screen.wait_for("resumed")
    assert not server.stats()["paused"]
    screen.press("q")
    assert screen.wait_exit() == 0


@pytest.mark.sim(config=ENDLESS)
def test_help_sort_and_a_new_size(sim, proxy, wire, top):
    server = proxy("--max-concurrent", 1, "--concurrency", "fixed")
    wires = busy(server, wire, ["one", "two"])
    screen = top(server.url, columns=140)
    screen.wait_for("REASON")
    screen.press("h")
    screen.wait_for("cancel the selected request")
    screen.press("x>")
    screen.wait_for("IDv")
    screen.press("R")
    screen.wait_for("^")
    screen.resize(60, 12)

    # a low screen has no room for all of the header; help and back draws it anew, from top to bottom
    def is_low():
        screen.press("h")
        screen.wait_for("cancel the")
        screen.press("x")
        return "Waits" not in screen.wait_for("labone")

    wait_for(is_low)
    screen.press("q")
    assert screen.wait_exit() == 0
    end(server, wires)


@pytest.mark.sim(config=ENDLESS)
def test_a_service_that_goes_and_comes_is_said_and_asked_again(sim, proxy, top):
    server = proxy()
    screen = top(server.url)
    screen.wait_for("Queue")
    port = server.port
    server.stop()
    screen.wait_for("nothing listens there")
    again = proxy("--listen", f"127.0.0.1:{port}")

    def is_back():
        screen.press("h")
        screen.wait_for("cancel the")
        screen.press("x")
        return "nothing listens there" not in screen.wait_for("Queue")

    wait_for(is_back)
    screen.press("p")
    screen.wait_for("paused: r resumes")
    assert again.stats()["paused"]
    screen.press("q")
    assert screen.wait_exit() == 0


@pytest.mark.sim(config=ENDLESS)
def test_a_service_that_hangs_is_said(sim, proxy, top):
    server = proxy()
    screen = top(server.url)
    screen.wait_for("Queue")
    server.signal(signal.SIGSTOP)
    try:
        screen.wait_for("no answer for")
        screen.press("q")
        assert screen.wait_exit() == 0
    finally:
        server.signal(signal.SIGCONT)


@pytest.mark.sim(config=ENDLESS)
def test_a_key_is_used_and_never_shown(sim, keyed, top):
    key = "sesame-0123456789"
    server = keyed({key: "admin = true;"})
    refused = once(server.url)
    assert refused.returncode == 1
    assert "SHARED_OLLAMA_KEY" in refused.stderr
    assert once(server.url, env={"SHARED_OLLAMA_KEY": key}).returncode == 0
    screen = top(server.url, "--key", key)
    screen.wait_for("Queue")
    arguments = open(f"/proc/{screen.pid}/cmdline", "rb").read()
    assert key.encode() not in arguments
    screen.press("q")
    assert screen.wait_exit() == 0
    assert key.encode() not in screen.raw


@pytest.mark.sim(config=ENDLESS)
def test_values_from_outside_do_not_steer_the_terminal(sim, proxy, wire, top):
    server = proxy("--max-concurrent", 1, "--concurrency", "fixed")
    one = wire(server.url)
    one.send(chat(headers=[("X-Project-Name", "ev\u00fcil\u009b2J".encode().decode("latin-1"))]))
    server.wait_for(lambda stats: stats["in_progress"] == 1)
    project = server.requests()[0]["project"]
    result = once(server.url, env={"LC_ALL": "C.UTF-8"})
    assert "\u009b" not in result.stdout
    assert "\\u009b2J" in result.stdout or "\u009b" not in project
    plain = once("--ascii", server.url, env={"LC_ALL": "C.UTF-8"})
    assert plain.stdout.isascii()
    end(server, [one])


def test_without_terminal_or_service_or_sense():
    argv = [program_path("SHARED_OLLAMA"), "top", "127.0.0.1:1"]
    piped = subprocess.run(argv, capture_output=True, text=True, timeout=30, env=clean_environment(None), stdin=subprocess.DEVNULL)
    assert piped.returncode == 1
    assert "--once" in piped.stderr
    gone = once("127.0.0.1:1")
    assert (gone.returncode, gone.stdout) == (1, "")
    assert "nothing listens there" in gone.stderr
    assert once("--once=yes").returncode == 2
    assert once("https://box").returncode == 2
    assert once("--nonsense").returncode == 2
    usage = once("--help")
    assert usage.returncode == 0
    assert "--ascii" in usage.stdout


@pytest.mark.sim(config=ENDLESS)
def test_the_address_comes_from_the_configuration(sim, proxy, tmp_path):
    server = proxy()
    file = tmp_path / "box.conf"
    file.write_text(f'listen = ["{server.url.removeprefix("http://")}"];\n')
    assert "Queue" in once("-c", str(file)).stdout
    assert once(env={"SHARED_OLLAMA_LISTEN": server.url.removeprefix("http://")}).returncode == 0
