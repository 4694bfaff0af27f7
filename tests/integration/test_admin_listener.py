"""Own endpoints on a listener of their own, and the configuration that they show (PRODUCT 1.3)."""

import json
import subprocess

import jsonschema
import pytest
from boxes import QUICK, chat_body
from programs import SCHEMAS, ask, program_path

pytestmark = pytest.mark.sim(config=QUICK)

OWN = ["/api/v1/health", "/api/v1/queue/stats", "/api/v1/queue/requests", "/api/v1/config"]


@pytest.fixture
def split(proxy):
    return proxy("--admin-listen", "127.0.0.1:0")


def test_own_endpoints_are_there_and_nothing_else(split, wire):
    admin = wire(split.own_url)
    for target in OWN:
        assert admin.ask("GET", target).status == 200
    for method, target in ("GET", "/api/tags"), ("POST", "/api/chat"), ("GET", "/api/v1/models"), ("GET", "/api/v1/pdl"):
        answer = admin.ask(method, target, chat_body() if method == "POST" else b"")
        assert answer.status == 404
        assert json.loads(answer.body)["error"]


def test_the_public_listener_has_the_rest(split, wire):
    public = wire(split.url)
    for target in OWN:
        assert public.ask("GET", target).status == 404
    assert public.ask("GET", "/api/tags").status == 200
    assert public.ask("GET", "/api/v1/models").status == 200
    assert public.ask("POST", "/api/v1/pdl").status == 410
    assert public.ask("POST", "/api/chat", chat_body(stream=False)).status == 200


def test_what_is_not_served_is_neither_counted_nor_logged(split, wire):
    wire(split.url).ask("GET", "/api/v1/health")
    wire(split.own_url).ask("POST", "/api/chat", chat_body())
    stats = split.stats()
    assert (stats["received"], stats["passes"]["received"]) == (0, 0)
    assert split.log_lines() == []


def test_the_health_command_asks_there(split):
    address = split.own_url.removeprefix("http://")
    run = subprocess.run(
        [program_path("SHARED_OLLAMA"), "health", "--listen", "127.0.0.1:1", "--admin-listen", address],
        capture_output=True,
        text=True,
    )
    assert run.stdout.startswith("ok:")
    assert run.returncode == 0


def test_a_taken_address_names_the_flag(split):
    taken = split.own_url.removeprefix("http://")
    run = subprocess.run(
        [program_path("SHARED_OLLAMA"), "--listen", "127.0.0.1:0", "--admin-listen", taken, "--request-log", ""],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert "--admin-listen" in run.stderr


def test_the_configuration_in_force(proxy):
    server = proxy("--max-queue-size", 7, "--default-timeout", "9.5", "--key-salt", "pepper")
    status, data = server.get("/api/v1/config")
    assert status == 200
    shown = json.loads(data)
    schema = json.loads((SCHEMAS / "config.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(shown)
    values = {row["name"]: row for row in shown["settings"]}
    assert values["max_queue_size"]["value"] == "7"
    assert values["max_queue_size"]["default"] == "50"
    assert (values["default_timeout"]["value"], values["default_timeout"]["unit"]) == ("9.5", "seconds")
    assert values["key_salt"]["value"] == "hidden"
    assert b"pepper" not in data


def test_the_configuration_behind_a_proxy_needs_an_admin_key(keyed):
    plain, admin = "so-alpha-2b1f6c0d9a", "so-chief-2b1f6c0d9a"
    server = keyed({plain: "", admin: "admin = true;"})

    def status(key, **more):
        headers = {"Authorization": f"Bearer {key}"} | more
        return ask(server.url, "GET", "/api/v1/config", headers=headers)[0]

    assert status(plain) == 200
    assert status(plain, **{"X-Forwarded-For": "192.0.2.9"}) == 403
    assert status(admin, **{"X-Forwarded-For": "192.0.2.9"}) == 200
