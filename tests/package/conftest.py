"""The fixtures of the integration tests (tests/integration/conftest.py), and the tree that is installed."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest
from places import ROOT

sys.path.insert(0, str(ROOT / "tests" / "integration"))
spec = importlib.util.spec_from_file_location("integration_conftest", ROOT / "tests" / "integration" / "conftest.py")
integration = importlib.util.module_from_spec(spec)
spec.loader.exec_module(integration)
make_sim, sim, proxy, wire = integration.make_sim, integration.sim, integration.proxy, integration.wire


@pytest.fixture(scope="session")
def build():
    """The folder of the build under test."""
    return pathlib.Path(os.environ["SHARED_OLLAMA"]).resolve().parents[1]


@pytest.fixture(scope="session")
def installed(build, tmp_path_factory):
    """What `meson install` puts into a DESTDIR; below it `usr` is the prefix of the build."""
    folder = tmp_path_factory.mktemp("destdir")
    subprocess.run(["ninja", "-C", build, "-j2"] + made_for_install(build), check=True, capture_output=True)
    subprocess.run(
        ["meson", "install", "-C", build, "--destdir", folder, "--no-rebuild"], check=True, capture_output=True
    )
    return folder


def made_for_install(build):
    """Only what install needs: names of files below the build folder."""
    import json

    plan = json.loads(subprocess.run(["meson", "introspect", build, "--installed"], check=True, capture_output=True).stdout)
    inside = [pathlib.Path(path) for path in plan if pathlib.Path(path).is_relative_to(build)]
    configured = {".service", ".socket"}
    return [str(path.relative_to(build)) for path in inside if path.suffix not in configured]
