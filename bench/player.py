"""Plays a workload against a URL: open loop for calls with a moment of their own, closed loop within a chain. One asyncio
task a chain; what came of each call is written into it, in seconds of simulated life."""

import asyncio
import json
import time

from workloads import LOAD_S

# Of real time: nothing may take longer.
CALL_LIMIT_S = 900
NS_PER_S = 1e9
FIRST_ERROR = 400
MOST_WAITED = 20


class Lost(Exception):
    pass


def request_of(call, number, model):
    headers = {"X-Project-Name": call.project, "Content-Type": "application/json"}
    if call.job_class:
        headers["X-Priority"] = call.job_class
    # the number makes each a prompt of its own
    prompt = f"page {number}"
    if call.is_v1:
        if call.patience:
            headers["User-Agent"] = "python-requests/2.34"
        path = "/v1/chat/completions"
        body = {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": call.tokens}
    else:
        path = "/api/generate"
        body = {"model": model, "prompt": prompt, "stream": False, "options": {"num_predict": call.tokens}}
        if call.num_ctx:
            body["options"]["num_ctx"] = call.num_ctx
    data = json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", f"Content-Length: {len(data)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def parse(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        whole = b""
        while body:
            size, _, body = body.partition(b"\r\n")
            length = int(size, 16)
            if length == 0:
                break
            whole += body[:length]
            body = body[length + 2 :]
        body = whole
    return int(lines[0].split(" ")[1]), headers, body


async def _once(host, port, data):
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
    try:
        writer.write(data)
        answer = await reader.read()
        if not answer:
            raise Lost("closed")
        return parse(answer)
    finally:
        writer.close()


async def _ask(call, number, host, port, scale, models):
    data = request_of(call, number, models.get(call.model, call.model))
    limit = min(CALL_LIMIT_S, call.patience / scale if call.patience else CALL_LIMIT_S)
    begun = time.monotonic()
    for tried in range(call.retries + 1):
        try:
            status, headers, body = await asyncio.wait_for(_once(host, port, data), limit)
        except asyncio.TimeoutError:
            call.why_lost = "gave up"
            return
        except (OSError, Lost, ValueError) as error:
            call.why_lost = f"broken: {error}"
            return
        call.status = status
        if status != 503 or tried == call.retries:
            break
        await asyncio.sleep(min(MOST_WAITED, int(headers.get("retry-after", "1"))))
    call.latency = (time.monotonic() - begun) * scale
    if status >= FIRST_ERROR:
        call.why_lost = f"status {status}"
        return
    answer = json.loads(body)
    computed = answer.get("prompt_eval_duration", 0) + answer.get("eval_duration", 0)
    # /v1 tells no durations
    call.computed = computed / NS_PER_S * scale if "eval_duration" in answer else None
    call.load = answer.get("load_duration", 0) / NS_PER_S * scale
    call.is_cold = headers.get("x-model-warm-start") == "false" or call.load >= LOAD_S / 2


async def _play_chain(chain, first, begun, host, port, scale, models):
    for number, call in enumerate(chain):
        if call.at is not None:
            await asyncio.sleep(max(0.0, begun + call.at / scale - time.monotonic()))
        else:
            await asyncio.sleep(call.think / scale)
        call.begun = (time.monotonic() - begun) * scale
        await _ask(call, first + number, host, port, scale, models)


async def _play(workload, host, port, models, on_change):
    begun = time.monotonic() + 0.05
    first = 0
    tasks = []
    for chain in workload.chains:
        tasks.append(asyncio.create_task(_play_chain(chain, first, begun, host, port, workload.scale, models)))
        first += len(chain)
    if workload.change and on_change:
        async def change():
            await asyncio.sleep(workload.change[0] / workload.scale)
            await asyncio.to_thread(on_change)

        tasks.append(asyncio.create_task(change()))
    await asyncio.gather(*tasks)
    return (time.monotonic() - begun) * workload.scale


def play(workload, host, port, models, on_change=None):
    """Plays it to its end; how long that took, in seconds of simulated life."""
    return asyncio.run(_play(workload, host, port, models, on_change))
