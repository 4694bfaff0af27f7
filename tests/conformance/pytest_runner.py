"""Runs pytest over this folder for meson: with the interpreter that PYTEST_PYTHON names, else python3. Skipped (exit
code 77) where that has no pytest."""

import os
import pathlib
import subprocess
import sys

SKIPPED = 77

python = os.environ.get("PYTEST_PYTHON", "python3")
if subprocess.run([python, "-c", "import pytest, pytest_timeout, jsonschema"], check=False).returncode != 0:
    print(f"{python} has no pytest, pytest-timeout and jsonschema: see tests/requirements.txt")
    sys.exit(SKIPPED)
folder = str(pathlib.Path(__file__).parent)
os.execvp(python, [python, "-m", "pytest", "-q", "-ra", folder, *sys.argv[1:]])
