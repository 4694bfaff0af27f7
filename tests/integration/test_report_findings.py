"""`shared-ollama report`: each finding on a log that has it and on one that has not (PRODUCT 6.5)."""

import json

from reports import failed, findings, job

SECOND = 1000.0


def cold(at, model, load_ms=8000.0, **more):
    return job(at, load_ms + 2000, model=model, model_warm_start=False, model_load_ms=load_ms, **more)


def test_a_quiet_log_has_no_findings(tmp_path):
    lines = [job(i * 20, prompt_eval_count=50, prompt_eval_ms=30.0, generation_eval_ms=800.0, upstream_wait_ms=0.1) for i in range(200)]
    assert findings(tmp_path, lines) == {}


def test_two_models_that_swap(tmp_path):
    lines = [cold(i * 12, ("llama3", "qwen")[i % 2]) for i in range(20)]
    (row,) = findings(tmp_path, lines)["swaps"]
    assert "llama3" in row["finding"] and "qwen" in row["finding"]
    # the first load of each is nobody's fault
    assert "18 times" in row["finding"]
    assert "144.0 s" in row["finding"]
    assert "scheduler = turns" in row["change"] and "OLLAMA_MAX_LOADED_MODELS" in row["change"]


def test_three_models_that_swap_in_a_circle(tmp_path):
    lines = [cold(i * 12, ("llama3", "qwen", "phi")[i % 3]) for i in range(12)]
    (row,) = findings(tmp_path, lines)["swaps"]
    assert row["finding"].startswith("3 models pushed each other out of memory 9 times")


def test_three_swaps_are_no_habit(tmp_path):
    lines = [cold(0, "llama3"), cold(12, "qwen"), cold(24, "llama3"), cold(36, "qwen"), cold(48, "llama3")]
    lines += [job(30 + i, model=("llama3", "qwen")[i % 2]) for i in range(50)]
    assert "swaps" not in findings(tmp_path, lines)


def test_one_model_that_goes_in_the_night_is_no_swap(tmp_path):
    lines = [cold(i * 40000, "llama3") for i in range(10)]
    assert "swaps" not in findings(tmp_path, lines)


def test_options_that_reload_a_model(tmp_path):
    runners = ["llama3", "llama3 num_ctx=8192"]
    lines = [cold(i * 12, "llama3", runner=runners[i % 2], project_name=("notes", "agent")[i % 2]) for i in range(10)]
    found = findings(tmp_path, lines)
    (row,) = found["option_reloads"]
    assert (row["model"], row["project"]) == ("llama3", "agent")
    assert "9 times" in row["finding"] and "num_ctx=8192" in row["finding"]
    assert 'options = "strip"' in row["change"]
    assert row["effect"] == "9 loads less, 72.0 s of waiting for them."
    assert "swaps" not in found


def test_one_runner_reloads_nothing(tmp_path):
    lines = [cold(i * 1200, "llama3", runner="llama3 num_ctx=8192") for i in range(10)]
    assert "option_reloads" not in findings(tmp_path, lines)


def test_requests_that_nobody_waited_for(tmp_path):
    lines = [job(i) for i in range(50)]
    lines += [failed(60 + i, "queue_timeout", 60000, project_name="batch", queue_wait_ms=60000.0, attempts=0) for i in range(6)]
    lines += [failed(70 + i, "client_gone", 3000 + 900 * i, project_name="batch", queue_wait_ms=1000.0) for i in range(4)]
    (row,) = findings(tmp_path, lines)["unheard"]
    assert row["project"] == "batch"
    assert "10 of 10" in row["finding"] and "4 clients left, 6 waited" in row["finding"]
    assert "default_timeout" in row["change"]
    # 2, 2.9, 3.8 and 4.7 s at Ollama
    assert "13.4 s" in row["effect"]


def test_each_way_to_be_unheard_has_its_own_advice(tmp_path):
    gone = findings(tmp_path, [failed(i, "client_gone", 1000 * i + 500) for i in range(9)])["unheard"][0]
    early = findings(tmp_path, [failed(i, "no_time_left", 1.0, attempts=0) for i in range(9)])["unheard"][0]
    assert gone["change"] != early["change"]
    assert "time-out in the client" in gone["change"] and "patience" in early["change"]


