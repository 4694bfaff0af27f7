"""What the documents name is there: the files that they link to, and the modules and functions of docs/ARCHITECTURE.md."""

import pathlib
import re

from findings import Case, Finding, main

ARCHITECTURE = "docs/ARCHITECTURE.md"
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
OUTSIDE = re.compile(r"^[a-z]+:")
MODULE = re.compile(r"(?<![\w/.])([a-z]+/[a-z_]+)\b(?!/)")
SOURCE = re.compile(r"(?<![\w/])([a-z_]+\.[ch])\b")
FUNCTION = re.compile(r"`([a-z]\w*)\(\)`")


def documents(root):
    folder = pathlib.Path(root)
    found = [*folder.glob("*.md"), *(folder / "docs").rglob("*.md"), *(folder / "tests").rglob("*.md"), *(folder / "bench").glob("*.md")]
    return sorted(path.relative_to(folder).as_posix() for path in found)


def check_links(root, path, number, line):
    for target in LINK.findall(line):
        if not OUTSIDE.match(target) and not (pathlib.Path(root) / path).parent.joinpath(target).exists():
            yield Finding(path, number, f"no file {target}")


def check_names(root, number, line, text):
    source = pathlib.Path(root) / "src"
    for name in MODULE.findall(line):
        folder = source / name.split("/")[0]
        if folder.is_dir() and not any((source / (name + suffix)).exists() for suffix in ("", ".c", ".h")):
            yield Finding(ARCHITECTURE, number, f"no module {name} in src/")
    for name in SOURCE.findall(line):
        if not any(source.rglob(name)):
            yield Finding(ARCHITECTURE, number, f"no {name} in src/")
    for name in FUNCTION.findall(line):
        if not re.search(rf"\b{name}\(", text):
            yield Finding(ARCHITECTURE, number, f"no function {name}() in src/")


def check(root):
    text = "\n".join(path.read_text(encoding="utf-8") for path in (pathlib.Path(root) / "src").rglob("*.[ch]"))
    for path in documents(root):
        for number, line in enumerate((pathlib.Path(root) / path).read_text(encoding="utf-8").split("\n"), 1):
            yield from check_links(root, path, number, line)
            if path == ARCHITECTURE:
                yield from check_names(root, number, line, text)


CASES = [
    Case(
        "a clean tree",
        {
            "docs/ARCHITECTURE.md": "core/ring, `ring_put()`, ring.c, and/or, [here](../README.md#top), [there](https://example.org)\n",
            "README.md": "[docs](docs)\n",
            "src/core/ring.c": "bool ring_put(void);\n",
        },
    ),
    Case("links", {"README.md": "\n[x](docs/x.md)\n", "docs/y.md": "[z](z.md#a)\n"}, [("README.md", 2), ("docs/y.md", 1)]),
    Case(
        "names",
        {"docs/ARCHITECTURE.md": "core/ring\ncore/rings\nring.c\nrings.c\n`ring_put()`\n`ring_get()`\n", "src/core/ring.c": "bool ring_put(void);\n"},
        [("docs/ARCHITECTURE.md", 2), ("docs/ARCHITECTURE.md", 4), ("docs/ARCHITECTURE.md", 6)],
    ),
]

if __name__ == "__main__":
    main(check, CASES, __doc__)
