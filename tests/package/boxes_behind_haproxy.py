"""Several boxes, each a simulated Ollama and a proxy, behind a real HAProxy with deploy/haproxy/haproxy.cfg."""

import os
import shutil
import socket
import subprocess

from places import ROOT
from programs import ask, clean_environment, wait_for

CONFIGURATION = ROOT / "deploy" / "haproxy" / "haproxy.cfg"
BOXES = 3


def haproxy_path():
    return shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")


class Boxes:
    """`sims`, `proxies`: of each box; `url`: HAProxy's."""

    def __init__(self, folder, make_sim, proxy, config, *flags):
        self.folder = folder
        self.sims = [make_sim(config) for _ in range(BOXES)]
        self.proxies = [proxy("--agent-listen", "127.0.0.1:0", *flags, upstream=sim.url) for sim in self.sims]
        self.process = None
        self.listener = None

    def start(self, change=lambda text: text):
        """HAProxy with this configuration, once it knows every box to be up."""
        file = self.folder / "haproxy.cfg"
        socket_path = self.folder / "haproxy.sock"
        text = change(CONFIGURATION.read_text()).replace("global\n", f"global\n\tstats socket {socket_path}\n", 1)
        file.write_text(text)
        self.stats_path = socket_path
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        env = {"BIND": f"fd@{self.listener.fileno()}"}
        for number, server in enumerate(self.proxies, 1):
            host, agent = server.addresses()[-1].rsplit(":", 1)
            env |= {f"BOX{number}": server.addresses()[0], f"BOX{number}_AGENT": host, f"BOX{number}_AGENT_PORT": agent}
        with open(self.folder / "haproxy.stderr", "wb") as stderr:
            self.process = subprocess.Popen(
                [haproxy_path(), "-db", "-f", file],
                pass_fds=[self.listener.fileno()],
                env=clean_environment(env) | {"PATH": os.environ["PATH"]},
                stderr=stderr,
                stdout=stderr,
            )
        wait_for(lambda: self.process.poll() is not None or self.weights() == [100] * BOXES, 20, "HAProxy's boxes")
        assert self.process.poll() is None, (self.folder / "haproxy.stderr").read_text()

    def servers(self):
        """HAProxy's own view of the boxes of `jobs`: rows of its statistics."""
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self.stats_path))
            except OSError:
                return []
            connection.sendall(b"show stat\n")
            data = b""
            while piece := connection.recv(65536):
                data += piece
        lines = [line.split(",") for line in data.decode().lstrip("# ").splitlines() if line]
        rows = [dict(zip(lines[0], line, strict=False)) for line in lines[1:]]
        return [row for row in rows if row["pxname"] == "jobs" and row["svname"].startswith("box")]

    def weights(self):
        """Of boxes that were asked and are up; what is down has -1."""
        asked = [row for row in self.servers() if row["agent_status"].lstrip("* ") not in ("", "INI", "UNK")]
        return [int(row["weight"]) if row["status"].startswith("UP") or row["status"].startswith("DRAIN") else -1 for row in asked]

    def loads(self):
        return sum(model["loads"] for sim in self.sims for model in sim.state()["models"].values())

    def ask(self, method, target, body=None, headers=None):
        return ask(self.url, method, target, body, timeout=60, headers=headers)

    def address(self):
        return self.listener.getsockname()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        if self.listener:
            self.listener.close()
