"""Bodies: model at the end, images, spooled ones, early refusals, streams through (PRODUCT 1.7, 2)."""

import base64
import hashlib
import json
import struct
import threading
import zlib

import pytest
import requests
from boxes import ENDLESS, QUICK, chat
from programs import Memory, wait_for
from wire import Wire, request

MIB = 1024 * 1024


def png(width, height, padding):
    """The head of a PNG of this size, then bytes that nobody decodes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + b"\0" * padding


@pytest.mark.sim(config=QUICK)
def test_the_model_is_read_behind_megabytes_of_image(sim, proxy, wire):
    server = proxy()
    image = png(1240, 1754, 4 * MIB)
    url = "data:image/png;base64," + base64.b64encode(image).decode()
    content = [{"type": "text", "text": "read"}, {"type": "image_url", "image_url": {"url": url}}]
    body = json.dumps({"messages": [{"role": "user", "content": content}], "stream": False, "model": "m"}).encode()
    assert wire(server.url).ask("POST", "/v1/chat/completions", body).status == 200
    line = server.wait_log(1)[0]
    assert line["model"] == "m"
    assert (line["images_count"], line["images_bytes"]) == (1, len(image))
    assert (line["images_pixels"], line["images_max"]) == (1240 * 1754, "1240x1754")
    assert line["request_bytes"] == len(body)


@pytest.mark.sim(config=QUICK)
@pytest.mark.parametrize("size", [100, MIB - 10, MIB + 10, 20 * MIB])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_job_body_arrives_byte_for_byte_from_memory_and_from_the_spool(sim, proxy, wire, size, chunked):
    server = proxy()
    body = json.dumps({"model": "m", "stream": False, "messages": [{"role": "user", "content": "x" * size}]}).encode()
    connection = wire(server.url)
    if chunked:
        connection.send(b"POST /api/chat HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in range(0, len(body), 300000):
            piece = body[start : start + 300000]
            connection.send(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece))
        connection.send(b"0\r\nTrailer: dropped\r\n\r\n")
    else:
        connection.send(request("POST", "/api/chat", body))
    assert connection.read_answer("POST").status == 200
    assert server.wait_log(1)[0]["request_bytes"] == len(body)


@pytest.mark.sim(config=QUICK)
def test_a_body_in_a_file_is_sent_without_taking_memory(sim, proxy, wire):
    server = proxy()
    server.get("/api/version")
    memory = Memory(server)
    body = json.dumps({"model": "m", "stream": False, "messages": [{"role": "user", "content": "x" * 24 * MIB}]}).encode()
    assert wire(server.url).ask("POST", "/api/chat", body).status == 200
    memory.check_most()


@pytest.mark.sim(config=QUICK)
def test_an_early_413_during_a_50_mb_upload_is_read_by_requests(proxy):
    server = proxy("--body-max", "1m")
    answer = requests.post(f"{server.url}/api/chat", data=b"x" * (50 * MIB), timeout=30)
    assert answer.status_code == 413
    assert "body_max" in answer.json()["error"]
    line = server.wait_log(1)[0]
    assert (line["error_type"], line["http_status"]) == ("body_too_large", 413)


@pytest.mark.sim(config=QUICK)
def test_a_chunked_body_over_the_limit_is_413_while_it_comes(proxy):
    server = proxy("--body-max", "1m")

    def pieces():
        for _ in range(50):
            yield b"x" * MIB

    answer = requests.post(f"{server.url}/v1/chat/completions", data=pieces(), timeout=30)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"


@pytest.mark.sim(config=QUICK)
def test_over_body_total_is_a_full_queue(proxy, wire):
    server = proxy("--body-max", "1m", "--body-total", "1m")
    first = wire(server.url)
    first.send(request("POST", "/api/chat", b"x" * MIB)[: 700 * 1024])
    server.wait_for(lambda stats: stats["reading"] == 1)
    wait_for(lambda: server.stats()["bodies_bytes"] > 600 * 1024)
    answer = wire(server.url).ask("POST", "/api/chat", b"y" * (MIB // 2))
    assert answer.status == 503
    assert answer.get("Retry-After")
    first.close()
    server.wait_for(lambda stats: stats["cancelled"] == 1)
    assert server.stats()["bodies_bytes"] == 0


@pytest.mark.sim(config=QUICK)
def test_expect_is_met_for_jobs_and_refused_before_the_body(proxy, wire):
    server = proxy("--body-max", "1m")
    connection = wire(server.url)
    data = chat(headers=[("Expect", "100-continue")])
    head, body = data.split(b"\r\n\r\n", 1)
    connection.send(head + b"\r\n\r\n")
    assert connection.read_head().status == 100
    connection.send(body)
    assert connection.read_answer().status == 200
    other = wire(server.url)
    other.send(request("POST", "/api/chat", b"", [("Expect", "100-continue"), ("Content-Length", str(9 * MIB))]))
    assert other.read_answer().status == 413
    other.expect_end()


# A gigabyte both ways is what people move; a quarter of it shows the same bound in a tenth of the time.
BLOB = 256 * MIB


def upload(url, digest, size):
    with Wire(url, timeout=60) as connection:
        connection.send(f"POST /api/blobs/sha256:{digest} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        piece = b"\0" * 32768
        framed = b"%x\r\n%s\r\n" % (len(piece), piece)
        for _ in range(size // len(piece)):
            connection.send(framed)
        connection.send(b"0\r\n\r\n")
        return connection.read_answer("POST")


@pytest.mark.sim(config=QUICK)
def test_a_blob_streams_through_with_bounded_memory(sim, proxy):
    server = proxy()
    server.get("/api/version")
    memory = Memory(server)
    digest = hashlib.sha256(b"\0" * BLOB).hexdigest()
    result = {}
    thread = threading.Thread(target=lambda: result.update(answer=upload(server.url, digest, BLOB)))
    thread.start()
    while thread.is_alive():
        memory.check()
        thread.join(0.05)
    assert result["answer"].status == 201
    line = server.wait_log(1)[0]
    assert (line["operation"], line["request_bytes"], line["status"]) == ("blob", BLOB, "success")


@pytest.mark.sim(config=QUICK)
def test_a_blob_that_exists_is_answered_early_and_the_answer_is_read(sim, proxy):
    server = proxy()
    size = 32 * MIB
    digest = hashlib.sha256(b"\0" * size).hexdigest()
    assert upload(server.url, digest, size).status == 201
    for _ in range(3):
        response = requests.post(
            f"{server.url}/api/blobs/sha256:{digest}", data=iter([b"\0" * MIB] * 32), timeout=30
        )
        assert response.status_code == 200


@pytest.mark.sim(config=QUICK)
def test_a_large_download_streams_through_with_bounded_memory(sim, proxy, wire):
    server = proxy()
    server.get("/api/version")
    memory = Memory(server)
    connection = wire(server.url, timeout=60)
    connection.send(request("GET", f"/sim/bytes?n={BLOB}"))
    assert connection.read_head().status == 200
    got = 0
    while chunk := connection.read_chunk():
        got += len(chunk)
        if got % (16 * MIB) < len(chunk):
            memory.check()
    assert got == BLOB


@pytest.mark.sim(config=QUICK)
def test_a_body_that_stops_coming_is_408(proxy, wire):
    server = proxy("--body-timeout", "0.2")
    connection = wire(server.url)
    connection.send(chat()[:-5])
    assert connection.read_answer("POST").status == 408
    assert server.wait_log(1)[0]["error_type"] == "request_timeout"


@pytest.mark.sim(config=ENDLESS)
def test_a_mere_unload_is_a_pass_and_does_not_wait(sim, proxy, wire):
    server = proxy("--max-concurrent", 1)
    running = wire(server.url)
    running.send(chat())
    assert running.read_head().status == 200
    for target, body in (
        ("/api/generate", b'{"model":"m","keep_alive":0}'),
        ("/api/chat", b'{"model":"m","messages":[],"keep_alive":"0s"}'),
    ):
        answer = wire(server.url).ask("POST", target, body)
        assert answer.status == 200
        assert json.loads(answer.body)["done_reason"] == "unload"
    stats = server.stats()
    assert (stats["received"], stats["passes"]["completed"]) == (1, 2)
    running.close()
    server.wait_for(lambda stats: stats["cancelled"] == 1)
