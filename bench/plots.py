"""Plots as inline SVG, without anything from elsewhere: bars with their spread, and curves of quantiles."""

import html
import math

from figures import number

WIDTH = 720
NAME_WIDTH = 130
VALUE_WIDTH = 190
BAR_HEIGHT = 16
ROW = 24
COLOURS = {"shared-ollama": "#1f77b4", "nginx": "#2ca02c", "haproxy": "#d62728", "relay": "#7f7f7f", "direct": "#bcbd22"}
OTHERS = ("#1f77b4", "#ff7f0e", "#9467bd", "#8c564b")
PLOT_HEIGHT = 200
MARGIN = 50
QUANTILES = (("p10", 0.1), ("p25", 0.25), ("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999))


def colour(name, place):
    return COLOURS.get(name, OTHERS[place % len(OTHERS)])


def text(x, y, words, anchor="start", size=12):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{html.escape(words)}</text>'


def line(x1, y1, x2, y2, stroke="#333", width=1.0):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" stroke-width="{width}"/>'


def svg(height, parts, title):
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" font-family="sans-serif">'
        f"<title>{html.escape(title)}</title>{''.join(parts)}</svg>"
    )


def bars(title, figures):
    """[(name, figure)]: the median as a bar from zero, lowest and highest as a whisker."""
    high = max(max(figure["high"], 0) for _, figure in figures) or 1
    low = min(min(figure["low"], 0) for _, figure in figures)
    room = WIDTH - NAME_WIDTH - VALUE_WIDTH
    parts = []

    def at(value):
        return NAME_WIDTH + (value - low) / (high - low) * room

    for place, (name, figure) in enumerate(figures):
        top = place * ROW + 4
        middle = top + BAR_HEIGHT / 2
        left, right = sorted((at(0), at(figure["median"])))
        parts.append(text(NAME_WIDTH - 8, middle + 4, name, "end"))
        parts.append(
            f'<rect x="{left:.1f}" y="{top}" width="{max(right - left, 1):.1f}" height="{BAR_HEIGHT}" fill="{colour(name, place)}" '
            f'fill-opacity="0.75"/>'
        )
        parts.append(line(at(figure["low"]), middle, at(figure["high"]), middle))
        parts += [line(at(figure[end]), middle - 4, at(figure[end]), middle + 4) for end in ("low", "high")]
        words = f"{number(figure['median'], figure['unit'])} ({number(figure['low'])} to {number(figure['high'])})"
        parts.append(text(WIDTH - VALUE_WIDTH + 8, middle + 4, words))
    return svg(len(figures) * ROW + 6, parts, title)


def tens(low, high):
    """The powers of ten around both."""
    first = math.floor(math.log10(low))
    last = max(math.ceil(math.log10(high)), first + 1)
    return [10.0**power for power in range(first, last + 1)]


def curves(title, named, unit):
    """{name: {"p50": value, …}}: quantiles from left to right by how rare they are, both axes logarithmic."""
    points = {
        name: [(-math.log10(1 - q), quantiles[key]) for key, q in QUANTILES if quantiles.get(key, 0) > 0]
        for name, quantiles in named.items()
    }
    points = {name: each for name, each in points.items() if each}
    if not points:
        return ""
    values = [value for each in points.values() for _, value in each]
    ticks = tens(min(values), max(values))
    span = math.log10(ticks[-1] / ticks[0])
    room = WIDTH - 2 * MARGIN - VALUE_WIDTH / 2
    last = -math.log10(1 - QUANTILES[-1][1])

    def place(point):
        x, value = point
        return MARGIN + x / last * room, 10 + PLOT_HEIGHT * (1 - math.log10(value / ticks[0]) / span)

    parts = []
    for tick in ticks:
        _, y = place((0, tick))
        parts += [line(MARGIN, y, MARGIN + room, y, "#ddd"), text(MARGIN - 4, y + 4, number(tick), "end", 10)]
    for key, q in QUANTILES:
        x, _ = place((-math.log10(1 - q), ticks[0]))
        parts += [line(x, 10, x, 10 + PLOT_HEIGHT, "#eee"), text(x, PLOT_HEIGHT + 24, key, "middle", 10)]
    for number_of, (name, each) in enumerate(points.items()):
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, each))
        shade = colour(name, number_of)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{shade}" stroke-width="2"/>')
        y = 22 + number_of * 18
        parts += [line(MARGIN + room + 12, y - 4, MARGIN + room + 32, y - 4, shade, 2.0), text(MARGIN + room + 36, y, name)]
    parts.append(text(MARGIN, PLOT_HEIGHT + 40, f"{unit}; quantiles, medians over the rounds", size=10))
    return svg(PLOT_HEIGHT + 46, parts, title)
