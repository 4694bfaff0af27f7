"""HAProxy's agent-check is told how much the box can take (docs/several-boxes.md)."""

import signal
import socket

import pytest
from boxes import ENDLESS, QUICK, chat
from programs import ask_json, wait_for


def told(server, say=b""):
    """What a check reads until the connection's clean end."""
    host, port = server.addresses()[-1].rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(say)
        line = b""
        while data := connection.recv(100):
            line += data
        return line


def checked(proxy, *flags):
    return proxy("--agent-listen", "127.0.0.1:0", *flags)


@pytest.mark.sim(config=ENDLESS)
def test_the_weight_follows_the_queue(proxy, wire):
    server = checked(proxy, "--max-concurrent", "1", "--max-queue-size", "2")
    assert told(server) == b"up 100%\n"
    clients = [wire(server.url) for _ in range(3)]
    for count, (client, line) in enumerate(zip(clients, [b"up 100%\n", b"up 100%\n", b"up 1%\n"], strict=True)):
        client.send(chat())
        server.wait_for(lambda stats, count=count: stats["in_progress"] == 1 and stats["queued"] == count)
        assert told(server) == line
    for client in clients:
        client.close()


@pytest.mark.sim(config=QUICK)
def test_what_the_check_sends_does_not_cost_it_the_line(proxy):
    assert told(checked(proxy), b"box1\n" * 1000) == b"up 100%\n"


@pytest.mark.sim(config=QUICK)
def test_a_paused_box_gets_nothing(proxy):
    server = checked(proxy)
    ask_json(server.url, "POST", "/api/v1/queue/pause", {})
    assert told(server) == b"up 0%\n"
    ask_json(server.url, "POST", "/api/v1/queue/resume", {})
    assert told(server) == b"up 100%\n"


@pytest.mark.sim(config=QUICK)
def test_a_dead_ollama_takes_the_box_out_and_a_new_one_brings_it_back(proxy, sim):
    server = checked(proxy)
    sim.kill()
    wait_for(lambda: told(server).startswith(b"down #"))
    sim.restart()
    wait_for(lambda: told(server) == b"up 100%\n")


@pytest.mark.sim(config=ENDLESS)
def test_a_draining_box_gets_nothing_new(proxy, wire):
    server = checked(proxy)
    client = wire(server.url)
    client.send(chat())
    server.wait_for(lambda stats: stats["in_progress"] == 1)
    server.signal(signal.SIGTERM)
    wait_for(lambda: told(server) == b"up 0%\n")
    client.close()
    server.wait_exit()


@pytest.mark.parametrize("address", ["unix:agent.sock", "https://127.0.0.1:0", "127.0.0.1"])
@pytest.mark.sim(config=QUICK)
def test_only_tcp_addresses_are_taken(proxy, address):
    with pytest.raises(AssertionError, match="agent-listen") as failure:
        proxy("--agent-listen", address)
    assert "exit code" in str(failure.value)
