"""Derives from request logs the box that served them: load times, speeds, what several at once cost, slots, which models fit
together; makes the simulated Ollama's configuration of it. What the log does not show is said in `notes`, or told by flags."""

import bisect
import collections
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
# A line through fewer points, or through such as have nearly the same number at once, says nothing.
FIT_LEAST = 8
FIT_VARIANCE = 0.05
ALPHA_MOST = 3.0
# A token of a prompt costs that part of a generated one where no duration is told (docs/scheduling.md).
PROMPT_TOKEN = 1 / 20
# Longer than any prompt: nothing is to be cut here.
CONTEXT_LENGTH = 1 << 20
# A load is another one if it was over so much of its own time apart.
SAME_LOAD = 0.5
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


def is_cold(line):
    return line.get("model_warm_start") is False


def ready_at(line):
    """When its model was up: our own load is over before the dispatch, Ollama's after it."""
    return dispatched(line) + (0.0 if line.get("load_wait_ms") else seconds(line, "model_load_ms") or 0.0)


def load_s_of(line):
    return max(seconds(line, "load_wait_ms") or 0.0, seconds(line, "model_load_ms") or 0.0)


def loads_of(lines):
    """[(when it was up, runner, seconds or 0)]: cold starts that waited for the same load count once."""
    loads, last = [], {}
    for line in sorted((line for line in lines if is_cold(line)), key=ready_at):
        runner, ready = runner_of(line), ready_at(line)
        before = last.get(runner)
        if before is not None:
            when, took = loads[before][0], loads[before][2]
            is_other = any(loads[i][1] != runner for i in range(before + 1, len(loads)))
            is_late = not line.get("load_wait_ms") and ready - when > SAME_LOAD * max(took, load_s_of(line))
            if line["begin"] <= when and not is_other and not is_late:
                loads[before] = (when, runner, max(took, load_s_of(line)))
                continue
        last[runner] = len(loads)
        loads.append((ready, runner, load_s_of(line)))
    return loads


def residences_of(lines):
    """{runner: [(from, to)]}: from a load, or the first warm start, to the last answer before the next load."""
    ready = collections.defaultdict(list)
    for when, runner, _ in loads_of(lines):
        ready[runner].append(when)
    spans = collections.defaultdict(dict)
    for line in lines:
        runner = runner_of(line)
        turn = bisect.bisect_right(ready[runner], max(ready_at(line), dispatched(line)))
        begin = ready[runner][turn - 1] if turn else dispatched(line)
        begin, end = min(begin, dispatched(line)) if not turn else begin, line["end"]
        old = spans[runner].get(turn, (begin, end))
        spans[runner][turn] = (min(old[0], begin), max(old[1], end))
    return {runner: [turns[turn] for turn in sorted(turns)] for runner, turns in spans.items()}


