#!/usr/bin/env python3
"""Replays a request log against the simulated box under two configurations, and says what would change. See README.md,
"what if"."""

import argparse
import json
import os
import re
import sys
import tempfile

import whatif_tell
from whatif_box import Box
from whatif_log import Notes, canonical, moment_of, read, rebuild, select
from whatif_play import Configuration, play

# How much faster than life, unless told: a play is to take so long; beyond these nothing is gained, or this machine too slow.
PLAY_S = 45.0
SCALE_MOST = 40.0
LINES_A_S = 15000.0
GAP_S = 600.0
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def size_of(text):
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kmg]?)", text.lower())
    if not found:
        raise argparse.ArgumentTypeError(f"{text} is no size: 5g, 800m")
    return int(float(found.group(1)) * UNITS[found.group(2)])


def pairs(of, name_of=canonical):
    def parse(text):
        found = {}
        for pair in text.split(","):
            name, equals, value = pair.rpartition("=")
            if not equals:
                raise argparse.ArgumentTypeError(f"{pair} is no NAME=VALUE")
            found[name_of(name)] = of(value)
        return found

    return parse


def scale_for(calls, box):
    span = max(call.at + call.lines[-1]["end"] - call.lines[0]["begin"] for call in calls)
    lines_a_s = max(model.parallel * model.tokens_per_s for model in box.models.values())
    return max(1.0, min(SCALE_MOST, span / PLAY_S, LINES_A_S / lines_a_s))


def arguments_of(words):
    parser = argparse.ArgumentParser(description=__doc__, epilog="A configuration is `default`, a file, or KEY=VALUE words.")
    parser.add_argument("build", help="a build directory with the program, the simulated Ollama and fast-clock.so")
    parser.add_argument("--log", nargs="+", required=True, metavar="FILE", help="request logs, plain or gzip, in any order")
    parser.add_argument("--a", default="default", help="as it is: should be how the log was made (default: default)")
    parser.add_argument("--b", required=True, help='as it could be: other.conf, "max_concurrent=6", "my.conf scheduler=fifo"')
    parser.add_argument("--since", help="as for `shared-ollama report`: a date, a time, or 24h")
    parser.add_argument("--until")
    parser.add_argument("--rounds", type=int, default=2, help="plays of each, in turn; what they differ by is the spread")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn where the log is silent; the same for A and B")
    parser.add_argument("--scale", type=float, help="how many times faster than life")
    parser.add_argument("--gap", type=float, help="longer pauses are cut to so many seconds")
    parser.add_argument("--open", action="store_true", help="arrivals as logged, also of clients that wait for their answer")
    parser.add_argument("--patience", type=pairs(float, str), default={}, metavar="PROJECT=SECONDS,…",
                        help="when a project's clients leave; 0: never")  # fmt: skip
    parser.add_argument("--parallel", type=int, help="OLLAMA_NUM_PARALLEL of the box")
    parser.add_argument("--fits", type=int, help="how many models it holds at once")
    parser.add_argument("--vram", type=size_of, help="or how much memory it has for them, with --size")
    parser.add_argument("--size", type=pairs(size_of), default={}, metavar="MODEL=SIZE,…", help="what they need of it")
    parser.add_argument("--load", type=pairs(float), default={}, metavar="MODEL=SECONDS,…", help="how long they load")
    parser.add_argument("--ollama-keep-alive", type=float, help="OLLAMA_KEEP_ALIVE of the box, seconds")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--html", metavar="FILE")
    arguments = parser.parse_args(words)
    if arguments.vram and not arguments.size:
        parser.error("--vram needs --size")
    if arguments.rounds < 1:
        parser.error("--rounds is at least 1")
    return arguments


def _note_play(arguments, configurations, calls, scale, notes):
    for name, configuration in configurations.items():
        for missed in configuration.missed:
            notes.add(f"{name}'s {missed} cannot be replayed (the log does not say who had which): their rules are missing here")
    classes = {c.job_class for c in calls}
    if classes != {"normal"}:
        notes.add("classes are sent as the log has them (X-Priority), but for projects to which A or B gives one")
    if len({c.model for c in calls}) and any("/v1/" in c.path for c in calls):
        notes.add("/v1 tells no wait inside Ollama: it is what was above the request's own time, reckoned")
    notes.add("patience that clients announce in headers, their own keep_alive, and which prompts Ollama had cached do not stand in a log")
    notes.add("requests that nobody sent, because the wait was too long, do not stand in a log either")
    if arguments.rounds > 1:
        notes.add(f"spread: {arguments.rounds} plays of each, in turn; a change is told if no play of one lies among the other's")
    else:
        notes.add("with --rounds 1 there is no spread: small differences are chance")
    if scale > 1:
        notes.add(f"a millisecond of this machine counts as {scale:.0f}: a smaller --scale is slower and more exact")


