"""Under random faults of the kernel the process lives, everything ends, and the books are right (STYLE B6.7)."""

import os
import random
import threading

import pytest
from boxes import talker
from jobs import REQUESTS, SMALL_BODY_MEMORY, attempt, is_fine
from programs import wait_for
from wire import Wire

RATES = {
    "short": 0.2,
    "eintr": 0.05,
    "eagain": 0.05,
    "reset": 0.005,
    "emfile": 0.02,
    "accept": 0.02,
    "connect": 0.05,
    "enospc": 0.02,
    "clock": 0.05,
}
HARMLESS = {"short": 0.5, "eintr": 0.2, "eagain": 0.2, "clock": 0.3}
# FAULT_SEEDS=100-199 runs others.
FIRST_SEED, LAST_SEED = (int(seed) for seed in os.environ.get("FAULT_SEEDS", "1-6").split("-"))
CLIENTS = 12
REQUESTS_EACH = 15
# A client that heard nothing for so long takes the connection for lost (it is counted as gone, then).
CLIENT_SECONDS = 20

BOX = talker(8, 2000, num_parallel=8)
FLAGS = (
    "--max-concurrent", 4, "--max-queue-size", 100, "--body-memory", SMALL_BODY_MEMORY, "--log-operations", "all",
    "--header-timeout", 5, "--body-timeout", 5, "--upstream-first-byte-timeout", 5, "--upstream-idle-timeout", 5,
)  # fmt: skip


def work(url, seed, statuses):
    chance = random.Random(seed)
    for _ in range(REQUESTS_EACH):
        kind = chance.choice(list(REQUESTS))
        if chance.random() < 0.1:
            leave_early(url, kind, chance)
            continue
        try:
            statuses.append((kind, attempt(url, kind, CLIENT_SECONDS)))
        except AssertionError:
            statuses.append((kind, "hangs"))


def leave_early(url, kind, chance):
    data = REQUESTS[kind]
    try:
        with Wire(url) as connection:
            connection.send(data[: chance.randrange(1, len(data))])
            if chance.random() < 0.5:
                connection.reset()
    except OSError:
        pass


def run_clients(url, seed):
    statuses = []
    threads = [threading.Thread(target=work, args=(url, seed * 1000 + n, statuses)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [kind for kind, status in statuses if status == "hangs"] == []
    return statuses


def check_books(server):
    """Each job and each pass has ended once, with one line; lines that could not be written are counted."""
    stats = wait_for(lambda: settled(server), 30, "everything ended")
    server.check_counters(stats)
    ended = stats["received"] + stats["passes"]["received"]
    lines = server.log_lines()
    assert len(lines) + stats["request_log_dropped"] == ended, stats
    assert len({line["request_id"] for line in lines}) == len(lines)
    assert stats["bodies_bytes"] == 0
    return stats


def settled(server):
    stats = server.wait_idle(30)
    return stats if stats["passes"]["in_progress"] == 0 else None


@pytest.mark.parametrize("seed", range(FIRST_SEED, LAST_SEED + 1))
@pytest.mark.sim(config=BOX)
def test_the_books_are_right_under_random_faults(faulty, seed):
    server, faults = faulty(*FLAGS, seed=seed, rates=RATES)
    faults.random()
    statuses = run_clients(server.url, seed)
    fired, _ = faults.off()
    check_books(server)
    good = sum(is_fine(status, kind) for kind, status in statuses)
    print(f"seed {seed}: {fired} faults, {good} of {len(statuses)} requests as without")
    assert fired > 200
    assert good > len(statuses) / 4
    for kind in REQUESTS:
        assert wait_for(lambda: is_fine(attempt(server.url, kind), kind), 10), kind


@pytest.mark.parametrize("seed", range(FIRST_SEED, LAST_SEED + 1))
@pytest.mark.sim(config=BOX)
def test_short_and_interrupted_calls_and_a_jumping_clock_cost_nothing(faulty, seed):
    server, faults = faulty(*FLAGS, seed=seed, rates=HARMLESS)
    faults.random()
    statuses = run_clients(server.url, seed)
    fired, _ = faults.off()
    stats = check_books(server)
    assert fired > 1000
    assert [(kind, status) for kind, status in statuses if not is_fine(status, kind)] == []
    assert stats["request_log_dropped"] == 0
    assert all(0 <= line["latency_ms"] < CLIENT_SECONDS * 1000 for line in server.log_lines())
