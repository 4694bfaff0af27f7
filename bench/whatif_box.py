"""Derives from request logs the box that served them: load times, speeds, what several at once cost, slots, which models fit
together; makes the simulated Ollama's configuration of it. What the log does not show is said in `notes`, or told by flags."""

import bisect
import collections
import heapq
import statistics

from whatif_log import canonical, dispatched, is_job, seconds, was_sent

# Where nothing is known.
LOAD_S = 8.0
TOKENS_PER_S = 30.0
PROMPT_TOKENS_PER_S = 600.0
# Ollama's OLLAMA_KEEP_ALIVE.
KEEP_ALIVE_S = 300.0
KEEP_ALIVE_MARGIN = 1.1
# Overlaps of less than this part of the busy time are hand-overs and rounding.
CHANCE_SHARE = 0.02
# A model that is unloaded for another one has its last answer behind it.
TOGETHER_S = 0.5
# An answer is on its way for a moment after Ollama has ended.
HAND_OVER_S = 0.1
# A line through fewer points, through such as have nearly the same number at once, or one that explains less, says nothing.
FIT_LEAST = 8
FIT_VARIANCE = 0.005
FIT_EXPLAINS = 0.25
ALPHA_MOST = 3.0
# A token of a prompt costs that part of a generated one where no duration is told (docs/scheduling.md).
PROMPT_TOKEN = 1 / 20
# Longer than any prompt: nothing is to be cut here.
CONTEXT_LENGTH = 1 << 20
# A load is another one if it was over so much of its own time apart.
SAME_LOAD = 0.5
# An answer without durations that took longer than so many times what its tokens usually need has waited.
HIDDEN_WAIT = 1.5
# What a warm answer calls its load is at most so much of one; more is a load that others began.
WARM_LOAD = 0.1
SHORTEST_S = 0.001


class Overlap:
    """How many of these intervals lie over one another: at most (nearly always), and on average over a span."""

    def __init__(self, intervals):
        steps = collections.Counter()
        for begin, end in intervals:
            steps[begin] += 1
            steps[end] -= 1
        self.moments = sorted(steps)
        self.levels, self.areas = [], []
        level = area = 0.0
        for i, moment in enumerate(self.moments):
            if i:
                area += level * (moment - self.moments[i - 1])
            level += steps[moment]
            self.levels.append(level)
            self.areas.append(area)

    def _area(self, moment):
        i = bisect.bisect_right(self.moments, moment) - 1
        return 0.0 if i < 0 else self.areas[i] + self.levels[i] * (moment - self.moments[i])

    def mean(self, begin, end):
        return (self._area(end) - self._area(begin)) / (end - begin) if end > begin else 1.0

    def most(self):
        spans = collections.Counter()
        for i in range(len(self.moments) - 1):
            spans[int(self.levels[i])] += self.moments[i + 1] - self.moments[i]
        busy = sum(span for level, span in spans.items() if level)
        above, most = 0.0, 1
        for level in sorted(spans, reverse=True):
            above += spans[level]
            if level and above >= CHANCE_SHARE * busy:
                most = level
                break
        return most


def runner_of(line):
    return line.get("runner") or canonical(line["model"])


def tells_time(line):
    return line.get("generation_eval_ms") is not None or line.get("prompt_eval_ms") is not None


def told_s(line):
    """Prompt and generation, as slow as they were, of an answer that tells."""
    return (seconds(line, "prompt_eval_ms") or 0.0) + (seconds(line, "generation_eval_ms") or 0.0)


def started(line):
    """When Ollama began to compute it."""
    return line["end"] - min(told_s(line), line["end"] - line["begin"])


def streamed(line):
    """Its first byte tells when generation began."""
    return line.get("stream") and line.get("ttft_ms") is not None


def is_cold(line):
    return line.get("model_warm_start") is False


def ready_at(line):
    """When its model was up: our own load is over before the dispatch, Ollama's after it."""
    return dispatched(line) + (0.0 if line.get("load_wait_ms") else seconds(line, "model_load_ms") or 0.0)


def load_s_of(line):
    return max(seconds(line, "load_wait_ms") or 0.0, seconds(line, "model_load_ms") or 0.0)


