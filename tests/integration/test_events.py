"""GET /api/v1/events: what the stats and the list of requests say, as it changes (PRODUCT 1.3)."""

import json
import time

import jsonschema
import pytest
from boxes import ENDLESS, QUICK, chat, chat_body
from programs import SCHEMAS
from wire import request

EVENTS = "/api/v1/events"
MOST = 32  # EVENTS_MOST


class Stream:
    def __init__(self, wire, url):
        self.wire = wire(url)
        self.wire.send(request("GET", EVENTS))
        self.head = self.wire.read_head()
        self.text = b""

    def next(self):
        """(name, object) of the next event; comments and retry lines are passed over."""
        while True:
            while b"\n\n" not in self.text:
                chunk = self.wire.read_chunk()
                assert chunk, "the stream ended"
                self.text += chunk
            block, self.text = self.text.split(b"\n\n", 1)
            lines = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line)
            if b"event" in lines:
                return lines[b"event"].decode(), json.loads(lines[b"data"])

    def until(self, predicate):
        """The first stats of which it is true, with the list that came with it."""
        while True:
            name, stats = self.next()
            assert name == "stats"
            name, requests = self.next()
            assert name == "requests"
            if predicate(stats):
                return stats, requests["requests"]


def schema(name):
    return jsonschema.Draft202012Validator(json.loads((SCHEMAS / name).read_text()))


@pytest.mark.sim(config=ENDLESS)
def test_it_follows_what_happens(proxy, wire):
    server = proxy("--max-concurrent", 1)
    stream = Stream(wire, server.url)
    assert (stream.head.status, stream.head.get("Content-Type")) == (200, "text/event-stream")
    stats, requests = stream.until(lambda stats: True)
    assert (stats["in_progress"], requests) == (0, [])
    schema("stats.schema.json").validate(stats)
    running, waiting = wire(server.url), wire(server.url)
    running.send(chat())
    running.read_head()
    waiting.send(chat())
    _, requests = stream.until(lambda stats: stats["queued"] == 1)
    schema("requests.schema.json").validate({"requests": requests})
    assert [row["place"] for row in requests] == [None, 1]
    server.change("POST", "/api/v1/queue/pause")
    stream.until(lambda stats: stats["paused"])
    running.close()
    waiting.close()
    stream.until(lambda stats: stats["cancelled"] == 2)


@pytest.mark.sim(config=QUICK)
def test_many_changes_are_few_events(proxy, wire):
    server = proxy()
    stream = Stream(wire, server.url)
    stream.until(lambda stats: True)
    connection = wire(server.url)
    begun = time.monotonic()
    for _ in range(200):
        connection.ask("POST", "/api/chat", chat_body(stream=False))
    pairs = 1
    while stream.until(lambda stats: True)[0]["completed"] < 200:
        pairs += 1
    assert pairs <= 2 + (time.monotonic() - begun) * 4.5


@pytest.mark.sim(config=QUICK)
def test_subscribers_are_bounded_and_leave_no_trace(proxy, wire):
    server = proxy()
    streams = [Stream(wire, server.url) for _ in range(MOST)]
    assert [stream.head.status for stream in streams] == [200] * MOST
    answer = wire(server.url).ask("GET", EVENTS)
    assert answer.status == 503 and answer.get("Retry-After")
    streams[0].wire.close()
    server.wait_for(lambda stats: wire(server.url).ask("HEAD", EVENTS).status == 200)
    assert Stream(wire, server.url).head.status == 200


@pytest.mark.sim(config=QUICK)
def test_a_head_is_answered_without_a_stream(proxy, wire):
    connection = wire(proxy().url)
    assert connection.ask("POST", EVENTS).get("Allow") == "GET, HEAD"
    head = connection.ask("HEAD", EVENTS)
    assert (head.status, head.get("Content-Type"), head.get("Transfer-Encoding")) == (200, "text/event-stream", None)
    assert connection.ask("GET", "/api/v1/health").status == 200


@pytest.mark.sim(config=QUICK)
def test_it_ends_at_the_drain(proxy, wire):
    server = proxy()
    stream = Stream(wire, server.url)
    stream.until(lambda stats: True)
    server.stop(timeout=5)
    while stream.wire.read_chunk():
        pass
    stream.wire.expect_end()
