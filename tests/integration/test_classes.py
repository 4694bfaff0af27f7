"""The higher class goes first on its model, whoever came first (PRODUCT 3.4)."""

import pytest
from boxes import ENDLESS, chat
from programs import wait_for

RULES = """
projects = (
	{ name = "pages"; class = "batch"; },
	{ name = "chat"; class = "interactive"; }
);
"""


def running(server):
    return [job["project"] for job in server.requests() if job["state"] == "streaming"]


@pytest.mark.sim(config=ENDLESS)
def test_an_interactive_project_is_before_a_normal_one_and_batch_is_last(ruled, wire):
    server = ruled(RULES, "--scheduler", "turns", "--max-concurrent", 1)
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    connections = {}
    for count, project in enumerate(("first", "pages", "someone", "chat"), 1):
        connections[project] = wire(server.url)
        connections[project].send(chat(headers=[("X-Project-Name", project)]))
        server.wait_for(lambda stats, n=count: stats["in_progress"] + stats["queued"] == n and stats["in_progress"] == 1)
    waiting = {job["project"]: job for job in server.requests() if job["state"] == "queued"}
    assert {name: job["place"] for name, job in waiting.items()} == {"chat": 1, "someone": 2, "pages": 3}
    assert "2 before this one; batch: goes after the others" in waiting["pages"]["reason"]
    assert waiting["chat"]["reason"].endswith("0 before this one; interactive: goes before the others")
    for project in ("first", "chat", "someone", "pages"):
        wait_for(lambda wanted=project: running(server) == [wanted], what=f"{project} to be served")
        connections[project].close()
