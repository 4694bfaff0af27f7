"""SIGUSR2: a new binary takes over the listening sockets; nothing is refused, cut or lost (PRODUCT 7, docs/decisions/0003)."""

import os
import signal
import socket
import time

import pytest
from boxes import QUICK, chat, chat_body, lines_of, model, talker
from programs import wait_for
from steady import Steady, Streams, tell
from tls import Authority, TlsWire
from upgrades import Upgradable, is_alive, moment, processor_seconds
from wire import LocalWire, Wire


@pytest.fixture
def upgradable(tmp_path, sim):
    made = []

    def make(*flags, **more):
        made.append(Upgradable(tmp_path, flags, sim.url, **more))
        return made[-1]

    yield make
    for program in made:
        try:
            program.finish()
        finally:
            for pid in [program.pid, *program.followers]:
                if is_alive(pid):
                    os.kill(pid, signal.SIGKILL)


def rest_of(connection):
    data = b""
    while chunk := connection.read_chunk():
        data += chunk
    return lines_of(data)[-1]


@pytest.mark.sim(config=QUICK)
def test_the_new_process_serves_and_the_old_one_ends(upgradable):
    server = upgradable()
    before = server.addresses()
    new = server.upgrade()
    server.wait_exit()
    assert is_alive(new)
    # the kernel's choice of a port stays
    assert server.addresses() == before * 2
    with Wire(server.url) as connection:
        assert connection.ask("POST", "/api/chat", chat_body(stream=False)).status == 200
    # and once more
    server.upgrade()
    wait_for(lambda: not is_alive(new))
    assert server.get("/api/version")[0] == 200


@pytest.mark.timeout(180)
@pytest.mark.sim(config=talker(100, 25, num_parallel=200))
def test_a_hundred_streams_and_forty_requests_a_second_notice_nothing(sim, upgradable):
    server = upgradable("--max-concurrent", 190, "--max-concurrent-limit", 190, "--max-queue-size", 1000)
    streams = Streams(server.url, 100)
    steady = Steady(server.url, 40, body=chat(stream=False, options={"num_predict": 3}))
    steady.wait_for(20)
    server.replace()
    server.upgrade()
    steady.wait_for(40)
    sent = steady.stop()
    streams.finish()
    server.wait_exit()
    server.wait_idle()
    lines = server.wait_log(sent + 100)
    assert len(lines) == sent + 100
    assert {line["status"] for line in lines} == {"success"}
    # the model was loaded once
    assert sim.state()["models"]["m:latest"]["loads"] == 1
    begun = moment(server, "an upgrade: the new process is started")
    tell(
        f"upgrade under 100 streams and 40 requests/s: {sent} requests and 100 streams, refused 0, cut 0, lost 0, slowest request"
        f" {steady.slowest_ms:.0f} ms; the new process accepted after {(moment(server, 'the new process accepts') - begun) * 1000:.0f} ms,"
        f" the old one ended with its last stream after {moment(server, 'the process before this one has ended') - begun:.1f} s"
    )


@pytest.mark.sim(config=talker(60, 60, num_parallel=1))
def test_waiting_jobs_are_served_by_the_old_process_and_before_later_ones(upgradable, wire):
    server = upgradable("--max-concurrent", 1)
    running, waiting, late = wire(server.url), wire(server.url), wire(server.url)
    running.send(chat())
    assert running.read_head().status == 200
    waiting.send(chat())
    server.wait_for(lambda stats: stats["queued"] == 1)
    late.close()
    server.upgrade()
    late = wire(server.url)
    late.send(chat(headers=[("X-Request-Id", "late")]))
    server.wait_for(lambda stats: stats["queued"] == 1)
    assert "upgrade" in server.requests()[0]["reason"]
    # the slot is one for both: no two run at once
    assert rest_of(running)["done"] is True
    answer = waiting.read_answer()
    assert answer.status == 200
    assert lines_of(answer.body)[-1]["done"] is True
    assert late.read_head().status == 200
    assert rest_of(late)["done"] is True
    lines = server.wait_log(3)
    assert [line["request_id"] == "late" for line in lines] == [False, False, True]
    server.wait_exit()


