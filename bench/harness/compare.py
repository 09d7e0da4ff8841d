"""Two results: what became better, what worse, and what is noise."""
import json
import math

from harness.processes import Failed
from harness.report import columns_of
from harness.stats import ALPHA, WORTH, at_least, judge, median

LARGE = 0.10  # a difference that no noise of rounds makes, where the test tells one


def load(path):
    with open(path, encoding="utf-8") as stream:
        try:
            results = json.load(stream)
        except ValueError as error:
            raise Failed(f"{path} is no results.json: {error}") from None
    if not isinstance(results, dict) or "scenarios" not in results:
        raise Failed(f"{path} is no results.json")
    return results


def rows_of(results):
    """{(scenario, case, peer): values}, {scenario: run}"""
    rows, runs = {}, {}
    for run in results["scenarios"]:
        runs[run["name"]] = run
        for row in run["rows"]:
            rows[run["name"], row["case"], row["peer"]] = row["values"]
    return rows, runs


def drift(before, after):
    """How much more the limits took, which are the same program in both: what the machine did. None where
    none was measured."""
    limits = set(before.get("limits", ())) & set(after.get("limits", ()))
    old, _ = rows_of(before)
    new, _ = rows_of(after)
    ratios = [median(new[key]["cpu_us"]) / median(old[key]["cpu_us"]) for key in new
              if key[2] in limits and new[key].get("cpu_us")
              and key in old and median(old[key].get("cpu_us", [0])) > 0]
    return median(ratios) if ratios else None


def is_worse(judged):
    """Of [(verdict, ratio, whether lower is better), …], one for each row of ours: whether something became
    worse by a tenth, or more rows did than chance explains. One of forty is called worse by chance."""
    found = [ratio if lower else 1 / ratio for verdict, ratio, lower in judged if verdict == "worse"]
    told = sum(verdict != "too few rounds" for verdict, _, _ in judged)
    return any(ratio >= 1 + LARGE for ratio in found) or at_least(len(found), told, ALPHA / 2) <= ALPHA


def compare(before, after, everything=False):
    """Lines of text, and whether Larder became worse."""
    old, _ = rows_of(before)
    new, runs = rows_of(after)
    lines, ours, told = [], [], {"better": 0, "worse": 0, "noise": 0, "too few rounds": 0}
    for key in (key for key in new if key in old):
        columns = columns_of(runs[key[0]])
        for column in columns:
            a, b = old[key].get(column.key), new[key].get(column.key)
            if not a or not b:
                continue
            verdict, ratio, p = judge(a, b, column.lower_is_better)
            told[verdict] += 1
            if key[2].startswith("larder") and column.key == columns[0].key:
                ours.append((verdict, ratio, column.lower_is_better))
            if everything or verdict in ("better", "worse"):
                lines.append(f"{verdict:14} {ratio:6.2f}×  {key[0]}: {key[1]}: {key[2]}: "
                             f"{column.title} {column.show(median(a))} → {column.show(median(b))}"
                             + ("" if math.isnan(p) else f"  (p = {p:.3f})"))
    lines.append(", ".join(f"{count} {name}" for name, count in told.items()))
    lines.append(f"Test: Mann-Whitney, two-sided, exact; a difference is told when p ≤ {ALPHA} and "
                 f"the medians differ by {WORTH:.0%} or more. One of {1 / ALPHA:.0f} is told by chance.")
    if told["too few rounds"]:
        lines.append("Four rounds on each side are the least from which a difference can be told.")
    moved = drift(before, after)
    if moved:
        lines.append(f"The limits, which are the same program, took {moved:.2f}× as much: so much of all "
                     "that is the machine's.")
    return lines, is_worse(ours)
