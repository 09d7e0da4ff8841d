"""Plots by gnuplot, as SVG that goes into the page of the report: pictures side by side, of bars or of
lines, and the names of what they show above all of them."""
import math
import re
import shutil
import subprocess
import textwrap

from harness.processes import Failed
from harness.stats import median

# Told apart also by those who see few colours (Okabe and Ito). A server has the same in all plots.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800", "#999999")
SERVERS = (("larder", "larder-dns", "measured"), ("nginx", "gdnsd"), ("trafficserver", "knot"),
           ("squid", "pdns"), ("varnish",), ("haproxy",), ("h2o",), ("epoll", "canned", "predicted", "best of the others"))
COLOUR_OF = {name: colour for names, colour in zip(SERVERS, COLOURS) for name in names}

# Pixels: all of it, one row of pictures, and what is around them.
WIDTH, ROW = 860, 290
LEGEND, TITLE, LINE, LEFT, RIGHT, GAP = 34, 30, 20, 60, 24, 14
LETTER = 7.2
PATIENCE = 60  # seconds
MUCH = 30  # values that differ by this factor need a logarithmic scale


# ---- gnuplot ----

def available():
    return shutil.which("gnuplot") is not None


def quoted(text):
    """For gnuplot's strings in double quotes."""
    return '"' + re.sub(r'([\\"])', r"\\\1", str(text)) + '"'


def draw(commands, height):
    """SVG text, without the parts that a page does not want."""
    if not available():
        raise Failed("gnuplot is not installed")
    script = (f"set terminal svg size {WIDTH},{height} dynamic noenhanced font 'sans-serif,13'\n"
              "set encoding utf8\nset border 3 lc rgb '#666666'\nset tics nomirror\n"
              "set grid ytics lt 1 lw 0.7 lc rgb '#dddddd'\n" + commands)
    out = subprocess.run(["gnuplot"], input=script, capture_output=True, text=True, check=False,
                         timeout=PATIENCE)
    if out.returncode != 0 or "<svg" not in out.stdout:
        raise Failed(f"gnuplot: {out.stderr.strip() or 'it drew nothing'}")
    svg = out.stdout[out.stdout.index("<svg"):]
    return re.sub(r"<title>Gnuplot</title>\s*<desc>.*?</desc>", "", svg, flags=re.S)


# ---- axes ----

def number(at):
    """In little room."""
    if at >= 1e6:
        return f"{at / 1e6:,.10g} M"
    return f"{at / 1e3:,.10g} k" if at >= 1e4 else f"{at:,.10g}"


def ticks(axis, values):
    marks = ", ".join(f'"{number(at)}" {at:.10g}' for at in values)
    return f"set {axis}tics ({marks})\n"


def step_of(span):
    """In which people count up to it, about five times."""
    decade = 10 ** math.floor(math.log10(span / 5))
    return next(times * decade for times in (1, 2, 5, 10) if times * decade >= span / 5 - 1e-12)


def linear(axis, low, high):
    step = step_of(high - low or 1)
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return (f"unset logscale {axis}\nset {axis}range [{first * step:.10g}:{last * step:.10g}]\n"
            + ticks(axis, [step * at for at in range(first, last + 1)]))


def logarithmic(axis, low, high, marks=None):
    """Marked there, or at round numbers."""
    parts = (1, 2, 5) if high < 1000 * low else (1,)
    round_ones = (times * 10 ** decade for decade in range(
        math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1) for times in parts)
    return (f"set logscale {axis}\nset {axis}range [{low:.10g}:{high:.10g}]\n"
            + ticks(axis, marks or [at for at in round_ones if low <= at <= high]))


def upwards(title, values, most=None):
    """The axis of values, and the title, which says how it is to be read: from nothing on, so that what
    is flat looks so, or logarithmic where they differ much. To `most`, if that is given."""
    low, high = min(values), max(values)
    if not most and high > MUCH * low:
        return f"set title {quoted(f'{title} (log)')}\n" + logarithmic("y", low / 2, high * 1.2)
    return f"set title {quoted(title)}\n" + linear("y", 0, most or high)


# ---- pictures ----

