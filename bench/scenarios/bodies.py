"""Long bodies: 10 MB of JSON with an image, one and 32 at once. nginx buffers requests here, since we keep them too."""

import os

from scenarios.base import ALL, OURS, Metric, Scenario, wide_open

KIB_PER_MIB = 1024
METRICS = [
    Metric("ms_per_body", "time a body", "ms", is_ratio=True),
    Metric("cpu_ms_per_body", "CPU a body", "ms", is_ratio=True),
    Metric("growth_mib", "growth of resident memory, mapped files too", "MiB"),
    Metric("anonymous_mib", "of it the process's own", "MiB"),
]


def run(place, target, settings):
    spool = os.path.join(place.out, "spool")
    os.makedirs(spool, exist_ok=True)
    with place.running(target, options=wide_open(extra=("--spool-directory", spool)), is_buffering=True) as (url, pid):
        # what a first request allocates is not the bodies'
        place.load("small", url, pid, connections=1, seconds=0.05, warmup=0, path="/api/embed")
        result = place.load("bodies", url, pid, **settings)
    if result["rss_kib"]:
        result["growth_mib"] = (result["rss_kib"]["peak"] - result["rss_kib_before"]["now"]) / KIB_PER_MIB
        result["anonymous_mib"] = result["anonymous_growth_kib"] / KIB_PER_MIB
    return result


def scenario(count, requests):
    full = {"connections": count, "requests": requests, "bytes": 10000000}
    smoke = full | {"requests": 1, "connections": min(count, 4)}
    title = f"JSON bodies of 10 MB, {count} at once"
    ratios = ((OURS, "nginx"), ("nginx", OURS), (OURS, "haproxy"), ("nginx", "haproxy"))
    return Scenario(f"bodies_{count}", title, run, METRICS, full, smoke, ALL, ratios=ratios, groups=("bodies",))


SCENARIOS = [scenario(1, 20), scenario(32, 2)]
