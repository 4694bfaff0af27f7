"""`shared-ollama doctor`: each kind of trouble that a simulated box can have, and a box that has none."""

import json
import resource
import socket
import subprocess

import pytest
from boxes import QUICK, chat, model, talker
from doctors import examine, run
from programs import ask

PARTLY = {"models": [model("m", size_ram=1000, size_vram=750)]}
SMALL = {"models": [model("m", num_ctx=64, load_ms=0)]}
SERIAL = talker(40, 100, num_parallel=1)


def generate(server, **more):
    body = {"model": "m", "prompt": "x", "stream": False} | more
    assert ask(server.url, "POST", "/api/generate", body, timeout=30)[0] == 200


@pytest.mark.sim(config=QUICK)
def test_a_healthy_box_has_nothing_to_be_told(sim, proxy):
    server = proxy()
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    generate(server)
    server.wait_log(1)
    server.wait_for(lambda stats: stats["runners"])
    found = examine(server.url)
    assert len(found) >= 15
    assert {check: result for check, result in found.items() if result[0] not in ("ok", "unsure")} == {}
    # what every version tells must not be unsure
    for check in ("service", "upstream", "own loop", "runner keys", "keep_alive", "context", "GPU", "access", "request log",
                  "disk", "descriptors", "clock", "old variables", "configuration", "OLLAMA_HOST"):
        assert found[check][0] == "ok", (check, found[check])
    text = run(server.url)
    assert text.returncode == 0
    assert "ok     upstream         Ollama 0.32.15" in text.stdout


@pytest.mark.sim(config=QUICK)
def test_an_upstream_that_is_down(sim, proxy):
    server = proxy()
    server.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    sim.stop()
    server.wait_for(lambda stats: stats["upstream"]["state"] != "up", timeout=30)
    assert examine(server.url, code=1)["upstream"][0] == "fail"


def test_a_service_that_is_down(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens, nobody else gets it
        found = examine(f"http://127.0.0.1:{taken.getsockname()[1]}", code=1, env={"SHARED_OLLAMA_UPSTREAM": "http://127.0.0.1:1"})
    assert found["service"][0] == "fail"
    assert found["upstream"][0] == "fail"
    assert found["configuration"][0] == "ok"


@pytest.mark.sim(config=PARTLY)
def test_a_model_partly_on_the_cpu(sim, proxy):
    server = proxy()
    generate(server)
    server.wait_for(lambda stats: stats["runners"])
    found = examine(server.url)
    assert found["GPU"] == ("warn", "75 % of m:latest is on the GPU, the rest runs on the CPU")


@pytest.mark.sim(config=SMALL)
def test_prompts_that_were_cut(sim, proxy):
    server = proxy()
    generate(server)
    server.wait_for(lambda stats: stats["runners"])
    generate(server, prompt="word " * 300)
    server.wait_for(lambda stats: stats["cut_prompts"]["count"] == 1)
    result, text = examine(server.url)["context"]
    assert result == "warn" and "1 prompts were cut" in text and "m" in text


@pytest.mark.sim(config=QUICK)
def test_one_model_with_two_sets_of_options(sim, proxy):
    server = proxy()
    generate(server)
    generate(server, options={"num_ctx": 2048})
    server.wait_log(2)
    assert examine(server.url)["runner keys"][0] == "warn"


@pytest.mark.sim(config=SERIAL)
def test_a_queue_inside_ollama(sim, proxy, wire):
    server = proxy("--max-concurrent", 4, "--concurrency", "fixed")
    generate(server)
    wires = [wire(server.url) for _ in range(8)]
    for one in wires:
        one.send(chat(stream=False))
    for one in wires:
        assert one.read_answer().status == 200
    server.wait_log(9)
    assert examine(server.url)["parallelism"][0] == "warn"


@pytest.mark.sim(config=QUICK)
def test_an_upstream_that_is_another_of_us_or_itself(sim, proxy):
    inner = proxy()
    inner.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    outer = proxy(upstream=inner.url)
    outer.wait_for(lambda stats: stats["upstream"]["state"] == "up")
    assert examine(outer.url)["own loop"][0] == "warn"
    # who took the upstream from OLLAMA_HOST, which names the service
    assert examine(outer.url, code=1, env={"OLLAMA_HOST": inner.url})["OLLAMA_HOST"][0] == "fail"
    # and where it names Ollama, clients bypass the queue
    assert examine(inner.url, env={"OLLAMA_HOST": sim.url})["OLLAMA_HOST"][0] == "warn"


def test_a_loop(proxy):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # a name that the configuration cannot know to be the same
    server = proxy("--listen", f"127.0.0.1:{port}", upstream=f"http://localhost:{port}")
    assert examine(server.url, code=1)["own loop"][0] == "fail"


@pytest.mark.sim(config=QUICK)
def test_an_open_listener_without_keys(sim, proxy):
    server = proxy("--listen", "0.0.0.0:0")
    assert examine(server.url)["access"][0] == "warn"


@pytest.mark.sim(config=QUICK)
def test_a_key_is_wanted_for_the_figures(sim, keyed):
    key = "sesame-0123456789"
    server = keyed({key: "admin = true;"}, "", "--listen", "0.0.0.0:0")
    found = examine(server.url)
    assert found["service"][0] == "warn" and "API key" in found["service"][1]
    found = examine(server.url, env={"SHARED_OLLAMA_KEY": key})
    assert found["service"][0] == "ok"
    assert found["access"] == ("ok", "it listens on 0.0.0.0:0, and asks for one of 1 API keys")


@pytest.mark.sim(config=QUICK)
def test_a_log_that_nobody_writes(sim, proxy):
    server = proxy("--request-log", "")
    assert examine(server.url)["request log"][0] == "warn"


# What it starts finds a disk of this size in the folder that is its second argument.
ON_A_DISK_OF = ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount -t tmpfs -o size="$0" none "$1" && shift && exec "$@"']


@pytest.mark.skipif(
    subprocess.run([*ON_A_DISK_OF, "64k", "/tmp", "true"], capture_output=True, check=False).returncode != 0,
    reason="needs a mount namespace",
)
@pytest.mark.sim(config=QUICK)
def test_a_disk_that_is_full_or_too_small_for_the_log(sim, proxy):
    server = proxy()
    found = examine(server.url, code=1, below=[*ON_A_DISK_OF, "64k", server.folder])
    assert found["disk"] == ("fail", "0 MiB are free at the request log: lines are dropped and large requests refused")
    found = examine(server.url, below=[*ON_A_DISK_OF, "500m", server.folder])
    assert found["disk"] == ("warn", "500 MiB are free at the request log, which may grow to 600 MiB")


@pytest.mark.sim(config=QUICK)
def test_few_descriptors(sim, proxy):
    server = proxy()
    before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (512, before[1]))
    assert examine(server.url)["descriptors"] == ("warn", "the service may open 512 descriptors: too few for many clients")


