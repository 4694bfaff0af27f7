"""Plays rebuilt calls (whatif_log.py) through the real proxy in front of the simulated Ollama, both with a fast clock
(fast_clock.c): their log is in seconds of simulated life. What came of them is read from that log."""

import asyncio
import base64
import json
import os
import re
import struct
import subprocess
import time
import urllib.request

from servers import LOAD_CORE, PROXY_CORE, Server
from whatif_log import read

NS_PER_S = 1e9
# Before the first call: both programs start, models that were loaded are.
LEAD_S = 0.2
# Longer bodies are cut to this: they cost this machine's time, which passes as many times as fast as the box's.
BODY_MOST = 1 << 20
FIRST_ERROR = 400
BUSY = 503
# Of a client without a patience of its own, in seconds of this machine: nothing takes longer.
CALL_LIMIT_S = 1800
# What only matters where the proxy really stands.
CUT = (
    "listen", "admin_listen", "agent_listen", "upstream", "upstream_ca", "tls_certificate", "tls_key", "request_log",
    "request_log_max", "request_log_keep", "server_names", "key_salt", "keys", "listeners", "on_upstream_down", "on_runner_stuck",
    "spool_directory", "max_connections_per_address", "allow_paths", "log_level", "log_operations",
)
# Of these the ones whose rules the replay then lacks.
MISSED = ("keys", "listeners", "max_connections_per_address")
GIF = b"GIF89a"
GIF_SIDE_MOST = 0xFFFF


def settings_of(text):
    """[(name, from, to)] of a configuration file's top-level settings."""
    tokens = re.compile(r'"(?:\\.|[^"\\])*"|#[^\n]*|//[^\n]*|/\*.*?\*/|[\[({]|[\])}]|[;,\n]|[A-Za-z*][\w*-]*|[=:]|[^\s]', re.S)
    found, depth, name, begin, has_value = [], 0, None, 0, False
    for token in tokens.finditer(text):
        word = token.group()
        if word.startswith(("#", "//", "/*")):
            continue
        if word in ("[", "(", "{"):
            depth += 1
        elif word in ("]", ")", "}"):
            depth -= 1
        if depth == 0 and name is None and re.match(r"[A-Za-z*]", word):
            name, begin, has_value = word, token.start(), False
        elif name and word in ("=", ":") and depth == 0:
            has_value = False
        elif name and word in (";", ",", "\n") and depth == 0:
            if has_value or word != "\n":
                found.append((name, begin, token.end()))
                name = None
        elif name:
            has_value = True
    if name:
        found.append((name, begin, len(text)))
    return found


class Configuration:
    """`default`, a file, `key=value` words, or a file and such words: "my.conf max_concurrent=2"."""

    def __init__(self, words):
        self.says = words
        self.text, self.flags, self.missed = "", [], []
        for word in words.split():
            key, equals, value = word.partition("=")
            if equals and not os.path.exists(word):
                self.flags += ["--" + key.replace("_", "-"), value]
            elif word != "default":
                with open(word) as file:
                    self.text += file.read() + "\n"
        for name, begin, end in reversed(settings_of(self.text)):
            if name in CUT:
                self.text = self.text[:begin] + self.text[end:]
                self.missed += [name] if name in MISSED else []

    def projects_with_class(self):
        """Those whose class it sets, so that no header needs to."""
        names = set()
        for name, begin, end in settings_of(self.text):
            groups = re.findall(r"\{([^{}]*)\}", self.text[begin:end]) if name == "projects" else []
            for group in groups:
                who = re.search(r'\bname\s*[=:]\s*"([^"]*)"', group)
                if who and re.search(r"\bclass\s*[=:]", group):
                    names.add(who.group(1))
        return names


class Clock:
    """The fast time of one play: this machine's monotonic clock, `scale` times as fast from now on."""

    def __init__(self, scale, wall_s):
        self.scale = scale
        self.since_ns = time.monotonic_ns()
        self.wall_ns = int((wall_s - LEAD_S * scale) * NS_PER_S)

    def command(self, build, program):
        library = os.path.join(build, "bench", "fast-clock.so")
        if not os.path.exists(library):
            subprocess.run(["ninja", "-C", build, "bench/fast-clock.so"], check=True, stdout=subprocess.DEVNULL)
        settings = [f"-u{name}" for name in os.environ if name.startswith("SHARED_OLLAMA_")]
        # a sanitizer wants to be the first library otherwise
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return ["env", *settings, f"LD_PRELOAD={os.path.abspath(library)}", f"FAST_CLOCK={self.scale}",
                f"FAST_CLOCK_SINCE={self.since_ns}", f"FAST_CLOCK_WALL={self.wall_ns}", f"ASAN_OPTIONS={sanitizer.lstrip(':')}",
                program]  # fmt: skip


class Proxy(Server):
    def __init__(self, build, out, upstream_port, configuration, log, clock):
        path = os.path.join(out, "what-if.conf")
        with open(path, "w") as file:
            file.write(configuration.text)
        command = clock.command(build, os.path.join(build, "src", "shared-ollama"))
        command += ["-c", path, "--listen", "127.0.0.1:0", "--upstream", f"http://127.0.0.1:{upstream_port}"]
        command += ["--request-log", log, "--request-log-max", "0", "--log-level", "error"]
        super().__init__("shared-ollama", command + configuration.flags, PROXY_CORE, out)


