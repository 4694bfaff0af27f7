"""Listening on a local socket (--listen unix:PATH): its file, its clients, and what stands in its way."""

import contextlib
import os
import shutil
import socket
import stat
import subprocess

import pytest
from boxes import ENDLESS, QUICK, chat, chat_body, talker
from programs import Program, clean_environment, program_path, wait_for
from test_client_leaves import aborted
from wire import LocalWire


@pytest.fixture
def local(tmp_path, proxy):
    """local(*flags): (program, path of its socket)."""

    def make(*flags):
        path = tmp_path / "so.sock"
        server = proxy("--listen", f"unix:{path}", *flags)
        assert wait_for(lambda: server.addresses()[1:]) == [f"unix:{path}"]
        return server, path

    return make


def run(*flags):
    """A start that must fail: what it says."""
    result = subprocess.run(
        [program_path("SHARED_OLLAMA"), "--upstream", "http://127.0.0.1:1", "--request-log", "", *flags],
        capture_output=True, text=True, timeout=20, env=clean_environment(None), check=False,
    )  # fmt: skip
    assert result.returncode == 1
    return result.stderr


# a fifth of a second apart: what arrives together was held back, not late
@pytest.mark.sim(config=talker(10, 5))
def test_a_stream_comes_line_by_line(local):
    with LocalWire(local()[1]) as connection:
        connection.send(chat())
        assert connection.read_head().status == 200
        connection.assert_one_line_per_recv(at_least=10)


@pytest.mark.sim(config=QUICK)
def test_its_clients_are_called_unix(sim, local):
    server, path = local("--max-connections-per-address", 2)
    # which bounds addresses of the network only
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            connection = stack.enter_context(LocalWire(path))
            assert connection.ask("POST", "/api/chat", chat_body(stream=False)).status == 200
    line = server.wait_log(5)[0]
    assert (line["client_ip"], line["project_name"]) == ("unix", "unix")


@pytest.mark.sim(config=ENDLESS)
def test_a_client_that_leaves_ends_its_work(sim, local):
    server, path = local()
    with LocalWire(path) as connection:
        connection.send(chat())
        assert connection.read_head().status == 200
    sim.wait_for(lambda state: aborted(sim) == 1)
    server.wait_for(lambda stats: stats["cancelled"] == 1)


@pytest.mark.sim(config=QUICK)
def test_the_file_is_for_owner_and_group_and_goes_with_the_program(local):
    server, path = local()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    server.stop()
    assert not path.exists()


@pytest.mark.sim(config=QUICK)
def test_a_file_left_behind_is_replaced(local):
    server, path = local()
    server.kill()
    assert path.exists()
    server, _ = local()
    with LocalWire(path) as connection:
        assert connection.ask("GET", "/api/version").status == 200


@pytest.mark.sim(config=QUICK)
def test_a_socket_in_use_is_not_taken_away(local):
    server, path = local()
    said = run("--listen", f"unix:{path}")
    assert f"cannot listen on unix:{path}: Address already in use" in said
    assert "--listen" in said
    with LocalWire(path) as connection:
        assert connection.ask("GET", "/api/version").status == 200


def test_a_file_of_another_kind_is_not_taken_away(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("important\n")
    assert "Address already in use" in run("--listen", f"unix:{path}")
    assert path.read_text() == "important\n"


@pytest.mark.sim(config=QUICK)
def test_a_successors_file_is_left_alone(local, tmp_path):
    server, path = local()
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        server.stop()
        assert path.exists()


# A machine of its own without IPv6 or, where that is not permitted, nothing.
WITHOUT_IPV6 = ["unshare", "--map-root-user", "--net", "sh", "-c"]
PREPARE = "ip link set lo up && echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"


@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run([*WITHOUT_IPV6, PREPARE], capture_output=True, check=False).returncode != 0,
    reason="needs a network namespace",
)
def test_localhost_works_without_ipv6(tmp_path):
    server = Program("shared-ollama", tmp_path)
    command = f"{PREPARE}; exec '{program_path('SHARED_OLLAMA')}' --listen localhost:8000 --upstream http://127.0.0.1:1 --request-log ''"
    server.start([*WITHOUT_IPV6, command])
    assert server.addresses() == ["127.0.0.1:8000"]
    assert "without IPv6 here" in server.stderr()
    server.stop()
    server.check_stderr()
