"""What systemd does for a service: passes listening sockets, hears of its state (PRODUCT 7)."""

import pathlib
import signal
import socket
import sys

import pytest
from boxes import QUICK, chat_body
from programs import Proxy, wait_for
from tls import Authority, TlsWire
from wire import LocalWire, Wire

# Opens what the unit would, as descriptors 3, 4, …, and becomes the program. Arguments: kinds, names, the command.
ACTIVATOR = """
import os, socket, sys
kinds, names, command = sys.argv[1], sys.argv[2], sys.argv[3:]
opened = []
for kind in kinds.split(","):
    if kind == "tcp":
        one = socket.create_server(("127.0.0.1", 0))
    elif kind == "datagram":
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    else:
        one = socket.socket(socket.AF_UNIX)
        one.bind(kind)
        one.listen()
    opened.append(os.dup(one.fileno()))
# out of the way first: the numbers may overlap
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(opened)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
    os.set_inheritable(3 + i, True)
os.environ.update(LISTEN_FDS=str(len(opened)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=names)
os.execv(command[0], command)
"""


class Activated(Proxy):
    """A proxy that gets its sockets passed."""

    def __init__(self, folder, kinds, names, flags, upstream, env=None):
        self.activation = [sys.executable, "-c", ACTIVATOR, ",".join(kinds), ":".join(names)]
        super().__init__(folder, flags, upstream, env, name="activated")

    def start(self, argv):
        super().start([*self.activation, *argv])


@pytest.fixture
def activated(tmp_path, sim):
    made = []

    def make(kinds, names, *flags):
        made.append(Activated(tmp_path, kinds, names, flags, sim.url))
        return made[-1]

    yield make
    for program in made:
        program.finish()


@pytest.mark.sim(config=QUICK)
def test_passed_sockets_are_used_instead_of_listen(activated):
    server = activated(["tcp", "tcp"], ["web", "web"])
    addresses = wait_for(lambda: len(server.addresses()) == 2 and server.addresses())
    for address in addresses:
        with Wire("http://" + address) as connection:
            assert connection.ask("POST", "/api/chat", chat_body(stream=False)).status == 200


@pytest.mark.sim(config=QUICK)
def test_a_rule_is_for_a_passed_socket_by_its_address(activated, tmp_path):
    path = tmp_path / "s"
    file = tmp_path / "rules.conf"
    file.write_text(f'listeners = ( {{ listen = "unix:{path}"; project = "local"; allow_paths = "/api/tags"; }} );')
    server = activated(["tcp", str(path)], ["web", "web"], "--config", file, "--listen", f"unix:{path}")
    tcp = wait_for(lambda: len(server.addresses()) == 2 and server.addresses()[0])
    with LocalWire(path) as local, Wire("http://" + tcp) as connection:
        assert local.ask("GET", "/api/tags").status == 200
        assert local.ask("GET", "/api/ps").status == 403
        assert connection.ask("GET", "/api/show").status != 403
    assert [line["project_name"] for line in server.wait_log(2)][0] == "local"


@pytest.mark.sim(config=QUICK)
def test_a_passed_socket_named_https_speaks_tls(activated, tmp_path):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("box")
    server = activated(["tcp", "tcp"], ["web", "https"], "--tls-certificate", certificate, "--tls-key", key)
    addresses = wait_for(lambda: len(server.addresses()) == 2 and server.addresses())
    with TlsWire("https://" + addresses[1], authority.context()) as connection:
        assert connection.ask("GET", "/api/version").status == 200


@pytest.mark.sim(config=QUICK)
def test_a_passed_local_socket_stays(activated, tmp_path):
    path = tmp_path / "passed.sock"
    server = activated(["tcp", str(path)], ["web", "web"])
    assert wait_for(lambda: server.addresses()[1:]) == [f"unix:{path}"]
    server.stop()
    # it is systemd's
    assert path.exists()


@pytest.mark.parametrize(
    ("kinds", "names", "said"),
    [(["datagram"], ["web"], "no listening stream socket"), (["tcp"], ["https"], "--tls-certificate")],
)
@pytest.mark.sim(config=QUICK)
def test_wrong_sockets_are_refused(activated, kinds, names, said):
    with pytest.raises(AssertionError, match="exit code 1") as failure:
        activated(kinds, names)
    assert said in str(failure.value)


@pytest.mark.sim(config=QUICK)
def test_states_are_told(proxy, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notes:
        notes.bind(str(tmp_path / "notify"))
        notes.settimeout(10)
        server = proxy(env={"NOTIFY_SOCKET": str(tmp_path / "notify")})

        def told():
            return notes.recv(1000).split(b"\n")

        assert b"READY=1" in told()
        server.signal(signal.SIGHUP)
        reloading = told()
        assert b"RELOADING=1" in reloading
        assert any(line.startswith(b"MONOTONIC_USEC=") for line in reloading)
        assert b"READY=1" in told()
        server.signal(signal.SIGTERM)
        assert b"STOPPING=1" in told()
        server.wait_exit()


@pytest.mark.sim(config=QUICK)
def test_the_watchdog_hears_that_the_loop_turns(proxy, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notes:
        notes.bind(str(tmp_path / "notify"))
        notes.settimeout(10)
        server = proxy(env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"})
        assert b"READY=1" in notes.recv(1000)
        pings = [notes.recv(1000) for _ in range(3)]
        assert all(b"WATCHDOG=1" in ping for ping in pings)
        # a loop that hangs says nothing
        server.signal(signal.SIGSTOP)
        wait_for(lambda: pathlib.Path(f"/proc/{server.pid}/stat").read_text().split()[2] == "T")
        notes.setblocking(False)
        with pytest.raises(BlockingIOError):
            while notes.recv(1000):
                pass
        notes.settimeout(1)
        with pytest.raises(TimeoutError):
            notes.recv(1000)
        server.signal(signal.SIGCONT)


@pytest.mark.sim(config=QUICK)
def test_nobody_watches_and_nothing_is_said(proxy, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notes:
        notes.bind(str(tmp_path / "notify"))
        notes.settimeout(10)
        # somebody else's watchdog
        server = proxy(env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"})
        assert b"READY=1" in notes.recv(1000)
        server.get("/api/version")
        server.signal(signal.SIGTERM)
        assert b"STOPPING=1" in notes.recv(1000)
        server.wait_exit()
