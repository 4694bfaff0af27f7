#!/usr/bin/env python3
"""Plays seeded workloads (workloads.py), time compressed, against the simulated Ollama: straight, through HAProxy with its
queue, through the proxy with `fifo` and with `turns`; prints one table for each, with a bound that no scheduler can beat
(bound.py) and what was aimed at. See README.md, "scheduling"."""

import argparse
import json
import os
import statistics
import sys
import tempfile
import urllib.parse
import urllib.request

import bound
import player
import workloads
from servers import Haproxy, SharedOllama, Simulator

WAYS = ("direct", "haproxy", "fifo", "turns")
MAX_TURN_WAIT_S = 45
# A plain queue waits for everybody: FIFO's row shows what that costs those who give up.
PLAIN_QUEUE = 'agents = ( { user_agent = "python-requests"; patience = 0; } );\n'


class Box:
    """The simulated Ollama; `restart` makes it another one on the same port."""

    def __init__(self, build, folder, workload):
        self.build = build
        self.folder = folder
        self.workload = workload
        self.counted = {"loads": 0}
        self.server = self._start(workload.box, 0)

    def _start(self, box, port):
        path = os.path.join(self.folder, "box.json")
        with open(path, "w") as file:
            json.dump(box, file)
        return Simulator(self.build, self.folder, path, self.workload.scale, port)

    def _count(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.server.port}/sim/state", timeout=30) as answer:
            state = json.load(answer)
        self.counted["loads"] += sum(each["loads"] for each in state["models"].values())

    def restart(self):
        self._count()
        port = self.server.port
        self.server.stop()
        self.server = self._start(self.workload.change[1], port)

    def loads(self):
        self._count()
        return self.counted["loads"]

    def stop(self):
        self.server.stop()


def ours(build, folder, port, workload, how):
    options = ["--scheduler", how, "--concurrency", "adaptive" if how == "turns" else "fixed"]
    # The ring holds the workload and nobody is lost; the bound is compressed like all else.
    options += ["--max-concurrent", str(workload.slots), "--max-queue-size", "1000", "--default-timeout", "0"]
    options += ["--max-turn-wait", str(MAX_TURN_WAIT_S / workload.scale)]
    if how == "fifo":
        path = os.path.join(folder, "fifo.conf")
        with open(path, "w") as file:
            file.write(PLAIN_QUEUE)
        options = ["-c", path] + options
    return SharedOllama(build, folder, port, os.path.join(folder, how + ".jsonl"), options)


def proxy_of(how, build, folder, port, workload):
    if how == "direct":
        return None
    if how == "haproxy":
        return Haproxy(folder, port, workload.slots)
    return ours(build, folder, port, workload, how)


def jain(calls, ended):
    """Fairness of the work done for each project, as a part of what it had asked for, when the last request came."""
    last = max(call.begun for call in calls)
    parts = []
    for project in sorted({call.project for call in calls}):
        asked = [call for call in calls if call.project == project]
        done = sum(call.tokens for call in asked if call.latency is not None and call.begun + call.latency <= last)
        parts.append(done / sum(call.tokens for call in asked))
    squares = sum(part * part for part in parts)
    return sum(parts) ** 2 / (len(parts) * squares) if squares else 1.0


def figures_of(workload, took_s, loads):
    calls = workload.calls()
    answered = [call for call in calls if call.why_lost is None]
    latencies = sorted(call.latency for call in answered) or [0.0]
    told = [call for call in answered if call.computed is not None]
    of_projects = {}
    for call in answered:
        of_projects.setdefault(call.project, []).append(call.latency)
    return {
        "mean_s": statistics.fmean(latencies),
        "p95_s": latencies[int(0.95 * (len(latencies) - 1))],
        "max_s": latencies[-1],
        # all that is not computing, wherever it is spent: in a queue, for a load, inside Ollama
        "wait_s": statistics.fmean(call.latency - call.computed for call in told) if told else None,
        "loads": loads,
        "load_share": loads * workloads.LOAD_S / took_s if took_s else 0.0,
        "warm": sum(1 for call in answered if not call.is_cold) / len(answered) if answered else 0.0,
        "lost": len(calls) - len(answered),
        "requests": len(calls),
        "jain": jain(calls, took_s),
        "took_s": took_s,
        "projects_p95_s": {name: sorted(each)[int(0.95 * (len(each) - 1))] for name, each in of_projects.items()},
    }


def measure(how, arguments, name):
    workload = workloads.build(name, arguments.seed)
    models = dict(pair.split("=") for pair in arguments.models.split(",")) if arguments.models else {}
    with tempfile.TemporaryDirectory() as folder:
        if arguments.ollama:
            workload.scale = 1.0
            workload.change = None
            upstream = urllib.parse.urlsplit(arguments.ollama)
            proxy = proxy_of(how, arguments.build, folder, upstream.port or 11434, workload)
            try:
                host, port = ("127.0.0.1", proxy.port) if proxy else (upstream.hostname, upstream.port or 11434)
                took_s = player.play(workload, host, port, models)
            finally:
                if proxy:
                    proxy.stop()
            return figures_of(workload, took_s, sum(1 for call in workload.calls() if call.load >= workloads.LOAD_S / 2))
        if arguments.scale and workload.scale > 1:
            workload.scale = arguments.scale
        box = Box(arguments.build, folder, workload)
        proxy = None
        try:
            proxy = proxy_of(how, arguments.build, folder, box.server.port, workload)
            port = proxy.port if proxy else box.server.port
            took_s = player.play(workload, "127.0.0.1", port, models, box.restart)
            return figures_of(workload, took_s, box.loads())
        finally:
            if proxy:
                proxy.stop()
            box.stop()


