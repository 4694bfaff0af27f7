"""What is forwarded is what came, but for what PRODUCT 1.4 names."""

import json

import pytest
from boxes import QUICK
from wire import request

pytestmark = pytest.mark.sim(config=QUICK)


def echoed(answer):
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def fields_of(echo):
    pairs = [line.split(": ", 1) if ": " in line else [line.rstrip(":"), ""] for line in echo["lines"]]
    return [(name, value) for name, value in pairs]


TARGETS = [
    "/sim/echo/a%64b//c?x=1&y=%2F&&z",
    "/sim/echo/%E2%82%AC/./../x",
    "/sim/echo/?",
    "/sim/echo/~'()*!;,:@&=+$?q=a?b",
    "/sim/echo/" + "a" * 6000,
]


@pytest.mark.parametrize("target", TARGETS)
def test_the_target_is_sent_as_it_came(proxy, wire, target):
    echo = echoed(wire(proxy().url).ask("GET", target))
    assert echo["target"] == target


def test_absolute_form_becomes_origin_form(proxy, wire):
    echo = echoed(wire(proxy().url).ask("GET", "http://localhost/sim/echo/x?y=1"))
    assert echo["target"] == "/sim/echo/x?y=1"


def test_fields_keep_order_case_and_duplicates(proxy, wire):
    sent = [("X-b", "1"), ("x-A", "two words"), ("X-b", "3"), ("X-Empty", ""), ("Authorization", "Bearer k"), ("Cookie", "a=b; c=d")]
    echo = echoed(wire(proxy().url).ask("POST", "/sim/echo/", b"body", sent))
    got = fields_of(echo)
    assert [pair for pair in got if pair in sent] == sent
    names = [name.lower() for name, _ in got]
    assert names.count("host") == 1
    assert names.count("content-length") == 1
    assert dict(got)["X-Forwarded-For"] == "127.0.0.1"
    assert echo["body_bytes"] == 4


def test_host_is_the_upstreams(sim, proxy, wire):
    echo = echoed(wire(proxy().url).ask("GET", "/sim/echo/", host="box.local"))
    assert dict(fields_of(echo))["Host"] == sim.url.removeprefix("http://")


def test_hop_by_hop_fields_stay_behind(proxy, wire):
    sent = [
        ("Connection", "keep-alive, X-Private"),
        ("X-Private", "secret"),
        ("Keep-Alive", "timeout=5"),
        ("TE", "trailers"),
        ("Upgrade", "websocket"),
        ("Proxy-Connection", "keep-alive"),
    ]
    names = [name.lower() for name, _ in fields_of(echoed(wire(proxy().url).ask("GET", "/sim/echo/", headers=sent)))]
    for name in ("x-private", "keep-alive", "te", "upgrade", "proxy-connection"):
        assert name not in names


def test_forwarded_for_and_via_are_appended(proxy, wire):
    sent = [("X-Forwarded-For", "10.0.0.1"), ("Via", "1.1 edge")]
    got = dict(fields_of(echoed(wire(proxy().url).ask("GET", "/sim/echo/", headers=sent))))
    assert got["X-Forwarded-For"] == "10.0.0.1, 127.0.0.1"
    assert got["Via"].startswith("1.1 edge, 1.1 shared-ollama-")


def test_a_sane_request_id_is_kept_and_another_replaced(proxy, wire):
    server = proxy()
    answer = wire(server.url).ask("GET", "/sim/echo/", headers=[("X-Request-Id", "my-id_1.2:3")])
    assert answer.get("X-Request-Id") == "my-id_1.2:3"
    assert dict(fields_of(echoed(answer)))["X-Request-Id"] == "my-id_1.2:3"
    answer = wire(server.url).ask("GET", "/sim/echo/", headers=[("X-Request-Id", "not sane!")])
    made = answer.get("X-Request-Id")
    assert made and "sane" not in made
    assert dict(fields_of(echoed(answer)))["X-Request-Id"] == made


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH", "OPTIONS", "M-SEARCH", "purge", "QUERY"])
def test_any_method_with_and_without_a_body(proxy, wire, method):
    server = proxy()
    connection = wire(server.url)
    for body in (b"", b'{"name":"x"}'):
        echo = echoed(connection.ask(method, "/sim/echo/x", body))
        assert (echo["method"], echo["body_bytes"]) == (method, len(body))


def test_max_forwards_is_counted_down(proxy, wire):
    server = proxy()
    connection = wire(server.url)
    for sent, got in (("3", "2"), ("1", "0"), ("99999999999999999999", "999"), ("many", "many")):
        echo = echoed(connection.ask("OPTIONS", "/sim/echo/x", headers=[("Max-Forwards", sent)]))
        assert [value for name, value in fields_of(echo) if name == "Max-Forwards"] == [got]


