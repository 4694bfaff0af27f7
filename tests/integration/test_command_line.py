"""The command line (PRODUCT 8): what it prints, its exit codes, where settings come from."""

import os
import signal
import subprocess

import pytest
from boxes import QUICK
from programs import clean_environment, program_path


def run(*arguments, env=None, timeout=20):
    return subprocess.run(
        [program_path("SHARED_OLLAMA"), *arguments], capture_output=True, text=True, timeout=timeout, env=clean_environment(env)
    )


def test_version_and_help():
    version = run("--version")
    assert (version.returncode, version.stdout.split()[0]) == (0, "shared-ollama")
    usage = run("--help")
    assert usage.returncode == 0
    for flag in ("--listen", "--upstream", "--max-queue-size", "--default-timeout", "--body-max", "--drain-timeout", "--header-timeout"):
        assert flag in usage.stdout


def test_an_unknown_flag_is_a_usage_error_with_a_hint():
    result = run("--max-que-size", "3")
    assert result.returncode == 2
    assert "--max-queue-size" in result.stderr


@pytest.mark.parametrize("arguments", [("--max-concurrent", "0"), ("--default-timeout", "soon"), ("--upstream", "ftp://x")])
def test_a_wrong_value_is_refused(arguments):
    result = run(*arguments)
    assert result.returncode in (1, 2)
    assert arguments[0].lstrip("-").replace("-", "_") in result.stderr.replace("-", "_")


@pytest.mark.sim(config=QUICK)
def test_file_environment_and_flags_beat_each_other_in_this_order(sim, proxy, tmp_path):
    file = tmp_path / "so.conf"
    file.write_text("# sizes\nmax_queue_size = 11;\nmax_concurrent = 5;\ndefault_timeout = 7.5;\n")
    server = proxy("-c", file, "--max-concurrent", 7, env={"SHARED_OLLAMA_MAX_CONCURRENT": "6", "SHARED_OLLAMA_DEFAULT_TIMEOUT": "8"})
    stats = server.stats()
    assert (stats["max_queue_size"], stats["max_concurrent"], stats["default_timeout"]) == (11, 7, 8.0)


def test_a_wrong_file_names_file_and_line(tmp_path):
    file = tmp_path / "so.conf"
    file.write_text("max_concurrent = 3;\nmax_queue = 5;\n")
    result = run("-c", str(file))
    assert result.returncode == 1
    assert f"{file}:2:" in result.stderr
    assert "max_queue_size" in result.stderr


@pytest.mark.sim(config=QUICK)
def test_ollama_host_is_never_the_upstream(sim, proxy):
    server = proxy(env={"OLLAMA_HOST": "http://127.0.0.1:1"})
    assert server.get("/api/version")[0] == 200


@pytest.mark.sim(config=QUICK)
def test_a_port_that_is_taken_names_the_flag(sim, proxy):
    server = proxy()
    result = run("--listen", server.url.removeprefix("http://"), "--upstream", sim.url)
    assert result.returncode == 1
    assert "--listen" in result.stderr
    assert server.url.removeprefix("http://") in result.stderr
    assert f"held by shared-ollama (pid {server.pid})" in result.stderr


@pytest.mark.sim(config=QUICK)
def test_several_addresses_ipv6_among_them(sim, proxy, wire):
    server = proxy("--listen", "127.0.0.1:0", "--listen", "[::1]:0")
    addresses = server.addresses()
    assert len(addresses) == 3 or len(addresses) == 2
    for address in addresses:
        assert wire("http://" + address).ask("GET", "/api/version").status == 200


@pytest.mark.sim(config=QUICK)
def test_health_tells_by_its_exit_code(sim, proxy):
    server = proxy()
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    good = run("health", server.url)
    assert (good.returncode, good.stdout.count("\n")) == (0, 1)
    server.signal(signal.SIGTERM)
    server.wait_exit()
    bad = run("health", server.url)
    assert bad.returncode == 1
    assert (bad.stdout + bad.stderr).count("\n") == 1


def test_a_log_folder_that_cannot_be_made_is_a_start_up_failure(tmp_path):
    if os.geteuid() == 0:
        blocker = tmp_path / "file"
        blocker.write_text("")
        path = blocker / "requests.jsonl"
    else:
        path = "/proc/requests.jsonl"
    result = run("--listen", "127.0.0.1:0", "--request-log", str(path))
    assert result.returncode == 1
    assert "--request-log" in result.stderr