class Bars:
    """A group of bars for each of `groups`; `series`: {name: [value or None for each group]}."""

    def __init__(self, title, groups, series):
        self.title = title
        kept = [at for at in range(len(groups)) if any(values[at] for values in series.values())]
        self.groups = [groups[at] for at in kept]
        self.series = {name: [values[at] for at in kept] for name, values in series.items()
                       if any(values)}  # gnuplot takes one without any for a mistake

    def labels(self, letters):
        """The names of groups, broken at spaces so that neighbours keep apart."""
        width = max(8, int(letters / len(self.groups)))
        return [textwrap.wrap(name, width, break_long_words=False) or [""] for name in self.groups]

    def below(self, letters):
        """Pixels."""
        return 10 + LINE * max(map(len, self.labels(letters)))

    def tics(self, letters):
        """Formats of numbers to gnuplot: a percent sign is two."""
        labels = ("\\n".join(quoted(line.replace("%", "%%"))[1:-1] for line in lines)
                  for lines in self.labels(letters))
        return "set xtics scale 0 (" + ", ".join(f'"{one}" {at}' for at, one in enumerate(labels)) + ")"

    def commands(self, letters):
        data, plots, colour = "", [], colours(self.series)
        for at, (name, values) in enumerate(self.series.items()):
            data += f"$d{at} << END\n" + "".join(f"{value or 'NaN'}\n" for value in values) + "END\n"
            plots.append(f"$d{at} using 1 lc rgb '{colour[name]}'")
        known = [value for values in self.series.values() for value in values if value]
        return f"""{data}
{upwards(self.title, known)}
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set boxwidth 0.9
set xrange [-0.6:{len(self.groups) - 0.4}]
{self.tics(letters)}
plot {", ".join(plots)}
"""


class Lines:
    """`series`: {name: [(x, y), …]}; `axis`: gnuplot's commands for x, and `unit` is what x counts;
    `most`: of y, for pictures that are to be compared. One `behind` the others is a broad band."""

    def __init__(self, title, series, axis, unit="", most=None, behind=None):
        self.title, self.axis, self.unit, self.most, self.behind = title, axis, unit, most, behind
        self.series = {name: points for name, points in series.items() if points}

    def below(self, _):
        return 10 + LINE * (2.4 if self.unit else 1)

    def commands(self, _):
        data, plots, colour = "", [], colours(self.series)
        for at, (name, points) in enumerate(self.series.items()):
            data += f"$d{at} << END\n" + "".join(f"{x} {y}\n" for x, y in points) + "END\n"
            how = "lines lw 7" if name == self.behind else "linespoints lw 2 pt 7 ps 0.6"
            plots.append(f"$d{at} using 1:2 with {how} lc rgb '{colour[name]}'")
        known = [y for points in self.series.values() for _, y in points]
        return f"""{data}
{upwards(self.title, known, self.most)}
{self.axis}
set xlabel {quoted(self.unit)}
plot {", ".join(plots)}
"""


def colours(names):
    """{name: colour}; what is no server takes them in turn."""
    return {name: COLOUR_OF.get(name, COLOURS[i % len(COLOURS)]) for i, name in enumerate(names)}


def legend(names, height):
    """One line above all pictures; gnuplot's own has no more room than the first of them."""
    widths = [(30 + LETTER * len(name)) / WIDTH for name in names]
    text, at, up = "", 0.5 - sum(widths) / 2, 1 - LEGEND / 2 / height
    for (name, colour), width in zip(colours(names).items(), widths):
        text += (f"set label '●' at screen {at:.4f},{up:.4f} tc rgb '{colour}'\n"
                 f"set label {quoted(name)} at screen {at + 0.018:.4f},{up:.4f}\n")
        at += width
    return text


def side_by_side(pictures, across=4):
    """SVG of them, at most so many in a row, or None of none."""
    pictures = [picture for picture in pictures if picture.series]
    if not pictures:
        return None
    down = math.ceil(len(pictures) / across)
    across = math.ceil(len(pictures) / down)
    letters = (WIDTH - RIGHT - LEFT * across) / across / LETTER
    below = max(picture.below(letters) for picture in pictures)
    height = LEGEND + down * ROW
    names = list(dict.fromkeys(name for picture in pictures for name in picture.series))
    parts = "unset label\n".join(picture.commands(letters) for picture in pictures)
    return draw(f"""set multiplot layout {down},{across} margins {LEFT / WIDTH:.4f},\
{1 - RIGHT / WIDTH:.4f},{below / height:.4f},{1 - (LEGEND + TITLE) / height:.4f} \
spacing {LEFT / WIDTH:.4f},{(below + GAP + TITLE) / height:.4f}
unset key
set title offset 0,-0.4
{legend(names, height)}
{parts}unset multiplot
""", height)


