"""An https upstream (PRODUCT 1.8): verified, resumed, kept; every way through it. The proxy itself, with a TLS listener,
stands before the simulated Ollama; where that is too polite, a small server of our own."""

import contextlib
import hashlib
import json
import time

import pytest
from boxes import ENDLESS, QUICK, chat, chat_body, talker
from programs import wait_for
from test_client_leaves import AT_ONCE_SECONDS, aborted
from tls import Authority, Upstream, answer_json, tls_flags, tls_url
from wire import request

MIB = 1024 * 1024


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def behind(authority, proxy):
    """behind(*flags): a proxy whose upstream is another proxy's TLS listener, before the simulated Ollama."""

    def make(*flags):
        inner = proxy(*tls_flags(*authority.issue("box")), "--max-concurrent", 16)
        return proxy("--upstream-ca", authority.certificate, *flags, upstream=tls_url(inner))

    return make


@pytest.fixture
def upstream():
    """upstream(certificate, key, answer): an Upstream, closed after the test."""
    with contextlib.ExitStack() as stack:

        def make(*arguments):
            made = Upstream(*arguments)
            stack.callback(made.close)
            return made

        yield make


def upstream_state(server):
    return server.health()["upstream"]["state"]


# a fifth of a second apart: what arrives together was held back, not late
@pytest.mark.sim(config=talker(10, 5))
def test_jobs_stream_line_by_line(behind, wire):
    connection = wire(behind().url)
    connection.send(chat())
    assert connection.read_head().status == 200
    connection.assert_one_line_per_recv(at_least=10)


@pytest.mark.sim(config=QUICK)
def test_every_way_of_a_body(behind, wire):
    server = behind("--body-memory", "1m")
    connection = wire(server.url, timeout=30)
    # a job's from memory and from its file, a pass's that is collected
    assert connection.ask("POST", "/api/chat", chat_body(stream=False)).status == 200
    assert connection.ask("POST", "/api/chat", chat_body(stream=False, prompt="x" * 20 * MIB)).status == 200
    assert connection.ask("POST", "/api/show", b'{"model":"m"}').status == 200
    # through the tunnel, by length and in chunks
    blob = b"\xa5" * (20 * MIB)
    target = f"/api/blobs/sha256:{hashlib.sha256(blob).hexdigest()}"
    assert connection.ask("POST", target, blob).status == 201
    blob = b"\x5a" * (20 * MIB)
    target = f"/api/blobs/sha256:{hashlib.sha256(blob).hexdigest()}"
    chunk = b"100000\r\n" + blob[:MIB] + b"\r\n"
    connection.send(request("POST", target, headers=[("Transfer-Encoding", "chunked")]) + chunk * 20 + b"0\r\n\r\n")
    assert connection.read_answer().status == 201
    # a method that evhttp cannot name
    assert connection.ask("REPORT", "/api/version").status in (404, 405)


@pytest.mark.sim(config=talker(100000, 0))
def test_large_answers_come_down(behind, wire):
    answer = wire(behind().url, timeout=30).ask("POST", "/api/chat", chat_body())
    lines = answer.body.splitlines()
    assert len(lines) == 100001
    assert json.loads(lines[-1])["done"]


@pytest.mark.sim(config=QUICK)
def test_an_early_answer_to_an_upload_is_read(behind, wire):
    connection = wire(behind().url, timeout=30)
    connection.send(request("POST", "/api/blobs/sha256:wrong", headers=[("Content-Length", str(50 * MIB))]))
    with contextlib.suppress(ConnectionError):
        connection.send(b"x" * (50 * MIB))
    assert connection.read_answer().status == 400


@pytest.mark.sim(config=ENDLESS)
@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_client_that_leaves_ends_the_work(sim, behind, wire, how):
    server = behind()
    connection = wire(server.url)
    connection.send(chat())
    assert connection.read_head().status == 200
    connection.read_chunk()
    begun = time.monotonic()
    if how == "rst":
        connection.reset()
    else:
        connection.close()
    sim.wait_for(lambda state: aborted(sim) == 1)
    assert time.monotonic() - begun < 2 * AT_ONCE_SECONDS
    server.wait_for(lambda stats: stats["cancelled"] == 1 and stats["in_progress"] == 0)


