"""`shared-ollama report`: input, filters, forms and exit codes (PRODUCT 6.5, 8)."""

import csv
import gzip
import html.parser
import io
import json
import random
import re
import subprocess
import sys

import pytest
from programs import clean_environment, program_path
from reports import OLD_KEYS, failed, job, report, run, stamp, text_of, write


def some_log(seed=1, count=500):
    """Three projects, two models, some errors, in the order of their ends."""
    draw = random.Random(seed)
    lines = []
    for i in range(count):
        more = {"project_name": draw.choice("abc"), "model": draw.choice(["m", "n"]), "queue_wait_ms": draw.uniform(0, 900)}
        latency = round(draw.uniform(1000, 20000), 3)
        line = failed(i * 3, "queue_full", latency, **more) if draw.random() < 0.1 else job(i * 3, latency, **more)
        lines.append(line)
    return lines


def test_counts_and_sums_are_exact(tmp_path):
    lines = some_log()
    result = report(write(tmp_path / "log", lines))
    good = [line for line in lines if line["status"] == "success"]
    assert result["requests"]["requests"] == len(lines)
    assert result["requests"]["successes"] == len(good)
    latency = next(row for row in result["times"] if row["what"] == "latency")
    values = sorted(line["latency_ms"] / 1000 for line in lines)
    assert latency["mean_s"] == pytest.approx(sum(values) / len(values), abs=1e-6)
    assert (latency["min_s"], latency["max_s"]) == (pytest.approx(values[0], abs=1e-6), pytest.approx(values[-1], abs=1e-6))
    assert latency["p50_s"] == pytest.approx(values[len(values) // 2], rel=0.06)
    by_name = {row["project"]: row["requests"] for row in result["projects"]}
    assert by_name == {name: sum(line["project_name"] == name for line in lines) for name in "abc"}
    assert [row["requests"] for row in result["projects"]] == sorted(by_name.values(), reverse=True)


def test_gzip_stdin_and_many_files_are_the_same(tmp_path):
    lines = some_log()
    whole = report(write(tmp_path / "whole", lines))
    # rotated: the shell names the newest first
    write(tmp_path / "log", lines[300:])
    write(tmp_path / "log.1", lines[100:300])
    (tmp_path / "log.2.gz").write_bytes(gzip.compress(text_of(lines[:100]).encode()))
    parts = report(tmp_path / "log", tmp_path / "log.1", tmp_path / "log.2.gz")
    piped = report("-", stdin=text_of(lines).encode())
    zipped = report("-", stdin=gzip.compress(text_of(lines).encode()))
    for other in (parts, piped, zipped):
        assert other.pop("period")
        assert other == {key: value for key, value in whole.items() if key != "period"}


def test_the_default_file_is_the_services_log(tmp_path, monkeypatch):
    (tmp_path / "logs").mkdir()
    write(tmp_path / "logs" / "requests.jsonl", some_log(count=7))
    monkeypatch.chdir(tmp_path)
    assert report()["requests"]["requests"] == 7


def test_filters(tmp_path):
    lines = some_log()
    log = write(tmp_path / "log", lines)
    since, until = stamp(300), stamp(900)
    asked = [line for line in lines if since <= line["timestamp"] < until and line["project_name"] == "a" and line["model"] == "m"]
    result = report(log, "--since", since, "--until", until, "--project", "a", "--model", "m")
    assert result["requests"]["requests"] == len(asked) > 10
    assert [row["project"] for row in result["projects"]] == ["a"]
    assert report(log, "--project", "nobody")["requests"]["requests"] == 0


def test_bad_lines_are_counted_and_told(tmp_path):
    good = text_of(some_log(count=10)).encode()
    bad = [b"{", b"\xff\xfe\x00", b"[]", b"{}", b"null", b"x" * 2_000_000, b'{"operation":"chat"} {}', b"{" * 5000]
    log = tmp_path / "log"
    log.write_bytes(b"\n".join(bad) + b"\n\n\r\n" + good + good.splitlines()[0][:-5])
    result = report(log)
    assert result["requests"]["requests"] == 10
    assert result["notes"] == [f"{len(bad) + 1} lines are no lines of a request log and were left out."]


def test_lines_of_the_old_service(tmp_path):
    """Eleven keys and the timestamp, no zone: what it wrote."""
    lines = [{key: job(i, 2000.0)[key] for key in OLD_KEYS} | {"timestamp": f"2025-06-01T10:00:{i:02d}.123456"} for i in range(20)]
    result = report(write(tmp_path / "log", lines))
    assert result["requests"]["requests"] == result["requests"]["successes"] == 20
    assert result["bursts"]["peak_arrivals_a_minute"] == 20
    assert result["requests"]["first"] == "2025-06-01 09:59:58"
    assert next(row for row in result["times"] if row["what"] == "latency")["mean_s"] == 2


def test_a_cut_gzip_file_counts_as_far_as_it_goes(tmp_path):
    log = tmp_path / "log.gz"
    log.write_bytes(gzip.compress(text_of(some_log(count=5000)).encode())[:-2000])
    errors = run(log, "--json", code=1)
    assert "log.gz: it breaks off" in errors


def test_exit_codes(tmp_path):
    assert b"--since" in run("--help")
    assert "no such file" in run(tmp_path / "missing", code=1).lower()
    assert "directory" in run(tmp_path, code=1).lower()
    assert "--nothing" in run("--nothing", code=2)
    assert "--since" in run("--since", "yesterday", code=2)
    with open("/dev/full", "wb") as full:
        log = write(tmp_path / "log", some_log(count=3))
        done = subprocess.run([program_path("SHARED_OLLAMA"), "report", log], stdout=full, stderr=subprocess.PIPE, env=clean_environment(None), check=False)
        assert (done.returncode, b"standard output" in done.stderr) == (1, True)


def test_an_empty_log(tmp_path):
    log = write(tmp_path / "log", [])
    for form in ("--json", "--csv", "--html"):
        run(log, form)
    text = run(log).decode()
    assert "0 requests" in text
    assert "nan" not in text.lower()
    assert report(log)["findings"] == []


def test_endless_names_share_a_row(tmp_path):
    lines = [job(i, project_name=f"p{i}", model=f"m{i}") for i in range(1000)]
    result = report(write(tmp_path / "log", lines))
    for group in ("projects", "models"):
        assert len(result[group]) == 257
        assert sum(row["requests"] for row in result[group]) == 1000
    assert result["projects"][0]["project"] == "(others)"


def test_text_follows_width_and_locale(tmp_path):
    log = write(tmp_path / "log", some_log() + [job(2000, project_name="Büro \x1b[31m", model="m")])
    for width in (60, 80, 120):
        text = run(log, env={"COLUMNS": str(width), "LC_ALL": "C.UTF-8"}).decode()
        assert max(map(len, text.splitlines()[2:])) <= width
        assert "█" in text
        assert "Büro ?[31m" in text
    plain = run(log, env={"LC_ALL": "C"})
    assert plain.isascii()
    assert b"####" in plain
    assert b"\x1b" not in plain


def test_csv_is_what_json_says(tmp_path):
    log = write(tmp_path / "log", some_log() + [job(2000, project_name='=cmd|"x",\n1')])
    data = run(log, "--csv").decode()
    assert data.count("\r\n") > 100
    rows = list(csv.reader(io.StringIO(data, newline=""), strict=True))
    assert rows[0] == ["table", "row", "name", "value"]
    assert all(len(row) == 4 for row in rows)
    facts = {row[2]: row[3] for row in rows if row[0] == "requests"}
    result = report(log)
    assert int(facts["requests"]) == result["requests"]["requests"]
    names = [row[3] for row in rows if row[0] == "projects" and row[2] == "project"]
    assert names == ["'" + row["project"] if row["project"][0] == "=" else row["project"] for row in result["projects"]]


class Page(html.parser.HTMLParser):
    """Every tag is closed, nothing is fetched, no script and no handler is there."""

    VOID = {"meta", "path", "rect"}

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""

    def handle_starttag(self, tag, attributes):
        assert tag not in {"script", "link", "img", "iframe", "object", "use", "image"}
        for name, value in attributes:
            assert not name.startswith("on") and name not in {"src", "href", "xlink:href", "style"}, (tag, name)
            assert value is not None
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text += data


def test_html_is_one_sound_page(tmp_path):
    evil = "</td><script>alert(1)</script><img src=x onerror=alert(1)>'\"&amp;"
    log = write(tmp_path / "log", some_log() + [failed(2000 + i, "client_gone", project_name=evil, model=evil, path=evil) for i in range(9)])
    data = run(log, "--html").decode()
    page = Page()
    page.feed(data)
    page.close()
    assert not page.open
    assert page.tags.count("svg") > 5
    # five moments in even distances below each plot
    ticks = re.findall(r'<div class="ticks">(.*?)</div>', data)
    assert len(ticks) == page.tags.count("figure") >= 4
    moments = re.findall(r"<span>(\d\d-\d\d \d\d:\d\d)</span>", ticks[0])
    assert len(moments) == 5 and moments == sorted(moments)
    assert evil in page.text
    assert "http" not in data.replace("http-equiv", "").lower()
    assert "prefers-color-scheme:dark" in data


def test_memory_does_not_grow_with_the_log(tmp_path):
    """The kernel's peak of the program's memory, for a log and for one ten times as long."""
    peaks = []
    for count in (20_000, 200_000):
        line = json.dumps(job(0, project_name="NAME"))
        log = tmp_path / f"log{count}"
        with open(log, "w") as file:
            for i in range(count):
                file.write(line.replace("NAME", f"p{i}").replace(stamp(0), stamp(i * 0.05)) + "\n")
        script = (
            "import resource,subprocess,sys;subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,check=True);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        out = subprocess.run(
            [sys.executable, "-c", script, program_path("SHARED_OLLAMA"), "report", log],
            capture_output=True, check=True, env=clean_environment(None),
        )
        peaks.append(int(out.stdout))
    # ru_maxrss of a child begins at its parent's own; a sanitizer keeps some of what was freed
    assert peaks[1] < 1.5 * peaks[0] + 4096, peaks
