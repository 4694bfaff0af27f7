"""Size and names: functions up to 120 lines, files up to 800, no drawer for everything."""

import pathlib

from findings import Case, Finding, main, own_files, read_lines

FUNCTION_LINES = 120
FILE_LINES = 800
# Nobody knows what belongs into a file of such a name, so everything does (STYLE B1.2).
DRAWERS = {"util", "utils", "common", "misc", "helper", "helpers", "stuff"}
FOLDERS = ["src", "subprojects", "tests", "bench"]


def function_spans(lines):
    """(first, last) of each function. The formatter guarantees its braces to stand alone in the first column."""
    start = None
    for number, text in enumerate(lines, 1):
        if text == "{":
            start = number
            # the head of the function: up to the blank line, comment or end of statement above
            while start > 1 and lines[start - 2].strip() and not lines[start - 2].rstrip().endswith((";", "}", "*/")) \
                    and not lines[start - 2].startswith("#"):
                start -= 1
        elif text == "}" and start:
            yield start, number
            start = None


def check(root):
    for path in own_files(root, FOLDERS, {".c", ".h"}):
        if pathlib.PurePosixPath(path).stem in DRAWERS:
            yield Finding(path, 0, "a name under which anything could stand: say what it holds")
        lines = read_lines(root, path)
        count = len(lines) - 1 if lines[-1] == "" else len(lines)
        if count > FILE_LINES:
            yield Finding(path, FILE_LINES + 1, f"{count} lines, {FILE_LINES} allowed")
        for first, last in function_spans(lines):
            if last - first + 1 > FUNCTION_LINES:
                yield Finding(path, first, f"a function of {last - first + 1} lines, {FUNCTION_LINES} allowed")


def function(lines):
    """A function of so many lines, after a comment."""
    return "/* why */\nint f(void)\n{\n" + "\tg();\n" * (lines - 3) + "}\n"


CASES = [
    Case("a clean tree", {"src/a/ring.c": function(120), "src/a/ring.h": "struct s {\n\tint a;\n};\n"}),
    Case("a long function", {"src/a/ring.c": "#include <stdio.h>\n\n" + function(121)}, [("src/a/ring.c", 4)]),
    Case("a head on two lines counts", {"src/a/ring.c": "int f(int a,\n\tint b)\n{\n" + "\tg();\n" * 117 + "}\n"}, [("src/a/ring.c", 1)]),
    Case("a table is no function", {"src/a/ring.c": "static int table[] = {\n" + "\t1,\n" * 300 + "};\n"}),
    Case("a file of 800 lines", {"src/a/ring.c": "\n" * 800}),
    Case("a long file", {"tests/unit/a/test_ring.c": "\n" * 801}, [("tests/unit/a/test_ring.c", 801)]),
    Case("drawers", {"src/base/util.c": "", "src/common.h": "", "subprojects/ollama-sim/misc.c": ""},
         [("src/base/util.c", 0), ("src/common.h", 0), ("subprojects/ollama-sim/misc.c", 0)]),
    Case("others' sources", {"subprojects/libother-0.9.4/src/common.h": "\n" * 900}),
]

if __name__ == "__main__":
    main(check, CASES, __doc__)
