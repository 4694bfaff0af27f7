#!/usr/bin/env python3
"""Compares two results of bench/run.sh: B over A for each figure, and what moved by more than both spreads.

Figures that are ratios within a run (ours ÷ HAProxy's) do not depend on the machine; the others only compare on one.
"""

import argparse
import json
import sys

from figures import number


def compared(a, b, kinds):
    """One row for each figure that both have. `ratio` is B over A, its range what the two ranges allow."""
    rows = []
    for name, old in a["figures"].items():
        new = b["figures"].get(name)
        if not new or old["kind"] not in kinds:
            continue
        moved = new["low"] > old["high"] or new["high"] < old["low"]
        row = {"figure": name, "unit": old["unit"], "a": old, "b": new, "moved": moved, "is_better": None}
        if moved and old["better"]:
            row["is_better"] = (new["median"] < old["median"]) == (old["better"] == "low")
        if old["low"] > 0 and new["low"] > 0:
            row |= {"ratio": new["median"] / old["median"], "least": new["low"] / old["high"], "most": new["high"] / old["low"]}
        rows.append(row)
    return rows


def line_of(row):
    mark = " " if not row["moved"] else {True: "+", False: "-", None: "*"}[row["is_better"]]
    ratio = f"{row['ratio']:.3f} ({row['least']:.3f} to {row['most']:.3f})" if "ratio" in row else "-"
    return f"{mark} {row['figure']:70} {number(row['a']['median']):>10} {number(row['b']['median']):>10} {row['unit']:4} {ratio}"


def goal_changes(a, b):
    old = {row["goal"]: row["met"] for row in a["goals"]}
    changes = []
    for row in b["goals"]:
        before = old.get(row["goal"])
        if before is not None and row["met"] is not None and before != row["met"]:
            changes.append(f"{row['goal']}: {'now met' if row['met'] else 'no longer met'}")
    return changes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a", help="results.json of before")
    parser.add_argument("b", help="results.json of after")
    parser.add_argument("--ratios", action="store_true", help="only ratios within a run: for two machines")
    parser.add_argument("--moved", action="store_true", help="only what moved")
    arguments = parser.parse_args()
    with open(arguments.a) as first, open(arguments.b) as second:
        a, b = json.load(first), json.load(second)
    rows = compared(a, b, ("ratio",) if arguments.ratios else ("value", "ratio", "difference"))
    print(f"  {'figure':70} {'A':>10} {'B':>10}      B ÷ A (range)")
    for row in rows:
        if row["moved"] or not arguments.moved:
            print(line_of(row))
    moved = [row for row in rows if row["moved"]]
    better = sum(row["is_better"] is True for row in moved)
    worse = sum(row["is_better"] is False for row in moved)
    print(f"{len(rows)} figures, {len(moved)} moved beyond both spreads: {better} better (+), {worse} worse (-)")
    for name in ("cpu", "kernel"):
        if a["machine"][name] != b["machine"][name]:
            print(f"another {name}: {a['machine'][name]}, {b['machine'][name]}: only ratios within a run compare (--ratios)")
    for change in goal_changes(a, b):
        print(change)
    return 0


if __name__ == "__main__":
    sys.exit(main())
