"""Where the request log goes: nothing that takes no lines holds up a request (PRODUCT 6.1)."""

import json
import os
import resource
import subprocess

import pytest
from boxes import QUICK, chat
from programs import LISTENING, ask, clean_environment, program_path, wait_for

pytestmark = pytest.mark.sim(config=QUICK)


def answer(wire, url, count):
    for _ in range(count):
        connection = wire(url)
        connection.send(chat(stream=False))
        assert connection.read_answer().status == 200


def test_the_time_of_writes_is_shown(proxy, wire):
    server = proxy()
    answer(wire, server.url, 3)
    log = server.wait_for(lambda stats: stats["request_log"]["lines"] == 3 and stats["request_log"])
    assert 1 <= log["writes"] <= 3
    assert 0 < log["max_write_time_ms"] <= log["write_time_ms"]
    assert (log["dropped"], log["waiting_bytes"]) == (0, 0)


def test_a_fifo_that_nobody_reads_stalls_nothing(proxy, wire, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    # somebody has opened it, and sleeps
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        server = proxy("--request-log", fifo)
        # a line has about 700 bytes; a pipe takes 64 KiB
        answer(wire, server.url, 150)
        log = server.wait_for(lambda stats: stats["request_log"]["lines"] == 150 and stats["request_log"])
        assert log["waiting_bytes"] > 0
        assert log["max_write_time_ms"] < 1000
        text = b""
        while log["waiting_bytes"] > 0:
            text += os.read(reader, 1 << 20)
            answer(wire, server.url, 1)
            log = server.stats()["request_log"]
        text += os.read(reader, 1 << 20)
        assert log["dropped"] == 0
        assert all(json.loads(line)["event"] == "api_request" for line in text.splitlines())
        assert len(text.splitlines()) == log["lines"]
    finally:
        os.close(reader)


def test_standard_output_that_nobody_reads_stalls_nothing(sim, wire, tmp_path):
    argv = [program_path("SHARED_OLLAMA"), "--listen", "127.0.0.1:0", "--upstream", sim.url, "--request-log", "-"]
    errors = tmp_path / "stderr"
    with open(errors, "wb") as stderr:
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=stderr, env=clean_environment({}))
    try:
        url = "http://" + wait_for(lambda: LISTENING.findall(errors.read_text()), 20, "listening")[0]
        answer(wire, url, 150)
        log = json.loads(ask(url, "GET", "/api/v1/queue/stats")[1])["request_log"]
        assert log["waiting_bytes"] > 0
    finally:
        process.terminate()
        text = process.stdout.read()
        assert process.wait(20) == 0
        process.stdout.close()
    assert len(text.splitlines()) == 150


def small_disk():
    """Files end at 8 KiB, as on a full disk; the signal that tells of it is ignored by the child."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))


def test_a_disk_that_becomes_full_costs_whole_lines(sim, wire, tmp_path):
    file = tmp_path / "requests.jsonl"
    argv = [program_path("SHARED_OLLAMA"), "--listen", "127.0.0.1:0", "--upstream", sim.url, "--request-log", str(file)]
    errors = tmp_path / "stderr"
    with open(errors, "wb") as stderr:
        process = subprocess.Popen(
            argv, stdout=subprocess.DEVNULL, stderr=stderr, env=clean_environment({}), preexec_fn=small_disk
        )
    try:
        url = "http://" + wait_for(lambda: LISTENING.findall(errors.read_text()), 20, "listening")[0]
        answer(wire, url, 30)
        log = json.loads(ask(url, "GET", "/api/v1/queue/stats")[1])["request_log"]
        lines = file.read_bytes().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        assert log["lines"] == 30
        assert 0 < log["dropped"] < 30
        # the one that was cut waits to be completed, nothing else is torn or lost without being counted
        assert len(lines) - len(whole) <= 1
        assert len(lines) + log["dropped"] == 30
        for line in whole:
            json.loads(line)
        metrics = ask(url, "GET", "/metrics")[1].decode()
        assert f"shared_ollama_request_log_dropped_lines_total {log['dropped']}\n" in metrics
    finally:
        process.terminate()
        assert process.wait(20) == 0
