"""What is taken by being there: idle connections, rest, the start, the program's size, and how a body is looked at."""

import json
import os
import signal
import socket
import statistics
import subprocess
import time

import servers
from scenarios.base import OURS, PROXIES, Metric, Scenario

KIB_PER_MIB = 1024
BYTES_PER_MIB = 1 << 20
START_LIMIT_S = 10
MS_PER_S = 1000


def run_idle(place, target, settings):
    settings = settings | {"connections": servers.most_clients(settings["connections"])}
    with place.running(target) as (url, pid):
        result = place.load("idle", url, pid, **settings)
    result["kib_per_connection"] = (result["rss_kib"]["now"] - result["rss_kib_before"]["now"]) / settings["connections"]
    return result


def idle(name, title, requests):
    full = {"connections": 10000, "requests": requests, "path": "/api/show"}
    metrics = [Metric("kib_per_connection", "memory a connection", "KiB")]
    smoke = full | {"connections": 300}
    return Scenario(name, title, run_idle, metrics, full, smoke, (*PROXIES, "relay"), groups=("memory", "idle"))


def private_mib(pid):
    """Written pages. Unwritten ones of a library count as private too where no other program of the moment uses it."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_Dirty")) / KIB_PER_MIB


def run_rest(place, target, settings):
    """With default settings, after one request."""
    with place.running(target, options=[]) as (url, pid):
        errors = place.load("idle", url, pid, connections=1, requests=1, path="/api/show")["errors"]
        return {"private_mib": private_mib(pid), "errors": errors}


def first_answer_ms(command, port):
    """From the call that starts it to the first answer of /api/version: it goes through to the upstream."""
    request = b"GET /api/version HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    begun = time.perf_counter()
    # a program inherits the core; taskset would be a start of its own
    servers.stay_on(servers.PROXY_CORE)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    servers.stay_on(servers.LOAD_CORE)
    try:
        while time.perf_counter() - begun < START_LIMIT_S:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) != 0:
                    continue
                client.sendall(request)
                if client.recv(4096).startswith(b"HTTP/1.1 200"):
                    return (time.perf_counter() - begun) * MS_PER_S
                raise RuntimeError("the first answer is no 200")
        raise RuntimeError(f"{command[0]} does not start")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_LIMIT_S)


def run_start(place, target, settings):
    program = os.path.join(place.build, "src", "shared-ollama")
    stripped = os.path.join(place.out, "stripped")
    subprocess.run(["strip", "-o", stripped, program], check=True)
    times = []
    for _ in range(settings["starts"]):
        port = servers.free_port()
        command = [program, "--listen", f"127.0.0.1:{port}", "--upstream", place.upstream.url, "--request-log", ""]
        times.append(first_answer_ms(command, port))
    size = os.path.getsize(stripped)
    os.unlink(stripped)
    return {"start_ms": statistics.median(times), "stripped_mib": size / BYTES_PER_MIB, "errors": 0}


def run_peek(place, target, settings):
    command = [os.path.join(place.build, "bench", "bench-peek"), str(settings["bytes"]), str(settings["piece"])]
    done = subprocess.run(servers.pinned(servers.PROXY_CORE, command), stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout) | {"errors": 0}


SCENARIOS = [
    idle("idle_used", "10,000 idle connections, each used once", 1),
    idle("idle_unused", "10,000 idle connections, never used", 0),
    Scenario(
        "rest",
        "at rest, default settings",
        run_rest,
        [Metric("private_mib", "private memory", "MiB")],
        {},
        {},
        PROXIES,
        groups=("memory",),
    ),
    Scenario(
        "start",
        "start and size",
        run_start,
        [Metric("start_ms", "from start to the first answer", "ms"), Metric("stripped_mib", "stripped program", "MiB")],
        {"starts": 9},
        {"starts": 2},
        (OURS,),
        groups=("memory",),
    ),
    Scenario(
        "peek",
        "a body of 10 MB looked at, in pieces of 4 KiB",
        run_peek,
        [Metric("ms", "CPU", "ms")],
        {"bytes": 10000000, "piece": 4096},
        {"bytes": 10000000, "piece": 4096},
        (OURS,),
        groups=("bodies",),
    ),
]
