"""Makes this folder's modules, and tests/integration's, importable."""

import pathlib
import sys

import pytest

sys.path[:0] = [
    str(pathlib.Path(__file__).resolve().parent),
    str(pathlib.Path(__file__).resolve().parents[1] / "integration"),
]

# before they are imported, so that their assertions show values
pytest.register_assert_rewrite("case", "runner", "programs")
