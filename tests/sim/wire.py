"""HTTP/1.1 as bytes: what a test sends and what it gets back, chunk by chunk. Plain sockets, so that nothing is tidied up."""

import dataclasses
import json
import socket


@dataclasses.dataclass
class Answer:
    version: str
    status: int
    reason: str
    headers: list  # of (name, value) in order
    framing: str  # "length", "chunked", "close", "none"
    chunks: list  # of bytes; one if not chunked
    complete: bool = True

    @property
    def body(self):
        return b"".join(self.chunks)

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self):
        return json.loads(self.body)

    def lines(self):
        return [json.loads(line) for line in self.body.splitlines() if line]


class Reader:
    """Takes bytes from a socket or from a recording."""

    def __init__(self, source):
        self.source = source
        self.data = b"" if isinstance(source, socket.socket) else source

    def more(self):
        if not isinstance(self.source, socket.socket):
            return False
        data = self.source.recv(65536)
        self.data += data
        return bool(data)

    def until(self, mark):
        while mark not in self.data:
            if not self.more():
                return None
        taken, _, self.data = self.data.partition(mark)
        return taken

    def exactly(self, length):
        while len(self.data) < length:
            if not self.more():
                break
        taken, self.data = self.data[:length], self.data[length:]
        return taken

    def rest(self):
        while self.more():
            pass
        taken, self.data = self.data, b""
        return taken


def read_chunks(reader):
    """The chunks, and whether the last one came."""
    chunks = []
    while True:
        size = reader.until(b"\r\n")
        if size is None:
            return chunks, False
        length = int(size, 16)
        chunk = reader.exactly(length)
        if len(chunk) < length or reader.exactly(2) != b"\r\n":
            return chunks + [chunk], False
        if length == 0:
            return chunks, True
        chunks.append(chunk)


def read_head(reader):
    head = reader.until(b"\r\n\r\n")
    if head is None:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status, reason = (first + " ").split(" ", 2)
    headers = [tuple(line.split(": ", 1)) for line in lines]
    return Answer(version, int(status), reason.strip(), headers, "none", [])


def read_answer(reader, method):
    answer = read_head(reader)
    if answer is None:
        return None
    if answer.header("Transfer-Encoding") == "chunked":
        answer.framing = "chunked"
    elif answer.header("Content-Length") is not None:
        answer.framing = "length"
    elif method != "HEAD" and answer.status >= 200 and answer.status != 204:
        answer.framing = "close"
    if method == "HEAD" or answer.status < 200 or answer.status == 204:
        return answer
    if answer.framing == "chunked":
        answer.chunks, answer.complete = read_chunks(reader)
    elif answer.framing == "length":
        length = int(answer.header("Content-Length"))
        answer.chunks = [reader.exactly(length)]
        answer.complete = len(answer.chunks[0]) == length
    elif answer.framing == "close":
        answer.chunks = [reader.rest()]
    return answer


def parse_answers(data, method):
    reader = Reader(data)
    while reader.data:
        yield read_answer(reader, method)


class Connection:
    def __init__(self, address, timeout=20):
        self.host = "%s:%d" % address
        self.socket = socket.create_connection(address, timeout=timeout)
        self.reader = Reader(self.socket)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, method, target, body=None, headers=()):
        """A request; a body that is not bytes becomes JSON."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host}"] + [f"{name}: {value}" for name, value in headers]
        if body is not None:
            lines += [f"Content-Length: {len(body)}", "Content-Type: application/json"]
        self.send_raw(("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b""))

    def read(self, method="POST"):
        return read_answer(self.reader, method)

    def ask(self, method, target, body=None, headers=()):
        self.send(method, target, body, headers)
        return self.read(method)

    def at_end(self):
        """True when the other side has closed and nothing is left."""
        try:
            return self.reader.rest() == b""
        except ConnectionResetError:
            return True
