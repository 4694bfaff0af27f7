"""Uploads: new, present, wrong digest, in chunks after 100-continue, answered before their body, and of any size."""

import hashlib
import os
import uuid

CHUNK_BYTES = 32 << 10
BIG_BYTES = 256 << 20


def unique_body(size=34011):
    return (uuid.uuid4().hex * (size // 32 + 1))[:size].encode()


def digest_of(body):
    return hashlib.sha256(body).hexdigest()


def test_blob_is_missing_then_created_then_present(ollama):
    body = unique_body()
    path = "/api/blobs/sha256:" + digest_of(body)
    assert ollama.ask("HEAD", path).status == 404
    created = ollama.ask("POST", path, body)
    assert (created.status, created.headers[1:], created.framing) == (201, [("Content-Length", "0")], "length")
    look = ollama.ask("HEAD", path)
    assert (look.status, [name for name, _ in look.headers]) == (200, ["Date"])
    again = ollama.ask("POST", path, body)
    assert (again.status, again.headers[1:]) == (200, [("Content-Length", "0")])


def test_wrong_digest_is_told(ollama):
    body = unique_body()
    zeros = "0" * 64
    answer = ollama.ask("POST", "/api/blobs/sha256:" + zeros, body)
    assert answer.status == 400
    assert answer.json()["error"] == f'digest mismatch, expected "sha256:{zeros}", got "sha256:{digest_of(body)}"'


def test_chunked_upload_after_100_continue(ollama):
    body = unique_body()
    with ollama.connect() as connection:
        head = f"POST /api/blobs/sha256:{digest_of(body)} HTTP/1.1\r\nHost: {connection.host}\r\n"
        connection.send_raw((head + "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n").encode())
        first = connection.read()
        assert (first.status, first.headers) == (100, [])
        for at in range(0, len(body), 1000):
            part = body[at : at + 1000]
            connection.send_raw(b"%x;ext=1\r\n%s\r\n" % (len(part), part))
        connection.send_raw(b"0\r\nTrailer: x\r\n\r\n")
        assert connection.read().status == 201


def test_present_blob_is_answered_before_its_body(ollama):
    body = unique_body()
    path = "/api/blobs/sha256:" + digest_of(body)
    assert ollama.ask("POST", path, body).status == 201
    with ollama.connect() as connection:
        connection.send_raw(f"POST {path} HTTP/1.1\r\nHost: {connection.host}\r\nContent-Length: 999999999\r\n\r\n".encode())
        answer = connection.read()
        assert answer.status == 200 and answer.header("Connection") == "close"
        assert connection.at_end()


def test_unread_small_body_keeps_the_connection(ollama):
    with ollama.connect() as connection:
        assert connection.ask("POST", "/nope", b"x" * 1000).status == 404
        assert connection.ask("GET", "/api/version").status == 200


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def test_big_chunked_upload_takes_no_memory(sim):
    part = os.urandom(CHUNK_BYTES)
    hasher = hashlib.sha256()
    for _ in range(BIG_BYTES // CHUNK_BYTES):
        hasher.update(part)
    before = resident_kib(sim.process.pid)
    with sim.connect(timeout=60) as connection:
        head = f"POST /api/blobs/sha256:{hasher.hexdigest()} HTTP/1.1\r\nHost: {connection.host}\r\n"
        connection.send_raw((head + "Transfer-Encoding: chunked\r\n\r\n").encode())
        framed = b"%x\r\n%s\r\n" % (len(part), part)
        for _ in range(BIG_BYTES // CHUNK_BYTES):
            connection.send_raw(framed)
        connection.send_raw(b"0\r\n\r\n")
        assert connection.read().status == 201
    assert resident_kib(sim.process.pid) - before < 4096
