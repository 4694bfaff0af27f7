"""SIGHUP reads the configuration again: all of it or nothing (PRODUCT 7)."""

import hashlib
import signal

import pytest
from boxes import ENDLESS, QUICK, chat, lines_of, talker
from programs import wait_for
from steady import Steady, Streams, tell

GOOD = ["the configuration is reloaded", "the configuration has not changed"]
BAD = "the configuration stays the old one"


def said(server, *words):
    return [line for line in server.stderr().splitlines() if any(word in line for word in words)]


def reload(server, text=None, words=GOOD):
    """The file says `text` from now on; the line that tells of the reload."""
    if text is not None:
        (server.folder / "shared-ollama.conf").write_text(text)
    before = len(said(server, *words))
    server.signal(signal.SIGHUP)
    wait_for(lambda: len(said(server, *words)) > before, what=f"{words} on stderr")
    return said(server, *words)[-1]


def logging_to_file(proxy, file):
    """A proxy whose request log is not a flag: the file may name another."""
    server = proxy("-c", file, without_log=True)
    server.request_log = server.folder / "logs" / "requests.jsonl"
    return server


def in_force(server):
    return {setting["name"]: setting["value"] for setting in server.own("/api/v1/config")["settings"]}


@pytest.mark.sim(config=QUICK)
def test_the_new_configuration_is_in_force_and_shown(ruled):
    server = ruled("max_queue_size = 7;")
    line = reload(server, 'max_queue_size = 9;\nprojects = ( { name = "p"; weight = 2; } );')
    assert "max_queue_size, projects" in line
    assert in_force(server)["max_queue_size"] == "9"
    assert server.own("/api/v1/config")["projects"][0]["name"] == "p"
    assert server.stats()["max_queue_size"] == 9
    # what is gone from the file has its default again
    reload(server, "")
    assert server.stats()["max_queue_size"] == 50
    assert "has not changed" in reload(server)


@pytest.mark.sim(config=QUICK)
def test_flags_stay_and_beat_the_new_file(ruled):
    server = ruled("max_queue_size = 7;", "--max-queue-size", 8)
    reload(server, "max_queue_size = 9; default_timeout = 5;")
    assert server.stats()["max_queue_size"] == 8
    assert server.stats()["default_timeout"] == 5.0


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ("max_queue_size = 9;\nmax_queue = 3;\n", ":2:", "did you mean"),
        ("max_queue_size = 9;\nmax_concurrent = = 1;\n", ":2:", "syntax error"),
        ("max_queue_size = 9;\n\ndefault_timeout = 'soon';\n", ":3:", "syntax error"),
        ("max_queue_size = 9; max_concurrent = 20;", "max_concurrent", "max_concurrent_limit"),
        ('max_queue_size = 9; request_log = "/dev/null/x";', "/dev/null/x", "cannot write"),
        ('max_queue_size = 9; tls_certificate = "/dev/null/x"; tls_key = "/x";', "/dev/null/x", "certificate"),
        (None, "shared-ollama.conf", "cannot be opened"),
    ],
)
@pytest.mark.sim(config=QUICK)
def test_a_wrong_configuration_changes_nothing_and_says_where(sim, proxy, tmp_path, text, where, why):
    file = tmp_path / "shared-ollama.conf"
    file.write_text("max_queue_size = 7;")
    server = logging_to_file(proxy, file)
    if text is None:
        file.unlink()
    line = reload(server, text, [BAD])
    assert where in line
    assert why in line
    assert server.stats()["max_queue_size"] == 7
    assert server.get("/api/version")[0] == 200
    file.write_text("max_queue_size = 10;")
    reload(server)
    assert server.stats()["max_queue_size"] == 10


@pytest.mark.sim(config=QUICK)
def test_what_needs_a_restart_keeps_its_value_and_is_named(ruled):
    server = ruled('scheduler = "turns";')
    reload(server, 'scheduler = "fifo"; max_queue_size = 9; admin_listen = "127.0.0.1:0";')
    named = said(server, "these keys keep their values until a restart or an upgrade")
    assert len(named) == 1
    assert "admin_listen, scheduler" in named[0]
    assert in_force(server)["scheduler"] == "turns"
    assert in_force(server)["admin_listen"] == ""
    assert server.stats()["max_queue_size"] == 9


