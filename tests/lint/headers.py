"""Each header compiles alone, and twice: by a file that holds nothing else, with the flags of its folder."""

import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

from findings import Case, Finding, self_test, own_files

# What belongs to one object file and not to its flags, with the number of words that follow.
OWN_WORDS = {"-o": 1, "-c": 1, "-MF": 1, "-MQ": 1, "-MT": 1, "-MD": 0}
# Coverage and sanitizers change nothing here and cost time.
DROPPED = ("-fsanitize", "--coverage", "-fprofile")


def flags_of(command):
    words = shlex.split(command)
    kept, index = [], 0
    while index < len(words):
        word = words[index]
        if word in OWN_WORDS:
            index += OWN_WORDS[word]
        elif not word.startswith(DROPPED):
            kept.append(word)
        index += 1
    return kept


def flags_by_folder(build):
    """The compile command of one file of each folder, without what is that file's own."""
    found = {}
    for entry in json.loads((pathlib.Path(build) / "compile_commands.json").read_text()):
        file = pathlib.Path(os.path.normpath(os.path.join(entry["directory"], entry["file"])))
        found.setdefault(str(file.parent), (entry["directory"], flags_of(entry["command"])))
    return found


def nearest_flags(commands, folder, root):
    """A folder without a .c file yet takes its parent's flags, and in the end those of any file."""
    for place in [folder, *folder.parents]:
        if str(place) in commands:
            return commands[str(place)]
        if place == root:
            break
    return commands[min(commands)]


def compile_alone(path, root, command, directory, scratch):
    source = scratch / (path.replace("/", "_") + ".c")
    # absolute: the header's own name must not decide which file it is
    line = f'#include "{root / path}"\n'
    # the declaration keeps the file from being empty, which ISO C does not know
    source.write_text(line + line + "extern int not_empty;\n")
    result = subprocess.run(
        [*command, "-Werror", "-fsyntax-only", str(source)], cwd=directory, capture_output=True, text=True, check=False
    )
    if result.returncode == 0:
        return None
    first = next((text for text in result.stderr.splitlines() if "error" in text), result.stderr.strip())
    return Finding(path, 0, f"does not compile alone: {first}")


def check(root, commands, folders=("src", "subprojects")):
    root = pathlib.Path(root).resolve()
    headers = own_files(root, folders, {".h"})
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = []
        for path in headers:
            directory, command = nearest_flags(commands, (root / path).parent, root)
            jobs.append(pool.submit(compile_alone, path, root, command, directory, pathlib.Path(scratch)))
        return [job.result() for job in jobs if job.result()]


GUARDED = "#ifndef A_H\n#define A_H\n#include <stddef.h>\nsize_t a(void);\nstruct s {\n\tint a;\n};\n#endif\n"
CASES = [
    Case("a complete header", {"src/a.h": GUARDED}),
    Case("an include that is missing", {"src/a.h": GUARDED.replace("#include <stddef.h>\n", "")}, [("src/a.h", 0)]),
    Case("no guard", {"src/a.h": "struct s {\n\tint a;\n};\n"}, [("src/a.h", 0)]),
    Case("a warning", {"src/a.h": GUARDED.replace("size_t a(void);", "static int unused(void);")}, [("src/a.h", 0)]),
]


def main():
    if sys.argv[1] == "--self-test":
        compiler = sys.argv[2:]
        sys.exit(1 if self_test(lambda root: check(root, {"": (root, [*compiler, "-Wall"])}), CASES) else 0)
    root, build = sys.argv[1:]
    findings = check(root, flags_by_folder(build))
    for finding in findings:
        print(finding)
    print(f"{len(own_files(root, ['src', 'subprojects'], {'.h'}))} headers, {len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
