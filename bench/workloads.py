"""The workloads of scheduling.py: fixed by a seed, in seconds of simulated life. Each says what the box is, who asks for
what and when, and what is set in the proxy for it."""

import random
from dataclasses import dataclass

LOAD_S = 8.0
TOKENS_PER_S = 20.0
ALPHA = 0.15
SLOTS = 3
# The old service's pages: some 8 s beside two others.
PAGE_TOKENS = (60, 150)
BURSTS = 20
# more than any num_ctx asked for: a larger one would be cut to it, and be no runner of its own
CONTEXT_LENGTH = 32768


@dataclass
class Call:
    """One request of a client. `at`: when it is due; None: `think` seconds after the answer before it in its chain."""

    model: str
    at: float | None = 0.0
    think: float = 0.0
    tokens: int = 60
    project: str = "everybody"
    job_class: str | None = None
    num_ctx: int | None = None
    is_v1: bool = False
    # of a client that gives up: it reads for so long, tries again after 503 so often
    patience: float | None = None
    retries: int = 0

    # what came of it
    begun: float = 0.0
    latency: float | None = None
    computed: float | None = None  # seconds of work that the answer tells
    load: float = 0.0  # what the answer calls load_duration
    is_cold: bool = False
    status: int | None = None
    why_lost: str | None = None


@dataclass
class Workload:
    name: str
    says: str
    box: dict
    chains: list  # of lists of Call: one after the other within a chain
    scale: float = 40.0
    slots: int = SLOTS
    change: tuple | None = None  # (seconds of life, another box): the upstream is restarted as that one
    may_lose: bool = False

    def calls(self):
        return [call for chain in self.chains for call in chain]


def model(name, tokens_per_s=TOKENS_PER_S, load_s=LOAD_S, parallel=SLOTS):
    return {
        "name": name,
        "load_ms": load_s * 1000,
        "prompt_tokens_per_s": 0,
        "tokens_per_s": tokens_per_s,
        "tokens": 0,
        "alpha": ALPHA,
        "num_parallel": parallel,
        "context_length": CONTEXT_LENGTH,
    }


def box(*models, fits=1):
    return {"max_loaded_models": fits, "keep_alive_s": 100000, "models": list(models)}


def alone(calls):
    """Open loop: each call is a client of its own."""
    return [[call] for call in calls]


def seed_requests(draw):
    """The old service's 202 requests: bursts of 3 to 6, one model, a page of 5 to 11 s."""
    calls = []
    begins = 0.0
    while len(calls) < 202:
        for _ in range(min(draw.randint(3, 6), 202 - len(calls))):
            project = "Docling_Machine" if draw.random() < 94 / 202 else "people"
            calls.append(
                Call("qwen2.5vl:7b", begins + draw.uniform(0, 0.3), tokens=draw.randint(*PAGE_TOKENS), project=project)
            )
        begins += draw.uniform(18, 30)
    return calls


def seed(parallel):
    def build(draw):
        return Workload(
            f"seed, NUM_PARALLEL {parallel}",
            "the old service's 202 requests",
            box(model("qwen2.5vl:7b", parallel=parallel)),
            alone(seed_requests(draw)),
        )

    return build


def mixed(draw):
    calls = []
    begins = 0.0
    for _ in range(BURSTS):
        calls += [Call(draw.choice("abc"), begins + draw.uniform(0, 3)) for _ in range(15)]
        begins += 20 + draw.expovariate(1 / 25)
    return Workload("mixed", "three models, one fits, bursts of 15", box(model("a"), model("b"), model("c")), alone(calls))


def options(draw):
    calls = []
    begins = 0.0
    for _ in range(BURSTS):
        calls += [Call("a", begins + draw.uniform(0, 3), num_ctx=draw.choice((4096, 8192))) for _ in range(15)]
        begins += 20 + draw.expovariate(1 / 25)
    return Workload("options", "one model with two values of num_ctx, half each", box(model("a")), alone(calls))


def agents(draw):
    chains = [[Call(name, None, 0.5, tokens=20, project=f"agent {name}") for _ in range(30)] for name in "ab"]
    return Workload("agents", "two closed-loop clients on two models, one fits", box(model("a"), model("b")), chains)


def chat_beside_batch(chat_model, job_class):
    def build(draw):
        batch = [Call("a", draw.uniform(0, 3), project="batch", job_class=job_class and "batch") for _ in range(300)]
        chat = [
            Call(chat_model, 30 + 60 * turn + draw.uniform(0, 10), project="chat", job_class=job_class and "interactive")
            for turn in range(12)
        ]
        where = "the same model" if chat_model == "a" else "another model"
        how = "classes set" if job_class else "nothing set"
        return Workload(
            f"chat, {where}, {how}",
            f"a chat turn a minute beside a batch of 300 on {where}, {how}",
            box(model("a"), model("b")),
            alone(batch + chat),
        )

    return build


def impatient(draw):
    # 3.9 s each beside two others: 15 fit into 20 s, 30 come at once. Not compressed: Retry-After has whole seconds.
    calls = [
        Call("a", draw.uniform(0, 0.5), tokens=60, project="Docling_Machine", is_v1=True, patience=20.0, retries=5)
        for _ in range(30)
    ]
    warm_up = [Call("a", 0.0, tokens=60, project="people") for _ in range(3)]
    for call in calls:
        call.at += 14.0
    return Workload(
        "impatient",
        "Docling-like: 20 s read time-out, five retries on 503; twice what fits into 20 s",
        box(model("a")),
        alone(warm_up + calls),
        scale=1.0,
        may_lose=True,
    )


def fair(draw):
    flood = [Call("a", draw.uniform(0, 2), project="flood") for _ in range(300)]
    other = [Call("a", 10.0 * turn + 5, project="other") for turn in range(30)]
    return Workload(
        "fair", "one project floods 300 requests, another asks once every 10 s", box(model("a")), alone(flood + other)
    )


def changed_half_way(name, says, calls):
    return Workload(
        name,
        says + " at once; the box is restarted with another NUM_PARALLEL half way",
        box(model("a", parallel=2)),
        alone(calls),
        change=(200.0, box(model("a", parallel=6))),
        # less compressed: a job of 1.5 s would be 40 ms of a busy machine, and its own times a tenth of that
        scale=10.0,
    )


def parallel(draw):
    calls = [Call("a", draw.uniform(0, 5), tokens=30, project="batch") for _ in range(400)]
    return changed_half_way("parallel 2, then 6", "400 requests", calls)


def parallel_v1(draw):
    calls = [
        Call("a", draw.uniform(0, 5), tokens=draw.randint(10, 50), project="batch", is_v1=True) for _ in range(400)
    ]
    return changed_half_way("parallel 2, then 6, /v1", "400 requests of /v1, of mixed sizes,", calls)


WORKLOADS = {
    "seed1": seed(1),
    "seed2": seed(2),
    "seed4": seed(4),
    "mixed": mixed,
    "options": options,
    "agents": agents,
    "chat-other": chat_beside_batch("b", None),
    "chat-other-class": chat_beside_batch("b", "set"),
    "chat-same": chat_beside_batch("a", None),
    "chat-same-class": chat_beside_batch("a", "set"),
    "impatient": impatient,
    "fair": fair,
    "parallel": parallel,
    "parallel-v1": parallel_v1,
}


def build(name, seed_number):
    return WORKLOADS[name](random.Random(f"{name} {seed_number}"))
