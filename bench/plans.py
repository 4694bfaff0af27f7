"""Plans of requests for the load generator's mode `replay` (replay.h has the format): the old service's mix, and what a
request log tells (docs/schemas/request-log.schema.json). Also the simulated box that a log tells of."""

import datetime
import gzip
import json
import statistics
from dataclasses import dataclass, field

MS_PER_S = 1000
SEPARATOR = "\x1e"
FIELDS_NOT_ALLOWED = dict.fromkeys(range(32)) | {127: None}

# What the old service's analysis says about its traffic: 202 requests in bursts, 200 chat and 2 list_models, 198 of them
# qwen2.5vl:7b, 94 from Docling_Machine, 200 successes and 2 errors. Two chats are left for another model; they ask for one
# that is not there, so they are the two errors.
OLD_REQUESTS = 202
OLD_CHATS = 198
OLD_LISTS = 2
OLD_DOCLING = 94
OLD_MODEL = "qwen2.5vl:7b"
OLD_MISSING_MODEL = "llava:13b"
# Four or five at once beside three slots give the old analysis's waits: 3 s on average, 8 s at most, when a page takes 8 s.
BURST = (3, 6)
WITHIN_MS = 300
# Between bursts, so that one is served before the next.
PAUSE_MS = (18000, 30000)
# A page of A4 at 100 dpi as base64.
IMAGE_BYTES = 40000
# Of an answer: some 8 s, from 5 to 11, beside two others.
TOKENS = (120, 300)

# What is played of a log: what changes no model and needs nothing that a log does not have.
PATHS = {
    "chat": "/api/chat",
    "generate": "/api/generate",
    "embed": "/api/embed",
    "list_models": "/api/tags",
    "list_running": "/api/ps",
    "show_model": "/api/show",
    "version": "/api/version",
    "root": "/",
}
V1_PATHS = {"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models", "/v1/responses", "/v1/messages"}
# Of a prompt that only has to be long.
BYTES_PER_TOKEN = 4
USUAL_TOKENS = 100
USUAL_LOAD_MS = 5000
USUAL_TOKENS_PER_S = 40
USUAL_PROMPT_TOKENS_PER_S = 1000


@dataclass
class Request:
    due_ms: float
    method: str
    path: str
    headers: dict = field(default_factory=dict)
    # the body is `before`, so many bytes of filling, `after`
    before: str | None = None
    filling: int = 0
    after: str = ""

    def line(self):
        fields = "".join(f"{name}: {value.translate(FIELDS_NOT_ALLOWED)}{SEPARATOR}" for name, value in self.headers.items())
        parts = [f"{self.due_ms:.3f}", self.method, self.path, fields]
        if self.before is not None:
            parts += [str(self.filling), self.before, self.after]
        return "\t".join(parts) + "\n"


def write(requests, path):
    with open(path, "w") as file:
        file.writelines(request.line() for request in sorted(requests, key=lambda request: request.due_ms))


class Draw:
    """splitmix64, as in load.c: the same seed draws the same numbers everywhere."""

    MASK = (1 << 64) - 1

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state + 0x9E3779B97F4A7C15) & self.MASK
        mixed = self.state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & self.MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & self.MASK
        return (mixed ^ (mixed >> 31)) % limit

    def between(self, least, most):
        return least + self.below(most - least + 1)


def old_request(number, due_ms, tokens):
    if OLD_CHATS <= number < OLD_CHATS + OLD_LISTS:
        return Request(due_ms, "GET", "/api/tags", {"User-Agent": "bench-load"})
    headers = {"User-Agent": "bench-load", "Content-Type": "application/json"}
    if number < OLD_DOCLING:
        before = '{"messages":[{"role":"user","content":[{"type":"text","text":"Convert this page to docling."},'
        before += '{"type":"image_url","image_url":{"url":"data:image/png;base64,'
        after = f'"}}}}]}}],"max_tokens":{tokens},"model":"{OLD_MODEL}"}}'
        headers["X-Project-Name"] = "Docling_Machine"
        return Request(due_ms, "POST", "/v1/chat/completions", headers, before, IMAGE_BYTES, after)
    model = OLD_MISSING_MODEL if number >= OLD_CHATS + OLD_LISTS else OLD_MODEL
    before = f'{{"model":"{model}","messages":[{{"role":"user","content":"Describe the page.","images":["'
    after = f'"]}}],"stream":{"true" if number % 2 else "false"},"options":{{"num_predict":{tokens}}}}}'
    headers["X-Project-Name"] = "bench"
    return Request(due_ms, "POST", "/api/chat", headers, before, IMAGE_BYTES, after)


def old_service(seed, limit=None):
    """The 202 requests in seeded bursts; `limit`: only the first of them."""
    draw = Draw(seed)
    mix = [(number, draw.between(*TOKENS)) for number in range(OLD_REQUESTS)]
    for place in range(OLD_REQUESTS - 1, 0, -1):
        other = draw.below(place + 1)
        mix[place], mix[other] = mix[other], mix[place]
    requests = []
    at_ms = left = 0
    for place, (number, tokens) in enumerate(mix):
        if left == 0:
            left = draw.between(*BURST)
            at_ms += draw.between(*PAUSE_MS) if place else 0
        requests.append(old_request(number, at_ms + draw.below(WITHIN_MS), tokens))
        left -= 1
    return requests[:limit]


