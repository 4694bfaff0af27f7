"""TLS between clients and us (PRODUCT 1.8): versions, ALPN, resumption, streams, ends and cuts, certificate reload."""

import contextlib
import hashlib
import json
import signal
import ssl
import threading
import time

import pytest
from boxes import ENDLESS, QUICK, chat, chat_body, talker
from programs import Memory, wait_for
from test_client_leaves import AT_ONCE_SECONDS, aborted
from tls import Authority, TlsWire, tls_flags, tls_url
from wire import Wire, request

MIB = 1024 * 1024


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def served(authority, proxy):
    """served(*flags): (program, URL of its TLS listener)."""

    def make(*flags):
        server = proxy(*tls_flags(*authority.issue("box")), *flags)
        return server, tls_url(server)

    return make


@pytest.fixture
def tls(authority):
    """tls(url, **options): a TLS connection that trusts the authority; closed after the test."""
    made = []

    def connect(url, context=None, **options):
        made.append(TlsWire(url, context or authority.context(), **options))
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


def context_of(authority, lowest, highest):
    context = authority.context()
    context.minimum_version, context.maximum_version = lowest, highest
    return context


@pytest.mark.sim(config=QUICK)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_present_versions_are_spoken(authority, served, tls, version):
    connection = tls(served()[1], context_of(authority, version, version))
    assert connection.socket.version() == version.name.replace("_", ".")
    assert connection.ask("GET", "/api/version").status == 200
    assert connection.ask("POST", "/api/chat", chat_body(stream=False)).status == 200


@pytest.mark.sim(config=QUICK)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_older_versions_are_refused(authority, served, tls):
    context = context_of(authority, ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        tls(served()[1], context)


@pytest.mark.sim(config=QUICK)
def test_alpn_is_http_1_1_or_nothing(authority, served, tls):
    url = served()[1]
    context = authority.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    assert tls(url, context).socket.selected_alpn_protocol() == "http/1.1"
    assert tls(url).socket.selected_alpn_protocol() is None
    context = authority.context()
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match="no application protocol"):
        tls(url, context)


@pytest.mark.sim(config=QUICK)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed(authority, served, tls, version):
    url = served()[1]
    context = context_of(authority, version, version)
    first = tls(url, context)
    # with the answer came the ticket
    assert first.ask("GET", "/api/version").status == 200
    second = tls(url, context, session=first.socket.session)
    assert not first.socket.session_reused
    assert second.socket.session_reused
    assert second.ask("GET", "/api/version").status == 200


@pytest.mark.sim(config=QUICK)
def test_plain_http_on_a_tls_listener_is_closed(served, wire):
    url = served()[1]
    connection = wire(url.replace("https:", "http:"))
    connection.send(request("GET", "/api/version"))
    assert b"HTTP/" not in connection.expect_cut()


@pytest.mark.sim(config=QUICK)
def test_a_handshake_that_does_not_end_is_closed(authority, served, wire, tls):
    url = served("--header-timeout", 0.5)[1]
    done = tls(url)
    begun = time.monotonic()
    assert wire(url.replace("https:", "http:")).expect_cut() == b""
    assert 0.4 < time.monotonic() - begun < 5
    # it bounds the handshake, not the pause before a request
    assert done.ask("GET", "/api/version").status == 200


# a fifth of a second apart: what arrives together was held back, not late
@pytest.mark.sim(config=talker(10, 5))
def test_a_stream_comes_line_by_line(served, tls):
    connection = tls(served()[1])
    connection.send(chat())
    assert connection.read_head().status == 200
    connection.assert_one_line_per_recv(at_least=10)


@pytest.mark.sim(config=QUICK)
def test_requests_follow_one_another_on_a_connection(served, tls):
    connection = tls(served()[1])
    connection.send(chat() + request("GET", "/api/version") + chat(stream=False))
    assert connection.read_answer().status == 200
    assert b"version" in connection.read_answer().body
    assert json.loads(connection.read_answer().body)["done"]


@pytest.mark.sim(config=QUICK)
def test_large_bodies_go_up(sim, served, tls):
    server, url = served("--body-memory", "1m")
    connection = tls(url, timeout=30)
    # a job's, kept in a file
    assert connection.ask("POST", "/api/chat", chat_body(stream=False, prompt="x" * 20 * MIB)).status == 200
    # a pass's, through the tunnel
    blob = b"\xa5" * (20 * MIB)
    assert connection.ask("POST", f"/api/blobs/sha256:{hashlib.sha256(blob).hexdigest()}", blob).status == 201
    server.wait_log(2)


@pytest.mark.sim(config=talker(100000, 0))
def test_large_answers_come_down(served, tls):
    connection = tls(served()[1], timeout=30)
    answer = connection.ask("POST", "/api/chat", chat_body())
    lines = answer.body.splitlines()
    assert len(lines) == 100001
    assert json.loads(lines[-1])["done"]


@pytest.mark.sim(config=talker(1000000, 0))
def test_a_slow_reader_holds_ollama_back(sim, served, tls):
    server, url = served()
    connection = tls(url, receive_buffer=4096)
    connection.send(chat())
    assert connection.read_head().status == 200
    memory = Memory(server)
    connection.expect_more_than(2 * MIB)
    memory.check()
    connection.close()
    sim.wait_for(lambda state: aborted(sim) == 1)
    server.wait_for(lambda stats: stats["cancelled"] == 1 and stats["in_progress"] == 0)


