"""The replays: the old service's mix, whose log is then analysed, and a log of anybody's, played at any speed."""

import json
import os
import subprocess

import analyse
import plans
import servers
from scenarios.base import OURS, Metric, Scenario

# The old service's limits.
OLD_LIMITS = {"max_concurrent": 3, "max_queue_size": 50, "default_timeout_s": 60}
REPORT_LIMIT_S = 1800
HERE = os.path.dirname(os.path.abspath(__file__))


def run_old(place, target, settings):
    scale = settings["time_scale"]
    plan, log = (os.path.join(place.out, name) for name in ("replay.plan", "replay.jsonl"))
    plans.write(plans.old_service(settings["seed"], settings["limit"]), plan)
    if os.path.exists(log):
        os.unlink(log)
    options = ["--concurrency", "fixed", "--max-concurrent", str(OLD_LIMITS["max_concurrent"])]
    options += ["--max-queue-size", str(OLD_LIMITS["max_queue_size"])]
    options += ["--default-timeout", str(OLD_LIMITS["default_timeout_s"] / scale)]
    upstream = servers.Simulator(place.build, place.out, os.path.join(HERE, "sim.json"), scale)
    try:
        ours = servers.SharedOllama(place.build, place.out, upstream.port, log, options)
        try:
            result = place.load("replay", ours.url, ours.pid, plan=plan, time_scale=scale)
        finally:
            ours.stop()
    finally:
        upstream.stop()
    analysis = analyse.analyse(analyse.read([log]), scale)
    differences = report_problems(analysis, report(place.build, log, scale))
    errors = result["broken"] + result["unanswered"] + len(differences)
    return result | {"http_errors": result["errors"], "errors": errors, "analysis": analysis, "differences": differences}


def report(build, log, scale):
    """What `shared-ollama report` says of the log."""
    command = [os.path.join(build, "src", "shared-ollama"), "report", log, "--time-scale", str(scale), "--json"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, timeout=REPORT_LIMIT_S, check=True).stdout)


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


METRICS = [
    Metric("latency_ms.p50", "latency, median (of life)", "ms"),
    Metric("latency_ms.p99", "latency, p99 (of life)", "ms"),
    Metric("first_ms.p50", "to the answer's first byte, median (of life)", "ms"),
    Metric("successes", "successes", "", "high", is_plotted=False),
]
OLD = Scenario(
    "replay",
    "the old service's 202 requests, its limits, a simulated box",
    run_old,
    METRICS,
    {"time_scale": 20, "seed": 1, "limit": None},
    # A load of 6 s has to stay above the 100 ms below which a start counts as warm.
    {"time_scale": 50, "seed": 1, "limit": 16},
    (OURS,),
    is_once=True,
    groups=("replay",),
)


def of_log(paths, speed, models, target):
    """A scenario that plays a log: against the target, or a simulated box with the log's models and speeds; straight and
    through our proxy with its default settings."""
    records = plans.read_log(paths)
    requests, left_out = plans.from_log(records, models)
    if not requests:
        raise ValueError(f"no request of {', '.join(paths)} can be played")

    def run(place, name, settings):
        plan, config = (os.path.join(place.out, end) for end in ("log.plan", "log-sim.json"))
        plans.write(requests, plan)
        box = None
        url = target
        if not target:
            with open(config, "w") as file:
                json.dump(plans.box_of(records, models), file)
            box = servers.Simulator(place.build, place.out, config, speed)
            url = box.url
        try:
            if name == "direct":
                result = place.load("replay", url, plan=plan, time_scale=speed)
            else:
                with place.running(OURS, options=[], log="played.jsonl", upstream=url) as (own, pid):
                    result = place.load("replay", own, pid, plan=plan, time_scale=speed)
        finally:
            if box:
                box.stop()
        return result | {"http_errors": result["errors"], "errors": result["broken"] + result["unanswered"]}

    metrics = METRICS + [Metric("http_errors", "answers of 400 and above", "", is_plotted=False)]
    title = f"{len(requests)} requests of a log, {speed:g} times faster than life ({left_out} left out)"
    return Scenario("log_replay", title, run, metrics, {}, {}, (OURS, "direct"), is_repeatable=False, groups=("replay",))
