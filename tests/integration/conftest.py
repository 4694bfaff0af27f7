"""Fixtures for the integration tests: the real program in front of the simulated Ollama (README.md in this folder)."""

import contextlib
import hashlib
import os

import pytest

# before they are imported, so that their assertions show values
pytest.register_assert_rewrite("programs", "tls", "wire")

from programs import Proxy, Sim  # noqa: E402
from recorder import Recorder  # noqa: E402
from wire import Wire  # noqa: E402


@pytest.fixture
def make_sim(tmp_path):
    """make_sim(config=None, time_scale=None): another simulated Ollama; ended and checked after the test."""
    with contextlib.ExitStack() as stack:
        made = []

        def make(config=None, time_scale=None):
            sim = Sim(tmp_path, config, time_scale, name=f"ollama-sim-{len(made)}")
            made.append(sim)
            stack.callback(end, sim)
            return sim

        yield make


@pytest.fixture
def sim(make_sim, request):
    """A simulated Ollama; @pytest.mark.sim(config={…}, time_scale=N) says how it is."""
    marker = request.node.get_closest_marker("sim")
    return make_sim(*marker.args, **marker.kwargs) if marker else make_sim()


@pytest.fixture
def recorder(sim):
    """An upstream in front of `sim` that keeps what it was sent: proxy(upstream=recorder.url)."""
    made = Recorder(sim)
    yield made
    made.stop()


@pytest.fixture
def proxy(tmp_path, request):
    """proxy(*flags, upstream=URL, env={…}): the program under test, in front of the fixture `sim` unless told
    otherwise. After the test it must be idle, its counters add up, SIGTERM end it with 0, its log match the schema."""
    # first, so that it ends last: the proxy drains into a living upstream
    request.getfixturevalue("make_sim")
    with contextlib.ExitStack() as stack:
        made = []

        def make(*flags, upstream=None, env=None, **more):
            url = upstream or request.getfixturevalue("sim").url
            program = Proxy(tmp_path, flags, url, env, name=f"shared-ollama-{len(made)}", **more)
            made.append(program)
            stack.callback(end, program)
            return program

        yield make


@pytest.fixture
def keyed(tmp_path, proxy):
    """keyed({"KEY": 'project = "P";'}, "max_queue_size = 3;", *flags): a proxy whose file has these keys, each called
    by its first letters, and this text. Own endpoints are asked with the first key."""

    def make(keys, text="", *flags):
        groups = [
            f'{{ name = "{key[:9]}"; hash = "sha256:{hashlib.sha256(key.encode()).hexdigest()}"; {members} }}'
            for key, members in keys.items()
        ]
        file = tmp_path / "shared-ollama.conf"
        file.write_text(f"keys = ( {', '.join(groups)} );\n{text}\n")
        program = proxy("--config", file, *flags)
        program.own_headers = {"Authorization": f"Bearer {next(iter(keys))}"}
        return program

    return make


@pytest.fixture
def ruled(tmp_path, proxy):
    """ruled('projects = ( … );', *flags): a proxy with this configuration file (docs/configuration.md)."""

    def make(text, *flags):
        file = tmp_path / "shared-ollama.conf"
        file.write_text(text)
        return proxy("--config", file, *flags)

    return make


def end(program):
    try:
        program.finish()
    finally:
        if program.is_running():
            program.kill()


@pytest.fixture
def wire():
    """wire(url, …): a raw connection, closed after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda url, **options: stack.enter_context(Wire(url, **options))


@pytest.fixture
def ollama_url(request):
    """For tests that make sense against a real Ollama as well: OLLAMA_TEST_URL, else the simulated one."""
    return os.environ.get("OLLAMA_TEST_URL") or request.getfixturevalue("sim").url
