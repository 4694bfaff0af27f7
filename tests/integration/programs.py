"""The programs under test as objects: started on ports of the kernel's choice, asked over HTTP, stopped by SIGTERM."""

import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import time

# A sanitizer's finding or a failed assertion, whatever the exit code was.
ALARM = re.compile(r"ERROR: \w+Sanitizer|runtime error:|LeakSanitizer|Assertion .* failed|assert(ion)? fail", re.I)
LISTENING = re.compile(r"^listening on (\S+)$", re.M)
START_SECONDS = 15
# A drain takes as long as the longest answer in work; a test that needs more says so.
STOP_SECONDS = 20
POLL_SECONDS = 0.005

SCHEMAS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "schemas"

# Jobs that are somewhere on their way, and all the ways in which they end (STYLE B4, I7).
UNDER_WAY = ["reading", "queued", "in_progress", "flushing"]
ENDED = ["completed", "failed", "rejected", "timeout", "cancelled"]


def wait_for(predicate, timeout=10.0, what=None):
    """Calls predicate() until what it returns is true, and returns that. Fails with the last value."""
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or predicate} did not come true in {timeout} s; last: {value!r}")
        time.sleep(POLL_SECONDS)


def program_path(variable):
    """The program that an environment variable names."""
    path = os.environ.get(variable)
    if not path:
        raise RuntimeError(f"{variable} must name the program (tests/integration/README.md)")
    return path


