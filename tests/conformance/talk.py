"""The client's side of a case: sends its bytes, reads the answers strictly, then asks a question of which only this
connection knows the answer: whether it is still in step."""

import itertools
import re
import socket
import time

from case import CONTINUED
from upstream import wait_read

RECV_BYTES = 65536
# Longer than any time limit that the programs under test are given (fronts.py).
TALK_SECONDS = 6.0
counter = itertools.count(1)


class Ended(Exception):
    def __init__(self, how):
        super().__init__(how)
        self.how = how


class Unreadable(Exception):
    """What came is not HTTP/1.x."""


class Heard:
    """One answer as the client read it."""

    def __init__(self):
        self.status = 0
        self.fields = []
        self.body = b""
        self.raw = b""
        self.raw_body = b""
        self.interims = []
        self.whole = False
        self.framing = "none"

    def all(self, name):
        return [value for other, value in self.fields if other.lower() == name.lower()]


class Talk:
    """What one client saw."""

    def __init__(self):
        self.answers = []
        self.end = "open"  # open, closed, reset, silent, unreadable
        self.in_step = None  # the canary's answer came and was the right one
        self.seen = b""


class Client:
    def __init__(self, port, talk):
        self.talk = talk
        self.pending = b""
        self.deadline = time.monotonic() + TALK_SECONDS
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def more(self):
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Ended("silent")
        self.sock.settimeout(left)
        try:
            data = self.sock.recv(RECV_BYTES)
        except TimeoutError:
            raise Ended("silent") from None
        except OSError:
            raise Ended("reset") from None
        if not data:
            raise Ended("closed")
        self.pending += data
        self.talk.seen += data

    def send(self, pieces):
        """A program that has refused already may close: that is no error here."""
        self.sock.settimeout(TALK_SECONDS)
        try:
            for number, piece in enumerate(pieces):
                if piece is CONTINUED:
                    while b"\r\n\r\n" not in self.pending:
                        self.more()
                    continue
                if number:
                    wait_read(self.sock)
                self.sock.sendall(piece)
        except OSError:
            pass

    def take(self, size):
        while len(self.pending) < size:
            self.more()
        taken, self.pending = self.pending[:size], self.pending[size:]
        return taken

    def take_line(self):
        while b"\r\n" not in self.pending:
            self.more()
        text, _, self.pending = self.pending.partition(b"\r\n")
        return text

    def read_head(self, heard):
        while b"\r\n\r\n" not in self.pending:
            if not b"HTTP/1.".startswith(self.pending[:7]):
                raise Unreadable
            self.more()
        raw, _, self.pending = self.pending.partition(b"\r\n\r\n")
        heard.raw = raw + b"\r\n\r\n"
        lines = raw.decode("latin-1").split("\r\n")
        match = re.fullmatch(r"HTTP/1\.[01] ([1-5]\d\d) ?(.*)", lines[0])
        if not match:
            raise Unreadable
        heard.status = int(match.group(1))
        heard.fields = []
        for text in lines[1:]:
            name, colon, value = text.partition(":")
            if (
                not colon
                or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name)
                or re.search(r"[\0-\x08\n-\x1f\x7f]", value)
            ):
                raise Unreadable
            heard.fields.append((name, value.strip(" \t")))

    def read_answer(self, method):
        heard = Heard()
        self.talk.answers.append(heard)
        try:
            self.read_head(heard)
            while heard.status < 200:
                heard.interims.append(heard.status)
                self.read_head(heard)
        except (Ended, Unreadable):
            if heard.status < 200:
                self.talk.answers.remove(heard)
            raise
        self.read_body(heard, method)
        heard.whole = True
        return heard

    def read_body(self, heard, method):
        lengths, codings = heard.all("Content-Length"), heard.all("Transfer-Encoding")
        if method == "HEAD" or heard.status in (204, 304):
            return
        if len(lengths) + len(codings) > 1:
            heard.framing = "ambiguous"
            raise Unreadable
        if codings:
            heard.framing = "chunked"
            self.read_chunks(heard)
        elif lengths:
            heard.framing = "length"
            left = int(lengths[0])
            while len(heard.body) < left:
                if not self.pending:
                    self.more()
                heard.body += self.take(min(len(self.pending), left - len(heard.body)))
        else:
            heard.framing = "close"
            try:
                while True:
                    heard.body += self.take(len(self.pending))
                    self.more()
            except Ended as ended:
                if ended.how != "closed":
                    raise
                self.talk.end = "closed"

    def read_chunks(self, heard):
        while True:
            size_line = self.take_line()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", size_line):
                raise Unreadable
            size = int(size_line, 16)
            heard.body += self.take(size)
            if size == 0:
                while self.take_line():
                    pass
                return
            if self.take(2) != b"\r\n":
                raise Unreadable

    def is_in_step(self):
        """The next question on this connection gets its own answer and nothing else."""
        target = f"/canary/{next(counter)}"
        self.send((f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),))
        heard = self.read_answer("GET")
        self.talk.answers.pop()
        return heard.status == 200 and heard.body == target.encode() and not self.pending


def converse(port, pieces, methods, on_answer=lambda: None):
    """The whole conversation; on_answer() is called when the answers have been read."""
    talk = Talk()
    client = Client(port, talk)
    try:
        client.send(pieces)
        for method in methods:
            client.read_answer(method)
            if talk.end != "open":
                return talk
        on_answer()
        if any("close" in value.lower() for value in talk.answers[-1].all("Connection")):
            while True:
                client.more()
        talk.in_step = client.is_in_step()
        if not talk.in_step:
            talk.end = "out of step"
    except Ended as ended:
        talk.end = ended.how
    except Unreadable:
        talk.end = "unreadable"
    finally:
        client.sock.close()
    return talk


def next_client_is_served(port):
    """Another client, right behind, gets the answer to its own question."""
    talk = Talk()
    client = Client(port, talk)
    try:
        return client.is_in_step()
    except (Ended, Unreadable):
        return False
    finally:
        client.sock.close()
