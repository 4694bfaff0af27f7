"""Several boxes behind HAProxy (docs/several-boxes.md, deploy/haproxy): a real one, three proxies, three simulated Ollamas."""

import concurrent.futures
import contextlib
import json
import signal
import socket

import pytest
from boxes import chat_body, model, talker
from boxes_behind_haproxy import BOXES, Boxes, haproxy_path
from programs import wait_for
from wire import request

pytestmark = pytest.mark.skipif(not haproxy_path(), reason="there is no haproxy")

MODELS = [f"m{i}" for i in range(6)]
# Two models fit into each box.
CONFIG = {"max_loaded_models": 2, "models": [model(name, load_ms=100) for name in MODELS]}
SLOW = {"num_parallel": 1, "models": [model("m", load_ms=0, tokens=300, tokens_per_s=500, num_parallel=1)]}
ENDLESS_ONE = talker(100000, 50, num_parallel=1)
# Over 29 at once a bound of 290 % of a third is less than all.
PLACES = 35


@pytest.fixture
def boxes(tmp_path, make_sim, proxy):
    made = []

    def make(config=CONFIG, *flags):
        made.append(Boxes(tmp_path, make_sim, proxy, config, *flags))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def generate(group, name, **more):
    status, data = group.ask("POST", "/api/generate", {"model": name, "prompt": "hi", "stream": False} | more)
    return status, json.loads(data)


def mixed_traffic(group):
    """Each model has a client that asks eight times, one after the other."""
    with concurrent.futures.ThreadPoolExecutor(len(MODELS)) as pool:
        answers = list(pool.map(lambda name: [generate(group, name)[0] for _ in range(8)], MODELS))
    assert answers == [[200] * 8] * len(MODELS)
    return group.loads()


def by_turns(text):
    text = text.replace("balance hash var(txn.model)", "balance roundrobin")
    return "".join(line for line in text.splitlines(True) if "hash-" not in line)


def test_models_stay_where_they_are(boxes):
    """Far fewer loads than by turns, for the same traffic."""
    group = boxes()
    group.start()
    by_model = mixed_traffic(group)
    group.stop()
    for sim in group.sims:
        sim.reset()
    group.start(by_turns)
    round_robin = mixed_traffic(group)
    print(f"loads: by model {by_model}, round robin {round_robin}")
    # each model once, and a few that a full box handed on
    assert by_model <= 2 * len(MODELS)
    assert by_model * 1.5 <= round_robin


