"""TLS 1.3 (AES-128-GCM, P-256): small jobs on kept connections, and on a new one each, with a full handshake."""

from scenarios.base import OURS, PROXIES, Metric, Scenario

METRICS = [
    Metric("cpu_us_per_request", "CPU a request", "µs", is_ratio=True),
    Metric("requests_per_s", "requests a second", "/s", "high", is_ratio=True, is_plotted=False),
    Metric("latency_us.p50", "latency, median", "µs"),
    Metric("latency_us.p99", "latency, p99", "µs"),
]
RATIOS = ((OURS, "haproxy"), (OURS, "nginx"), ("nginx", "haproxy"))


def run(place, target, settings):
    with place.running(target, tls=place.tls()) as (url, pid):
        return place.load("small", url, pid, **settings)


def scenario(name, title, is_new):
    full = {"connections": 64, "seconds": 2, "warmup": 0.5, "path": "/api/embed", "new": is_new}
    smoke = full | {"connections": 16, "seconds": 0.15, "warmup": 0.05}
    return Scenario(
        name, title, run, METRICS, full, smoke, PROXIES, RATIOS, differences=(), curve="latency_us", groups=("tls",)
    )


SCENARIOS = [
    scenario("tls_kept", "TLS: small jobs, 64 kept connections", 0),
    scenario("tls_new", "TLS: small jobs, a new connection for each", 1),
]
