#!/usr/bin/env python3
"""Counts what the proxy spends: instructions and system calls a small job, a small pass and a line of a stream.

Each figure is the difference of two runs of different length, divided by what the longer one did more: start and end
cancel out, and neither another machine nor a busy one changes it. Everything is on as by default; one client, one
request at a time. README.md says how the figures are kept.
"""

import argparse
import collections
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

import servers

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KEPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "counts.json")
# What it may cost more than the kept figures say: instructions by this share, and no system call: the rest is the probes
# of a run that takes longer.
INSTRUCTIONS_TOLERANCE = 0.05
CALLS_TOLERANCE = 0.1
# Slow enough that under valgrind each line of a stream is read alone, fast enough that no probe falls into a run.
LINES_PER_SECOND = 200
# valgrind and strace end after what they watch.
END_LIMIT_S = 30
ANSWER_LIMIT_S = 60

# what, path, body, how many in the short and in the long run
KINDS = {
    "job": ("/api/embed", '{"model":"bench","input":"ping"}', 100, 500),
    "pass": ("/api/show", '{"model":"bench","input":"ping"}', 100, 500),
    "line": ("/api/chat", '{"model":"bench","messages":[{"role":"user","content":"ping"}],"options":{"num_predict":%d}}', 40, 190),
}


class Client:
    """One kept connection, on which a request waits for the answer to the one before."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), ANSWER_LIMIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _receive(self):
        data = self.socket.recv(65536)
        if not data:
            raise RuntimeError("the connection ended in the middle of an answer")
        return data

    def ask(self, path, body):
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        self.socket.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        got = self._receive()
        while b"\r\n\r\n" not in got:
            got += self._receive()
        head, rest = got.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"{path}: {head.decode()}")
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        while len(rest) < int(length.group(1)) if length else not rest.endswith(b"\r\n0\r\n\r\n"):
            rest += self._receive()


class Watched(servers.Server):
    """The proxy below a tool; stop() gives what the tool wrote."""

    def __init__(self, build, out, upstream_port, tool, log):
        self.log = log
        command = [os.path.join(build, "src", "shared-ollama"), "--listen", "127.0.0.1:0"]
        command += ["--upstream", f"http://127.0.0.1:{upstream_port}", "--request-log", os.path.join(out, "log.jsonl")]
        if os.path.exists(log):
            os.unlink(log)
        super().__init__("shared-ollama", tool + command, servers.PROXY_CORE, out)

    def written(self, ending):
        if self.stop() != 0:
            raise RuntimeError(f"the proxy did not end well: {self.text()}")
        deadline = time.monotonic() + END_LIMIT_S
        while time.monotonic() < deadline:
            if os.path.exists(self.log):
                with open(self.log, errors="replace") as file:
                    text = file.read()
                if re.search(ending, text, re.MULTILINE):
                    return text
            time.sleep(0.02)
        raise RuntimeError(f"{self.log} was not finished")


def play(server, kind, count):
    path, body, _, _ = KINDS[kind]
    client = Client(server.port)
    if kind == "line":
        client.ask(path, body % count)
        return
    for _ in range(count):
        client.ask(path, body)


def run_instructions(build, out, upstream_port, kind, count):
    log = os.path.join(out, f"callgrind.{kind}.{count}")
    tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={log}"]
    server = Watched(build, out, upstream_port, tool, log)
    try:
        play(server, kind, count)
    finally:
        server.stop()
    return int(re.search(r"^(?:totals|summary): (\d+)", server.written(r"^totals: "), re.MULTILINE).group(1))


def run_calls(build, out, upstream_port, kind, count):
    log = os.path.join(out, f"strace.{kind}.{count}")
    server = Watched(build, out, upstream_port, ["strace", "-D", "-qq", "-o", log, "-e", "signal=none"], log)
    try:
        play(server, kind, count)
    finally:
        server.stop()
    return collections.Counter(re.findall(r"^(\w+)\(", server.written(r"^exit_group\("), re.MULTILINE))


def count_kind(build, out, upstream_port, kind):
    _, _, short, long = KINDS[kind]
    more = long - short
    instructions = [run_instructions(build, out, upstream_port, kind, count) for count in (short, long)]
    calls = [run_calls(build, out, upstream_port, kind, count) for count in (short, long)]
    by_name = {name: (calls[1][name] - calls[0][name]) / more for name in calls[1]}
    return {
        "instructions": round((instructions[1] - instructions[0]) / more),
        "system_calls": round(sum(by_name.values()), 2),
        "calls": {name: round(value, 2) for name, value in sorted(by_name.items()) if value >= 0.05},
    }


def build_programs(build):
    if not os.path.exists(os.path.join(build, "build.ninja")):
        release = os.path.join(ROOT, "meson", "release.ini")
        subprocess.run(["meson", "setup", build, ROOT, "--native-file", release], stdout=subprocess.DEVNULL, check=True)
    programs = ["src/shared-ollama", "bench/bench-upstream"]
    subprocess.run(["ninja", "-C", build] + programs, stdout=subprocess.DEVNULL, check=True)


def problems_of(found, kept):
    problems = []
    for kind in found:
        most = kept[kind]["instructions"] * (1 + INSTRUCTIONS_TOLERANCE)
        if found[kind]["instructions"] > most:
            problems.append(f"{found[kind]['instructions']} instructions a {kind}, at most {most:.0f}")
        if found[kind]["system_calls"] > kept[kind]["system_calls"] + CALLS_TOLERANCE:
            problems.append(f"{found[kind]['system_calls']} system calls a {kind}, at most {kept[kind]['system_calls']}")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.path.join(ROOT, "build-bench"), help="where to build (default: build-bench)")
    parser.add_argument("--out", help="where to write (default: a new folder in the temporary directory)")
    parser.add_argument("--only", help="some of " + ",".join(KINDS))
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--check", action="store_true", help="fail where it costs more than counts.json says")
    group.add_argument("--keep", action="store_true", help="write counts.json")
    arguments = parser.parse_args()
    out = os.path.abspath(arguments.out or tempfile.mkdtemp(prefix="shared-ollama-counts-"))
    os.makedirs(out, exist_ok=True)
    # It would be counted.
    os.environ.pop("MALLOC_PERTURB_", None)
    build_programs(arguments.build)
    upstream = servers.Server(
        "upstream",
        [os.path.join(arguments.build, "bench", "bench-upstream"), "0", str(LINES_PER_SECOND)],
        servers.LOAD_CORE,
        out,
    )
    found = {}
    try:
        for kind in arguments.only.split(",") if arguments.only else KINDS:
            found[kind] = count_kind(arguments.build, out, upstream.port, kind)
            figures = found[kind]
            print(f"{kind:5} {figures['instructions']:8} instructions  {figures['system_calls']:6.2f} system calls: ", end="")
            print(", ".join(f"{name} {value:g}" for name, value in figures["calls"].items()), flush=True)
    finally:
        upstream.stop()
    if arguments.keep:
        with open(KEPT, "w") as file:
            json.dump(found, file, indent=1)
            file.write("\n")
    if not arguments.check:
        return 0
    with open(KEPT) as file:
        problems = problems_of(found, json.load(file))
    for problem in problems:
        print("counts: " + problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
