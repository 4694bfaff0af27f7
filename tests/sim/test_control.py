"""The endpoints below /sim/, the command line, and the edges of HTTP."""

import hashlib
import json
import pathlib
import signal
import socket
import subprocess

import pytest

from conftest import Sim, program


@pytest.fixture(scope="module")
def sim():
    server = Sim()
    yield server
    server.stop()


def test_echo_tells_the_request_as_received(sim):
    with sim.connect() as connection:
        body = b"some body"
        head = f"PATCH /sim/echo//a/%64/../b?q=%2f&x HTTP/1.1\r\nHost: {connection.host}\r\nx-LOWER:  spaced \r\nX-Twice: 1\r\nX-Twice: 2\r\n"
        connection.send_raw((head + f"Content-Length: {len(body)}\r\n\r\n").encode() + body)
        told = connection.read().json()
    assert told["method"] == "PATCH" and told["target"] == "/sim/echo//a/%64/../b?q=%2f&x"
    assert told["lines"][1:4] == ["x-LOWER:  spaced ", "X-Twice: 1", "X-Twice: 2"]
    assert told["body_bytes"] == len(body) and told["body_sha256"] == hashlib.sha256(body).hexdigest()


def test_echo_reads_chunks(sim):
    with sim.connect() as connection:
        connection.send_raw(f"POST /sim/echo HTTP/1.1\r\nHost: {connection.host}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        connection.send_raw(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
        told = connection.read().json()
    assert told["body_bytes"] == 5 and told["body_sha256"] == hashlib.sha256(b"abcde").hexdigest()


def test_bytes_have_the_asked_size_and_chunks(sim):
    answer = sim.ask("GET", "/sim/bytes?n=1000003&chunk=1000")
    assert answer.complete and len(answer.body) == 1000003
    assert {len(chunk) for chunk in answer.chunks} == {1000, 3}
    assert sim.ask("GET", "/sim/bytes?n=0").body == b""
    assert sim.ask("GET", "/sim/bytes?n=1&chunk=0").status == 400


def test_bytes_wait_for_a_slow_client_and_end_with_it(sim):
    connection = sim.connect()
    connection.send("GET", "/sim/bytes?n=1e12")
    connection.reader.until(b"\r\n\r\n")
    open_before = sim.state()["connections"]
    connection.close()
    sim.wait_for(lambda state: state["connections"] < open_before)


def test_state_counts_request_ids_and_keeps_heads(sim):
    for times in range(2):
        sim.ask("GET", "/api/version", headers=[("X-Request-Id", "id-1"), ("X-Odd", f"{times}")])
    state = sim.state()
    assert state["request_ids"]["id-1"] == 2
    assert state["heads"][-1]["target"] == "/api/version" and "X-Odd: 1" in state["heads"][-1]["lines"]
    sim.ask("POST", "/sim/reset")
    assert sim.state()["request_ids"] == {} and sim.state()["heads"] == []


@pytest.mark.parametrize(
    "raw, status",
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nBad Name: y\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST /sim/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"POST /sim/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 1100000, 431),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_bad_requests_are_refused_and_closed(sim, raw, status):
    with sim.connect() as connection:
        connection.send_raw(raw)
        answer = connection.read()
        assert answer.status == status and answer.header("Connection") == "close"


def test_requests_may_come_byte_by_byte(sim):
    body = b'{"model":"tiny"}'
    with sim.connect() as connection:
        raw = f"POST /api/show HTTP/1.1\r\nHost: {connection.host}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        for byte in raw:
            connection.send_raw(bytes([byte]))
        assert connection.read().status == 200


def test_http_1_0_keeps_the_connection_only_if_asked(sim):
    with sim.connect() as connection:
        connection.send_raw(b"GET /api/version HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        answer = connection.read()
        assert answer.version == "HTTP/1.0" and answer.header("Connection") == "keep-alive"
        connection.send_raw(b"GET /api/version HTTP/1.0\r\n\r\n")
        assert connection.read().status == 200 and connection.at_end()


def test_json_is_read_as_go_reads_it(sim):
    assert sim.ask("POST", "/api/show", {"MODEL": "tiny"}).status == 200
    assert sim.ask("POST", "/api/show", b'{"model":"nope","model":"tiny"}').status == 200
    deep = b'{"model":"tiny","messages":' + b"[" * 200000
    assert sim.ask("POST", "/api/chat", deep).json()["error"] == "exceeded max depth"
    assert sim.ask("POST", "/api/generate", b"nonsense").json()["error"].startswith("invalid character 'n'")


def test_pull_of_what_the_registry_has_installs_it(sim):
    name = "gemma3:1b"
    lines = sim.ask("POST", "/api/pull", {"model": name}).lines()
    assert lines[0] == {"status": "pulling manifest"} and lines[-1] == {"status": "success"}
    assert lines[3]["completed"] == lines[3]["total"]
    assert name in sim.model_names()
    assert sim.ask("DELETE", "/api/delete", {"model": name}).status == 200
    assert name not in sim.model_names()


def test_tools_are_called_and_their_answer_is_worded(sim):
    function = {"name": "add", "parameters": {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}}
    tools = [{"type": "function", "function": function}]
    question = {"role": "user", "content": "1?"}
    body = {"model": "tinytool", "stream": False, "tools": tools, "messages": [question]}
    message = sim.ask("POST", "/api/chat", body).json()["message"]
    assert message["tool_calls"][0]["function"]["arguments"] == {"n": 1}
    body["messages"] += [message, {"role": "tool", "content": "2"}]
    assert "tool_calls" not in sim.ask("POST", "/api/chat", body).json()["message"]
    messages = {"model": "tinytool", "max_tokens": 50, "messages": [question], "stream": True}
    messages["tools"] = [{"name": "add", "input_schema": function["parameters"]}]
    assert b'"type":"tool_use"' in sim.ask("POST", "/v1/messages", messages).body


def test_embeddings_are_the_same_for_the_same_text(sim):
    one, two = (sim.ask("POST", "/api/embed", {"model": "tinyembed", "input": ["a", "b"]}).json() for _ in range(2))
    assert one["embeddings"] == two["embeddings"] and one["embeddings"][0] != one["embeddings"][1]
    assert abs(sum(number**2 for number in one["embeddings"][0]) - 1) < 1e-3


def run(*arguments):
    return subprocess.run([program(), *arguments], capture_output=True, text=True, timeout=20, check=False)


def test_command_line(sim, tmp_path):
    assert run("--help").stdout.startswith("usage: ollama-sim")
    assert run("--version").stdout.startswith("ollama-sim ")
    for wrong in (["--nonsense"], ["extra"], ["--time-scale", "0"], ["--time-scale", "x"]):
        assert run(*wrong).returncode == 2
    taken = run("--listen", "%s:%d" % sim.address)
    assert taken.returncode == 1 and "--listen" in taken.stderr
    assert run("--listen", "nowhere").returncode == 1
    for text in ("", "{", '{"nonsense":1}', '{"max_queue":"x"}', '{"models":[{}]}', '{"models":[{"name":"a","x":1}]}'):
        path = tmp_path / "wrong.json"
        path.write_text(text)
        wrong = run("--listen", "127.0.0.1:0", "--config", str(path))
        assert wrong.returncode == 1 and str(path) in wrong.stderr
    assert run("--config", str(tmp_path / "missing")).returncode == 1


def test_the_example_configuration_is_good():
    example = pathlib.Path(__file__).parents[2] / "subprojects" / "ollama-sim" / "sim.example.json"
    server = Sim(["--config", str(example)])
    assert len(server.model_names()) == len(json.loads(example.read_text())["models"])
    body = {"model": "as-fast-as-possible", "prompt": "hi", "stream": False}
    assert server.ask("POST", "/api/generate", body).json()["response"].endswith(" w98 w99")
    server.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_in_mid_stream_without_the_last_chunk(number):
    server = Sim()
    with server.connect() as connection:
        connection.send("POST", "/api/generate", {"model": "slow", "prompt": "x"})
        connection.reader.until(b"w1")
        waiting = server.connect()
        waiting.send("POST", "/api/generate", {"model": "slow", "prompt": "x"})
        server.wait_for_model("slow:latest", inner_queue=1)
        server.process.send_signal(number)
        assert not connection.reader.rest().endswith(b"0\r\n\r\n")
        waiting.close()
    server.stop()


def test_listens_again_on_the_same_port():
    server = Sim()
    address = "%s:%d" % server.address
    assert server.ask("GET", "/").status == 200
    server.stop()
    process = subprocess.Popen([program(), "--listen", address], stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline() == f"listening on {address}\n"
    process.terminate()
    assert process.wait(20) == 0
    process.stderr.close()


def test_listens_on_ipv6():
    process = subprocess.Popen([program(), "--listen", "[::1]:0"], stderr=subprocess.PIPE, text=True)
    line = process.stderr.readline()
    assert line.startswith("listening on [::1]:") or not socket.has_dualstack_ipv6()
    process.terminate()
    process.wait(20)
    process.stderr.close()
