"""Simulated boxes that several tests use, and requests for them. Speeds are real time unless a test scales it."""

import json

from wire import request

# Answers at once: no load, no thinking time, many at once.
QUICK = {
    "num_parallel": 16,
    "models": [
        {"name": "m", "load_ms": 0, "prompt_tokens_per_s": 0, "tokens_per_s": 0, "tokens": 5, "capabilities": ["completion", "vision"]},
        {"name": "e", "load_ms": 0, "prompt_tokens_per_s": 0, "capabilities": ["embedding"]},
    ],
}


def talker(tokens, per_second, num_parallel=16, **more):
    """A model that says `tokens` tokens at this speed, to so many at once."""
    model = {"name": "m", "load_ms": 0, "prompt_tokens_per_s": 0, "tokens_per_s": per_second, "tokens": tokens}
    return {"num_parallel": num_parallel, "models": [model | {"num_parallel": num_parallel} | more]}


# Talks for minutes: what is running stays running.
ENDLESS = talker(100000, 50)


def model(name, **more):
    """One that loads in a moment and says eight tokens."""
    return {"name": name, "load_ms": 150, "prompt_tokens_per_s": 0, "tokens_per_s": 400, "tokens": 8} | more


def chat_body(stream=True, model="m", **more):
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    return json.dumps(body | more).encode()


def chat(stream=True, headers=(), **more):
    """A chat as bytes."""
    return request("POST", "/api/chat", chat_body(stream, **more), headers)


def lines_of(data):
    return [json.loads(line) for line in data.splitlines() if line.strip()]
