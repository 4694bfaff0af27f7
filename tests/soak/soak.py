"""chaos --seconds N: kills, stalls and garbles the simulated Ollama under 200 clients, then looks whether all is well.
soak --requests N: as many mixed requests with faults through one process; memory and descriptors must not grow."""

import argparse
import asyncio
import pathlib
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "integration"))

import mixed  # noqa: E402
from programs import Proxy, Sim  # noqa: E402

CHAOS_CLIENTS = 200
CHAOS_PAUSE_SECONDS = 0.25
# The longest time of a client between two requests.
CHAOS_THINK_SECONDS = 0.3
# The first part warms up: buffers, pools and the allocator's arenas reach their size.
WARM_PART = 0.3
MARK_LOOKS = 10
GROWTH_MOST_KIB = 8 * 1024
SOAK_CLIENTS = 48
SOAK_PAUSE_SECONDS = 0.05
SAMPLES = 40
# The last quarter against the second.
GROWTH_MOST_PERCENT = 1.0


async def chaos(server, sim, seconds, clients=CHAOS_CLIENTS, seed=1):
    """Returns figures; asserts that the proxy is as it should be."""
    books = mixed.Books(server)
    crowd, trouble = mixed.Crowd(server.port, seed, CHAOS_THINK_SECONDS), mixed.Trouble(sim, seed)
    begun = time.monotonic()
    marks = {}

    def goes_on():
        return time.monotonic() < begun + seconds

    async def mark():
        await asyncio.sleep(seconds * WARM_PART)
        marks["kib"] = books.resident_kib()
        # a connection that closes between the two looks counts once too few
        marks["own"] = max([(await asyncio.to_thread(books.descriptors))[1] for _ in range(MARK_LOOKS)])

    await asyncio.gather(
        trouble.until(goes_on, CHAOS_PAUSE_SECONDS), mark(), *(crowd.client(n, goes_on) for n in range(clients))
    )
    await asyncio.to_thread(books.settled)
    grown_kib = books.resident_kib() - marks["kib"]
    # statistics and descriptors are read one after the other: a connection that closes in between counts once too often
    own = await asyncio.to_thread(books.own_descriptors, marks["own"])
    jobs, passes = await asyncio.to_thread(books.check, crowd.answered)
    figures = crowd.figures() | trouble.count | {"jobs": jobs, "passes": passes, "grown_kib": grown_kib, "own_fds": own}
    assert crowd.hung == 0, figures
    assert own <= marks["own"], (own, marks)
    assert grown_kib < GROWTH_MOST_KIB, figures
    return figures


def mean(values):
    return sum(values) / len(values)


def grown_percent(values):
    """The mean of the last quarter over that of the second."""
    quarter = len(values) // 4
    return (mean(values[-quarter:]) / mean(values[quarter : 2 * quarter]) - 1) * 100


async def soak(server, sim, requests, clients=SOAK_CLIENTS, seed=1):
    books = mixed.Books(server)
    crowd, trouble = mixed.Crowd(server.port, seed), mixed.Trouble(sim, seed, kills=False)
    crowd.keeps_ids = requests <= 1000000
    samples = []
    before = (await asyncio.to_thread(books.descriptors))[1]
    begun = time.monotonic()

    def goes_on():
        return crowd.sent < requests

    async def sample():
        while goes_on():
            if crowd.sent >= requests * len(samples) / SAMPLES:
                count, own = await asyncio.to_thread(books.descriptors)
                samples.append((books.resident_kib(), count, own))
                if len(samples) % (SAMPLES // 8) == 0:
                    print(f"{crowd.sent} requests, {time.monotonic() - begun:.0f} s: {samples[-1]}", flush=True)
            await asyncio.sleep(0.05)

    await asyncio.gather(
        trouble.until(goes_on, SOAK_PAUSE_SECONDS), sample(), *(crowd.client(n, goes_on) for n in range(clients))
    )
    jobs, passes = await asyncio.to_thread(books.check, crowd.answered)
    after = (await asyncio.to_thread(books.descriptors))[1]
    # while it runs, a count of descriptors is of one moment and the connections in it of another
    growth = [round(grown_percent([sample[i] for sample in samples]), 2) for i in range(2)]
    seconds = time.monotonic() - begun
    figures = crowd.figures() | trouble.count | {"jobs": jobs, "passes": passes, "seconds": round(seconds)}
    print(figures)
    print(f"last quarter against the second: RSS {growth[0]:+} %, descriptors {growth[1]:+} %")
    print(f"descriptors that are no connection: {before} before, {after} after")
    assert crowd.hung == 0
    assert growth[0] <= GROWTH_MOST_PERCENT, [sample[0] for sample in samples]
    assert after <= before
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("chaos")
    one.add_argument("--seconds", type=float, default=300)
    other = commands.add_parser("soak")
    other.add_argument("--requests", type=int, default=2000000)
    for command in (one, other):
        command.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shared-ollama-soak-") as folder:
        sim = Sim(folder, mixed.BOX)
        server = Proxy(folder, mixed.FLAGS, sim.url)
        try:
            if options.command == "chaos":
                print(asyncio.run(chaos(server, sim, options.seconds, seed=options.seed)))
            else:
                asyncio.run(soak(server, sim, options.requests, seed=options.seed))
            server.stop()
            server.check_stderr()
            sim.finish()
        finally:
            for program in (server, sim):
                if program.is_running():
                    program.kill()
    print("ok")


if __name__ == "__main__":
    main()
