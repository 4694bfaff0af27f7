"""Writes docs/conformance.md from the cases and from a recorded run.

table.py --run    runs all cases (SHARED_OLLAMA names the program), records what was seen, writes the document
table.py          writes the document from the last record"""

import json
import sys
import tempfile

import fronts
import musts
import runner

DOCUMENT = runner.FOLDER.parents[1] / "docs" / "conformance.md"
RECORD = runner.FOLDER / "recorded.json"
PROGRAMS = ("shared-ollama", "nginx", "haproxy")

TITLES = {
    "a_request_line": "The request line",
    "b_fields": "Field lines and Host",
    "c_framing": "How long a request's body is",
    "d_chunked": "Chunked request bodies",
    "e_forwarding": "What is forwarded, Expect, connections",
    "f_answer_heads": "Heads of Ollama's answers",
    "g_answer_bodies": "Bodies of Ollama's answers",
}

INTRODUCTION = """# Conformance: HTTP/1.1 message by message

Written by tests/conformance/table.py from the cases in tests/conformance/cases/ and a recorded run; do not edit.

One line for each MUST of RFC 9112 and of RFC 9110's sections on forwarding that concerns an intermediary, for each
public class of request smuggling, and for each way in which an upstream's answer can be malformed. The cells say what
each program did with the same bytes in front of the same upstream: `refused` (nothing went upstream whole), `forwarded`
(it did), then the status that the client got; `cut` is an answer that the client cannot take for whole. Where a case is
run on several of our ways (a job that is queued, a pass whose body is collected, a body that streams through) and
they differ, the cell names them.

Beside: {versions}; directives that ask the same of them stand in tests/conformance/fronts.py.

We are the laxer one where we take what one of them refuses. That happens only in the cases marked *, for the reason
below the table; a test fails on any other.
"""


def record(cases):
    """One run in words: {versions, cells: {id: {program: {way: words}}}}."""
    with tempfile.TemporaryDirectory() as folder:
        seen = runner.run_all(cases, folder)
    by_id = {case.id: case for case in cases}
    cells = {}
    for (name, way, program), one in sorted(seen.items()):
        cells.setdefault(name, {}).setdefault(program, {})[way] = one.words(by_id[name])
    return {"versions": fronts.versions(), "cells": cells}


def load_record():
    return json.loads(RECORD.read_text())


def cell(words):
    """Ways that agree are said once."""
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    return "; ".join(f"{way}: {said}" for way, said in words.items())


def row(case, cells):
    mark = "\\*" if case.lax else ""
    pending = f" **Not yet: {case.pending}.**" if case.pending else ""
    columns = [cell(cells[name]) if name in cells else "–" for name in PROGRAMS]
    what = (case.what + pending).replace("|", "\\|").replace("*,", "\\*,")
    return f"| `{case.id}`{mark} | {case.rule} | {what} | " + " | ".join(columns) + " |"


def document(cases, recorded):
    by_file = runner.load_by_file()
    assert sum(len(some) for some in by_file.values()) == len(cases)
    versions = ", ".join(recorded["versions"].values())
    parts = [INTRODUCTION.format(versions=versions)]
    for file, some in by_file.items():
        rows = [row(case, recorded["cells"].get(case.id, {})) for case in some]
        parts.append(
            f"## {TITLES[file]}\n\n| case | rule | what | ours | nginx | HAProxy |\n| --- | --- | --- | --- | --- | --- |\n"
            + "\n".join(rows)
            + "\n"
        )
    reasons = [f"- `{case.id}`: {case.lax}." for case in cases if case.lax]
    parts.append("## Where we take what another refuses\n\n" + "\n".join(reasons) + "\n")
    rows = [f"| {rule} | {what} | {held_by(cases_or_reason)} |" for rule, what, cases_or_reason in musts.MUSTS]
    parts.append(
        "## The MUSTs and their cases\n\n| rule | in short | cases |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n"
    )
    return "\n".join(parts)


def held_by(cases_or_reason):
    if isinstance(cases_or_reason, str):
        return f"none: {cases_or_reason}"
    return ", ".join(f"`{name}`" for name in cases_or_reason)


def main():
    cases = runner.load_cases()
    if sys.argv[1:] == ["--run"]:
        RECORD.write_text(json.dumps(record(cases), indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    DOCUMENT.write_text(document(cases, load_record()))


if __name__ == "__main__":
    main()
