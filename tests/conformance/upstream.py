"""The upstream as a script: it notes exactly what it got and answers canned bytes."""

import fcntl
import re
import select
import socket
import struct
import termios
import threading
import time

from case import ANSWERED, BODY, CLOSE, EARLY, FLUSH, HOLD, RESET, SOUND

RECV_BYTES = 65536
# Nobody waits as long for a peer that is expected to go on.
STEP_SECONDS = 4.0
POLL_SECONDS = 0.0005

# linux/sock_diag.h, linux/inet_diag.h
NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST = 1
NLMSG_HEADER_BYTES = 16
ALL_STATES = 0xFFFFFFFF
NO_COOKIE = 0xFFFFFFFF
RQUEUE_OFFSET = NLMSG_HEADER_BYTES + 4 + 48 + 4

# What the program asks of its own accord (PRODUCT 3.10, 3.3); no case uses these targets.
PROBES = {
    "/api/version": b'{"version":"0.12.3"}',
    "/api/ps": b'{"models":[]}',
    "/api/tags": b'{"models":[]}',
}


def unread_bytes(address, peer):
    """What the process behind `address` has not read yet of what `peer` sent: one look-up by netlink's sock_diag(7),
    since /proc/net/tcp is slow where thousands of connections are in TIME_WAIT. 0 if it closed."""
    (host, port), (peer_host, peer_port) = address, peer
    identity = struct.pack(">HH4s12x4s12x", port, peer_port, socket.inet_aton(host), socket.inet_aton(peer_host))
    body = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, ALL_STATES) + identity
    body += struct.pack("=III", 0, NO_COOKIE, NO_COOKIE)
    header = struct.pack("=IHHII", NLMSG_HEADER_BYTES + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG) as netlink:
        netlink.send(header + body)
        answer = netlink.recv(RECV_BYTES)
    if struct.unpack_from("=H", answer, 4)[0] != SOCK_DIAG_BY_FAMILY:
        return 0
    return struct.unpack_from("=I", answer, RQUEUE_OFFSET)[0]


def wait_read(sock):
    """Until the other side's process has taken the bytes, so that the next ones are a read of their own."""
    deadline = time.monotonic() + STEP_SECONDS
    address, peer = sock.getpeername(), sock.getsockname()
    while unread_bytes(address, peer) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def wait_until(predicate):
    deadline = time.monotonic() + STEP_SECONDS
    while not predicate():
        assert time.monotonic() < deadline, "the scripted upstream did not come to rest"
        time.sleep(POLL_SECONDS)


class Received:
    """One request as it came."""

    def __init__(self, raw):
        self.raw = raw
        lines = raw.decode("latin-1").split("\r\n")
        parts = lines[0].split(" ")
        self.method, self.target = parts[0], parts[1] if len(parts) > 1 else ""
        self.fields = []
        for text in lines[1:]:
            if text:
                name, _, value = text.partition(":")
                self.fields.append((name, value.removeprefix(" ")))
        self.raw_body = b""
        self.body = b""
        self.complete = False
        self.framing = "none"
        if self.all("Transfer-Encoding"):
            self.framing = "chunked"
        elif self.all("Content-Length"):
            self.framing = "length"
        if len(self.all("Transfer-Encoding")) + len(self.all("Content-Length")) > 1:
            self.framing = "ambiguous"

    def all(self, name):
        return [value for other, value in self.fields if other.strip().lower() == name.lower()]


class Ended(Exception):
    """The connection has ended."""


