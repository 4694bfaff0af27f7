"""The project of a request: the order of what may tell it, and /@NAME in the URL (PRODUCT 5)."""

import pytest
from boxes import QUICK, chat_body
from wire import request

pytestmark = pytest.mark.sim(config=QUICK)

KEY = "so-alpha-2b1f6c0d9a"

RULES = """
agents = ( { user_agent = "tool/"; project = "of-agent"; } );
listeners = ( { listen = "127.0.0.1:0"; project = "of-listener"; } );
"""

# In order: each alone tells the project when those before it are absent.
FIELDS = [
    ("X-Project-Name", "Docling_Machine", "Docling_Machine"),
    ("X-User-ID", "user-7", "user-7"),
    ("X-Client-ID", "client-7", "client-7"),
    ("Authorization", f"Bearer {KEY}", "of-key"),
    ("X-OpenWebUI-User-Name", "J%C3%BCrgen", "Jürgen"),
    ("X-OpenWebUI-User-Email", "j%40example.org", "j@example.org"),
    ("X-OpenWebUI-User-Id", "4711", "4711"),
]


def forwarded_targets(sim):
    """Of clients' requests; the proxy's own have no X-Request-Id."""
    return [head["target"] for head in sim.state()["heads"] if any("x-request-id" in line.lower() for line in head["lines"])]


def projects(server, count):
    return [line["project_name"] for line in server.wait_log(count)]


def test_what_is_said_first_counts(keyed, wire):
    # without a key requests would be refused, so another one has no project
    server = keyed({KEY: 'project = "of-key";', "so-beta": ""}, RULES)
    expected = []
    for first in range(len(FIELDS) + 2):
        left = [(name, value) for name, value, _ in FIELDS[first:]]
        if "Authorization" not in dict(left):
            left.append(("Authorization", "Bearer so-beta"))
        target = "/@of-prefix/api/chat" if first <= len(FIELDS) else "/api/chat"
        answer = wire(server.url).ask("POST", target, chat_body(stream=False), [("User-Agent", "Tool/1"), *left])
        assert answer.status == 200
        expected.append(FIELDS[first][2] if first < len(FIELDS) else "of-prefix" if first == len(FIELDS) else "of-listener")
    assert projects(server, len(expected)) == expected


def test_without_all_that_it_is_the_agents_rule_then_the_address(ruled, wire):
    server = ruled('agents = ( { user_agent = "tool/"; path = "/api/tags"; project = "of-agent"; } );')
    connection = wire(server.url)
    for target, agent in ("/api/tags", "TOOL/2"), ("/api/v1/models", "tool/3"), ("/api/show", "tool/2"), ("/api/tags", "to"):
        connection.ask("GET", target, headers=[("User-Agent", agent)])
    assert projects(server, 4) == ["of-agent", "of-agent", "127.0.0.1", "127.0.0.1"]


@pytest.mark.parametrize(
    "target,name,forwarded,path",
    [
        ("/@lab/api/tags", "lab", "/api/tags", "/api/tags"),
        ("/@lab//api/%74ags?a=%zz&b=/@x", "lab", "//api/%74ags?a=%zz&b=/@x", "/api/tags"),
        ("/@J%C3%BCrgen%20M/api/tags?", "Jürgen M", "/api/tags?", "/api/tags"),
        ("/@a%2Fb/x/../y;z=%2f", "a/b", "/x/../y;z=%2f", "/x/../y;z=/"),
        ("/%40lab/x", "lab", "/x", "/x"),
        ("//@lab/x", "lab", "/x", "/x"),
        ("/@lab/@lab/x", "lab", "/@lab/x", "/@lab/x"),
        ("/@lab?verbose=1", "lab", "/?verbose=1", "/"),
        ("http://localhost/@lab/x", "lab", "/x", "/x"),
        ("/@lab/api/v1/models?x=%41", "lab", "/api/tags?x=%41", "/api/v1/models"),
        ("/@%01/x", "127.0.0.1", "/x", "/x"),
        ("/@/x", "127.0.0.1", "/@/x", "/@/x"),
        ("/x/@lab", "127.0.0.1", "/x/@lab", "/x/@lab"),
    ],
)
def test_a_pass_loses_its_prefix_and_nothing_else(sim, proxy, wire, target, name, forwarded, path):
    server = proxy("--log-operations", "all")
    wire(server.url).ask("GET", target)
    assert forwarded_targets(sim) == [forwarded]
    (line,) = server.wait_log(1)
    assert (line["project_name"], line["path"]) == (name, path)


def test_a_job_with_a_prefix_is_a_job(sim, proxy, wire):
    server = proxy()
    connection = wire(server.url)
    for target in "/@lab/api/chat", "/@lab/v1/chat/completions?x=%2F", "/@lab/api/v1/vlm/openai":
        assert connection.ask("POST", target, chat_body(stream=False)).status == 200
    lines = server.wait_log(3)
    assert {line["project_name"] for line in lines} == {"lab"}
    assert {line["operation"] for line in lines} == {"chat"}
    assert server.stats()["completed"] == 3
    assert forwarded_targets(sim) == ["/api/chat", "/v1/chat/completions?x=%2F", "/v1/chat/completions"]


def test_a_streamed_body_keeps_its_way_behind_a_prefix(sim, proxy, wire):
    """By the tunnel."""
    server = proxy()
    connection = wire(server.url)
    data = b"x" * 70000
    connection.send(request("POST", "/@lab/api/blobs/sha256:0?%61", data))
    connection.read_answer()
    assert forwarded_targets(sim) == ["/api/blobs/sha256:0?%61"]
    assert projects(server, 1) == ["lab"]


def test_own_endpoints_and_gone_ones_are_there_behind_a_prefix(proxy, wire):
    server = proxy()
    connection = wire(server.url)
    assert connection.ask("GET", "/@lab/api/v1/health").status == 200
    assert connection.ask("GET", "/@lab/api/v1/batch/x").status == 410
    assert connection.ask("HEAD", "/@lab").status == 200


def test_a_broken_name_is_a_bad_request(proxy, wire):
    server = proxy()
    for target in "/@a%zz/api/tags", "/@a%00/api/tags":
        assert wire(server.url).ask("GET", target).status == 400