TWO_MODELS = {"max_loaded_models": 1, "num_parallel": 4, "models": [model("a", tokens=80, tokens_per_s=40), model("b")]}


@pytest.mark.sim(config=TWO_MODELS)
def test_no_model_is_moved_while_the_old_process_uses_another(sim, upgradable, wire):
    server = upgradable("--max-concurrent", 4)
    old = wire(server.url)
    old.send(chat(model="a"))
    assert old.read_head().status == 200
    server.upgrade()
    same, other = wire(server.url), wire(server.url)
    other.send(chat(model="b", stream=False))
    server.wait_for(lambda stats: stats["queued"] == 1)
    same.send(chat(model="a"))
    # what is loaded is used by both
    assert same.read_head().status == 200
    assert is_alive(server.pid)
    same.close()
    assert rest_of(old)["done"] is True
    assert other.read_answer().status == 200
    models = sim.state()["models"]
    assert (models["a:latest"]["loads"], models["b:latest"]["loads"]) == (1, 1)
    server.wait_exit()


@pytest.mark.parametrize("script", ["#!/bin/sh\necho no such thing >&2\nexit 3\n", "#!/nonexistent/interpreter\n", "no program\n"])
@pytest.mark.sim(config=QUICK)
def test_a_new_program_that_fails_leaves_the_old_one_serving(upgradable, wire, script):
    server = upgradable()
    server.replace(script)
    server.signal(signal.SIGUSR2)
    wait_for(lambda: "this one goes on" in server.stderr() or "this process goes on" in server.stderr())
    assert wire(server.url).ask("POST", "/api/chat", chat_body(stream=False)).status == 200
    # a good one afterwards
    server.replace()
    server.upgrade()
    server.wait_exit()
    assert server.get("/api/version")[0] == 200


@pytest.mark.sim(config=QUICK)
def test_a_wrong_configuration_stops_the_upgrade_and_is_told(tmp_path, upgradable):
    file = tmp_path / "shared-ollama.conf"
    file.write_text("max_queue_size = 7;")
    server = upgradable("--config", file)
    file.write_text("max_queue = 7;")
    server.signal(signal.SIGUSR2)
    wait_for(lambda: "this one goes on" in server.stderr())
    assert f"{file}:1:" in server.stderr()
    assert "status=1" in server.stderr()
    assert server.stats()["max_queue_size"] == 7
    file.write_text("max_queue_size = 8;")
    server.upgrade()
    assert server.stats()["max_queue_size"] == 8


@pytest.mark.sim(config=QUICK)
def test_local_sockets_tls_and_the_admin_listener_are_handed_over(tmp_path, upgradable):
    path = tmp_path / "s"
    authority = Authority(tmp_path)
    certificate, key = authority.issue("box")
    server = upgradable(
        "--listen", f"unix:{path}", "--listen", "https://127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--tls-certificate", certificate, "--tls-key", key
    )  # fmt: skip
    addresses = wait_for(lambda: len(server.addresses()) == 4 and server.addresses())
    number = path.stat().st_ino
    server.upgrade()
    server.wait_exit()
    assert server.addresses() == addresses * 2
    # the same file, and the end of the old process has not removed it
    assert path.stat().st_ino == number
    with LocalWire(path) as local:
        assert local.ask("GET", "/api/tags").status == 200
        assert local.ask("GET", "/api/v1/health").status == 404
    with TlsWire("https://" + addresses[2], authority.context()) as connection:
        assert connection.ask("GET", "/api/tags").status == 200
    assert server.health()["status"] == "healthy"
    pid = server.followers[-1]
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not is_alive(pid))
    assert not path.exists()
    server.followers.clear()


