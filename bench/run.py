#!/usr/bin/env python3
"""Runs the measurements of bench/README.md, interleaved, and writes results.json, results.txt and results.html."""

import argparse
import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import analyse
import figures
import goals
import own
import replays
import scenarios
import selftest
import servers
import written
from progress import Progress
from scenarios.base import OURS, Place

ROUNDS = 5
KIB_PER_MIB = 1024
PROGRAMS = {"nginx": ["nginx", "-v"], "haproxy": ["haproxy", "-v"], "openssl": ["openssl", "version"]}


def machine():
    model = "unknown"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (KIB_PER_MIB * KIB_PER_MIB)
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_mib": memory,
        "kernel": platform.release(),
        "load_average": os.getloadavg(),
        "descriptors": 2 * servers.connections(),
    }


def version(command):
    """The first number with a dot in what it prints."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    found = re.search(r"\d+\.\d+[^ ,]*", done.stdout.decode(errors="replace"))
    return found.group(0).strip() if found else "unknown"


def commit():
    folder = os.path.dirname(os.path.abspath(__file__))
    done = subprocess.run(["git", "-C", folder, "describe", "--always", "--dirty"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout.decode().strip() or None


def versions(build):
    found = {OURS: version([os.path.join(build, "src", "shared-ollama"), "--version"])}
    if commit():
        found["commit"] = commit()
    return found | {name: version(command) for name, command in PROGRAMS.items() if shutil.which(command[0])}


class Bench:
    def __init__(self, arguments, chosen):
        self.is_smoke = arguments.smoke
        self.rounds = arguments.rounds or (1 if arguments.smoke or arguments.replay else ROUNDS)
        self.chosen = chosen
        self.place = Place(arguments.build, arguments.out)
        self.missing = [name for name in ("nginx", "haproxy") if not shutil.which(name)]
        self.runs = []
        self.problems = []

    def settings_of(self, scenario):
        return scenario.smoke if self.is_smoke else scenario.full

    def targets_of(self, scenario, number, place_in_list):
        """Each round begins with another one. A smoke run takes ours and one of the others in turn."""
        names = [name for name in scenario.targets if name not in self.missing]
        if self.is_smoke and OURS in names and len(names) > 1:
            others = [name for name in names if name != OURS]
            names = [OURS, others[place_in_list % len(others)]]
        turn = number % len(names)
        return names[turn:] + names[:turn]

    def plan(self):
        """(round, scenario, target), in the order in which they run."""
        for number in range(self.rounds):
            for place_in_list, scenario in enumerate(self.chosen):
                if scenario.is_once and number:
                    continue
                for target in self.targets_of(scenario, number, place_in_list):
                    yield number, scenario, target

    def measure(self, number, scenario, target):
        run = {"round": number, "scenario": scenario.name, "target": target, "result": None}
        begun = time.monotonic()
        try:
            run["result"] = scenario.run(self.place, target, self.settings_of(scenario))
        except (RuntimeError, OSError, ValueError, subprocess.SubprocessError) as error:
            self.problems.append(f"round {number + 1}, {scenario.name}, {target}: {error}")
        run["seconds"] = round(time.monotonic() - begun, 3)
        for key in scenario.must_be_zero:
            # A figure of runs in which requests failed says nothing.
            if run["result"] and run["result"].get(key):
                self.problems.append(f"round {number + 1}, {scenario.name}, {target}: {run['result'][key]} {key}")
        self.runs.append(run)

    def run(self):
        steps = list(self.plan())
        progress = Progress(len(steps))
        self.place.start_upstream()
        try:
            for number, scenario, target in steps:
                progress.begin(number + 1, scenario.name, target)
                self.measure(number, scenario, target)
                progress.end()
        finally:
            self.place.stop()
        progress.say(f"{len(steps)} runs done")

    def notes(self):
        if self.missing:
            yield f"not installed, so not measured: {', '.join(self.missing)}"
        for scenario in self.chosen:
            wanted = self.settings_of(scenario).get("connections", 0)
            possible = servers.most_clients(wanted, scenario.descriptors_each)
            if possible < wanted:
                yield f"{scenario.name}: {possible:,} connections instead of {wanted:,}: the limit of descriptors"


def scenarios_of(arguments):
    if arguments.replay:
        models = dict(pair.split("=", 1) for pair in arguments.models.split(",")) if arguments.models else {}
        return [replays.of_log(arguments.replay, arguments.speed, models, arguments.target)]
    if arguments.target:
        return own.scenarios(arguments.target, arguments.model, arguments.connections, arguments.rate_per_second, arguments.tokens)
    words = arguments.only.split(",") if arguments.only else []
    chosen = scenarios.chosen(words, ("replay",))
    return chosen + ([replays.OLD] if not words or "replay" in words else [])


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="where the programs were built")
    parser.add_argument("--smoke", action="store_true", help="one tiny round: does it run at all?")
    parser.add_argument("--rounds", type=int, help=f"how many interleaved rounds (default: {ROUNDS}, of --replay 1)")
    parser.add_argument("--out", help="where to write (default: a new folder in the temporary directory)")
    parser.add_argument("--only", help="scenarios or groups, with commas; --list shows them")
    parser.add_argument("--list", action="store_true", help="names the scenarios and ends")
    parser.add_argument("--target", help="a URL: measures that Ollama, straight and through the proxy")
    parser.add_argument("--model", help="with --target: streams of this model as well")
    parser.add_argument("--connections", type=int, default=4, help="with --target: at once (4)")
    parser.add_argument("--tokens", type=int, default=100, help="with --target: of a stream (100)")
    parser.add_argument("--rate-per-second", type=float, default=100, help="with --target: arrivals of the open loop (100)")
    parser.add_argument("--replay", nargs="+", metavar="LOG", help="plays request logs, to --target or a simulated box")
    parser.add_argument("--speed", type=float, default=1, help="with --replay: times faster than life (1)")
    parser.add_argument("--models", help="with --replay: other names for models, OLD=NEW,…")
    arguments = parser.parse_args()
    if arguments.target and "://" not in arguments.target:
        parser.error("--target is a URL: http://HOST:PORT")
    arguments.out = os.path.abspath(arguments.out or tempfile.mkdtemp(prefix="shared-ollama-bench-"))
    os.makedirs(arguments.out, exist_ok=True)
    return parser, arguments


def command_of():
    words = sys.argv[1:]
    at = words.index("--build") if "--build" in words else None
    if at is not None:
        del words[at : at + 2]
    return shlex.join(["bench/run.sh", *words])


def write(results, chosen, out):
    text = written.text_of(results, chosen)
    for run in results["runs"]:
        analysis = (run["result"] or {}).get("analysis")
        if analysis:
            text += "\n" + analyse.text_of(analysis) + "\n"
    with open(os.path.join(out, "results.json"), "w") as file:
        json.dump(results, file, indent=1)
    with open(os.path.join(out, "results.txt"), "w") as file:
        file.write(text)
    with open(os.path.join(out, "results.html"), "w") as file:
        file.write(written.page_of(results, chosen))
    return text


def main():
    parser, arguments = parse()
    servers.raise_descriptors()
    try:
        chosen = scenarios_of(arguments)
    except ValueError as error:
        parser.error(str(error))
    if arguments.list:
        for scenario in chosen:
            print(f"{scenario.name:22} {','.join(scenario.groups):18} {scenario.title}")
        return 0
    if arguments.smoke:
        selftest.check()
    bench = Bench(arguments, chosen)
    results = {"command": command_of(), "machine": machine(), "versions": versions(arguments.build), "is_smoke": arguments.smoke}
    started = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # the proxies have a core of their own: we do not look on from there
    servers.stay_on(servers.LOAD_CORE)
    bench.run()
    results |= {"rounds": bench.rounds, "seconds": time.monotonic() - started, "load_average_end": os.getloadavg()}
    results["settings"] = {scenario.name: bench.settings_of(scenario) for scenario in chosen}
    results["figures"] = figures.all_figures(chosen, bench.runs)
    results |= {"goals": goals.judged(results["figures"]), "notes": list(bench.notes()), "problems": bench.problems, "runs": bench.runs}
    print(write(results, chosen, arguments.out), end="")
    print(f"results are in {arguments.out}", file=sys.stderr)
    for problem in bench.problems:
        print("bench: " + problem, file=sys.stderr)
    return 1 if bench.problems else 0


if __name__ == "__main__":
    sys.exit(main())
