#!/usr/bin/env python3
"""Runs the measurements of bench/README.md, interleaved, and writes results.json and results.txt."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import analyse
import servers

PARTS = ("small", "streams", "replay")
PROXIES = ("shared-ollama", "nginx", "haproxy")
# No job waits for another one where only the way is measured.
WIDE_OPEN = [
    option
    for key in ("max-concurrent", "max-concurrent-limit", "max-queue-size", "max-reading")
    for option in ("--" + key, "1024")
]
# What Ollama serves at once is found out by making jobs wait. The scheduler is as it is by default.
WIDE_OPEN += ["--concurrency", "fixed"]
# The old service's limits.
OLD_LIMITS = {"max_concurrent": 3, "max_queue_size": 50, "default_timeout_s": 60}
LOAD_LIMIT_S = 1800

FULL = {
    "rounds": 5,
    "small": {"connections": 64, "seconds": 4, "warmup": 1},
    "streams": {"connections": 500, "seconds": 8, "rate": 50},
    "replay": {"time_scale": 20, "seed": 1},
}
SMOKE = {
    "rounds": 1,
    "small": {"connections": 64, "seconds": 0.5, "warmup": 0.2},
    "streams": {"connections": 100, "seconds": 1, "rate": 50},
    # A load of 6 s has to stay above the 100 ms below which a start counts as warm.
    "replay": {"time_scale": 50, "seed": 1},
}


def load(build, mode, port, pid=0, **options):
    command = [os.path.join(build, "bench", "bench-load"), mode, "127.0.0.1", str(port), "--pid", str(pid)]
    for key, value in options.items():
        command += ["--" + key.replace("_", "-"), str(value)]
    done = subprocess.run(
        servers.pinned(servers.LOAD_CORE, command), stdout=subprocess.PIPE, timeout=LOAD_LIMIT_S, check=False
    )
    if not done.stdout:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}")
    return json.loads(done.stdout)


class Bench:
    def __init__(self, arguments):
        self.build = arguments.build
        self.out = arguments.out
        self.plan = SMOKE if arguments.smoke else FULL
        self.rounds = arguments.rounds or self.plan["rounds"]
        self.parts = arguments.only.split(",") if arguments.only else list(PARTS)
        self.running = []
        self.results = {"machine": machine(), "plan": self.plan, "rounds": []}

    def start(self, kind, *rest):
        server = kind(*rest)
        self.running.append(server)
        return server

    def stop_all(self):
        while self.running:
            self.running.pop().stop()

    def measure_round(self, number, ports):
        """Each proxy in turn, each round beginning with another one, so that a slow minute hits all alike."""
        result = {"small_pass": {}, "small_job": {}, "streams": {}}
        names = list(PROXIES)
        names = names[number % len(names) :] + names[: number % len(names)]
        for name in names + ["direct"]:
            port, pid = ports[name]
            if "small" in self.parts:
                for key, path in (("small_pass", "/api/show"), ("small_job", "/api/embed")):
                    result[key][name] = load(self.build, "small", port, pid, path=path, **self.plan["small"])
            if "streams" in self.parts:
                result["streams"][name] = load(self.build, "streams", port, pid, **self.plan["streams"])
            say(f"round {number + 1}: {name} done")
        return result

    def measure_ways(self):
        upstream = self.start(servers.Upstream, self.build, self.out, self.plan["streams"]["rate"])
        log = os.path.join(self.out, "ways.jsonl")
        ours = self.start(servers.SharedOllama, self.build, self.out, upstream.port, log, WIDE_OPEN)
        nginx = self.start(servers.Nginx, self.out, upstream.port)
        haproxy = self.start(servers.Haproxy, self.out, upstream.port)
        ports = {server.name: (server.port, server.pid) for server in (ours, nginx, haproxy)}
        ports["direct"] = (upstream.port, 0)
        for number in range(self.rounds):
            self.results["rounds"].append(self.measure_round(number, ports))
        self.stop_all()
        os.unlink(log)

    def measure_replay(self):
        scale = self.plan["replay"]["time_scale"]
        config = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sim.json")
        log = os.path.join(self.out, "replay.jsonl")
        if os.path.exists(log):
            os.unlink(log)
        upstream = self.start(servers.Simulator, self.build, self.out, config, scale)
        options = ["--concurrency", "fixed", "--max-concurrent", str(OLD_LIMITS["max_concurrent"])]
        options += ["--max-queue-size", str(OLD_LIMITS["max_queue_size"])]
        options += ["--default-timeout", str(OLD_LIMITS["default_timeout_s"] / scale)]
        ours = self.start(servers.SharedOllama, self.build, self.out, upstream.port, log, options)
        self.results["replay"] = load(self.build, "replay", ours.port, ours.pid, **self.plan["replay"])
        self.stop_all()
        self.results["analysis"] = analyse.analyse(analyse.read([log]), scale)
        self.results["report"] = report(self.build, log, scale)

    def run(self):
        try:
            if "small" in self.parts or "streams" in self.parts:
                self.measure_ways()
            if "replay" in self.parts:
                self.measure_replay()
        finally:
            self.stop_all()
        self.results["summary"] = summarise(self.results["rounds"])


def report(build, log, scale):
    """What `shared-ollama report` says of the log."""
    command = [os.path.join(build, "src", "shared-ollama"), "report", log, "--time-scale", str(scale), "--json"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, timeout=LOAD_LIMIT_S, check=True).stdout)


def report_problems(analysis, found):
    """Where the report tells other figures than analyse.py does, quantiles apart."""
    times = {row["what"]: row for row in found["times"]}
    targets = {row["target"]: row["found"] for row in found["targets"]}
    figures = analysis["all"]
    pairs = [
        ("requests", found["requests"]["requests"], figures["requests"]),
        ("successes", found["requests"]["successes"], figures["successes"]),
        ("mean latency", times["latency"]["mean_s"], figures["latency_mean_s"]),
        ("lowest latency", times["latency"]["min_s"], figures["latency_min_s"]),
        ("highest latency", times["latency"]["max_s"], figures["latency_max_s"]),
        ("its standard deviation", times["latency"]["deviation_s"], figures["latency_stddev_s"]),
        ("mean wait in the queue", times["wait in the queue"]["mean_s"], figures["queue_wait_mean_s"]),
        ("longest wait in the queue", times["wait in the queue"]["max_s"], figures["queue_wait_max_s"]),
        ("warm starts", found["warm"]["warm"], figures["warm"]),
        ("cold starts", found["warm"]["cold"], figures["cold"]),
    ]
    pairs += [(title, targets[title], figures[key]) for title, key, _, _ in analyse.TARGETS]
    pairs += [
        (f"requests of {row['project']}", row["requests"], analysis["projects"].get(row["project"])) for row in found["projects"]
    ]
    return [
        f"report: {name}: {ours}, analyse.py: {theirs}"
        for name, ours, theirs in pairs
        if (ours is None) != (theirs is None) or (ours is not None and abs(ours - theirs) > 1e-4)
    ]


def machine():
    model = "unknown"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(), "load_average": os.getloadavg()}


def say(text):
    print(text, file=sys.stderr, flush=True)


def spread(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def ratios(rounds, part, key):
    """In each round: ours over theirs; and theirs among themselves, as a measure of the machine's mood."""
    pairs = (("shared-ollama", "haproxy"), ("shared-ollama", "nginx"), ("nginx", "haproxy"))
    result = {}
    for one, other in pairs:
        values = [r[part][one][key] / r[part][other][key] for r in rounds if r[part] and r[part][other][key]]
        if values:
            result[f"{one}/{other}"] = spread(values)
    return result


