"""Slow and idle clients leave the others untouched: their lines come as before, their quick requests are answered at once."""

import asyncio
import random
import resource
import statistics
import time

import peers
import pytest
from programs import Memory

LORISES = 500
DRIPPERS = 60
IDLE = 10000
SPARE_DESCRIPTORS = 200
STREAMS = 20
MEASURE_SECONDS = 2.5
DRIP_SECONDS = 1.0
# What a line may come later, a quick request take longer, with 500 slow clients beside (this process included).
MORE_SECONDS = 0.15
QUICK_SECONDS = 1.0


def quick():
    return b"GET /api/tags HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def gaps_of_a_stream(port, number, gaps):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(peers.job(f"stream-{time.monotonic()}-{number}", "stream"))
    await reader.readuntil(b"\r\n\r\n")
    last = None
    end = time.monotonic() + MEASURE_SECONDS
    while time.monotonic() < end:
        await reader.readuntil(b"}\n\r\n")
        now = time.monotonic()
        if last:
            gaps.append(now - last)
        last = now
    writer.close()


async def quick_requests(port, times):
    end = time.monotonic() + MEASURE_SECONDS
    while time.monotonic() < end:
        begun = time.monotonic()
        status = await peers.ask(port, quick(), 10)
        assert status == 200, status
        times.append(time.monotonic() - begun)
        await asyncio.sleep(0.02)


async def measure(port):
    """p99 of the gaps between lines and of the times of quick requests, in seconds."""
    gaps, times = [], []
    await asyncio.gather(quick_requests(port, times), *(gaps_of_a_stream(port, n, gaps) for n in range(STREAMS)))
    return p99(gaps), p99(times), max(times)


def p99(values):
    return statistics.quantiles(values, n=100)[98]


async def drip(port, data, opened):
    """Byte by byte until it is cancelled or cut; no two at the same moment, which would only load this process."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    opened.append(writer)
    try:
        for byte in data:
            writer.write(bytes([byte]))
            await asyncio.sleep(random.uniform(0.5, 1.5) * DRIP_SECONDS)
    except peers.BROKEN:
        pass


async def with_upstream(proxy, work, *flags):
    upstream = peers.Upstream()
    await upstream.up()
    server = await asyncio.to_thread(
        proxy, "--max-concurrent", 100, "--max-concurrent-limit", 100, *flags, upstream=f"http://127.0.0.1:{upstream.port}"
    )
    await work(server)
    await asyncio.to_thread(server.wait_idle)
    upstream.down()


async def beside(server, count, data):
    """The figures without and with `count` clients that drip these bytes."""
    before = await measure(server.port)
    opened = []
    tasks = [asyncio.create_task(drip(server.port, data, opened)) for _ in range(count)]
    while len(opened) < count:
        await asyncio.sleep(0.01)
    after = await measure(server.port)
    for task in tasks:
        task.cancel()
    for writer in opened:
        writer.close()
    names = ("p99 of gaps", "p99 of quick requests", "slowest quick request")
    for name, was, now in zip(names, before, after, strict=True):
        print(f"{name}: {was * 1000:.1f} ms alone, {now * 1000:.1f} ms beside {count} slow clients")
    return before, after


@pytest.mark.timeout(60)
def test_500_slow_heads_leave_others_untouched(proxy):
    async def work(server):
        before, after = await beside(server, LORISES, b"GET /api/tags HTTP/1.1\r\nX-Slow: " + b"x" * 1000)
        assert after[0] < before[0] + MORE_SECONDS
        assert after[1] < before[1] + MORE_SECONDS

    asyncio.run(with_upstream(proxy, work))


@pytest.mark.timeout(60)
def test_60_dripping_bodies_delay_no_quick_request(proxy):
    async def work(server):
        _, after = await beside(server, DRIPPERS, peers.job("drip", filler=1000))
        assert after[2] < QUICK_SECONDS
        stats = await asyncio.to_thread(server.stats)
        assert stats["in_progress"] == 0

    asyncio.run(with_upstream(proxy, work))


def raise_descriptors():
    """How many connections this process may hold beside its own."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard - SPARE_DESCRIPTORS


@pytest.mark.timeout(120)
def test_ten_thousand_idle_connections_are_held(proxy):
    async def work(server):
        most = (await asyncio.to_thread(server.stats))["connections"] + raise_descriptors()
        count = min(IDLE, most - 300)
        if count < IDLE:
            print(f"the limit of descriptors allows {count} connections, not {IDLE}")
        memory = Memory(server)
        opened = []
        while len(opened) < count:
            batch = min(200, count - len(opened))
            opened += await asyncio.gather(*(asyncio.open_connection("127.0.0.1", server.port) for _ in range(batch)))
        while (await asyncio.to_thread(server.stats))["connections"] < count:
            await asyncio.sleep(0.05)
        kib = memory.resident_kib() - memory.before
        times = []
        await quick_requests(server.port, times)
        print(f"{count} idle connections: {kib * 1024 // count} bytes each, quick requests p99 {p99(times) * 1000:.1f} ms")
        assert max(times) < QUICK_SECONDS
        for reader, _ in opened:
            assert not reader.at_eof()
        for _, writer in opened:
            writer.close()

    asyncio.run(with_upstream(proxy, work))