@pytest.mark.sim(config=talker(60, 20))
def test_a_kept_connection_has_its_next_answer_and_is_closed(upgradable, wire):
    server = upgradable()
    kept, idle, fresh = wire(server.url), wire(server.url), wire(server.url)
    stream = wire(server.url)
    stream.send(chat())
    assert stream.read_head().status == 200
    assert kept.ask("GET", "/api/version").status == 200
    assert idle.ask("GET", "/api/version").status == 200
    server.wait_for(lambda stats: stats["connections"] >= 4)
    server.upgrade()
    answer = kept.ask("GET", "/api/version")
    assert (answer.status, answer.get("Connection")) == (200, "close")
    # never asked anything: it may still
    answer = fresh.ask("POST", "/api/chat", chat_body(stream=False))
    assert answer.status == 200
    idle.expect_end()
    assert rest_of(stream)["done"] is True
    server.wait_exit()


@pytest.mark.sim(config=talker(100, 25))
def test_the_old_process_sleeps_while_its_streams_run(upgradable, wire):
    server = upgradable()
    stream = wire(server.url)
    stream.send(chat())
    assert stream.read_head().status == 200
    server.upgrade()
    before = processor_seconds(server.pid)
    begun = time.monotonic()
    for _ in range(50):
        assert wire(server.url).ask("GET", "/api/version").status == 200
    assert rest_of(stream)["done"] is True
    # listening sockets that the other one has too must not wake it again and again
    assert processor_seconds(server.pid) - before < max(1.0, (time.monotonic() - begun) / 3)
    server.wait_exit()


@pytest.mark.sim(config=talker(40, 20))
def test_only_the_new_process_moves_the_log_and_no_line_is_lost(upgradable, wire):
    server = upgradable("--request-log-max", "3k", "--request-log-keep", 50, "--max-concurrent", 16)
    streams = Streams(server.url, 8)
    server.upgrade()
    for _ in range(30):
        assert wire(server.url).ask("GET", "/api/tags").status == 200
    streams.finish()
    server.wait_exit()
    files = [server.request_log, *server.folder.glob(server.request_log.name + ".*")]

    def lines():
        return [line for file in files if file.exists() for line in file.read_text().splitlines()]

    wait_for(lambda: len(lines()) == 38)
    assert all(line.startswith('{"event":"api_request"') and line.endswith("}") for line in lines())
    moved = files[1:]
    assert len(moved) > 1
    # by one of them alone: each was full
    assert min(file.stat().st_size for file in moved) >= 3 * 1024


