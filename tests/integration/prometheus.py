"""Debian's Prometheus: its programs, and one that scrapes a proxy. `sh tests/run.sh` unpacks the package into
build/prometheus; one that is installed does as well."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import urllib.parse

import pytest
from programs import ask, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNPACKED = ROOT / "build" / "prometheus" / "usr" / "bin"
# it reads its write-ahead log and opens a page of its own first
START_SECONDS = 60
# of a socket, in /proc/net/tcp
LISTENING = "0A"


def find(name):
    """The program, or the test is skipped."""
    folders = os.pathsep.join([os.environ.get("PROMETHEUS_BIN", ""), str(UNPACKED), os.environ.get("PATH", "")])
    path = shutil.which(name, path=folders)
    if not path:
        pytest.skip(f"no {name}: Debian's package prometheus could not be had")
    return path


def promtool(*arguments, text=None, cwd=None):
    """Runs it; it must have nothing to say against what it is shown."""
    done = subprocess.run([find("promtool"), *arguments], input=text, capture_output=True, text=True, cwd=cwd, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


class Prometheus:
    """Scrapes the proxy each second; on a port of the kernel's choice, which its own log tells."""

    def __init__(self, folder, target):
        folder.mkdir()
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "scrape_configs": [{"job_name": "shared-ollama", "static_configs": [{"targets": [target]}]}],
            "rule_files": [str(DEPLOY / "prometheus" / "rules.yml")],
        }
        # JSON is YAML
        (folder / "prometheus.yml").write_text(json.dumps(config))
        self.log = folder / "stderr"
        argv = [find("prometheus"), "--config.file", folder / "prometheus.yml", "--storage.tsdb.path", folder / "data"]
        argv += ["--web.listen-address", "127.0.0.1:0", "--log.format", "json"]
        with open(self.log, "wb") as stderr:
            self.process = subprocess.Popen(argv, stderr=stderr, stdout=stderr, cwd=folder)
        try:
            self.url = wait_for(self.address, START_SECONDS, "Prometheus listening")
        except BaseException:
            self.stop()
            raise

    def address(self):
        """Of its socket, as the kernel knows it: it does not say which port it was given."""
        assert self.process.poll() is None, self.log.read_text()
        sockets = set()
        for link in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                sockets.add(os.readlink(link))
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == LISTENING and f"socket:[{inode}]" in sockets:
                return f"http://127.0.0.1:{int(local.split(':')[1], 16)}"
        return None

    def query(self, expression):
        """The samples of an instant query: [(labels, value)]."""
        target = "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        status, data = ask(self.url, "GET", target)
        answer = json.loads(data)
        assert status == 200 and answer["status"] == "success", f"{expression}: {answer}"
        return [(sample["metric"], sample["value"][1]) for sample in answer["data"]["result"]]

    def rules(self):
        """Every alert that it has loaded, with what it said when it was evaluated."""
        answer = json.loads(ask(self.url, "GET", "/api/v1/rules")[1])
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
