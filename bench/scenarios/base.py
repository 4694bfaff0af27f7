"""What a scenario is, and what it is given: a place where programs are started and loaded."""

import contextlib
import json
import os
import subprocess
from dataclasses import dataclass, field

import servers

OURS = "shared-ollama"
# All that the ways are compared of; direct is none.
ALL = (OURS, "nginx", "haproxy", "relay", "direct")
PROXIES = (OURS, "nginx", "haproxy")
# What is divided by what, within a round. The last pair are two programs that do not change: the machine's mood.
RATIOS = ((OURS, "haproxy"), (OURS, "nginx"), (OURS, "relay"), ("nginx", "haproxy"))
# What is taken from what, where the metric says so.
ADDED = ((OURS, "direct"), ("nginx", "direct"), ("haproxy", "direct"), ("relay", "direct"), (OURS, "haproxy"))
# No job waits for another one where only the way is measured; what Ollama serves at once is found out by making jobs
# wait. The scheduler is as it is by default.
MOST_AT_ONCE = 2048
LOAD_LIMIT_S = 600


@dataclass
class Metric:
    """A number of a run: `key`, dots lead into objects. `better`: low, high, or nothing where it only informs."""

    key: str
    title: str
    unit: str = ""
    better: str | None = "low"
    is_ratio: bool = False
    is_added: bool = False
    is_plotted: bool = True


@dataclass
class Scenario:
    """`run(place, target, settings)` gives the figures of one run; `errors` among them is what went wrong."""

    name: str
    title: str
    run: object
    metrics: list
    full: dict
    smoke: dict
    targets: tuple = ALL
    ratios: tuple = RATIOS
    differences: tuple = ADDED
    # one round is enough
    is_once: bool = False
    # a curve of these quantiles is drawn
    curve: str | None = None
    # figures of the runs that are no metrics but have to be zero
    must_be_zero: tuple = ("errors",)
    groups: tuple = field(default_factory=tuple)
    # `--only` with its name repeats it: not one that was made from the arguments
    is_repeatable: bool = True
    # of a proxy, for each of the settings' connections
    descriptors_each: int = 2


def wide_open(most=MOST_AT_ONCE, extra=()):
    """The queue is short where nobody waits: our proxy sets descriptors aside for each place and each slot."""
    options = ["--concurrency", "fixed", "--max-concurrent", str(most), "--max-concurrent-limit", str(most)]
    options += ["--max-reading", str(2 * most), "--max-queue-size", "64", "--default-timeout", "0"]
    return [*options, *extra]


class Place:
    """Where the programs are, where they write, and the upstream behind all proxies."""

    def __init__(self, build, out):
        self.build = build
        self.out = out
        self.upstream = None
        self.certificate = None

    def start_upstream(self):
        self.upstream = servers.Upstream(self.build, self.out, 50)

    def stop(self):
        if self.upstream:
            self.upstream.stop()
        self.upstream = None

    def tls(self):
        self.certificate = self.certificate or servers.Certificate(self.out)
        return self.certificate

    def make(self, name, options=None, log="ways.jsonl", tls=None, is_buffering=False, upstream=None):
        port = upstream or self.upstream.port
        if name == OURS:
            path = os.path.join(self.out, log) if log else ""
            return servers.SharedOllama(self.build, self.out, port, path, wide_open() if options is None else options, tls=tls)
        if name == "nginx":
            return servers.Nginx(self.out, port, tls=tls, is_buffering=is_buffering)
        if name == "haproxy":
            return servers.Haproxy(self.out, port, tls=tls)
        return servers.Relay(self.build, self.out, port)

    @contextlib.contextmanager
    def running(self, name, **how):
        """A target of its own for each run, so that none inherits memory from another one: (url, pid)."""
        if name == "direct":
            yield self.upstream.url, 0
            return
        server = self.make(name, **how)
        try:
            yield server.url, server.pid
            if server.process.poll() is not None:
                raise RuntimeError(f"{name} ended in the middle: {server.text()}")
        finally:
            server.stop()
            log = os.path.join(self.out, how.get("log", "ways.jsonl"))
            if os.path.isfile(log):
                os.unlink(log)

    def command(self, mode, url, pid=0, **options):
        command = [os.path.join(self.build, "bench", "bench-load"), mode, url, "--pid", str(pid)]
        for key, value in options.items():
            command += ["--" + key.replace("_", "-"), str(value)]
        return servers.pinned(servers.LOAD_CORE, command)

    def load(self, mode, url, pid=0, **options):
        command = self.command(mode, url, pid, **options)
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=LOAD_LIMIT_S, check=False)
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}") from None


def value_of(run, key):
    """The number behind a dotted key; None where there is none."""
    for part in key.split("."):
        if not isinstance(run, dict):
            return None
        run = run.get(part)
    return run
