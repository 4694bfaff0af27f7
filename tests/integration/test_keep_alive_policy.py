"""keep_alive_policy (PRODUCT 5): a client's own keep_alive is passed, replaced, or cut."""

import json

import pytest
from boxes import QUICK

pytestmark = pytest.mark.sim(config=QUICK)


def sent(server, recorder, wire, text, target="/api/generate"):
    """What reaches Ollama of a body with this keep_alive."""
    before = b'{"model":"m", "keep_alive" : %s ,"prompt":"x","messages":[],"stream":false}'
    assert wire(server.url).ask("POST", target, before % text).status == 200
    body = recorder.bodies(target)[-1]
    kept, behind = before.split(b"%s")
    assert body.startswith(kept) and body.endswith(behind)
    return body[len(kept) : len(body) - len(behind)]


@pytest.mark.parametrize(
    "policy, values",
    [
        ("pass", {b'"2h"': b'"2h"', b"-1": b"-1"}),
        ("cap", {b'"2h"': b'"30m"', b"1801": b'"30m"', b"-1": b'"30m"', b'"-1m"': b'"30m"'}),
        ("cap", {b'"5m"': b'"5m"', b"1800": b"1800", b"0": b"0", b'"30m"': b'"30m"'}),
        ("override", {b'"5m"': b'"30m"', b"-1": b'"30m"', b"0": b'"30m"', b"null": b"null"}),
    ],
)
def test_what_a_client_says_is_measured_by_the_policy(proxy, recorder, wire, policy, values):
    server = proxy("--keep-alive-policy", policy, "--keep-alive", "30m", upstream=recorder.url)
    for before, after in values.items():
        assert sent(server, recorder, wire, before) == after


def test_a_mere_unload_stays_one(proxy, recorder, wire):
    server = proxy("--keep-alive-policy", "override", "--keep-alive", "30m", upstream=recorder.url)
    body = b'{"model":"m","keep_alive":0}'
    answer = wire(server.url).ask("POST", "/api/generate", body)
    assert json.loads(answer.body)["done_reason"] == "unload"
    assert recorder.bodies("/api/generate")[-1] == body


def test_v1_has_no_keep_alive(proxy, recorder, wire):
    server = proxy("--keep-alive-policy", "override", "--keep-alive", "30m", upstream=recorder.url)
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}],"keep_alive":"5m"}'
    assert wire(server.url).ask("POST", "/v1/chat/completions", body).status == 200
    assert recorder.bodies("/v1/chat/completions") == [body]


def test_what_is_wanted_may_be_a_projects(proxy, recorder, wire, tmp_path):
    file = tmp_path / "rules.conf"
    file.write_text('projects = ( { name = "Pages"; keep_alive = "60m"; } );\n')
    flags = ("--config", file, "--keep-alive-policy", "cap", "--keep-alive", "30m")
    connection = wire(proxy(*flags, upstream=recorder.url).url)
    body = b'{"model":"m","prompt":"x","stream":false,"keep_alive":"2h"}'
    for headers, wanted in (([], b'"30m"'), ([("X-Project-Name", "Pages")], b'"60m"')):
        assert connection.ask("POST", "/api/generate", body, headers).status == 200
        assert recorder.bodies("/api/generate")[-1] == body.replace(b'"2h"', wanted)
