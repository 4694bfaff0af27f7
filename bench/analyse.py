#!/usr/bin/env python3
"""Prints the figures of the old service's analysis from request logs (docs/schemas/request-log.schema.json)."""

import argparse
import collections
import datetime
import json
import statistics
import sys

MS_PER_S = 1000
# The targets that the old analysis set: what is measured, its key, the bound, and on which side of it is good.
TARGETS = (
    ("mean latency, warm", "latency_warm_mean_s", 3.0, "below"),
    ("mean latency, cold", "latency_cold_mean_s", 10.0, "below"),
    ("average wait (queue and inside Ollama)", "wait_mean_s", 1.0, "below"),
    ("warm starts", "warm_share", 0.8, "above"),
    ("requests that waited for a load", "load_share", 0.1, "below"),
)
# What it found for the old service, for comparison.
OLD = {
    "requests": 202,
    "successes": 200,
    "errors": 2,
    "latency_mean_s": 10.7,
    "latency_median_s": 11.0,
    "latency_min_s": 0.00181,
    "latency_max_s": 22.6,
    "latency_stddev_s": 3.9,
    "queue_wait_mean_s": 3.0,
    "queue_wait_max_s": 8.0,
}


def read(paths):
    records = []
    for path in paths:
        with open(path) as file:
            for line in file:
                if line.strip():
                    records.append(json.loads(line))
    return records


def seconds_of(records, key, scale):
    return [r[key] * scale / MS_PER_S for r in records if r[key] is not None]


def mean(values):
    return statistics.fmean(values) if values else None


def waits_of(records, scale):
    """A wait inside Ollama is a wait; where its answer does not tell, there is only ours."""
    return [
        (r["queue_wait_ms"] + (r["upstream_wait_ms"] or 0)) * scale / MS_PER_S
        for r in records
        if r["queue_wait_ms"] is not None
    ]


def arrivals_of(records, scale):
    """Seconds since the first arrival: the log has the moment of the end and the latency."""
    moments = []
    for r in records:
        if r["latency_ms"] is None:
            continue
        end = datetime.datetime.fromisoformat(r["timestamp"].replace("Z", "+00:00")).timestamp()
        moments.append(end * scale - r["latency_ms"] * scale / MS_PER_S)
    first = min(moments, default=0)
    return sorted(moment - first for moment in moments)


def peak_a_minute(arrivals):
    peak = begin = 0
    for i, moment in enumerate(arrivals):
        while moment - arrivals[begin] >= 60:
            begin += 1
        peak = max(peak, i - begin + 1)
    return peak


def count_of(records, key):
    return dict(collections.Counter(str(r[key]) for r in records).most_common())


def figures_of(records, scale):
    latencies = seconds_of(records, "latency_ms", scale)
    waits = seconds_of(records, "queue_wait_ms", scale)
    all_waits = waits_of(records, scale)
    successes = [r for r in records if r["status"] == "success"]
    warm = [r for r in successes if r["model_warm_start"] is True]
    cold = [r for r in successes if r["model_warm_start"] is False]
    judged = len(warm) + len(cold)
    return {
        "requests": len(records),
        "successes": len(successes),
        "errors": len(records) - len(successes),
        "latency_mean_s": mean(latencies),
        "latency_median_s": statistics.median(latencies) if latencies else None,
        "latency_min_s": min(latencies, default=None),
        "latency_max_s": max(latencies, default=None),
        "latency_stddev_s": statistics.stdev(latencies) if len(latencies) > 1 else None,
        "queue_wait_mean_s": mean(waits),
        "queue_wait_max_s": max(waits, default=None),
        "wait_mean_s": mean(all_waits),
        "latency_warm_mean_s": mean(seconds_of(warm, "latency_ms", scale)),
        "latency_cold_mean_s": mean(seconds_of(cold, "latency_ms", scale)),
        "warm": len(warm),
        "cold": len(cold),
        "warm_unknown": len(successes) - judged,
        "warm_share": len(warm) / judged if judged else None,
        "load_share": len(cold) / judged if judged else None,
    }


def analyse(records, scale=1.0):
    arrivals = arrivals_of(records, scale)
    return {
        "all": figures_of(records, scale),
        "operations": count_of(records, "operation"),
        "models": count_of(records, "model"),
        "projects": count_of(records, "project_name"),
        "errors": count_of([r for r in records if r["status"] != "success"], "error_type"),
        "by_project": {
            name: figures_of([r for r in records if str(r["project_name"]) == name], scale)
            for name in count_of(records, "project_name")
        },
        "span_s": arrivals[-1] if arrivals else 0,
        "peak_arrivals_a_minute": peak_a_minute(arrivals),
        "time_scale": scale,
    }


def number(value):
    if value is None:
        return "unknown"
    return str(value) if isinstance(value, int) else f"{value:.5g}"


def verdict(value, bound, side):
    if value is None:
        return "unknown"
    return "met" if (value < bound if side == "below" else value > bound) else "missed"


def text_of(analysis):
    figures = analysis["all"]
    lines = [f"{'':44} {'here':>10} {'old service':>12}"]
    for key, value in figures.items():
        if key in ("requests", "successes", "errors") or key.startswith(("latency_", "queue_")):
            lines.append(f"{key:44} {number(value):>10} {number(OLD.get(key)) if key in OLD else '':>12}")
    lines += ["", f"{'target':44} {'here':>10} {'wanted':>12}"]
    for title, key, bound, side in TARGETS:
        value = figures[key]
        lines.append(f"{title:44} {number(value):>10} {side + ' ' + number(bound):>12}  {verdict(value, bound, side)}")
    lines += ["", f"warm {figures['warm']}, cold {figures['cold']}, not known {figures['warm_unknown']}"]
    lines.append(f"span {number(analysis['span_s'])} s, at most {analysis['peak_arrivals_a_minute']} arrivals a minute")
    for key in ("operations", "models", "projects", "errors"):
        lines.append(f"{key}: " + ", ".join(f"{name} {count}" for name, count in analysis[key].items()))
    for name, part in analysis["by_project"].items():
        lines.append(
            f"  {name}: {part['requests']} requests, mean latency {number(part['latency_mean_s'])} s, "
            f"mean wait {number(part['wait_mean_s'])} s"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", nargs="+")
    parser.add_argument("--time-scale", type=float, default=1.0, help="the log was made so many times faster than life")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = analyse(read(arguments.logs), arguments.time_scale)
    print(json.dumps(result, indent=1) if arguments.json else text_of(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
