"""allow_paths and allow_models, of the settings and of a key (PRODUCT 5)."""

import json

import pytest
from boxes import QUICK, chat_body

CONFIG = {"num_parallel": 16, "models": [*QUICK["models"], QUICK["models"][0] | {"name": "n"}]}
pytestmark = pytest.mark.sim(config=CONFIG)

KEY = "so-alpha-2b1f6c0d9a"
BEARER = [("Authorization", f"Bearer {KEY}")]


def body(**members):
    return json.dumps(members).encode()


def assert_forbidden(answer, word):
    assert answer.status == 403, (answer.status, answer.body)
    assert word in answer.body.decode()


def test_paths_are_prefixes_on_the_decoded_path(proxy, wire):
    connection = wire(proxy("--allow-paths", "/api/tags,/v1/chat").url)
    assert connection.ask("GET", "/api/tags").status == 200
    assert connection.ask("GET", "//api/%74ags").status != 403
    assert connection.ask("POST", "/v1/chat/completions", chat_body(stream=False)).status == 200
    assert connection.ask("POST", "/api/v1/vlm/openai", chat_body(stream=False)).status == 200
    for method, target in [
        ("GET", "/api/ps"),
        ("GET", "/api/tagsx"),
        ("DELETE", "/api/tags/../delete"),
        ("DELETE", "/api/tags/%2e%2e/delete"),
        ("GET", "/"),
        ("POST", "/api/chat"),
        ("POST", "/api/%63hat"),
    ]:
        assert_forbidden(connection.ask(method, target, chat_body() if method == "POST" else b""), "allow_paths")
    assert connection.ask("GET", "/api/v1/health").status == 200


def test_read_only_keeps_the_models_as_they_are(proxy, wire, sim):
    connection = wire(proxy("--allow-paths", "read-only").url)
    for method, target, data in [
        ("GET", "/api/tags", b""),
        ("HEAD", "/", b""),
        ("POST", "/api/show", body(model="m")),
        ("POST", "/api/chat", chat_body(stream=False)),
        ("GET", "/v1/models", b""),
    ]:
        assert connection.ask(method, target, data).status == 200, target
    for method, target in [
        ("POST", "/api/pull"),
        ("POST", "/api/push"),
        ("POST", "/api/create"),
        ("POST", "/api/copy"),
        ("DELETE", "/api/delete"),
        ("POST", "/api/blobs/sha256:00"),
    ]:
        assert_forbidden(connection.ask(method, target, body(model="m")), "allow_paths")
    assert {head["target"] for head in sim.state()["heads"]} >= {"/api/tags", "/api/chat"}
    assert not {head["target"] for head in sim.state()["heads"]} & {"/api/pull", "/api/delete", "/api/create"}


def test_jobs_for_other_models_are_refused(proxy, wire, sim):
    server = proxy("--allow-models", "m,e:latest")
    connection = wire(server.url)
    for model in "m", "m:latest", "M", "library/m":
        assert connection.ask("POST", "/api/chat", chat_body(stream=False, model=model)).status != 403
    answer = connection.ask("POST", "/v1/chat/completions", chat_body(model="n"))
    assert_forbidden(answer, "the model n is not permitted here")
    assert json.loads(answer.body)["error"]["code"] == "forbidden"
    for data in [
        b'{"model":"m","model":"n","messages":[]}',
        b'{"model":"m","MODEL":"n","messages":[]}',
        b'{"model":"m","messages":[]} {"model":"n"}',
        b'{"model":"m"',
        b'{"messages":[]}',
        b'{"model":["m"]}',
        b'{"model":"\\u006e"}',
        b"",
    ]:
        assert_forbidden(connection.ask("POST", "/api/chat", data), "allow_models")
    assert connection.ask("POST", "/api/chat", b'{"model":"\\u006d","stream":false,"messages":[]}').status == 200
    assert_forbidden(connection.ask("POST", "/api/generate", body(model="n", keep_alive=0)), "allow_models")
    assert "/v1/chat/completions" not in {head["target"] for head in sim.state()["heads"]}


def test_passes_for_other_models_are_refused(proxy, wire, sim):
    connection = wire(proxy("--allow-models", "m").url)
    assert connection.ask("POST", "/api/show", body(model="m")).status == 200
    # the older spelling, as Ollama takes it
    assert connection.ask("POST", "/api/show", body(name="m")).status == 200
    assert connection.ask("POST", "/api/show", body(model="", name="m")).status == 200
    assert connection.ask("GET", "/v1/models/m").status == 200
    assert connection.ask("GET", "/api/tags").status == 200
    long = body(model="m", padding="x" * 70000)
    for method, target, data in [
        ("POST", "/api/show", body(model="n")),
        ("POST", "/api/show", body(name="n")),
        ("POST", "/api/show", body(model="n", name="m")),
        ("POST", "/api/show", b'{"model":["n"],"name":"m"}'),
        ("POST", "/api/show", body(model="n" * 300, name="m")),
        ("POST", "/api/chat", chat_body(model="", name="m")),
        ("DELETE", "/api/delete", body(model="n")),
        ("POST", "/api/pull", body(model="n")),
        ("POST", "/api/pull", b""),
        ("POST", "/api/pull", long),
        ("POST", "/api/create", b'{"model":"m","from":"n"}'),
        ("POST", "/api/copy", body(source="n", destination="m")),
        ("POST", "/api/chat/", chat_body()),
        ("GET", "/v1/models/n", b""),
    ]:
        assert_forbidden(connection.ask(method, target, data), "allow_models")
    targets = {head["target"] for head in sim.state()["heads"]}
    assert not targets & {"/api/delete", "/api/pull", "/api/create", "/api/copy", "/v1/models/n"}


def test_a_body_without_length_is_refused_where_models_are_limited(proxy, wire):
    connection = wire(proxy("--allow-models", "m").url)
    connection.send(
        b"POST /api/show HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n"
        b'{"model":"n"}\r\n0\r\n\r\n'
    )
    assert_forbidden(connection.read_answer(), "64 KiB")


def test_a_key_has_lists_of_its_own(keyed, wire):
    other = "so-beta-77d0c1"
    server = keyed({KEY: 'allow_models = ["m"]; allow_paths = ["/api/chat"];', other: ""}, 'allow_models = "m n";')
    connection = wire(server.url)
    assert connection.ask("POST", "/api/chat", chat_body(stream=False), BEARER).status == 200
    assert_forbidden(connection.ask("POST", "/api/chat", chat_body(model="n"), BEARER), "allow_models")
    assert_forbidden(connection.ask("GET", "/api/tags", headers=BEARER), "allow_paths")
    free = [("X-Api-Key", other)]
    assert connection.ask("POST", "/api/chat", chat_body(stream=False, model="n"), free).status == 200
    assert connection.ask("GET", "/api/tags", headers=free).status == 200
    assert_forbidden(connection.ask("POST", "/api/embed", body(model="e", input="x"), free), "allow_models")
    # its own endpoints are no path of Ollama's
    assert connection.ask("GET", "/api/v1/queue/stats", headers=BEARER).status == 200