def read_log(paths):
    """All lines that are records; a log may be gzip."""
    records = []
    for path in paths:
        with (gzip.open(path, "rt") if path.endswith(".gz") else open(path)) as file:
            for text in file:
                try:
                    record = json.loads(text)
                except ValueError:
                    continue  # a line that was cut off
                if isinstance(record, dict) and record.get("timestamp"):
                    records.append(record)
    return records


def arrival_ms(record):
    end = datetime.datetime.fromisoformat(record["timestamp"].replace("Z", "+00:00")).timestamp()
    return end * MS_PER_S - (record.get("latency_ms") or 0)


def body_of(record, model):
    """(before, filling, after): as long as it was, with as many tokens to answer. What filled it is not in the log."""
    tokens = record.get("generation_eval_count") or USUAL_TOKENS
    operation, path = record.get("operation"), record.get("path") or ""
    is_v1 = path.startswith("/v1/")
    images = record.get("images_count") or 0
    name = json.dumps(model)
    stream = "true" if record.get("stream") else "false"
    if is_v1:
        end = f'"}}}}]}}]' if images else '"}]'
        after = f'{end},"max_tokens":{tokens},"stream":{stream},"model":{name}}}'
        before = '{"messages":[{"role":"user","content":'
        before += '[{"type":"image_url","image_url":{"url":"data:image/png;base64,' if images else '"'
    else:
        after = f',"stream":{stream},"options":{{"num_predict":{tokens}}},"model":{name}}}'
        if operation == "chat":
            before = '{"messages":[{"role":"user","content":' + ('"page","images":["' if images else '"')
            after = ('"]}]' if images else '"}]') + after
        else:
            before = '{"prompt":' + ('"page","images":["' if images else '"')
            after = ('"]' if images else '"') + after
    if operation == "embed":
        before, after = '{"input":"', f'","model":{name}}}'
    if operation == "show_model":
        return f'{{"model":{name}}}', 0, ""
    wanted = record.get("request_bytes") or (record.get("prompt_eval_count") or USUAL_TOKENS) * BYTES_PER_TOKEN
    return before, max(0, wanted - len(before) - len(after)), after


def request_of(record, first_ms, models):
    path = record.get("path") or ""
    operation = record.get("operation")
    if operation not in PATHS:
        return None
    path = path if path in V1_PATHS or path in PATHS.values() or path == "/api/embeddings" else PATHS[operation]
    method = "POST" if operation in ("chat", "generate", "embed", "show_model") else "GET"
    model = record.get("model")
    if method == "POST" and not model:
        return None
    headers = {"User-Agent": record.get("user_agent") or "bench-load"}
    # a client without a name was called by its address
    if record.get("project_name"):
        headers["X-Project-Name"] = record["project_name"]
    if record.get("priority"):
        headers["X-Priority"] = record["priority"]
    request = Request(arrival_ms(record) - first_ms, method, path, headers)
    if method == "POST":
        headers["Content-Type"] = "application/json"
        request.before, request.filling, request.after = body_of(record, models.get(model, model))
    return request


def from_log(records, models):
    """(requests, how many were left out). `models`: names of the log to names of the box."""
    first_ms = min((arrival_ms(record) for record in records), default=0)
    requests = [request_of(record, first_ms, models) for record in records]
    kept = [request for request in requests if request]
    return kept, len(requests) - len(kept)


def median_of(values, fallback):
    return statistics.median(values) if values else fallback


def speeds(records, count, duration_ms, fallback):
    """Tokens a second."""
    pairs = [(record.get(count), record.get(duration_ms)) for record in records]
    return median_of([tokens * MS_PER_S / took for tokens, took in pairs if tokens and took], fallback)


def box_of(records, models):
    """A configuration of ollama-sim with the log's models and their speeds; as many run at once as did."""
    named = {}
    for record in records:
        if record.get("model") and record.get("status") == "success" and record.get("runner"):
            named.setdefault(models.get(record["model"], record["model"]), []).append(record)
    described = []
    for name, its in sorted(named.items()):
        loads = [r["model_load_ms"] for r in its if r.get("model_load_ms") and r.get("model_warm_start") is False]
        described.append(
            {
                "name": name,
                "capabilities": ["completion", "vision", "embedding", "tools"],
                "load_ms": median_of(loads, USUAL_LOAD_MS),
                "prompt_tokens_per_s": speeds(its, "prompt_eval_count", "prompt_eval_ms", USUAL_PROMPT_TOKENS_PER_S),
                "tokens_per_s": speeds(its, "generation_eval_count", "generation_eval_ms", USUAL_TOKENS_PER_S),
                "tokens": USUAL_TOKENS,
                "context_length": max((r.get("context_length") or 0 for r in its), default=0) or 32768,
            }
        )
    return {"num_parallel": 3, "max_loaded_models": 1, "models": described}
