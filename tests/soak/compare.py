"""The loads of tests/faults/test_upstream_breaks.py and test_leaving.py beside nginx and HAProxy: a table."""

import argparse
import asyncio
import os
import pathlib
import shutil
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "integration"), str(TESTS.parent / "bench")]

import loads  # noqa: E402
import peers  # noqa: E402
import servers  # noqa: E402
from programs import Proxy  # noqa: E402

SETTLE_SECONDS = 0.3


class Haproxy(servers.Haproxy):
    """bench's, and a client that leaves is noticed at all: abortonclose; a refused connection is tried again: retries."""

    def __init__(self, out, upstream_port):
        super().__init__(out, upstream_port)
        path = pathlib.Path(out) / "haproxy.cfg"
        text = path.read_text().replace(
            "option http-no-delay", "option http-no-delay\n\toption abortonclose\n\tretries 3\n\tretry-on conn-failure"
        )
        self.stop()
        path.write_text(text)
        servers.Server.__init__(self, "haproxy", ["haproxy", "-db", "-f", str(path)], servers.PROXY_CORE, out, self.port)


class Ours:
    def __init__(self, out, upstream_port):
        self.program = Proxy(
            out, ("--max-concurrent", 16, "--max-queue-size", 400), f"http://127.0.0.1:{upstream_port}"
        )
        self.port = self.program.port

    def stop(self):
        self.program.stop()


PROXIES = {"shared-ollama": Ours, "nginx": servers.Nginx, "haproxy": Haproxy, "haproxy (bench)": servers.Haproxy}
LOADS = {
    "kept connections close as the next request comes: lost of 200": (
        loads.closing_connections, lambda: peers.Upstream("next"), "lost",
    ),
    "kept connections close right after an answer: lost of 200": (
        loads.closing_connections, lambda: peers.Upstream("after"), "lost",
    ),
    "flapping: failed, though not broken twice or in mid-answer": (
        loads.flapping, lambda: peers.Upstream(think=0.02, lines=4), "unjust",
    ),
    "killed while 20 wait: lost of 23": (
        loads.killed_while_waiting, lambda: peers.Upstream(think=0.3, slots=3), "lost",
    ),
    "1,000 leave: sent to Ollama after that": (loads.leaving, peers.Upstream, "sent_after_leaving"),
    "1,000 leave: cancelled after 100 ms or never": (None, None, "late"),
    "1,000 leave: p99 of the cancel delay, ms": (None, None, "p99_ms"),
    "1,000 leave: longest cancel delay, ms": (None, None, "max_ms"),
}  # fmt: skip


async def measure(make, load, make_upstream):
    upstream = make_upstream()
    await upstream.up()
    out = tempfile.mkdtemp(prefix="shared-ollama-compare-")
    proxy = await asyncio.to_thread(make, out, upstream.port)
    try:
        return await load(proxy.port, upstream)
    finally:
        upstream.down()
        await asyncio.sleep(SETTLE_SECONDS)
        await asyncio.to_thread(proxy.stop)
        shutil.rmtree(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    table = {}
    for _ in range(options.rounds):
        figures = {}
        for title, (load, make_upstream, key) in LOADS.items():
            for name, make in PROXIES.items():
                if load:
                    figures[name] = asyncio.run(measure(make, load, make_upstream))
                    if options.verbose:
                        print(name, title, figures[name], flush=True)
                table.setdefault(title, {}).setdefault(name, []).append(figures[name][key])
    width = max(map(len, table))
    print(" " * width, *(f"{name:>16}" for name in PROXIES))
    for title, row in table.items():
        print(f"{title:{width}}", *(f"{' '.join(map(str, row[name])):>16}" for name in PROXIES))


if __name__ == "__main__":
    main()
