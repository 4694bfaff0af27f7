"""Figures from runs: for each metric of a scenario the median over the rounds with the lowest and highest; ratios and
differences are taken within a round, so that a slow minute hits both sides."""

import statistics

from scenarios.base import value_of


def spread(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "rounds": len(values)}


def by_round(runs, scenario):
    """round -> target -> run, of this scenario."""
    rounds = {}
    for run in runs:
        if run["scenario"] == scenario.name and run["result"] is not None:
            rounds.setdefault(run["round"], {})[run["target"]] = run["result"]
    return rounds


def pairs_of(rounds, one, other, key, combine):
    """What `combine` makes of both in each round that has both."""
    values = []
    for results in rounds.values():
        a, b = (value_of(results.get(name), key) for name in (one, other))
        if a is not None and b is not None:
            combined = combine(a, b)
            if combined is not None:
                values.append(combined)
    return values


def add(figures, name, values, **about):
    if values:
        figures[name] = spread(values) | about


def figures_of(scenario, runs):
    rounds = by_round(runs, scenario)
    figures = {}
    for metric in scenario.metrics:
        about = {"scenario": scenario.name, "metric": metric.key, "better": metric.better}
        base = f"{scenario.name}/{metric.key}"
        for target in scenario.targets:
            values = [value_of(results.get(target), metric.key) for results in rounds.values()]
            values = [value for value in values if value is not None]
            # the proxy's CPU where there is no proxy
            if target == "direct" and metric.key.startswith("cpu"):
                continue
            add(figures, f"{base}/{target}", values, kind="value", unit=metric.unit, **about)
        for one, other in scenario.ratios if metric.is_ratio else ():
            values = pairs_of(rounds, one, other, metric.key, lambda a, b: a / b if b else None)
            add(figures, f"{base}/{one} ÷ {other}", values, kind="ratio", unit="", **about)
        for one, other in scenario.differences if metric.is_added else ():
            values = pairs_of(rounds, one, other, metric.key, lambda a, b: a - b)
            add(figures, f"{base}/{one} - {other}", values, kind="difference", unit=metric.unit, **about)
    return figures


def all_figures(scenarios, runs):
    figures = {}
    for scenario in scenarios:
        figures |= figures_of(scenario, runs)
    return figures


def number(value, unit=""):
    """As it is read: three digits that count, thousands apart."""
    if value is None:
        return "-"
    size = abs(value)
    if size >= 100 or value == int(value):
        text = f"{value:,.0f}"
    elif size >= 10:
        text = f"{value:.1f}"
    else:
        text = f"{value:.3g}" if size < 1 else f"{value:.2f}"
    return f"{text} {unit}".rstrip()


def with_range(figure):
    unit = figure["unit"]
    return f"{number(figure['median'], unit)} ({number(figure['low'])} to {number(figure['high'])})"
