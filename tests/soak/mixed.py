"""Mixed clients and an Ollama in trouble, for chaos and soak: what they did and what the proxy must then have written down."""

import asyncio
import json
import os
import pathlib
import random
import re
import signal
import time

import peers
from programs import ENDED, UNDER_WAY

MODEL = {"name": "m", "load_ms": 0, "prompt_tokens_per_s": 0, "tokens_per_s": 0, "tokens": 6, "num_parallel": 32}
EMBEDDER = {"name": "e", "load_ms": 0, "prompt_tokens_per_s": 0, "capabilities": ["embedding"]}
BOX = {"num_parallel": 32, "models": [MODEL, EMBEDDER]}

FLAGS = (
    "--log-operations", "all", "--max-concurrent", 16, "--max-queue-size", 400, "--body-memory", "4k",
    "--header-timeout", 5, "--body-timeout", 5, "--upstream-first-byte-timeout", 3, "--upstream-idle-timeout", 3,
    "--upstream-connect-timeout", 2, "--default-timeout", 10, "--idle-timeout", 20, "--log-level", "error",
)  # fmt: skip

CLIENT_SECONDS = 30
# One in so many of each.
LEAVES, BREAKS_HEAD, STAYS = 12, 40, 0.9
BROKEN_HEADS = (b"GET /\0 HTTP/1.1\r\n\r\n", b"POST /api/chat HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"FOO\r\n\r\n")
FAULTS = (
    "reset_before_head", "close_before_head", "malformed_head", "half_head", "status_500", "header_103",
    "die_mid_stream", "reset_mid_stream", "malformed_chunk", "truncate", "garbage_after_end", "close_idle",
    "no_length_keepalive", "big_head", "stall_before_head", "stall_mid_stream",
)  # fmt: skip


def request(kind, request_id, chance):
    chat = {"model": "m", "messages": [{"role": "user", "content": "x" * chance.choice((2, 200, 9000))}]}
    kinds = {
        "chat": ("POST", "/api/chat", chat),
        "chat_at_once": ("POST", "/api/chat", chat | {"stream": False}),
        "generate": ("POST", "/api/generate", {"model": "m", "prompt": "x"}),
        "embed": ("POST", "/api/embed", {"model": "e", "input": "x"}),
        "v1": ("POST", "/v1/chat/completions", chat | {"stream": True}),
        "unknown_model": ("POST", "/api/chat", chat | {"model": "nope"}),
        "tags": ("GET", "/api/tags", None),
        "show": ("POST", "/api/show", {"model": "m"}),
        "version": ("GET", "/api/version", None),
    }
    method, path, body = kinds[kind]
    data = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {request_id}\r\n"
    return head.encode() + (b"Content-Length: %d\r\n" % len(data) if data else b"") + b"\r\n" + data


KINDS = ("chat", "chat_at_once", "generate", "embed", "v1", "unknown_model", "tags", "show", "version")


class Crowd:
    """Clients that go on until told to stop; `answered` are the ids of whole answers."""

    def __init__(self, port, seed=1, pause=0.0):
        self.port, self.seed, self.pause = port, seed, pause
        self.sent = self.whole = self.cut = self.left = self.hung = 0
        self.statuses = {}
        self.answered = set()
        self.keeps_ids = True

    async def client(self, number, goes_on):
        chance = random.Random(self.seed * 100003 + number)
        connection = None
        while goes_on():
            if not connection:
                connection = await self.connect()
                if not connection:
                    await asyncio.sleep(0.01)
                    continue
            self.sent += 1
            if not await self.one(connection, chance, f"{number}-{self.sent}") or chance.random() > STAYS:
                connection[1].close()
                connection = None
            if self.pause:
                await asyncio.sleep(chance.random() * self.pause)
        if connection:
            connection[1].close()

    async def connect(self):
        try:
            return await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return None

    async def one(self, connection, chance, request_id):
        """True: the connection may be used again."""
        reader, writer = connection
        if chance.randrange(BREAKS_HEAD) == 0:
            writer.write(chance.choice(BROKEN_HEADS))
            return await self.read(reader, None) and False
        data = request(chance.choice(KINDS), request_id, chance)
        if chance.randrange(LEAVES) == 0:
            self.left += 1
            writer.write(data[: chance.randrange(1, len(data) + 1)])
            await asyncio.sleep(chance.random() * 0.02)
            if chance.random() < 0.5:
                peers.reset(writer.transport)
            return False
        writer.write(data)
        return await self.read(reader, request_id)

    async def read(self, reader, request_id):
        try:
            async with asyncio.timeout(CLIENT_SECONDS):
                status = await peers.read_answer(reader)
        except TimeoutError:
            self.hung += 1
            return False
        except peers.BROKEN:
            self.cut += 1
            return False
        self.whole += 1
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if self.keeps_ids and request_id:
            self.answered.add(request_id)
        return status < 500

    def figures(self):
        return {key: getattr(self, key) for key in ("sent", "whole", "cut", "left", "hung", "statuses")}


class Trouble:
    """Kills, stalls and garbles the simulated Ollama."""

    def __init__(self, sim, seed=1, kills=True):
        self.sim, self.chance, self.kills = sim, random.Random(seed), kills
        self.count = {"killed": 0, "stalled": 0, "garbled": 0}

    def once(self):
        """Runs in a thread of its own."""
        what = self.chance.random()
        if self.kills and what < 0.1:
            self.count["killed"] += 1
            self.sim.kill()
            time.sleep(self.chance.uniform(0, 0.4))
            self.sim.restart()
        elif self.kills and what < 0.25:
            self.count["stalled"] += 1
            self.sim.signal(signal.SIGSTOP)
            time.sleep(self.chance.uniform(0.05, 0.6))
            self.sim.signal(signal.SIGCONT)
        else:
            self.count["garbled"] += 1
            self.sim.fault(
                self.chance.choice(FAULTS), path="*", count=self.chance.randrange(1, 6),
                after_lines=self.chance.randrange(4), ms=300, bytes=self.chance.choice((100, 70000)),
            )  # fmt: skip

    async def until(self, goes_on, pause):
        while goes_on():
            await asyncio.to_thread(self.once)
            await asyncio.sleep(self.chance.uniform(0.5, 1.5) * pause)
        await asyncio.to_thread(self.sim.reset)


class Books:
    """What one proxy holds and has written down."""

    def __init__(self, server):
        self.server = server

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.server.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1))

    def descriptors(self):
        """(all, those that are neither a client's nor Ollama's)."""
        stats = self.server.stats()
        count = len(os.listdir(f"/proc/{self.server.pid}/fd"))
        return count, count - stats["connections"] - stats["upstream"]["open_connections"]

    def own_descriptors(self, expected, seconds=5):
        """Those that are neither a client's nor Ollama's, as soon as they are as few as expected; else what they are after a while."""
        deadline = time.monotonic() + seconds
        while (own := self.descriptors()[1]) > expected and time.monotonic() < deadline:
            time.sleep(0.05)
        return own

    def settled(self):
        """The stats once nothing is under way any more."""
        return self.server.wait_for(
            lambda stats: not any(stats[key] for key in UNDER_WAY) and not stats["passes"]["in_progress"] and stats, 40
        )

    def check(self, answered):
        """Alive, counters add up, one line for each job and each pass. Returns (jobs, passes)."""
        assert self.server.is_running(), self.server.stderr()
        stats = self.settled()
        self.server.check_counters(stats)
        passes = stats["passes"]
        assert passes["received"] == sum(passes[key] for key in ENDED), passes
        ids = {}
        lines = 0
        with open(self.server.request_log) as log:
            for line in log:
                lines += 1
                found = json.loads(line)["request_id"]
                ids[found] = ids.get(found, 0) + 1
        assert lines == stats["received"] + passes["received"], (lines, stats["received"], passes)
        assert stats["request_log_dropped"] == 0
        twice = [found for found, count in ids.items() if count > 1]
        assert not twice, twice[:5]
        assert answered <= ids.keys(), list(answered - ids.keys())[:5]
        return stats["received"], passes["received"]
