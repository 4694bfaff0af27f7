"""Rules for listeners: whose requests they are, and what may be asked there (PRODUCT 5)."""

import json

import jsonschema
import pytest
from boxes import QUICK, chat_body
from programs import SCHEMAS

CONFIG = {"num_parallel": 16, "models": [*QUICK["models"], QUICK["models"][0] | {"name": "n"}]}
pytestmark = pytest.mark.sim(config=CONFIG)

# The kernel chooses the port; the rule names the address as it is spelled.
LIMITED = "127.0.0.2:0"


@pytest.fixture
def both(ruled):
    """both(members): a proxy with an open listener and one whose rule has these members; (program, url, url)."""

    def make(members, text=""):
        server = ruled(f'{text}\nlisteners = ( {{ listen = "{LIMITED}"; {members} }} );', "--listen", LIMITED)
        urls = {address.rsplit(":", 1)[0]: f"http://{address}" for address in server.addresses()}
        return server, urls["127.0.0.1"], urls["127.0.0.2"]

    return make


def assert_forbidden(answer, word):
    assert (answer.status, word in answer.body.decode()) == (403, True), answer.body


def test_a_listener_has_a_project(both, wire):
    server, free, limited = both('project = "notebooks";')
    assert wire(free).ask("GET", "/api/tags").status == 200
    assert wire(limited).ask("GET", "/api/tags").status == 200
    assert wire(limited).ask("POST", "/api/chat", chat_body(stream=False)).status == 200
    assert wire(limited).ask("GET", "/api/tags", headers=[("X-Project-Name", "own")]).status == 200
    names = [line["project_name"] for line in server.wait_log(4)]
    assert names == ["127.0.0.1", "notebooks", "notebooks", "own"]


def test_a_listener_has_paths_of_its_own(both, wire, sim):
    server, free, limited = both('allow_paths = [ "read-only" ];')
    assert wire(free).ask("DELETE", "/api/delete", b'{"model":"zz"}').status == 404
    connection = wire(limited)
    assert connection.ask("GET", "/api/tags").status == 200
    assert connection.ask("POST", "/api/chat", chat_body(stream=False)).status == 200
    assert_forbidden(connection.ask("DELETE", "/api/delete", b'{"model":"m"}'), "allow_paths")
    assert_forbidden(connection.ask("DELETE", "/@x/api/delete", b'{"model":"m"}'), "allow_paths")
    assert_forbidden(connection.ask("GET", "/@x/api/tags/../delete"), "allow_paths")
    # its own endpoints are no path of Ollama's
    assert connection.ask("GET", "/api/v1/health").status == 200
    assert server.wait_idle()["passes"]["rejected"] == 3


def test_a_listener_has_models_of_its_own(both, wire, sim):
    server, free, limited = both('allow_models = [ "m" ];')
    assert wire(free).ask("POST", "/api/chat", chat_body(stream=False, model="n")).status == 200
    connection = wire(limited)
    assert connection.ask("POST", "/api/chat", chat_body(stream=False, model="M:latest")).status == 200
    assert_forbidden(connection.ask("POST", "/api/chat", chat_body(stream=False, model="n")), "the model n")
    assert_forbidden(connection.ask("POST", "/api/show", b'{"model":"n"}'), "allow_models")
    assert_forbidden(connection.ask("GET", "/v1/models/n"), "allow_models")
    assert_forbidden(connection.ask("POST", "/api/copy", b'{"source":"n","destination":"m"}'), "allow_models")
    assert connection.ask("POST", "/api/show", b'{"model":"m"}').status == 200
    assert server.wait_idle()["rejected"] == 1


def test_settings_and_listener_must_both_permit(both, wire):
    _, free, limited = both('allow_models = "m n"; allow_paths = "/api";', 'allow_models = "m e"; allow_paths = "/api/chat /v1";')
    for model, status in ("m", 200), ("n", 403), ("e", 403):
        assert wire(limited).ask("POST", "/api/chat", chat_body(stream=False, model=model)).status == status
    for target in "/api/tags", "/v1/models":
        assert_forbidden(wire(limited).ask("GET", target), "allow_paths")
    assert wire(free).ask("GET", "/v1/models").status == 200


def test_a_rule_needs_its_listener(tmp_path, proxy):
    file = tmp_path / "wrong.conf"
    file.write_text('listeners = ( { listen = "127.0.0.9:1"; project = "p"; } );')
    with pytest.raises(AssertionError, match="none of listen: add it there"):
        proxy("--config", file)


def test_the_rules_are_shown(both):
    server, _, _ = both('project = "notebooks"; allow_models = "m";', 'projects = ( { name = "a"; patience = 1.5; } );')
    shown = server.own("/api/v1/config")
    schema = json.loads((SCHEMAS / "config.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(shown)
    assert shown["listeners"] == [
        {"listen": LIMITED, "project": "notebooks", "allow_paths": [], "allow_models": ["m"]}
    ]
    assert (shown["projects"][0]["name"], shown["projects"][0]["patience"]) == ("a", 1.5)