@pytest.mark.sim(config=ENDLESS)
def test_a_job_keeps_the_configuration_it_came_under(ruled, wire):
    server = ruled("max_concurrent = 1; default_timeout = 2;")
    running, old, new = wire(server.url), wire(server.url), wire(server.url)
    running.send(chat())
    assert running.read_head().status == 200
    old.send(chat())
    server.wait_for(lambda stats: stats["queued"] == 1)
    reload(server, "max_concurrent = 1; default_timeout = 1000;")
    new.send(chat())
    server.wait_for(lambda stats: stats["queued"] == 2)
    answer = old.read_answer()
    assert (answer.status, server.wait_log(1)[0]["error_type"]) == (503, "queue_timeout")
    assert server.stats()["queued"] == 1


@pytest.mark.sim(config=ENDLESS | {"num_parallel": 4})
def test_a_cap_is_that_of_the_rule_in_force_whatever_jobs_came_under(ruled, wire):
    def rule(most):
        return f'max_concurrent = 4; projects = ( {{ name = "p"; max_concurrent = {most}; }} );'

    server = ruled(rule(1))
    request = chat(headers=[("X-Project-Name", "p")])
    connections = [wire(server.url) for _ in range(4)]
    for connection in connections[:2]:
        connection.send(request)
    connections[2].send(request[:-1])
    server.wait_for(lambda stats: (stats["in_progress"], stats["queued"], stats["reading"]) == (1, 1, 1))
    reload(server, rule(2))
    # who waits need not wait for a newer job of its project
    server.wait_for(lambda stats: (stats["in_progress"], stats["queued"]) == (2, 0))
    # and one whose head came under the old rule brings it back for nobody
    reload(server, rule(4))
    connections[2].send(request[-1:])
    server.wait_for(lambda stats: (stats["in_progress"], stats["queued"]) == (3, 0))
    connections[3].send(request)
    server.wait_for(lambda stats: (stats["in_progress"], stats["queued"]) == (4, 0))


@pytest.mark.sim(config=ENDLESS)
def test_a_smaller_ring_keeps_who_waits_and_admits_none_until_it_fits(ruled, wire):
    server = ruled("max_concurrent = 1; max_queue_size = 4;")
    connections = [wire(server.url) for _ in range(5)]
    connections[0].send(chat())
    assert connections[0].read_head().status == 200
    for number, connection in enumerate(connections[1:], 1):
        connection.send(chat())
        server.wait_for(lambda stats, number=number: stats["queued"] == number)
    reload(server, "max_concurrent = 1; max_queue_size = 2;")
    for left in (4, 3, 2):
        server.wait_for(lambda stats, left=left: stats["queued"] == left)
        answer = wire(server.url)
        answer.send(chat())
        assert answer.read_answer().status == 503
        connections[left].close()
    server.wait_for(lambda stats: stats["queued"] == 1)
    late = wire(server.url)
    late.send(chat())
    server.wait_for(lambda stats: stats["queued"] == 2)
    reload(server, "max_concurrent = 1; max_queue_size = 3;")
    larger = wire(server.url)
    larger.send(chat())
    server.wait_for(lambda stats: stats["queued"] == 3)


@pytest.mark.sim(config=QUICK)
def test_the_request_log_goes_on_in_another_file(sim, tmp_path, proxy, wire):
    first, second = tmp_path / "first.jsonl", tmp_path / "deeper" / "second.jsonl"
    file = tmp_path / "shared-ollama.conf"
    file.write_text(f'request_log = "{first}";')
    server = logging_to_file(proxy, file)
    server.request_log = first
    wire(server.url).ask("GET", "/api/tags")
    server.wait_log(1)
    assert "request_log" in reload(server, f'request_log = "{second}"; log_operations = "all";')
    server.request_log = second
    wire(server.url).ask("GET", "/api/version")
    assert server.wait_log(1)[0]["path"] == "/api/version"
    assert len(first.read_text().splitlines()) == 1
    # none at all, and again
    reload(server, 'request_log = "";')
    wire(server.url).ask("GET", "/api/tags")
    reload(server, f'request_log = "{first}";')
    wire(server.url).ask("GET", "/api/show")
    wait_for(lambda: len(first.read_text().splitlines()) == 2)
    assert len(second.read_text().splitlines()) == 1


