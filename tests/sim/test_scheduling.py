"""Which runners are loaded, and in which order requests get one: what FACTS says of the real scheduler."""

import pytest

# A warm start never takes so long, however slow the machine.
WARM_MAX_NS = 100e6
# Its prompts and tokens take this long, so that others can come in between.
BUSY = {"name": "busy", "load_ms": 20, "unload_ms": 1, "prompt_tokens_per_s": 0, "tokens_per_s": 200, "tokens": 0}


def quick(name, **more):
    return {"name": name, "load_ms": 20, "unload_ms": 1, "prompt_tokens_per_s": 0, "tokens_per_s": 0, "answer": "ok"} | more


def generate(name, **more):
    return {"model": name, "prompt": "hi", "stream": False} | more


def start_stream(sim, name, **more):
    """A running stream of a model; the head has come, so it has its slot."""
    connection = sim.connect()
    connection.send("POST", "/api/generate", {"model": name, "prompt": "hi"} | more)
    connection.reader.until(b"\r\n\r\n")
    return connection


def send(sim, name, **more):
    connection = sim.connect()
    connection.send("POST", "/api/generate", generate(name, **more))
    return connection


def pending(count):
    return lambda state: len(state["pending"]) == count


@pytest.fixture
def one_slot(start_sim):
    """One model at a time; `a` runs for about a second, b and c are quick."""
    return start_sim(max_loaded_models=1, models=[BUSY | {"name": "a"}, quick("b"), quick("c")])


def test_pending_loads_are_served_in_order_and_residents_overtake(one_slot):
    running = start_stream(one_slot, "a", options={"num_predict": 200})
    waiting = []
    for count, name in enumerate(["b", "c", "b"], 1):
        waiting.append(send(one_slot, name))
        state = one_slot.wait_for(pending(count))
    assert state["pending"] == ["b:latest", "c:latest", "b:latest"]
    late = send(one_slot, "a", options={"num_predict": 1})
    one_slot.wait_for_model("a:latest", inner_queue=1)
    waiting.append(send(one_slot, "b"))
    one_slot.wait_for(pending(4))
    running.close()
    assert late.read().status == 200, "overtakes the pending loads"
    durations = [connection.read().json()["load_duration"] for connection in waiting]
    state = one_slot.state()["models"]
    assert state["b:latest"]["loads"] == 2 and state["c:latest"]["loads"] == 1
    assert min(durations) > 20e6


def test_load_duration_includes_the_wait_for_another_model(one_slot):
    running = start_stream(one_slot, "a", options={"num_predict": 60})
    answer = send(one_slot, "b").read().json()
    assert answer["load_duration"] > 250e6
    running.close()


def test_more_pending_loads_than_max_queue_get_503(start_sim):
    sim = start_sim(max_loaded_models=1, max_queue=1, models=[BUSY | {"name": "a"}, quick("b")])
    running = start_stream(sim, "a")
    waiting = []
    for count in (1, 2):
        waiting.append(send(sim, "b"))
        sim.wait_for(pending(count))
    refused = sim.ask("POST", "/api/generate", generate("b"))
    text = "server busy, please try again.  maximum pending requests exceeded"
    assert refused.status == 503 and refused.json() == {"error": text}
    assert refused.header("Content-Length") == "77" and refused.header("Retry-After") is None
    messages = [{"role": "user", "content": "x"}]
    refused = sim.ask("POST", "/v1/chat/completions", {"model": "b", "messages": messages})
    assert refused.json()["error"] == {"message": text, "type": "api_error", "param": None, "code": None}
    refused = sim.ask("POST", "/v1/messages", {"model": "b", "max_tokens": 1, "messages": messages})
    assert refused.json()["error"]["type"] == "overloaded_error"
    resident = send(sim, "a", options={"num_predict": 1})
    sim.wait_for_model("a:latest", inner_queue=1)
    running.close()
    assert [connection.read().status for connection in waiting] == [200, 200]
    assert resident.read().status == 200


