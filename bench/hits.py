#!/usr/bin/env python3
"""The arithmetic of hits.sh.

    hits.py line ROUND PEER SIZE WRK-JSON "USER SYSTEM" "USER SYSTEM" ORIGIN   a result line
    hits.py table FILE                                                      medians, ratio to nginx
"""
import collections
import json
import os
import statistics
import sys

TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")


def line(round_, peer, size, load, before, after, origin):
    result = json.loads(load)
    user, system = ((int(b) - int(a)) * TICK_US for a, b in zip(before.split(), after.split()))
    requests = max(result["requests"], 1)
    result.update(round=int(round_), peer=peer, size=int(size), origin=int(origin),
                  per_second=round(requests / result["seconds"]),
                  user_us=round(user / requests, 2), system_us=round(system / requests, 2),
                  cpu_us=round((user + system) / requests, 2))
    print(json.dumps(result))


def table(path):
    with open(path) as stream:
        rows = [json.loads(text) for text in stream]
    groups = collections.defaultdict(list)
    for row in rows:
        groups[row["size"], row["peer"]].append(row)
    print(f"{'bytes':>8} {'server':15} {'requests/s':>11} {'CPU µs/req':>11} {'user':>7}"
          f" {'system':>7} {'of nginx':>9} {'p99 ms':>7}  notes")
    for (size, peer), runs in groups.items():
        def middle(name, runs=runs):
            return statistics.median(run[name] for run in runs)
        base = groups.get((size, "nginx-sendfile")) or groups.get((size, "nginx"))
        ratio = middle("cpu_us") / statistics.median(r["cpu_us"] for r in base) if base else 0
        spread = [run["cpu_us"] for run in runs]
        notes = f"{min(spread):.1f}–{max(spread):.1f}"
        if any(run["errors"] for run in runs):
            notes += f", {sum(run['errors'] for run in runs)} errors"
        if any(run["origin"] for run in runs):
            notes += f", {sum(run['origin'] for run in runs)} requests to the origin"
        print(f"{size:8} {peer:15} {middle('per_second'):11.0f} {middle('cpu_us'):11.1f}"
              f" {middle('user_us'):7.1f} {middle('system_us'):7.1f} {ratio:8.2f}×"
              f" {middle('p99_ms'):7.2f}  {notes}")


if sys.argv[1] == "line":
    line(*sys.argv[2:])
else:
    table(sys.argv[2])
