"""`shared-ollama report` and the analysis that began all this (bench/analyse.py) say the same of the same log."""

import heapq
import importlib.util
import pathlib
import random

import pytest
from boxes import QUICK, chat_body
from reports import failed, job, report, write

ANALYSE = pathlib.Path(__file__).resolve().parents[2] / "bench" / "analyse.py"


@pytest.fixture
def analyse():
    spec = importlib.util.spec_from_file_location("analyse", ANALYSE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def old_service_log(seed, slots=3):
    """202 requests as PRODUCT tells of the old service's traffic: bursts of 3 to 6 onto three slots, in order of arrival."""
    draw = random.Random(seed)
    kinds = ["Docling_Machine"] * 94 + ["notes"] * 104 + ["list"] * 2 + ["missing"] * 2
    draw.shuffle(kinds)
    lines, free, now, left = [], [0.0] * slots, 0.0, 0
    for kind in kinds:
        if left == 0:
            left = draw.randint(3, 6)
            now += draw.uniform(18, 30)
        left -= 1
        at = round(now + draw.uniform(0, 0.3), 3)
        if kind == "list":
            lines.append((at, job(at, 1.81, operation="list_models", model=None, model_warm_start=None, queue_wait_ms=None, attempts=1)))
            continue
        begin = max(at, heapq.heappop(free))
        service = 0.004 if kind == "missing" else round(draw.uniform(5, 11), 3)
        end = begin + service
        heapq.heappush(free, end)
        more = {"queue_wait_ms": round((begin - at) * 1000, 3), "stream": bool(len(lines) % 2)}
        latency = round((end - at) * 1000, 3)
        if kind == "missing":
            line = failed(end, "upstream_status", latency, model="llava:13b", project_name="notes", http_status=404, **more)
        else:
            warm = len(lines) > 3
            line = job(end, latency, model="qwen2.5vl:7b", project_name=kind, model_warm_start=warm, model_load_ms=0.8 if warm else 4000.0, **more)
        lines.append((end, line))
    return [line for _, line in sorted(lines, key=lambda entry: entry[0])]


def compare(found, wanted, scale=1.0):
    """The report (JSON) against analyse.py's result: all but quantiles to the last digit that is written."""
    figures = wanted["all"]
    times = {row["what"]: row for row in found["times"]}
    targets = {row["target"]: row["found"] for row in found["targets"]}
    close = {"abs": 2e-6 * scale, "rel": 1e-9}
    assert found["requests"]["requests"] == figures["requests"]
    assert found["requests"]["successes"] == figures["successes"]
    assert found["requests"]["errors"] == figures["errors"]
    for ours, theirs in [("mean_s", "mean"), ("min_s", "min"), ("max_s", "max"), ("deviation_s", "stddev")]:
        assert times["latency"][ours] == pytest.approx(figures[f"latency_{theirs}_s"], **close)
    assert times["latency"]["p50_s"] == pytest.approx(figures["latency_median_s"], rel=0.06)
    assert times["wait in the queue"]["mean_s"] == pytest.approx(figures["queue_wait_mean_s"], **close)
    assert times["wait in the queue"]["max_s"] == pytest.approx(figures["queue_wait_max_s"], **close)
    assert targets["average wait (queue and inside Ollama)"] == pytest.approx(figures["wait_mean_s"], **close)
    assert targets["mean latency, warm"] == pytest.approx(figures["latency_warm_mean_s"], **close)
    assert targets["mean latency, cold"] == pytest.approx(figures["latency_cold_mean_s"], **close)
    assert targets["warm starts"] == pytest.approx(figures["warm_share"], abs=1e-6)
    assert targets["requests that waited for a load"] == pytest.approx(figures["load_share"], abs=1e-6)
    assert [found["warm"][key] for key in ("warm", "cold", "unknown")] == [figures[key] for key in ("warm", "cold", "warm_unknown")]
    assert {row["operation"]: row["requests"] for row in found["operations"]} == wanted["operations"]
    assert {row["project"]: row["requests"] for row in found["projects"]} == wanted["projects"]
    assert {row["model"].replace("(none)", "None"): row["requests"] for row in found["models"]} == wanted["models"]
    assert {row["error_type"]: row["requests"] for row in found["errors"]} == wanted["errors"]
    for row in found["projects"]:
        assert row["latency_mean_s"] == pytest.approx(wanted["by_project"][row["project"]]["latency_mean_s"], **close)
    assert found["requests"]["span_s"] >= wanted["span_s"]
    assert found["bursts"]["peak_arrivals_a_minute"] == wanted["peak_arrivals_a_minute"]


@pytest.mark.parametrize("seed", range(5))
def test_the_old_analysis_of_202_requests(tmp_path, analyse, seed):
    log = write(tmp_path / "log", old_service_log(seed))
    found = report(log)
    assert found["requests"]["requests"] == 202
    compare(found, analyse.analyse(analyse.read([log])))
    # bursts are those of the script
    assert found["bursts"]["burst_requests_max"] <= 6
    assert found["bursts"]["at_once"] == 3
    # the first requests waited for one load together
    assert found["warm"]["loads"] == found["warm"]["first_loads"] == 1


def test_faster_than_life(tmp_path, analyse):
    log = write(tmp_path / "log", old_service_log(1))
    compare(report(log, "--time-scale", 20), analyse.analyse(analyse.read([log]), 20.0), 20)


@pytest.mark.parametrize("seed", range(5))
def test_no_figure_is_better_than_its_bound(tmp_path, seed):
    for row in report(write(tmp_path / "log", old_service_log(seed)))["targets"]:
        if row["side"] == "below":
            assert row["bound"] <= row["found"] + 1e-6, row
        else:
            assert row["bound"] >= row["found"] - 1e-6, row


@pytest.mark.sim(config=QUICK)
def test_the_service_s_own_log_and_its_statistics_agree(proxy, wire, analyse):
    server = proxy()
    for _ in range(20):
        wire(server.url).ask("POST", "/api/chat", chat_body())
    wire(server.url).ask("POST", "/api/chat", chat_body(model="missing"))
    wire(server.url).ask("GET", "/api/tags")
    server.wait_log(22)
    stats = server.wait_idle()
    found = report(server.request_log)
    assert found["requests"]["jobs"] == stats["received"] == 21
    assert found["notes"] == []
    wait = next(row for row in found["times"] if row["what"] == "wait in the queue")
    assert wait["mean_s"] * wait["count"] * 1000 == pytest.approx(stats["total_wait_time_ms"], abs=0.05)
    latency = next(row for row in report(server.request_log, "--model", "m")["times"] if row["what"] == "latency")
    assert latency["count"] == 20
    assert latency["mean_s"] * 1000 == pytest.approx(stats["latency_ms"]["mean"], abs=0.002)
    for quantile in ("p50", "p90", "p99"):
        assert latency[f"{quantile}_s"] * 1000 == pytest.approx(stats["latency_ms"][quantile], rel=0.06)
    wanted = analyse.analyse(analyse.read([server.request_log]))
    assert found["requests"]["successes"] == wanted["all"]["successes"]
    assert {row["operation"]: row["requests"] for row in found["operations"]} == wanted["operations"]
