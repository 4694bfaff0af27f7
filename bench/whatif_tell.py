"""Figures of a log and of its replays, what differs between them beyond the spread, and both in words, for what_if.py."""

import collections
import html
import statistics

from whatif_box import Overlap, loads_of, tells_time
from whatif_log import dispatched, seconds

MINUTE_S = 60
P95 = 0.95
# Differences below this are not worth a word, whatever the spread.
LEAST_SHARE = 0.03
FLOORS = {"lost": 1, "wait_mean_s": 0.1, "wait_p95_s": 0.1, "wait_max_s": 0.2, "latency_mean_s": 0.1, "latency_p95_s": 0.1,
          "loads": 1, "load_share": 0.01, "warm": 0.01, "jain": 0.01}  # fmt: skip
# A replay whose mean wait and latency are so far from the log's is good; beyond the second bound it is no replay.
GOOD, POOR = 0.15, 0.40
# Waits are compared to this at least: 20 ms of 40 ms are no fault.
WAIT_LEAST_S = 0.5
# A call that was sent so late came at another moment than in the log.
LATE_S = 1.0
WORDS = {
    "no_time_left": "told to come back later (503 no_time_left)",
    "queue_full": "refused because the queue was full (503 queue_full)",
    "queue_timeout": "that waited too long (503 queue_timeout)",
    "client_gone": "left by their client",
    "upstream_timeout": "given up on Ollama (504)",
}


def _overlaps(results):
    of_models = collections.defaultdict(list)
    for call, lines in results:
        of_models[call.model].append((dispatched(lines[-1]), lines[-1]["end"]))
    return {name: Overlap([(a, b) for a, b in spans if b > a]) for name, spans in of_models.items()}


def wait_of(call, lines, box, overlap):
    """In the queue, for a load, inside Ollama, and between a 503 and coming back."""
    first, last = lines[0], lines[-1]
    waited = last["begin"] - first["begin"] + (seconds(last, "queue_wait_ms") or 0.0)
    if tells_time(last):
        return waited + (seconds(last, "upstream_wait_ms") or 0.0) + (seconds(last, "model_load_ms") or 0.0)
    # /v1 does not say: what is above the work beside those that ran as well
    model = box.models[call.model]
    beside = min(model.parallel, overlap.mean(dispatched(last), last["end"]))
    return waited + max(0.0, last["end"] - dispatched(last) - call.own_s * model.slow(beside))


def _quantile(values, share):
    return sorted(values)[int(share * (len(values) - 1))] if values else 0.0


def _mean(values):
    return statistics.fmean(values) if values else 0.0


def _figures(results, waits):
    answered = [(call, lines) for call, lines in results if lines[-1].get("status") == "success"]
    latencies = [lines[-1]["end"] - lines[0]["begin"] for _, lines in answered]
    waited = [waits[call.number] for call, _ in answered]
    starts = [lines[-1].get("model_warm_start") for _, lines in answered]
    lost = collections.Counter(lines[-1].get("error_type") or "unknown" for _, lines in results if lines[-1].get("status") != "success")
    return {
        "requests": len(results),
        "wait_mean_s": _mean(waited),
        "wait_p95_s": _quantile(waited, P95),
        "wait_max_s": max(waited, default=0.0),
        "latency_mean_s": _mean(latencies),
        "latency_p95_s": _quantile(latencies, P95),
        "warm": starts.count(True) / max(1, starts.count(True) + starts.count(False)),
        "lost": sum(lost.values()),
        "lost_as": dict(lost),
    }


def _jain(results):
    """Of the projects' speeds: the work that each got done for the time that its clients waited."""
    work, time = collections.Counter(), collections.Counter()
    for call, lines in results:
        work[call.project] += call.own_s if lines[-1].get("status") == "success" else 0.0
        time[call.project] += lines[-1]["end"] - lines[0]["begin"]
    speeds = [work[name] / time[name] for name in time if time[name] > 0]
    squares = sum(speed * speed for speed in speeds)
    return sum(speeds) ** 2 / (len(speeds) * squares) if squares else 1.0