def _line_through(points):
    """Weighted least squares through (x, y, weight): (value at x = 1, slope), or None."""
    total = sum(w for _, _, w in points)
    mean_x = sum(x * w for x, _, w in points) / total
    mean_y = sum(y * w for _, y, w in points) / total
    variance = sum(w * (x - mean_x) ** 2 for x, _, w in points) / total
    if len(points) < FIT_LEAST or variance < FIT_VARIANCE:
        return None
    slope = sum(w * (x - mean_x) * (y - mean_y) for x, y, w in points) / total / variance
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
        self.overlap = Overlap([self.interval(line) for line in self.lines])
        if not self.lines:
            notes.add(f"{name}: no answer in the log, so it is taken for a model of {TOKENS_PER_S:.0f} tokens a second")
            return
        self.parallel = parallel or self.overlap.most()
        self._fit_alpha(notes)
        self._measure_speeds()
        if not parallel:
            self._judge_parallel(notes)

    def interval(self, line):
        """When it was being computed."""
        worked = self.worked_s(line)
        return line["end"] - max(SHORTEST_S, min(worked, line["end"] - line["begin"])), line["end"]

    def worked_s(self, line):
        """Prompt and generation, as slow as they were."""
        if tells_time(line):
            return (seconds(line, "prompt_eval_ms") or 0.0) + (seconds(line, "generation_eval_ms") or 0.0)
        if line.get("total_duration_ms") is not None:
            return max(0.0, seconds(line, "total_duration_ms") - (seconds(line, "model_load_ms") or 0.0))
        loaded = self.load_s if is_cold(line) and not line.get("load_wait_ms") else 0.0
        return max(SHORTEST_S, line["end"] - dispatched(line) - loaded)

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
                took = self.worked_s(line)
                tokens += PROMPT_TOKEN * (line.get("prompt_eval_count") or 0)
            if tokens > 1 and took > 0 and not is_cold(line):
                points.append((self.at_once(line), took / tokens, tokens))
        fit = _line_through(points) if points else None
        if fit and fit[0] > 0:
            self.alpha = min(ALPHA_MOST, max(0.0, fit[1] / fit[0]))
        elif self.parallel > 1:
            notes.add(f"{self.name}: what several at once cost cannot be told (too few, or always as many): nothing is assumed")

    def _measure_speeds(self):
        told = [line for line in self.lines if tells_time(line)]
        generated = sum(line.get("generation_eval_count") or 0 for line in told)
        took = sum((seconds(line, "generation_eval_ms") or 0.0) / self.slow(self.at_once(line)) for line in told)
        if generated and took:
            self.tokens_per_s = generated / took
        else:
            weights = [(line.get("generation_eval_count") or 0) for line in self.lines]
            alone = sum(self.worked_s(line) / self.slow(self.at_once(line)) for line in self.lines)
            if sum(weights) and alone:
                self.tokens_per_s = sum(weights) / alone
        read = sum(line.get("prompt_eval_count") or 0 for line in told)
        took = sum((seconds(line, "prompt_eval_ms") or 0.0) / self.slow(self.at_once(line)) for line in told)
        if read and took:
            self.prompt_tokens_per_s = read / took

    def _judge_parallel(self, notes):
        told = [line for line in self.lines if tells_time(line)]
        if len(told) < len(self.lines) / 2:
            notes.add(
                f"{self.name}: most answers (/v1, or old lines) do not tell what they waited inside Ollama: "
                f"{self.parallel} at once is what the proxy sent, see --parallel"
            )
        elif not any((seconds(line, "upstream_wait_ms") or 0.0) > TOGETHER_S for line in told):
            notes.add(f"{self.name}: nobody waited inside Ollama, so it serves {self.parallel} at once or more, see --parallel")

    def work_of(self, line):
        """(prompt, generation) on an empty box, or None if the log does not say."""
        if line.get("status") != "success" or not was_sent(line):
            return None
        slow = self.slow(self.at_once(line))
        if tells_time(line):
            return (seconds(line, "prompt_eval_ms") or 0.0) / slow, (seconds(line, "generation_eval_ms") or 0.0) / slow
        worked = self.worked_s(line) / slow
        if "embed" in (line.get("operation") or ""):
            return worked, 0.0
        prompt = PROMPT_TOKEN * (line.get("prompt_eval_count") or 0)
        generated = line.get("generation_eval_count") or 0
        part = prompt / (prompt + generated) if prompt + generated else 0.0
        return worked * part, worked * (1 - part)


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
        loads_s = self._load_times(of_models, notes)
        self.models = {}
        for name, mine in of_models.items():
            self.models[name] = Model(name, mine, loads_s[name], flags.parallel, notes)
        residences = residences_of(sent)
        self.fits = self._fits(residences, sent, notes)
        self.keep_alive_s = flags.ollama_keep_alive or self._keep_alive(sent, notes)
        first = {}
        for line in sent:
            first.setdefault(canonical(line["model"]), line)
        self.warm_at_start = [name for name, line in first.items() if line.get("model_warm_start") is True][: self.fits or None]

    def _load_times(self, of_models, notes):
        seen = collections.defaultdict(list)
        for _, runner, took in self.loads:
            if took > 0:
                seen[runner.split(" ")[0]].append(took)
        usual = statistics.median([each for mine in seen.values() for each in mine]) if seen else LOAD_S
        found = {}
        for name in of_models:
            found[name] = self.flags.load.get(name) or (statistics.median(seen[name]) if seen[name] else usual)
            if not seen[name] and name not in self.flags.load:
                notes.add(f"{name}: no load's time in the log, {usual:.1f} s is assumed, see --load")
        return found

    def _fits(self, residences, sent, notes):
        if self.flags.vram:
            return 0
        if self.flags.fits:
            return self.flags.fits
        spans = [(a, b - TOGETHER_S) for mine in residences.values() for a, b in mine if b - a > TOGETHER_S]
        levels = Overlap(spans).levels if spans else []
        together = int(max(levels, default=1))
        evicted = self._evicted(residences)
        if len(self.models) > 1 and together == 1 and not evicted:
            notes.add("the log does not show whether two models fit together: one is assumed, see --fits")
        elif together > 1 and evicted:
            notes.add(
                f"the log shows {together} models loaded at once, and some that gave way to each other: {together} of any size "
                "are assumed to fit, see --fits, or --vram and --size"
            )
        elif 1 < together < len(self.models) or (together == len(self.models) > 1):
            notes.add(f"the log shows {together} models loaded at once: so many fit, of any size")
        return max(1, together)

    def _evicted(self, residences):
        """Was one loaded again, within its keep_alive, after another one was loaded?"""
        for runner, mine in residences.items():
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
