"""The fixtures of the integration tests (tests/integration/conftest.py), and faults in the program under test."""

import importlib.util
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
for folder in ("soak", "integration"):
    sys.path.insert(0, str(TESTS / folder))

spec = importlib.util.spec_from_file_location("integration_conftest", TESTS / "integration" / "conftest.py")
integration = importlib.util.module_from_spec(spec)
spec.loader.exec_module(integration)
make_sim, sim, proxy, wire = integration.make_sim, integration.sim, integration.proxy, integration.wire

from control import Control, library  # noqa: E402


@pytest.fixture
def faulty(tmp_path, proxy):
    """faulty(*flags, seed=1, rates={kind: rate}): (the proxy, its faults); the faults are off until told otherwise."""
    if not library().exists():
        pytest.skip(f"{library()} is not there: builds with a sanitizer have none")

    def make(*flags, seed=1, rates=None):
        control = Control(tmp_path, seed, rates)
        return proxy(*flags, env=control.env()), control

    return make
