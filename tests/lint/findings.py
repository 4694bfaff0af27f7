"""What all lint tests share: reading the tree, telling what and where, and proving that a check can fail.

A check is a function check(root) that returns findings. main() runs it over the project; with --self-test it runs
it over little trees instead: over a clean one, where it must be silent, and over one for each rule, where it must
name the file and the line.
"""

import argparse
import pathlib
import re
import sys
import tempfile
from typing import NamedTuple


class Finding(NamedTuple):
    path: str  # relative to the root
    line: int  # from 1; 0 is the file as a whole
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.text}"


class Case(NamedTuple):
    """A little tree and the places (path, line) that the check must find in it, all of them and no others."""

    name: str
    files: dict
    expected: list = []


# Third-party sources that a wrap unpacks are not ours to judge.
FOREIGN = re.compile(r"^subprojects/([^/]+-[0-9][^/]*|packagecache|packagefiles)(/|$)")


def own_files(root, folders, suffixes):
    """Our own files below the folders, as paths relative to root, in a fixed order."""
    root = pathlib.Path(root)
    found = []
    for folder in folders:
        for path in (root / folder).rglob("*"):
            relative = path.relative_to(root).as_posix()
            if path.is_file() and path.suffix in suffixes and not FOREIGN.match(relative):
                found.append(relative)
    return sorted(found)


def read_lines(root, path):
    return (pathlib.Path(root) / path).read_text(encoding="utf-8").split("\n")


def write_tree(root, files):
    for path, text in files.items():
        target = pathlib.Path(root) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def self_test(check, cases):
    failures = 0
    for case in cases:
        with tempfile.TemporaryDirectory() as root:
            write_tree(root, case.files)
            got = sorted((finding.path, finding.line) for finding in check(root))
        if got == sorted(case.expected):
            print(f"ok: {case.name}")
        else:
            failures += 1
            print(f"FAILED: {case.name}: expected {sorted(case.expected)}, got {got}")
    if not any(case.expected for case in cases) or all(case.expected for case in cases):
        failures += 1
        print("FAILED: a self-test needs a clean tree and one that is not")
    return failures


def main(check, cases, description):
    """check(root) for the project and for the cases of the self-test alike."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("root", help="the project's folder")
    parser.add_argument("--self-test", action="store_true", help="prove that the check finds what it should")
    arguments = parser.parse_args()
    if arguments.self_test:
        sys.exit(1 if self_test(check, cases) else 0)
    findings = sorted(set(check(arguments.root)))
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings")
    sys.exit(1 if findings else 0)
