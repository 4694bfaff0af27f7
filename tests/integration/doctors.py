"""`shared-ollama doctor`, run on a service."""

import json
import subprocess

from programs import clean_environment, program_path


def run(*arguments, env=None, cwd=None, below=()):
    """`below`: a command that starts it."""
    argv = [*below, program_path("SHARED_OLLAMA"), "doctor", *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, env=clean_environment(env), cwd=cwd)


def examine(url, code=0, env=None, more=(), below=()):
    """{check: (result, text)}; a warning and a failure have a fix, others have none."""
    result = run("--json", url, *more, env=env, below=below)
    assert result.returncode == code, result.stdout + result.stderr
    answer = json.loads(result.stdout)
    for check in answer["checks"]:
        assert (check["fix"] is not None) == (check["result"] in ("warn", "fail")), check
    results = [check["result"] for check in answer["checks"]]
    assert {word: results.count(word) for word in ("ok", "warn", "fail", "unsure")} == {
        key: value for key, value in answer.items() if key != "checks"
    }
    return {check["check"]: (check["result"], check["text"]) for check in answer["checks"]}