@pytest.mark.sim(config=QUICK)
def test_systemd_is_told_who_the_service_is(tmp_path, upgradable):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notes:
        notes.bind(str(tmp_path / "notify"))
        notes.settimeout(10)
        server = upgradable(env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert b"READY=1" in notes.recv(1000)
        new = server.upgrade()
        said = [notes.recv(1000) for _ in range(3)]
        # the new one is ready, the old one says who it is, and then the new one is heard
        assert f"MAINPID={new}".encode() in said[1]
        assert b"READY=1" in said[2]
        server.wait_exit()
        notes.setblocking(False)
        with pytest.raises(BlockingIOError):
            assert b"STOPPING" not in notes.recv(1000)


@pytest.mark.sim(config=QUICK)
def test_a_pause_is_handed_over_and_the_new_process_ends_it_for_both(upgradable, wire):
    server = upgradable()
    assert server.change("POST", "/api/v1/queue/pause")[0] == 200
    old, new = wire(server.url), wire(server.url)
    old.send(chat(headers=[("X-Request-Id", "old")]))
    server.wait_for(lambda stats: stats["queued"] == 1)
    new.close()
    server.upgrade()
    server.wait_for(lambda stats: stats["paused"])
    new = wire(server.url)
    new.send(chat(headers=[("X-Request-Id", "new")]))
    server.wait_for(lambda stats: stats["queued"] == 1)
    assert is_alive(server.pid) and not server.log_lines()
    assert server.change("POST", "/api/v1/queue/resume")[1]["paused"] is False
    assert (old.read_answer().status, new.read_answer().status) == (200, 200)
    assert [line["request_id"] for line in server.wait_log(2)] == ["old", "new"]
    server.wait_exit()


@pytest.mark.sim(config=talker(40, 40, num_parallel=1))
def test_a_pause_in_the_new_process_holds_who_waits_in_the_old_one(upgradable, wire):
    server = upgradable("--max-concurrent", 1)
    running, waiting = wire(server.url), wire(server.url)
    running.send(chat())
    assert running.read_head().status == 200
    waiting.send(chat())
    server.wait_for(lambda stats: stats["queued"] == 1)
    server.upgrade()
    assert server.change("POST", "/api/v1/queue/pause")[0] == 200
    assert rest_of(running)["done"] is True
    assert is_alive(server.pid) and len(server.wait_log(1)) == 1
    assert server.change("POST", "/api/v1/queue/resume")[0] == 200
    assert waiting.read_answer().status == 200
    server.wait_exit()


@pytest.mark.sim(config=talker(40, 40))
def test_the_unload_of_a_pause_is_carried_out_by_the_new_process(sim, upgradable, wire):
    server = upgradable()
    running = wire(server.url)
    running.send(chat())
    assert running.read_head().status == 200
    # not before that has ended
    assert server.change("POST", "/api/v1/queue/pause", {"unload": True})[1]["unload"] is True
    server.upgrade()
    assert rest_of(running)["done"] is True
    server.wait_exit()
    sim.wait_for(lambda state: not state["models"]["m:latest"]["resident"])
    assert server.stats()["paused"] is True


@pytest.mark.sim(config=QUICK)
def test_who_waits_in_the_old_process_does_not_hold_up_the_unload_of_a_pause(sim, upgradable, wire):
    server = upgradable()
    assert wire(server.url).ask("POST", "/api/chat", chat_body(stream=False)).status == 200
    assert server.change("POST", "/api/v1/queue/pause")[0] == 200
    waiting = wire(server.url)
    waiting.send(chat())
    server.wait_for(lambda stats: stats["queued"] == 1)
    server.upgrade()
    assert server.change("POST", "/api/v1/queue/pause", {"unload": True})[1]["unload"] is True
    sim.wait_for(lambda state: not state["models"]["m:latest"]["resident"])
    assert is_alive(server.pid)
    assert server.change("POST", "/api/v1/queue/resume")[0] == 200
    assert waiting.read_answer().status == 200
    server.wait_exit()


@pytest.mark.sim(config=QUICK)
def test_an_upgrade_is_a_restart_for_keys_that_need_one(tmp_path, upgradable):
    file = tmp_path / "shared-ollama.conf"
    file.write_text('scheduler = "turns"; concurrency = "adaptive";')
    server = upgradable("--config", file)
    file.write_text('scheduler = "fifo"; concurrency = "fixed"; admin_listen = [ "127.0.0.1:0" ];')
    server.signal(signal.SIGHUP)
    wait_for(lambda: 'until a restart or an upgrade (SIGUSR2)" keys="admin_listen, scheduler, concurrency"' in server.stderr())
    server.upgrade()
    server.wait_exit()
    # the old one's, the same for the new one, and its second
    server.own_url = "http://" + wait_for(lambda: len(server.addresses()) == 3 and server.addresses())[-1]
    settings = {one["name"]: one["value"] for one in server.own("/api/v1/config")["settings"]}
    assert (settings["scheduler"], settings["concurrency"]) == ("fifo", "fixed")


@pytest.mark.sim(config=talker(100000, 50))
def test_sigterm_ends_an_old_process_that_still_serves(upgradable, wire):
    server = upgradable("--drain-timeout", "0.3")
    stream = wire(server.url)
    stream.send(chat())
    assert stream.read_head().status == 200
    server.upgrade()
    assert stream.read_chunk()
    server.signal(signal.SIGTERM)
    stream.expect_cut()
    server.wait_exit()
    assert wire(server.url).ask("GET", "/api/version").status == 200


@pytest.mark.sim(config=QUICK)
def test_the_agent_check_is_answered_by_the_new_process(upgradable):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = upgradable("--agent-listen", f"127.0.0.1:{port}")
    server.upgrade()
    server.wait_exit()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        assert connection.recv(100) == b"up 100%\n"
