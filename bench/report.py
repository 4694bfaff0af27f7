#!/usr/bin/env python3
"""How fast `shared-ollama report` reads: writes a seeded request log, reads it, prints MB a second of CPU time."""

import argparse
import datetime
import gzip
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile

RUNS = 3
LEAST_MB_A_SECOND = 100
MODELS = ("qwen2.5vl:7b", "llama3.2:latest", "nomic-embed-text")
# Distinct lines; the log repeats them with other times, which is what writing it costs.
TEMPLATES = 5000
SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "docs", "schemas", "request-log.schema.json")


def line(draw, keys, number):
    """One as the service writes it: keys in their order, no blanks."""
    is_page = draw.random() < 0.5
    latency = round(draw.uniform(300, 20000), 3)
    values = dict.fromkeys(keys) | {
        "event": "api_request",
        "client_type": "rest_api",
        "operation": "chat",
        "status": "success" if draw.random() < 0.98 else "error",
        "model": draw.choice(MODELS),
        "request_id": f"{draw.getrandbits(128):032x}",
        "client_ip": f"192.168.1.{number % 250}",
        "project_name": "Docling_Machine" if is_page else f"project {number % 40}",
        "latency_ms": latency,
        "model_load_ms": round(draw.uniform(0.5, 30), 3),
        "model_warm_start": draw.random() < 0.9,
        "http_status": 200,
        "method": "POST",
        "path": "/v1/chat/completions" if is_page else "/api/chat",
        "stream": not is_page,
        "queue_wait_ms": round(draw.uniform(0, latency / 2), 3),
        "ttft_ms": latency,
        "total_duration_ms": latency,
        "prompt_eval_count": draw.randrange(20, 2000),
        "prompt_eval_ms": round(draw.uniform(1, 2000), 3),
        "generation_eval_count": draw.randrange(1, 500),
        "generation_eval_ms": round(draw.uniform(1, 5000), 3),
        "upstream_wait_ms": round(draw.uniform(0, 5), 3),
        "context_length": 4096,
        "prompt_truncated": False,
        "priority": "normal",
        "runner": "qwen2.5vl:7b num_ctx=8192",
        "images_count": 1 if is_page else 0,
        "request_bytes": 40203,
        "response_bytes": 2026,
        "user_agent": "python-requests/2.34.0",
        "attempts": 1,
        "timestamp": "TIMESTAMP",
    }
    if is_page:
        values |= {"images_bytes": 30000, "images_pixels": 966763, "images_max": "827x1169"}
    return json.dumps(values, separators=(",", ":")) + "\n"


def write_log(path, megabytes, seed):
    draw = random.Random(seed)
    with open(SCHEMA) as file:
        keys = json.load(file)["x-order"]
    templates = [line(draw, keys, number).split("TIMESTAMP") for number in range(TEMPLATES)]
    now = datetime.datetime(2026, 1, 1)
    written = 0
    with open(path, "w") as file:
        while written < megabytes * 1e6:
            for before, after in templates:
                now += datetime.timedelta(milliseconds=draw.randrange(1, 4000))
                written += file.write(f"{before}{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z{after}")
    return written


def cpu_seconds(program, path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([program, "report", "--json", path], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", help="where the programs were built")
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    program = os.path.join(arguments.build, "src", "shared-ollama")
    with tempfile.TemporaryDirectory(prefix="shared-ollama-report-") as folder:
        log = os.path.join(folder, "requests.jsonl")
        size = write_log(log, arguments.megabytes, arguments.seed)
        zipped = log + ".gz"
        plain_s = min(cpu_seconds(program, log) for _ in range(RUNS))
        with open(log, "rb") as source, gzip.open(zipped, "wb", compresslevel=6) as target:
            shutil.copyfileobj(source, target)
        zipped_s = min(cpu_seconds(program, zipped) for _ in range(RUNS))
    speed = size / 1e6 / plain_s
    print(f"plain {speed:.0f} MB/s, gzip {size / 1e6 / zipped_s:.0f} MB/s of log on one core ({size / 1e6:.0f} MB)")
    print(f"at most {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.1f} MiB of memory")
    return 0 if speed >= LEAST_MB_A_SECOND else 1


if __name__ == "__main__":
    sys.exit(main())