@pytest.mark.sim(config=QUICK)
def test_loads_after_pauses_and_a_clock_that_was_set(sim, proxy):
    server = proxy()
    line = {"event": "api_request", "model": "m", "runner": "m", "latency_ms": 900.0, "model_warm_start": False}
    times = ["10:00:00", "10:10:00", "10:20:00", "09:00:00"]
    copy = server.folder / "logs"
    copy.mkdir()
    lines = [json.dumps(line | {"timestamp": f"2026-11-24T{time}.000Z"}) for time in times]
    (copy / "requests.jsonl").write_text("\n".join(lines) + "\n")
    # without a service it is the log that a start here would write
    server.stop()
    result = run("--json", "--listen", server.url.removeprefix("http://"), "--upstream", sim.url, cwd=server.folder)
    found = {check["check"]: check["result"] for check in json.loads(result.stdout)["checks"]}
    assert (found["keep_alive"], found["clock"]) == ("warn", "warn")


@pytest.mark.sim(config=QUICK)
def test_variables_of_the_old_service(sim, proxy):
    server = proxy(env={"MAX_QUEUE_SIZE": "9"})
    found = examine(server.url, env={"OLLAMA_BASE_URL": "http://x"})
    assert found["old variables"][0] == "warn"
    # its own environment and that of doctor
    assert "SHARED_OLLAMA_MAX_QUEUE_SIZE" in found["old variables"][1]
    assert "SHARED_OLLAMA_UPSTREAM" in found["old variables"][1]


@pytest.mark.sim(config=QUICK)
def test_a_configuration_that_would_not_start(sim, proxy, tmp_path):
    server = proxy()
    file = tmp_path / "wrong.conf"
    file.write_text("max_queue = 5;\n")
    found = examine(server.url, code=1, more=("-c", file))
    assert found["configuration"][0] == "fail" and "wrong.conf:1" in found["configuration"][1]
    # it was asked all the same
    assert found["service"][0] == "ok"


def test_usage():
    assert run("--help").stdout.startswith("usage: shared-ollama doctor")
    assert run("--nonsense").returncode == 2
    assert run("http://").returncode == 2
    assert run("--json=yes").returncode == 2
