"""The wall clock jumps by up to a day, either way, at every look: no deadline moves, early or late."""

import time

import pytest
from boxes import ENDLESS, chat
from steady import tell
from test_preload import FIRST_SEED


# The loop reads its clock once a turn: a timer may be early by the time that a turn takes.
NEARLY_TWO = 1.9


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + 2))
@pytest.mark.sim(config=ENDLESS)
def test_jumps_of_the_wall_clock_change_no_deadline(faulty, wire, seed):
    server, faults = faulty(
        "--max-concurrent", 1, "--default-timeout", 2, "--header-timeout", 2, "--drain-timeout", 2, seed=seed, rates={"clock": 1}
    )
    faults.random()
    running, waiting, slow = wire(server.url), wire(server.url), wire(server.url)
    running.send(chat())
    assert running.read_head().status == 200
    begun = time.monotonic()
    waiting.send(chat())
    slow.send(b"GET /api/tags HTTP/1.1\r\n")
    answer = waiting.read_answer()
    waited = time.monotonic() - begun
    assert (answer.status, waited >= NEARLY_TWO) == (503, True)
    assert slow.read_answer().status == 408
    # neither was late: a jump of a day would be
    assert time.monotonic() - begun < 9
    # what runs is not cut by it
    assert running.read_chunk()
    assert faults.off()[0] > 0
    faults.random()
    begun = time.monotonic()
    server.signal(15)
    running.expect_cut()
    drained = time.monotonic() - begun
    assert NEARLY_TWO <= drained < 9
    server.wait_exit()
    tell(f"a clock that jumps by up to a day: a wait of 2 s ended after {waited:.2f} s, a drain of 2 s after {drained:.2f} s")
