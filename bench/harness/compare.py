"""Two results: what became better, what worse, and what is noise."""
import json
import math

from harness.processes import Failed
from harness.report import columns_of
from harness.stats import ALPHA, WORTH, judge, median


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


def compare(before, after, everything=False):
    """Lines of text, and whether something of ours became worse."""
    old, _ = rows_of(before)
    new, runs = rows_of(after)
    lines, worse, told = [], False, {"better": 0, "worse": 0, "noise": 0, "too few rounds": 0}
    for key in (key for key in new if key in old):
        for column in columns_of(runs[key[0]]):
            a, b = old[key].get(column.key), new[key].get(column.key)
            if not a or not b:
                continue
            verdict, ratio, p = judge(a, b, column.lower_is_better)
            told[verdict] += 1
            worse = worse or (verdict == "worse" and key[2].startswith("larder"))
            if everything or verdict in ("better", "worse"):
                lines.append(f"{verdict:14} {ratio:6.2f}×  {key[0]}: {key[1]}: {key[2]}: "
                             f"{column.title} {column.show(median(a))} → {column.show(median(b))}"
                             + ("" if math.isnan(p) else f"  (p = {p:.3f})"))
    lines.append(", ".join(f"{count} {name}" for name, count in told.items()))
    lines.append(f"Test: Mann-Whitney, two-sided, exact; a difference is told when p ≤ {ALPHA} and "
                 f"the medians differ by {WORTH:.0%} or more.")
    if told["too few rounds"]:
        lines.append("Four rounds on each side are the least from which a difference can be told.")
    return lines, worse
