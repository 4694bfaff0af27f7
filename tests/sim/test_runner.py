"""What happens on a loaded runner: slots and their queue, speed, clients that leave, keep_alive, durations, cut prompts."""

import datetime

import pytest

QUICK = {"load_ms": 20, "unload_ms": 1, "prompt_tokens_per_s": 0, "tokens_per_s": 0, "answer": "ok"}
ENDLESS = {"load_ms": 10, "unload_ms": 1, "prompt_tokens_per_s": 0, "tokens_per_s": 100, "tokens": 0}
# A warm start never takes so long, however slow the machine; FACTS draws the line between warm and cold here.
WARM_MAX_NS = 100e6
DURATIONS = ["load_duration", "prompt_eval_duration", "eval_duration"]


def generate(**more):
    return {"model": "a", "prompt": "hi", "stream": False} | more


def start_stream(sim, **more):
    connection = sim.connect()
    connection.send("POST", "/api/generate", {"model": "a", "prompt": "hi"} | more)
    connection.reader.until(b"\r\n\r\n")
    return connection


def expires_in(sim, name="a:latest"):
    text = sim.loaded()[name]["expires_at"]
    stamp = datetime.datetime.fromisoformat(text[:19] + "+00:00")
    return (stamp - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


def test_one_slot_serves_in_order_of_arrival(start_sim):
    sim = start_sim(models=[ENDLESS | {"name": "a"}])
    running = start_stream(sim)
    queue = []
    for count in range(1, 5):
        connection = sim.connect()
        connection.send("POST", "/api/generate", generate(options={"num_predict": 2}))
        queue.append(connection)
        sim.wait_for_model("a:latest", inner_queue=count)
    running.close()
    answers = [connection.read().json() for connection in queue]
    assert [answer["created_at"] for answer in answers] == sorted(answer["created_at"] for answer in answers)
    for answer in answers:
        assert answer["load_duration"] < WARM_MAX_NS, "the wait for a slot is no load"
    inner_wait = answers[-1]["total_duration"] - sum(answers[-1][key] for key in DURATIONS)
    assert inner_wait > 30e6


def test_num_parallel_of_model_and_of_all(start_sim):
    models = [ENDLESS | {"name": "a", "num_parallel": 3}, ENDLESS | {"name": "b"}]
    sim = start_sim(num_parallel=2, models=models)
    streams = [start_stream(sim) for _ in range(3)] + [start_stream(sim, model="b") for _ in range(2)]
    waiting = sim.connect()
    waiting.send("POST", "/api/generate", generate())
    sim.wait_for_model("a:latest", running=3, inner_queue=1)
    waiting.close()
    sim.wait_for_model("a:latest", inner_queue=0)
    assert sim.model("b:latest")["running"] == 2
    for stream in streams:
        stream.close()
    sim.wait_for(lambda state: all(model["running"] == 0 for model in state["models"].values()))


@pytest.mark.parametrize("alpha", [0, 1])
def test_speed_drops_with_the_batch(start_sim, alpha):
    sim = start_sim(num_parallel=3, models=[ENDLESS | {"name": "a", "alpha": alpha, "tokens_per_s": 200}])
    others = [start_stream(sim) for _ in range(2)]
    answer = sim.ask("POST", "/api/generate", generate(options={"num_predict": 31})).json()
    expected = 30 / 200 * (1 + alpha * 2) * 1e9
    assert 0.9 * expected < answer["eval_duration"] < 1.4 * expected
    for stream in others:
        stream.close()


def test_time_scale_divides_all_time(start_sim):
    models = [ENDLESS | {"name": "a", "load_ms": 5000, "tokens_per_s": 10, "prompt_tokens_per_s": 1}]
    sim = start_sim(scale=100, models=models)
    answer = sim.ask("POST", "/api/generate", generate(options={"num_predict": 21}, keep_alive=100)).json()
    assert 50e6 <= answer["load_duration"] < 150e6
    assert 110e6 <= answer["prompt_eval_duration"] < 250e6
    assert 20e6 <= answer["eval_duration"] < 100e6
    sim.wait_for_model("a:latest", resident=False)


def test_durations_add_up_and_a_warm_load_is_never_zero(start_sim):
    sim = start_sim(models=[ENDLESS | {"name": "a", "tokens_per_s": 2000, "prompt_tokens_per_s": 3000}])
    cold = sim.ask("POST", "/api/generate", generate(options={"num_predict": 9})).json()
    assert cold["load_duration"] >= 10e6
    for _ in range(10):
        answer = sim.ask("POST", "/api/generate", generate(options={"num_predict": 9})).json()
        assert 0.7e6 <= answer["load_duration"] < WARM_MAX_NS
        assert answer["total_duration"] >= sum(answer[key] for key in DURATIONS)
        assert all(answer[key] > 0 for key in DURATIONS)
        assert answer["eval_count"] == 9


def test_client_that_leaves_in_mid_stream_frees_its_slot(start_sim):
    sim = start_sim(models=[ENDLESS | {"name": "a"}])
    start_stream(sim).close()
    state = sim.wait_for_model("a:latest", running=0, aborted_in_generation=1)
    assert state["references"] == 0
    lines = sim.state()["generated_lines"]
    assert sim.ask("POST", "/api/generate", generate(options={"num_predict": 1})).status == 200
    assert sim.state()["generated_lines"] == lines + 1


def test_client_that_leaves_a_whole_answer_stops_it_too(start_sim):
    sim = start_sim(models=[ENDLESS | {"name": "a"}])
    connection = sim.connect()
    connection.send("POST", "/api/chat", {"model": "a", "stream": False, "messages": [{"role": "user", "content": "x"}]})
    sim.wait_for_model("a:latest", generating=1)
    connection.close()
    sim.wait_for_model("a:latest", running=0, aborted_in_generation=1)


def test_half_close_aborts_and_the_error_line_can_be_read(start_sim):
    sim = start_sim(models=[ENDLESS | {"name": "a"}])
    connection = start_stream(sim)
    connection.socket.shutdown(1)
    data = connection.reader.rest()
    assert data.endswith(b'{"error":"an error was encountered while running the model: unexpected EOF"}\n\r\n0\r\n\r\n')
    sim.wait_for_model("a:latest", running=0, aborted_in_generation=1)


def test_client_that_leaves_in_prefill_keeps_the_slot_until_its_batch_ends(start_sim):
    models = [ENDLESS | {"name": "a", "prompt_tokens_per_s": 1000, "num_batch": 500, "tokens_per_s": 0}, QUICK | {"name": "b"}]
    sim = start_sim(max_loaded_models=1, models=models)
    prompt = "word " * 2000
    connection = sim.connect()
    connection.send("POST", "/api/generate", generate(prompt=prompt))
    sim.wait_for_model("a:latest", prefilling=1)
    connection.close()
    sim.wait_for_model("a:latest", ghosts=1, references=0, aborted_in_prefill=1)
    assert expires_in(sim) > 200, "looks idle"
    answer = sim.ask("POST", "/api/generate", generate(options={"num_predict": 1})).json()
    inner_wait = answer["total_duration"] - sum(answer[key] for key in DURATIONS)
    assert 0.1e9 < inner_wait < 0.6e9, "at most one batch, not the whole prompt"


def test_a_ghost_does_not_hold_up_another_models_load(start_sim):
    models = [ENDLESS | {"name": "a", "prompt_tokens_per_s": 100, "num_batch": 4096}, QUICK | {"name": "b"}]
    sim = start_sim(max_loaded_models=1, models=models)
    connection = sim.connect()
    connection.send("POST", "/api/generate", generate(prompt="word " * 3000))
    sim.wait_for_model("a:latest", prefilling=1)
    connection.close()
    sim.wait_for_model("a:latest", ghosts=1)
    answer = sim.ask("POST", "/api/generate", generate(model="b"))
    assert answer.json()["load_duration"] < 2e9
    assert sim.loaded().keys() == {"b:latest"}


@pytest.mark.parametrize(
    "value, seconds",
    [(60, 60), (90.5, 90.5), ("30m", 1800), ("2h45m10s", 9910), ("1.5h", 5400), ("500ms", 0.5), (-1, None), ("-1m", None)],
    ids=str,
)
def test_keep_alive_forms(start_sim, value, seconds):
    sim = start_sim(models=[QUICK | {"name": "a"}])
    assert sim.ask("POST", "/api/generate", generate(keep_alive=value)).status == 200
    if seconds is None:
        assert sim.loaded()["a:latest"]["expires_at"] > "2300"
    elif seconds < 1:
        sim.wait_for_model("a:latest", resident=False)
    else:
        assert abs(expires_in(sim) - seconds) < 3


@pytest.mark.parametrize("value", [0, "0", "0s"], ids=repr)
def test_keep_alive_zero_unloads_after_the_answer(start_sim, value):
    sim = start_sim(models=[QUICK | {"name": "a"}])
    assert sim.ask("POST", "/api/generate", generate(keep_alive=value)).json()["done_reason"] == "stop"
    sim.wait_for_model("a:latest", resident=False, unloads=1)
    assert sim.ask("POST", "/api/generate", {"model": "a", "keep_alive": value}).json()["done_reason"] == "unload"
    assert sim.model("a:latest")["loads"] == 1


@pytest.mark.parametrize(
    "value, error",
    [
        ("90", 'time: missing unit in duration "90"'),
        ("-1", 'time: missing unit in duration "-1"'),
        ("bogus", 'time: invalid duration "bogus"'),
        ("5y", 'time: unknown unit "y" in duration "5y"'),
        (True, "Unsupported type: 'bool'"),
    ],
    ids=repr,
)
def test_keep_alive_errors(start_sim, value, error):
    sim = start_sim(models=[QUICK | {"name": "a"}])
    answer = sim.ask("POST", "/api/generate", generate(keep_alive=value))
    assert (answer.status, answer.json()) == (400, {"error": error})


def test_last_explicit_keep_alive_stays_also_on_v1(start_sim):
    sim = start_sim(models=[QUICK | {"name": "a"}])
    sim.ask("POST", "/api/generate", generate())
    assert abs(expires_in(sim) - 300) < 3
    sim.ask("POST", "/api/generate", {"model": "a", "keep_alive": "1h"})
    chat = {"model": "a", "messages": [{"role": "user", "content": "x"}], "keep_alive": "1m"}
    for path, body in (("/api/generate", generate()), ("/v1/chat/completions", chat)):
        assert sim.ask("POST", path, body).status == 200
        assert abs(expires_in(sim) - 3600) < 3
    assert sim.model("a:latest")["loads"] == 1


def test_keep_alive_by_an_empty_request_while_busy_takes_effect_at_the_end(start_sim):
    sim = start_sim(models=[ENDLESS | {"name": "a"}])
    running = start_stream(sim)
    touched = sim.ask("POST", "/api/chat", {"model": "a", "messages": [], "keep_alive": "2h"})
    assert touched.json()["done_reason"] == "load"
    running.close()
    sim.wait_for_model("a:latest", references=0)
    assert abs(expires_in(sim) - 7200) < 3


def test_expires_at_moves_in_the_first_use_only(start_sim):
    sim = start_sim(models=[ENDLESS | {"name": "a"}])

    def seen():
        return sim.loaded()["a:latest"]["expires_at"]

    running = start_stream(sim)
    assert seen() != seen()
    running.close()
    sim.wait_for_model("a:latest", references=0)
    idle = seen()
    assert seen() == idle
    running = start_stream(sim)
    assert seen() == idle, "in later uses it stays"
    running.close()
    sim.wait_for_model("a:latest", references=0)
    assert seen() > idle


def cut(context, **more):
    options = {"num_ctx": context} | more
    return generate(prompt="word " * 9000, options=options | {"num_predict": 1})


@pytest.mark.parametrize(
    "context, more, tokens",
    [(512, {}, 259), (1024, {}, 515), (2048, {}, 1027), (4096, {}, 2051), (1024, {"num_keep": 100}, 563), (1024, {"num_keep": -1}, 1023)],
    ids=str,
)
def test_long_prompts_are_cut_silently(start_sim, context, more, tokens):
    sim = start_sim(models=[QUICK | {"name": "a"}])
    answer = sim.ask("POST", "/api/generate", cut(context, **more))
    assert (answer.status, answer.json()["prompt_eval_count"]) == (200, tokens)


def test_cut_without_bos_and_on_v1(start_sim):
    sim = start_sim(models=[QUICK | {"name": "a", "bos": False}, QUICK | {"name": "b"}])
    assert sim.ask("POST", "/api/generate", cut(4096)).json()["prompt_eval_count"] == 2050
    long = [{"role": "user", "content": "word " * 9000}]
    assert sim.ask("POST", "/v1/chat/completions", {"model": "b", "messages": long}).json()["usage"]["prompt_tokens"] == 2051
    assert sim.ask("POST", "/v1/messages", {"model": "b", "max_tokens": 1, "messages": long}).json()["usage"]["input_tokens"] == 2051
    assert sim.ask("POST", "/v1/responses", {"model": "b", "input": "word " * 9000}).json()["usage"]["input_tokens"] == 2051


def test_a_chat_loses_whole_old_messages_without_a_sign(start_sim):
    sim = start_sim(models=[QUICK | {"name": "a"}])
    messages = [{"role": "user", "content": "word " * 100} for _ in range(30)]
    answer = sim.ask("POST", "/api/chat", {"model": "a", "stream": False, "messages": messages, "options": {"num_ctx": 1024}})
    assert answer.json()["prompt_eval_count"] == 1010


@pytest.mark.parametrize("switch", ["shift", "truncate"])
def test_without_cutting_a_long_prompt_is_refused(start_sim, switch):
    sim = start_sim(models=[QUICK | {"name": "a"}])
    answer = sim.ask("POST", "/api/generate", cut(1024) | {switch: False})
    assert answer.status == 400 and "exceeds" in answer.json()["error"]


def test_images_count_as_tokens_where_the_model_sees(start_sim):
    models = [QUICK | {"name": "a", "capabilities": ["completion", "vision"], "image_tokens": 700}]
    sim = start_sim(models=models)
    answer = sim.ask("POST", "/api/generate", generate(images=["aGk=", "aGk="]))
    assert answer.json()["prompt_eval_count"] == 1411
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    body = {"model": "a", "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}, url]}]}
    assert sim.ask("POST", "/v1/chat/completions", body).json()["usage"]["prompt_tokens"] == 711


def test_long_final_line_is_one_chunk(start_sim):
    sim = start_sim(models=[QUICK | {"name": "a", "answer": "ok " * 3000}])
    answer = sim.ask("POST", "/api/generate", generate(stream=True))
    assert all(chunk.count(b"\n") == 1 and chunk.endswith(b"\n") for chunk in answer.chunks)
    assert len(answer.chunks[-1]) > 10000 and answer.lines()[-1]["done"]


def test_many_streams_at_once(start_sim):
    count = 500
    sim = start_sim(num_parallel=count, models=[ENDLESS | {"name": "a", "tokens_per_s": 20}])
    connections = [sim.connect() for _ in range(count)]
    for connection in connections:
        connection.send("POST", "/api/generate", {"model": "a", "prompt": "hi", "options": {"num_predict": 10}})
    for connection in connections:
        lines = connection.read().lines()
        assert len(lines) == 11 and lines[-1]["eval_count"] == 10
        connection.close()