@pytest.mark.sim(config=talker(1000, 200))
def test_a_stream_that_breaks_off_is_a_failure(sim, behind, wire):
    sim.fault("truncate", path="/api/chat", after_lines=3)
    server = behind()
    connection = wire(server.url)
    connection.send(chat())
    with pytest.raises((AssertionError, ConnectionResetError)):
        connection.read_answer()
    assert server.wait_log(1)[0]["error_type"] == "upstream_truncated"


@pytest.mark.sim(config=QUICK)
def test_an_upstream_that_restarts_loses_no_waiting_job(authority, proxy, sim, wire):
    flags = tls_flags(*authority.issue("box"))
    inner = proxy(*flags)
    url = tls_url(inner)
    server = proxy("--upstream-ca", authority.certificate, upstream=url)
    wait_for(lambda: upstream_state(server) == "up")
    inner.stop()
    connection = wire(server.url)
    connection.send(chat(stream=False))
    server.wait_for(lambda stats: stats["queued"] == 1)
    flags[1] = url
    proxy(*flags)
    assert connection.read_answer().status == 200


def test_connections_are_kept(authority, proxy, upstream, wire):
    other = upstream(*authority.issue("box"), answer_json)
    server = proxy("--upstream-ca", authority.certificate, upstream=f"https://localhost:{other.port}")
    wait_for(lambda: upstream_state(server) == "up")
    before = other.accepted
    connection = wire(server.url)
    for _ in range(30):
        assert connection.ask("GET", "/api/tags").status == 200
    # a probe may need one at the same moment
    assert other.accepted <= before + 2
    assert set(other.names) == {"localhost"}


def test_sessions_are_resumed(authority, proxy, upstream, wire):
    def answer(connection, head):
        answer_json(connection, head.replace(b"keep", b""))
        return False

    other = upstream(*authority.issue("box"), answer)
    server = proxy("--upstream-ca", authority.certificate, upstream=f"https://127.0.0.1:{other.port}")
    wait_for(lambda: upstream_state(server) == "up")
    wait_for(lambda: wire(server.url).ask("GET", "/api/tags").status and other.resumed > 3)
    # an address is no name to ask for
    assert set(other.names) == {None}


def test_an_end_that_tls_does_not_confirm_is_a_cut(authority, proxy, upstream, wire):
    """A body that only the connection's end ends: a FIN can be forged by anybody on the way."""
    ways = iter(["cut", "said", "said"])

    def answer(connection, head):
        if b"/api/tags" not in head:
            return answer_json(connection, head)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nthe whole text")
        if next(ways) == "said":
            connection.unwrap()
        return False

    other = upstream(*authority.issue("box"), answer)
    server = proxy("--upstream-ca", authority.certificate, upstream=f"https://127.0.0.1:{other.port}")
    wait_for(lambda: upstream_state(server) == "up")
    with pytest.raises((AssertionError, ConnectionResetError)):
        wire(server.url).ask("GET", "/api/tags")
    assert server.wait_log(1)[0]["error_type"] == "upstream_truncated"
    wait_for(lambda: upstream_state(server) == "up")
    assert wire(server.url).ask("GET", "/api/tags").body == b"the whole text"


def refused(server, wire, *words):
    """A pass is told why, the log too; a job that waits until its deadline as well."""
    wait_for(lambda: upstream_state(server) == "down")
    answer = wire(server.url).ask("GET", "/api/tags")
    assert answer.status == 502
    text = json.loads(answer.body)["error"]
    for word in words:
        assert word in text
    waited = wire(server.url).ask("POST", "/api/chat", chat_body(stream=False))
    assert waited.status == 503
    assert words[0] in json.loads(waited.body)["error"]
    said = [line for line in server.stderr().splitlines() if "no TLS connection to the upstream" in line]
    assert len(said) == 1, "once, not at every probe"
    assert server.log_lines()[0]["error_type"] == "upstream_refused"


