"""runner_options (PRODUCT 5): what makes Ollama load a model again is passed, stripped or set; every other byte stays."""

import json

import pytest
from boxes import QUICK
from wire import request

pytestmark = pytest.mark.sim(config=QUICK)

# Odd on purpose: white space, escapes, a member of the same name elsewhere, duplicates.
BODY = (
    b'{ "model":"m" ,"prompt":"num_ctx \\u0041 \\"options\\"",\n\t"options" : {"num_ctx": 2048, "temperature":0.10,'
    b' "num_batch":64,"stop":["}"] , "num_thread" : 2 },"stream":false, "format":null }'
)
STRIPPED = (
    b'{ "model":"m" ,"prompt":"num_ctx \\u0041 \\"options\\"",\n\t"options" : { "temperature":0.10'
    b',"stop":["}"]  },"stream":false, "format":null }'
)
SET = (
    b'{ "model":"m" ,"prompt":"num_ctx \\u0041 \\"options\\"",\n\t"options" : {"num_gpu":7,"use_mmap":false,'
    b'"num_ctx": 1024, "temperature":0.10,"stop":["}"]  },"stream":false, "format":null }'
)


def test_options_pass_by_default(proxy, recorder, wire):
    server = proxy(upstream=recorder.url)
    assert wire(server.url).ask("POST", "/api/generate", BODY).status == 200
    assert recorder.bodies("/api/generate")[-1] == BODY
    assert server.wait_log(1)[0]["runner"] == "m:latest num_ctx=2048 num_batch=64 num_thread=2"


def test_stripped_options_are_gone_and_make_no_runner_of_their_own(proxy, recorder, wire):
    server = proxy("--runner-options", "strip", upstream=recorder.url)
    assert wire(server.url).ask("POST", "/api/generate", BODY).status == 200
    assert recorder.bodies("/api/generate")[-1] == STRIPPED
    line = server.wait_log(1)[0]
    assert line["runner"] == "m:latest"
    assert line["request_bytes"] == len(BODY)


def with_rule(proxy, recorder, tmp_path):
    file = tmp_path / "rules.conf"
    file.write_text('models = ( { name = "m"; options = "set"; num_ctx = 1024; num_gpu = 7; use_mmap = false; } );\n')
    return proxy("--config", file, upstream=recorder.url)


def test_set_options_are_the_rules_and_the_runner_is_theirs(proxy, recorder, wire, tmp_path):
    server = with_rule(proxy, recorder, tmp_path)
    connection = wire(server.url)
    assert connection.ask("POST", "/api/generate", BODY).status == 200
    assert recorder.bodies("/api/generate")[-1] == SET
    assert connection.ask("POST", "/api/chat", b'{"model":"m","messages":[],"stream":false}').status == 200
    expected = b'{"options":{"num_ctx":1024,"num_gpu":7,"use_mmap":false},"model":"m","messages":[],"stream":false}'
    assert recorder.bodies("/api/chat") == [expected]
    runners = {line["runner"] for line in server.wait_log(2)}
    assert runners == {"m:latest num_ctx=1024 num_gpu=7 use_mmap=0"}


def test_openai_bodies_have_no_options_and_stay(proxy, recorder, wire):
    server = proxy("--runner-options", "strip", upstream=recorder.url)
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}],"options":{"num_ctx":5}}'
    assert wire(server.url).ask("POST", "/v1/chat/completions", body).status == 200
    assert recorder.bodies("/v1/chat/completions") == [body]


def test_a_body_that_is_no_json_stays(proxy, recorder, wire):
    server = proxy("--runner-options", "strip", upstream=recorder.url)
    body = BODY[:-1]
    assert wire(server.url).ask("POST", "/api/generate", body).status == 400
    assert recorder.bodies("/api/generate")[-1] == body


@pytest.mark.parametrize("size", [1000, 3 * 1024 * 1024])
def test_edits_are_sent_again_from_memory_and_from_the_spool(proxy, recorder, wire, size):
    server = proxy("--runner-options", "strip", "--scheduler", "fifo", upstream=recorder.url)
    server.wait_for(lambda stats: stats["upstream"]["up"])
    filling = b"x" * size
    body = b'{"options":{"num_ctx":4096},"prompt":"%s","model":"m","stream":false,"options":{"seed":1,"num_gpu":1}}'
    expected = b'{"options":{},"prompt":"%s","model":"m","stream":false,"options":{"seed":1}}' % filling
    recorder.breaks = 1
    assert wire(server.url, timeout=30).ask("POST", "/api/generate", body % filling).status == 200
    assert recorder.bodies("/api/generate") == [expected, expected]
    assert server.wait_log(1)[0]["attempts"] == 2


def test_a_body_made_to_vex_is_refused_when_it_would_be_edited(proxy, recorder, wire):
    server = proxy("--runner-options", "strip", upstream=recorder.url)
    vexing = b'{"model":"m","options":{' + b",".join(b'"num_ctx":1' for _ in range(1000)) + b"}}"
    answer = wire(server.url).ask("POST", "/api/generate", vexing)
    assert answer.status == 400
    assert "more often" in json.loads(answer.body)["error"]
    assert recorder.bodies("/api/generate") == []


def test_a_chunked_body_is_edited_too(proxy, recorder, wire):
    server = proxy("--runner-options", "strip", upstream=recorder.url)
    connection = wire(server.url)
    connection.send(b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
    for byte in BODY:
        connection.send(b"1\r\n%c\r\n" % byte)
    connection.send(b"0\r\n\r\n")
    assert connection.read_answer("POST").status == 200
    assert recorder.bodies("/api/generate")[-1] == STRIPPED


def test_without_the_policy_the_same_request_reloads(sim, proxy, wire):
    """What it is for: two clients with two values of num_ctx share one runner."""
    server = proxy("--runner-options", "strip")
    connection = wire(server.url)
    for num_ctx in (1024, 2048, 1024):
        body = json.dumps({"model": "m", "prompt": "x", "stream": False, "options": {"num_ctx": num_ctx}}).encode()
        connection.send(request("POST", "/api/generate", body))
        assert connection.read_answer("POST").status == 200
    assert sim.state()["models"]["m:latest"]["loads"] == 1