@pytest.mark.sim(config=ENDLESS)
@pytest.mark.parametrize("how", ["close_notify", "fin", "rst"])
def test_a_client_that_leaves_ends_its_work(sim, served, tls, how):
    server, url = served()
    connection = tls(url)
    connection.send(chat())
    assert connection.read_head().status == 200
    connection.read_chunk()
    begun = time.monotonic()
    if how == "close_notify":
        connection.socket.setblocking(False)
        with contextlib.suppress(ssl.SSLError):  # it does not wait for ours
            connection.socket.unwrap()
    elif how == "rst":
        connection.reset()
    else:
        connection.close()
    sim.wait_for(lambda state: aborted(sim) == 1)
    assert time.monotonic() - begun < AT_ONCE_SECONDS
    server.wait_for(lambda stats: stats["cancelled"] == 1 and stats["in_progress"] == 0)


@pytest.mark.sim(config=ENDLESS)
def test_a_client_that_leaves_with_a_pipelined_request_behind(sim, served, tls):
    server, url = served()
    connection = tls(url)
    connection.send(chat() + request("GET", "/api/version"))
    assert connection.read_head().status == 200
    connection.close()
    sim.wait_for(lambda state: aborted(sim) == 1)
    server.wait_for(lambda stats: stats["cancelled"] == 1)


@pytest.mark.sim(config=talker(20000, 0))
def test_the_end_of_the_connection_is_said(served, tls):
    connection = tls(served()[1])
    connection.send(chat().replace(b"HTTP/1.1", b"HTTP/1.0"))
    answer = connection.read_answer()  # up to the end, which TLS has to confirm
    assert answer.get("Content-Length") is None
    assert len(answer.body.splitlines()) == 20001


@pytest.mark.sim(config=talker(1000, 200))
@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
def test_a_cut_is_never_an_end(sim, served, tls, version):
    sim.fault("truncate", path="/api/chat", after_lines=3)
    connection = tls(served()[1])
    connection.send(chat().replace(b"HTTP/1.1", version))
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        connection.read_answer()


@pytest.mark.sim(config=QUICK)
def test_an_early_answer_is_read(served, tls):
    connection = tls(served("--body-max", "1m")[1])
    connection.send(request("POST", "/api/chat", headers=[("Content-Length", str(5 * MIB))]))
    connection.send(b" " * (5 * MIB))
    assert connection.read_answer().status == 413


@pytest.mark.sim(config=QUICK)
def test_a_new_certificate_is_taken_at_sighup_under_load(authority, served, tls):
    server, url = served()
    old = tls(url)
    stop = threading.Event()
    failed = []
    serials = set()

    def load():
        while not stop.is_set():
            try:
                with TlsWire(url, authority.context()) as connection:
                    assert connection.ask("POST", "/api/chat", chat_body(stream=False)).status == 200
                    serials.add(connection.serial)
            except (OSError, AssertionError) as error:
                failed.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for count in range(2, 7):
        wait_for(lambda count=count: len(serials) >= count - 1 or failed)
        authority.issue("box")
        server.signal(signal.SIGHUP)
        wait_for(lambda count=count: len(serials) >= count or failed)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failed
    # a living connection keeps what it has
    assert old.ask("GET", "/api/version").status == 200


@pytest.mark.sim(config=QUICK)
@pytest.mark.parametrize("wrong", ["key of another", "no certificate", "gone"])
def test_a_wrong_certificate_leaves_the_old_one(authority, served, tls, tmp_path, wrong):
    server, url = served()
    before = tls(url).serial
    if wrong == "key of another":
        (tmp_path / "box.key").write_bytes((tmp_path / "ca.key").read_bytes())
    elif wrong == "no certificate":
        (tmp_path / "box.pem").write_text("nothing\n")
    else:
        (tmp_path / "box.pem").unlink()
    server.signal(signal.SIGHUP)
    said = wait_for(lambda: [line for line in server.stderr().splitlines() if "stays the old one" in line])
    assert str(tmp_path / ("box.key" if wrong == "key of another" else "box.pem")) in said[0]
    assert tls(url).serial == before
    authority.issue("box")
    server.signal(signal.SIGHUP)
    wait_for(lambda: tls(url).serial != before)


@pytest.mark.sim(config=QUICK)
def test_idle_connections_get_an_end_at_a_drain(served, tls):
    server, url = served()
    connection = tls(url)
    assert connection.ask("GET", "/api/version").status == 200
    server.signal(signal.SIGTERM)
    connection.expect_end()
    server.wait_exit()


@pytest.mark.sim(config=ENDLESS)
def test_a_handshake_does_not_hold_a_drain(served, wire):
    server, url = served()
    connection = wire(url.replace("https:", "http:"))
    server.wait_for(lambda stats: stats.get("connections", 2) >= 2)
    server.signal(signal.SIGTERM)
    server.wait_exit(10)
    assert connection.expect_cut() == b""


@pytest.mark.sim(config=QUICK)
def test_keys_are_never_written(served, tls, tmp_path):
    server, url = served("--log-level", "debug")
    with pytest.raises(ssl.SSLError):
        tls(url, ssl.create_default_context())
    tls(url).ask("GET", "/api/version")
    secret = (tmp_path / "box.key").read_text().splitlines()[1]
    assert wait_for(lambda: "TLS handshake failed" in server.stderr())
    assert secret not in server.stderr()


@pytest.mark.sim(config=QUICK)
def test_the_plain_listener_stays_plain(served):
    server, _ = served()
    with Wire(server.url) as connection:
        assert connection.ask("GET", "/api/version").status == 200
