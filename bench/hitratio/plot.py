#!/usr/bin/env python3
"""Draws what `hitratio --tsv` wrote: plot.py NUMBERS.tsv PLOT.svg. Needs nothing but Python.

One row of panels a trace: objects at the left, bytes at the right where sizes differ.
"""
import html
import math
import sys

COLOURS = {"FIFO": "#999999", "LRU": "#56b4e9", "CLOCK": "#0072b2", "SIEVE": "#e69f00",
           "S3-FIFO": "#009e73", "W-TinyLFU": "#cc79a7", "GDSF": "#d55e00", "Belady": "#000000",
           "Larder": "#e10000", "Larder, both": "#e10000", "Larder, bytes": "#e10000"}
DASHES = {"Belady": "5 3", "Larder, both": "8 3", "Larder, bytes": "2 3"}
WIDTH, HEIGHT, LEFT, TOP, GAP = 420, 260, 50, 40, 130


def read(path):
    """{trace: {policy: [(share, objects, bytes)]}}, in the order of the file."""
    traces = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            trace, policy, share, _, objects, size, _ = line.rstrip("\n").split("\t")
            points = traces.setdefault(trace, {}).setdefault(policy, [])
            points.append((float(share), float(objects), float(size)))
    return traces


def style_of(policy):
    dash = f' stroke-dasharray="{DASHES[policy]}"' if policy in DASHES else ""
    return (f'stroke="{COLOURS.get(policy, "#666")}" '
            f'stroke-width="{3 if policy == "Larder" else 1.6}"{dash}')


def panel(x, y, title, curves):
    """curves: {policy: [(share, value)]}."""
    shares = [share for points in curves.values() for share, _ in points]
    values = [value for points in curves.values() for _, value in points]
    low, high = math.log(min(shares)), math.log(max(shares))
    bottom = math.floor(min(values) / 10) * 10
    top = max(math.ceil(max(values) / 10) * 10, bottom + 10)

    def at(share, value):
        across = (math.log(share) - low) / (high - low) if high > low else 0.5
        return (f"{x + across * WIDTH:.1f}",
                f"{y + HEIGHT - (value - bottom) / (top - bottom) * HEIGHT:.1f}")

    yield f'<text x="{x}" y="{y - 10}" font-weight="bold">{html.escape(title)}</text>'
    for value in range(bottom, top + 1, 10):
        _, line = at(min(shares), value)
        yield (f'<path d="M{x} {line}h{WIDTH}" stroke="#ddd"/>'
               f'<text x="{x - 6}" y="{line}" text-anchor="end" dy="4">{value}</text>')
    for share in sorted(set(shares)):
        across, _ = at(share, bottom)
        yield f'<text x="{across}" y="{y + HEIGHT + 16}" text-anchor="middle">{share:g}%</text>'
    for i, (policy, points) in enumerate(curves.items()):
        path = "L".join(" ".join(at(*point)) for point in sorted(points))
        down = y + 10 + 18 * i
        yield (f'<path d="M{path}M{x + WIDTH + 10} {down}h30" fill="none" {style_of(policy)}/>'
               f'<text x="{x + WIDTH + 46}" y="{down + 4}">{html.escape(policy)}</text>')


def draw(traces):
    width = 2 * (LEFT + WIDTH + GAP)
    height = len(traces) * (TOP + HEIGHT + 40) + 10
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           'font-family="sans-serif" font-size="12">')
    yield f'<rect width="{width}" height="{height}" fill="white"/>'
    for row, (trace, policies) in enumerate(traces.items()):
        y = row * (TOP + HEIGHT + 40) + TOP
        objects = {p: [(s, o) for s, o, _ in points] for p, points in policies.items()}
        size = {p: [(s, b) for s, _, b in points] for p, points in policies.items()}
        yield from panel(LEFT, y, f"{trace}: objects, hit %", objects)
        if size != objects:
            yield from panel(2 * LEFT + WIDTH + GAP, y, "bytes, hit %", size)
    yield "</svg>"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write("\n".join(draw(read(sys.argv[1]))) + "\n")


main()