def _tells_load(line):
    return bool(line.get("load_wait_ms")) or tells_time(line)


def loads_of(lines):
    """[(when it was up, runner, seconds or 0)]: cold starts that waited for the same load count once."""
    loads, last = [], {}
    cold = sorted((line for line in lines if is_cold(line)), key=ready_at)
    for line in cold:
        if not _tells_load(line):
            continue
        runner, ready = runner_of(line), ready_at(line)
        before = last.get(runner)
        if before is not None:
            when, took = loads[before][0], loads[before][2]
            is_other = any(loads[i][1] != runner for i in range(before + 1, len(loads)))
            is_late = not line.get("load_wait_ms") and ready - when > SAME_LOAD * min(took, load_s_of(line))
            if line["begin"] <= when and not is_other and not is_late:
                loads[before] = (when, runner, max(took, load_s_of(line)))
                continue
        last[runner] = len(loads)
        loads.append((ready, runner, load_s_of(line)))
    # /v1 says only that it waited for one
    for line in cold:
        mine = (when for when, runner, _ in loads if runner == runner_of(line))
        if not _tells_load(line) and not any(line["begin"] <= when <= line["end"] for when in mine):
            loads.append((dispatched(line), runner_of(line), 0.0))
    return sorted(loads)


def turns_of(lines, usual_load_s):
    """{runner: [(from, to)]} in which it was surely loaded: from the first answer after a load to the last before the next."""
    turns, untold = collections.defaultdict(list), collections.defaultdict(list)
    # the proxy's own loads: nothing is sent to a model that is not up, so what is called warm is
    is_sure = any(line.get("load_wait_ms") for line in lines)
    for line in lines:
        if not tells_time(line) and not is_sure:
            untold[runner_of(line)].append((dispatched(line), line["end"]))
    for line in sorted((line for line in lines if tells_time(line)), key=started):
        begin, end, mine = started(line), line["end"], turns[runner_of(line)]
        is_loaded = is_cold(line) or (seconds(line, "model_load_ms") or 0.0) > WARM_LOAD * usual_load_s
        if mine and begin > mine[-1][1]:
            # of an answer that does not tell, nobody knows whether it waited for a load
            is_loaded = is_loaded or any(a < begin and b > mine[-1][1] for a, b in untold[runner_of(line)])
        if mine and (not is_loaded or begin <= mine[-1][1]):
            mine[-1] = (mine[-1][0], max(end, mine[-1][1]))
        else:
            mine.append((begin, end))
    return turns


