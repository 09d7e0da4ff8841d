"""Plots by gnuplot, as SVG that goes into the page of the report."""
import re
import shutil
import subprocess
import textwrap

from harness.processes import Failed
from harness.stats import median

# Told apart also by those who see few colours (Okabe and Ito). A server has the same in all plots.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800", "#999999")
SERVERS = (("larder", "larder-dns"), ("nginx", "gdnsd"), ("trafficserver", "knot"), ("squid", "pdns"),
           ("varnish",), ("haproxy",), ("h2o",), ("epoll", "canned"))
COLOUR_OF = {name: colour for names, colour in zip(SERVERS, COLOURS) for name in names}
WIDTH, HEIGHT = 860, 330
PATIENCE = 60  # seconds


def available():
    return shutil.which("gnuplot") is not None


def quoted(text):
    """For gnuplot's strings in double quotes."""
    return '"' + re.sub(r'([\\"])', r"\\\1", str(text)) + '"'


def label(text):
    """For a string in data, where nothing can be escaped."""
    return '"' + str(text).replace('"', "'").replace("\\", "/") + '"'


def draw(commands, height=HEIGHT):
    """SVG text, without the parts that a page does not want."""
    if not available():
        raise Failed("gnuplot is not installed")
    script = (f"set terminal svg size {WIDTH},{height} dynamic font 'sans-serif,13'\n"
              "set encoding utf8\nset border 3 lc rgb '#666666'\nset tics nomirror\n"
              "set grid ytics lc rgb '#dddddd'\n" + commands)
    out = subprocess.run(["gnuplot"], input=script, capture_output=True, text=True, check=False,
                         timeout=PATIENCE)
    if out.returncode != 0 or "<svg" not in out.stdout:
        raise Failed(f"gnuplot: {out.stderr.strip() or 'it drew nothing'}")
    return out.stdout[out.stdout.index("<svg"):]