def added(rounds, key, quantile):
    """In each round: a quantile through the proxy less the same without one."""
    result = {}
    for name in PROXIES:
        values = [
            r["streams"][name][key][quantile] - r["streams"]["direct"][key][quantile]
            for r in rounds
            if r["streams"] and r["streams"][name][key] and r["streams"]["direct"][key]
        ]
        if values:
            result[name] = spread(values)
    return result


def totals(rounds, key):
    return {
        name: sum(r["streams"][name][key] for r in rounds if r["streams"])
        for name in PROXIES + ("direct",)
        if any(r["streams"] for r in rounds)
    }


def values_of(rounds, part, key):
    return {name: spread([r[part][name][key] for r in rounds]) for name in PROXIES if any(r[part] for r in rounds)}


def summarise(rounds):
    return {
        "cpu_us_per_pass": values_of(rounds, "small_pass", "cpu_us_per_request"),
        "cpu_us_per_job": values_of(rounds, "small_job", "cpu_us_per_request"),
        "cpu_per_pass": ratios(rounds, "small_pass", "cpu_us_per_request"),
        "cpu_per_job": ratios(rounds, "small_job", "cpu_us_per_request"),
        "streams_cpu_share": values_of(rounds, "streams", "cpu_share"),
        "streams_cpu": ratios(rounds, "streams", "cpu_us_per_line"),
        "added_first_us_p50": added(rounds, "first_us", "p50"),
        "added_first_us_p99": added(rounds, "first_us", "p99"),
        "added_line_us_p50": added(rounds, "transit_us", "p50"),
        "added_line_us_p99": added(rounds, "transit_us", "p99"),
        "added_gap_us_p99": added(rounds, "gap_us", "p99"),
        "merged_lines": totals(rounds, "merged_lines"),
        "late_lines": totals(rounds, "late_lines"),
        "missing_lines": totals(rounds, "missing_lines"),
        "lines": totals(rounds, "lines"),
    }


