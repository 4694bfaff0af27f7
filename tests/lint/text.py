"""Characters: no blanks at a line's end, a newline at the end of the file, no marks of unfinished work."""

import pathlib
import re

from findings import Case, Finding, main, own_files

SOURCES = {".c", ".h"}
TEXTS = SOURCES | {".build", ".py", ".sh", ".ini", ".txt", ".md", ".json", ".wrap", ".conf", ".service", ".yml", ".yaml"}
FOLDERS = [".ci", "src", "subprojects", "tests", "bench", "deploy", "docs", "meson"]
# A corpus is bytes, not text.
BYTES = re.compile(r"^tests/fuzz/corpus/")
# Put together so that this file does not carry them itself.
MARKS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) + r")\b")


def check(root):
    # the folder's own files (meson.build, README.md) as well
    paths = own_files(root, FOLDERS, TEXTS)
    paths += [path.name for path in sorted(pathlib.Path(root).iterdir()) if path.is_file() and path.suffix in TEXTS]
    for path in paths:
        if BYTES.match(path):
            continue
        data = (pathlib.Path(root) / path).read_bytes()
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            yield Finding(path, data[: error.start].count(b"\n") + 1, "not UTF-8")
            continue
        lines = text.split("\n")
        if text and lines[-1] != "":
            yield Finding(path, len(lines), "no newline at the end of the file")
        for number, line in enumerate(lines, 1):
            if line != line.rstrip():
                yield Finding(path, number, "blanks at the end of the line")
            mark = MARKS.search(line)
            if mark:
                yield Finding(path, number, f"{mark.group(1)}: unfinished work")


MARK = "TO" + "DO"
CASES = [
    Case("a clean tree", {"src/a.c": "int a;\n", "README.md": "# a\n", "src/empty.h": ""}),
    Case("blanks", {"src/a.c": "int a; \nint b;\t\n\r\n"}, [("src/a.c", 1), ("src/a.c", 2), ("src/a.c", 3)]),
    Case("no last newline", {"tests/a.py": "a = 1\nb = 2"}, [("tests/a.py", 2)]),
    Case("marks", {"src/a.c": f"/* {MARK} later */\n", "README.md": f"\n{MARK}: more\n"}, [("src/a.c", 1), ("README.md", 2)]),
    Case("no mark inside a word", {"src/a.c": "int mas" + MARK + "n;\n"}),
    Case("bytes and others' sources", {"tests/fuzz/corpus/a/x.txt": "x \n", "subprojects/libother-0.9.4/a.c": "x \n"}),
]

if __name__ == "__main__":
    main(check, CASES, __doc__)