def test_the_last_hop_answers_itself(proxy, wire):
    server = proxy()
    connection = wire(server.url)
    last = [("Max-Forwards", "0")]
    options = connection.ask("OPTIONS", "/sim/echo/x", b"body", last)
    assert (options.status, options.body) == (204, b"")
    assert len(options.all("Date")) == 1
    assert connection.ask("TRACE", "/sim/echo/x", headers=last).status == 501
    assert echoed(connection.ask("GET", "/sim/echo/x", headers=last))["method"] == "GET"
    lines = server.wait_log(3)
    assert [(line["http_status"], line["error_type"], line["attempts"]) for line in lines] == [
        (204, None, 0),
        (501, "not_implemented", 0),
        (200, None, 1),
    ]


def test_head_answers_keep_their_length(sim, proxy, wire):
    server = proxy()
    for target in ("/", "/api/version", "/api/tags"):
        direct = wire(sim.url).ask("HEAD", target)
        through = wire(server.url).ask("HEAD", target)
        assert through.status == direct.status
        assert through.get("Content-Length") == direct.get("Content-Length")
        assert through.get("Transfer-Encoding") is None


@pytest.mark.parametrize("target", ["/", "/api/version", "/api/tags", "/api/ps", "/v1/models", "/api/nothing", "/api/tags/"])
def test_answers_come_back_as_they_are(sim, proxy, wire, target):
    direct = wire(sim.url).ask("GET", target)
    through = wire(proxy().url).ask("GET", target)
    assert (through.status, through.reason, through.body) == (direct.status, direct.reason, direct.body)
    dropped = {"date", "content-length", "transfer-encoding", "x-request-id", "connection"}
    assert [pair for pair in through.headers if pair[0].lower() not in dropped] == [
        pair for pair in direct.headers if pair[0].lower() not in dropped
    ]
    assert len(through.all("Date")) == 1


def test_cors_answers_pass(sim, proxy, wire):
    origin = [("Origin", "http://localhost:3000"), ("Access-Control-Request-Method", "POST")]
    direct = wire(sim.url).ask("OPTIONS", "/api/chat", headers=origin)
    through = wire(proxy().url).ask("OPTIONS", "/api/chat", headers=origin)
    assert through.status == direct.status == 204
    assert through.all("Vary") == direct.all("Vary")
    assert len(through.all("Vary")) == 3
    evil = wire(proxy().url).ask("GET", "/api/tags", headers=[("Origin", "http://evil.example")])
    assert (evil.status, evil.body) == (403, b"")


def test_keep_alive_serves_many_requests_in_order(proxy, wire):
    connection = wire(proxy().url)
    connection.send(b"".join(request("GET", f"/sim/echo/{n}") for n in range(20)))
    for number in range(20):
        assert echoed(connection.read_answer())["target"] == f"/sim/echo/{number}"


def test_an_http_1_0_client_is_served(proxy, wire):
    connection = wire(proxy().url)
    connection.send(b"GET /sim/bytes?n=100000 HTTP/1.0\r\n\r\n")
    answer = connection.read_answer()
    assert answer.get("Transfer-Encoding") is None
    assert len(answer.body) == 100000
    connection = wire(proxy().url)
    connection.send(b"GET /api/version HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert connection.read_answer().get("Connection") == "keep-alive"
    connection.send(b"GET /api/version HTTP/1.0\r\n\r\n")
    assert connection.read_answer().status == 200
    connection.expect_end()


def test_a_request_that_comes_back_is_508(proxy, wire):
    server = proxy()
    via = dict(fields_of(echoed(wire(server.url).ask("GET", "/sim/echo/"))))["Via"]
    for method, target, body in (("GET", "/api/tags", b""), ("POST", "/api/chat", b'{"model":"m"}')):
        answer = wire(server.url).ask(method, target, body, [("Via", via)])
        assert answer.status == 508
    assert {line["error_type"] for line in server.wait_log(2) if line["http_status"] == 508} == {"loop"}


@pytest.mark.parametrize("target", ["/api/%63hat", "//api//chat", "/api/chat?x=1"])
def test_routing_looks_at_the_decoded_and_merged_path(proxy, wire, target):
    server = proxy()
    wire(server.url).ask("POST", target, b'{"model":"m","messages":[{"role":"user","content":"x"}],"stream":false}')
    assert server.wait_idle()["received"] == 1


BAD = [
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400),
    (b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 400),
    (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", 417),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70000 + b"\r\n\r\n", 431),
    (b"hello\r\n\r\n", 400),
]


@pytest.mark.parametrize("data,status", BAD, ids=range(len(BAD)))
def test_what_is_not_sound_is_refused_counted_and_closed(sim, proxy, wire, data, status):
    server = proxy()
    before = sim.state()["requests"]
    connection = wire(server.url)
    connection.send(data)
    answer = connection.read_answer()
    assert answer.status == status
    assert answer.get("X-Request-Id")
    connection.expect_end()
    assert server.stats()["passes"]["rejected"] == 1
    assert server.wait_log(1)[0]["http_status"] == status
    # only the proxy's own probes went upstream
    assert all(head["target"] in ("/api/version", "/api/ps") for head in sim.state()["heads"][before:])