def tics(names):
    """gnuplot's tics with these names, broken at spaces so that neighbours keep apart, and room for their
    lines. They are formats of numbers to it: a percent sign is two."""
    width = max(8, 84 // len(names))
    lines = [textwrap.wrap(str(name), width) or [""] for name in names]
    labels = ("\\n".join(quoted(line.replace("%", "%%"))[1:-1] for line in one) for one in lines)
    return (f"set bmargin {max(map(len, lines)) + 1.2}\nset xtics scale 0 ("
            + ", ".join(f'"{one}" {at}' for at, one in enumerate(labels)) + ")")


def colours(peers):
    """{peer: colour}; what is no server takes them in turn."""
    return {peer: COLOUR_OF.get(peer, COLOURS[i % len(COLOURS)]) for i, peer in enumerate(peers)}


def in_order(run, at):
    seen = []
    for row in run["rows"]:
        if row[at] not in seen:
            seen.append(row[at])
    return seen


def middle_of(run, case, peer, key):
    for row in run["rows"]:
        if (row["case"], row["peer"]) == (case, peer):
            return median(row["values"][key]) if row["values"].get(key) else None
    return None


def bars(run):
    """The first column, a group for each case; in a logarithmic scale when the cases differ much."""
    column = run["columns"][0]
    peers, cases = in_order(run, "peer"), in_order(run, "case")
    values = {(case, peer): middle_of(run, case, peer, column["key"])
              for case in cases for peer in peers}
    known = [value for value in values.values() if value]
    if not known:
        return None
    data, plots, colour = "", [], colours(peers)
    for number, peer in enumerate(peers):
        if not any(values[case, peer] for case in cases):
            continue  # gnuplot takes that for a mistake
        lines = "".join(f"{label(case)} {values[case, peer] or 'NaN'}\n" for case in cases)
        data += f"$d{number} << END\n{lines}END\n"
        plots.append(f"$d{number} using 2 title {quoted(peer)} lc rgb '{colour[peer]}'")
    scale = (f"set logscale y\nset yrange [{min(known) / 2}:*]\n" if max(known) > 30 * min(known)
             else "set yrange [0:*]\n")
    return draw(f"""{data}
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set boxwidth 0.9
set ylabel {quoted(column["title"])}
set key outside top center horizontal
{tics(cases)}
{scale}plot {", ".join(plots)}
""")


def latency(run):
    """The 99th percentile by rate."""
    peers, cases = in_order(run, "peer"), in_order(run, "case")
    data, plots, colour = "", [], colours(peers)
    for number, peer in enumerate(peers):
        lines = ""
        for case in cases:
            value = middle_of(run, case, peer, "p99_ms")
            if value:
                lines += f"{re.sub('[^0-9]', '', case)} {value}\n"
        if lines:
            data += f"$d{number} << END\n{lines}END\n"
            plots.append(f"$d{number} using 1:2 title {quoted(peer)} with linespoints lw 2 pt 7 "
                         f"ps 0.6 lc rgb '{colour[peer]}'")
    if not plots:
        return None
    return draw(f"""{data}
set logscale y
set xrange [0:*]
set xlabel "requests a second that are due"
set ylabel "99th percentile, ms"
set format x "%'.0f"
set key outside right
plot {", ".join(plots)}
""")


def number_of(case):
    """The number that a case's name begins with."""
    return int(re.match(r"[0-9,]+", case)[0].replace(",", ""))


def lines_of(run, key):
    """Data and plots of a column by size, a line for each server."""
    data, plots = "", []
    for number, (peer, colour) in enumerate(colours(in_order(run, "peer")).items()):
        points = [(number_of(case), middle_of(run, case, peer, key))
                  for case in in_order(run, "case")]
        points = [(at, value) for at, value in points if value]
        if points:
            data += f"${key}{number} << END\n" + "".join(f"{at} {value}\n" for at, value in
                                                         points) + "END\n"
            plots.append(f"${key}{number} using 1:2 title {quoted(peer)} with linespoints lw 2 pt 7 "
                         f"ps 0.6 lc rgb '{colour}'")
    return data, plots


def scale_of(run, key):
    """Logarithmic where values differ much; else from nothing on, so that what is flat looks so."""
    values = [median(row["values"][key]) for row in run["rows"] if row["values"].get(key)]
    return "set logscale y" if max(values) > 30 * min(values) else "unset logscale y\nset yrange [0:*]"


def legend(peers):
    """One line above all pictures; gnuplot's own has no more room than the first of them."""
    widths = [(26 + 8 * len(peer)) / WIDTH for peer in peers]
    text, at = "", 0.5 - sum(widths) / 2
    for (peer, colour), width in zip(colours(peers).items(), widths):
        text += (f"set label '●' at screen {at:.3f},0.96 tc rgb '{colour}'\n"
                 f"set label {quoted(peer)} at screen {at + 0.018:.3f},0.96\n")
        at += width
    return text


def growth(run):
    """What a request costs, and memory, by how much there is: two pictures side by side, the names of
    servers above both."""
    sides = []
    for column in run["columns"]:
        if column["key"] not in ("cpu_us", "memory_mib"):
            continue
        data, plots = lines_of(run, column["key"])
        if plots:
            sides.append(f"""{data}
set yrange [*:*]
{scale_of(run, column["key"])}
set ylabel {quoted(column["title"])}
plot {", ".join(plots)}
unset label
""")
    if not sides:
        return None
    numbers = [number_of(case) for case in in_order(run, "case")]
    at = ", ".join(f'"{number:,}" {number}' for number in numbers)
    return draw(f"""set multiplot layout 1,{len(sides)} margins 0.08,0.97,0.12,0.88 spacing 0.1
set logscale x
set xrange [{min(numbers) / 1.2}:{max(numbers) * 1.2}]
set xtics ({at})
unset key
{legend(in_order(run, "peer"))}
{"".join(sides)}unset multiplot
""")