def test_a_certificate_of_an_unknown_authority_is_refused(authority, proxy, upstream, wire, tmp_path):
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "stranger")
    other = upstream(*stranger.issue("box"), answer_json)
    server = proxy(
        "--upstream-ca", authority.certificate, "--default-timeout", 1, upstream=f"https://127.0.0.1:{other.port}"
    )
    refused(server, wire, "its certificate is not accepted", "unable to get local issuer certificate")


def test_without_upstream_ca_the_system_is_asked(authority, proxy, upstream, wire):
    other = upstream(*authority.issue("box"), answer_json)
    url = f"https://127.0.0.1:{other.port}"
    refused(proxy("--default-timeout", 1, upstream=url), wire, "its certificate is not accepted")
    trusting = proxy(upstream=url, env={"SSL_CERT_FILE": str(authority.certificate)})
    wait_for(lambda: upstream_state(trusting) == "up")


@pytest.mark.parametrize(
    ("names", "host", "word"),
    [
        ("DNS:other.example", "localhost", "hostname mismatch"),
        ("DNS:localhost", "127.0.0.1", "IP address mismatch"),
        ("DNS:127.0.0.1", "127.0.0.1", "IP address mismatch"),
    ],
)
def test_a_certificate_for_another_is_refused(authority, proxy, upstream, wire, names, host, word):
    other = upstream(*authority.issue("box", names), answer_json)
    server = proxy("--upstream-ca", authority.certificate, "--default-timeout", 1, upstream=f"https://{host}:{other.port}")
    refused(server, wire, "its certificate is not accepted", word)


def test_an_upstream_that_speaks_plain_http_is_refused(authority, proxy, upstream, wire):
    def answer(connection, head):
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request")  # as Go's server
        return False

    other = upstream(None, None, answer)
    server = proxy(
        "--upstream-ca", authority.certificate, "--default-timeout", 1, upstream=f"https://127.0.0.1:{other.port}"
    )
    refused(server, wire, "the TLS handshake failed", "wrong version number")


def test_the_problem_is_forgotten_with_its_cause(authority, proxy, upstream, wire, tmp_path):
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "stranger")
    other = upstream(*stranger.issue("box"), answer_json)
    server = proxy("--upstream-ca", authority.certificate, upstream=f"https://127.0.0.1:{other.port}")
    wait_for(lambda: "certificate" in wire(server.url).ask("GET", "/api/tags").body.decode())
    other.close()
    wait_for(lambda: "refuses connections" in wire(server.url).ask("GET", "/api/tags").body.decode())


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_interim_answers_and_extensions_are_taken_out(authority, proxy, upstream, wire, scheme):
    """What evhttp does not know leaves its input as it comes, decrypted or plain: in one record, byte by byte, among megabytes."""
    block = b"x" * 70000
    bodies = {
        b"/whole": (b"2;a\r\nfi\r\n2 ; b\r\nne\r\n0;c\r\n\r\n", b"fine"),
        b"/bytes": (b'2;a="\\";"\r\nfi\r\n2\r\nne\r\n0;c\r\n\r\n', b"fine"),
        b"/long": ((b"11170;a;b=c\r\n" + block + b"\r\n") * 40 + b"0\r\n\r\n", block * 40),
    }

    def answer(connection, head):
        target = head.split(b" ")[1]
        if target not in bodies:
            return answer_json(connection, head)
        text = b"HTTP/1.1 103 Early Hints\r\nX-Hint: 1\r\n\r\n"
        text += b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + bodies[target][0]
        size = 1 if target == b"/bytes" else len(text)
        for at in range(0, len(text), size):
            connection.sendall(text[at : at + size])
        return True

    files = authority.issue("box") if scheme == "https" else (None, None)
    other = upstream(*files, answer)
    flags = ("--upstream-ca", authority.certificate) if scheme == "https" else ()
    server = proxy(*flags, upstream=f"{scheme}://127.0.0.1:{other.port}")
    wait_for(lambda: upstream_state(server) == "up")
    connection = wire(server.url)
    for target in list(bodies) * 3:
        connection.send(request("GET", target.decode()))
        assert connection.read_head().status == 103
        assert connection.read_answer().body == bodies[target][1]