def test_one_model_is_one_box_however_it_is_spelled(boxes):
    group = boxes()
    group.start()
    image = "A" * 100_000
    for name in ["m1", "M1:latest", "m1:latest", "m1"]:
        # the model comes last, as Docling sends it
        status, _ = group.ask("POST", "/api/generate", {"prompt": "hi", "stream": False, "system": image, "model": name})
        assert status == 200
        status, _ = group.ask("POST", "/@lab/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}], "model": name})
        assert status == 200
    assert sorted(server.stats()["completed"] for server in group.proxies) == [0, 0, 8]


def test_passes_and_own_endpoints(boxes):
    group = boxes()
    group.start()
    status, data = group.ask("GET", "/api/tags")
    assert status == 200 and len(json.loads(data)["models"]) == len(MODELS)
    assert group.ask("GET", "/api/v1/health")[0] == 200
    for target in ["/api/v1/queue/stats", "//api/v1/queue/requests", "/@lab/metrics", "/api/v1%2Fconfig"]:
        status, data = group.ask("GET", target)
        assert status == 404 and json.loads(data) == {"error": "ask the box itself"}, target
    assert group.ask("POST", "/api/v1/queue/pause", {})[0] == 404
    assert [server.stats()["paused"] for server in group.proxies] == [False] * BOXES


def test_who_asks_is_known_behind_it(boxes):
    group = boxes()
    group.start()
    for headers in [{}, {"X-Project-Name": "lab"}]:
        assert group.ask("POST", "/api/generate", {"model": "m1", "prompt": "hi", "stream": False}, headers)[0] == 200
    lines = [line for server in group.proxies for line in server.log_lines()]
    assert sorted(line["project_name"] for line in lines) == ["127.0.0.1", "lab"]


def busy(group, count):
    """So many slow requests for one model, from clients of their own: (pool, futures)."""
    pool = concurrent.futures.ThreadPoolExecutor(count)
    return pool, [pool.submit(generate, group, "m") for _ in range(count)]


def hold(group, stack, name="m"):
    """A streamed chat that nobody reads, until `stack` is closed."""
    connection = socket.create_connection(group.address())
    stack.enter_context(connection)
    connection.sendall(request("POST", "/api/chat", chat_body(model=name)))
    return connection


def jobs(server):
    stats = server.stats()
    return stats["in_progress"] + stats["queued"]


def test_a_hot_model_goes_elsewhere_only_when_its_box_is_full(boxes):
    """One runs and PLACES wait on its box, none elsewhere; the next one finds a place on another box."""
    group = boxes(ENDLESS_ONE, "--max-concurrent", "1", "--max-queue-size", str(PLACES), "--default-timeout", "600")
    group.start()
    with contextlib.ExitStack() as stack:
        for _ in range(PLACES + 1):
            hold(group, stack)
        wait_for(lambda: sum(map(jobs, group.proxies)) == PLACES + 1, 20, "all of them in a queue")
        assert sorted(map(jobs, group.proxies)) == [0, 0, PLACES + 1]
        wait_for(lambda: sorted(group.weights()) == [1, 100, 100], 20, "the weight of a full ring")
        hold(group, stack)
        wait_for(lambda: sum(map(jobs, group.proxies)) == PLACES + 2, 20, "the next one on another box")
        assert sorted(map(jobs, group.proxies)) == [0, 1, PLACES + 1]
        assert sum(server.stats()["rejected"] for server in group.proxies) == 0
    wait_for(lambda: group.weights() == [100] * BOXES, 20, "the weight of an empty ring")


def test_who_leaves_ends_the_work_behind_it(boxes):
    group = boxes(ENDLESS_ONE, "--max-concurrent", "1")
    group.start()
    with contextlib.ExitStack() as stack:
        first, second = hold(group, stack), hold(group, stack)
        home = wait_for(lambda: next((server for server in group.proxies if jobs(server) == 2), None))
        home.wait_for(lambda stats: stats["queued"] == 1)
        for left, connection in enumerate([second, first], 1):
            connection.close()
            home.wait_for(lambda stats, left=left: stats["cancelled"] == left)


@pytest.mark.parametrize("how", ["killed", "drained"])
def test_a_box_that_goes_loses_nothing_that_had_not_begun(boxes, how):
    group = boxes(SLOW, "--max-concurrent", "1")
    group.start()
    pool, answers = busy(group, 9)
    wait_for(lambda: sum(server.stats()["queued"] + server.stats()["in_progress"] for server in group.proxies) == 9)
    home = max(group.proxies, key=lambda server: server.stats()["queued"])
    assert home.stats()["queued"] > 0
    if how == "killed":
        home.kill()
    else:
        home.signal(signal.SIGTERM)
    later_pool, later = busy(group, 3)
    # none of them has begun: their answers come in one piece
    assert [answer.result(60)[0] for answer in answers + later] == [200] * 12
    pool.shutdown()
    later_pool.shutdown()
    if how == "drained":
        home.wait_exit()


def test_a_box_without_its_ollama_gets_no_more(boxes):
    group = boxes()
    group.start()
    dead = group.sims[0]
    dead.kill()
    wait_for(lambda: group.weights()[0] == -1, 20, "the box whose Ollama is dead")
    for name in MODELS:
        assert generate(group, name)[0] == 200
    assert group.proxies[0].stats()["received"] == 0
    dead.restart()
    wait_for(lambda: group.weights()[0] == 100, 20, "the box whose Ollama is back")


def test_a_few_at_once_do_not_load_a_model_twice(boxes):
    group = boxes(SLOW, "--max-concurrent", "1")
    group.start()
    pool, answers = busy(group, 6)
    assert [answer.result(60)[0] for answer in answers] == [200] * 6
    pool.shutdown()
    assert sorted(server.stats()["completed"] for server in group.proxies) == [0, 0, 6]