def groups_of(calls):
    """[(kind, name, numbers of calls)]: a class is the one of the log, so that both sides have the same groups."""
    kinds = (("project", lambda c: c.project), ("class", lambda c: c.job_class), ("model", lambda c: c.model))
    found = []
    for kind, of in kinds:
        names = collections.defaultdict(set)
        for call in calls:
            names[of(call)].add(call.number)
        if len(names) > 1 or kind == "model":
            found += [(kind, name, names[name]) for name in sorted(names)]
    return found


def measure(calls, lines_of, box, loads):
    """{"all": figures, ("project", name): figures, …} of one play, or of the log. `loads`: {model: loads}."""
    results = [(call, lines_of[call.number]) for call in calls if not call.is_unload and call.number in lines_of]
    overlaps = _overlaps(results)
    waits = {call.number: wait_of(call, lines, box, overlaps[call.model]) for call, lines in results}
    span = max(lines[-1]["end"] for _, lines in results) - min(lines[0]["begin"] for _, lines in results)
    loaded_s = sum(count * box.models[name].load_s for name, count in loads.items())
    figures = {"all": _figures(results, waits)}
    figures["all"] |= {"loads": sum(loads.values()), "load_share": loaded_s / span if span > 0 else 0.0, "jain": _jain(results)}
    for kind, name, numbers in groups_of([call for call, _ in results]):
        mine = [(call, lines) for call, lines in results if call.number in numbers]
        figures[(kind, name)] = _figures(mine, waits)
        if kind == "model":
            figures[(kind, name)]["loads"] = loads.get(name, 0)
    return figures


def measure_log(calls, box):
    loads = collections.Counter(runner.split(" ")[0] for _, runner, _ in box.loads)
    return measure(calls, {call.number: call.lines for call in calls}, box, loads)


def loads_in(lines_of):
    """As the log alone would show them, for a fair comparison with the log."""
    return len(loads_of([lines[-1] for lines in lines_of.values() if lines[-1].get("status") == "success"]))


def mean_of(rounds, key, figure):
    values = [each[key][figure] for each in rounds if key in each and figure in each[key]]
    return _mean(values) if values else None


def is_beyond(before, after, figure):
    """No value of one side lies among the other's, and they are further apart than either side's rounds."""
    apart = abs(_mean(after) - _mean(before))
    spread = max(max(before) - min(before), max(after) - min(after))
    is_separate = min(after) > max(before) or max(after) < min(before)
    return is_separate and apart > spread and apart >= max(FLOORS[figure], LEAST_SHARE * abs(_mean(before)))


def changes(a_rounds, b_rounds):
    """[(key, figure, A's mean, B's mean)] of what differs beyond the spread."""
    found = []
    for key in a_rounds[0]:
        for figure in FLOORS:
            before = [each[key][figure] for each in a_rounds if figure in each.get(key, {})]
            after = [each[key][figure] for each in b_rounds if figure in each.get(key, {})]
            if before and after and is_beyond(before, after, figure):
                found.append((key, figure, _mean(before), _mean(after)))
    return found


def _span(value):
    return f"{value:.2f} s" if value < 1 else f"{value:.1f} s" if value < 2 * MINUTE_S else f"{value / MINUTE_S:.1f} min"


def _more(before, after):
    if before <= 0:
        return ""
    return f" ({after / before:.1f} times as much)" if after >= 2 * before else f" ({after / before - 1:+.0%})"


def _times(value):
    return "once" if round(value) == 1 else f"{value:.0f} times"