class Box(Server):
    """The simulated Ollama, its time run by the clock and not by its own --time-scale, which would show in its answers."""

    def __init__(self, build, out, config, clock):
        path = os.path.join(out, "box.json")
        with open(path, "w") as file:
            json.dump(config, file)
        command = clock.command(build, os.path.join(build, "subprojects", "ollama-sim", "ollama-sim"))
        super().__init__("ollama-sim", command + ["--listen", "127.0.0.1:0", "--config", path], LOAD_CORE, out)

    def load(self, model):
        body = json.dumps({"model": model}).encode()
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/generate", body, timeout=60).close()

    def loads(self):
        """{model: loads so far}"""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/sim/state", timeout=60) as answer:
            return {name: each["loads"] for name, each in json.load(answer)["models"].items()}


def _image(size):
    """The head of a GIF of that size: nobody decodes more."""
    sides = (min(side, GIF_SIDE_MOST) for side in size)
    return base64.b64encode(GIF + struct.pack("<HH", *sides) + bytes(5)).decode()


def body_of(call, tokens):
    prompt_tokens, generated = tokens
    prompt = "w " * prompt_tokens or "w"
    body = {"model": call.model}
    if call.is_unload:
        return {**body, "keep_alive": 0}
    images = [_image(size) for size in call.images]
    if "embed" in call.path:
        return {**body, "prompt" if call.path.endswith("/api/embeddings") else "input": prompt}
    if call.path.endswith("/v1/responses"):
        return {**body, "input": prompt, "max_output_tokens": generated, "stream": call.stream}
    if call.path.endswith("/v1/completions"):
        return {**body, "prompt": prompt, "max_tokens": generated, "stream": call.stream}
    if "/v1/" in call.path:
        parts = [{"type": "text", "text": prompt}]
        parts += [{"type": "image_url", "image_url": {"url": "data:image/gif;base64," + each}} for each in images]
        content = parts if images and not call.path.endswith("/messages") else prompt
        return {**body, "messages": [{"role": "user", "content": content}], "max_tokens": generated, "stream": call.stream}
    body |= {"stream": call.stream, "options": {**call.options, "num_predict": generated}}
    if call.path.endswith("/chat"):
        return {**body, "messages": [{"role": "user", "content": prompt, **({"images": images} if images else {})}]}
    return {**body, "prompt": prompt, **({"images": images} if images else {})}


def request_of(call, tokens, tried, sends_class):
    data = json.dumps(body_of(call, tokens)).encode()
    data += b" " * (min(call.body_bytes, BODY_MOST) - len(data))
    lines = [f"POST {call.path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", f"Content-Length: {len(data)}"]
    lines += ["Content-Type: application/json", f"X-Project-Name: {call.project}", f"X-Request-Id: what-if-{call.number}-{tried}"]
    if call.user_agent:
        lines.append(f"User-Agent: {call.user_agent}")
    if sends_class and call.job_class != "normal":
        lines.append(f"X-Priority: {call.job_class}")
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + data


class Play:
    """One play of all calls against a port."""

    def __init__(self, calls, box, port, scale, set_classes):
        self.calls, self.box, self.port, self.scale = calls, box, port, scale
        self.set_classes = set_classes  # projects that get theirs from a configuration
        self.late_s = []
        self.over = {}

    async def _once(self, data):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            head = await reader.readuntil(b"\r\n\r\n")
            while head.startswith(b"HTTP/1.1 1"):
                head = await reader.readuntil(b"\r\n\r\n")
            while await reader.read(1 << 16):
                pass
            again = re.search(rb"\r\nretry-after: *(\d+)", head, re.I)
            return int(head[9:12]), int(again.group(1)) if again else 1
        finally:
            writer.close()

    async def _ask(self, call):
        limit = call.patience / self.scale if call.patience else CALL_LIMIT_S
        tokens = self.box.tokens_of(call)
        for tried in range(call.retries + 1):
            data = request_of(call, tokens, tried, call.project not in self.set_classes)
            try:
                status, again_s = await asyncio.wait_for(self._once(data), limit)
            except (asyncio.TimeoutError, OSError, asyncio.IncompleteReadError):
                return
            if status != BUSY:
                return
            if tried < call.retries:
                await asyncio.sleep(again_s / self.scale)

    async def _play(self, call, begun):
        if call.follows is not None:
            await self.over[call.follows].wait()
            await asyncio.sleep(call.think / self.scale)
        else:
            due = begun + call.at / self.scale
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.late_s.append((time.monotonic() - due) * self.scale)
        await self._ask(call)
        self.over[call.number].set()

    async def _all(self, begun):
        self.over = {call.number: asyncio.Event() for call in self.calls}
        await asyncio.gather(*(self._play(call, begun) for call in self.calls))

    def run(self, begun):
        asyncio.run(self._all(begun))


def play(build, folder, calls, box, configuration, scale, set_classes):
    """{"lines": {call number: its lines}, "loads": {model: loads}, "late_s": [how late calls were sent]}"""
    os.makedirs(folder)
    clock = Clock(scale, calls[0].lines[0]["begin"])
    log = os.path.join(folder, "requests.jsonl")
    upstream = Box(build, folder, box.config(), clock)
    try:
        for model in box.warm_at_start:
            upstream.load(model)
        before = upstream.loads()
        proxy = Proxy(build, folder, upstream.port, configuration, log, clock)
        try:
            one = Play(calls, box, proxy.port, scale, set_classes)
            one.run(max(time.monotonic(), clock.since_ns / NS_PER_S + LEAD_S))
            loads = upstream.loads()
        finally:
            # it ends when the last line is written
            if proxy.stop() != 0:
                raise RuntimeError("shared-ollama did not end well")
    finally:
        upstream.stop()
    lines = {}
    for line in read([log])[0]:
        number = re.fullmatch(r"what-if-(\d+)-\d+", line.get("request_id") or "")
        if number:
            lines.setdefault(int(number.group(1)), []).append(line)
    return {
        "lines": lines,
        "loads": {name: count - before.get(name, 0) for name, count in loads.items()},
        "late_s": one.late_s,
    }
