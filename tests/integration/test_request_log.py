"""The request log: a line for each job and pass, in its final form (PRODUCT 6.1)."""

import json
import re
import signal
import subprocess

import pytest
from boxes import QUICK, chat, chat_body, talker
from programs import wait_for

JQ = r'[.operation, .model, .latency_ms, .model_warm_start] | @tsv'


@pytest.mark.sim(config=QUICK)
def test_the_old_services_jq_line_works_unchanged(proxy, wire):
    server = proxy()
    wire(server.url).ask("POST", "/api/chat", chat_body())
    wire(server.url).ask("GET", "/api/tags")
    server.wait_log(2)
    out = subprocess.run(["jq", "-r", JQ, str(server.request_log)], capture_output=True, check=True, text=True).stdout
    first, second = out.splitlines()
    assert re.fullmatch(r"chat\tm\t\d+\.?\d*\t(true|false)", first)
    assert re.fullmatch(r"list_models\t\t\d+\.?\d*\t", second)


OPERATIONS = [
    ("POST", "/api/generate", b'{"model":"m","prompt":"x"}', "generate"),
    ("POST", "/api/chat", chat_body(), "chat"),
    ("POST", "/api/embed", b'{"model":"e","input":"x"}', "embed"),
    ("POST", "/api/embeddings", b'{"model":"e","prompt":"x"}', "embed"),
    ("POST", "/v1/chat/completions", chat_body(), "chat"),
    ("POST", "/v1/completions", b'{"model":"m","prompt":"x"}', "generate"),
    ("POST", "/v1/embeddings", b'{"model":"e","input":"x"}', "embed"),
    ("POST", "/v1/messages", b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}]}', "chat"),
    ("POST", "/v1/responses", b'{"model":"m","input":"x"}', "chat"),
    ("GET", "/api/tags", b"", "list_models"),
    ("GET", "/v1/models", b"", "list_models"),
    ("POST", "/api/show", b'{"model":"m"}', "show_model"),
    ("POST", "/api/pull", b'{"model":"nope"}', "pull"),
    ("POST", "/api/copy", b'{"source":"m","destination":"m2"}', "copy"),
    ("DELETE", "/api/delete", b'{"model":"m2"}', "delete"),
]


@pytest.mark.sim(config=QUICK)
def test_each_operation_has_its_name(proxy, wire):
    server = proxy()
    connection = wire(server.url)
    for method, target, body, _ in OPERATIONS:
        assert connection.ask(method, target, body).status == 200, target
    lines = server.wait_log(len(OPERATIONS))
    assert [line["operation"] for line in lines] == [operation for *_, operation in OPERATIONS]
    assert {line["status"] for line in lines} == {"success"}


@pytest.mark.sim(config=QUICK)
def test_the_older_name_of_a_model_is_logged(proxy, wire):
    server = proxy()
    assert wire(server.url).ask("POST", "/api/show", b'{"name":"m"}').status == 200
    assert server.wait_log(1)[0]["model"] == "m"


@pytest.mark.sim(config=QUICK)
def test_polls_are_logged_only_when_asked_for(proxy, wire):
    quiet, loud = proxy(), proxy("--log-operations", "all")
    for server in (quiet, loud):
        connection = wire(server.url)
        for method, target in (("HEAD", "/"), ("GET", "/"), ("GET", "/api/version"), ("GET", "/api/ps")):
            assert connection.ask(method, target).status == 200
        assert server.stats()["passes"]["completed"] == 4
    assert [line["operation"] for line in loud.wait_log(4)] == ["root", "root", "version", "list_running"]
    assert quiet.log_lines() == []


@pytest.mark.sim(config=talker(3, 0, load_ms=400))
def test_cold_and_warm_are_told_apart(proxy, wire):
    server = proxy()
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    connection = wire(server.url)
    for target in ("/api/chat", "/api/chat", "/v1/chat/completions"):
        assert connection.ask("POST", target, chat_body()).status == 200
    cold, warm, openai = server.wait_log(3)
    assert (cold["model_warm_start"], warm["model_warm_start"], openai["model_warm_start"]) == (False, True, True)
    assert cold["load_wait_ms"] >= 400
    assert warm["load_wait_ms"] is None
    assert 0 < warm["model_load_ms"] < 100
    assert openai["model_load_ms"] is None
    stats = server.stats()
    assert stats["warm_start_rate"] == pytest.approx(2 / 3, abs=0.001)
    assert stats["model_loads"] == 1


@pytest.mark.sim(config=talker(3, 0, load_ms=400))
def test_a_cold_start_on_v1_is_known_from_the_probe(proxy, wire):
    server = proxy()
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up" and stats["runners"] == [])
    wait_for(lambda: wire(server.url).ask("POST", "/v1/chat/completions", chat_body()).status == 200)
    assert server.wait_log(1)[0]["model_warm_start"] is False


@pytest.mark.sim(config=QUICK)
def test_usage_of_v1_fills_the_token_counts(proxy, wire):
    server = proxy()
    answer = wire(server.url).ask("POST", "/v1/chat/completions", chat_body(stream=False))
    usage = json.loads(answer.body)["usage"]
    line = server.wait_log(1)[0]
    assert (line["prompt_eval_count"], line["generation_eval_count"]) == (usage["prompt_tokens"], usage["completion_tokens"])


@pytest.mark.sim(config=QUICK)
def test_nothing_secret_is_logged(proxy, wire):
    server = proxy()
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "PROMPT-SECRET"}]}).encode()
    wire(server.url).ask("POST", "/api/chat", body, [("Authorization", "Bearer KEY-SECRET")])
    server.wait_log(1)
    assert "SECRET" not in server.request_log.read_text()
    assert "SECRET" not in server.stderr()


@pytest.mark.sim(config=QUICK)
def test_the_log_is_opened_again_on_sigusr1(proxy, wire):
    server = proxy()
    wire(server.url).ask("GET", "/api/tags")
    server.wait_log(1)
    moved = server.request_log.with_suffix(".1")
    server.request_log.rename(moved)
    server.signal(signal.SIGUSR1)
    wait_for(server.request_log.exists)
    wire(server.url).ask("GET", "/api/tags")
    assert len(server.wait_log(1)) == 1
    assert len(moved.read_text().splitlines()) == 1


@pytest.mark.sim(config=QUICK)
def test_a_log_that_cannot_be_written_stalls_nothing(proxy, wire, tmp_path):
    link = tmp_path / "full"
    link.symlink_to("/dev/full")
    server = proxy("--request-log", link)
    for _ in range(20):
        connection = wire(server.url)
        connection.send(chat())
        assert connection.read_answer().status == 200
    assert server.stats()["request_log_dropped"] == 20
