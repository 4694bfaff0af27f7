"""bench/what_if.py: what it rebuilds from a request log, and that a replay of it tells what a policy is known to change."""

import gzip
import importlib
import json
import pathlib
import subprocess
import sys

import pytest
from programs import clean_environment, program_path
from reports import failed, job, text_of, write

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def bench(monkeypatch):
    """bench("whatif_box"): that module."""
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module


def told(begin, prompt_s, tokens, per_token_s, queued_s=0.0, wait_s=0.0, load_s=0.0, ours=False, **more):
    """A line of /api: it arrived at `begin`, waited in our queue, for a load and inside Ollama, and tells how long it was computed."""
    computed = prompt_s + tokens * per_token_s
    latency_s = queued_s + load_s + wait_s + computed
    more = {
        "model": "a",
        "runner": more.get("model", "a") + ":latest",
        "priority": "normal",
        "model_load_ms": 0.0 if ours else load_s * 1000,
        "load_wait_ms": load_s * 1000 if ours else None,
        "queue_wait_ms": (queued_s + (load_s if ours else 0.0)) * 1000,
        "model_warm_start": load_s == 0,
        "upstream_wait_ms": wait_s * 1000,
        "prompt_eval_count": round(prompt_s * 500),
        "prompt_eval_ms": prompt_s * 1000,
        "generation_eval_count": tokens,
        "generation_eval_ms": tokens * per_token_s * 1000,
    } | more
    return job(begin + latency_s, latency_s * 1000, **more)


def untold(begin, latency_s, **more):
    more = {"model": "a", "runner": "a:latest", "priority": "normal", "path": "/v1/chat/completions", "stream": False} | more
    return job(begin + latency_s, latency_s * 1000, **more)


def rebuilt(bench, tmp_path, lines, *words):
    """(box, calls, notes) of a log with these lines."""
    log, box = bench("whatif_log"), bench("whatif_box")
    path = write(tmp_path / "log.jsonl", lines)
    arguments = bench("what_if").arguments_of(["build", "--log", str(path), "--b", "default", *words])
    notes = log.Notes()
    wanted = log.select(log.read([path])[0], notes)
    made = box.Box(wanted, arguments, notes)
    return made, log.rebuild(wanted, made, 1, arguments.gap or 600, arguments.open, arguments.patience, notes), " / ".join(notes.texts)


def pairs_and_singles(count=12, **more):
    """One at a time with 50 ms a token, then two at a time with 60 ms."""
    lines = [told(10 * i, 0.1, 40, 0.05, **more) for i in range(count)]
    for i in range(count, 2 * count):
        lines += [told(10 * i, 0.12, 40, 0.06, prompt_eval_count=50, **more) for _ in range(2)]
    return lines


def test_speeds_slots_and_loads_of_the_box(bench, tmp_path):
    # a third one that waits inside Ollama shows that there are but two slots
    lines = [told(0, 0.1, 40, 0.05, load_s=5, ours=True)] + pairs_and_singles()[1:] + [told(230.1, 0.1, 40, 0.05, wait_s=2.4)]
    box, calls, notes = rebuilt(bench, tmp_path, lines)
    model = box.models["a:latest"]
    assert model.load_s == pytest.approx(5)
    assert model.parallel == 2
    assert model.alpha == pytest.approx(0.2, abs=0.05)
    assert model.tokens_per_s == pytest.approx(20, rel=0.05)
    assert model.prompt_tokens_per_s == pytest.approx(500, rel=0.05)
    # whoever it ran beside: alone it needs two seconds
    assert all(call.own_s == pytest.approx(2.1, rel=0.06) for call in calls)
    assert box.warm_at_start == []
    assert "at once" not in notes


def test_flags_beat_the_log(bench, tmp_path):
    box, _, _ = rebuilt(bench, tmp_path, pairs_and_singles(), "--parallel", "4", "--load", "a=9", "--fits", "3", "--ollama-keep-alive", "60")
    config = box.config()
    assert (config["max_loaded_models"], config["keep_alive_s"]) == (3, 60)
    assert (config["models"][0]["num_parallel"], config["models"][0]["load_ms"]) == (4, 9000)


