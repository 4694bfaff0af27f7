"""A ring of 1,000 full: what a decision costs, and whether streams that have nothing to do with it feel it."""

import json
import subprocess

from scenarios.base import OURS, Metric, Scenario

SHORT = "2 wait"
FULL = "1,000 wait"
# The same without a choice among those who wait: what a thousand connections cost by themselves.
UNCHOSEN = "1,000 wait, fifo"
WAITING = {SHORT: 2, FULL: 1000, UNCHOSEN: 1000}
# So that the share of each project has to be weighed.
PROJECTS = 100
END_LIMIT_S = 60
NO_WAIT_LIMIT = ["--concurrency", "fixed", "--default-timeout", "0"]


def options(slots):
    """So many run, the others wait."""
    keys = (("max-concurrent", slots), ("max-concurrent-limit", slots), ("max-queue-size", 2000), ("max-reading", 2000))
    return [text for key, value in keys for text in ("--" + key, str(value))] + NO_WAIT_LIMIT


def run_decision(place, target, settings):
    """One slot: each answer is a decision over all who wait."""
    rule = ["--scheduler", "fifo"] if target == UNCHOSEN else []
    with place.running(OURS, options=options(1) + rule) as (url, pid):
        connections = min(WAITING[target], settings["most"]) + 1
        load = {key: settings[key] for key in ("seconds", "warmup")}
        return place.load("small", url, pid, connections=connections, projects=PROJECTS, path="/api/embed", **load)


def run_streams(place, target, settings):
    """64 streams have a slot each; one more serves the ring, an answer every 2 ms."""
    count = settings["streams"]
    with place.running(OURS, options=options(count + 1)) as (url, pid):
        waiting = place.command(
            "small",
            url,
            connections=min(WAITING[target], settings["most"]) + 1,
            projects=PROJECTS,
            path="/api/embed",
            delay_us=2000,
            warmup=0,
            seconds=settings["seconds"] + settings["tail"],
        )
        streams = place.command("streams", url, pid, connections=count, rate=50, seconds=settings["seconds"], ramp=0.1)
        # the streams first, or they would wait behind the thousand
        foreground = subprocess.Popen(streams, stdout=subprocess.PIPE)
        background = None
        try:
            try:
                foreground.wait(0.4)
            except subprocess.TimeoutExpired:
                background = subprocess.Popen(waiting, stdout=subprocess.PIPE)
            result = json_of(foreground)
            result["waiting"] = json_of(background) if background else None
        finally:
            for process in (foreground, background):
                if process and process.poll() is None:
                    process.kill()
                    process.wait()
    return result


def json_of(process):
    return json.loads(process.communicate(timeout=END_LIMIT_S)[0])


SCENARIOS = [
    Scenario(
        "ring_decision",
        "one slot, a ring that is short or full: 100 projects",
        run_decision,
        [Metric("cpu_us_per_request", "CPU a request, with its decision", "µs", is_ratio=True, is_added=True)],
        {"seconds": 2, "warmup": 0.7, "most": 1000},
        {"seconds": 0.2, "warmup": 0.1, "most": 200},
        (SHORT, FULL, UNCHOSEN),
        ratios=((FULL, SHORT),),
        differences=((FULL, UNCHOSEN), (FULL, SHORT)),
        groups=("ring",),
    ),
    Scenario(
        "ring_streams",
        "64 streams of 50 lines a second beside a ring that is short or full",
        run_streams,
        [
            Metric("gap_us.p99", "between two lines, p99", "µs", is_ratio=True),
            Metric("transit_us.p99", "a line's way, p99", "µs", is_ratio=True),
            Metric("late_lines", "lines over 5 ms late", "", is_plotted=False),
        ],
        {"seconds": 3, "streams": 64, "most": 1000, "tail": 1},
        {"seconds": 0.6, "streams": 16, "most": 200, "tail": 0.2},
        (SHORT, FULL),
        ratios=((FULL, SHORT),),
        differences=(),
        curve="transit_us",
        groups=("ring",),
    ),
]
