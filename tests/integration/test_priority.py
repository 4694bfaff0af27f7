"""The class of a job: the project's or the key's, else what it asks for, never above a ceiling (PRODUCT 5)."""

import pytest
from boxes import QUICK, chat_body

pytestmark = pytest.mark.sim(config=QUICK)

KEY = "so-alpha-2b1f6c0d9a"
OTHER = "so-beta-77d0c1"

RULES = """
projects = (
  { name = "fixed"; class = "normal"; },
  { name = "capped"; ceiling = "normal"; },
  { name = "night"; class = "batch"; ceiling = "batch"; }
);
agents = ( { path = "/v1/embeddings"; class = "batch"; } );
"""


def classes(server, count):
    return [line["priority"] for line in server.wait_log(count)]


@pytest.mark.parametrize(
    "project,fields,expected",
    [
        ("x", {}, "normal"),
        ("x", {"X-Priority": "interactive"}, "interactive"),
        ("x", {"X-Priority": "HIGH"}, "interactive"),
        ("x", {"X-Queue-Priority": "low"}, "batch"),
        ("x", {"X-Priority": "batch", "X-Queue-Priority": "high"}, "batch"),
        ("x", {"X-Priority": "7", "X-Queue-Priority": "high"}, "interactive"),
        ("x", {"X-Priority": "urgent"}, "normal"),
        ("fixed", {"X-Priority": "high"}, "normal"),
        ("fixed", {"X-Priority": "low"}, "normal"),
        ("capped", {"X-Priority": "high"}, "normal"),
        ("capped", {"X-Priority": "low"}, "batch"),
        ("night", {"X-Priority": "high"}, "batch"),
    ],
)
def test_of_a_project(ruled, wire, project, fields, expected):
    server = ruled(RULES)
    headers = [("X-Project-Name", project), *fields.items()]
    assert wire(server.url).ask("POST", "/api/chat", chat_body(stream=False), headers).status == 200
    assert classes(server, 1) == [expected]


def test_of_a_key(keyed, wire):
    server = keyed({KEY: 'class = "batch";', OTHER: 'ceiling = "normal";'}, RULES)
    for key, project in (KEY, "x"), (KEY, "fixed"), (OTHER, "x"):
        headers = [("X-Api-Key", key), ("X-Project-Name", project), ("X-Priority", "high")]
        assert wire(server.url).ask("POST", "/api/chat", chat_body(stream=False), headers).status == 200
    assert classes(server, 3) == ["batch", "normal", "normal"]


def test_of_a_path(ruled, wire):
    server = ruled(RULES)
    wire(server.url).ask("POST", "/v1/embeddings", b'{"model":"e","input":"x"}')
    wire(server.url).ask("POST", "/@x/v1/embeddings", b'{"model":"e","input":"x"}', [("X-Priority", "high")])
    wire(server.url).ask("POST", "/api/embed", b'{"model":"e","input":"x"}')
    assert classes(server, 3) == ["batch", "batch", "normal"]


def test_passes_and_refused_jobs(ruled, wire):
    server = ruled(RULES, "--allow-models", "e")
    wire(server.url).ask("GET", "/api/tags", headers=[("X-Priority", "high")])
    assert wire(server.url).ask("POST", "/api/chat", chat_body(), [("X-Priority", "high")]).status == 403
    assert classes(server, 2) == [None, "interactive"]
