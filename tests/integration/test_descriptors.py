"""Running out of descriptors says nothing about Ollama and is survived (PRODUCT 2, 3.10)."""

import resource

import pytest
from boxes import ENDLESS, chat
from wire import request

# below it stand only stdin, stdout and stderr, which are open: no descriptor can be had, whatever is closed meanwhile
NO_DESCRIPTOR = 3


@pytest.mark.sim(config=ENDLESS)
def test_out_of_descriptors_is_not_taken_for_a_dead_ollama(proxy, wire):
    # turns' own requests would leave a connection that the first job could use
    server = proxy("--scheduler", "fifo")
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    running, first, second, other = (wire(server.url) for _ in range(4))
    for connection in (running, first, second, other):
        assert connection.ask("GET", "/api/version").status == 200
    running.send(chat())
    assert running.read_head().status == 200
    before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    # no further descriptor: neither for a job's nor for a pass's connection to Ollama, nor for a probe's
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (NO_DESCRIPTOR, before[1]))
    answers = []
    for connection, asked in ((first, chat()), (second, chat()), (other, request("DELETE", "/api/nothing", b"x"))):
        connection.send(asked)
        answers.append(connection.read_head())
        connection.read_exactly(int(answers[-1].get("Content-Length") or 0))
    # what is kept open to Ollama may serve one of them; the others are told to come again
    assert 503 in [answer.status for answer in answers]
    assert 502 not in [answer.status for answer in answers]
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)
    assert server.stats()["upstream"]["state"] == "up"
    late = wire(server.url)
    late.send(chat())
    assert late.read_head().status == 200
    for connection in (running, first, second, late):
        connection.close()
    server.wait_for(lambda stats: stats["in_progress"] == 0)
