#!/usr/bin/env python3
"""Draws what `day NUMBERS.tsv` wrote: plot.py NUMBERS.tsv PLOT.svg. Needs nothing but Python.

Above, how full each replica is, by health alone and by load; below, what a request takes.
"""
import csv
import html
import math
import sys

COLOURS = ["#0072b2", "#56b4e9", "#6a51a3", "#9e9ac8", "#d55e00", "#e10000", "#e69f00", "#009e73",
           "#66c2a5", "#1b7837", "#cc79a7", "#7a4a8a"]
WIDTH, HEIGHT, LEFT, TOP, GAP = 520, 250, 56, 40, 60
TITLES = {"health": "How full replicas are: nearest and healthy alone",
          "load": "… nearest, healthy and not overloaded"}


def read(path):
    """{mode: [row]}, and the names of the replicas."""
    with open(path, encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    names = list(rows[0])[4:]
    modes = {}
    for row in rows:
        modes.setdefault(row["mode"], []).append(row)
    return modes, names


def panel(x, y, title, curves, top, unit, log=False):
    """curves: [(colour, width, [(hour, value)])]."""
    low = 10 if log else 0

    def height(value):
        if log:
            value = max(value, low)
            return (math.log(value / low)) / math.log(top / low) * HEIGHT
        return min(value, top) / top * HEIGHT

    yield f'<text x="{x}" y="{y - 10}" font-weight="bold">{html.escape(title)}</text>'
    steps = [10, 20, 50, 100, 200, 500, 1000] if log else [top * i / 5 for i in range(6)]
    for value in (step for step in steps if step <= top):
        line = y + HEIGHT - height(value)
        yield (f'<path d="M{x} {line:.1f}h{WIDTH}" stroke="#ddd"/>'
               f'<text x="{x - 6}" y="{line:.1f}" text-anchor="end" dy="4">{value:.0f}{unit}</text>')
    for hour in range(0, 25, 4):
        yield (f'<text x="{x + hour / 24 * WIDTH:.1f}" y="{y + HEIGHT + 16}" '
               f'text-anchor="middle">{hour}:00</text>')
    for colour, width, points in curves:
        path = "L".join(f"{x + hour / 24 * WIDTH:.1f} {y + HEIGHT - height(value):.1f}"
                        for hour, value in points)
        yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def legend(x, y, entries):
    for i, (name, colour) in enumerate(entries):
        yield (f'<path d="M{x} {y + 18 * i}h20" stroke="{colour}" stroke-width="3"/>'
               f'<text x="{x + 26}" y="{y + 18 * i + 4}">{html.escape(name)}</text>')


def series(rows, column, times=1.0):
    return [(float(row["hour"]), float(row[column]) * times) for row in rows]


def main():
    modes, names = read(sys.argv[1])
    fullest = max(float(row[name]) for rows in modes.values() for row in rows for name in names)
    top = math.ceil(fullest * 2) * 50
    parts = []
    for i, (mode, rows) in enumerate(modes.items()):
        curves = [("#999", 1, [(0, 100), (24, 100)])]
        curves += [(COLOURS[n], 1.4, series(rows, name, 100)) for n, name in enumerate(names)]
        parts += panel(LEFT + i * (WIDTH + GAP), TOP, TITLES[mode], curves, top, "%")
    down = TOP + HEIGHT + GAP + 20
    slowest = max(float(row["latency"]) for rows in modes.values() for row in rows)
    curves = [("#999", 2, series(modes["health"], "latency")),
              ("#e10000", 2, series(modes["load"], "latency"))]
    parts += panel(LEFT, down, "Mean time of a request, ms (logarithmic)", curves,
                   max(100, slowest * 1.1), "", log=True)
    right = LEFT + WIDTH + GAP
    parts += legend(right, down + 10, list(zip(names, COLOURS)))
    parts += legend(right + 200, down + 10, [("health alone", "#999"), ("and load", "#e10000")])
    wide, high = 2 * WIDTH + LEFT + GAP + 20, down + HEIGHT + 40
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" '
                  f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" '
                  f'fill="#fff"/>{"".join(parts)}</svg>\n')


main()
