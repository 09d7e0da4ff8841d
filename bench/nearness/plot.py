#!/usr/bin/env python3
"""Draws what `nearness --tsv` wrote: plot.py NUMBERS.tsv PLOT.svg. Needs nothing but Python."""
import math
import sys

COLOURS = {"map": "#999999", "distance": "#0072b2", "measured": "#e10000"}
WIDTH, HEIGHT, LEFT, TOP, GAP = 420, 260, 50, 40, 120


def read(path):
    """{mode: [(hour, clients, excess)]}, in the order of the file."""
    modes = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            mode, hour, _, clients, _, excess = line.rstrip("\n").split("\t")
            modes.setdefault(mode, []).append((float(hour), float(clients), float(excess)))
    return modes


def panel(x, title, curves, top, step):
    """curves: {mode: [(hour, value)]}; values from 0 to `top`, a line every `step`."""
    hours = max(hour for points in curves.values() for hour, _ in points)
    bottom = TOP + HEIGHT

    yield f'<text x="{x}" y="{TOP - 12}" font-weight="bold">{title}</text>'
    for value in range(0, top + 1, step):
        line = bottom - value / top * HEIGHT
        yield (f'<path d="M{x} {line:.1f}h{WIDTH}" stroke="#ddd"/>'
               f'<text x="{x - 6}" y="{line:.1f}" text-anchor="end" dy="4">{value}</text>')
    for hour in range(0, math.ceil(hours) + 1, 4):
        yield (f'<text x="{x + hour / hours * WIDTH:.1f}" y="{bottom + 16}" '
               f'text-anchor="middle">{hour} h</text>')
    for mode, points in curves.items():
        path = "L".join(f"{x + hour / hours * WIDTH:.1f} {bottom - value / top * HEIGHT:.1f}"
                        for hour, value in points)
        yield f'<path d="M{path}" fill="none" stroke="{COLOURS[mode]}" stroke-width="2"/>'
    for i, mode in enumerate(curves):
        down = TOP + 10 + 18 * i
        yield (f'<path d="M{x + WIDTH + 10} {down}h20" stroke="{COLOURS[mode]}" '
               f'stroke-width="3"/><text x="{x + WIDTH + 34}" y="{down + 4}">{mode}</text>')


def draw(modes):
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * (LEFT + WIDTH + GAP)}" '
           f'height="{TOP + HEIGHT + 40}" font-family="sans-serif" font-size="12">')
    yield '<rect width="100%" height="100%" fill="white"/>'
    yield from panel(LEFT, "clients at their nearest replica, %",
                     {mode: [(h, c) for h, c, _ in points] for mode, points in modes.items()},
                     100, 20)
    excess = {mode: [(h, e) for h, _, e in points] for mode, points in modes.items()}
    most = max(value for points in excess.values() for _, value in points)
    yield from panel(2 * LEFT + WIDTH + GAP, "excess of a client on average, ms", excess,
                     math.ceil(most / 10) * 10, 5 if most < 40 else 10)
    yield "</svg>"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write("\n".join(draw(read(sys.argv[1]))) + "\n")


main()