@pytest.mark.sim(config=talker(40, 40))
def test_a_key_that_is_gone_is_refused_while_its_stream_goes_on(keyed, wire):
    server = keyed({"first-key": "", "admin-key": "admin = true;"})
    running = wire(server.url)
    running.send(chat(headers=[("Authorization", "Bearer first-key")]))
    assert running.read_head().status == 200
    digest = hashlib.sha256(b"admin-key").hexdigest()
    reload(server, f'keys = ( {{ name = "admi"; hash = "sha256:{digest}"; }} );')
    server.own_headers = {"Authorization": "Bearer admin-key"}
    assert wire(server.url).ask("GET", "/api/tags", headers=[("Authorization", "Bearer first-key")]).status == 401
    assert wire(server.url).ask("GET", "/api/tags", headers=[("Authorization", "Bearer admin-key")]).status == 200
    data = b""
    while chunk := running.read_chunk():
        data += chunk
    assert lines_of(data)[-1]["done"] is True


@pytest.mark.sim(config=QUICK)
def test_a_model_that_is_new_in_preload_is_loaded(sim, ruled):
    server = ruled("")
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    assert not sim.state()["models"]["m:latest"]["resident"]
    reload(server, 'preload = [ "m" ];')
    sim.wait_for(lambda state: state["models"]["m:latest"]["resident"])


@pytest.mark.timeout(120)
@pytest.mark.sim(config=talker(20, 200))
def test_eight_good_and_four_bad_reloads_under_load_drop_nothing(ruled, wire):
    server = ruled("max_concurrent = 60; max_concurrent_limit = 64; max_queue_size = 400;")
    streams = Streams(server.url, 10)
    steady = Steady(server.url, 40)
    for number in range(12):
        steady.wait_for(10)
        if number % 3 == 2:
            reload(server, "max_queue_size = 300;\nmax_concurent = 3;", [BAD])
        else:
            reload(server, f"max_concurrent = {40 + number}; max_concurrent_limit = 64; max_queue_size = {300 + number * 20};")
    steady.wait_for(10)
    sent = steady.stop()
    streams.finish()
    assert len(said(server, BAD)) == 4
    assert len(said(server, GOOD[0])) == 8
    server.wait_idle()
    lines = server.wait_log(sent + 10)
    assert [line["error_type"] for line in lines if line["status"] != "success"] == []
    assert server.stats()["max_queue_size"] == 300 + 10 * 20
    tell(f"8 good and 4 bad reloads under 10 streams and 40 requests/s: {sent} requests, dropped 0, slowest {steady.slowest_ms:.0f} ms")


@pytest.mark.timeout(120)
@pytest.mark.sim(config=QUICK)
def test_storms_of_rotation_and_reload_change_nothing(ruled, wire):
    server = ruled("max_concurrent = 16; max_queue_size = 400;")
    steady = Steady(server.url, 40)
    moved = 0
    for round in range(10):
        steady.wait_for(5)
        if round % 2 == 0 and server.request_log.exists():
            moved += 1
            server.request_log.rename(server.request_log.with_suffix(f".{moved}"))
        for _ in range(200):
            server.signal(signal.SIGUSR1)
            server.signal(signal.SIGHUP)
    sent = steady.stop()
    server.wait_idle()
    files = [server.request_log, *(server.request_log.with_suffix(f".{number}") for number in range(1, moved + 1))]

    def written():
        return sum(len(file.read_text().splitlines()) for file in files if file.exists())

    wait_for(lambda: written() == sent, what=f"{sent} lines")
    assert server.stats()["request_log_dropped"] == 0
    tell(f"2,000 SIGUSR1 and 2,000 SIGHUP under 40 requests/s, {moved} logs moved: {sent} requests, dropped 0, lines lost 0")


@pytest.mark.sim(config=talker(30, 30))
def test_sighup_in_a_drain_is_not_obeyed(ruled, wire):
    server = ruled("max_queue_size = 7;")
    connection = wire(server.url)
    connection.send(chat())
    server.wait_for(lambda stats: stats["in_progress"] == 1)
    server.signal(signal.SIGTERM)
    wait_for(lambda: said(server, "draining"))
    server.signal(signal.SIGHUP)
    wait_for(lambda: said(server, "nothing is reloaded"))
    assert connection.read_answer().status == 200
    server.wait_exit()
