"""API keys: who needs one, what is forwarded, whose project it is, how often it may ask (PRODUCT 5)."""

import json

import pytest
from boxes import QUICK, chat_body

pytestmark = pytest.mark.sim(config=QUICK)

KEY = "so-alpha-2b1f6c0d9a"
OTHER = "so-beta-77d0c1"
BEARER = [("Authorization", f"Bearer {KEY}")]


def fields_at(sim, target):
    """The fields of the latest head for this target, by their names in lower case."""
    head = [head for head in sim.state()["heads"] if head["target"] == target][-1]
    pairs = [line.split(": ", 1) for line in head["lines"] if ": " in line]
    return {name.lower(): value for name, value in pairs}


@pytest.mark.parametrize(
    "method,target,path",
    [
        ("POST", "/api/chat", ["error"]),
        ("GET", "/api/tags", ["error"]),
        ("POST", "/v1/chat/completions", ["error", "message"]),
        ("GET", "/v1/models", ["error", "message"]),
        ("POST", "/v1/messages", ["error", "message"]),
        ("GET", "/api/v1/queue/stats", ["error"]),
        ("GET", "/api/v1/config", ["error"]),
    ],
)
def test_without_a_key_401_in_the_shape_of_the_api(keyed, wire, method, target, path):
    server = keyed({KEY: ""})
    for headers in [], [("Authorization", "Bearer wrong")], [("X-Api-Key", "wrong")]:
        answer = wire(server.url).ask(method, target, chat_body() if method == "POST" else b"", headers)
        assert answer.status == 401
        assert answer.get("WWW-Authenticate") == "Bearer"
        text = json.loads(answer.body)
        if target == "/v1/messages":
            assert text["error"]["type"] == "authentication_error"
        for step in path:
            text = text[step]
        assert text.startswith("send an API key")


def test_refused_jobs_and_passes_are_counted_and_logged_and_own_endpoints_are_not(keyed, wire):
    server = keyed({KEY: ""})
    wire(server.url).ask("POST", "/api/chat", chat_body())
    wire(server.url).ask("GET", "/api/tags")
    wire(server.url).ask("GET", "/api/v1/queue/stats")
    lines = server.wait_log(2)
    assert [line["error_type"] for line in lines] == ["unauthorized"] * 2
    stats = server.stats()
    assert (stats["rejected"], stats["passes"]["rejected"]) == (1, 1)
    assert len(server.log_lines()) == 2


def test_health_needs_no_key(keyed, wire):
    assert wire(keyed({KEY: ""}).url).ask("GET", "/api/v1/health").status == 200


def test_a_body_on_its_way_is_refused_early_and_the_connection_lives(keyed, wire):
    connection = wire(keyed({KEY: ""}).url)
    assert connection.ask("POST", "/api/chat", b"x" * 300000).status == 401
    assert connection.ask("GET", "/api/tags", headers=BEARER).status == 200


def test_our_key_is_not_forwarded_and_other_credentials_are(keyed, wire, sim):
    server = keyed({KEY: ""})
    connection = wire(server.url)
    assert connection.ask("GET", "/api/tags?1", headers=BEARER).status == 200
    both = [("Authorization", "Bearer upstreams-own"), ("X-Api-Key", KEY)]
    assert connection.ask("GET", "/api/tags?2", headers=both).status == 200
    answer = connection.ask("POST", "/v1/messages", chat_body(stream=False, max_tokens=3), [("x-api-key", KEY)])
    assert answer.status == 200
    assert KEY not in json.dumps(sim.state())
    assert "via" in fields_at(sim, "/api/tags?1")
    assert "authorization" not in fields_at(sim, "/api/tags?1")
    second = fields_at(sim, "/api/tags?2")
    assert second["authorization"] == "Bearer upstreams-own"
    assert "x-api-key" not in second


def test_without_keys_every_authorization_passes(proxy, wire, sim):
    headers = [("Authorization", f"Bearer {KEY}"), ("X-Api-Key", "k")]
    assert wire(proxy().url).ask("GET", "/api/tags?3", headers=headers).status == 200
    seen = fields_at(sim, "/api/tags?3")
    assert seen["authorization"] == f"Bearer {KEY}"
    assert seen["x-api-key"] == "k"


@pytest.mark.parametrize(
    "headers,project",
    [
        ([], "Lab"),
        ([("X-Client-ID", "client")], "client"),
        ([("X-User-ID", "user"), ("X-Client-ID", "client")], "user"),
        ([("X-User-ID", "user"), ("X-Project-Name", "name")], "name"),
        ([("X-Project-Name", " ")], "Lab"),
    ],
)
def test_whose_project_it_is(keyed, wire, headers, project):
    server = keyed({KEY: 'project = "Lab";'})
    assert wire(server.url).ask("POST", "/api/chat", chat_body(stream=False), BEARER + headers).status == 200
    assert server.wait_log(1)[0]["project_name"] == project


def test_a_key_without_project_leaves_the_address(keyed, wire):
    server = keyed({KEY: ""})
    assert wire(server.url).ask("GET", "/api/tags", headers=BEARER).status == 200
    assert server.wait_log(1)[0]["project_name"] == "127.0.0.1"


def test_over_the_rate_429_with_retry_after(keyed, wire):
    server = keyed({KEY: "rate = 3;", OTHER: ""})
    connection = wire(server.url)
    for _ in range(3):
        assert connection.ask("POST", "/api/chat", chat_body(stream=False), BEARER).status == 200
    for method, target in ("POST", "/v1/chat/completions"), ("GET", "/api/tags"):
        answer = connection.ask(method, target, chat_body() if method == "POST" else b"", BEARER)
        assert answer.status == 429
        assert 15 <= int(answer.get("Retry-After")) <= 20
    assert connection.ask("GET", "/api/tags", headers=[("X-Api-Key", OTHER)]).status == 200
    assert [line["error_type"] for line in server.wait_log(6)].count("rate_limited") == 2


def test_a_mistake_in_the_list_names_file_and_line_and_no_secret(tmp_path):
    import subprocess

    from programs import program_path

    file = tmp_path / "wrong.conf"
    file.write_text(f'keys = (\n{{ name = "a"; hash = "{KEY}"; }}\n);\n')
    run = subprocess.run([program_path("SHARED_OLLAMA"), "-c", file], capture_output=True, text=True)
    assert run.returncode == 1
    assert "wrong.conf:2: keys: hash must be" in run.stderr
    assert KEY not in run.stderr


def test_an_open_listener_without_keys_is_said(keyed, proxy):
    assert "docs/security.md" in proxy("--listen", "0.0.0.0:0").stderr()
    assert "docs/security.md" not in proxy().stderr()
    assert "docs/security.md" not in keyed({KEY: ""}, "", "--listen", "0.0.0.0:0").stderr()
