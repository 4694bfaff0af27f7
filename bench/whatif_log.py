"""Rebuilds who asked for what, and when, from request logs (docs/schemas/request-log.schema.json), for what_if.py.
Seconds throughout; `at` counts from the first arrival. Nothing is invented that is not told in `notes`."""

import collections
import datetime
import gzip
import json
import random
import re
import statistics
from dataclasses import dataclass, field

MS_PER_S = 1000.0
GZIP_MAGIC = b"\x1f\x8b"
AGO_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# Answers that Ollama had no part in, or that no other policy changes: not replayed.
NOT_REPLAYED = {
    "unauthorized", "forbidden", "rate_limited", "body_too_large", "head_too_large", "target_too_long", "bad_request",
    "not_implemented", "http_version", "expectation_failed", "gone", "loop", "request_timeout", "upstream_status",
}
# Told "not now": who obeys comes again.
TOLD_TO_COME_BACK = {"queue_full", "no_time_left", "queue_timeout", "shutting_down"}
# What the simulated Ollama serves, and old routes that lead there; anything else is asked for as a generation of its length.
SERVED = {
    "/api/generate", "/api/chat", "/api/embed", "/api/embeddings", "/v1/chat/completions", "/v1/completions", "/v1/embeddings",
    "/v1/responses", "/v1/messages", "/api/v1/chat/completions", "/api/v1/vlm/openai", "/api/v1/embeddings",
}
LEFT = {"client_gone", "cancelled", "client_stalled"}
# Retry-After is 60 s at most, and a client needs a moment.
COMES_BACK_WITHIN_S = 65.0
# A request that comes so soon after its client's last answer was waiting for it.
THINK_MOST_S = 0.5
# A client does so by habit: of at least so many requests at least such a part.
FOLLOWS_LEAST = 4
FOLLOWS_SHARE = 0.5
# Clients that leave by a limit of theirs, not by chance: so many, so much alike, and nobody waited longer.
LIMIT_LEAST = 3
LIMIT_SPREAD = 0.05
# The proxy's built-in rule (docs/configuration.md): what Docling's requests do.
DOCLING = "python-requests"
DOCLING_PATHS = {"/v1/chat/completions", "/api/v1/chat/completions", "/api/v1/vlm/openai"}
DOCLING_S = 20.0
# What a client that left would have needed, where nobody's need was longer than what it saw.
LONGER = 1.5
# Work of which nothing at all is known.
WORK_S = 1.0


@dataclass
class Call:
    """What one client wanted: one request, or several where it came back after a 503."""

    number: int
    at: float
    project: str
    model: str
    path: str
    stream: bool
    user_agent: str | None = None
    job_class: str = "normal"
    options: dict = field(default_factory=dict)
    prompt_s: float = 0.0  # what it needs on an empty box
    generate_s: float = WORK_S
    images: list = field(default_factory=list)  # of (width, height)
    body_bytes: int = 0
    patience: float | None = None
    retries: int = 0
    follows: int | None = None  # the call whose answer it waited for, and then thought for so long:
    think: float = 0.0
    is_unload: bool = False
    lines: list = field(default_factory=list)  # of the log, in order

    @property
    def own_s(self):
        return self.prompt_s + self.generate_s


def moment_of(text, now=None):
    """As `shared-ollama report` takes them: a date, a time (UTC unless it says), a time ago."""
    ago = re.fullmatch(r"(\d+)([smhd])", text)
    if ago:
        now = now or datetime.datetime.now(datetime.timezone.utc)
        return now.timestamp() - int(ago.group(1)) * AGO_S[ago.group(2)]
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)).timestamp()


def _open(path):
    with open(path, "rb") as file:
        is_gzip = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    return gzip.open(path, "rt", errors="replace") if is_gzip else open(path, errors="replace")


def read(paths, since=None, until=None):
    """(lines by arrival, how many lines were none). `end`, `begin`: seconds since 1970; the log has the end."""
    lines, bad = [], 0
    for path in paths:
        with _open(path) as file:
            for text in file:
                try:
                    line = json.loads(text)
                    line["end"] = moment_of(line["timestamp"])
                    line["begin"] = line["end"] - line["latency_ms"] / MS_PER_S
                except (ValueError, KeyError, TypeError):
                    bad += bool(text.strip())
                    continue
                if (since is None or line["end"] >= since) and (until is None or line["end"] <= until):
                    lines.append(line)
    return sorted(lines, key=lambda line: line["begin"]), bad


def seconds(line, key):
    value = line.get(key)
    return None if value is None else value / MS_PER_S


def canonical(model):
    """The one name that all spellings of a model have."""
    name = model.removeprefix("registry.ollama.ai/library/").lower()
    return name if ":" in name.rsplit("/", 1)[-1] else name + ":latest"


def is_job(line):
    if line.get("priority"):
        return True
    # the old service's lines have eleven keys and no class
    return "priority" not in line and line.get("operation") in ("chat", "generate", "embed", "vlm")


