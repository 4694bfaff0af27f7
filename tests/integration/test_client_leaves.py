"""A client that leaves ends its work at once in every state (PRODUCT 1.6)."""

import random
import threading
import time

import pytest
from boxes import ENDLESS, chat, talker
from wire import Wire, request

# From the client's FIN or RST to the moment in which the simulated Ollama has lost the connection.
AT_ONCE_SECONDS = 0.1


def aborted(sim):
    return sum(model["aborted"] for model in sim.state()["models"].values())


def leave(connection, how):
    if how == "fin":
        connection.close()
    else:
        connection.reset()


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.sim(config=ENDLESS)
def test_client_leaves_while_reading(proxy, wire, how):
    server = proxy()
    connection = wire(server.url)
    connection.send(chat()[:-10])
    server.wait_for(lambda stats: stats["reading"] == 1)
    leave(connection, how)
    server.wait_for(lambda stats: stats["cancelled"] == 1 and stats["reading"] == 0)
    assert server.wait_log(1)[0]["error_type"] == "client_gone"


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.sim(config=ENDLESS)
def test_client_leaves_while_queued(sim, proxy, wire, how):
    server = proxy("--max-concurrent", 1)
    running, waiting = wire(server.url), wire(server.url)
    running.send(chat())
    server.wait_for(lambda stats: stats["in_progress"] == 1)
    waiting.send(chat(headers=[("X-Request-Id", "left")]))
    server.wait_for(lambda stats: stats["queued"] == 1)
    leave(waiting, how)
    server.wait_for(lambda stats: stats["cancelled"] == 1 and stats["queued"] == 0)
    running.close()
    server.wait_for(lambda stats: stats["cancelled"] == 2)
    assert "left" not in sim.state()["request_ids"]


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.sim(config=ENDLESS)
def test_client_leaves_while_awaiting_the_head(sim, proxy, wire, how):
    server = proxy()
    sim.fault("silent", path="/api/chat")
    connection = wire(server.url)
    connection.send(chat())
    server.wait_for(lambda stats: stats["in_progress"] == 1)
    sim.wait_for(lambda state: state["requests"] >= 1)
    before = sim.state()["clients_aborted"]
    begun = time.monotonic()
    leave(connection, how)
    sim.wait_for(lambda state: state["clients_aborted"] > before)
    assert time.monotonic() - begun < AT_ONCE_SECONDS
    server.wait_for(lambda stats: stats["cancelled"] == 1 and stats["in_progress"] == 0)


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.sim(config=ENDLESS)
def test_client_leaves_mid_stream(sim, proxy, wire, how):
    server = proxy()
    connection = wire(server.url)
    connection.send(chat())
    assert connection.read_head().status == 200
    connection.read_chunk()
    begun = time.monotonic()
    leave(connection, how)
    sim.wait_for(lambda state: aborted(sim) == 1)
    assert time.monotonic() - begun < AT_ONCE_SECONDS
    server.wait_for(lambda stats: stats["cancelled"] == 1 and stats["in_progress"] == 0)
    assert server.wait_log(1)[0]["http_status"] == 200


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.sim(config=ENDLESS)
def test_client_leaves_with_a_pipelined_request_behind(sim, proxy, wire, how):
    server = proxy()
    connection = wire(server.url)
    connection.send(chat() + request("GET", "/api/version"))
    assert connection.read_head().status == 200
    begun = time.monotonic()
    leave(connection, how)
    sim.wait_for(lambda state: aborted(sim) == 1)
    assert time.monotonic() - begun < AT_ONCE_SECONDS
    server.wait_for(lambda stats: stats["cancelled"] == 1)


@pytest.mark.sim(config=talker(1000000, 0))
def test_client_leaves_while_reading_from_ollama_is_paused(sim, proxy, wire):
    server = proxy()
    connection = wire(server.url, receive_buffer=4096)
    connection.send(chat())
    assert connection.read_head().status == 200
    server.wait_for(lambda stats: stats["in_progress"] == 1)
    connection.close()
    sim.wait_for(lambda state: aborted(sim) == 1)
    server.wait_for(lambda stats: stats["cancelled"] == 1 and stats["in_progress"] == 0)


@pytest.mark.sim(config=ENDLESS)
def test_half_close_counts_as_leaving(proxy, wire):
    server = proxy()
    connection = wire(server.url)
    connection.send(chat())
    assert connection.read_head().status == 200
    connection.shut_write()
    server.wait_for(lambda stats: stats["cancelled"] == 1)


def act(url, seed):
    """One client that may leave anywhere."""
    chance = random.Random(seed)
    data = chat(prompt="x" * chance.choice([0, 10, 5000]))
    try:
        with Wire(url) as connection:
            cut = chance.random()
            if cut < 0.2:
                connection.send(data[: chance.randrange(1, len(data))])
            elif cut < 0.6:
                connection.send(data)
                if chance.random() < 0.5:
                    connection.socket.settimeout(chance.random() * 0.05 + 0.001)
                    connection.read_answer()
            else:
                connection.send(data)
                connection.read_answer()
            if chance.random() < 0.5:
                connection.reset()
    except (OSError, AssertionError):
        pass


@pytest.mark.sim(config=talker(10, 400, num_parallel=4))
def test_counters_add_up_after_a_thousand_requests_with_early_leavers(proxy):
    server = proxy("--max-concurrent", 4, "--max-queue-size", 20)
    seeds = iter(range(1000))
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                seed = next(seeds, None)
            if seed is None:
                return
            act(server.url, seed)

    threads = [threading.Thread(target=work) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = server.wait_idle(20)
    server.check_counters(stats)
    assert stats["completed"] > 20
    # by how fast the machine is: some 120 to 210
    assert stats["cancelled"] > 20
    ended = sum(stats[key] for key in ("completed", "failed", "rejected", "timeout", "cancelled"))
    jobs = [line for line in server.wait_log(ended) if line["operation"] == "chat"]
    assert len(jobs) == ended


@pytest.mark.sim(config=talker(2000000, 0))
def test_a_client_that_leaves_while_flushing_is_completed(proxy, wire):
    server = proxy()
    connection = wire(server.url, receive_buffer=4096)
    # an answer that Ollama has finished but the kernel's buffers do not take whole
    connection.send(request("POST", "/api/generate", b'{"model":"m","prompt":"x","stream":false}'))
    server.wait_for(lambda stats: stats["flushing"] == 1, timeout=20)
    connection.close()
    server.wait_for(lambda stats: stats["completed"] == 1 and stats["flushing"] == 0)
