"""The bar: what Larder must reach beside raw limits and its peers. As data here, judged from a
results.json, so that no number is copied by hand."""
import math

from harness.stats import median, spread

WORTH = 0.10  # differences of medians below this part mean nothing
CACHES = ("nginx", "varnish", "squid", "trafficserver", "haproxy")
FILES = (*CACHES, "h2o")


class Bar:
    """One of them. `most` and `least`: bounds of the number itself; `times`: at most so many times what
    another server has; `ahead`: at most what the best of these has. A case that ends with `…` is the
    worst of those that begin so."""

    def __init__(self, work, scenario, case, key="cpu_us", ours="larder", form="{:.1f}", *, most=None,
                 least=None, times=None, ahead=()):
        self.work, self.scenario, self.case, self.key = work, scenario, case, key
        self.ours, self.form = ours, form
        self.most, self.least, self.times, self.ahead = most, least, times, ahead


BARS = (
    Bar("hit 1 KiB, one object, µs", "hits", "1 KiB, one object", times=(1.25, "epoll"), ahead=CACHES),
    Bar("hit 1 KiB, 10,000 objects, µs", "hits", "1 KiB, 10,000 objects", times=(1.4, "epoll"),
        ahead=FILES),
    Bar("hit 10 KiB, 10,000 objects, µs", "hits", "10 KiB, 10,000 objects", times=(1.5, "epoll"),
        ahead=FILES),
    Bar("hit 100 KiB, µs", "hits", "100 KiB, 1,000 objects", times=(1, "nginx")),
    Bar("hit 1 MiB, µs", "hits", "1 MiB, 300 objects, by bytes", times=(1.2, "epoll")),
    Bar("hit, h2c, 1 KiB, µs", "http2", "h2c, 1 KiB", times=(0.5, "haproxy")),
    Bar("hit, h2c, 1 KiB, µs", "http2", "h2c, 1 KiB", times=(1, "h2o")),
    Bar("hit, HTTP/2 in TLS, 1 KiB, µs", "http2", "tls, 1 KiB", times=(0.5, "haproxy")),
    Bar("hit, HTTP/2 in TLS, 1 KiB, µs", "http2", "tls, 1 KiB", times=(1, "h2o")),
    Bar("miss, uncacheable 1 KiB, µs", "misses", "uncacheable", most=28, ahead=CACHES),
    Bar("miss, stored 1 KiB, µs", "misses", "stored", most=60),
    Bar("new connection per request, µs", "connections", "new", most=42, ahead=CACHES),
    Bar("memory of an idle connection, B", "idle", "10,000", key="each", form="{:,.0f}", most=600),
    Bar("the same, HTTP/2, B", "idle", "10,000 of HTTP/2", key="each", form="{:,.0f}", most=8192),
    Bar("heap of a stored object, B", "million", "1,000,000", key="memory", most=16),
    Bar("kept after TERM, %", "million", "1,000,000", key="kept", least=100),
    Bar("kept after kill -9, %", "million", "1,000,000", key="killed", least=100),
    Bar("restart to first hit, 1,000,000 objects, ms", "million", "1,000,000", key="first_ms",
        form="{:,.0f}", most=100),
    Bar("the same, nothing in the page cache, ms", "million", "1,000,000", key="cold_ms",
        form="{:,.0f}", most=100),
    Bar("hit ratio on web07, points behind the best, at worst", "hitratio", "web07; …", key="behind",
        form="{:.2f}", most=2),
    Bar("DNS answer with ECS, user µs", "dns", "subnets", key="user_us", ours="larder-dns",
        form="{:.2f}", most=0.4),
    Bar("DNS answer with ECS, µs", "dns", "subnets", ours="larder-dns", form="{:.2f}",
        ahead=("gdnsd", "knot", "pdns")),
)


class Measured:
    """The rows of a results.json."""

    def __init__(self, results):
        self.rows = {}
        for run in results["scenarios"]:
            for row in run["rows"]:
                self.rows[run["name"], row["case"], row["peer"]] = row["values"]

    def values(self, bar, peer):
        """Of each round; of several cases, those of the worst."""
        if not bar.case.endswith("…"):
            return self.rows.get((bar.scenario, bar.case, peer), {}).get(bar.key, [])
        found = [row.get(bar.key) for (scenario, case, of), row in self.rows.items()
                 if (scenario, of) == (bar.scenario, peer) and case.startswith(bar.case[:-1])]
        return max((values for values in found if values), key=median, default=[])


def bounds_of(bar, measured):
    """[(what, the bound), …], and what could not be compared."""
    bounds, missing = [], []
    if bar.most is not None:
        bounds.append(("≤ " + bar.form.format(bar.most), bar.most))
    if bar.least is not None:
        bounds.append(("≥ " + bar.form.format(bar.least), bar.least))
    if bar.times:
        factor, peer = bar.times
        values = measured.values(bar, peer)
        name = f"≤ {factor:g} × {peer}" if factor != 1 else f"≤ {peer}"
        if values:
            bounds.append((f"{name} = {bar.form.format(factor * median(values))}",
                           factor * median(values)))
        else:
            missing.append(f"{name}: not measured")
    known = {peer: median(values) for peer in bar.ahead if (values := measured.values(bar, peer))}
    if known:
        best = min(known, key=known.get)
        bounds.append((f"ahead of {best} {bar.form.format(known[best])}", known[best]))
    elif bar.ahead:
        missing.append("ahead of all: none measured")
    return bounds, missing


def judge(bar, value, bound):
    """In words, with how many times the bound it is."""
    ratio = value / bound if bound else 1.0 if value == bound else math.inf
    if value >= bound if bar.least is not None else value <= bound:
        return f"reached ({ratio:.2f}×)"
    if bar.least is None and ratio <= 1 + WORTH:
        return f"within noise ({ratio:.2f}×)"
    return f"missed ({ratio:.2f}×)"


HEADS = ("work", "measured", "±", "bar", "")


def rows_of(results):
    measured = Measured(results)
    for bar in BARS:
        values = measured.values(bar, bar.ours)
        bounds, missing = bounds_of(bar, measured)
        told = "; ".join([text for text, _ in bounds] + missing)
        if not values:
            yield bar.work, "–", "–", told, "not measured"
            continue
        value = median(values)
        yield (bar.work, bar.form.format(value), f"{spread(values):.0%}" if len(values) > 1 else "–",
               told, "; ".join(judge(bar, value, bound) for _, bound in bounds))


def table(results):
    """Markdown, columns in line for who reads it on a terminal."""
    rows = [HEADS, *rows_of(results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADS))]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |"
             for row in rows]
    right = (False, True, True, False, False)
    lines.insert(1, "|" + "|".join("-" * (width + 1) + (":" if right[i] else "-")
                                   for i, width in enumerate(widths)) + "|")
    return "\n".join(lines)
