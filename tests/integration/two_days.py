"""A request log of two days as a small office makes it, for pictures of the report: pages at set hours, people in the day, a house."""

import heapq
import random

from reports import failed, job

HOUR = 3600.0
SLOTS = 3
LOADS_S = {"qwen2.5vl:7b": 6.5, "llama3.2": 2.4, "qwen2.5-coder:7b": 5.2}
PATIENCE_S = 60.0


def arrivals(draw):
    """(second, project), in order."""
    found = []
    for day in (0, 24 * HOUR):
        for begin, pages in ((1.2, 40), (5.1, 64)):
            at = day + begin * HOUR
            for _ in range(pages):
                found.append((at, "Docling_Machine"))
                at += draw.uniform(0.2, 3)
        for project, a_day, hours in (("open-webui", 150, 9), ("coder", 60, 8), ("Home_Assistant", 70, 15), ("notes", 25, 8)):
            found += [(day + draw.triangular(0, hours, hours / 2) * HOUR, project) for _ in range(a_day)]
    return sorted(found)


def kind_of(draw, project):
    """(model, seconds at Ollama, members of the line)"""
    prompt, tokens = draw.randint(60, 900), draw.randint(30, 400)
    if project == "Docling_Machine":
        tokens = draw.randint(150, 420)
        more = {"stream": False, "images_count": 1, "images_bytes": 434000, "images_pixels": 2480 * 3508, "images_max": "2480x3508",
                "request_bytes": 579500, "priority": "batch", "path": "/v1/chat/completions"}  # fmt: skip
        return "qwen2.5vl:7b", 1.9 + tokens / 45, more | {"prompt_eval_count": 1400 + draw.randint(0, 40), "generation_eval_count": tokens}
    if project == "coder":
        prompt = draw.randint(1500, 5200)
        more = {"context_length": 4096, "prompt_truncated": prompt > 4096, "prompt_eval_count": 2051 if prompt > 4096 else prompt}
        return "qwen2.5-coder:7b", prompt / 900 + tokens / 40, more | {"generation_eval_count": tokens}
    if project == "Home_Assistant":
        tokens = draw.randint(8, 40)
    more = {"prompt_eval_count": prompt, "generation_eval_count": tokens, "priority": "interactive" if project == "Home_Assistant" else "normal"}
    return "llama3.2", prompt / 2600 + tokens / 75, more


def two_days(seed=7):
    """Three slots, one model in memory, in order of arrival: what a box without turns does."""
    draw = random.Random(seed)
    free, loaded, lines = [0.0] * SLOTS, None, []
    for at, project in arrivals(draw):
        model, service, more = kind_of(draw, project)
        begin = max(at, heapq.heappop(free))
        wait = begin - at
        load = 0.0 if model == loaded else LOADS_S[model]
        loaded = model
        end = begin + load + service
        told = {"project_name": project, "model": model, "queue_wait_ms": round(wait * 1000, 3), "upstream_wait_ms": 0.4}
        if end - at > PATIENCE_S:
            end = max(at + PATIENCE_S, begin)
            lines.append((end, failed(end, "client_gone", PATIENCE_S * 1000, **told)))
        else:
            timed = {"generation_eval_ms": round(service * 800, 3), "prompt_eval_ms": round(service * 200, 3), "ttft_ms": round((wait + load + service * 0.2) * 1000, 3)}
            warmth = {"model_warm_start": load == 0, "model_load_ms": round(load * 1000 + 1.1, 3)}
            lines.append((end, job(end, round((end - at) * 1000, 3), **told | more | timed | warmth)))
        heapq.heappush(free, end)
    return [line for _, line in sorted(lines, key=lambda entry: entry[0])]