class Connection:
    def __init__(self, upstream, sock):
        self.upstream = upstream
        self.sock = sock
        self.peer = sock.getpeername()
        self.pending = b""
        self.waits = False
        self.ended = False

    def is_quiet(self):
        """Nothing came that has not been looked at. `waits` is taken back before the bytes leave the socket."""
        if self.ended:
            return True
        try:
            unread = fcntl.ioctl(self.sock, termios.FIONREAD, b"\0" * 4)
        except (OSError, ValueError):
            return False  # it is closing
        return self.waits and unread == b"\0" * 4

    def more(self):
        try:
            self.waits = True
            select.select([self.sock], [], [])
            self.waits = False
            data = self.sock.recv(RECV_BYTES)
        except OSError:
            data = b""
        if not data:
            raise Ended
        self.pending += data

    def take(self, request, size):
        """So many body bytes, noted as they come."""
        taken = b""
        while len(taken) < size:
            if not self.pending:
                self.more()
            piece = self.pending[: size - len(taken)]
            self.pending = self.pending[len(piece) :]
            request.raw_body += piece
            taken += piece
        return taken

    def take_line(self, request):
        text = b""
        while not text.endswith(b"\r\n"):
            text += self.take(request, 1)
        return text[:-2]

    def read_body(self, request):
        if request.framing == "length":
            request.body = self.take(request, int(request.all("Content-Length")[0]))
        elif request.framing == "chunked":
            while size := int(self.take_line(request).split(b";")[0], 16):
                request.body += self.take(request, size)
                self.take_line(request)
            while self.take_line(request):
                pass
        request.complete = True

    def serve(self):
        try:
            while True:
                while b"\r\n\r\n" not in self.pending:
                    self.more()
                raw, _, self.pending = self.pending.partition(b"\r\n\r\n")
                if not self.serve_one(Received(raw + b"\r\n\r\n")):
                    break
        except (Ended, OSError, ValueError):
            if self.pending:
                self.upstream.note_junk(self.pending)
        self.sock.close()
        self.ended = True

    def serve_one(self, request):
        if request.target in PROBES:
            self.read_body(request)
            return self.play(request, (sound(PROBES[request.target]),))
        if request.target.startswith("/canary/"):
            self.read_body(request)
            return self.play(request, (sound(request.target.encode()),))
        script = self.upstream.note(request)
        if script[0] is EARLY:
            return self.play(request, script[1:])
        self.read_body(request)
        return self.play(request, script)

    def play(self, request, script):
        """False: the connection is over."""
        for number, step in enumerate(script):
            if isinstance(step, bytes):
                self.sock.sendall(step)
                if number and script[number - 1] is ANSWERED:
                    self.upstream.said_more.set()
            elif step is FLUSH:
                wait_read(self.sock)
            elif step is BODY:
                self.read_body(request)
            elif step is ANSWERED:
                self.upstream.answered.wait(STEP_SECONDS)
            elif step is HOLD:
                while True:
                    self.more()
            elif step is RESET:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            elif step is CLOSE:
                self.sock.shutdown(socket.SHUT_WR)
                while True:
                    self.more()
        if not request.complete:
            self.read_body(request)
        return True


def sound(text):
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)


class Upstream:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.connections = []
        self.begin(SOUND)
        threading.Thread(target=self.accept, daemon=True).start()

    def begin(self, script):
        """From now on this is the answer; what was noted before is forgotten."""
        self.answered = threading.Event()
        self.said_more = threading.Event()
        with self.lock:
            self.script = script
            self.received = []
            self.junk = []

    def client_has_its_answer(self):
        """Lets the script go on behind ANSWERED, and waits until what it then says lies in the program's socket."""
        self.answered.set()
        if ANSWERED in self.script:
            self.said_more.wait(STEP_SECONDS)

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self, sock)
            self.connections = [other for other in self.connections if not other.ended] + [connection]
            threading.Thread(target=connection.serve, daemon=True).start()

    def settle(self):
        """Until all that was sent to us has been noted. Connections are accepted in order: one of our own is the last."""
        with socket.create_connection(("127.0.0.1", self.port)) as fence:
            here = fence.getsockname()
            wait_until(lambda: any(connection.peer == here for connection in self.connections))
        wait_until(lambda: all(connection.is_quiet() for connection in self.connections))

    def note(self, request):
        with self.lock:
            self.received.append(request)
            return self.script

    def note_junk(self, data):
        if not re.match(rb"GET /api/(version|ps|tags) ", data):
            with self.lock:
                self.junk.append(data)

    def close(self):
        self.listener.close()
