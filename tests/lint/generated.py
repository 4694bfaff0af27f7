"""The references in docs/ are what the program's tables say: generated.py ROOT GENERATE [--self-test]."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

NAMES = ["reference-configuration.md", "reference-errors.md"]


def differing(docs, generate):
    """Names of references that are not what is generated."""
    for name in NAMES:
        made = subprocess.run([generate, name], check=True, capture_output=True).stdout
        path = pathlib.Path(docs) / name
        if not path.is_file() or path.read_bytes() != made:
            yield name


def self_test(docs, generate):
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            shutil.copy(docs / name, folder)
        first = pathlib.Path(folder) / NAMES[0]
        first.write_text(first.read_text().replace("default", "usual", 1))
        (pathlib.Path(folder) / NAMES[1]).unlink()
        assert list(differing(folder, generate)) == NAMES, "a changed and a missing reference must be found"


docs = pathlib.Path(sys.argv[1]) / "docs"
if "--self-test" in sys.argv:
    self_test(docs, sys.argv[2])
    sys.exit(0)
found = list(differing(docs, sys.argv[2]))
for name in found:
    print(f"docs/{name}: not what the tables say; ninja -C BUILD update-references makes it anew")
sys.exit(1 if found else 0)