def _usual(loads_s, are_ours):
    """The median of our own loads. Of Ollama's the lowest tenth: their time has the wait for another model to go in it."""
    return sorted(loads_s)[len(loads_s) // (2 if are_ours else 10)]


def _line_through(points):
    """Weighted least squares through (x, y, weight): (value at x = 1, slope), or None."""
    total = sum(w for _, _, w in points)
    mean_x = sum(x * w for x, _, w in points) / total
    mean_y = sum(y * w for _, y, w in points) / total
    variance = sum(w * (x - mean_x) ** 2 for x, _, w in points) / total
    both = sum(w * (x - mean_x) * (y - mean_y) for x, y, w in points) / total
    variance_y = sum(w * (y - mean_y) ** 2 for _, y, w in points) / total
    if len(points) < FIT_LEAST or variance < FIT_VARIANCE or both * both < FIT_EXPLAINS * variance * variance_y:
        return None
    slope = both / variance
    return mean_y + slope * (1 - mean_x), slope


class Model:
    """One model: what it needs to load, how fast it is alone, how much slower beside others."""

    def __init__(self, name, lines, load_s, parallel, notes):
        self.name = name
        self.only_embeds = all("embed" in (line.get("operation") or "") for line in lines)
        self.lines = [line for line in lines if line.get("status") == "success" and was_sent(line)]
        self.load_s = load_s
        self.alpha, self.parallel = 0.0, parallel or 1
        self.tokens_per_s, self.prompt_tokens_per_s = TOKENS_PER_S, PROMPT_TOKENS_PER_S
        if not self.lines:
            notes.add(f"{name}: no answer in the log, so it is taken for a model of {TOKENS_PER_S:.0f} tokens a second")
            return
        self.told = [line for line in self.lines if tells_time(line)]
        self.is_told = len(self.told) >= FIT_LEAST
        self.parallel = parallel or self._find_parallel(notes)
        if self.is_told:
            # as slow as they were on average: good enough to see when the others began
            self._measure_told()
            self.usual_prompt_s = statistics.median(seconds(line, "prompt_eval_ms") or 0.0 for line in self.told)
        self.starts = self._find_starts()
        self.overlap = Overlap([self.interval(line) for line in self.lines])
        self._fit_alpha(notes)
        self._measure_speeds()

    def _find_parallel(self, notes):
        """Ollama serves in order of arrival: who begins while so many that came before are not done proves so many slots."""
        told = self.told
        if not self.is_told:
            most = Overlap([(dispatched(line), line["end"]) for line in self.lines if line["end"] > dispatched(line)]).most()
            notes.add(
                f"{self.name}: its answers (/v1, embeddings, old lines) do not tell what they waited inside Ollama: {most} at once is "
                "what was sent to it, see --parallel"
            )
            return most
        ranks, running = collections.Counter(), []
        for line in sorted(self.lines, key=dispatched):
            sent = dispatched(line)
            if tells_time(line) and (seconds(line, "model_load_ms") or 0.0) < WARM_LOAD * self.load_s:
                # of those sent in the same moment nobody knows the order
                begins = started(line) + HAND_OVER_S
                ranks[1 + sum(1 for before, end in running if end > begins and before < sent - HAND_OVER_S)] += 1
            running = [(before, end) for before, end in running if end > sent] + [(sent, line["end"])]
        above = 0
        for rank in sorted(ranks, reverse=True):
            above += ranks[rank]
            if above > CHANCE_SHARE * len(told):
                break
        if not any((seconds(line, "upstream_wait_ms") or 0.0) > TOGETHER_S for line in told):
            notes.add(f"{self.name}: nobody waited inside Ollama, so it serves {rank} at once or more, see --parallel")
        beside = Overlap([(started(line), line["end"] - HAND_OVER_S) for line in told if line["end"] - started(line) > HAND_OVER_S])
        return max(rank, beside.most())

    def _find_starts(self):
        """{id of a line: when it began}: told, or when a slot fell free for it and its model was up."""
        ready = sorted(ready_at(line) for line in self.lines if is_cold(line) and _tells_load(line))
        starts, slots = {}, []
        for line in sorted(self.lines, key=dispatched):
            if tells_time(line):
                start = started(line)
            elif line.get("total_duration_ms") is not None:
                start = line["end"] - max(0.0, seconds(line, "total_duration_ms") - (seconds(line, "model_load_ms") or 0.0))
            else:
                start = dispatched(line)
                if is_cold(line) and not line.get("load_wait_ms"):
                    start = next((when for when in ready if start <= when < line["end"]), start)
                if len(slots) == self.parallel:
                    start = max(start, slots[0])
                if self.is_told and self.tokens_in(line):
                    start = max(start, line["end"] - sum(self.counted_s(line)))
                elif self.is_told and streamed(line):
                    start = max(start, line["begin"] + seconds(line, "ttft_ms") - self.usual_prompt_s)
            starts[id(line)] = max(line["begin"], min(start, line["end"] - SHORTEST_S))
            if len(slots) == self.parallel:
                heapq.heapreplace(slots, line["end"])
            else:
                heapq.heappush(slots, line["end"])
        return starts

    def interval(self, line):
        return self.starts[id(line)], line["end"]

    def worked_s(self, line):
        """Prompt and generation, as slow as they were."""
        return told_s(line) if tells_time(line) else line["end"] - self.starts[id(line)]

    def at_once(self, line):
        return max(1.0, min(self.parallel, self.overlap.mean(*self.interval(line))))

    def slow(self, at_once):
        return 1 + self.alpha * (max(1.0, at_once) - 1)

    def _fit_alpha(self, notes):
        points = []
        for line in self.lines:
            tokens = line.get("generation_eval_count") or 0
            if line.get("generation_eval_ms") is not None:
                took = seconds(line, "generation_eval_ms")
            else:
                took, tokens = self.worked_s(line), self.tokens_in(line)
            if self.is_told and not tells_time(line):
                continue
            if tokens > 1 and took > 0 and (tells_time(line) or not is_cold(line)):
                points.append((self.at_once(line), took / tokens, tokens))
        fit = _line_through(points) if points else None
        if fit and fit[0] > 0:
            self.alpha = min(ALPHA_MOST, max(0.0, fit[1] / fit[0]))
        elif self.parallel > 1:
            notes.add(f"{self.name}: what several at once cost cannot be told (too few, or always as many): nothing is assumed")

    def tokens_in(self, line):
        """In tokens generated."""
        return (line.get("generation_eval_count") or 0) + PROMPT_TOKEN * (line.get("prompt_eval_count") or 0)

    def counted_s(self, line):
        """(prompt, generation) by its tokens."""
        prompt, generated = line.get("prompt_eval_count") or 0, line.get("generation_eval_count") or 0
        return prompt / self.prompt_tokens_per_s, generated / self.tokens_per_s

    def _measure_told(self):
        for count, duration, speed in (("generation_eval_count", "generation_eval_ms", "tokens_per_s"),
                                       ("prompt_eval_count", "prompt_eval_ms", "prompt_tokens_per_s")):  # fmt: skip
            tokens = sum(line.get(count) or 0 for line in self.told)
            took = sum((seconds(line, duration) or 0.0) / (self.slow(self.at_once(line)) if self.alpha else 1) for line in self.told)
            if tokens and took:
                setattr(self, speed, tokens / took)

    def _measure_speeds(self):
        if self.told:
            self._measure_told()
            return
        # seconds a token: the lower quartile had no hidden wait
        rates = sorted(self.worked_s(line) / self.slow(self.at_once(line)) / self.tokens_in(line)
                       for line in self.lines if self.tokens_in(line))  # fmt: skip
        if rates:
            self.tokens_per_s = 1 / max(rates[len(rates) // 4], SHORTEST_S)
            self.prompt_tokens_per_s = self.tokens_per_s / PROMPT_TOKEN

    def work_of(self, line):
        """(prompt, generation) on an empty box, or None if the log does not say."""
        if line.get("status") != "success" or not was_sent(line):
            return None
        slow = self.slow(self.at_once(line))
        if tells_time(line):
            return (seconds(line, "prompt_eval_ms") or 0.0) / slow, (seconds(line, "generation_eval_ms") or 0.0) / slow
        worked, (prompt, generated) = self.worked_s(line) / slow, self.counted_s(line)
        counted = prompt + generated
        if not counted:
            return (worked, 0.0) if "embed" in (line.get("operation") or "") else (0.0, worked)
        # longer than its tokens need is a wait of which the answer says nothing
        shrunk = min(worked, counted if self.is_told else HIDDEN_WAIT * counted) / counted
        return prompt * shrunk, generated * shrunk


class Box:
    """The whole. `flags`: what its owner says of it, which beats what the log shows."""

    def __init__(self, lines, flags, notes):
        self.flags = flags
        jobs = [line for line in lines if is_job(line)]
        sent = [line for line in jobs if was_sent(line) and line.get("status") == "success"]
        of_models = collections.defaultdict(list)
        for line in lines:
            of_models[canonical(line["model"])].append(line)
        if any("queue_wait_ms" not in line for line in jobs):
            notes.add("lines without queue_wait_ms (the old service's): their whole latency is taken for work")
        self.loads = loads_of(sent)
        loads_s = self._load_times(of_models, any(line.get("load_wait_ms") for line in sent), notes)
        self.models = {}
        for name, mine in of_models.items():
            self.models[name] = Model(name, mine, loads_s[name], flags.parallel, notes)
        self.fits = self._fits(turns_of(sent, min(loads_s.values())), notes)
        self.keep_alive_s = flags.ollama_keep_alive or self._keep_alive(sent, notes)
        first = {}
        for line in sent:
            first.setdefault(canonical(line["model"]), line)
        self.warm_at_start = [name for name, line in first.items() if line.get("model_warm_start") is True][: self.fits or None]

    def _load_times(self, of_models, are_ours, notes):
        seen = collections.defaultdict(list)
        for _, runner, took in self.loads:
            if took > 0:
                seen[runner.split(" ")[0]].append(took)
        usual = _usual([each for mine in seen.values() for each in mine], are_ours) if seen else LOAD_S
        found = {}
        for name in of_models:
            found[name] = self.flags.load.get(name) or (_usual(seen[name], are_ours) if seen[name] else usual)
            if not seen[name] and name not in self.flags.load:
                notes.add(f"{name}: no load's time in the log, {usual:.1f} s is assumed, see --load")
        return found

    def _fits(self, turns, notes):
        if self.flags.vram or self.flags.fits:
            return 0 if self.flags.vram else self.flags.fits
        spans = [(a, b - TOGETHER_S) for mine in turns.values() for a, b in mine if b - a > TOGETHER_S]
        together = int(max(Overlap(spans).levels, default=1))
        if len(self.models) == 1:
            return 1
        evicted = self._evicted(turns)
        if together > 1:
            but = ", and others that gave way to each other" if evicted else ""
            notes.add(f"the log shows {together} models loaded at once{but}: so many fit, of any size; see --fits, or --vram and --size")
        elif not evicted:
            notes.add("the log does not show whether two models fit together: one is assumed, see --fits")
        return max(1, together)

    def _evicted(self, turns):
        """Was one loaded again, within its keep_alive, after another one was loaded?"""
        for runner, mine in turns.items():
            for (_, end), (again, _) in zip(mine, mine[1:]):
                others = (when for when, other, _ in self.loads if other.split(" ")[0] != runner.split(" ")[0])
                if again - end < KEEP_ALIVE_S and any(end <= when <= again for when in others):
                    return True
        return False

    def _keep_alive(self, sent, notes):
        last, longest = {}, 0.0
        for line in sorted(sent, key=dispatched):
            runner = runner_of(line)
            if runner in last and line.get("model_warm_start") is True:
                longest = max(longest, dispatched(line) - last[runner])
            last[runner] = max(last.get(runner, 0.0), line["end"])
        if longest <= KEEP_ALIVE_S:
            return KEEP_ALIVE_S
        notes.add(
            f"a model was still loaded after {longest / 60:.0f} min without a request: Ollama is taken to keep all of them so long "
            "by itself, see --ollama-keep-alive"
        )
        return longest * KEEP_ALIVE_MARGIN

    def model_of(self, line):
        return self.models[canonical(line["model"])]

    def work_of(self, line):
        return self.model_of(line).work_of(line)

    def tokens_of(self, call):
        """(of the prompt, generated) with which the simulated model takes as long as the call's work."""
        model = self.models[call.model]
        # the first comes with the end of the prompt
        return round(call.prompt_s * model.prompt_tokens_per_s), 1 + round(call.generate_s * model.tokens_per_s)

    def config(self):
        models = []
        for model in self.models.values():
            each = {
                "name": model.name,
                "capabilities": ["embedding"] if model.only_embeds else ["completion", "vision"],
                "load_ms": round(model.load_s * 1000),
                "prompt_tokens_per_s": model.prompt_tokens_per_s,
                "tokens_per_s": model.tokens_per_s,
                "alpha": model.alpha,
                "num_parallel": model.parallel,
                "context_length": CONTEXT_LENGTH,
                "num_ctx": CONTEXT_LENGTH,
                "image_tokens": 0,
                "template_tokens": 0,
            }
            if model.name in self.flags.size:
                each["size_ram"] = each["size_vram"] = self.flags.size[model.name]
            models.append(each)
        return {
            "max_loaded_models": self.fits,
            "vram": self.flags.vram or 0,
            "keep_alive_s": round(self.keep_alive_s),
            "models": models,
        }

    def as_json(self):
        return {
            "fits": self.fits,
            "vram": self.flags.vram,
            "keep_alive_s": self.keep_alive_s,
            "warm_at_start": self.warm_at_start,
            "models": {
                m.name: {
                    "load_s": m.load_s,
                    "tokens_per_s": m.tokens_per_s,
                    "prompt_tokens_per_s": m.prompt_tokens_per_s,
                    "alpha": m.alpha,
                    "parallel": m.parallel,
                }
                for m in self.models.values()
            },
        }
