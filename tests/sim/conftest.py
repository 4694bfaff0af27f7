"""Starts the simulated Ollama. OLLAMA_SIM: path of the program. OLLAMA_TEST_URL: a real Ollama to hold against the
recordings instead; tests that need the simulation's own endpoints or its settings are skipped then."""

import json
import os
import re
import subprocess
import time
import urllib.parse

import pytest

from wire import Connection

START_DEADLINE_S = 20
POLL_S = 0.005


def program():
    """The simulation's path; the test is skipped where there is none."""
    path = os.environ.get("OLLAMA_SIM")
    if not path:
        pytest.skip("OLLAMA_SIM is not set")
    return path


class Ollama:
    """One server under test."""

    def __init__(self, address, is_real=False):
        self.address = address
        self.is_real = is_real

    def connect(self, timeout=20):
        return Connection(self.address, timeout)

    def ask(self, method, target, body=None, headers=()):
        with self.connect() as connection:
            return connection.ask(method, target, body, headers)

    def model_names(self):
        return {model["name"] for model in self.ask("GET", "/api/tags").json()["models"]}

    def loaded(self):
        return {model["name"]: model for model in self.ask("GET", "/api/ps").json()["models"]}


class Sim(Ollama):
    """The simulation, with its own endpoints."""

    def __init__(self, arguments=()):
        self.process = subprocess.Popen(
            [program(), "--listen", "127.0.0.1:0", *arguments], stderr=subprocess.PIPE, text=True
        )
        line = self.process.stderr.readline()
        match = re.fullmatch(r"listening on (.+):(\d+)\n", line)
        assert match, line
        super().__init__((match.group(1), int(match.group(2))))

    def state(self):
        return self.ask("GET", "/sim/state").json()

    def model(self, name):
        return self.state()["models"][name]

    def fault(self, path, kind, **more):
        answer = self.ask("POST", "/sim/faults", {"path": path, "kind": kind, **more})
        assert answer.status == 200, answer.body

    def wait_for(self, condition, what=""):
        """Polls /sim/state until condition(state) is true, and returns it."""
        deadline = time.monotonic() + START_DEADLINE_S
        while time.monotonic() < deadline:
            state = self.state()
            if condition(state):
                return state
            time.sleep(POLL_S)
        raise AssertionError(f"not reached: {what} {state}")

    def wait_for_model(self, name, **wanted):
        def reached(state):
            return all(state["models"][name][key] == value for key, value in wanted.items())

        return self.wait_for(reached, f"{name} {wanted}")["models"][name]

    def stop(self):
        self.process.terminate()
        status = self.process.wait(START_DEADLINE_S)
        errors = self.process.stderr.read()
        self.process.stderr.close()
        assert status == 0 and errors == "", (status, errors)


@pytest.fixture(scope="session")
def ollama():
    """What is held against the recordings: the simulation with its built-in models, or a real Ollama."""
    url = os.environ.get("OLLAMA_TEST_URL")
    if url:
        parts = urllib.parse.urlsplit(url)
        yield Ollama((parts.hostname, parts.port or 11434), is_real=True)
        return
    server = Sim()
    yield server
    server.stop()


@pytest.fixture
def start_sim(tmp_path):
    """start_sim(models=[...], max_queue=1, ...) with a configuration of its own; stopped (and its exit checked) after the test."""
    started = []

    def start(scale=None, **config):
        arguments = []
        if config:
            path = tmp_path / f"sim{len(started)}.json"
            path.write_text(json.dumps(config))
            arguments += ["--config", str(path)]
        if scale:
            arguments += ["--time-scale", str(scale)]
        started.append(Sim(arguments))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def sim(start_sim):
    return start_sim()
