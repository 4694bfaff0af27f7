"""Small requests: 291 B answers, at 1, 64 and 1,000 connections; and an open loop."""

from scenarios.base import Metric, Scenario

METRICS = [
    Metric("cpu_us_per_request", "CPU a request", "µs", is_ratio=True),
    Metric("requests_per_s", "requests a second", "/s", "high", is_ratio=True, is_plotted=False),
    Metric("latency_us.p50", "latency, median", "µs", is_added=True),
    Metric("latency_us.p99", "latency, p99", "µs", is_added=True),
]


def run(place, target, settings):
    with place.running(target) as (url, pid):
        return place.load("small", url, pid, **settings)


def scenario(name, title, connections, path, **more):
    full = {"connections": connections, "seconds": 1.5, "warmup": 0.4, "path": path} | more
    smoke = {"connections": min(connections, 200), "seconds": 0.15, "warmup": 0.05, "path": path} | more
    return Scenario(name, title, run, METRICS, full, smoke, curve="latency_us", groups=("small",))


SCENARIOS = [
    scenario("small_pass_64", "small passes (POST /api/show), 64 connections", 64, "/api/show"),
    scenario("small_job_1", "small jobs (POST /api/embed), 1 connection", 1, "/api/embed"),
    scenario("small_job_64", "small jobs, 64 connections", 64, "/api/embed"),
    scenario("small_job_1000", "small jobs, 1,000 connections", 1000, "/api/embed"),
    scenario("small_open", "small jobs that come at random, 2,000 a second (open loop)", 256, "/api/embed", rate_per_second=2000),
]
