#!/usr/bin/env python3
"""Replays seeded workloads against the simulated Ollama, time compressed: straight, through the proxy with `fifo` and
with `turns`. Prints one table for each workload. See README.md, "scheduling"."""

import argparse
import http.client
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time

from servers import SharedOllama, Simulator

# seconds of simulated life; divided by the scale
LOAD_S = 8.0
TOKENS = 60
AGENT_TOKENS = 20
TOKENS_PER_S = 20.0
SLOTS = 3


def model(name):
    return {
        "name": name,
        "load_ms": LOAD_S * 1000,
        "prompt_tokens_per_s": 0,
        "tokens_per_s": TOKENS_PER_S,
        "tokens": TOKENS,
        "alpha": 0.15,
        "num_parallel": SLOTS,
    }


BOX = {"max_loaded_models": 1, "keep_alive_s": 100000, "models": [model("a"), model("b"), model("c")]}


class Call:
    """One request: when it is due (seconds of life), or after which think time an agent makes it."""

    def __init__(self, name, due, tokens=TOKENS):
        self.name = name
        self.due = due
        self.tokens = tokens
        self.latency = None
        self.status = None
        self.load = None


def mixed(seed):
    """Three models, one fits; every minute or so a burst of 15 within 3 s, each for a model drawn at random."""
    draw = random.Random(seed)
    calls = []
    begins = 0.0
    for _ in range(8):
        calls += [Call(draw.choice("abc"), begins + draw.uniform(0, 3)) for _ in range(15)]
        begins += 30 + draw.expovariate(1 / 30)
    return sorted(calls, key=lambda call: call.due)


def agents(seed):
    """Two agents, each on a model of its own: the next call, of a second, follows half a second after the answer."""
    return {name: [Call(name, 0.5, AGENT_TOKENS) for _ in range(30)] for name in "ab"}


def ask(port, call, scale):
    body = json.dumps({"model": call.name, "prompt": "x", "stream": False, "options": {"num_predict": call.tokens}})
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("POST", "/api/generate", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    call.latency = (time.monotonic() - begun) * scale
    call.status = response.status
    if response.status == 200:
        call.load = json.loads(answer).get("load_duration", 0) / 1e9 * scale
        waited = response.getheader("X-Model-Warm-Start")
        if waited == "false":
            call.load = max(call.load, LOAD_S)
    connection.close()


def replay(port, workload, scale):
    """Open loop for a list, closed loop for each agent of a dict. All calls, answered."""
    threads = []
    begun = time.monotonic()
    if isinstance(workload, dict):
        def live(calls):
            for call in calls:
                time.sleep(call.due / scale)
                ask(port, call, scale)

        threads = [threading.Thread(target=live, args=(calls,)) for calls in workload.values()]
        for thread in threads:
            thread.start()
        calls = [call for each in workload.values() for call in each]
    else:
        calls = workload
        for call in calls:
            time.sleep(max(0.0, begun + call.due / scale - time.monotonic()))
            threads.append(threading.Thread(target=ask, args=(port, call, scale)))
            threads[-1].start()
    for thread in threads:
        thread.join()
    return calls


def measure(how, build, workload, scale, folder):
    config = os.path.join(folder, "box.json")
    with open(config, "w") as file:
        json.dump(BOX, file)
    simulator = Simulator(build, folder, config, scale)
    proxy = None
    try:
        port = simulator.port
        if how != "direct":
            # The ring holds the workload and nobody is lost; the bound is compressed like all else.
            options = ["--scheduler", how, "--max-concurrent", str(SLOTS), "--max-queue-size", "1000"]
            options += ["--default-timeout", "0", "--max-turn-wait", str(45 / scale)]
            proxy = SharedOllama(build, folder, simulator.port, os.path.join(folder, how + ".jsonl"), options)
            port = proxy.port
        calls = replay(port, workload, scale)
        connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=10)
        connection.request("GET", "/sim/state")
        state = json.loads(connection.getresponse().read())
        connection.close()
    finally:
        if proxy:
            proxy.stop()
        simulator.stop()
    latencies = sorted(call.latency for call in calls)
    warm = sum(1 for call in calls if call.status == 200 and call.load < LOAD_S / 2)
    return {
        "mean_s": statistics.fmean(latencies),
        "p95_s": latencies[int(0.95 * (len(latencies) - 1))],
        "max_s": latencies[-1],
        "loads": sum(each["loads"] for each in state["models"].values()),
        "warm": warm / len(calls),
        "lost": sum(1 for call in calls if call.status != 200),
        "requests": len(calls),
    }


WORKLOADS = {"mixed": mixed, "agents": agents}
WAYS = ["direct", "fifo", "turns"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", help="a build directory with the program and the simulated Ollama")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=40, help="how many times faster than life")
    parser.add_argument("--only", default=",".join(WORKLOADS))
    parser.add_argument("--json", help="writes the figures there as well")
    arguments = parser.parse_args()
    results = {}
    for name in arguments.only.split(","):
        print(f"{name} (seed {arguments.seed}), seconds of simulated life:")
        print(f"  {'':8}{'mean':>8}{'p95':>8}{'longest':>9}{'loads':>7}{'warm':>7}{'lost':>6}")
        for how in WAYS:
            with tempfile.TemporaryDirectory() as folder:
                figures = measure(how, arguments.build, WORKLOADS[name](arguments.seed), arguments.scale, folder)
            results.setdefault(name, {})[how] = figures
            print(
                f"  {how:8}{figures['mean_s']:8.1f}{figures['p95_s']:8.1f}{figures['max_s']:9.1f}{figures['loads']:7}"
                f"{figures['warm']:7.0%}{figures['lost']:6}",
                flush=True,
            )
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(results, file, indent=1)
    sys.exit(1 if any(each["lost"] for ways in results.values() for each in ways.values()) else 0)


if __name__ == "__main__":
    main()
