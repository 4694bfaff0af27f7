"""Each system call and each big allocation that a request causes fails once: the process lives, the counters stay
exact, the next request is fine."""

import os

import pytest
from boxes import talker
from jobs import REQUESTS, SMALL_BODY_MEMORY, attempt, is_fine
from programs import UNDER_WAY, wait_for

# epoll_ctl: libevent says that a descriptor cannot be watched and goes on. What it would have told is never
# heard, so the limits end such a request: short ones here.
FLAGS = (
    "--body-memory", SMALL_BODY_MEMORY, "--log-operations", "all", "--upstream-connect-timeout", 0.3,
    "--upstream-first-byte-timeout", 0.5, "--upstream-idle-timeout", 0.5, "--header-timeout", 0.5, "--body-timeout", 0.5,
    "--idle-timeout", 0.8, "--write-timeout", 0.5, "--default-timeout", 3,
)  # fmt: skip
UNHEARD = ("epoll_ctl ENOMEM", "epoll_ctl ENOSPC")
# The faults that a call may meet: enough for the longest list in preload.c.
VARIANTS = 5
# A request that makes more calls than this does not end by itself.
CALLS_MOST = 400
# Without retries and a fresh probe between: what a request may take at most.
REQUEST_SECONDS = 8
QUIET_LOOKS = 4
# Above the biggest of our own objects (peek: 5,208 bytes), whose sizes nobody chooses: without memory for those the
# program ends. Bodies are read in buffers of 8 KiB.
BIG_BYTES = 6000
BOX = talker(4, 0)


def books(server):
    """The stats once everything has ended; they add up, and each job and pass has its line."""

    def look():
        stats = server.stats()
        return stats if not any(stats[key] for key in UNDER_WAY) and not stats["passes"]["in_progress"] else None

    stats = wait_for(look, 10, "everything ended")
    server.check_counters(stats)
    passes = stats["passes"]
    ends = ("completed", "failed", "rejected", "timeout", "cancelled")
    assert passes["received"] == sum(passes[key] for key in ends)
    return stats


def check_lines(server, before, after):
    """One line for each; those that the fault kept out of the file are counted."""
    grown = [after["received"] - before["received"], after["passes"]["received"] - before["passes"]["received"]]
    ended = after["received"] + after["passes"]["received"]
    lines = server.wait_log(ended - after["request_log_dropped"])
    assert len(lines) == ended - after["request_log_dropped"]
    assert sum(grown) <= 1
    assert after["bodies_bytes"] == 0
    return lines


def lost_descriptors(server):
    """Those that are neither a client's nor Ollama's, less what a program has anyway."""
    stats = server.stats()
    known = stats["connections"] + stats["upstream"]["open_connections"]
    return len(os.listdir(f"/proc/{server.pid}/fd")) - known


class Enumeration:
    """Fails the 1st, 2nd, … of something in a request of one kind until there is no nth."""

    def __init__(self, server, faults, kind):
        self.server, self.faults, self.kind = server, faults, kind
        self.fired = []

    def next_request_is_fine(self):
        assert is_fine(attempt(self.server.url, self.kind), self.kind)

    def is_usable(self):
        """A connection that broke makes the proxy ask first whether Ollama lives."""
        return self.server.stats()["upstream"]["up"]

    def wait_quiet(self):
        """What comes behind the answer, log line and close, is over as well: no call for a few looks."""
        last = []
        wait_for(lambda: last.append(self.faults.seen()) or last[-QUIET_LOOKS:] == last[-1:] * QUIET_LOOKS)

    def run(self, arm, nth):
        """False: the request had no nth any more."""
        before = books(self.server)
        arm(nth)
        try:
            status = attempt(self.server.url, self.kind, REQUEST_SECONDS)
        except AssertionError as hang:
            raise AssertionError(f"{self.kind}, {nth}: {self.faults.fired()[1]}: {hang}") from None
        self.wait_quiet()
        fired, what = self.faults.off()
        after_books = books(self.server)
        assert self.server.is_running(), f"{self.kind}, {nth}: {what} ended the process\n{self.server.stderr()}"
        check_lines(self.server, before, after_books)
        wait_for(self.is_usable, 10, "Ollama usable")
        self.next_request_is_fine()
        if fired:
            self.fired.append((what, status))
        return fired > 0


def tell(kind, name, fired):
    same = sum(is_fine(status, kind) for _, status in fired)
    answered = sum(status is not None and not is_fine(status, kind) for _, status in fired)
    print(f"{kind}: {len(fired)} {name} failed once each, survived {len(fired)} of {len(fired)}; "
          f"the request was served {same}, answered with an error {answered}, cut {len(fired) - same - answered}")  # fmt: skip


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["small_job", "streamed_job", "spooled_job", "pass", "pass_with_body", "upload"])
@pytest.mark.sim(config=BOX)
def test_each_system_call_fails_once(faulty, kind):
    server, faults = faulty(*FLAGS)
    attempt(server.url, kind)
    wait_for(lambda: server.stats()["upstream"]["up"])
    kept = lost_descriptors(server)
    every = []
    for variant in range(VARIANTS):
        enumeration = Enumeration(server, faults, kind)
        nth = 1
        while enumeration.run(lambda n, v=variant: faults.fail_call(n, v), nth):
            nth += 1
            assert nth < CALLS_MOST
        every += enumeration.fired
        # a spot of the whole at once is what later faults are worth: the first list is the longest
    tell(kind, "calls", every)
    assert len(every) > 50
    wait_for(lambda: lost_descriptors(server) <= kept, 10, "no descriptor was lost")


@pytest.mark.parametrize("kind", ["big_head", "bigger_job", "spooled_job", "bigger_pass", "upload"])
@pytest.mark.sim(config=BOX)
def test_each_allocation_of_an_outside_size_fails_once(faulty, kind):
    server, faults = faulty(*FLAGS)
    attempt(server.url, kind)
    wait_for(lambda: server.stats()["upstream"]["up"])
    enumeration = Enumeration(server, faults, kind)
    nth = 1
    while enumeration.run(lambda n: faults.fail_allocation(n, BIG_BYTES), nth):
        nth += 1
        assert nth < CALLS_MOST
    tell(kind, "allocations", enumeration.fired)
    assert enumeration.fired
