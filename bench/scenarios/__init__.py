"""All that bench/run.sh measures, in its order."""

from scenarios import bodies, log, memory, ring, small, streams, tls

ALL = small.SCENARIOS + log.SCENARIOS + tls.SCENARIOS + streams.SCENARIOS + ring.SCENARIOS + bodies.SCENARIOS + memory.SCENARIOS


def chosen(words, others=()):
    """By name or by group; `others` are words of the caller's own. An unknown word is a ValueError."""
    if not words:
        return list(ALL)
    known = {word for scenario in ALL for word in (scenario.name, *scenario.groups)} | set(others)
    unknown = [word for word in words if word not in known]
    if unknown:
        raise ValueError(f"no scenario {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return [scenario for scenario in ALL if any(word in (scenario.name, *scenario.groups) for word in words)]
