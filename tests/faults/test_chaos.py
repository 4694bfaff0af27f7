"""An Ollama that is killed, stalled and garbled under 200 clients leaves nothing behind in the proxy."""

import asyncio
import os

import mixed
import pytest
import soak

SECONDS = float(os.environ.get("CHAOS_SECONDS", "20"))


@pytest.mark.timeout(SECONDS * 2 + 100)
@pytest.mark.sim(config=mixed.BOX)
def test_chaos_leaves_nothing_behind(sim, proxy):
    server = proxy(*mixed.FLAGS)
    print(asyncio.run(soak.chaos(server, sim, SECONDS)))
