"""Scenarios for an Ollama of one's own (`--target URL`): straight, and through our proxy in front of it."""

from scenarios.base import OURS, Metric, Scenario, wide_open
from scenarios.small import METRICS as SMALL
from scenarios.streams import PACED

TARGETS = (OURS, "direct")
DIFFERENCES = ((OURS, "direct"),)
# What needs the bench's own upstream: a line of another one does not tell when it was due.
NEEDS_STAMPS = ("transit_us", "late_lines", "missing_lines", "lines_per_s")


def runner(mode, url):
    def run(place, target, settings):
        if mode == "streams":
            # whoever is first would pay for loading the model
            place.load(mode, url, **settings | {"connections": 1, "lines": 1})
        if target == "direct":
            return place.load(mode, url, **settings)
        with place.running(OURS, options=wide_open(1024), upstream=url) as (own, pid):
            return place.load(mode, own, pid, **settings)

    return run


def small(url, name, title, **settings):
    common = {"method": "GET", "path": "/api/version", "seconds": 3, "warmup": 0.5} | settings
    smoke = common | {"seconds": 0.3, "warmup": 0.1}
    run = runner("small", url)
    return Scenario(name, title, run, SMALL, common, smoke, TARGETS, (), DIFFERENCES, curve="latency_us", groups=("own",), is_repeatable=False)


def scenarios(url, model, connections, rate_per_second, tokens):
    found = [
        small(url, "own_small_1", "GET /api/version, 1 connection", connections=1),
        small(url, "own_small", f"GET /api/version, {connections} connections", connections=connections),
        small(
            url,
            "own_open",
            f"GET /api/version at random, {rate_per_second:g} a second (open loop)",
            connections=max(connections, 64),
            rate_per_second=rate_per_second,
        ),
    ]
    if model:
        # nothing paces a real model: `seconds` only bounds the run, `rate` says that lines are looked at
        settings = {"connections": connections, "model": model, "rate": 1, "lines": tokens, "seconds": 600, "ramp": 0}
        metrics = [metric for metric in PACED if not metric.key.startswith(NEEDS_STAMPS) and not metric.key.startswith("cpu")]
        metrics.append(Metric("gap_us.p50", "between two lines, median", "µs", is_added=True))
        title = f"{connections} streams of {model}, {tokens} tokens each"
        run = runner("streams", url)
        found.append(
            Scenario("own_streams", title, run, metrics, settings, settings, TARGETS, (), DIFFERENCES, groups=("own",), is_repeatable=False)
        )
    return found
