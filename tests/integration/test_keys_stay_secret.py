"""A key is nowhere after its request: not in the log, stderr, the configuration shown, nor the process's memory."""

import json
import os
import re

import pytest
from boxes import ENDLESS, QUICK, chat, chat_body
from programs import wait_for
from wire import request

# Reserved, not used: a sanitizer's shadow.
MAPPING_MOST = 1 << 30


def memory_has(pid, needle):
    """The places in a process's readable memory where these bytes stand."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", 0) as memory, open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
            if not match:
                continue
            begin, end = (int(text, 16) for text in match.groups())
            if end - begin > MAPPING_MOST:
                continue
            try:
                memory.seek(begin)
                data = memory.read(end - begin)
            except (OSError, OverflowError):  # [vvar], [vsyscall]
                continue
            found += [f"{line.strip()} at {place.start():x}" for place in re.finditer(re.escape(needle), data)]
    return found


def new_key():
    return "so-" + os.urandom(20).hex()


def assert_nowhere(server, *keys):
    for key in keys:
        for part in key, key[:16], key[-16:]:
            assert memory_has(server.pid, part.encode()) == [], "the key is in memory"
        assert key not in server.all_stderr()
        assert not any(key in str(line) for line in server.log_lines())


@pytest.mark.sim(config=QUICK)
def test_the_search_finds_what_is_there(proxy):
    server = proxy("--spool-directory", "/needle-in-the-haystack")
    assert memory_has(server.pid, b"needle-in-the-haystack")


@pytest.mark.sim(config=QUICK)
def test_nothing_is_left_after_the_requests(keyed, wire):
    key, other = new_key(), new_key()
    server = keyed({key: 'project = "P";', other: ""})
    bearer = [("Authorization", f"Bearer {key}")]
    connection = wire(server.url)
    assert connection.ask("POST", "/api/chat", chat_body(), bearer).status == 200
    assert connection.ask("POST", "/v1/messages", chat_body(stream=False), [("X-Api-Key", other)]).status == 200
    assert connection.ask("GET", "/api/tags", headers=[("X-Api-Key", other), *bearer]).status == 200
    assert connection.ask("POST", "/api/blobs/sha256:00", b"x" * 100000, bearer).status >= 400
    # a head in pieces, pipelined heads, a head that never becomes whole, and one that is malformed
    connection.send_in_pieces(request("GET", "/api/tags", headers=bearer), 7)
    assert connection.read_answer().status == 200
    connection.send(request("GET", "/api/tags", headers=bearer) * 3)
    for _ in range(3):
        assert connection.read_answer().status == 200
    half = wire(server.url)
    half.send(request("GET", "/api/tags", headers=bearer)[:-2])
    malformed = wire(server.url)
    malformed.send(request("GET", "/api/tags", headers=[*bearer, ("Bad Name", "x")]))
    assert malformed.read_answer().status == 400
    for peer in half, malformed, connection:
        peer.close()
    server.own_headers = {}
    config = wire(server.url).ask("GET", "/api/v1/config", headers=bearer)
    shown = json.loads(config.body)
    assert [entry["hash"] for entry in shown["keys"]] == ["hidden", "hidden"]
    server.own_headers = dict(bearer)
    server.wait_for(lambda stats: stats["connections"] <= 2)
    assert_nowhere(server, key, other)


@pytest.mark.sim(config=ENDLESS)
def test_nothing_is_left_while_a_job_runs_or_waits(keyed, wire):
    key = new_key()
    server = keyed({key: ""}, "max_concurrent = 1;")
    running, waiting = wire(server.url), wire(server.url)
    running.send(chat(headers=[("Authorization", f"Bearer {key}")]))
    running.read_head()
    waiting.send(chat(headers=[("X-Api-Key", key)]))
    server.wait_for(lambda stats: stats["queued"] == 1)
    assert_nowhere(server, key)
    running.close()
    waiting.close()


@pytest.mark.sim(config=QUICK)
def test_wrong_keys_are_not_kept_either(keyed, wire):
    key, wrong = new_key(), new_key()
    server = keyed({key: ""})
    answer = wire(server.url).ask("POST", "/api/chat", chat_body(), [("Authorization", f"Bearer {wrong}")])
    assert answer.status == 401
    assert wrong not in answer.body.decode() + str(answer.headers)
    # it goes with the head, when the answer was handed to the kernel
    wait_for(lambda: not memory_has(server.pid, wrong[:16].encode()))
    assert_nowhere(server, wrong)
