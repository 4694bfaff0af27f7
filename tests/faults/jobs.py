"""One request of each kind that takes another way through the program, and what may become of it under faults."""

import json
import socket

from boxes import chat_body
from wire import Wire, request

# A request that met a fault ends in one of these: an answer of any status, or the end of its connection.
ENDS = (OSError, AssertionError)

SMALL_BODY_MEMORY = 4096


def body(stream, filler=0):
    messages = [{"role": "user", "content": "hi" + "x" * filler}]
    return chat_body(stream, messages=messages)


def blob(size):
    """An upload of unknown length, which streams through a tunnel."""
    head = request("POST", "/api/blobs/sha256:" + "0" * 64, headers=[("Transfer-Encoding", "chunked")])
    piece = b"x" * 16384
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for _ in range(size // len(piece)))
    return head + chunks + b"0\r\n\r\n"


REQUESTS = {
    "small_job": request("POST", "/api/chat", body(False)),
    "streamed_job": request("POST", "/api/chat", body(True)),
    "spooled_job": request("POST", "/api/chat", body(False, filler=24000)),
    "pass": request("GET", "/api/tags"),
    "pass_with_body": request("POST", "/api/show", b'{"model":"m"}'),
    "upload": blob(32 * 1024),
    # sizes that the client decides
    "big_head": request("POST", "/api/chat", body(True), headers=[("X-Filler", "x" * 20000)]),
    "bigger_job": request("POST", "/api/chat", body(True, filler=20000)),
    "bigger_pass": request("POST", "/api/show", b'{"model":"m","filler":"%s"}' % (b"x" * 40000)),
}


def read_status(connection):
    """The status of a whole answer; None where the connection ended instead."""
    try:
        return connection.read_answer().status
    except ENDS:
        return None


def attempt(url, kind, timeout=8.0):
    """Sends one request on a connection of its own: its status, or None. A hang is a failure of the test."""
    try:
        with Wire(url, timeout=timeout) as connection:
            try:
                connection.send(REQUESTS[kind])
            except TimeoutError:
                raise
            except OSError:
                pass  # the answer may be there
            return read_status_or_hang(connection)
    except (ConnectionError, socket.gaierror):
        return None


def read_status_or_hang(connection):
    try:
        return connection.read_answer().status
    except TimeoutError:
        raise AssertionError("the request hangs") from None
    except ENDS:
        return None


def is_fine(status, kind):
    """What the simulated Ollama answers to these without a fault (the upload's digest is wrong)."""
    return status == (400 if kind == "upload" else 200)


def lines_by_id(lines):
    """Request log lines by their id; each id once."""
    found = {}
    for line in lines:
        assert line["request_id"] not in found, f"two lines: {json.dumps(line)}"
        found[line["request_id"]] = line
    return found
