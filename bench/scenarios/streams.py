"""Token streams: paced ones by number and rate, ten thousand held at once, and sixteen at full speed."""

import servers
from scenarios.base import ALL, MOST_AT_ONCE, Metric, Scenario, wide_open

KIB_PER_MIB = 1024
DESCRIPTORS_EACH = 3

PACED = [
    Metric("cpu_us_per_line", "CPU a line", "µs", is_ratio=True),
    Metric("cpu_share", "share of a core", "", None, is_plotted=False),
    Metric("lines_per_s", "lines a second", "/s", "high", is_ratio=True, is_plotted=False),
    Metric("first_us.p50", "to the first line, median", "µs", is_added=True, is_plotted=False),
    Metric("transit_us.p50", "a line's way, median", "µs", is_added=True, is_plotted=False),
    Metric("transit_us.p99", "a line's way, p99", "µs", is_added=True),
    Metric("gap_us.p99", "between two lines, p99", "µs", is_added=True),
    Metric("merged_lines", "merged lines", "", is_plotted=False),
    Metric("late_lines", "lines over 5 ms late", "", is_added=True, is_plotted=False),
    Metric("missing_lines", "missing lines", "", is_plotted=False),
]
HELD = PACED + [
    Metric("peak_mib", "most memory", "MiB"),
    Metric("kib_per_stream", "memory a stream", "KiB"),
]
FAST = [
    Metric("lines_per_s", "lines a second", "/s", "high", is_ratio=True),
    Metric("cpu_us_per_line", "CPU a line", "µs", is_ratio=True),
    Metric("merged_share", "lines merged into another one's chunk", ""),
    Metric("missing_lines", "missing lines", "", is_plotted=False),
]


def run(place, target, settings):
    """Not more streams than descriptors allow."""
    settings = settings | {"connections": servers.most_clients(settings["connections"], DESCRIPTORS_EACH)}
    most = max(MOST_AT_ONCE, settings["connections"])
    with place.running(target, options=wide_open(most)) as (url, pid):
        result = place.load("streams", url, pid, **settings)
    if result["rss_kib"]:
        result["peak_mib"] = result["rss_kib"]["peak"] / KIB_PER_MIB
        result["kib_per_stream"] = (result["rss_kib"]["peak"] - result["rss_kib_before"]["now"]) / settings["connections"]
    result["merged_share"] = result["merged_lines"] / result["lines"] if result["lines"] else None
    return result


def paced(count, rate, seconds, ramp, metrics=tuple(PACED), targets=ALL):
    name = f"streams_{count}_at_{rate}"
    full = {"connections": count, "rate": rate, "seconds": seconds, "ramp": ramp}
    smoke = {"connections": min(count, 200), "rate": rate, "seconds": 0.4 if rate > 10 else 0.8, "ramp": 0.1}
    title = f"{count:,} stream{'s' if count > 1 else ''}, {rate} lines a second each"
    return Scenario(name, title, run, list(metrics), full, smoke, targets, curve="transit_us", groups=("streams",), descriptors_each=DESCRIPTORS_EACH)


def fast(per_write, lines):
    full = {"connections": 16, "rate": 0, "lines": lines, "lines_per_write": per_write, "ramp": 0}
    what = "one line a write" if per_write == 1 else f"{per_write} lines a write"
    title = f"16 streams at full speed, {what}"
    return Scenario(
        f"full_speed_{per_write}", title, run, FAST, full, full | {"lines": lines // 50}, groups=("streams", "full_speed")
    )


SCENARIOS = [
    paced(1, 50, 3, 0),
    paced(64, 50, 3, 0.5),
    paced(512, 50, 3, 0.5),
    paced(1000, 50, 3.5, 1),
    paced(2000, 20, 3.5, 1),
    paced(2000, 50, 3.5, 1),
    paced(10000, 5, 7, 3, HELD),
    fast(1, 20000),
    fast(50, 100000),
]
