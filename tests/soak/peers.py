"""Both sides of a proxy in one event loop: an Ollama that misbehaves by a script, and clients."""

import asyncio
import dataclasses
import random
import re
import socket
import struct
import time

CHUNK = b"%x\r\n%s\r\n"
STREAM_LINE = b'{"response":"x","done":false}\n'
# Fast enough that a client that does not read stops the proxy's reading at once.
FLOOD_BYTES = 65536
FLOOD_PIECES = 4000
STREAM_GAP_SECONDS = 0.01
MODELS = b'{"models":[]}'


def field(head, name):
    found = re.search(rb"(?im)^" + name + rb":[ \t]*(.*?)\r?$", head)
    return found.group(1).decode() if found else None


@dataclasses.dataclass
class Seen:
    """What the upstream saw of one request id."""

    arrived: list = dataclasses.field(default_factory=list)  # moments
    lost: list = dataclasses.field(default_factory=list)  # the connection ended before the answer did
    broken: int = 0  # ended by us before an answer began
    mid: bool = False  # ended by us in mid-answer
    whole: int = 0  # answered to the end


class Connection(asyncio.Protocol):
    """One connection to the scripted Ollama."""

    def __init__(self, upstream):
        self.upstream = upstream
        self.data = b""
        self.answered = 0
        self.id = None  # of the request in work
        self.task = None
        self.has_begun = False
        self.room = asyncio.Event()
        self.room.set()

    def connection_made(self, transport):
        self.transport = transport
        self.upstream.connections.add(self)

    def connection_lost(self, error):
        self.upstream.connections.discard(self)
        self.room.set()
        if self.task:
            self.upstream.seen_of(self.id).lost.append(time.monotonic())
            self.task.cancel()

    def pause_writing(self):
        self.room.clear()

    def resume_writing(self):
        self.room.set()

    def data_received(self, data):
        self.data += data
        if self.answered and self.upstream.closes == "next" and self.upstream.may_close(self.data):
            # the worst moment: the request is on its way, or half of it
            self.end_badly()
            return
        head, mark, rest = self.data.partition(b"\r\n\r\n")
        length = int(field(head, b"content-length") or 0)
        if not mark or len(rest) < length or self.task:
            return
        self.data = rest[length:]
        self.begin(head)

    def begin(self, head):
        self.id = field(head, b"x-request-id")
        self.has_begun = False
        path = head.split(b" ", 2)[1]
        if path in (b"/api/version", b"/api/ps"):
            self.answer(b'{"version":"0.1.0"}' if path == b"/api/version" else MODELS)
            return
        self.upstream.seen_of(self.id).arrived.append(time.monotonic())
        self.task = asyncio.get_running_loop().create_task(self.work(field(head, b"x-behave") or "answer"))

    async def work(self, behave):
        async with self.upstream.slots:
            if self.upstream.think:
                await asyncio.sleep(self.upstream.think)
            if behave == "silent":
                await asyncio.Event().wait()
            elif behave == "stream":
                await self.stream(STREAM_LINE, self.upstream.lines, STREAM_GAP_SECONDS)
            elif behave == "flood":
                await self.stream(b"x" * FLOOD_BYTES + b"\n", FLOOD_PIECES, 0)
            else:
                self.answer(b'{"response":"","done":true}')
        self.upstream.seen_of(self.id).whole += 1
        self.task = None

    async def stream(self, line, count, gap):
        self.has_begun = True
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.transport.write(head)
        for _ in range(count):
            self.transport.write(CHUNK % (len(line), line))
            await self.room.wait()
            await asyncio.sleep(gap)
        self.transport.write(b"0\r\n\r\n")
        self.answered += 1

    def answer(self, body):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.transport.write(head % len(body) + body)
        self.answered += 1
        if self.upstream.closes == "after":
            delay = self.upstream.chance.random() * 0.002
            asyncio.get_running_loop().call_later(delay, self.close_idle)

    def close_idle(self):
        """As a server whose keep-alive time is over: the next request may be on its way."""
        if not self.transport.is_closing():
            self.transport.close()

    def end_badly(self):
        """By a reset, as a process that is killed with unread bytes."""
        if self.task:
            seen = self.upstream.seen_of(self.id)
            seen.mid = seen.mid or self.has_begun
            seen.broken += not self.has_begun
            self.task.cancel()
            self.task = None
        reset(self.transport)


def reset(transport):
    sock = transport.get_extra_info("socket")
    if sock and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Upstream:
    """closes: "next" (a kept connection ends when the next request comes), "after" (right after an answer), None."""

    def __init__(self, closes=None, think=0.0, slots=1000, lines=1000, seed=1):
        self.closes, self.think, self.lines = closes, think, lines
        self.slots = asyncio.Semaphore(slots)
        self.chance = random.Random(seed)
        self.connections = set()
        self.seen = {}
        self.port = 0
        self.server = None

    def seen_of(self, request_id):
        return self.seen.setdefault(request_id, Seen())

    def may_close(self, data):
        """Probes live: what is tested is what becomes of jobs."""
        return data.startswith(b"POST")

    async def up(self):
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(
            lambda: Connection(self), "127.0.0.1", self.port, reuse_address=True, backlog=1000
        )
        self.port = self.server.sockets[0].getsockname()[1]

    def down(self):
        """As a process that is killed."""
        self.server.close()
        for connection in list(self.connections):
            connection.end_badly()


def job(request_id, behave="answer", filler=0, path="/api/generate"):
    body = b'{"model":"m","prompt":"%s"}' % (b"x" * filler)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {request_id}\r\nX-Behave: {behave}\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def read_answer(reader):
    """The status of a whole answer; raises where it ends early."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if b"chunked" in head.lower():
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    else:
        await reader.readexactly(int(field(head, b"content-length") or 0))
    return status


BROKEN = (OSError, EOFError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


async def ask(port, data, timeout=60.0):
    """The status of one request on a connection of its own; None: it was cut; "hangs"."""
    writer = None
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            return await read_answer(reader)
    except TimeoutError:
        return "hangs"
    except BROKEN:
        return None
    finally:
        if writer:
            writer.close()


async def in_parallel(count, work):
    """work(n) for each n, as many at once as there are workers: count is (workers, jobs)."""
    workers, jobs = count
    numbers = iter(range(jobs))

    async def run():
        for number in numbers:
            await work(number)

    await asyncio.gather(*(run() for _ in range(workers)))