def goals_of(name, ways, least):
    """What the figures should be: (in words, is it so?)."""
    turns, fifo, direct = ways["turns"], ways["fifo"], ways["direct"]
    if name.startswith("seed"):
        return [
            # its own server in arrival order, no proxy: `direct`
            ("wait <= 1.1 x that of the box alone in order of arrival", turns["wait_s"] <= 1.1 * direct["wait_s"]),
            ("warm > 80 %", turns["warm"] > 0.8),
            ("loads < 10 % of requests", turns["loads"] < 0.1 * turns["requests"]),
        ]
    if name in ("mixed", "options"):
        other = min(fifo["mean_s"], direct["mean_s"])
        loads = min(fifo["loads"], direct["loads"])
        longest = min(fifo["max_s"], direct["max_s"])
        return [
            (f"mean 5 x lower ({other / turns['mean_s']:.1f} x)", other >= 5 * turns["mean_s"]),
            (f"60 % fewer loads ({1 - turns['loads'] / loads:.0%})", turns["loads"] <= 0.4 * loads),
            ("longest lower", turns["max_s"] < longest),
        ]
    if name == "agents":
        return [(f"mean 3 x lower than fifo ({fifo['mean_s'] / turns['mean_s']:.1f} x)", fifo["mean_s"] >= 3 * turns["mean_s"])]
    if name.startswith("chat"):
        # beside two others
        service_s = bound.own_s(workloads.Call("a")) * (1 + workloads.ALPHA * (workloads.SLOTS - 1))
        is_set = name.endswith("class")
        if is_set:
            limit = service_s + 2 * workloads.LOAD_S + 1.5 * service_s
        else:
            limit = max(MAX_TURN_WAIT_S, 16 * workloads.LOAD_S) + service_s + workloads.LOAD_S + 1.5 * service_s
        p95 = turns["projects_p95_s"]["chat"]
        return [(f"the chat's p95 <= {limit:.1f} s ({p95:.1f})", p95 <= limit)]
    if name == "impatient":
        lost, plain = turns["lost"] / turns["requests"], fifo["lost"] / fifo["requests"]
        return [(f"lost <= 1 % ({lost:.0%})", lost <= 0.01), (f"fifo loses > 20 % ({plain:.0%})", plain > 0.2)]
    if name == "fair":
        service_s = bound.own_s(workloads.Call("a")) * (1 + workloads.ALPHA * (workloads.SLOTS - 1))
        # the wait: its latency less its own service
        wait = turns["projects_p95_s"]["other"] - service_s
        return [(f"the other's p95 wait <= 1.5 slot times ({wait / service_s:.2f})", wait <= 1.5 * service_s)]
    return [(f"no slower than the best fixed setting could be: mean <= 1.1 x the bound", turns["mean_s"] <= 1.1 * least["mean_s"])]


def row(name, figures):
    wait = f"{figures['wait_s']:9.1f}" if figures.get("wait_s") is not None else f"{'':9}"
    text = f"  {name:8}{figures['mean_s']:8.1f}"
    text += f"{figures['p95_s']:8.1f}" if "p95_s" in figures else f"{'':8}"
    text += f"{figures['max_s']:9.1f}{wait}{figures['loads']:7}"
    if "lost" in figures:
        text += f"{figures['load_share']:7.0%}{figures['warm']:7.0%}{figures['lost']:6}{figures['jain']:7.2f}"
    return text


def show(name, arguments):
    workload = workloads.build(name, arguments.seed)
    print(f"{workload.name} (seed {arguments.seed}): {workload.says}; seconds of simulated life")
    print(f"  {'':8}{'mean':>8}{'p95':>8}{'longest':>9}{'wait':>9}{'loads':>7}{'of it':>7}{'warm':>7}{'lost':>6}{'Jain':>7}")
    ways = {}
    for how in arguments.ways.split(","):
        ways[how] = measure(how, arguments, name)
        print(row(how, ways[how]), flush=True)
    least = bound.of(workload)
    print(row("bound", least))
    goals = goals_of(name, ways, least) if len(ways) == len(WAYS) else []
    for text, is_met in goals:
        print(f"  {'met' if is_met else 'MISSED'}: {text}")
    print(flush=True)
    may_lose = workload.may_lose or workload.change
    is_whole = may_lose or not any(figures["lost"] for figures in ways.values())
    return {"ways": ways, "bound": least, "goals": {text: is_met for text, is_met in goals}}, is_whole


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", help="a build directory with the program and the simulated Ollama")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, help="how many times faster than life (default: the workload's own)")
    parser.add_argument("--only", default=",".join(workloads.WORKLOADS))
    parser.add_argument("--ways", default=",".join(WAYS), help="which of them; goals need all")
    parser.add_argument("--ollama", default=os.environ.get("OLLAMA_TEST_URL"), help="a real Ollama instead: its URL")
    parser.add_argument("--models", help="for a real one: a=llama3.2,b=qwen2.5:3b,…")
    parser.add_argument("--json", help="writes the figures there as well")
    arguments = parser.parse_args()
    results, is_whole = {}, True
    for name in arguments.only.split(","):
        results[name], is_fine = show(name, arguments)
        is_whole = is_whole and is_fine
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(results, file, indent=1)
    missed = sum(1 for each in results.values() for is_met in each["goals"].values() if not is_met)
    print(f"goals missed: {missed}")
    sys.exit(0 if is_whole else 1)


if __name__ == "__main__":
    main()
