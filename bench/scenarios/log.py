"""The request log: what it costs to write it."""

from scenarios.base import OURS, Metric, Scenario

ON = "log on"
OFF = "log off"


def run(place, target, settings):
    """On and off in turn within a run of its own each, so that a slow second does not hit one alone."""
    log = None if target == OFF else "log.jsonl"
    with place.running(OURS, log=log or "") as (url, pid):
        return place.load("small", url, pid, **settings)


SCENARIOS = [
    Scenario(
        "log",
        "small jobs with and without the request log, 64 connections",
        run,
        [Metric("cpu_us_per_request", "CPU a request", "µs", is_ratio=True)],
        {"connections": 64, "seconds": 3, "warmup": 0.5, "path": "/api/embed"},
        {"connections": 64, "seconds": 0.15, "warmup": 0.05, "path": "/api/embed"},
        (ON, OFF),
        ratios=((ON, OFF),),
        differences=(),
        groups=("log",),
    )
]