# ---- of runs ----

def in_order(run, at):
    return list(dict.fromkeys(row[at] for row in run["rows"]))


def middle_of(run, case, peer, key):
    for row in run["rows"]:
        if (row["case"], row["peer"]) == (case, peer):
            return median(row["values"][key]) if row["values"].get(key) else None
    return None


def column_of(run, key):
    return next((column for column in run["columns"] if column["key"] == key), None)


def bars_of(run, column):
    """A group for each case."""
    cases = in_order(run, "case")
    return Bars(column["title"], cases, {
        peer: [middle_of(run, case, peer, column["key"]) for case in cases]
        for peer in in_order(run, "peer")})


def bars(run):
    """The first column."""
    return side_by_side([bars_of(run, run["columns"][0])])


def columns(*keys):
    """A plot of these columns, a picture each."""
    return lambda run: side_by_side([bars_of(run, column_of(run, key)) for key in keys])


def predicted(*keys):
    """A plot of these columns, a picture each, beside what was predicted for them: the column
    KEY_predicted, or `predicted`. Its groups are cases, or what there is in each case."""
    def picture(run, key, title, groups):
        of_it = f"{key}_predicted" if column_of(run, f"{key}_predicted") else "predicted"
        return Bars(title, [name for name, _ in groups], {
            name: [middle_of(run, *row, column) for _, row in groups]
            for name, column in (("measured", key), ("predicted", of_it))})

    def drawn(run):
        cases, peers = in_order(run, "case"), in_order(run, "peer")
        if len(peers) == 1:
            parts = [("", [(case, (case, peers[0])) for case in cases])]
        else:
            parts = [(f"{case}: " if len(cases) > 1 else "", [(peer, (case, peer)) for peer in peers])
                     for case in cases]
        return side_by_side([picture(run, key, part + column_of(run, key)["title"], groups)
                             for part, groups in parts for key in keys])
    return drawn


def number_of(case):
    """The number that a case's name begins with."""
    return int(re.match(r"[0-9,]+", case)[0].replace(",", ""))


def points_of(run, key):
    """{peer: [(number of the case, value), …]}"""
    cases = [(case, number_of(case)) for case in in_order(run, "case")]
    return {peer: [(at, value) for case, at in cases if (value := middle_of(run, case, peer, key))]
            for peer in in_order(run, "peer")}


def latency(run):
    """The 99th percentile by rate."""
    rates = [number_of(case) for case in in_order(run, "case")]
    return side_by_side([Lines("99th percentile, ms", points_of(run, "p99_ms"),
                               logarithmic("x", min(rates) / 1.2, max(rates) * 1.2),
                               "requests a second that are due")])


def growth(run):
    """What a request costs, and memory, by how much there is."""
    numbers = [number_of(case) for case in in_order(run, "case")]
    axis = logarithmic("x", min(numbers) / 1.2, max(numbers) * 1.2, numbers)
    return side_by_side([Lines(column["title"], points_of(run, column["key"]), axis)
                         for column in run["columns"] if column["key"] in ("cpu_us", "memory_mib")])


def hit_ratios(run):
    """Hits by the size of the cache, a picture for each trace; cases are called “TRACE; … SIZE %”."""
    traces = {}
    for case in in_order(run, "case"):
        trace, _, size = case.rpartition("; ")
        traces.setdefault(trace, []).append((float(re.search(r"([\d.]+) ?%$", size)[1]), case))
    sizes = sorted({size for cases in traces.values() for size, _ in cases})
    axis = logarithmic("x", min(sizes) / 1.2, max(sizes) * 1.2, sizes)
    peer = in_order(run, "peer")[0]
    best = "best of the others"
    return side_by_side([Lines(f"{trace}: hits, %", {
        name: [(size, hits) for size, case in cases if (hits := middle_of(run, case, peer, key))]
        for name, key in ((best, "best"), ("larder", "larder"))},
        axis, "size of the cache, %", 100, best) for trace, cases in traces.items()], across=3)
