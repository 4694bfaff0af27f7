"""Which names may stand in Host: DNS rebinding ends here (PRODUCT 9), for Ollama's paths and for our own."""

import json
import socket

import pytest
from boxes import QUICK, chat_body
from wire import request

pytestmark = pytest.mark.sim(config=QUICK)

TARGETS = [("GET", "/api/tags"), ("GET", "/api/v1/health"), ("GET", "/api/v1/queue/stats"), ("GET", "/api/v1/pdl")]


@pytest.mark.parametrize("method,target", TARGETS)
def test_a_name_that_anybody_could_own_is_refused(proxy, wire, method, target):
    answer = wire(proxy().url).ask(method, target, host="evil.example:8000")
    assert answer.status == 403
    assert "server_names" in json.loads(answer.body)["error"]


def test_a_refused_job_is_counted_and_logged(proxy, wire):
    server = proxy()
    answer = wire(server.url).ask("POST", "/v1/chat/completions", chat_body(), host="evil.example")
    assert answer.status == 403
    assert json.loads(answer.body)["error"]["code"] == "forbidden"
    assert server.wait_log(1)[0]["error_type"] == "forbidden"
    assert server.stats()["rejected"] == 1


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:80", "[::1]:1", "192.0.2.1", "box", "x.local", "a.b.lan", socket.gethostname()]
)
def test_local_names_and_addresses_pass(proxy, wire, host):
    assert wire(proxy().url).ask("GET", "/api/tags", host=host).status == 200


def test_server_names_pass(proxy, wire):
    server = proxy("--server-names", "llm.example.com,b.example")
    connection = wire(server.url)
    for host in ["llm.example.com", "LLM.example.com:8000", "b.example"]:
        assert connection.ask("GET", "/api/tags", host=host).status == 200
    assert connection.ask("GET", "/api/tags", host="c.example").status == 403


def test_http_1_0_without_host_passes(proxy, wire):
    connection = wire(proxy().url)
    connection.send(b"GET /api/tags HTTP/1.0\r\n\r\n")
    assert connection.read_answer().status == 200


def test_the_target_names_the_host_where_it_is_absolute(proxy, wire):
    connection = wire(proxy().url)
    connection.send(request("GET", "http://evil.example/api/tags", host="localhost"))
    assert connection.read_answer().status == 403