@pytest.mark.parametrize(
    "second, fits, says",
    [
        # b answers while a does
        ([told(1, 0.1, 40, 0.05, model="b")], 2, "2 models loaded at once"),
        # a stays warm although b was served meanwhile
        ([told(5, 0.1, 40, 0.05, model="b"), told(20, 0.1, 40, 0.05)], 2, "2 models loaded at once"),
        # a has to be loaded again after b was
        ([told(5, 0.1, 40, 0.05, load_s=4, model="b"), told(20, 0.1, 40, 0.05, load_s=4)], 1, ""),
        # nobody knows
        ([told(1000, 0.1, 40, 0.05, load_s=4, model="b")], 1, "does not show whether two models fit"),
    ],
)
def test_which_models_fit_together(bench, tmp_path, second, fits, says):
    box, _, notes = rebuilt(bench, tmp_path, [told(0, 0.1, 40, 0.05)] + second)
    assert box.fits == fits
    assert says in notes and (says or "loaded at once" not in notes)
    assert box.warm_at_start[0] == "a:latest"


def test_hidden_waits_are_no_work(bench, tmp_path):
    # forty tokens of this model need two seconds, whatever /v1 was kept waiting
    slow = untold(300, 30, generation_eval_count=40, prompt_eval_count=0, queue_wait_ms=1000)
    _, calls, _ = rebuilt(bench, tmp_path, pairs_and_singles() + [slow])
    assert calls[-1].path == "/v1/chat/completions"
    assert calls[-1].own_s == pytest.approx(2, rel=0.1)


def test_clients_with_a_limit(bench, tmp_path):
    gone = [failed(100 * i + 20, "client_gone", 20000 + i, model="a", priority="normal", path="/v1/chat/completions") for i in range(3)]
    quick = [untold(100 * i + 50, 5) for i in range(3)]
    _, calls, notes = rebuilt(bench, tmp_path, gone + quick)
    assert [call.patience for call in calls] == [pytest.approx(20, abs=0.01)] * 6
    assert "leave /v1/chat/completions after 20.0 s" in notes
    # its owner knows better
    _, calls, _ = rebuilt(bench, tmp_path, gone + quick, "--patience", "notes=0")
    assert not any(call.patience for call in calls)
    # one that waited longer shows that it was no limit
    _, calls, _ = rebuilt(bench, tmp_path, gone + quick + [untold(400, 40)])
    assert [call.patience is not None for call in calls] == [True, False] * 3 + [False]


def test_one_that_came_back_is_one(bench, tmp_path):
    refused = failed(0.1, "no_time_left", 100, model="a", priority="normal", attempts=0, http_status=503, queue_wait_ms=90)
    _, calls, notes = rebuilt(bench, tmp_path, [refused, told(5, 0.1, 40, 0.05), told(5.2, 0.1, 40, 0.05, request_bytes=9)])
    # and the other one would come back as well
    assert [(round(call.at, 1), call.retries, len(call.lines)) for call in calls] == [(0.0, 1, 2), (5.2, 1, 1)]
    # it was told so because its limit was known: longer than the longest answer
    assert [call.patience for call in calls] == [pytest.approx(2.1)] * 2
    assert "came back after a 503" in notes


def test_clients_that_wait_for_their_answer(bench, tmp_path):
    chain = [told(2.3 * i, 0.1, 40, 0.05, user_agent="agent") for i in range(6)]
    others = [told(7 * i + 0.5, 0.1, 40, 0.05, user_agent="people") for i in range(6)]
    _, calls, _ = rebuilt(bench, tmp_path, chain + others)
    follows = [call for call in calls if call.follows is not None]
    assert [call.user_agent for call in follows] == ["agent"] * 5
    assert all(call.think == pytest.approx(0.2, abs=0.01) for call in follows)
    _, calls, _ = rebuilt(bench, tmp_path, chain + others, "--open")
    assert not any(call.follows for call in calls)


def test_quiet_is_cut_and_what_never_waits_left_out(bench, tmp_path):
    lines = [told(0, 0.1, 40, 0.05), told(5000, 0.1, 40, 0.05), job(20, 5, operation="list_models", path="/api/tags", model=None)]
    lines += [failed(30, "upstream_status", 5, model="none", priority="normal", http_status=404)]
    _, calls, notes = rebuilt(bench, tmp_path, lines)
    assert [round(call.at) for call in calls] == [0, 602]
    assert "1 requests that never wait" in notes and "1 that were refused" in notes


def test_logs_may_be_packed_and_broken(bench, tmp_path):
    path = tmp_path / "log.jsonl.1.gz"
    path.write_bytes(gzip.compress((text_of([told(3, 0.1, 1, 0.1), told(0, 0.1, 1, 0.1)]) + "{\n").encode()))
    lines, bad = bench("whatif_log").read([path])
    assert (len(lines), bad) == (2, 1)
    assert lines[1]["begin"] - lines[0]["begin"] == pytest.approx(3)