@pytest.mark.parametrize("touch", [{"keep_alive": "1h"}, {"keep_alive": -1}, {"prompt": "", "keep_alive": "30m"}], ids=str)
def test_explicit_keep_alive_revives_an_evicted_runner(one_slot, touch):
    running = start_stream(one_slot, "a")
    blocked = send(one_slot, "b")
    one_slot.wait_for(lambda state: state["models"]["a:latest"]["evicted"])
    other = send(one_slot, "a", options={"num_predict": 1}, **touch)
    one_slot.wait_for(lambda state: not state["models"]["a:latest"]["evicted"])
    running.close()
    assert other.read().status == 200
    state = one_slot.wait_for_model("a:latest", references=0)
    assert state["resident"] and one_slot.state()["pending"] == ["b:latest"]
    assert one_slot.ask("POST", "/api/generate", generate("a", options={"num_predict": 1})).status == 200
    assert one_slot.state()["pending"] == ["b:latest"], "as long as that keep_alive lasts"
    assert one_slot.ask("POST", "/api/generate", {"model": "a", "keep_alive": 0}).json()["done_reason"] == "unload"
    assert blocked.read().status == 200


@pytest.mark.parametrize("touch", [{}, {"keep_alive": 0}], ids=str)
def test_eviction_stands_without_a_keep_alive(one_slot, touch):
    running = start_stream(one_slot, "a")
    blocked = send(one_slot, "b")
    one_slot.wait_for(pending(1))
    other = send(one_slot, "a", options={"num_predict": 1}, **touch)
    one_slot.wait_for_model("a:latest", requests=2)
    running.close()
    assert other.read().status == 200
    assert blocked.read().status == 200


def test_revival_can_be_switched_off(start_sim):
    sim = start_sim(max_loaded_models=1, evict_revival=False, models=[BUSY | {"name": "a"}, quick("b")])
    running = start_stream(sim, "a")
    blocked = send(sim, "b")
    sim.wait_for(pending(1))
    other = send(sim, "a", keep_alive="1h", options={"num_predict": 1})
    sim.wait_for_model("a:latest", requests=2)
    running.close()
    assert other.read().status == 200
    assert blocked.read().status == 200


def test_a_pending_client_that_leaves_helps_nobody(one_slot):
    running = start_stream(one_slot, "a")
    gone, stays = send(one_slot, "b"), send(one_slot, "c")
    one_slot.wait_for(pending(2))
    gone.close()
    state = one_slot.wait_for_model("b:latest", aborted=1)
    assert len(one_slot.state()["pending"]) == 2, "keeps its place"
    running.close()
    assert stays.read().status == 200
    state = one_slot.state()["models"]["b:latest"]
    assert state["loads"] == 0 and state["loads_aborted"] == 0


def test_eviction_takes_idle_ones_first_then_shortest_keep_alive_then_name(start_sim):
    models = [quick(name) for name in ("d", "c", "b", "new", "other")]
    sim = start_sim(max_loaded_models=3, models=models)
    for name, keep_alive in (("d", "1h"), ("c", "10m"), ("b", "10m")):
        sim.ask("POST", "/api/generate", generate(name, keep_alive=keep_alive))
    sim.ask("POST", "/api/generate", generate("new", keep_alive="2h"))
    assert sim.loaded().keys() == {"d:latest", "c:latest", "new:latest"}
    sim.ask("POST", "/api/generate", generate("other", keep_alive="2h"))
    assert sim.loaded().keys() == {"d:latest", "new:latest", "other:latest"}


def test_memory_bounds_what_is_loaded_together(start_sim):
    models = [quick("small", size_vram=4e9), quick("little", size_vram=4e9), quick("big", size_vram=20e9)]
    sim = start_sim(vram=10e9, models=models)
    sim.ask("POST", "/api/generate", generate("small"))
    sim.ask("POST", "/api/generate", generate("little"))
    assert sim.loaded().keys() == {"small:latest", "little:latest"}
    sim.ask("POST", "/api/generate", generate("big"))
    assert sim.loaded().keys() == {"big:latest"}, "alone it is loaded whatever it needs"


def test_second_caller_shares_the_load(start_sim):
    sim = start_sim(models=[quick("a", load_ms=400)])
    first = send(sim, "a")
    sim.wait_for_model("a:latest", loading=True)
    assert sim.loaded() == {}, "not listed before its load is over"
    second = send(sim, "a")
    one, two = first.read().json(), second.read().json()
    assert one["load_duration"] >= two["load_duration"] > 1e6
    assert sim.model("a:latest")["loads"] == 1


