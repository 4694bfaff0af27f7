"""A real Prometheus scrapes the proxy: the rules and the boards in deploy/ find what they ask for."""

import json

import pytest
from boxes import chat_body, model
from programs import wait_for
from prometheus import DEPLOY, Prometheus, promtool

BOX = {"num_parallel": 4, "models": [model("a", load_ms=300)]}
RULES = DEPLOY / "prometheus"


def test_the_rules_are_sound_and_fire_when_they_should():
    promtool("check", "rules", str(RULES / "rules.yml"))
    promtool("check", "config", str(RULES / "prometheus.yml"))
    promtool("test", "rules", "rules_test.yml", cwd=RULES)


def boards():
    return [json.loads(path.read_text()) for path in sorted((DEPLOY / "grafana").glob("*.json"))]


def board_queries():
    """(board's and panel's title, query), as Grafana would ask for all boxes."""
    for board in boards():
        for panel in board["panels"]:
            for target in panel["targets"]:
                expression = target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")
                assert "$" not in expression
                yield f'{board["title"]}: {panel["title"]}', expression


@pytest.mark.sim(config=BOX)
def test_rules_and_boards_find_their_series(proxy, wire, tmp_path):
    server = proxy()
    prometheus = Prometheus(tmp_path / "prometheus", server.url.removeprefix("http://"))
    try:
        names = wait_for(lambda: [labels["__name__"] for labels, _ in prometheus.query('{job="shared-ollama"}')], 30, "a scrape")
        assert "shared_ollama_build_info" in names

        def work():
            for target in ("/api/chat", "/v1/chat/completions"):
                assert wire(server.url).ask("POST", target, chat_body(model="a"), [("X-Project-Name", "p")]).status == 200

        missing = []

        def is_complete():
            """A rate needs two scrapes between which something happened; a model's histogram begins with its first job."""
            work()
            missing[:] = [(title, expression) for title, expression in board_queries() if not prometheus.query(expression)]
            return not missing

        wait_for(is_complete, 60, missing)
        assert len({board["uid"] for board in boards()}) == 2
        # what an idle box tells HAProxy, as the board has it
        weight = next(query for title, query in board_queries() if "for HAProxy" in title)
        assert [value for _, value in prometheus.query(weight)] == ["100"]
        rules = wait_for(lambda: all(rule["health"] == "ok" for rule in prometheus.rules()) and prometheus.rules(), 30, "rules")
        assert len(rules) == (RULES / "rules.yml").read_text().count("- alert:")
        assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []
        assert prometheus.query("up") == [({"__name__": "up", "instance": server.url.removeprefix("http://"), "job": "shared-ollama"}, "1")]
    finally:
        prometheus.stop()
