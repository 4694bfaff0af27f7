"""An upstream that closes, flaps or is killed fails only the jobs that it broke twice or in mid-answer (PRODUCT 3.11)."""

import asyncio

import loads
import pytest
from peers import Upstream

FLAGS = ("--max-concurrent", 8, "--max-queue-size", 200)


def run(proxy, load, upstream, *flags):
    async def all_of_it():
        await upstream.up()
        server = await asyncio.to_thread(proxy, *FLAGS, *flags, upstream=f"http://127.0.0.1:{upstream.port}")
        figures = await load(server.port, upstream)
        await asyncio.to_thread(server.wait_idle)
        upstream.down()
        return server, figures

    server, figures = asyncio.run(all_of_it())
    print(load.__name__, figures)
    return server, figures


@pytest.mark.parametrize("closes", ["next", "after"])
def test_no_job_is_lost_over_connections_that_close_at_the_worst_moment(proxy, closes):
    server, figures = run(proxy, loads.closing_connections, Upstream(closes))
    assert figures["answered"] == loads.JOBS
    lines = server.wait_log(loads.JOBS)
    assert {line["status"] for line in lines} == {"success"}
    assert all(line["attempts"] <= 2 for line in lines)


def test_a_flapping_upstream_fails_only_what_it_broke(proxy):
    _, figures = run(proxy, loads.flapping, Upstream(think=0.02, lines=4))
    assert figures["jobs"] > 50
    assert figures["not_begun"] == []


def test_an_upstream_that_is_killed_while_jobs_wait_loses_none(proxy):
    _, figures = run(proxy, loads.killed_while_waiting, Upstream(think=0.3, slots=3), "--max-concurrent", 3)
    assert figures["lost"] == 0
