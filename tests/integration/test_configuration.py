"""--check-config and --print-config (PRODUCT 8)."""

import subprocess

import pytest
from programs import clean_environment, program_path


def run(*arguments, env=None):
    return subprocess.run(
        [program_path("SHARED_OLLAMA"), *map(str, arguments)], capture_output=True, text=True, timeout=20, env=clean_environment(env)
    )


def test_what_is_printed_is_fine_and_prints_the_same(tmp_path):
    file = tmp_path / "shared-ollama.conf"
    printed = run("--print-config", "--max-queue-size", 7, env={"SHARED_OLLAMA_DEFAULT_TIMEOUT": "2.5"})
    assert printed.returncode == 0
    assert "\nmax_queue_size = 7;\n" in printed.stdout
    assert '\ndefault_timeout = "2.5";\n' in printed.stdout
    file.write_text(printed.stdout)
    checked = run("-c", file, "--check-config")
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "the configuration is fine\n", "")
    assert run("--print-config", "-c", file).stdout == printed.stdout


@pytest.mark.parametrize(
    ("text", "flags", "code", "said"),
    [
        ("max_queue = 3;", [], 1, ":1: unknown key \"max_queue\"; did you mean max_queue_size?"),
        ("\nmax_queue_size = 0;", [], 1, ":2: max_queue_size"),
        ('tls_certificate = "/nonexistent"; tls_key = "/nonexistent";', [], 1, "/nonexistent"),
        ("", ["--max-que-size", 3], 2, "did you mean --max-queue-size?"),
        ("", ["--max-queue-size", "many"], 2, "--max-queue-size"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path, text, flags, code, said):
    file = tmp_path / "shared-ollama.conf"
    file.write_text(text)
    result = run("--check-config", "-c", file, *flags)
    assert (result.returncode, result.stdout) == (code, "")
    assert said in result.stderr


def test_variables_of_the_old_service_are_named(tmp_path):
    result = run("--check-config", env={"OLLAMA_BASE_URL": "http://secret", "MAX_CONCURRENT": "3"})
    assert result.returncode == 0
    assert "OLLAMA_BASE_URL, probably a variable of the old service, is not read: use SHARED_OLLAMA_UPSTREAM" in result.stderr
    assert "SHARED_OLLAMA_MAX_CONCURRENT" in result.stderr
    assert "secret" not in result.stderr
