"""The report as text and as one HTML page that needs nothing else."""

import html
import statistics

import goals
import plots
from figures import by_round, number, with_range
from scenarios.base import value_of

STYLE = """body{font:15px/1.45 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse;margin:.6em 0}td,th{padding:.2em .7em;text-align:left;border-bottom:1px solid #ddd}
td.n{text-align:right;font-variant-numeric:tabular-nums}.met{color:#186a18}.missed{color:#b00000;font-weight:bold}
.none{color:#777}h2{margin-top:2em}h4{margin:.9em 0 .2em}code{background:#f2f2f2;padding:0 .2em}svg{max-width:100%;height:auto}
ul{columns:2}"""


def machine_lines(results):
    m = results["machine"]
    yield f"{m['cpu']}, {m['cores']} cores, {m['memory_mib']} MiB, Linux {m['kernel']}, load {m['load_average'][0]:.2f} at the start, {results['load_average_end'][0]:.2f} at the end"
    yield "; ".join(f"{name} {version}" for name, version in results["versions"].items())
    yield f"command: {results['command']}"
    yield f"{results['rounds']} interleaved round{'s' if results['rounds'] > 1 else ''}, {results['seconds']:.0f} s: median (lowest to highest)"
    if results["is_smoke"]:
        yield "SMOKE: one tiny round that proves that it runs; the figures mean nothing"
    yield from results["notes"]


def repeat_command(results, scenario):
    return f"bench/run.sh --only {scenario.name}" if scenario.is_repeatable else results["command"]


def figures_of(results, scenario, metric, kind):
    """[(label, figure)]"""
    prefix = f"{scenario.name}/{metric.key}/"
    found = [(name[len(prefix) :], figure) for name, figure in results["figures"].items() if name.startswith(prefix)]
    return [(label, figure) for label, figure in found if figure["kind"] == kind]


def goal_lines(results):
    rows = results["goals"]
    if all(row["met"] is None for row in rows):
        return
    width = max(len(row["goal"]) for row in rows)
    yield "goals (a smoke run says nothing of them)" if results["is_smoke"] else "goals"
    for row in rows:
        measured = "-" if row["met"] is None else f"{number(row['median'])} ({number(row['low'])} to {number(row['high'])})"
        yield f"  {row['goal']:{width}}  {row['wanted']:14} {measured:34} {goals.verdict(row)}"
    met = sum(row["met"] is True for row in rows)
    yield f"  {met} met, {sum(row['met'] is False for row in rows)} not met, {sum(row['met'] is None for row in rows)} not measured"


def text_of(results, scenarios):
    found = list(goal_lines(results))
    lines = [*machine_lines(results), *([""] if found else []), *found]
    for scenario in scenarios:
        lines += ["", f"{scenario.title}  [{repeat_command(results, scenario)}]"]
        for metric in scenario.metrics:
            for kind in ("value", "ratio", "difference"):
                rows = figures_of(results, scenario, metric, kind)
                if rows:
                    lines.append(f"  {metric.title}{'' if kind == 'value' else ', ' + kind}")
                lines += [f"    {label:28} {with_range(figure)}" for label, figure in rows]
    return "\n".join(lines) + "\n"


def goal_table(results):
    rows = results["goals"]
    if all(row["met"] is None for row in rows):
        return ""
    parts = ["<h2>Goals</h2><table><tr><th>goal</th><th>wanted</th><th>measured</th><th>range</th><th></th></tr>"]
    for row in rows:
        kind = {None: "none", True: "met", False: "missed"}[row["met"]]
        measured, reach = "-", ""
        if row["met"] is not None:
            measured, reach = number(row["median"], row["unit"]), f"{number(row['low'])} to {number(row['high'])}"
        cells = f"<td>{html.escape(row['goal'])}</td><td>{html.escape(row['wanted'])}</td>"
        cells += f"<td class=n>{html.escape(measured)}</td><td class=n>{reach}</td><td class={kind}>{goals.verdict(row)}</td>"
        parts.append(f"<tr>{cells}</tr>")
    return "".join(parts) + "</table>"


def curve_of(results, scenario):
    """Medians over the rounds of each quantile."""
    if not scenario.curve:
        return ""
    named = {}
    rounds = by_round(results["runs"], scenario)
    for target in scenario.targets:
        quantiles = {}
        for key, _ in plots.QUANTILES:
            values = [value_of(each.get(target), f"{scenario.curve}.{key}") for each in rounds.values()]
            values = [value for value in values if value is not None]
            if values:
                quantiles[key] = statistics.median(values)
        if quantiles:
            named[target] = quantiles
    return plots.curves(scenario.title, named, "latency, µs" if scenario.curve == "latency_us" else "a line's way, µs")


def section(results, scenario):
    parts = [f'<h2 id="{scenario.name}">{html.escape(scenario.title)}</h2><p><code>{html.escape(repeat_command(results, scenario))}</code></p>']
    for metric in scenario.metrics:
        values = figures_of(results, scenario, metric, "value")
        if values and metric.is_plotted:
            parts.append(f"<h4>{html.escape(metric.title)}</h4>{plots.bars(metric.title, values)}")
    curve = curve_of(results, scenario)
    if curve:
        parts.append(f"<h4>quantiles</h4>{curve}")
    rows = []
    for metric in scenario.metrics:
        for kind in ("ratio", "difference") if metric.is_plotted else ("value", "ratio", "difference"):
            for label, figure in figures_of(results, scenario, metric, kind):
                rows.append(f"<tr><td>{html.escape(metric.title)}</td><td>{html.escape(label)}</td><td class=n>{with_range(figure)}</td></tr>")
    if rows:
        parts.append(f"<table>{''.join(rows)}</table>")
    return "".join(parts)


def page_of(results, scenarios):
    head = "".join(f"<p>{html.escape(words)}</p>" for words in machine_lines(results))
    index = "".join(f'<li><a href="#{s.name}">{html.escape(s.title)}</a></li>' for s in scenarios)
    body = "".join(section(results, scenario) for scenario in scenarios)
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>shared-ollama: what it costs to stand in front</title>"
        f"<style>{STYLE}</style><h1>What it costs to stand in front</h1>{head}{goal_table(results)}<ul>{index}</ul>{body}</html>\n"
    )