def run(arguments, say):
    notes = Notes()
    configurations = {"A": Configuration(arguments.a), "B": Configuration(arguments.b)}
    since = moment_of(arguments.since) if arguments.since else None
    until = moment_of(arguments.until) if arguments.until else None
    lines, bad = read(arguments.log, since, until)
    if bad:
        notes.add(f"{bad} lines could not be read")
    wanted = select(lines, notes)
    if not wanted:
        raise SystemExit("what_if: no requests to replay in the log")
    box = Box(wanted, arguments, notes)
    gap_s = arguments.gap or max(GAP_S, 1.2 * box.keep_alive_s)
    calls = rebuild(wanted, box, arguments.seed, gap_s, arguments.open, arguments.patience, notes)
    scale = arguments.scale or scale_for(calls, box)
    set_classes = configurations["A"].projects_with_class() | configurations["B"].projects_with_class()
    _note_play(arguments, configurations, calls, scale, notes)
    figures = {"A": [], "B": []}
    plays = {"A": [], "B": []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.rounds):
            # each goes first as often as the other
            for name in "AB" if number % 2 == 0 else "BA":
                say(f"playing {name}, round {number + 1} of {arguments.rounds}: {len(calls)} requests, {scale:.0f} times as fast as life")
                out = os.path.join(folder, f"{name}{number}")
                one = play(arguments.build, out, calls, box, configurations[name], scale, set_classes)
                plays[name].append(one)
                figures[name].append(whatif_tell.measure(calls, one["lines"], box, one["loads"]))
    late = sorted(each for name in plays for one in plays[name] for each in one["late_s"])
    if late and late[int(0.95 * (len(late) - 1))] > whatif_tell.LATE_S:
        notes.add(f"this machine was too slow for --scale {scale:.0f}: one request in twenty was sent {late[int(0.95 * (len(late) - 1))]:.1f} s late")
    return told(arguments, calls, box, scale, figures, plays, notes)


def told(arguments, calls, box, scale, figures, plays, notes):
    log = whatif_tell.measure_log(calls, box)
    rows, worst, says = whatif_tell.fidelity(log, figures["A"], [whatif_tell.loads_in(one["lines"]) for one in plays["A"]])
    span = max(call.at + call.lines[-1]["end"] - call.lines[0]["begin"] for call in calls)
    room = f"{arguments.vram / UNITS['g']:.1f} GiB for models" if arguments.vram else f"models at once: {box.fits}"
    warm = f"; loaded at the start: {', '.join(box.warm_at_start)}" if box.warm_at_start else ""

    def both(figure):
        return [whatif_tell.mean_of(figures[name], "all", figure) for name in "AB"]

    return {
        "title": f"What if: {len(calls)} requests of {len({c.project for c in calls})} projects for {len({c.model for c in calls})} models, "
        f"{span / 60:.0f} minutes, played {scale:.0f} times as fast as life",
        "a": arguments.a,
        "b": arguments.b,
        "seed": arguments.seed,
        "scale": scale,
        "box": box.as_json(),
        "box_says": f"{room}, unloaded after {box.keep_alive_s / 60:.0f} minutes{warm}",
        "fidelity": {"rows": rows, "worst": worst, "says": says},
        "rows": whatif_tell.rows_of(figures["A"], figures["B"]),
        "jain": both("jain"),
        "load_share": both("load_share"),
        "changes": whatif_tell.sentences(figures["A"], figures["B"]),
        "notes": notes.texts,
        "figures": {
            name: [{key if key == "all" else " ".join(key): each for key, each in one.items()} for one in figures[name]] for name in figures
        },
    }


def main():
    arguments = arguments_of(sys.argv[1:])
    try:
        result = run(arguments, lambda text: print(text, file=sys.stderr, flush=True))
    except (OSError, RuntimeError, ValueError) as error:
        print(f"what_if: {error}", file=sys.stderr)
        return 1
    print(whatif_tell.text_of(result))
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(result, file, indent=1)
    if arguments.html:
        with open(arguments.html, "w") as file:
            file.write(whatif_tell.html_of(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
