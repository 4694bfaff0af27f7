"""What is measured and what it is measured with: each as a process that is started, pinned and ended by its id."""

import os
import re
import select
import socket
import subprocess
import time

START_LIMIT_S = 20
STOP_LIMIT_S = 10
# The proxy has a core of its own; load and upstream share the other one.
PROXY_CORE = 0
LOAD_CORE = 1
# More than any round sends over one connection: nobody reconnects in the middle of a measurement.
KEEPALIVE_REQUESTS = 1000000000
CONNECTIONS = 8192


def pinned(core, command):
    if (os.cpu_count() or 1) < 2:
        return command
    return ["taskset", "-c", str(core)] + command


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running process; `port` is where it listens, `pid` whose CPU time counts."""

    def __init__(self, name, command, core, out, port=None, cwd=None):
        self.name = name
        self.port = port
        self.errors = open(os.path.join(out, name + ".stderr"), "w+b")
        self.process = subprocess.Popen(
            pinned(core, command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.errors, cwd=cwd
        )
        try:
            if port is None:
                self.port = self._printed_port()
            self._wait_until_it_listens()
        except Exception:
            self.stop()
            raise
        self.pid = self.process.pid

    def text(self):
        with open(self.errors.name, "rb") as file:
            return file.read().decode(errors="replace")

    def _retry(self, what, attempt):
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}: {self.text()}")
            found = attempt()
            if found:
                return found
            select.select([], [], [], 0.02)
        raise RuntimeError(f"{self.name}: {what}: {self.text()}")

    def _printed_port(self):
        def look():
            found = re.search(r"listening on [^\s]*:(\d+)", self.text())
            return int(found.group(1)) if found else None

        return self._retry("it prints no port", look)

    def _wait_until_it_listens(self):
        def connect():
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                return False

        self._retry("it does not listen", connect)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.errors.close()
        return self.process.returncode


class Nginx(Server):
    def __init__(self, out, upstream_port):
        port = free_port()
        folder = os.path.join(os.path.abspath(out), "nginx")
        os.makedirs(folder, exist_ok=True)
        user = "user root;" if os.geteuid() == 0 else ""
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        path = os.path.join(folder, "nginx.conf")
        with open(path, "w") as file:
            file.write(
                f"""daemon off; {user} worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections {CONNECTIONS}; }}
http {{
	access_log off; tcp_nodelay on; {temporary}
	keepalive_requests {KEEPALIVE_REQUESTS}; keepalive_timeout 600;
	upstream ollama {{
		server 127.0.0.1:{upstream_port};
		keepalive 1024; keepalive_requests {KEEPALIVE_REQUESTS}; keepalive_timeout 600;
	}}
	server {{
		listen 127.0.0.1:{port} backlog=1024;
		location / {{
			proxy_pass http://ollama; proxy_http_version 1.1; proxy_set_header Connection "";
			proxy_buffering off; proxy_request_buffering off; proxy_read_timeout 600;
		}}
	}}
}}
"""
            )
        super().__init__("nginx", ["nginx", "-p", folder, "-c", path], PROXY_CORE, out, port)
        self.pid = self._retry("it has no worker", self._worker)

    def _worker(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
            children = file.read().split()
        return int(children[0]) if children else None


class Haproxy(Server):
    """`maxconn`: so many requests at once go on, the others wait in its queue."""

    def __init__(self, out, upstream_port, maxconn=None):
        port = free_port()
        limit = f" maxconn {maxconn}" if maxconn else ""
        path = os.path.join(out, "haproxy.cfg")
        with open(path, "w") as file:
            file.write(
                f"""global
	nbthread 1
	maxconn {CONNECTIONS}
defaults
	mode http
	option http-no-delay
	http-reuse always
	timeout connect 5s
	timeout client 600s
	timeout server 600s
	timeout queue 3600s
frontend clients
	bind 127.0.0.1:{port} backlog 1024
	default_backend ollama
backend ollama
	server ollama 127.0.0.1:{upstream_port}{limit}
"""
            )
        super().__init__("haproxy", ["haproxy", "-db", "-f", path], PROXY_CORE, out, port)


class SharedOllama(Server):
    def __init__(self, build, out, upstream_port, log, options):
        command = [
            os.path.join(build, "src", "shared-ollama"),
            "--listen",
            "127.0.0.1:0",
            "--upstream",
            f"http://127.0.0.1:{upstream_port}",
            "--request-log",
            log,
        ]
        super().__init__("shared-ollama", command + options, PROXY_CORE, out)


class Upstream(Server):
    def __init__(self, build, out, rate):
        command = [os.path.join(build, "bench", "bench-upstream"), "0", str(rate)]
        super().__init__("upstream", command, LOAD_CORE, out)


class Simulator(Server):
    def __init__(self, build, out, config, time_scale, port=0):
        command = [os.path.join(build, "subprojects", "ollama-sim", "ollama-sim"), "--listen", f"127.0.0.1:{port}"]
        command += ["--config", config, "--time-scale", str(time_scale)]
        super().__init__("ollama-sim", command, LOAD_CORE, out)
