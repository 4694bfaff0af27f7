"""What a case is, and the words in which the lists in cases/ are written.

A case is bytes that a client sends, a script for the upstream, and what shared-ollama has to do. `{WAY}` in the bytes
stands for the beginning of a request line; each case is run once for each of its ways, because the program takes
different ways with jobs, with passes whose body is collected, and with bodies that stream through."""

import dataclasses
import re
import typing

# Beginnings of request lines. evhttp has no name for PROPPATCH: such a request takes the tunnel, whatever its body.
WAYS = {
    "pass": b"POST /t/x",
    "job": b"POST /api/chat",
    "tunnel": b"PROPPATCH /t/x",
    "get": b"GET /t/x",
    "head": b"HEAD /t/x",
}
ALL = ("pass", "job", "tunnel")
ONE = ("",)

Check = typing.Callable[[typing.Any], None]


class Step:
    """Something that the scripted upstream does beside sending bytes."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return self.name


CLOSE = Step("CLOSE")  # FIN
RESET = Step("RESET")  # RST
HOLD = Step("HOLD")  # says nothing more, keeps the connection until the other side ends it
FLUSH = Step("FLUSH")  # goes on when the peer has read what was sent
ANSWERED = Step("ANSWERED")  # goes on when the client has read its answer
EARLY = Step("EARLY")  # answers at the request's head, before its body; must be the first step
BODY = Step("BODY")  # reads the request's body now; behind EARLY
# in `send`: the client waits for an interim answer before it goes on
CONTINUED = Step("CONTINUED")

SOUND = (b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"done":true}',)


@dataclasses.dataclass(frozen=True)
class Case:
    id: str
    rule: str  # "RFC 9112 §3.2" or the public name of the attack
    what: str
    send: tuple  # of bytes; each is sent when the program has read the one before; or CONTINUED
    side: str = "request"  # whose bytes are in question: "request" or "answer"
    ways: tuple = ONE
    answer: tuple = SOUND
    methods: tuple = ()  # of the requests in `send`, for the reader of the answers; () is one, its method as sent
    status: typing.Any = 200  # one, or several that are right; None: no answer at all
    whole: bool | None = True  # the first answer is complete; False: it must be cut; None: either
    forwarded: typing.Any = 1  # complete requests that reach the upstream; None: not looked at
    tries: dict = dataclasses.field(default_factory=dict)  # {way: how often a request may be sent (PRODUCT 3.11)}; 1
    untouched: bool = False  # not even a part of a request reaches the upstream
    connection: str | None = None  # "open": serves the next request in step; "closed"; None: either
    upstream: tuple = ()  # checks of the first request at the upstream
    client: tuple = ()  # checks of the first answer
    never: tuple = ()  # bytes that no client may see
    lax: str = ""  # why we may take what nginx or HAProxy refuses
    pending: str = ""  # what the program does not do yet; the test must fail until it does
    pending_ways: tuple = ()  # on these ways only; (): on all

    def is_pending(self, way):
        return bool(self.pending) and (not self.pending_ways or way in self.pending_ways)

    def bytes_for(self, way):
        start = WAYS.get(way, b"GET /t/x")
        return tuple(piece if isinstance(piece, Step) else piece.replace(b"{WAY}", start) for piece in self.send)

    def methods_for(self, way):
        if self.methods:
            return self.methods
        return (self.bytes_for(way)[0].lstrip(b"\r\n").split(b" ")[0].decode("latin-1"),)


def refused(id, rule, what, *send, status=400, **more):
    """Not a byte of the request may reach the upstream; the connection is closed behind the answer."""
    more.setdefault("connection", "closed")
    return Case(id, rule, what, send, status=status, forwarded=0, untouched=True, **more)


def taken(id, rule, what, *send, **more):
    more.setdefault("connection", "open")
    return Case(id, rule, what, send, **more)


def answered(id, rule, what, *answer, **more):
    """A sound request, whose answer from upstream is in question."""
    more.setdefault("ways", ("get", "job", "tunnel"))
    more.setdefault("forwarded", None)
    return Case(id, rule, what, (REQUEST,), side="answer", answer=answer, **more)


def bad_answer(id, rule, what, *answer, **more):
    """Wrong before the program had to commit itself: 502, and nobody ever sees the bytes."""
    more.setdefault("status", 502)
    more.setdefault("never", (b"evil",))
    return answered(id, rule, what, *answer, **more)


def broken_answer(id, rule, what, *answer, **more):
    """Wrong behind a sound head: 502 if nothing was sent yet, else the answer is cut and cannot be taken for whole."""
    more.setdefault("whole", False)
    return answered(id, rule, what, *answer, **more)


REQUEST = b"{WAY} HTTP/1.1\r\nHost: localhost\r\n\r\n"


def head(*lines, start=b"{WAY} HTTP/1.1", host=b"Host: localhost"):
    """A request head from lines without their ends."""
    first = (start, host) if host else (start,)
    return b"\r\n".join(first + tuple(lines)) + b"\r\n\r\n"


def reply(*lines, body=b"", start=b"HTTP/1.1 200 OK"):
    return b"\r\n".join((start,) + tuple(lines)) + b"\r\n\r\n" + body


# Checks of what reached the upstream or of the client's answer. Both have: version, fields, body, raw.


def has(name, value):
    def check(message):
        assert message.all(name) == [value], f"{name!r} is {message.all(name)}, not {[value]}"

    return check


def has_match(name, pattern):
    def check(message):
        values = message.all(name)
        assert len(values) == 1 and re.fullmatch(pattern, values[0]), f"{name!r} is {values}, not like {pattern!r}"

    return check


def lacks(*names):
    def check(message):
        there = [name for name in names if message.all(name)]
        assert not there, f"must be absent: {there}"

    return check


def in_order(*pairs):
    """These fields, as written, in this order (others may stand between)."""

    def check(message):
        kept = [pair for pair in message.fields if pair in pairs]
        assert kept == list(pairs), f"fields {message.fields}, not in order {pairs}"

    return check


def body(expected):
    def check(message):
        assert message.body == expected, f"body {message.body!r}, not {expected!r}"

    return check


def framing(expected):
    """none, length or chunked."""

    def check(message):
        assert message.framing == expected, f"framed by {message.framing}, not {expected}"

    return check


def line(expected):
    """The start line, byte for byte."""

    def check(message):
        assert message.raw.startswith(expected + b"\r\n"), f"begins {message.raw[:80]!r}, not {expected!r}"

    return check


def exactly(template):
    """The whole head, {…} standing for what is made anew each time."""
    made = {
        b"{HOST}": rb"127\.0\.0\.1:\d+",
        b"{VIA}": rb"1\.1 shared-ollama-[0-9a-f]+",
        b"{ID}": rb"[0-9A-Za-z_.:-]+",
    }
    pattern = re.escape(template)
    for name, value in made.items():
        pattern = pattern.replace(re.escape(name), value)

    def check(message):
        whole = message.raw + message.raw_body
        assert re.fullmatch(pattern, whole, re.DOTALL), f"{whole!r} is not {template!r}"

    return check


def interim(*statuses):
    def check(message):
        assert message.interims == list(statuses), f"interim answers {message.interims}, not {list(statuses)}"

    return check