def _sentence(who, figure, a, b):
    word = "longer" if b > a else "shorter"
    whose = f" of {who}" if who else ""
    return {
        "wait_mean_s": f"{f'Requests{whose}' if who else 'Everybody'} would wait {_span(b)} on average instead of {_span(a)}{_more(a, b)}.",
        "wait_p95_s": f"The wait{whose} that one in twenty exceeds would be {word}: {_span(b)} instead of {_span(a)}.",
        "wait_max_s": f"The longest wait{whose} would be {word}: {_span(b)} instead of {_span(a)}.",
        "latency_mean_s": f"Answers{whose} would take {_span(b)} on average instead of {_span(a)}{_more(a, b)}.",
        "latency_p95_s": f"All but the slowest twentieth of the answers{whose} would come within {_span(b)} instead of {_span(a)}.",
        "loads": f"{f'The {who}' if who else 'Models'} would be loaded {_times(b)} instead of {a:.0f}.",
        "load_share": f"The box would spend {b:.0%} of its time on loading models instead of {a:.0%}.",
        "warm": f"{b:.0%} of the answers{whose} would begin warm instead of {a:.0%}.",
        "lost": f"Requests{whose} that are lost: {b:.0f} instead of {a:.0f}.",
        "jain": f"Projects would be treated {'more' if b > a else 'less'} alike: Jain's index {b:.2f} instead of {a:.2f}.",
    }[figure]


# Of a group not every figure has a sentence: the table has them all.
TOLD_OF_GROUPS = {"project": ("wait_mean_s", "lost"), "class": ("wait_mean_s", "lost"), "model": ("loads",)}


def sentences(a_rounds, b_rounds):
    all_lost, of_all, of_groups = [], [], []
    for key, figure, a, b in changes(a_rounds, b_rounds):
        if key == "all":
            (all_lost if figure == "lost" else of_all).append(_sentence("", figure, a, b))
        elif figure in TOLD_OF_GROUPS[key[0]]:
            of_groups.append(_sentence(" ".join(key), figure, a, b))
    kinds = {kind for each in a_rounds + b_rounds for kind in each["all"]["lost_as"]}
    for kind in sorted(kinds):
        before = [each["all"]["lost_as"].get(kind, 0) for each in a_rounds]
        after = [each["all"]["lost_as"].get(kind, 0) for each in b_rounds]
        if is_beyond(before, after, "lost"):
            all_lost.append(f"Requests {WORDS.get(kind, f'lost as {kind}')}: {_mean(after):.0f} instead of {_mean(before):.0f}.")
    if all_lost:
        all_lost.append("Waits and times below are those of the requests that were answered: who is lost waits no longer.")
    return all_lost + of_all + of_groups or ["Nothing would change beyond what two plays of the same differ by."]


def fidelity(log, a_rounds, a_loads):
    """(rows (what, log, A), the worst relative error of mean wait, mean latency and requests lost, a sentence)."""
    rows = [("requests lost", log["all"]["lost"], mean_of(a_rounds, "all", "lost"))]
    for what, figure in (("wait, mean s", "wait_mean_s"), ("wait, p95 s", "wait_p95_s"), ("wait, longest s", "wait_max_s"),
                         ("latency, mean s", "latency_mean_s"), ("latency, p95 s", "latency_p95_s"), ("warm", "warm")):  # fmt: skip
        rows.append((what, log["all"][figure], mean_of(a_rounds, "all", figure)))
    rows.append(("loads, as a log shows them", log["all"]["loads"], _mean(a_loads)))
    worst = 0.0
    for figure in ("wait_mean_s", "latency_mean_s"):
        real = log["all"][figure]
        worst = max(worst, abs(mean_of(a_rounds, "all", figure) - real) / max(WAIT_LEAST_S, real))
    worst = max(worst, abs(rows[0][2] - rows[0][1]) / log["all"]["requests"])
    if worst <= GOOD:
        text = f"A replays the log well: mean wait, mean latency and losses are within {worst:.0%}."
    elif worst <= POOR:
        text = f"A replays the log roughly, {worst:.0%} off: believe only differences that are clearly larger."
    else:
        text = f"A does not replay the log ({worst:.0%} off): was it made with A's settings, and is the box as described above? Believe little of this."
    return rows, worst, text