def test_a_few_who_leave_are_normal(tmp_path):
    lines = [job(i) for i in range(500)] + [failed(600 + i, "client_gone") for i in range(5)]
    found = findings(tmp_path, lines)
    assert "unheard" not in found


def test_a_client_with_less_patience_than_its_service_takes(tmp_path):
    lines = [job(i * 30, 24000, project_name="Docling_Machine", stream=False) for i in range(20)]
    lines += [failed(900 + i * 30, "client_gone", 20000 + i, project_name="Docling_Machine") for i in range(8)]
    (row,) = findings(tmp_path, lines)["impatient_client"]
    assert row["project"] == "Docling_Machine"
    assert "after 20." in row["finding"]
    assert "read time-out of at least 50 s" in row["change"]


def test_people_who_leave_whenever_they_like_are_not_impatient_clients(tmp_path):
    lines = [job(i * 30, 24000) for i in range(20)]
    lines += [failed(900 + i * 30, "client_gone", 2000 + 2500 * i) for i in range(8)]
    assert "impatient_client" not in findings(tmp_path, lines)


def test_a_client_that_left_for_the_queue_only_is_not_impatient(tmp_path):
    lines = [job(i * 30, 5000) for i in range(20)]
    lines += [failed(900 + i * 30, "client_gone", 20000, queue_wait_ms=20000.0, attempts=0) for i in range(8)]
    assert "impatient_client" not in findings(tmp_path, lines)


def test_long_answers_in_one_piece_whose_first_token_came_early(tmp_path):
    lines = [job(i * 30, 22000, stream=False, ttft_ms=22000.0, generation_eval_ms=20000.0) for i in range(10)]
    (row,) = findings(tmp_path, lines)["unstreamed"]
    assert "22.0 s" in row["finding"] and "after 2.0 s" in row["finding"]
    assert '"stream": true' in row["change"]
    assert "20.0 s earlier" in row["effect"]


def test_streamed_or_short_or_slow_to_begin_need_no_stream(tmp_path):
    streamed = [job(i * 30, 22000, ttft_ms=2000.0, generation_eval_ms=20000.0) for i in range(10)]
    short = [job(400 + i, 2000, stream=False, generation_eval_ms=1800.0) for i in range(10)]
    late = [job(500 + i * 30, 22000, stream=False, generation_eval_ms=2000.0) for i in range(10)]
    unknown = [job(900 + i * 30, 22000, stream=False, ttft_ms=22000.0) for i in range(10)]
    assert "unstreamed" not in findings(tmp_path, streamed + short + late + unknown)


def test_cut_prompts(tmp_path):
    lines = [job(i, prompt_truncated=False, context_length=4096, prompt_eval_count=900) for i in range(20)]
    lines += [job(30 + i, prompt_truncated=True, context_length=4096, prompt_eval_count=2051, project_name="docs") for i in range(3)]
    (row,) = findings(tmp_path, lines)["cut_prompts"]
    assert (row["project"], row["model"]) == ("docs", "llama3")
    assert "3 of 3" in row["finding"] and "4096" in row["finding"]
    assert "num_ctx = 8192" in row["change"]


def test_whole_prompts_or_unknown_ones_are_no_cut_prompts(tmp_path):
    lines = [job(i, prompt_truncated=(False, None)[i % 2], context_length=4096) for i in range(20)]
    assert "cut_prompts" not in findings(tmp_path, lines)


def stats_file(tmp_path, share):
    file = tmp_path / "stats.json"
    file.write_text(json.dumps({"runners": [{"model": "llama3", "vram_share": share}]}))
    return file


def test_a_model_partly_on_the_cpu(tmp_path):
    (row,) = findings(tmp_path, [job(0)], "--stats", stats_file(tmp_path, 0.62))["partly_on_cpu"]
    assert row["model"] == "llama3"
    assert "62 %" in row["finding"]


def test_a_model_wholly_on_the_gpu(tmp_path):
    assert findings(tmp_path, [job(0)], "--stats", stats_file(tmp_path, 1)) == {}


