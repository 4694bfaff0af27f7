"""On a terminal a person sees at start where it listens, what it stands in front of, and the line to copy (PRODUCT 8)."""

import os
import pty
import signal
import subprocess

import pytest
from boxes import QUICK
from programs import clean_environment, program_path


def start_on_a_terminal(*arguments):
    """The program with a terminal as stderr, and what it says up to the line to copy."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [program_path("SHARED_OLLAMA"), *arguments], stderr=theirs, stdin=subprocess.DEVNULL, env=clean_environment(None)
    )
    os.close(theirs)
    said = b""
    while b"export OLLAMA_HOST=" not in said or not said.endswith(b"\n"):
        said += os.read(ours, 4096)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    os.close(ours)
    return said.decode().replace("\r\n", "\n")


@pytest.mark.sim(config=QUICK)
def test_the_banner_names_upstream_queue_log_and_the_line_to_copy(sim, tmp_path):
    log = tmp_path / "requests.jsonl"
    said = start_on_a_terminal("--listen", "127.0.0.1:0", "--upstream", sim.url, "--request-log", str(log), "--max-queue-size", "77")
    address = said.split("listening on ")[1].split("\n")[0]
    assert "SIMULATED OLLAMA" in said
    assert f"{sim.url}, Ollama 0.32.15" in said
    assert "77 waiting" in said
    assert str(log) in said
    assert f"dashboard   http://{address}/dashboard\n" in said
    assert f"\n\n  export OLLAMA_HOST=http://{address}\n" in said


@pytest.mark.sim(config=QUICK)
def test_a_live_page_that_is_elsewhere_is_not_named(sim, tmp_path):
    log = tmp_path / "requests.jsonl"
    said = start_on_a_terminal("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--upstream", sim.url, "--request-log", str(log))
    assert "/dashboard" not in said


def test_the_banner_says_when_ollama_does_not_answer(tmp_path):
    log = tmp_path / "requests.jsonl"
    said = start_on_a_terminal("--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--request-log", str(log))
    assert "does not answer yet" in said
    assert "SIMULATED" not in said