def is_unload(line):
    return line.get("priority") is None and "priority" in line and line.get("operation") in ("chat", "generate")


def was_sent(line):
    return line.get("attempts", 1) != 0 and line.get("error_type") not in TOLD_TO_COME_BACK


def dispatched(line):
    return line["begin"] + (seconds(line, "queue_wait_ms") or 0.0)


def options_of(line):
    """"llama3:latest num_ctx=8192" -> {"num_ctx": 8192}"""
    found = {}
    for word in (line.get("runner") or "").split(" ")[1:]:
        name, _, value = word.partition("=")
        if name and value.lstrip("-").isdigit():
            found[name] = bool(int(value)) if name == "use_mmap" else int(value)
    return found


def images_of(line):
    count = line.get("images_count") or 0
    if count == 0:
        return []
    try:
        width, height = (int(side) for side in line["images_max"].split("x"))
    except (AttributeError, KeyError, ValueError):
        return [(1, 1)] * count
    left = max(0, (line.get("images_pixels") or 0) - width * height)
    side = max(1, int((left / max(1, count - 1)) ** 0.5))
    return [(width, height)] + [(min(side, width), min(side, height))] * (count - 1)


def client_of(line):
    return line.get("project_name"), line.get("client_ip"), line.get("user_agent")


class Notes:
    """What was assumed, in words, each once and in order."""

    def __init__(self):
        self.texts = []

    def add(self, text):
        if text not in self.texts:
            self.texts.append(text)


def _grouped(lines):
    """Lines of one wish together: refused ones and the one that its client sent when it came back."""
    groups, open_groups = [], {}
    for line in lines:
        key = (*client_of(line), line.get("model"), line.get("path"), line.get("request_bytes"))
        waiting = open_groups.setdefault(key, [])
        # nobody is told to come back who is still being answered
        found = next((g for g in waiting if g[-1]["end"] <= line["begin"] <= g[-1]["end"] + COMES_BACK_WITHIN_S), None)
        if found:
            found.append(line)
            waiting.remove(found)
        else:
            found = [line]
            groups.append(found)
        if line.get("error_type") in TOLD_TO_COME_BACK and line.get("request_bytes"):
            waiting.append(found)
    return groups


def _limit_of(mine, notes):
    """After how long all of these clients leave, or None where they have no limit that the log shows."""
    first, lines = mine[0], [line for call in mine for line in call.lines]
    after = [line["latency_ms"] / MS_PER_S for line in lines if line.get("error_type") in LEFT]
    longest = max((line["latency_ms"] / MS_PER_S for line in lines if line.get("status") == "success"), default=0.0)
    who = f"{first.project}'s clients" + (f" ({first.user_agent})" if first.user_agent else "")
    limit = statistics.median(after) if after else 0.0
    if len(after) >= LIMIT_LEAST and all(abs(each - limit) <= LIMIT_SPREAD * limit for each in after) and longest <= limit * (1 + LIMIT_SPREAD):
        notes.add(f"{who} leave {first.path} after {limit:.1f} s: all of them are taken to, see --patience")
        return limit
    if (first.user_agent or "").lower().startswith(DOCLING) and first.path in DOCLING_PATHS and longest <= DOCLING_S * (1 + LIMIT_SPREAD):
        notes.add(f"{who} are taken to leave {first.path} after {DOCLING_S:.0f} s, as Docling does, see --patience")
        return DOCLING_S
    # the proxy knew of a limit, or it would not have said so
    if longest and any(line.get("error_type") == "no_time_left" for line in lines):
        notes.add(f"{who} have a limit that the log does not tell: the longest answer that reached them, {longest:.1f} s, is taken, see --patience")
        return longest
    return None


def _set_patience(calls, told, notes):
    """Who left has shown how long it waits; where all that left did so after the same time, so do the others. `told`: by project."""
    of_clients = collections.defaultdict(list)
    for call in calls:
        if call.lines[-1].get("error_type") in LEFT:
            call.patience = call.lines[-1]["latency_ms"] / MS_PER_S
        of_clients[(call.project, call.user_agent, call.path)].append(call)
    chance = sum(1 for call in calls if call.patience)
    for (project, _, _), mine in of_clients.items():
        # who comes back once does so again
        retries = max(call.retries for call in mine)
        limit = told[project] if project in told else _limit_of(mine, notes)
        for call in mine:
            call.retries = retries
            if limit is not None:
                chance -= call.patience is not None
                # 0: never
                call.patience = limit or None
    if chance:
        notes.add(f"{chance} clients left before they were answered: they leave after as long again, whatever they are then doing")


