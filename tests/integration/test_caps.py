"""What may run and wait of a project and of a model (PRODUCT 3.1, 5): the others go on, too many are refused."""

import pytest
from boxes import ENDLESS, chat

ONE_MODEL = ENDLESS["models"][0]
CONFIG = ENDLESS | {"num_parallel": 16, "models": [ONE_MODEL, ONE_MODEL | {"name": "n"}]}
pytestmark = pytest.mark.sim(config=CONFIG)

SCHEDULERS = ["fifo", "turns"]


@pytest.fixture
def held(wire):
    """held(server, project, model): a request that goes on until the test ends."""
    connections = []

    def hold(server, project, model="m"):
        connection = wire(server.url)
        connection.send(chat(model=model, headers=[("X-Project-Name", project)]))
        connections.append(connection)
        server.wait_for(lambda stats: stats["received"] >= len(connections) and stats["reading"] == 0)
        return connection

    yield hold
    for connection in connections:
        connection.close()


def running(server):
    return sorted((job["project"], job["model"]) for job in server.requests() if job["state"] not in ("queued", "reading"))


def reasons(server):
    return [job["reason"] for job in server.requests() if job["state"] == "queued"]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_project_runs_no_more_than_it_may_and_others_go_on(ruled, held, scheduler):
    server = ruled('projects = ( { name = "narrow"; max_concurrent = 1; } );', "--scheduler", scheduler, "--max-concurrent", 4)
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    first = held(server, "narrow")
    held(server, "narrow")
    held(server, "wide")
    server.wait_for(lambda stats: (stats["in_progress"], stats["queued"]) == (2, 1))
    assert running(server) == [("narrow", "m"), ("wide", "m")]
    assert reasons(server) == ["its project runs 1 of 1"]
    first.close()
    server.wait_for(lambda stats: (stats["in_progress"], stats["queued"]) == (2, 0))


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_model_runs_no_more_than_it_may(ruled, held, scheduler):
    server = ruled('models = ( { name = "m"; max_concurrent = 1; } );', "--scheduler", scheduler, "--max-concurrent", 4)
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    held(server, "a")
    held(server, "b", "M:latest")
    server.wait_for(lambda stats: (stats["in_progress"], stats["queued"]) == (1, 1))
    assert reasons(server) == ["its model runs 1 of 1"]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("rule", ['projects = ( { name = "p"; max_queue_size = 1; } );', 'models = ( { name = "m"; max_queue_size = 1; } );'])
def test_beyond_its_places_it_is_refused_and_others_wait(ruled, held, wire, scheduler, rule):
    server = ruled(rule, "--scheduler", scheduler, "--max-concurrent", 1)
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    held(server, "p")
    server.wait_for(lambda stats: stats["in_progress"] == 1)
    held(server, "p")
    server.wait_for(lambda stats: stats["queued"] == 1)
    refused = wire(server.url)
    refused.send(chat(model="m", headers=[("X-Project-Name", "p")]))
    answer = refused.read_answer("POST")
    assert answer.status == 503, answer.body
    assert 1 <= int(answer.get("Retry-After")) <= 60
    held(server, "other", "n")
    server.wait_for(lambda stats: stats["queued"] == 2)
    assert [line["error_type"] for line in server.wait_log(1)] == ["queue_full"]
