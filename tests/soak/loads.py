"""The loads of the tests in tests/faults and of compare.py: each takes the port of a proxy and the upstream behind it, and
returns figures."""

import asyncio
import random
import socket
import time

import peers

JOBS = 200
WORKERS = 8
WAITING = 20
# A request that the upstream sees so long after its client left was sent after that: below it is what the loops of both
# sides and of this process take.
AT_ONCE_SECONDS = 0.1


async def closing_connections(port, upstream):
    """200 jobs over an upstream that closes kept connections at the worst moment: how many were answered."""
    statuses = []

    async def one(number):
        statuses.append(await peers.ask(port, peers.job(f"closing-{upstream.closes}-{number}")))

    await peers.in_parallel((WORKERS, JOBS), one)
    return {"jobs": JOBS, "answered": statuses.count(200), "lost": JOBS - statuses.count(200)}


async def flapping(port, upstream, seconds=6.0, up_s=0.3, down_s=0.25):
    """Jobs while the upstream dies and returns. unjust: failed though it broke them less than twice and not in mid-answer."""
    end = time.monotonic() + seconds
    results = {}

    async def client(worker):
        number = 0
        while time.monotonic() < end:
            name = f"flap-{worker}-{number}"
            number += 1
            results[name] = await peers.ask(port, peers.job(name, "stream" if number % 2 else "answer"))
            if results[name] != 200:
                await asyncio.sleep(0.02)  # a client that asks again after an error does not spin

    async def flap():
        while time.monotonic() < end:
            await asyncio.sleep(up_s)
            upstream.down()
            await asyncio.sleep(down_s)
            await upstream.up()

    await asyncio.gather(flap(), *(client(worker) for worker in range(WORKERS)))
    failed = [name for name, status in results.items() if status != 200]
    unjust = [name for name in failed if not upstream.seen_of(name).mid and upstream.seen_of(name).broken < 2]
    return {"jobs": len(results), "failed": len(failed), "unjust": len(unjust), "not_begun": unjust}


async def killed_while_waiting(port, upstream):
    """3 in work and 20 waiting when the upstream is killed; it returns after a second."""
    count = 3 + WAITING
    tasks = [asyncio.create_task(peers.ask(port, peers.job(f"killed-{n}"))) for n in range(count)]
    while sum(len(seen.arrived) for seen in upstream.seen.values()) < 3:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    upstream.down()
    await asyncio.sleep(1)
    await upstream.up()
    statuses = await asyncio.gather(*tasks)
    return {"jobs": count, "lost": count - statuses.count(200)}


# Where a client leaves, and what the upstream does with its request until then.
PLACES = {
    "head": "stream",
    "body": "stream",
    "queue": "stream",
    "before_first_byte": "silent",
    "mid_stream": "stream",
    "paused": "flood",
    "flushing": "answer",
}


class Leavers:
    """Clients that leave at random points, by FIN or RST."""

    def __init__(self, port, upstream, seed=1):
        self.port, self.upstream = port, upstream
        self.chance = random.Random(seed)
        self.left = {}  # id: (place, how, moment)

    async def one(self, number):
        place = self.chance.choice(list(PLACES))
        how = self.chance.choice(["fin", "rst"])
        name = f"leave-{number}-{place}"
        data = peers.job(name, PLACES[place], filler=2000)
        head = data.index(b"\r\n\r\n") + 4
        sent = len(data)
        if place == "head":
            sent = self.chance.randrange(1, head)
        elif place == "body":
            sent = self.chance.randrange(head, len(data))
        sock = socket.socket()
        sock.setblocking(False)
        if place in ("paused", "flushing"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, ("127.0.0.1", self.port))
        await loop.sock_sendall(sock, data[:sent])
        if place == "mid_stream":
            try:
                await asyncio.wait_for(loop.sock_recv(sock, 100), 5)
            except TimeoutError:
                pass
        await asyncio.sleep(self.chance.random() * (0.01 if place == "queue" else 0.3))
        self.leave(sock, name, place, how)

    def leave(self, sock, name, place, how):
        if how == "rst":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.left[name] = (place, how, time.monotonic())
        sock.close()

    def figures(self):
        delays, late, sent_after = [], [], []
        for name, (place, how, moment) in self.left.items():
            seen = self.upstream.seen.get(name)
            if not seen:
                continue
            sent_after += [name for arrived in seen.arrived if arrived > moment + AT_ONCE_SECONDS]
            for lost in seen.lost:
                delays.append((max(0.0, lost - moment), name, how))
            if len(seen.lost) + seen.whole < len(seen.arrived):
                late.append(name)  # never cancelled
        delays.sort()
        late += [name for delay, name, _ in delays if delay > AT_ONCE_SECONDS]
        ms = [round(delay * 1000, 1) for delay, _, _ in delays] or [0.0]
        return {
            "clients": len(self.left),
            "sent_after_leaving": len(sent_after),
            "cancelled": len(delays),
            "cancelled_while_paused": sum(name.endswith("paused") for _, name, _ in delays),
            "late": len(late),
            "late_ones": late[:10],
            "p99_ms": ms[int(len(ms) * 0.99)],
            "max_ms": ms[-1],
        }


async def leaving(port, upstream, clients=1000, at_once=60, seed=1):
    leavers = Leavers(port, upstream, seed)
    await peers.in_parallel((at_once, clients), leavers.one)
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and any(connection.task for connection in upstream.connections):
        await asyncio.sleep(0.02)
    return leavers.figures()
