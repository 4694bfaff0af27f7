"""What two answers of the same kind have in common: keys and their order, types, and the values that do not change."""

import json
import re

# Different in each run, or with each model and machine.
VOLATILE_KEYS = {
    "created_at", "created", "completed_at", "modified_at", "expires_at", "id", "item_id", "digest", "request_id",
    "total_duration", "load_duration", "prompt_eval_duration", "eval_duration", "prompt_eval_count", "eval_count",
    "context", "embedding", "embeddings", "size", "size_vram", "parameter_size", "context_length", "embedding_length",
    "family", "families", "quantization_level", "logprob", "prompt_tokens", "completion_tokens", "total_tokens",
    "input_tokens", "output_tokens", "capabilities",
}
# Lists of which only the first element is looked at: they are as long as the machine has models.
LISTS_OF_MODELS = {"models", "data"}


def shape(value, key=None, is_fixed=True):
    """Objects as lists of [key, shape] in order, arrays by their first element, scalars by type and (if fixed) value."""
    is_fixed = is_fixed and key not in VOLATILE_KEYS
    if isinstance(value, list) and value and isinstance(value[0], tuple) or value == "{}":
        pairs = [] if value == "{}" else value
        return {"object": [[name, shape(item, name, is_fixed)] for name, item in pairs]}
    if isinstance(value, list):
        first = [shape(value[0], None, is_fixed and key not in LISTS_OF_MODELS)] if value else []
        return {"array": first}
    kind = {bool: "bool", str: "string", int: "number", float: "number", type(None): "null"}[type(value)]
    if kind == "string":
        value = re.sub("sha256:[0-9a-f]{64}", "sha256:*", value)
    return [kind, value] if is_fixed and key is not None and kind != "number" else [kind]


def parse_json(text):
    """Objects as lists of pairs, so that their order is kept; None if it is no JSON."""
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: pairs or "{}")
    except ValueError:
        return None


def describe_chunk(chunk):
    """One chunk: the events or lines in it, or a text as it is."""
    text = chunk.decode()
    if text.startswith(("data: ", "event: ")):
        events = []
        assert text.endswith("\n\n")
        for event in text[:-2].split("\n\n"):
            fields = dict(line.split(": ", 1) for line in event.split("\n"))
            data = parse_json(fields["data"])
            events.append({"event": fields.get("event"), "data": fields["data"] if data is None else shape(data)})
        return {"sse": events}
    value = parse_json(text)
    if value is None:
        return {"text": text}
    return {"json": shape(value), "ends_with_newline": text.endswith("\n")}


def is_volatile(name, answer):
    """The length of a body varies with its values, but not that of none (an answer to HEAD)."""
    return name == "Date" or (name == "Content-Length" and answer.body != b"")


def describe(answer):
    headers = [[name, None if is_volatile(name, answer) else value] for name, value in answer.headers]
    if answer.framing == "close":
        chunks = [line + b"\n" for line in answer.body.split(b"\n") if line]
    else:
        chunks = answer.chunks
    return {
        "status": [answer.version, answer.status, answer.reason],
        "headers": headers,
        "framing": answer.framing,
        "chunks": [describe_chunk(chunk) for chunk in chunks if chunk],
    }
