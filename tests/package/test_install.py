"""What `meson install` puts where, and that it is of use there."""

import hashlib
import os
import re
import shutil
import subprocess

import pytest
from boxes import QUICK, chat_body
from places import ROOT, one
from programs import Proxy
from steady import tell
from wire import Wire

# --threshold wants tenths: 1.2
EXPOSURE_MOST = 12


def test_everything_is_there(installed):
    for name in [
        "bin/shared-ollama",
        "systemd/system/shared-ollama.service",
        "systemd/system/shared-ollama.socket",
        "systemd/user/shared-ollama.service",
        "sysusers.d/shared-ollama.conf",
        "tmpfiles.d/shared-ollama.conf",
        "etc/shared-ollama/shared-ollama.conf",
        "man1/shared-ollama.1",
        "man1/shared-ollama-report.1",
        "man5/shared-ollama.conf.5",
        "bash-completion/completions/shared-ollama",
        "vendor-completions/_shared-ollama",
        "vendor_completions.d/shared-ollama.fish",
    ]:
        assert one(installed, name).stat().st_size > 0
    # nothing of the tests, the simulated Ollama or the bench
    programs = [path.name for path in installed.rglob("*") if path.is_file() and os.access(path, os.X_OK)]
    assert programs == ["shared-ollama"]


@pytest.mark.sim(config=QUICK)
def test_the_sample_configuration_serves(installed, sim, tmp_path):
    """As it is, and with every commented line of settings in force."""
    sample = one(installed, "etc/shared-ollama/shared-ollama.conf").read_text()
    # a comment's words begin with a blank, a setting that is out of force does not, nor do a list's lines
    full = re.sub(r"^#(?=\S|  \{)", "", sample, flags=re.M)
    # no text has the sample's hash: one that was left as it is lets nobody in
    assert full.count("0" * 64) == 1
    full = full.replace("0" * 64, hashlib.sha256(b"test").hexdigest())
    assert full.count(";") > sample.count(";") / 2 and "Docling_Machine" in full
    for name, text in [("sample", sample), ("full", full)]:
        file = tmp_path / f"{name}.conf"
        file.write_text(text)
        server = Proxy(tmp_path, ["--config", file], sim.url, name=name)
        headers = [("Authorization", "Bearer test")] if name == "full" else []
        with Wire(server.url) as connection:
            assert connection.ask("POST", "/api/chat", chat_body(stream=False), headers).status == 200
        server.own_headers = dict(headers)
        server.finish()


def units():
    return [
        ("system/shared-ollama.service", "--system"),
        ("system/shared-ollama.socket", "--system"),
        ("user/shared-ollama.service", "--user"),
    ]


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"there is no {program}")


@needs("systemd-analyze")
def test_the_service_is_little_exposed(installed):
    unit = one(installed, "systemd/system/shared-ollama.service")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE_MOST}", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "Overall exposure level" in done.stdout, done.stdout + done.stderr
    tell(re.search(r"Overall exposure level for (.*)", done.stdout)[0])


@needs("systemd-analyze")
@pytest.mark.parametrize(("name", "manager"), units())
def test_units_are_well_formed(installed, tmp_path, name, manager):
    """systemd's own reading of them; only the manager of a running system may be missing."""
    unit = one(installed, "systemd/" + name)
    # the program is in the DESTDIR, a socket looks for its service beside it
    for path in unit.parent.iterdir():
        text = re.sub(r"(?<![\w.])/\S*/bin/shared-ollama", str(one(installed, "bin/shared-ollama")), path.read_text())
        (tmp_path / path.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", manager, tmp_path / unit.name],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
    )
    complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "shared-ollama" in line]
    assert not complaints, complaints


@pytest.mark.parametrize("page", ["shared-ollama.1", "shared-ollama-report.1", "shared-ollama.conf.5"])
@needs("groff")
def test_manual_pages_are_typeset_without_a_word(installed, page):
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-P-cbou", one(installed, page)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert "SYNOPSIS" in done.stdout


def test_every_flag_is_in_the_manual(installed):
    usage = subprocess.run([one(installed, "bin/shared-ollama"), "--help"], capture_output=True, text=True, check=True).stdout
    page = one(installed, "shared-ollama.1").read_text().replace("\\-", "-")
    flags = re.findall(r"^  (?:-c, )?(--[a-z-]+)", usage, re.M)
    assert len(flags) > 30
    assert [flag for flag in flags if flag not in page] == []


def completed(script, *words):
    """What bash would offer for the last word."""
    listed = " ".join(f"'{word}'" for word in words)
    text = f"source '{script}'; COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}; _shared_ollama; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True).stdout.split()


def test_bash_completes(installed, tmp_path):
    script = one(installed, "completions/shared-ollama")
    assert completed(script, "shared-ollama", "--max-q") == ["--max-queue-size"]
    assert completed(script, "shared-ollama", "--scheduler", "") == ["fifo", "turns"]
    assert completed(script, "shared-ollama", "rep") == ["report"]
    assert "--since" in completed(script, "shared-ollama", "report", "--s")
    assert completed(script, "shared-ollama", "--max-queue-size", "") == []
    (tmp_path / "some.conf").write_text("")
    assert completed(script, "shared-ollama", "-c", f"{tmp_path}/so") == [f"{tmp_path}/some.conf"]


@pytest.mark.parametrize(("shell", "name"), [("zsh", "_shared-ollama"), ("fish", "shared-ollama.fish")])
def test_other_shells_read_theirs(installed, shell, name):
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell}")
    subprocess.run([shell, "-n", one(installed, name)], check=True)


def test_there_is_one_version():
    """Where a release says it: the program, the Debian package, the news."""
    version = re.search(r"^\tversion: '([\d.]+)',$", (ROOT / "meson.build").read_text(), re.M)[1]
    assert (ROOT / "deploy/debian/changelog").read_text().startswith(f"shared-ollama ({version}) ")
    assert re.search(r"^## (\S+)", (ROOT / "NEWS.md").read_text(), re.M)[1] == version


def test_the_sample_is_no_other_than_the_trees():
    """It is not drawn from the prefix: units and sample name the same places."""
    unit = (ROOT / "deploy/systemd/shared-ollama.service").read_text()
    sample = (ROOT / "deploy/shared-ollama.conf").read_text()
    assert "-c /etc/shared-ollama/shared-ollama.conf" in unit and "LogsDirectory=shared-ollama" in unit
    assert 'request_log = "/var/log/shared-ollama/requests.jsonl"' in sample