HEAD = ("", "requests", "wait", "p95", "longest", "latency", "p95", "loads", "warm", "lost")
FIGURES = ("requests", "wait_mean_s", "wait_p95_s", "wait_max_s", "latency_mean_s", "latency_p95_s", "loads", "warm", "lost")


def _cell(rounds, key, figure):
    value = mean_of(rounds, key, figure)
    if value is None:
        return ""
    if figure == "warm":
        return f"{value:.0%}"
    return f"{value:.1f}" if figure.endswith("_s") else f"{value:.0f}"


def rows_of(a_rounds, b_rounds):
    """[(name, cells)], two for each group."""
    rows = []
    for key in a_rounds[0]:
        name = "everybody" if key == "all" else f"{key[0]} {key[1]}"
        for side, rounds in (("A", a_rounds), ("B", b_rounds)):
            rows.append((f"{name}  {side}" if side == "A" else side, [_cell(rounds, key, figure) for figure in FIGURES]))
    return rows


def table(rows):
    width = max(len(name) for name, _ in rows) + 2
    text = [f"{HEAD[0]:>{width}}" + "".join(f"{word:>10}" for word in HEAD[1:])]
    text += [f"{name:>{width}}" + "".join(f"{cell:>10}" for cell in cells) for name, cells in rows]
    return "\n".join(text)


def text_of(result):
    box = result["box"]
    lines = [result["title"], f"  A: {result['a']}", f"  B: {result['b']}", ""]
    lines.append("The box, as the log shows it: " + result["box_says"])
    width = max(len(name) for name in box["models"]) + 2
    lines.append(f"  {'':{width}}{'load s':>9}{'tokens/s':>10}{'prompt/s':>10}{'at once':>9}{'each more':>11}")
    for name, each in box["models"].items():
        lines.append(f"  {name:{width}}{each['load_s']:9.1f}{each['tokens_per_s']:10.1f}{each['prompt_tokens_per_s']:10.0f}"
                     f"{each['parallel']:9}{each['alpha']:+11.0%}")  # fmt: skip
    lines += ["", "The log and A's replay of it (they agree only if A is what the log was made with)", f"  {'':28}{'log':>9}{'A':>9}"]
    for what, real, played in result["fidelity"]["rows"]:
        percent = what == "warm"
        lines.append(f"  {what:28}" + "".join(f"{value:9.0%}" if percent else f"{value:9.1f}" for value in (real, played)))
    lines += ["  " + result["fidelity"]["says"], "", "A and B: means of the rounds, seconds", table(result["rows"])]
    lines.append(f"Jain's index of the projects' speeds: A {result['jain'][0]:.2f}, B {result['jain'][1]:.2f}; "
                 f"time spent on loads: A {result['load_share'][0]:.0%}, B {result['load_share'][1]:.0%}")  # fmt: skip
    lines += ["", "What would change with B"] + ["  - " + text for text in result["changes"]]
    lines += ["", "What to know of these figures"] + ["  - " + text for text in result["notes"]]
    return "\n".join(lines)


STYLE = """body{font:15px system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color-scheme:light dark}
table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:right}tr:nth-child(odd) td{border-top:1px solid #8886}"""


def html_of(result):
    """One page, no script, nothing fetched."""
    say = html.escape
    head = "".join(f"<th>{say(word)}</th>" for word in HEAD)
    body = "".join(f"<tr><th>{say(name)}</th>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>" for name, cells in result["rows"])
    lists = "".join(
        f"<h2>{title}</h2><ul>" + "".join(f"<li>{say(text)}</li>" for text in texts) + "</ul>"
        for title, texts in (("What would change with B", result["changes"]), ("What to know of these figures", result["notes"]))
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>What if</title><style>{STYLE}</style><h1>What if</h1>'
        f"<p>{say(result['title'])}</p><p>A: <code>{say(result['a'])}</code><br>B: <code>{say(result['b'])}</code></p>"
        f"<p>{say(result['fidelity']['says'])}</p><table><tr>{head}</tr>{body}</table>{lists}</html>\n"
    )