def test_load_is_aborted_when_its_client_leaves_and_others_load_for_themselves(start_sim):
    sim = start_sim(models=[quick("a", load_ms=400)])
    first = send(sim, "a")
    sim.wait_for_model("a:latest", loading=True)
    second = send(sim, "a")
    sim.wait_for_model("a:latest", requests=2)
    first.close()
    assert second.read().status == 200
    state = sim.model("a:latest")
    assert (state["loads"], state["loads_aborted"]) == (1, 1)


def test_unload_during_a_load_is_answered_but_lost(start_sim):
    sim = start_sim(models=[quick("a", load_ms=300)])
    first = send(sim, "a")
    sim.wait_for_model("a:latest", loading=True)
    assert sim.ask("POST", "/api/generate", {"model": "a", "keep_alive": 0}).json()["done_reason"] == "unload"
    assert first.read().status == 200
    assert sim.model("a:latest")["resident"]


def test_a_failed_load_is_told_to_its_client_only(start_sim):
    sim = start_sim(models=[quick("a")])
    sim.fault("/api/generate", "load_fail")
    answer = sim.ask("POST", "/api/generate", {"model": "a"})
    assert answer.status == 500 and "terminated" in answer.json()["error"]
    assert sim.loaded() == {}
    assert sim.ask("POST", "/api/generate", generate("a")).status == 200


@pytest.mark.parametrize(
    "options", [{"num_ctx": 2048}, {"num_batch": 64}, {"num_gpu": 7}, {"main_gpu": 1}, {"use_mmap": False}, {"num_thread": 3}], ids=str
)
def test_changed_runner_options_reload(start_sim, options):
    sim = start_sim(models=[quick("a", load_ms=150)])
    sim.ask("POST", "/api/generate", generate("a"))
    assert sim.ask("POST", "/api/generate", generate("a", options=options)).json()["load_duration"] > WARM_MAX_NS
    assert sim.ask("POST", "/api/generate", generate("a", options=options)).json()["load_duration"] < WARM_MAX_NS
    assert sim.model("a:latest")["loads"] == 2


def test_sampling_options_and_the_default_context_do_not_reload(start_sim):
    sim = start_sim(models=[quick("a")])
    sim.ask("POST", "/api/generate", generate("a"))
    sim.ask("POST", "/api/generate", generate("a", options={"temperature": 1, "seed": 3, "num_ctx": 4096, "num_gpu": -1}))
    assert sim.model("a:latest")["loads"] == 1


def test_v1_and_empty_requests_fall_back_to_the_default_runner(start_sim):
    sim = start_sim(models=[quick("a", context_length=32768)])
    sim.ask("POST", "/api/generate", generate("a", options={"num_ctx": 8192}))
    assert sim.loaded()["a:latest"]["context_length"] == 8192
    sim.ask("POST", "/v1/chat/completions", {"model": "a", "messages": [{"role": "user", "content": "x"}]})
    assert sim.loaded()["a:latest"]["context_length"] == 4096
    sim.ask("POST", "/api/generate", generate("a", options={"num_ctx": 8192}))
    sim.ask("POST", "/api/generate", {"model": "a"})
    assert sim.model("a:latest")["loads"] == 4


def test_a_copy_shares_the_runner_and_the_first_name_is_listed(start_sim):
    sim = start_sim(models=[quick("a", load_ms=200)])
    sim.ask("POST", "/api/copy", {"source": "a", "destination": "twin"})
    sim.ask("POST", "/api/create", {"model": "child", "from": "a", "system": "x"})
    sim.ask("POST", "/api/generate", generate("a"))
    for name in ("twin", "child", "A:latest", "registry.ollama.ai/library/a:latest"):
        answer = sim.ask("POST", "/api/generate", generate(name)).json()
        assert answer["load_duration"] < 100e6 and answer["model"] == name
    assert sim.loaded().keys() == {"a:latest"}
    digests = {model["name"]: model["digest"] for model in sim.ask("GET", "/api/tags").json()["models"]}
    assert digests["twin:latest"] == digests["a:latest"] != digests["child:latest"]
