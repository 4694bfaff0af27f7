"""The programs under test, each in front of a scripted upstream of its own: shared-ollama, and Debian's nginx and
HAProxy with configurations that ask the same of them."""

import contextlib
import pathlib
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from programs import Proxy

from upstream import Upstream

START_SECONDS = 10.0
STARTS_MOST = 5
POLL_SECONDS = 0.01
# Columns of /proc/net/tcp (proc(5)), and its word for a listener.
LOCAL_ADDRESS, STATE, INODE = 1, 3, 9
TCP_LISTEN = "0A"
# Short, so that what a program only waits for ends soon; long enough for a busy machine.
CLIENT_SECONDS = 1
# A head that comes byte by byte has to be whole by then.
HEAD_SECONDS = 3
UPSTREAM_SECONDS = 2

NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log crit;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    client_max_body_size 0; large_client_header_buffers 4 64k; proxy_buffer_size 64k; proxy_buffers 8 64k;
    client_header_timeout {client}s; client_body_timeout {client}s; keepalive_timeout 10s;
    proxy_read_timeout {upstream}s; proxy_send_timeout {upstream}s; proxy_connect_timeout {upstream}s;
    upstream ollama {{ server 127.0.0.1:{upstream_port}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://ollama; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_buffering off; proxy_request_buffering off;
        }}
    }}
}}
"""

HAPROXY = """
global
    noreuseport
    tune.bufsize 131072
defaults
    mode http
    option http-no-delay
    timeout connect {upstream}s
    timeout server {upstream}s
    timeout client {client}s
    timeout http-request {client}s
    timeout http-keep-alive 10s
listen ollama
    bind 127.0.0.1:{port}
    server ollama 127.0.0.1:{upstream_port}
"""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def listens(process, port):
    """Whether the listener at this port is the process' own: another program's may have come there in between."""
    rows = [row.split() for row in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    address = f"0100007F:{port:04X}"
    own = {f"socket:[{row[INODE]}]" for row in rows if row[LOCAL_ADDRESS] == address and row[STATE] == TCP_LISTEN}
    links = set()
    for link in pathlib.Path(f"/proc/{process.pid}/fd").glob("*"):
        with contextlib.suppress(FileNotFoundError):
            links.add(str(link.readlink()))
    return bool(own & links)


class Ours:
    name = "shared-ollama"
    lanes = 4  # instances at a time: cases that end by a time limit do not hold up the others

    def __init__(self, folder):
        self.upstream = Upstream()
        flags = ["--header-timeout", HEAD_SECONDS, "--body-timeout", CLIENT_SECONDS]
        flags += ["--upstream-first-byte-timeout", UPSTREAM_SECONDS, "--upstream-idle-timeout", UPSTREAM_SECONDS]
        flags += ["--drain-timeout", CLIENT_SECONDS, "--log-level", "error"]
        # the scripted upstream has no /api/ps: turns would wait for it, and ask it about models
        flags += ["--scheduler", "fifo"]
        self.program = Proxy(folder, flags, f"http://127.0.0.1:{self.upstream.port}")
        self.port = self.program.port

    def finish(self):
        """Counters, log, exit code and the sanitizers' findings are looked at too."""
        try:
            self.program.finish()
        finally:
            if self.program.is_running():
                self.program.kill()
            self.upstream.close()


class Other:
    """A program that takes its port from a file; it may be gone by then, so several starts are allowed."""

    def __init__(self, folder):
        self.upstream = Upstream()
        self.folder = pathlib.Path(folder)
        for _ in range(STARTS_MOST):
            self.port = free_port()
            file = self.folder / f"{self.name}.conf"
            file.write_text(
                self.template.format(
                    folder=self.folder,
                    port=self.port,
                    upstream_port=self.upstream.port,
                    client=CLIENT_SECONDS,
                    upstream=UPSTREAM_SECONDS,
                )
            )
            with open(self.folder / f"{self.name}.stderr", "ab") as stderr:
                argv = self.argv(file)
                self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr)
            if self.comes_up():
                return
        raise RuntimeError(f"{self.name} does not start: {(self.folder / f'{self.name}.stderr').read_text()}")

    def comes_up(self):
        deadline = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            if listens(self.process, self.port):
                return True
            time.sleep(POLL_SECONDS)
        return False

    def finish(self):
        self.process.kill()
        self.process.wait()
        self.upstream.close()


class Nginx(Other):
    name = "nginx"
    lanes = 12  # it waits for time limits where others refuse
    template = NGINX

    @staticmethod
    def program():
        return shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")

    @classmethod
    def argv(cls, file):
        return [cls.program(), "-c", str(file), "-p", str(file.parent), "-e", str(file.parent / "nginx.log")]


class Haproxy(Other):
    name = "haproxy"
    lanes = 6
    template = HAPROXY

    @staticmethod
    def program():
        return shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")

    @classmethod
    def argv(cls, file):
        return [cls.program(), "-q", "-db", "-f", str(file)]


def installed():
    """The classes of the programs that are here; ours is always the first."""
    return [Ours] + [front for front in (Nginx, Haproxy) if front.program()]


def versions():
    """What stands above the table."""
    said = {}
    for front, flag in ((Nginx, "-v"), (Haproxy, "-v")):
        if front.program():
            result = subprocess.run([front.program(), flag], capture_output=True, text=True, check=False)
            said[front.name] = (result.stdout + result.stderr).splitlines()[0].split(" - ")[0]
    return said
