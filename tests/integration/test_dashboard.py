"""GET /dashboard: one page from memory, with a policy that lets nothing else in (PRODUCT 6.4)."""

import base64
import hashlib
import re

import pytest
from boxes import QUICK
from programs import ask
from wire import request

pytestmark = pytest.mark.sim(config=QUICK)

PAGE = "/dashboard"
BYTES_MOST = 60 * 1024


def directives(answer):
    rules = [rule.split() for rule in answer.get("Content-Security-Policy").split(";") if rule.strip()]
    return {words[0]: words[1:] for words in rules}


def digest(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def test_one_page_that_needs_nothing_else(proxy, wire):
    connection = wire(proxy().url)
    answer = connection.ask("GET", PAGE)
    page = answer.body.decode()
    assert (answer.status, answer.get("Content-Type")) == (200, "text/html; charset=utf-8")
    assert page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n")
    assert len(answer.body) < BYTES_MOST
    assert not re.findall(r"""(?:src|href|action)\s*=\s*["'](?!#|data:|/api/v1/)""", page)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", page)
    assert not re.search(r"""\s(?:style|on\w+)\s*=\s*["']""", page[: page.index("<script>")])
    # the connection goes on
    assert connection.ask("GET", "/api/v1/health").status == 200


def test_the_policy_names_the_pages_own_style_and_script(proxy, wire):
    answer = wire(proxy().url).ask("GET", PAGE)
    page, policy = answer.body.decode(), directives(answer)
    for element, directive in ("script", "script-src"), ("style", "style-src"):
        found = re.findall(f"<{element}>(.*?)</{element}>", page, re.S)
        assert len(found) == page.count(f"<{element}") == 1
        assert policy.pop(directive) == [digest(found[0])]
    assert policy == {
        "default-src": ["'none'"], "img-src": ["data:"], "connect-src": ["'self'"], "base-uri": ["'none'"], "form-action": ["'none'"],
        "frame-ancestors": ["'none'"], "require-trusted-types-for": ["'script'"], "trusted-types": ["'none'"],
    }  # fmt: skip
    assert answer.get("X-Content-Type-Options") == "nosniff"
    assert answer.get("Referrer-Policy") == "no-referrer"
    assert answer.get("X-Frame-Options") == "DENY"
    assert answer.get("Cache-Control") == "no-store"


def test_head_and_other_methods(proxy, wire):
    connection = wire(proxy().url)
    length = len(connection.ask("GET", PAGE).body)
    head = connection.ask("HEAD", PAGE)
    assert (head.status, head.get("Content-Length"), head.body) == (200, str(length), b"")
    other = connection.ask("POST", PAGE)
    assert (other.status, other.get("Allow")) == (405, "GET, HEAD")


# A browser that opens it cannot send one; what it shows needs it.
def test_the_page_needs_no_key_and_its_figures_do(keyed, wire):
    server = keyed({"so-alpha-2b1f6c0d9a": "admin = true;"})
    connection = wire(server.url)
    assert connection.ask("GET", PAGE).status == 200
    assert connection.ask("GET", "/api/v1/events").status == 401


def test_it_is_where_the_own_endpoints_are(proxy):
    server = proxy("--admin-listen", "127.0.0.1:0")
    assert ask(server.url, "GET", PAGE)[0] == 404
    assert ask(server.own_url, "GET", PAGE)[0] == 200


# By its name a page of another site may point at this machine.
def test_a_name_that_is_not_known_is_refused(proxy, wire):
    connection = wire(proxy().url)
    connection.send(request("GET", PAGE, host="evil.example"))
    assert connection.read_answer().status == 403


def test_it_is_neither_counted_nor_logged(proxy, wire):
    server = proxy("--log-operations", "all")
    assert wire(server.url).ask("GET", PAGE).status == 200
    stats = server.stats()
    assert (stats["received"], stats["passes"]["received"]) == (0, 0)
    assert server.log_lines() == []
