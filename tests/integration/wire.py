"""A TCP connection byte by byte, for what no HTTP client sends and for when bytes arrive."""

import re
import socket
import struct
import time

RECV_BYTES = 65536
TIMEOUT_SECONDS = 10.0


def address_of(url):
    host, port = url.removeprefix("http://").rsplit(":", 1)
    return host.strip("[]"), int(port)


def request(method, target, body=b"", headers=(), host="localhost"):
    """A request as bytes; headers as (name, value). Content-Length is added where there is a body."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Answer:
    """A response: status, headers as they came (a list of pairs), body without its framing, chunks as they were cut."""

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        match = re.fullmatch(r"HTTP/1\.([01]) (\d{3})(?: (.*))?", lines[0])
        assert match, f"not a status line: {lines[0]!r}"
        self.head = head
        self.status = int(match.group(2))
        self.reason = match.group(3) or ""
        self.headers = []
        for line in lines[1:]:
            if line:
                name, colon, value = line.partition(":")
                assert colon and name == name.strip(), f"not a field: {line!r}"
                self.headers.append((name, value.strip()))
        self.body = b""
        self.chunks = []

    def all(self, name):
        return [value for other, value in self.headers if other.lower() == name.lower()]

    def get(self, name):
        """The value of a field that may stand once; None without it."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} stands {len(values)} times"
        return values[0] if values else None


class Wire:
    def __init__(self, url, timeout=TIMEOUT_SECONDS, receive_buffer=None):
        self.socket = socket.socket(socket.AF_INET6 if "[" in url else socket.AF_INET)
        if receive_buffer:  # before connecting: a reader that takes little
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(address_of(url))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with a RST instead of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def shut_write(self):
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, data):
        self.socket.sendall(data)

    def send_in_pieces(self, data, size=1):
        """Each piece in a segment of its own, as far as the kernel allows."""
        for start in range(0, len(data), size):
            self.socket.sendall(data[start : start + size])

    def more(self):
        """One recv(), appended to what is pending; False at the end of the stream."""
        data = self.socket.recv(RECV_BYTES)
        self.pending += data
        return bool(data)

    def take(self, size):
        taken, self.pending = self.pending[:size], self.pending[size:]
        return taken

    def read_exactly(self, size):
        while len(self.pending) < size:
            assert self.more(), f"the connection ended after {len(self.pending)} of {size} bytes: {self.pending!r}"
        return self.take(size)

    def read_until(self, mark):
        """The bytes up to and with the mark."""
        while mark not in self.pending:
            assert self.more(), f"the connection ended before {mark!r}: {self.pending!r}"
        return self.take(self.pending.index(mark) + len(mark))

    def read_head(self):
        return Answer(self.read_until(b"\r\n\r\n"))

    def read_chunk(self):
        """One chunk's data; b"" is the last (its trailer is read too)."""
        size_line = self.read_until(b"\r\n")
        size = int(size_line.split(b";")[0], 16)
        if size == 0:
            while self.read_until(b"\r\n") != b"\r\n":
                pass
            return b""
        data = self.read_exactly(size)
        assert self.read_exactly(2) == b"\r\n", "no line end after a chunk"
        return data

    def read_answer(self, method="GET"):
        """A whole response, framed by chunks, length or the end of the connection."""
        answer = self.read_head()
        if method == "HEAD" or answer.status in (204, 304) or answer.status < 200:
            return answer
        if (answer.get("Transfer-Encoding") or "").lower() == "chunked":
            while chunk := self.read_chunk():
                answer.chunks.append(chunk)
            answer.body = b"".join(answer.chunks)
        elif answer.get("Content-Length") is not None:
            answer.body = self.read_exactly(int(answer.get("Content-Length")))
        else:
            while self.more():
                pass
            answer.body = self.take(len(self.pending))
        return answer

    def ask(self, *arguments, **named):
        """request(…) sent and its answer read."""
        self.send(request(*arguments, **named))
        return self.read_answer(arguments[0])

    def expect_end(self):
        """The peer closes in order (FIN) and sends nothing more."""
        assert not self.more(), f"more bytes: {self.pending!r}"
        assert self.pending == b"", f"bytes were left: {self.pending!r}"

    def expect_cut(self):
        """The peer ends the connection, in order or by a reset; returns what came before."""
        try:
            while self.more():
                pass
        except ConnectionResetError:
            pass
        return self.take(len(self.pending))

    def expect_more_than(self, size):
        """At least so many bytes are coming; they are read and thrown away."""
        while len(self.pending) < size:
            assert self.more(), f"the connection ended after {len(self.pending)} bytes"
        self.take(len(self.pending))

    def expect_silence(self, seconds):
        """Nothing comes and nothing ends for so long."""
        assert self.pending == b"", f"bytes were there: {self.pending!r}"
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(RECV_BYTES)
        except TimeoutError:
            return
        finally:
            self.socket.settimeout(before)
        raise AssertionError(f"not silent: {data!r}")

    def arrivals(self):
        """The rest of a chunked answer as it arrives: (seconds since the call, the lines of one recv()) for each recv()
        that completed a line. Ends after the last chunk."""
        begun = time.monotonic()
        while True:
            lines = []
            while chunk := self.whole_chunk():
                if chunk == b"0":
                    self.read_until(b"\r\n")
                    if lines:
                        yield time.monotonic() - begun, lines
                    return
                lines += chunk.split(b"\r\n", 1)[1].splitlines(keepends=True)
            if lines:
                yield time.monotonic() - begun, lines
            assert self.more(), "the connection ended before the last chunk"

    def whole_chunk(self):
        """A chunk with its size line if it has arrived whole, b"0" for the last, else b""."""
        size_line, mark, rest = self.pending.partition(b"\r\n")
        if not mark:
            return b""
        size = int(size_line, 16)
        if size == 0:
            self.take(len(size_line) + 2)
            return b"0"
        if len(rest) < size + 2:
            return b""
        return self.take(len(size_line) + 2 + size + 2)[:-2]

    def assert_one_line_per_recv(self, at_least):
        """Streamed lines come one by one, none of them held back for company. Returns them."""
        lines = []
        for _, came in self.arrivals():
            assert len(came) == 1, f"{len(came)} lines at once: {came!r}"
            assert came[0].endswith(b"\n"), f"not a whole line: {came[0]!r}"
            lines += came
        assert len(lines) >= at_least, f"{len(lines)} lines only"
        return lines


class LocalWire(Wire):
    """The same to a local socket."""

    def __init__(self, path, timeout=TIMEOUT_SECONDS):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self.pending = b""
