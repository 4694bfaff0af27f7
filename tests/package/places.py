"""Where things are."""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def one(folder, name):
    """The one file of this path's end."""
    found = [path for path in folder.rglob("*") if path.is_file() and str(path).endswith("/" + name)]
    assert len(found) == 1, f"{name}: {found}"
    return found[0]
