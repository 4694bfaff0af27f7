"""docs/configuration.md: its example is a configuration, and it names every member there is."""

import pathlib
import re

import pytest
from boxes import QUICK

pytestmark = pytest.mark.sim(config=QUICK)

TEXT = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "configuration.md").read_text()
LISTS = ["projects", "models", "agents", "listeners"]


def test_the_example_is_a_configuration_and_all_is_documented(ruled):
    example = re.search(r"^```\n(.*?)^```\n", TEXT, re.S | re.M).group(1)
    # ports that are free here; the flags replace the file's
    example = example.replace("127.0.0.1:8001", "127.0.0.2:0")
    shown = ruled(example, "--listen", "127.0.0.2:0").own("/api/v1/config")
    assert [len(shown[name]) for name in LISTS] == [3, 2, 2, 1]
    words = set(re.findall(r"`([a-z_]+)`", TEXT))
    for name in LISTS:
        for member in shown[name][0]:
            assert member in words, f"{name}: {member} is not in docs/configuration.md"
