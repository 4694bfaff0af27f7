"""GET /metrics: Prometheus' text, whole, bounded, documented, and equal to stats and log (PRODUCT 6.3)."""

import json
import math
import pathlib
import re

import pytest
from boxes import chat_body, model
from programs import ask
from prometheus import ROOT, promtool
from reports import report, run
from wire import request

BOX = {"num_parallel": 4, "models": [model("a", load_ms=300), model("b")]}
pytestmark = pytest.mark.sim(config=BOX)

SAMPLE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


def text_of(server):
    status, data = ask(server.own_url, "GET", "/metrics", headers=server.own_headers)
    assert status == 200
    return data.decode()


def samples_of(text):
    """{name: {(labels' values, sorted by name): value}}; no line is doubted and none comes twice."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        key = tuple(word for _, word in sorted(LABEL.findall(labels or "")))
        assert key not in found.setdefault(name, {}), line
        found[name][key] = float(value)
    return found


def described(text):
    """{name: (type, help)}"""
    helps = dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.M))
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    assert helps.keys() == types.keys()
    return {name: (types[name], helps[name]) for name in types}


def work(server, wire):
    """Jobs of two projects and two models, streamed and not, one that fails, and a pass."""
    for number, (target, name, stream) in enumerate(
        [("/api/chat", "a", True), ("/api/chat", "a", False), ("/v1/chat/completions", "a", True), ("/api/chat", "b", True)]
    ):
        headers = [("X-Project-Name", f"p{number % 2}")]
        assert wire(server.url).ask("POST", target, chat_body(stream, model=name), headers).status == 200
    assert wire(server.url).ask("POST", "/api/chat", chat_body(model="nope"), [("X-Project-Name", "p0")]).status == 404
    assert wire(server.url).ask("GET", "/api/tags").status == 200
    server.wait_for(lambda stats: stats["completed"] == 5)
    return server.wait_log(6)


def test_promtool_has_nothing_against_it(proxy, wire):
    server = proxy()
    work(server, wire)
    assert promtool("check", "metrics", text=text_of(server)) == ""


def test_the_type_of_the_answer(proxy, wire):
    answer = wire(proxy().url).ask("GET", "/metrics")
    fields = {name.lower(): value for name, value in answer.headers}
    assert fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert fields["cache-control"] == "no-store"


def test_every_metric_is_documented_as_it_is(proxy, wire):
    server = proxy()
    work(server, wire)
    documented = {}
    for line in (ROOT / "docs" / "metrics.md").read_text().splitlines():
        if match := re.fullmatch(r"\| `(\w+)` \| (\w+) \| (.*?) \| (.+) \|", line):
            name, kind, labels, text = match.groups()
            documented[name] = (kind, set(re.findall(r"`(\w+)`", labels)), text)
    text = text_of(server)
    labels = {}
    for name, words in re.findall(r"^([a-z_]+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+$", text, re.M):
        labels.setdefault(name, set()).update(set(dict(LABEL.findall(words))) - {"le"})
    shown = {name: (kind, labels.get(name, set()), words) for name, (kind, words) in described(text).items()}
    assert shown == documented


def test_stats_metrics_and_log_agree(proxy, wire):
    server = proxy()
    lines = [line for line in work(server, wire) if line["operation"] == "chat"]
    stats = server.stats()
    metrics = samples_of(text_of(server))
    good = [line for line in lines if line["status"] == "success"]

    def total(name):
        return sum(metrics[name].values())

    def log_sum(key, among=lines):
        return round(sum(line[key] or 0 for line in among), 3)

    assert metrics["shared_ollama_jobs_ended_total"]["completed", "success"] == len(good) == 4
    assert metrics["shared_ollama_jobs_ended_total"]["completed", "upstream_status"] == 1
    assert metrics["shared_ollama_passes_ended_total"]["completed", "success"] == stats["passes"]["completed"] == 1
    # to the last microsecond
    assert round(total("shared_ollama_queue_wait_seconds_sum") * 1000, 3) == stats["total_wait_time_ms"] == log_sum("queue_wait_ms")
    assert round(total("shared_ollama_job_duration_seconds_sum") * 1000, 3) == log_sum("latency_ms")
    assert stats["latency_ms"]["mean"] == pytest.approx(log_sum("latency_ms", good) / len(good), abs=0.001)
    streamed = [line for line in good if line["stream"]]
    assert total("shared_ollama_time_to_first_token_seconds_count") == len(streamed) == 3
    assert round(total("shared_ollama_time_to_first_token_seconds_sum") * 1000, 3) == log_sum("ttft_ms", streamed)
    assert total("shared_ollama_generated_tokens_total") == log_sum("generation_eval_count")
    assert total("shared_ollama_generation_seconds_total") * 1000 == pytest.approx(log_sum("generation_eval_ms"), abs=0.002)
    assert total("shared_ollama_prompt_tokens_total") == log_sum("prompt_eval_count")
    assert total("shared_ollama_warm_starts_total") == sum(line["model_warm_start"] is True for line in lines)
    assert total("shared_ollama_cold_starts_total") == sum(line["model_warm_start"] is False for line in lines)
    assert total("shared_ollama_model_loads_total") == total("shared_ollama_model_load_seconds_count") == stats["model_loads"] == 2
    assert total("shared_ollama_project_loads_total") == 2
    for part, label, key in (("projects", "project", "project_name"), ("models", "model", "model")):
        for name, figures in stats[part].items():
            mine = [line for line in lines if (f"{line[key]}:latest" if label == "model" else line[key]) == name]
            assert sum(figures[counter] for counter in ("completed", "failed", "rejected", "timeout", "cancelled")) == len(mine) > 0
            assert figures["generated_tokens"] == log_sum("generation_eval_count", mine)
            assert figures["prompt_tokens"] == log_sum("prompt_eval_count", mine)
            if waits := [line["queue_wait_ms"] for line in mine]:
                assert figures["wait_time_ms"]["mean"] == pytest.approx(sum(waits) / len(waits), abs=0.001)
    assert list(stats["projects"]) == ["p0", "p1"]
    assert stats["models"]["a:latest"]["generated_tokens_per_s"] > 0


def bucket_of(ladder, quantile):
    """(above, up to) in seconds of the bucket of a Prometheus histogram, {"le": count}, in which this quantile lies."""
    rank, below = max(1, math.ceil(quantile * max(ladder.values()))), 0.0
    for bound, count in sorted((float(bound), count) for bound, count in ladder.items()):
        if count >= rank:
            return below, bound
        below = bound
    return None


def test_the_report_agrees_with_stats_and_metrics(proxy, wire):
    """The same jobs: counts and sums to the last digit, percentiles within one bucket."""
    server = proxy()
    work(server, wire)
    connection = wire(server.url)
    for number in range(30):
        body = chat_body(number % 2 == 0, model="b", options={"num_predict": 1 + number})
        assert connection.ask("POST", "/api/chat", body, [("X-Project-Name", f"p{number % 3}")]).status == 200
    server.wait_log(36)
    stats = server.wait_idle()
    metrics = samples_of(text_of(server))
    whole = report(server.request_log)
    # passes have no place in it
    told = report(server.request_log, "--model", "a"), report(server.request_log, "--model", "b"), report(server.request_log, "--model", "nope")
    times = {row["what"]: row for row in whole["times"]}
    requests, warm = whole["requests"], whole["warm"]

    def total(name):
        return sum(metrics[name].values())

    # counts
    assert requests["requests"] == stats["received"] + stats["passes"]["received"] == 36
    assert requests["jobs"] == stats["received"] == total("shared_ollama_queue_wait_seconds_count") == 35
    assert requests["successes"] - stats["passes"]["completed"] == stats["completed"] - 1 == 34
    assert {row["error_type"]: row["requests"] for row in whole["errors"]} == {"upstream_status": 1}
    assert requests["prompt_tokens"] == total("shared_ollama_prompt_tokens_total") == sum(row["prompt_tokens"] for row in stats["models"].values())
    assert requests["generation_tokens"] == total("shared_ollama_generated_tokens_total")
    assert warm["warm"] == total("shared_ollama_warm_starts_total")
    assert warm["cold"] == total("shared_ollama_cold_starts_total")
    assert warm["loads"] == stats["model_loads"] == total("shared_ollama_model_loads_total")
    assert warm["warm_share"] == pytest.approx(stats["warm_start_rate"], abs=0.0005)
    jobs_of = {row["project"]: (row["requests"], row["errors"], row["generation_tokens"]) for row in whole["projects"]}
    for name, project in stats["projects"].items():
        ended = project["completed"] + project["failed"]
        errors = int(name == "p0")
        assert jobs_of[name] == (ended, errors, project["generated_tokens"]) and ended > 0
    # sums, as means: six decimals of a second
    waits, latencies = times["wait in the queue"], times["latency, warm"]
    assert waits["count"] * waits["mean_s"] * 1000 == pytest.approx(stats["total_wait_time_ms"], abs=waits["count"] * 0.0005)
    assert waits["max_s"] * 1000 == pytest.approx(stats["max_wait_time_ms"], abs=0.0005)
    assert latencies["mean_s"] * 1000 == pytest.approx(stats["latency_ms"]["warm"]["mean"], abs=0.001)
    durations = sum(row["times"][0]["mean_s"] * row["times"][0]["count"] for row in told)
    assert [row["times"][0]["what"] for row in told] == ["latency"] * 3
    assert durations == pytest.approx(total("shared_ollama_job_duration_seconds_sum"), abs=35 * 5e-7)
    for row in whole["projects"]:
        if row["project"] in stats["projects"]:
            assert row["slot_seconds"] > 0
    # percentiles: of the same histogram, and in the right bucket of Prometheus'
    ladder = {}
    for (bound, _), count in metrics["shared_ollama_queue_wait_seconds_bucket"].items():
        ladder[bound] = ladder.get(bound, 0) + count
    for name, quantile in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        assert latencies[f"{name}_s"] * 1000 == pytest.approx(stats["latency_ms"]["warm"][name], abs=0.0005)
        assert waits[f"{name}_s"] * 1000 == pytest.approx(stats["wait_time_ms"][name], abs=0.0005)
        above, most = bucket_of(ladder, quantile)
        assert above <= waits[f"{name}_s"] <= most
    # the text tells the same totals
    text = run(server.request_log, env={"COLUMNS": "120", "LC_ALL": "C.UTF-8"}).decode()
    facts = dict(re.findall(r"^  (\S[^\n]*?) {2,}(\S+(?: s| ms| %)?)$", text, re.M))
    assert facts["requests"] == "36" and facts["with a place in the queue"] == "35" and facts["errors"] == "1"
    assert facts["generated tokens"].replace(",", "") == str(requests["generation_tokens"])
    assert facts["warm starts"] == str(warm["warm"]) and facts["loads that requests waited for"] == str(warm["loads"])


def test_names_are_bounded_and_escaped(proxy, wire):
    server = proxy()
    connection = wire(server.url)
    names = ['a"b\\c', "other", *(f"project-{number}" for number in range(80))]
    for name in names:
        assert connection.ask("POST", "/api/chat", chat_body(model="nope"), [("X-Project-Name", name)]).status == 404
    stats = server.wait_for(lambda stats: stats["completed"] == len(names) and stats)
    assert len(stats["projects"]) == 65
    assert stats["projects"]["other"]["completed"] == len(names) - 64
    text = text_of(server)
    ends = samples_of(text)["shared_ollama_project_jobs_ended_total"]
    assert len({project for _, project in ends}) == 65
    assert sum(ends.values()) == len(names)
    assert promtool("check", "metrics", text=text) == ""


def test_invented_names_push_nobody_out(ruled, wire):
    server = ruled('projects = ( { name = "configured"; } );')
    connection = wire(server.url)

    def work_for(name, model, status):
        assert connection.ask("POST", "/api/chat", chat_body(model=model), [("X-Project-Name", name)]).status == status

    assert server.stats()["projects"] == {}
    for number in range(70):
        work_for(f"invented-{number}", "nope", 404)
    work_for("real", "b", 200)
    work_for("configured", "nope", 404)
    stats = server.wait_for(lambda stats: stats["completed"] == 72 and stats)
    assert stats["projects"]["real"]["completed"] == stats["projects"]["configured"]["completed"] == 1
    assert len(stats["projects"]) == 65
    assert sum(project["completed"] for project in stats["projects"].values()) == 72


def test_what_waits_is_shown_by_project(proxy, wire):
    server = proxy("--max-concurrent", "1", "--concurrency", "fixed")
    status, _ = server.change("POST", "/api/v1/queue/pause")
    assert status == 200
    connections = []
    for project in ("p", "p", "q"):
        connection = wire(server.url)
        connection.send(request("POST", "/api/chat", chat_body(model="a"), [("X-Project-Name", project)]))
        connections.append(connection)
    stats = server.wait_for(lambda stats: stats["queued"] == 3 and stats)
    assert {name: figures["waiting"] for name, figures in stats["projects"].items()} == {"p": 2, "q": 1}
    assert stats["models"]["a:latest"]["waiting"] == 3
    metrics = samples_of(text_of(server))
    assert metrics["shared_ollama_project_jobs"]["p", "waiting"] == 2
    assert metrics["shared_ollama_paused"][()] == 1
    assert server.change("POST", "/api/v1/queue/resume")[0] == 200
    for connection in connections:
        assert connection.read_answer().status == 200


def test_it_is_on_the_admin_listener_alone(proxy):
    server = proxy("--admin-listen", "127.0.0.1:0")
    assert ask(server.own_url, "GET", "/metrics")[0] == 200
    assert ask(server.url, "GET", "/metrics")[0] == 404


def test_it_wants_a_key_where_there_are_keys(keyed):
    server = keyed({"secret-key": ""})
    assert ask(server.url, "GET", "/metrics")[0] == 401
    assert ask(server.url, "GET", "/metrics", headers=server.own_headers)[0] == 200


def test_the_process_is_shown(proxy):
    server = proxy()
    metrics = samples_of(text_of(server))
    descriptors = len(list(pathlib.Path(f"/proc/{server.pid}/fd").iterdir()))
    # the connection of this very scrape may be gone
    assert abs(metrics["process_open_fds"][()] - descriptors) <= 2
    assert metrics["process_max_fds"][()] >= metrics["process_open_fds"][()]
    assert metrics["process_resident_memory_bytes"][()] > 1 << 20
    assert metrics["process_cpu_seconds_total"][()] > 0
    assert json.loads(ask(server.url, "GET", "/api/v1/health")[1])["version"] in text_of(server)
