#!/usr/bin/env python3
"""Checks of what only computes: figures, goals, comparison, plans. `--smoke` runs them first."""

import json

import compare
import figures
import goals
import plans
import plots
from scenarios.base import OURS, Metric, Scenario

SCENARIO = Scenario("s", "s", None, [Metric("a.b", "b", "µs", is_ratio=True, is_added=True)], {}, {})
RECORD = {
    "operation": "chat",
    "status": "success",
    "model": "m",
    "project_name": "P",
    "latency_ms": 1000.0,
    "path": "/api/chat",
    "stream": True,
    "request_bytes": 5000,
    "generation_eval_count": 7,
    "generation_eval_ms": 70.0,
    "user_agent": "curl/8",
    "priority": "batch",
    "runner": "m",
    "timestamp": "2026-01-01T00:00:03.000Z",
}


def runs(ours, theirs):
    """One round for each pair."""
    for number, pair in enumerate(zip(ours, theirs)):
        for target, value in zip((OURS, "haproxy"), pair):
            yield {"round": number, "scenario": "s", "target": target, "result": {"a": {"b": value}}}


def check_figures():
    found = figures.figures_of(SCENARIO, list(runs([2, 4, 9], [1, 4, 3])))
    ratio = found[f"s/a.b/{OURS} ÷ haproxy"]
    assert (ratio["median"], ratio["low"], ratio["high"]) == (2, 1, 3), ratio
    assert found[f"s/a.b/{OURS} - haproxy"]["median"] == 1
    assert found[f"s/a.b/{OURS}"]["median"] == 4
    assert f"s/a.b/{OURS} ÷ nginx" not in found


def figure(low, median, high, kind="value"):
    return {"median": median, "low": low, "high": high, "rounds": 5, "kind": kind, "unit": "µs", "better": "low"}


def check_goals():
    goal = goals.GOALS[0]
    for median, met, sure in ((1.1, True, False), (1.3, False, False), (1.16, False, False)):
        row = goals.judged({goal.figure: figure(1.0, median, 1.4)})[0]
        assert (row["met"], row["is_sure"]) == (met, sure), row
    assert goals.judged({goal.figure: figure(1.0, 1.05, 1.1)})[0]["is_sure"]
    assert goals.judged({})[0]["met"] is None
    known = {f"{s.name}/{m.key}" for s in all_scenarios() for m in s.metrics}
    for goal in goals.GOALS:
        assert goal.figure.rsplit("/", 1)[0] in known, goal.figure


def all_scenarios():
    import scenarios

    return scenarios.ALL


def check_compare():
    a = {"figures": {"x": figure(9, 10, 11), "y": figure(9, 10, 11), "z": figure(0, 0, 1)}}
    b = {"figures": {"x": figure(5, 6, 7), "y": figure(10, 11, 12), "z": figure(0, 0, 1)}}
    rows = {row["figure"]: row for row in compare.compared(a, b, ("value",))}
    assert rows["x"]["moved"] and rows["x"]["is_better"] and rows["x"]["ratio"] == 0.6
    assert not rows["y"]["moved"] and "ratio" not in rows["z"]


def check_plans():
    old = plans.old_service(1)
    assert len(old) == plans.OLD_REQUESTS and old == plans.old_service(1) != plans.old_service(2)
    pages = [r for r in old if r.headers.get("X-Project-Name") == "Docling_Machine"]
    assert len(pages) == plans.OLD_DOCLING
    records = [RECORD, RECORD | {"timestamp": "2026-01-01T00:00:05.000Z"}, RECORD | {"operation": "pull"}]
    for more in ({}, {"images_count": 1}, {"path": "/v1/chat/completions"}, {"operation": "embed"}, {"operation": "generate", "path": "/api/generate"}):
        played, left_out = plans.from_log([record | more if record["operation"] != "pull" else record for record in records], {"m": "other"})
        assert left_out == 1 and [r.due_ms for r in played] == [0, 2000]
        body = played[0].before + "A" * played[0].filling + played[0].after
        assert len(body) == 5000 and json.loads(body)["model"] == "other", body
        assert played[0].headers["X-Project-Name"] == "P" and played[0].headers["X-Priority"] == "batch"
    box = plans.box_of(records, {"m": "other"})
    assert box["models"][0]["name"] == "other" and box["models"][0]["tokens_per_s"] == 100


def check_plots():
    bars = plots.bars("b", [(OURS, figure(1, 2, 3)), ("x & y", figure(-1, 0, 4))])
    assert bars.count("<rect") == 2 and "x &amp; y" in bars and bars.endswith("</svg>")
    assert "<polyline" in plots.curves("c", {OURS: {"p50": 10.0, "p99": 200.0}}, "µs")
    assert plots.curves("c", {OURS: {"p50": 0}}, "µs") == ""


def check():
    check_figures()
    check_goals()
    check_compare()
    check_plans()
    check_plots()


if __name__ == "__main__":
    check()
    print("ok")
