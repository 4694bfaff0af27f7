"""Our own endpoints, the old service's aliases and its retired routes (PRODUCT 1.3)."""

import json
import pathlib

import jsonschema
import pytest
from boxes import QUICK, chat_body
from programs import SCHEMAS

pytestmark = pytest.mark.sim(config=QUICK)

TWELVE = [
    "queued", "in_progress", "completed", "failed", "rejected", "timeout",
    "total_wait_time_ms", "max_wait_time_ms", "avg_wait_time_ms",
    "max_concurrent", "max_queue_size", "default_timeout",
]  # fmt: skip


def schema(name):
    return jsonschema.Draft202012Validator(json.loads((pathlib.Path(SCHEMAS) / name).read_text()))


def test_stats_begin_with_the_old_twelve_keys(proxy, wire):
    server = proxy("--max-concurrent", 5, "--max-queue-size", 7, "--default-timeout", "9.5")
    wire(server.url).ask("POST", "/api/chat", chat_body())
    stats = server.wait_for(lambda stats: stats["completed"] == 1 and stats)
    assert list(stats)[:12] == TWELVE
    assert (stats["max_concurrent"], stats["max_queue_size"], stats["default_timeout"]) == (5, 7, 9.5)
    for key in TWELVE[:6] + TWELVE[9:11]:
        assert isinstance(stats[key], int), key
    for key in TWELVE[6:9] + TWELVE[11:]:
        assert isinstance(stats[key], float), key
    schema("stats.schema.json").validate(stats)


def test_health_and_requests_match_their_schemas(proxy):
    server = proxy()
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    health = server.health()
    assert list(health)[:3] == ["status", "ollama_service", "version"]
    schema("health.schema.json").validate(health)
    status, body = server.get("/api/v1/queue/requests")
    assert status == 200
    schema("requests.schema.json").validate(json.loads(body))


def test_own_endpoints_are_neither_counted_nor_logged(proxy):
    server = proxy()
    for _ in range(5):
        server.health()
        server.requests()
    stats = server.stats()
    assert (stats["received"], stats["passes"]["received"]) == (0, 0)
    assert server.log_lines() == []


def test_own_endpoints_take_get_and_head_only(proxy, wire):
    connection = wire(proxy().url)
    assert connection.ask("HEAD", "/api/v1/health").status == 200
    answer = connection.ask("POST", "/api/v1/health", b"{}")
    assert answer.status == 405
    assert "GET" in answer.get("Allow")
    assert connection.ask("GET", "/api/v1/health").status == 200


ALIASES = [
    ("POST", "/api/v1/chat/completions", "/v1/chat/completions"),
    ("POST", "/api/v1/vlm/openai", "/v1/chat/completions"),
    ("GET", "/api/v1/models", "/api/tags"),
    ("GET", "/api/v1/models/ps", "/api/ps"),
    ("POST", "/api/v1/embeddings", "/api/embeddings"),
]


@pytest.mark.parametrize("method,old,new", ALIASES)
def test_old_routes_are_aliases(sim, proxy, wire, method, old, new):
    server = proxy()
    body = b'{"model":"e","prompt":"x"}' if "embed" in old else chat_body(stream=False)
    answer = wire(server.url).ask(method, old + "?q=1", body if method == "POST" else b"")
    assert answer.status == 200
    targets = [head["target"] for head in sim.state()["heads"]]
    assert new + "?q=1" in targets


GONE = [
    "/api/v1/chat", "/api/v1/generate", "/api/v1/vlm", "/api/v1/batch/process", "/api/v1/agents/run",
    "/api/v1/metrics", "/api/v1/analytics", "/api/v1/performance/stats", "/api/v1/system/info", "/api/v1/pdl/run",
]  # fmt: skip


@pytest.mark.parametrize("target", GONE)
def test_retired_routes_say_what_to_use_instead(proxy, wire, target):
    server = proxy()
    answer = wire(server.url).ask("POST", target, b"{}")
    assert answer.status == 410
    assert "use " in json.loads(answer.body)["error"]
    assert b"\n" not in answer.body.strip()
    assert server.wait_log(1)[0]["error_type"] == "gone"


def test_other_paths_below_api_v1_go_to_ollama(proxy, wire):
    assert wire(proxy().url).ask("GET", "/api/v1/whatever").status == 404
