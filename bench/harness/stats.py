"""Medians, spread, and whether two samples differ."""
import itertools
import math
import statistics

ALPHA = 0.05  # the chance of calling noise a difference
WORTH = 0.02  # differences of medians below this part are not worth a word
EXACT = 20_000  # so many ways to split two samples are tried one by one


def median(values):
    return statistics.median(values) if values else math.nan


def spread(values):
    """Half the distance of the extremes, as a part of the median."""
    middle = median(values)
    return (max(values) - min(values)) / 2 / abs(middle) if values and middle else 0.0


def slope(points):
    """The median of the slopes between all pairs of (x, y): one step of y, which is no growth, does
    not tilt it (Theil, Sen)."""
    return median([(y2 - y1) / (x2 - x1)
                   for (x1, y1), (x2, y2) in itertools.combinations(points, 2) if x1 != x2])


def _rank_sum(pool, chosen):
    """Of the values of `pool` at the places `chosen`; equal values share their ranks."""
    order = sorted(pool)
    ranks = {}
    for value in set(pool):
        first = order.index(value)
        ranks[value] = first + (order.count(value) + 1) / 2
    return sum(ranks[pool[i]] for i in chosen)


def _normal_p(n, m, distance):
    """Two-sided, by the normal approximation, with its correction for continuity."""
    sigma = math.sqrt(n * m * (n + m + 1) / 12)
    z = max(0.0, abs(distance) - 0.5) / sigma
    return math.erfc(z / math.sqrt(2))


def mann_whitney(a, b):
    """Probability that two samples of one distribution differ as much as these (two-sided rank
    test, exact for few values)."""
    n, m = len(a), len(b)
    pool = list(a) + list(b)
    expected = n * (n + m + 1) / 2
    seen = abs(_rank_sum(pool, range(n)) - expected)
    if math.comb(n + m, n) > EXACT:
        return _normal_p(n, m, seen)
    splits = list(itertools.combinations(range(n + m), n))
    as_far = sum(abs(_rank_sum(pool, split) - expected) >= seen - 1e-9 for split in splits)
    return as_far / len(splits)


def least_p(n, m):
    """The smallest probability that samples of these sizes can give."""
    return 2 / math.comb(n + m, n)


def at_least(count, of, chance):
    """Probability that so many of so many come true, each by this chance."""
    return sum(math.comb(of, k) * chance ** k * (1 - chance) ** (of - k) for k in range(count, of + 1))


def judge(before, after, lower_is_better=True):
    """(verdict, ratio of medians, probability): "better", "worse", "noise", or "too few rounds"
    when no difference could be told from chance."""
    ratio = median(after) / median(before) if before and median(before) else math.nan
    if not before or not after or least_p(len(before), len(after)) > ALPHA:
        return "too few rounds", ratio, math.nan
    p = mann_whitney(before, after)
    if p > ALPHA or math.isnan(ratio) or abs(ratio - 1) < WORTH:
        return "noise", ratio, p
    return ("better" if (ratio < 1) == lower_is_better else "worse"), ratio, p
