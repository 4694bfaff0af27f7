"""The operator's commands: on_upstream_down, on_runner_stuck (PRODUCT 3.10, 5), and what tells a stuck runner (11.7)."""

import json

import pytest
from boxes import QUICK, chat, chat_body, talker
from programs import wait_for
from wire import request


@pytest.fixture
def told(tmp_path):
    """(a command that writes what it knows into a file, what stands there)."""
    file = tmp_path / "told"
    command = f'printf "%s %s %s\\n" "$SHARED_OLLAMA_REASON" "$SHARED_OLLAMA_MODEL" "$SHARED_OLLAMA_UPSTREAM" >> {file}'
    return command, lambda: file.read_text().splitlines() if file.exists() else []


@pytest.mark.sim(config=QUICK)
def test_the_box_is_woken_once_when_a_job_waits(sim, proxy, wire, told):
    command, lines = told
    server = proxy("--on-upstream-down", command)
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    sim.kill()
    server.wait_for(lambda stats: stats["upstream"]["state"] == "down")
    assert wire(server.url).ask("GET", "/api/tags").status == 502
    waiting = wire(server.url)
    waiting.send(chat(stream=False))
    wait_for(lines, what="the command")
    assert lines() == [f"down  {sim.url}"]
    # the pause between two is longer than this test: it stays one while the job waits on
    waiting.expect_silence(1.5)
    assert len(lines()) == 1
    sim.restart()
    assert waiting.read_answer().status == 200
    assert 'msg="a command was started" key=on_upstream_down' in server.stderr()


@pytest.mark.sim(config=QUICK)
def test_nobody_waits_nobody_is_woken(sim, proxy, wire, told):
    command, lines = told
    server = proxy("--on-upstream-down", command, "--default-timeout", "2")
    sim.kill()
    server.wait_for(lambda stats: stats["upstream"]["state"] == "down")
    server.change("POST", "/api/v1/queue/pause")
    # one that is paused waits for its operator
    answer = wire(server.url).ask("POST", "/api/chat", chat_body())
    assert answer.status == 503
    assert lines() == []


@pytest.mark.sim(config=QUICK)
def test_the_loop_goes_on_while_a_command_runs(sim, proxy, wire, tmp_path):
    go = tmp_path / "go"
    server = proxy("--on-upstream-down", f"while [ ! -e {go} ]; do sleep 0.02; done; exit 7")
    sim.kill()
    waiting = wire(server.url)
    waiting.send(chat(stream=False))
    wait_for(lambda: "a command was started" in server.stderr(), what="the command")
    sim.restart()
    assert waiting.read_answer().status == 200
    assert "a command has ended" not in server.stderr()
    go.touch()
    wait_for(lambda: "key=on_upstream_down status=7" in server.stderr(), what="the command's end")


def up_and_listed(server, wire):
    assert wire(server.url).ask("POST", "/api/chat", chat_body(stream=False)).status == 200
    server.wait_for(lambda stats: stats["runners"])


@pytest.mark.sim(config=QUICK)
def test_a_stuck_runner_is_told_from_a_busy_one(sim, proxy, wire, told):
    command, lines = told
    server = proxy("--on-runner-stuck", command, "--upstream-first-byte-timeout", "1.5")
    up_and_listed(server, wire)
    sim.fault("silent", "/api/chat")
    stuck = wire(server.url)
    stuck.send(chat())
    server.wait_for(lambda stats: stats["in_progress"] == 1)
    # another one of the same model is answered meanwhile: that runner is busy
    assert wire(server.url).ask("POST", "/api/chat", chat_body(stream=False)).status == 200
    answer = stuck.read_answer()
    assert answer.status == 504
    assert "answered others of m:" in json.loads(answer.body)["error"]
    assert lines() == []
    # and now nobody is
    sim.fault("silent", "/api/chat")
    answer = wire(server.url).ask("POST", "/api/chat", chat_body())
    assert answer.status == 504
    assert "its runner is stuck" in json.loads(answer.body)["error"]
    wait_for(lines, what="the command")
    assert lines() == [f"stuck m {sim.url}"]
    assert server.wait_log(4)[-1]["error_type"] == "upstream_timeout"


@pytest.mark.sim(config=QUICK)
def test_silence_in_the_middle_of_an_answer_counts(sim, proxy, wire, told):
    command, lines = told
    server = proxy("--on-runner-stuck", command, "--upstream-idle-timeout", "0.5")
    up_and_listed(server, wire)
    sim.fault("stall_mid_stream", "/v1/chat/completions", after_lines=2)
    cut = wire(server.url)
    cut.send(request("POST", "/v1/chat/completions", chat_body()))
    assert b"its runner is stuck" in cut.expect_cut()
    wait_for(lines, what="the command")
    assert lines()[0].startswith("stuck m ")


@pytest.mark.sim(config=talker(5, 1000, load_ms=60000))
@pytest.mark.parametrize("scheduler", ["fifo", "turns"])
def test_a_load_that_takes_too_long(proxy, wire, told, scheduler):
    command, lines = told
    server = proxy("--on-runner-stuck", command, "--upstream-first-byte-timeout", "1.5", "--scheduler", scheduler)
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    answer = wire(server.url).ask("POST", "/api/chat", chat_body())
    assert answer.status == 504
    if scheduler == "fifo":
        assert "has not loaded m" in json.loads(answer.body)["error"]
    wait_for(lines, what="the command")
    assert lines()[0].startswith("loading m")


@pytest.mark.sim(config=QUICK)
def test_a_dead_ollama_is_called_so(sim, proxy, wire, told):
    command, lines = told
    server = proxy("--on-upstream-down", command, "--upstream-first-byte-timeout", "7")
    up_and_listed(server, wire)
    # neither the job nor any probe is answered any more, though connections are accepted
    sim.fault("silent", "*", count=1000)
    answer = wire(server.url, timeout=30).ask("POST", "/api/chat", chat_body())
    assert answer.status == 504
    assert "answers no probe" in json.loads(answer.body)["error"]
    wait_for(lines, what="the command")
    assert lines()[0].startswith("dead ")
    sim.reset()