def _set_follows(calls, notes):
    """A client that asks again as soon as it is answered does so in the replay as well."""
    of_clients = collections.defaultdict(list)
    for call in calls:
        of_clients[client_of(call.lines[0])].append(call)
    total = 0
    for mine in of_clients.values():
        ended, links = [], []
        for call in mine:
            ready = [c for c in ended if 0 <= call.lines[0]["begin"] - c.lines[-1]["end"] <= THINK_MOST_S]
            if ready:
                before = max(ready, key=lambda c: c.lines[-1]["end"])
                ended.remove(before)
                links.append((call, before))
            # what ended too long ago will not be waited for
            ended = [c for c in ended if call.lines[0]["begin"] - c.lines[-1]["end"] <= THINK_MOST_S] + [call]
        if len(mine) < FOLLOWS_LEAST or len(links) < FOLLOWS_SHARE * len(mine):
            continue
        for call, before in links:
            call.follows = before.number
            call.think = call.lines[0]["begin"] - before.lines[-1]["end"]
        total += len(links)
    if total:
        notes.add(f"{total} requests came within {THINK_MOST_S} s of their client's last answer, as its habit is: they wait for it here too")


def _set_work(calls, box, draw, notes):
    """What each needs on an empty box. Where the log does not say: that of a like request, drawn by the seed."""
    known = collections.defaultdict(list)
    for call in calls:
        work = box.work_of(call.lines[-1])
        if work:
            call.prompt_s, call.generate_s = work
            for key in ((call.project, call.model, call.path), (call.model,), ()):
                known[key].append(work)
    drawn = longer = 0
    for call in calls:
        line = call.lines[-1]
        if call.is_unload or box.work_of(line):
            continue
        like = next((known[k] for k in ((call.project, call.model, call.path), (call.model,), ()) if known[k]), [(0.0, WORK_S)])
        # it had been at work for so long when it was left
        seen = max(0.0, line["end"] - dispatched(line)) if was_sent(line) and line.get("error_type") in LEFT else 0.0
        like = [work for work in like if sum(work) > seen]
        if not like:
            longer += 1
            call.prompt_s, call.generate_s = 0.0, LONGER * seen
            continue
        drawn += 1
        call.prompt_s, call.generate_s = draw.choice(like)
    if drawn:
        notes.add(f"{drawn} requests have no answer in the log: their work is that of others like them, drawn by the seed")
    if longer:
        notes.add(f"{longer} were left after more work than any other needed: {LONGER} times as much is assumed")


def _path_of(line):
    path = line.get("path")
    if path is None and line.get("operation") == "chat":
        return "/api/chat"
    return path if path in SERVED else "/api/generate"


def _call(number, lines, zero):
    first, last = lines[0], lines[-1]
    agent = last.get("user_agent")
    return Call(
        number=number,
        at=first["begin"] - zero,
        project=last.get("project_name") or "unknown",
        model=canonical(last.get("model") or "unknown"),
        path=_path_of(last),
        stream=bool(last.get("stream")),
        user_agent=agent,
        job_class=last.get("priority") or "normal",
        options=options_of(last),
        images=images_of(last),
        body_bytes=last.get("request_bytes") or 0,
        # one that came back in the end, or was refused as often as it tried
        retries=len(lines) - 1,
        is_unload=is_unload(last),
        lines=lines,
    )


def _cut_gaps(calls, most_s):
    """Quiet longer than that, from the last answer to the next arrival, is cut to it. Returns what was cut."""
    cut, busy_until = 0.0, 0.0
    for call in calls:
        end = call.at + call.lines[-1]["end"] - call.lines[0]["begin"]
        gap = call.at - busy_until
        if gap > most_s:
            cut += gap - most_s
        busy_until = max(busy_until, end)
        call.at -= cut
    return cut


def select(lines, notes):
    """Those that are replayed: jobs that a policy could have changed."""
    jobs = [line for line in lines if is_job(line) or is_unload(line)]
    wanted = [line for line in jobs if line.get("error_type") not in NOT_REPLAYED and line.get("model")]
    if len(lines) > len(jobs):
        notes.add(f"{len(lines) - len(jobs)} requests that never wait (lists of models and the like) are left out")
    if len(jobs) > len(wanted):
        notes.add(f"{len(jobs) - len(wanted)} that were refused or failed for reasons of their own are left out")
    return wanted


def rebuild(lines, box, seed, gap_s, is_open, patience, notes):
    """The calls, by arrival, of what select() left. `box` (whatif_box.py) tells what a line's work was; `patience` of a project
    beats what its clients show."""
    if not lines:
        return []
    zero = lines[0]["begin"]
    calls = [_call(number, group, zero) for number, group in enumerate(_grouped(lines))]
    retried = sum(1 for call in calls if call.retries)
    if retried:
        notes.add(f"{retried} clients came back after a 503: they and others like them do so here, as often and when Retry-After says")
    wishes = [call for call in calls if not call.is_unload]
    _set_patience(wishes, patience, notes)
    if not is_open:
        _set_follows(wishes, notes)
    _set_work(calls, box, random.Random(seed), notes)
    cut = _cut_gaps(calls, gap_s)
    if cut > 0:
        notes.add(f"{cut / 60:.0f} min of quiet are left out: pauses longer than {gap_s:.0f} s are cut to that, see --gap")
    return calls