def test_a_request_is_made_as_the_log_has_it(bench, tmp_path):
    image = told(0, 0.1, 40, 0.05, runner="a:latest num_ctx=8192", images_count=1, images_max="640x480", images_pixels=307200)
    box, calls, _ = rebuilt(bench, tmp_path, [image | {"priority": "batch", "user_agent": "python-requests/2", "request_bytes": 3000}])
    head, _, body = bench("whatif_play").request_of(calls[0], box.tokens_of(calls[0]), 0, True).partition(b"\r\n\r\n")
    assert b"\r\nX-Project-Name: notes\r\n" in head and b"\r\nUser-Agent: python-requests/2" in head and b"\r\nX-Priority: batch" in head
    asked = json.loads(body)
    assert len(body) == 3000 and asked["stream"] is True
    assert asked["options"] == {"num_ctx": 8192, "num_predict": 41}
    assert len(asked["messages"][0]["images"]) == 1


def test_a_configuration_without_the_place_where_it_stands(bench, tmp_path):
    path = tmp_path / "my.conf"
    path.write_text(
        'listen = [ "0.0.0.0:80" ]; # everybody\nkeys = ( { name = "x"; hash = "{;}"; } )\nmax_concurrent = 2\n'
        'projects = ( { name = "batch"; class = "batch"; }, { name = "voice"; weight = 2.0; } );\non_upstream_down : "wake; box";\n'
    )
    made = bench("whatif_play").Configuration(f"{path} scheduler=fifo")
    assert made.flags == ["--scheduler", "fifo"] and made.missed == ["keys"]
    assert [name for name, _, _ in bench("whatif_play").settings_of(made.text)] == ["max_concurrent", "projects"]
    assert made.projects_with_class() == {"batch"}
    checked = tmp_path / "checked.conf"
    checked.write_text(made.text)
    subprocess.run([program_path("SHARED_OLLAMA"), "-c", checked, "--check-config"], check=True, env=clean_environment(None), timeout=30)


def test_only_what_is_beyond_the_spread_is_told(bench):
    is_beyond = bench("whatif_tell").is_beyond
    assert is_beyond([10.0, 11.0], [5.0, 5.5], "wait_mean_s")
    assert not is_beyond([10.0, 11.0], [10.5, 5.0], "wait_mean_s")  # among the other's
    assert not is_beyond([10.0, 14.0], [9.0, 8.0], "wait_mean_s")  # less apart than two plays of the same
    assert not is_beyond([0.01, 0.01], [0.05, 0.05], "wait_mean_s")  # nobody notices


def test_two_models_in_turn_are_loaded_less_by_turns(tmp_path):
    # twelve at once, for two models in turn; in order of arrival each waits for a load
    lines = [
        told(0.1 * i, 0.1, 20, 0.05, queued_s=3 * i, load_s=2, model="ab"[i % 2], project_name=f"team {'ab'[i % 2]}") for i in range(12)
    ]
    log = write(tmp_path / "requests.jsonl", lines)
    build = pathlib.Path(program_path("SHARED_OLLAMA")).parents[1]
    fixed = "concurrency=fixed max_concurrent=1 default_timeout=0"
    done = subprocess.run(
        [sys.executable, BENCH / "what_if.py", build, "--log", log, "--a", f"scheduler=fifo {fixed}", "--b", f"scheduler=turns {fixed}",
         "--scale", "20", "--rounds", "1", "--json", tmp_path / "result.json", "--html", tmp_path / "result.html"],
        capture_output=True, text=True, timeout=50, env=clean_environment(None), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    a, b = (result["figures"][side][0]["all"] for side in "AB")
    assert (a["requests"], a["lost"], b["requests"], b["lost"]) == (12, 0, 12, 0)
    assert a["loads"] == 12 and b["loads"] <= 4
    # a load takes two seconds of the box's time, an answer one: the clocks of the programs show the box's
    assert a["latency_mean_s"] > 15 and b["latency_mean_s"] < 0.7 * a["latency_mean_s"]
    assert f"Models would be loaded {b['loads']} times instead of 12." in done.stdout
    assert "project team a" in done.stdout and "model b:latest" in done.stdout
    assert "<h2>What would change with B</h2>" in (tmp_path / "result.html").read_text()
