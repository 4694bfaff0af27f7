"""Each way in which Ollama can break has its outcome, and a broken stream never gets a clean end (PRODUCT 2)."""

import json

import pytest
from boxes import ENDLESS, QUICK, chat_body, talker
from wire import request


def ask(wire, server, stream=True, target="/api/chat"):
    connection = wire(server.url)
    connection.send(request("POST", target, chat_body(stream)))
    return connection


@pytest.mark.parametrize("kind", ["malformed_head", "big_head"])
@pytest.mark.sim(config=QUICK)
def test_a_malformed_answer_is_502(sim, proxy, wire, kind):
    server = proxy()
    sim.fault(kind, path="/api/chat", bytes=200000)
    answer = ask(wire, server).read_answer()
    assert answer.status == 502
    line = server.wait_log(1)[0]
    assert (line["error_type"], line["http_status"], line["attempts"]) == ("upstream_malformed", 502, 1)
    assert server.stats()["failed"] == 1


@pytest.mark.sim(config=QUICK)
def test_an_ollama_error_passes_and_counts_as_failed(sim, proxy, wire):
    server = proxy()
    sim.fault("status_500", path="/api/chat")
    answer = ask(wire, server).read_answer()
    assert answer.status == 500
    line = server.wait_log(1)[0]
    assert (line["status"], line["error_type"], line["http_status"]) == ("error", "upstream_status", 500)
    assert server.stats()["failed"] == 1


@pytest.mark.sim(config=QUICK)
def test_a_client_error_of_ollama_passes_and_counts_as_completed(proxy, wire):
    server = proxy()
    answer = wire(server.url).ask("POST", "/api/chat", b'{"model":"nope","messages":[{"role":"user","content":"x"}]}')
    assert answer.status == 404
    assert json.loads(answer.body) == {"error": "model 'nope' not found"}
    line = server.wait_log(1)[0]
    assert (line["status"], line["error_type"], line["http_status"]) == ("error", "upstream_status", 404)
    assert server.stats()["completed"] == 1


@pytest.mark.parametrize("kind", ["die_mid_stream", "reset_mid_stream", "malformed_chunk"])
@pytest.mark.sim(config=talker(50, 200))
def test_a_native_stream_that_breaks_off_gets_an_error_line_and_a_cut(sim, proxy, wire, kind):
    server = proxy()
    sim.fault(kind, path="/api/chat", after_lines=5)
    connection = ask(wire, server)
    assert connection.read_head().status == 200
    rest = connection.expect_cut()
    assert not rest.endswith(b"0\r\n\r\n")
    assert b'{"error":"Ollama at 127.0.0.1' in rest
    line = server.wait_log(1)[0]
    assert (line["error_type"], line["http_status"], line["status"]) == ("upstream_truncated", 200, "error")


@pytest.mark.sim(config=talker(50, 200))
def test_an_event_stream_that_breaks_off_gets_an_error_event_and_a_cut(sim, proxy, wire):
    server = proxy()
    sim.fault("die_mid_stream", path="/v1/chat/completions", after_lines=5)
    connection = ask(wire, server, target="/v1/chat/completions")
    assert connection.read_head().status == 200
    rest = connection.expect_cut()
    assert not rest.endswith(b"0\r\n\r\n")
    assert b'data: {"error":{"message":"Ollama at' in rest


@pytest.mark.sim(config=QUICK)
def test_an_answer_of_known_length_that_ends_early_is_cut(sim, proxy, wire):
    server = proxy()
    sim.fault("truncate", path="/api/chat")
    connection = ask(wire, server, stream=False)
    head = connection.read_head()
    rest = connection.expect_cut()
    assert len(rest) < int(head.get("Content-Length"))
    assert server.wait_log(1)[0]["error_type"] == "upstream_truncated"


@pytest.mark.sim(config=ENDLESS)
def test_silence_before_the_head_is_504(sim, proxy, wire):
    server = proxy("--upstream-first-byte-timeout", "0.3")
    sim.fault("silent", path="/api/chat")
    answer = ask(wire, server).read_answer()
    assert answer.status == 504
    line = server.wait_log(1)[0]
    assert (line["error_type"], line["attempts"]) == ("upstream_timeout", 1)


@pytest.mark.sim(config=ENDLESS)
def test_silence_in_mid_stream_is_a_cut(sim, proxy, wire):
    server = proxy("--upstream-idle-timeout", "0.3")
    sim.fault("stall_mid_stream", path="/api/chat", after_lines=3)
    connection = ask(wire, server)
    assert connection.read_head().status == 200
    assert b'{"error":' in connection.expect_cut()
    assert server.wait_log(1)[0]["error_type"] == "upstream_timeout"


@pytest.mark.sim(config=talker(40, 50))
def test_a_lively_stream_outlives_the_idle_limit(proxy, wire):
    server = proxy("--upstream-idle-timeout", "0.3")
    assert ask(wire, server).read_answer().status == 200
    assert server.wait_log(1)[0]["total_duration_ms"] > 500


@pytest.mark.sim(config=QUICK)
def test_bytes_behind_an_answer_never_reach_the_next_client(sim, proxy, wire):
    server = proxy()
    for _ in range(5):
        sim.fault("garbage_after_end", path="/api/tags")
        assert wire(server.url).ask("GET", "/api/tags").status == 200
        assert wire(server.url).ask("GET", "/api/version").status == 200


@pytest.mark.sim(config=QUICK)
def test_an_answer_without_length_on_a_kept_connection_is_read_to_its_end(sim, proxy, wire):
    server = proxy()
    sim.fault("no_length_keepalive", path="/api/tags")
    answer = wire(server.url).ask("GET", "/api/tags")
    assert answer.status == 200
    assert json.loads(answer.body)["models"]


@pytest.mark.sim(config=QUICK)
def test_a_stream_that_ends_without_its_done_line_passes_as_it_is(sim, proxy, wire):
    server = proxy()
    sim.fault("repeat_limit", path="/api/chat")
    answer = ask(wire, server).read_answer()
    assert answer.status == 200
    line = server.wait_log(1)[0]
    assert (line["status"], line["total_duration_ms"], line["model_load_ms"]) == ("success", None, None)


@pytest.mark.sim(config=QUICK)
def test_a_pull_that_breaks_off_gets_an_error_line_and_a_cut(sim, proxy, wire):
    server = proxy()
    sim.fault("die_mid_stream", path="/api/pull", after_lines=1)
    connection = wire(server.url)
    connection.send(request("POST", "/api/pull", b'{"model":"nope"}'))
    assert connection.read_head().status == 200
    rest = connection.expect_cut()
    assert b'{"error":"Ollama at 127.0.0.1' in rest
    assert not rest.endswith(b"0\r\n\r\n")
    assert server.wait_log(1)[0]["error_type"] == "upstream_truncated"


@pytest.mark.parametrize("version,headers", [("1.1", [("Connection", "close")]), ("1.0", [])])
@pytest.mark.sim(config=QUICK)
def test_no_error_line_fills_up_an_answer_of_known_length(sim, proxy, wire, version, headers):
    server = proxy()
    sim.fault("truncate", path="/api/show")
    connection = wire(server.url)
    connection.send(request("POST", "/api/show", b'{"model":"m"}', headers).replace(b"HTTP/1.1", b"HTTP/" + version.encode()))
    head = connection.read_head()
    rest = connection.expect_cut()
    assert b'{"error"' not in rest
    if head.get("Content-Length"):
        assert len(rest) < int(head.get("Content-Length"))
