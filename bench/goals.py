"""The goals, and whether what was measured meets them. Each names the figure by which it is judged; nothing is judged by
hand. A goal is met if the median meets it; `is_sure` says that the whole range does (or that none of it does)."""

from dataclasses import dataclass

from figures import number
from scenarios.base import OURS

HAPROXY = f"{OURS} ÷ haproxy"
BEYOND_HAPROXY = f"{OURS} - haproxy"
# HAProxy's figures are compared in microseconds of what is added to the upstream's own: both have the same to take off.
PACED = ("streams_64_at_50", "streams_512_at_50", "streams_1000_at_50", "streams_2000_at_20")


@dataclass
class Goal:
    what: str
    figure: str
    limit: float
    unit: str = ""
    at_least: bool = False

    def meets(self, value):
        return value >= self.limit if self.at_least else value <= self.limit

    def text(self):
        return f"{'≥' if self.at_least else '≤'} {number(self.limit, self.unit)}"


def stream_goals():
    goals = []
    for name in PACED:
        _, count, _, rate = name.split("_")
        title = f"{int(count):,} streams at {rate}/s"
        goals += [
            Goal(f"{title}: CPU a line ÷ HAProxy's", f"{name}/cpu_us_per_line/{HAPROXY}", 1.0),
            Goal(f"{title}: added gap p99, beyond HAProxy's", f"{name}/gap_us.p99/{BEYOND_HAPROXY}", 0, "µs"),
            Goal(f"{title}: merged lines", f"{name}/merged_lines/{OURS}", 0),
            Goal(f"{title}: lines over 5 ms late", f"{name}/late_lines/{OURS}", 0),
        ]
    return goals


def body_goals():
    goals = []
    for count in (1, 32):
        name = f"bodies_{count}"
        goals.append(Goal(f"10 MB bodies, {count} at once: nginx's time ÷ ours", f"{name}/ms_per_body/nginx ÷ {OURS}", 2, at_least=True))
    goals.append(Goal("10 MB bodies, 32 at once: RSS growth, mapped files too", f"bodies_32/growth_mib/{OURS}", 48, "MiB"))
    goals.append(Goal("10 MB bodies, 32 at once: growth of own memory", f"bodies_32/anonymous_mib/{OURS}", 48, "MiB"))
    return goals


GOALS = [
    Goal("small jobs, 64 connections: CPU ÷ HAProxy's (first)", f"small_job_64/cpu_us_per_request/{HAPROXY}", 1.15),
    Goal("small jobs, 64 connections: CPU ÷ HAProxy's", f"small_job_64/cpu_us_per_request/{HAPROXY}", 1.0),
    Goal("1 connection: added latency p50, beyond HAProxy's", f"small_job_1/latency_us.p50/{BEYOND_HAPROXY}", 0, "µs"),
    Goal("1 connection: added latency p99, beyond HAProxy's", f"small_job_1/latency_us.p99/{BEYOND_HAPROXY}", 0, "µs"),
    *stream_goals(),
    Goal("2,000 streams at 50/s: lines/s ÷ HAProxy's", f"streams_2000_at_50/lines_per_s/{HAPROXY}", 1.0, at_least=True),
    Goal("2,000 streams at 50/s: late lines, beyond HAProxy's", f"streams_2000_at_50/late_lines/{BEYOND_HAPROXY}", 0),
    Goal("full speed, one line a write: lines/s ÷ HAProxy's", f"full_speed_1/lines_per_s/{HAPROXY}", 1.0, at_least=True),
    Goal("full speed, one line a write: merged", f"full_speed_1/merged_share/{OURS}", 0),
    Goal("full speed, 50 lines a write: lines/s", f"full_speed_50/lines_per_s/{OURS}", 1e6, "/s", at_least=True),
    Goal("full speed, 50 lines a write: merged", f"full_speed_50/merged_share/{OURS}", 0),
    *body_goals(),
    Goal("memory a stream (first)", f"streams_10000_at_5/kib_per_stream/{OURS}", 12, "KiB"),
    Goal("memory a stream", f"streams_10000_at_5/kib_per_stream/{OURS}", 9, "KiB"),
    Goal("memory an idle connection, used once", f"idle_used/kib_per_connection/{OURS}", 1.2, "KiB"),
    Goal("memory an idle connection, never used", f"idle_unused/kib_per_connection/{OURS}", 1.2, "KiB"),
    Goal("private memory at rest", f"rest/private_mib/{OURS}", 4, "MiB"),
    Goal("10,000 streams (or as many as descriptors allow) at 5/s: missing lines", f"streams_10000_at_5/missing_lines/{OURS}", 0),
    Goal("10,000 streams (or as many as descriptors allow) at 5/s: memory", f"streams_10000_at_5/peak_mib/{OURS}", 150, "MiB"),
    Goal("cold start, to the first answer", f"start/start_ms/{OURS}", 10, "ms"),
    Goal("stripped program", f"start/stripped_mib/{OURS}", 1, "MiB"),
    Goal("a decision with 1,000 waiting", "ring_decision/cpu_us_per_request/1,000 wait - 1,000 wait, fifo", 20, "µs"),
    Goal("gap p99 of streams beside a full ring ÷ a short one", "ring_streams/gap_us.p99/1,000 wait ÷ 2 wait", 1.1),
    Goal("10 MB of JSON looked at", f"peek/ms/{OURS}", 2, "ms"),
    Goal("log on ÷ log off, CPU", "log/cpu_us_per_request/log on ÷ log off", 1.03),
]


def judged(figures):
    rows = []
    for goal in GOALS:
        figure = figures.get(goal.figure)
        row = {"goal": goal.what, "wanted": goal.text(), "figure": goal.figure, "unit": goal.unit}
        if figure:
            met = goal.meets(figure["median"])
            ends = [goal.meets(figure["low"]), goal.meets(figure["high"])]
            row |= {key: figure[key] for key in ("median", "low", "high")}
            row |= {"met": met, "is_sure": all(end == met for end in ends)}
        else:
            row["met"] = None
        rows.append(row)
    return rows


def verdict(row):
    if row["met"] is None:
        return "not measured"
    return ("met" if row["met"] else "NOT MET") + ("" if row["is_sure"] else ", within the spread")