def page(at, wide, high, tokens, **more):
    """A page image, little text beside it, read in no time."""
    size = wide * high // 8
    line = job(at, 8000, model="qwen", project_name="Docling_Machine", images_count=1, images_bytes=size,
               images_pixels=wide * high, images_max=f"{wide}x{high}", request_bytes=size * 4 // 3 + 300,
               prompt_eval_count=tokens, prompt_eval_ms=100.0)
    return line | more


def show_file(tmp_path):
    file = tmp_path / "show.json"
    file.write_text(json.dumps({"model_info": {"qwen25vl.vision.patch_size": 14, "qwen25vl.vision.spatial_merge_size": 2}}))
    return f"qwen={file}"


def test_images_of_more_pixels_than_the_model_uses(tmp_path):
    # 784 pixels a token at most: 2480 x 3508 would be 11,097 tokens
    lines = [page(i, 2480, 3508, 1400) for i in range(10)]
    (row,) = findings(tmp_path, lines, "--show", show_file(tmp_path))["images_too_large"]
    assert (row["project"], row["model"]) == ("Docling_Machine", "qwen")
    assert "2480x3508" in row["finding"] and "784" in row["finding"]
    # the square root of 784 / (2480 * 3508 / 1400)
    assert "scale" in row["change"] and "0.36" in row["change"]


def test_images_of_as_many_pixels_as_it_uses(tmp_path):
    lines = [page(i, 1036, 1456, 1036 * 1456 // 784 + 20) for i in range(10)]
    assert findings(tmp_path, lines, "--show", show_file(tmp_path)) == {}


def test_images_that_bring_no_more_tokens(tmp_path):
    """Without --show: twice the pixels, as many tokens."""
    lines = [page(i, 1000, 1000, 1300) for i in range(10)] + [page(20 + i, 2000, 2000, 1300) for i in range(10)]
    (row,) = findings(tmp_path, lines)["images_too_large"]
    assert "2000x2000" in row["finding"]


def test_images_whose_tokens_grow_with_them(tmp_path):
    lines = [page(i, 1000, 1000, 1300) for i in range(10)] + [page(20 + i, 2000, 2000, 5200) for i in range(10)]
    assert findings(tmp_path, lines) == {}


def test_images_whose_tokens_are_most_of_the_prompt_time(tmp_path):
    lines = [page(i, 1000, 1400, 1800, prompt_eval_ms=3000.0) for i in range(10)]
    (row,) = findings(tmp_path, lines)["images_dominate"]
    assert row["project"] == "Docling_Machine"
    assert "3.00 s of 8.00 s" in row["finding"]
    assert "scale" in row["change"] and "max_size" in row["change"]


def test_images_beside_a_long_text_do_not_dominate(tmp_path):
    # 7,200 bytes of text are 2,400 tokens at most
    lines = [page(i, 1000, 1400, 4000, prompt_eval_ms=3000.0, request_bytes=233334 + 7200) for i in range(10)]
    assert "images_dominate" not in findings(tmp_path, lines)


def test_more_slots_than_ollama_serves(tmp_path):
    lines = [job(i * 2, 4000, upstream_wait_ms=2000.0) for i in range(50)]
    (row,) = findings(tmp_path, lines)["too_many_slots"]
    assert "2.00 s" in row["finding"]
    assert "OLLAMA_NUM_PARALLEL" in row["change"] and "concurrency = adaptive" in row["change"]


def burst(begin, count, slots, service_ms):
    """`count` requests at once, `slots` of them at a time."""
    for i in range(count):
        wait = i // slots * service_ms
        yield job(begin + (wait + service_ms) / SECOND, wait + service_ms, queue_wait_ms=wait, upstream_wait_ms=0.1)


def test_fewer_slots_than_waits_ask_for(tmp_path):
    lines = [line for begin in range(0, 2000, 100) for line in burst(begin, 9, 3, 8000)]
    (row,) = findings(tmp_path, lines)["too_few_slots"]
    assert "at most 3 ran at once" in row["finding"]
    assert "max_concurrent = 5" in row["change"]


def test_short_waits_ask_for_nothing(tmp_path):
    lines = [line for begin in range(0, 2000, 100) for line in burst(begin, 3, 3, 8000)]
    assert findings(tmp_path, lines) == {}
