"""Pause, resume and cancel: a peer on loopback or an admin key, and no other web page's (PRODUCT 1.3)."""

import http.client

import pytest
from boxes import QUICK

pytestmark = pytest.mark.sim(config=QUICK)

CALLS = [
    ("POST", "/api/v1/queue/pause"),
    ("POST", "/api/v1/queue/resume"),
    ("DELETE", "/api/v1/queue/requests/some-id"),
]
ADMIN, OTHER = "so-alpha-2b1f6c0d9a", "so-beta-77aa01"
BEHIND = {"X-Forwarded-For": "192.0.2.7"}


def is_refused(server, call, headers):
    status, told = server.change(*call, headers=headers)
    assert status in (200, 404, 403), status
    if status == 403:
        assert "changes are for peers on loopback" in told["error"] or "web pages of this origin" in told["error"]
    return status == 403


@pytest.mark.parametrize("call", CALLS)
def test_foreign_pages_may_not(proxy, call):
    server = proxy("--cors-origins", "http://friend.example")
    for origin in "http://evil.example", "http://friend.example", "http://localhost:3000", "null":
        assert is_refused(server, call, {"Origin": origin}), origin
    assert not is_refused(server, call, {"Origin": server.url})
    assert not is_refused(server, call, {})


@pytest.mark.parametrize("call", CALLS)
def test_who_is_not_on_loopback_needs_an_admin_key(keyed, call):
    server = keyed({ADMIN: "admin = true;", OTHER: ""})
    assert not is_refused(server, call, BEHIND)
    server.own_headers = {"Authorization": f"Bearer {OTHER}"}
    assert is_refused(server, call, BEHIND)
    assert not is_refused(server, call, {})
    server.own_headers = {"Authorization": f"Bearer {ADMIN}"}


@pytest.mark.parametrize("call", CALLS)
def test_without_keys_nobody_from_elsewhere_may(proxy, call):
    server = proxy()
    assert is_refused(server, call, BEHIND)
    assert "refused a change" in server.stderr()
    assert not server.health()["paused"]


def test_on_an_admin_listener_only(proxy):
    server = proxy("--admin-listen", "127.0.0.1:0")
    for method, target in CALLS:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
        connection.request(method, target)
        assert connection.getresponse().status == 404
        connection.close()
    assert server.change(*CALLS[0])[0] == 200
