"""Request logs made up for tests of `shared-ollama report`, and the program run on them."""

import datetime
import json
import pathlib
import subprocess

import jsonschema
from programs import ALARM, clean_environment, program_path

BEGIN = datetime.datetime(2026, 11, 24, 9, tzinfo=datetime.timezone.utc)
SCHEMAS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "schemas"
KEYS = json.loads((SCHEMAS / "request-log.schema.json").read_text())["x-order"]
REPORT_SCHEMA = json.loads((SCHEMAS / "report.schema.json").read_text())
OLD_KEYS = KEYS[:11]


def stamp(seconds):
    moment = BEGIN + datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def job(at, latency_ms=1000.0, **more):
    """A line of a chat that ended `at` seconds after BEGIN: warm, no wait, unless told otherwise."""
    line = dict.fromkeys(KEYS)
    line |= {
        "event": "api_request",
        "client_type": "rest_api",
        "operation": "chat",
        "status": "success",
        "model": "llama3",
        "request_id": f"{at}",
        "client_ip": "127.0.0.1",
        "project_name": "notes",
        "latency_ms": latency_ms,
        "model_warm_start": True,
        "http_status": 200,
        "method": "POST",
        "path": "/api/chat",
        "stream": True,
        "queue_wait_ms": 0.0,
        "ttft_ms": 200.0,
        "request_bytes": 400,
        "response_bytes": 900,
        "attempts": 1,
        "timestamp": stamp(at),
    }
    assert not set(more) - set(KEYS), more
    return line | more


def failed(at, error_type, latency_ms=1000.0, **more):
    return job(at, latency_ms, status="error", error_type=error_type, model_warm_start=None, **more)


def text_of(lines):
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)


def write(path, lines):
    path.write_text(text_of(lines))
    return path


def run(*arguments, stdin=None, env=None, code=0, cwd=None):
    """Its standard output; the exit code must be `code`."""
    done = subprocess.run(
        [program_path("SHARED_OLLAMA"), "report", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=120,
        env=clean_environment(env),
        check=False,
        cwd=cwd,
    )
    errors = done.stderr.decode(errors="replace")
    assert done.returncode == code, errors
    assert not ALARM.search(errors), errors
    return done.stdout if code == 0 else errors


def check_order(value, schema):
    """Members stand in the schema's order."""
    if isinstance(value, list):
        for element in value:
            check_order(element, schema["items"])
    elif isinstance(value, dict):
        assert list(value) == [key for key in schema["x-order"] if key in value]
        for key, member in value.items():
            check_order(member, schema["properties"][key])


def report(*arguments, **more):
    """The report as JSON, which is as docs/schemas/report.schema.json says."""
    result = json.loads(run(*arguments, "--json", **more))
    jsonschema.Draft202012Validator(REPORT_SCHEMA).validate(result)
    check_order(result, REPORT_SCHEMA)
    return result


def findings(tmp_path, lines, *arguments):
    """The findings of a log with these lines: {id: [row, …]}."""
    found = {}
    for row in report(write(tmp_path / "log.jsonl", lines), *arguments)["findings"]:
        for sentence in ("finding", "change", "effect"):
            assert row[sentence].endswith("."), row
        found.setdefault(row["id"], []).append(row)
    return found
