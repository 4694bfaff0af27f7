"""What is measured and what it is measured with: each as a process that is started, pinned and ended by its id."""

import os
import re
import resource
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
# 10,000 streams, for each of which our proxy sets three aside, and what is spare.
DESCRIPTORS = 30320
# What a process needs besides its connections.
SPARE_DESCRIPTORS = 220


def raise_descriptors():
    """As many as the measurements want, or as many as this user may have; children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, DESCRIPTORS), max(hard, DESCRIPTORS)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connections():
    """How many clients a proxy can have at once, each with a connection to the upstream."""
    return (min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], DESCRIPTORS) - SPARE_DESCRIPTORS) // 2


def pinned(core, command):
    if (os.cpu_count() or 1) < 2:
        return command
    return ["taskset", "-c", str(core)] + command


def most_clients(wanted, each=2):
    """So many of them at once, a few connections apart that a proxy or the load generator needs as well. `each`: the
    descriptors that a proxy sets aside for one; ours takes three for a stream, one being for a body that goes into a file."""
    return min(wanted, 2 * (connections() - 50) // each)


def stay_on(core):
    """This process, and what it starts."""
    if (os.cpu_count() or 1) >= 2:
        os.sched_setaffinity(0, {core})


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running process; `port` is where it listens, `pid` whose CPU time counts, `url` what clients use."""

    scheme = "http"

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

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

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


class Certificate:
    """A self-signed one for 127.0.0.1, made once in the folder: `certificate`, `key`, and both in `pem`."""

    def __init__(self, folder):
        self.certificate, self.key, self.pem = (os.path.join(folder, "bench." + end) for end in ("crt", "key", "pem"))
        if os.path.exists(self.pem):
            return
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-subj", "/CN=127.0.0.1", "-days", "2", "-keyout", self.key, "-out", self.certificate]
        subprocess.run(command, stderr=subprocess.DEVNULL, check=True)
        with open(self.pem, "w") as both:
            for path in (self.certificate, self.key):
                with open(path) as file:
                    both.write(file.read())


class Nginx(Server):
    """`is_buffering`: of requests, as a proxy does that keeps a body until all of it is there."""

    def __init__(self, out, upstream_port, tls=None, is_buffering=False):
        port = free_port()
        folder = os.path.join(os.path.abspath(out), "nginx")
        os.makedirs(folder, exist_ok=True)
        user = "user root;" if os.geteuid() == 0 else ""
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        path = os.path.join(folder, "nginx.conf")
        listen = f"127.0.0.1:{port} backlog=4096"
        if tls:
            self.scheme = "https"
            listen += f" ssl; ssl_protocols TLSv1.3; ssl_certificate {tls.certificate}; ssl_certificate_key {tls.key}"
        with open(path, "w") as file:
            file.write(
                f"""daemon off; {user} worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections {2 * connections()}; }}
http {{
	access_log off; tcp_nodelay on; client_max_body_size 0; {temporary}
	keepalive_requests {KEEPALIVE_REQUESTS}; keepalive_timeout 600;
	upstream ollama {{
		server 127.0.0.1:{upstream_port};
		keepalive 1024; keepalive_requests {KEEPALIVE_REQUESTS}; keepalive_timeout 600;
	}}
	server {{
		listen {listen};
		location / {{
			proxy_pass http://ollama; proxy_http_version 1.1; proxy_set_header Connection "";
			proxy_buffering off; proxy_request_buffering {"on" if is_buffering else "off"}; proxy_read_timeout 600;
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

    def __init__(self, out, upstream_port, maxconn=None, tls=None):
        port = free_port()
        bind = f"127.0.0.1:{port} backlog 4096"
        if tls:
            self.scheme = "https"
            bind += f" ssl crt {tls.pem} ssl-min-ver TLSv1.3"
        limit = f" maxconn {maxconn}" if maxconn else ""
        path = os.path.join(out, "haproxy.cfg")
        with open(path, "w") as file:
            file.write(
                f"""global
	nbthread 1
	maxconn {connections()}
defaults
	mode http
	option http-no-delay
	http-reuse always
	timeout connect 5s
	timeout client 600s
	timeout server 600s
	timeout queue 3600s
frontend clients
	bind {bind}
	default_backend ollama
backend ollama
	server ollama 127.0.0.1:{upstream_port}{limit}
"""
            )
        super().__init__("haproxy", ["haproxy", "-db", "-f", path], PROXY_CORE, out, port)


class SharedOllama(Server):
    """`upstream`: a port of this machine, or a URL. `log`: a file; an empty text is no log."""

    def __init__(self, build, out, upstream, log, options, tls=None):
        command = [
            os.path.join(build, "src", "shared-ollama"),
            "--listen",
            "https://127.0.0.1:0" if tls else "127.0.0.1:0",
            "--upstream",
            upstream if isinstance(upstream, str) else f"http://127.0.0.1:{upstream}",
            "--request-log",
            log,
        ]
        if tls:
            self.scheme = "https"
            command += ["--tls-certificate", tls.certificate, "--tls-key", tls.key]
        super().__init__("shared-ollama", command + options, PROXY_CORE, out)


class Relay(Server):
    """Copies and does nothing else."""

    def __init__(self, build, out, upstream_port):
        super().__init__("relay", [os.path.join(build, "bench", "bench-relay"), str(upstream_port)], PROXY_CORE, out)


class Upstream(Server):
    def __init__(self, build, out, rate):
        command = [os.path.join(build, "bench", "bench-upstream"), "0", str(rate)]
        super().__init__("upstream", command, LOAD_CORE, out)


class Simulator(Server):
    def __init__(self, build, out, config, time_scale, port=0):
        command = [os.path.join(build, "subprojects", "ollama-sim", "ollama-sim"), "--listen", f"127.0.0.1:{port}"]
        command += ["--config", config, "--time-scale", str(time_scale)]
        super().__init__("ollama-sim", command, LOAD_CORE, out)