def clean_environment(extra):
    """Without the settings of the person who runs the tests: SHARED_OLLAMA_* are flags, *_proxy mislead clients."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SHARED_OLLAMA", "OLLAMA")) and not name.lower().endswith("_proxy")
    }
    return kept | (extra or {})


def ask(url, method, target, body=None, timeout=10.0, headers=None):
    """One request on a connection of its own: (status, bytes)."""
    host = url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=timeout)
    try:
        data = None if body is None else json.dumps(body).encode()
        headers = dict(headers or {}) | ({} if body is None else {"Content-Type": "application/json"})
        connection.request(method, target, data, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def ask_json(url, method, target, body=None, headers=None):
    status, data = ask(url, method, target, body, headers=headers)
    assert status == 200, f"{method} {target}: {status} {data!r}"
    return json.loads(data) if data.strip() else None


class Program:
    """A server that says where it listens. Its stderr is a file, so that it never waits for a reader."""

    def __init__(self, name, folder, env=None):
        self.name = name
        self.folder = pathlib.Path(folder)
        self.env = clean_environment(env)
        self.process = None
        self.url = None
        self.starts = 0

    def start(self, argv):
        self.starts += 1
        log = self.folder / f"{self.name}.{self.starts}.stderr"
        with open(log, "wb") as stderr:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stderr=stderr, env=self.env, cwd=self.folder
            )
        self.log = log
        wait_for(lambda: self.addresses() or self.process.poll() is not None, START_SECONDS, f"{self.name} listening")
        assert self.addresses(), f"{self.name} did not start: exit code {self.process.poll()}\n{self.stderr()}"
        self.url = "http://" + self.addresses()[0]

    def addresses(self):
        """Every address that it said, in its order."""
        return LISTENING.findall(self.stderr())

    def stderr(self):
        """What the latest start has written."""
        return self.log.read_text(errors="replace")

    def all_stderr(self):
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob(f"{self.name}.*.stderr")))

    @property
    def port(self):
        return int(self.url.rsplit(":", 1)[1])

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, timeout=STOP_SECONDS):
        """SIGTERM, and the exit code must be 0."""
        self.signal(signal.SIGTERM)
        self.wait_exit(timeout)

    def wait_exit(self, timeout=STOP_SECONDS, code=0):
        try:
            got = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end in {timeout} s\n{self.stderr()}") from None
        assert got == code, f"{self.name}: exit code {got}, not {code}\n{self.stderr()}"

    def kill(self):
        """SIGKILL: gone at once, its connections are reset or closed by the kernel."""
        self.process.kill()
        self.process.wait()

    def check_stderr(self):
        found = ALARM.search(self.all_stderr())
        assert not found, f"{self.name} said {found.group(0)!r}:\n{self.all_stderr()}"


class Memory:
    """How much more a program holds than when this was made. A sanitizer keeps freed memory, so it gets more."""

    ALLOWED_KIB = 8 * 1024
    SANITIZED_KIB = 512 * 1024

    def __init__(self, program):
        self.pid = program.pid
        sanitized = "libasan" in pathlib.Path(f"/proc/{self.pid}/maps").read_text()
        self.allowed = self.SANITIZED_KIB if sanitized else self.ALLOWED_KIB
        self.before = self.resident_kib()

    def resident_kib(self, key="VmRSS"):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"{key}:\s+(\d+) kB", status).group(1))

    def check(self):
        self._check(self.resident_kib())

    def check_most(self):
        """The most that it ever held."""
        self._check(self.resident_kib("VmHWM"))

    def _check(self, kib):
        more = kib - self.before
        assert more < self.allowed, f"{more} KiB more"


class Sim(Program):
    """The simulated Ollama (subprojects/ollama-sim)."""

    def __init__(self, folder, config=None, time_scale=None, name="ollama-sim"):
        super().__init__(name, folder)
        self.arguments = []
        if config is not None:
            file = self.folder / f"{name}.json"
            file.write_text(json.dumps(config))
            self.arguments += ["--config", str(file)]
        if time_scale is not None:
            self.arguments += ["--time-scale", str(time_scale)]
        self.start_at("127.0.0.1:0")

    def start_at(self, address):
        self.start([program_path("OLLAMA_SIM"), "--listen", address, *self.arguments])

    def restart(self):
        """Again at the same address; after kill() or stop()."""
        assert not self.is_running()
        self.start_at(self.url.removeprefix("http://"))

    def state(self):
        return ask_json(self.url, "GET", "/sim/state")

    def fault(self, kind, path="*", count=1, **more):
        """The next `count` requests for `path` meet this fault; more: after_lines, ms, bytes."""
        ask_json(self.url, "POST", "/sim/faults", {"kind": kind, "path": path, "count": count, **more})

    def reset(self):
        """No faults, no loaded models, no counts."""
        ask_json(self.url, "POST", "/sim/reset")

    def wait_for(self, predicate, timeout=10.0):
        """predicate(state) of /sim/state."""
        return wait_for(lambda: predicate(self.state()), timeout, "the simulated Ollama's state")

    def finish(self):
        if self.is_running():
            self.stop()
        self.check_stderr()


class Proxy(Program):
    """shared-ollama, with a request log of its own."""

    def __init__(self, folder, flags, upstream, env=None, name="shared-ollama", without_log=False):
        super().__init__(name, folder, env)
        self.own_headers = {}  # what its own endpoints want to see: a key
        self.request_log = self.folder / f"{name}.requests.jsonl"
        argv = [program_path("SHARED_OLLAMA"), "--listen", "127.0.0.1:0", "--upstream", upstream]
        argv += [] if without_log else ["--request-log", str(self.request_log)]
        argv += map(str, flags)
        self.start(argv)
        # its own endpoints are on the first listener, or on the last, that of --admin-listen
        self.own_url = "http://" + self.addresses()[-1 if "--admin-listen" in argv else 0]

    def get(self, target):
        """(status, bytes) of a GET on a connection of its own."""
        return ask(self.url, "GET", target)

    def health(self):
        """The body whatever the status."""
        return json.loads(ask(self.own_url, "GET", "/api/v1/health")[1])

    def own(self, target):
        return ask_json(self.own_url, "GET", target, headers=self.own_headers)

    def stats(self):
        return self.own("/api/v1/queue/stats")

    def change(self, method, target, body=None, headers=None):
        """A call that changes something: (status, parsed JSON)."""
        status, data = ask(self.own_url, method, target, body, headers=self.own_headers | (headers or {}))
        return status, json.loads(data)

    def requests(self):
        """The living jobs."""
        return self.own("/api/v1/queue/requests")["requests"]

    def log_lines(self):
        """The request log's complete lines, parsed."""
        if not self.request_log.exists():
            return []
        text = self.request_log.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def wait_for(self, predicate, timeout=10.0):
        """predicate(stats); returns what it returned."""
        return wait_for(lambda: predicate(self.stats()), timeout, "the proxy's stats")

    def wait_log(self, count, timeout=10.0):
        """At least so many log lines; returns them all."""
        return wait_for(lambda: len(self.log_lines()) >= count and self.log_lines(), timeout, f"{count} log lines")

    def wait_idle(self, timeout=10.0):
        """Nothing under way any more; returns the stats of that moment."""
        return self.wait_for(lambda stats: not any(stats[key] for key in UNDER_WAY) and stats, timeout)

    def check_counters(self, stats):
        total = sum(stats[key] for key in UNDER_WAY + ENDED)
        assert stats["received"] == total, f"received {stats['received']} is not the sum {total}: {stats}"

    def check_log(self):
        """Every line is as docs/schemas says, keys in their order."""
        schema = json.loads((SCHEMAS / "request-log.schema.json").read_text())
        import jsonschema

        validator = jsonschema.Draft202012Validator(schema)
        for line in self.log_lines():
            validator.validate(line)
            assert list(line) == schema.get("x-order", list(line)), f"the order of the keys: {line}"

    def finish(self):
        """What every test checks at its end: counters, exit code, log, stderr."""
        if self.is_running():
            self.check_counters(self.wait_idle())
            self.stop()
        self.check_log()
        self.check_stderr()