TITLES = {
    "cpu_us_per_pass": "CPU microseconds a small pass, 291 B answer",
    "cpu_us_per_job": "CPU microseconds a small job, 291 B answer",
    "cpu_per_pass": "CPU a small pass, ratio",
    "cpu_per_job": "CPU a small job, ratio",
    "streams_cpu_share": "streams: share of a core",
    "streams_cpu": "streams: CPU a line, ratio",
    "added_first_us_p50": "streams: added microseconds to the first line, median",
    "added_first_us_p99": "streams: added microseconds to the first line, p99",
    "added_line_us_p50": "streams: added microseconds to any line, median",
    "added_line_us_p99": "streams: added microseconds to any line, p99",
    "added_gap_us_p99": "streams: added microseconds between two lines, p99",
    "merged_lines": "streams: lines that share a chunk with the one before",
    "late_lines": "streams: lines later than the next one was due",
    "missing_lines": "streams: lines that did not come",
    "lines": "streams: lines in all",
}


def text_of(results):
    m = results["machine"]
    lines = [f"{m['cpu']}, {m['cores']} cores, Linux {m['kernel']}, load {m['load_average'][0]:.2f} at the start"]
    if results["rounds"]:
        lines.append(f"{len(results['rounds'])} interleaved rounds: median (lowest to highest)")
    for key, title in TITLES.items():
        if not results["summary"][key]:
            continue
        lines += ["", title]
        for name, value in results["summary"][key].items():
            if isinstance(value, dict):
                value = f"{value['median']:10.3f}  ({value['low']:.3f} to {value['high']:.3f})"
            else:
                value = f"{value:10d}"
            lines.append(f"  {name:24} {value}")
    if "analysis" in results:
        lines += ["", f"replay: {json.dumps(results['replay'])}", analyse.text_of(results["analysis"])]
    return "\n".join(lines) + "\n"


def problems_of(results):
    """A figure of runs in which requests failed says nothing."""
    problems = []
    for number, result in enumerate(results["rounds"], 1):
        for part, by_name in result.items():
            for name, run in by_name.items():
                if run["errors"]:
                    problems.append(f"round {number}, {part}, {name}: {run['errors']} errors")
    replay = results.get("replay")
    if replay and (replay["broken"] or replay["unanswered"]):
        problems.append(f"replay: {replay['broken']} broken, {replay['unanswered']} unanswered")
    if replay:
        problems += report_problems(results["analysis"], results["report"])
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="where the programs were built")
    parser.add_argument("--smoke", action="store_true", help="one short round: does it run at all?")
    parser.add_argument("--rounds", type=int, help="how many interleaved rounds")
    parser.add_argument("--out", help="where to write (default: a new folder in the temporary directory)")
    parser.add_argument("--only", help="some of " + ",".join(PARTS))
    arguments = parser.parse_args()
    arguments.out = os.path.abspath(arguments.out or tempfile.mkdtemp(prefix="shared-ollama-bench-"))
    os.makedirs(arguments.out, exist_ok=True)
    bench = Bench(arguments)
    started = time.monotonic()
    bench.run()
    bench.results["seconds"] = time.monotonic() - started
    with open(os.path.join(arguments.out, "results.json"), "w") as file:
        json.dump(bench.results, file, indent=1)
    text = text_of(bench.results)
    with open(os.path.join(arguments.out, "results.txt"), "w") as file:
        file.write(text)
    print(text, end="")
    say(f"results are in {arguments.out}")
    problems = problems_of(bench.results)
    for problem in problems:
        say("bench: " + problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
