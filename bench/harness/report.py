"""Results as a table on the terminal, as results.json, and as one page that needs nothing else."""
import contextlib
import html
import json
import math
import os

from harness import bar, configurations
from harness.scenario import Column
from harness.stats import median, spread


def columns_of(run):
    return [Column(c["key"], c["title"], c["form"], c["lower_is_better"], c["of_limit"])
            for c in run["columns"]]


def limit_of(run, case, limits):
    """{key: median} of the limit in this case, or {}"""
    for row in run["rows"]:
        if row["case"] == case and row["peer"] in limits:
            return {key: median(values) for key, values in row["values"].items()}
    return {}


def table_of(run, limits):
    """(heads, [row of texts, …])"""
    columns = columns_of(run)
    with_limit = any(column.of_limit for column in columns) and any(
        row["peer"] in limits for row in run["rows"])
    heads = ["case", "server"]
    for column in columns:
        heads.append(column.title)
        if column.of_limit:
            heads.append("±")
            if with_limit:
                heads.append("× limit")
    return heads, [texts_of(run, row, columns, limits, with_limit) for row in run["rows"]]


def texts_of(run, row, columns, limits, with_limit):
    texts = [row["case"], row["peer"]]
    limit = limit_of(run, row["case"], limits)
    for column in columns:
        values = row["values"].get(column.key, [])
        texts.append(column.show(median(values)))
        if column.of_limit:
            texts.append(f"{spread(values):.0%}" if len(values) > 1 else "–")
            if with_limit:
                base = limit.get(column.key)
                ratio = median(values) / base if base and values else math.nan
                texts.append("–" if math.isnan(ratio) else f"{ratio:.2f}×")
    if not row["values"]:
        texts[2] = "cannot"
    return texts


def as_text(run, limits):
    heads, rows = table_of(run, limits)
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    lines = [f"\n{run['title']}"]
    last = None
    for number, row in enumerate([heads, *rows]):
        shown = list(row)
        if number and row[0] == last:
            shown[0] = ""
        last = row[0]
        lines.append("  ".join(text.ljust(width) if i < 2 else text.rjust(width)
                               for i, (text, width) in enumerate(zip(shown, widths))).rstrip())
    lines += [f"  note: {note}" for note in run["notes"]]
    lines += [f"  {time_of(run)}"] if run.get("took") else []
    return "\n".join(lines)


def duration(seconds):
    seconds = round(seconds)
    return f"{seconds // 60} min {seconds % 60:02} s" if seconds >= 60 else f"{seconds} s"


def time_of(run):
    """Where it went."""
    parts = ", ".join(f"{what} {duration(seconds)}" for what, seconds in run["took"].items())
    return f"took {duration(sum(run['took'].values()))}: {parts}"


STYLE = """
:root { color-scheme: light dark; --ink: #1d2330; --soft: #5c667a; --line: #d9dee8; --back: #fff;
        --ours: #e8f1fa; --link: #1f66b3; --good: #1a7f4b; --bad: #b3362b }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9f0; --soft: #9aa5ba; --line: #333c4d;
        --back: #151a23; --ours: #1c2c40; --link: #7db4f0; --good: #5fce95; --bad: #f0877c }
        svg { filter: invert(.88) hue-rotate(180deg) } }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
       max-width: 72rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: break-word }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; line-height: 1.2 }
h2 { margin: 3.2rem 0 .3rem; font-size: 1.25rem; line-height: 1.3 }
p { max-width: 46rem; margin: .5rem 0 } .soft, .note { color: var(--soft) }
.note { font-size: 14px; border-left: 3px solid var(--line); padding-left: .7rem;
        overflow-wrap: anywhere; white-space: pre-line }
.wide { overflow-x: auto; margin: .8rem 0 }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums }
th, td { padding: .18rem .7rem; text-align: right; white-space: nowrap; background: var(--back) }
th { font-weight: 600; color: var(--soft); border-bottom: 2px solid var(--line);
     vertical-align: bottom }
td:first-child, th:first-child { text-align: left; position: sticky; left: 0; padding-left: .4rem }
tr.case th { color: var(--ink); border-bottom: 1px solid var(--line); padding-top: .9rem }
tr.ours td { background: var(--ours); font-weight: 600 }
table.bar td { white-space: normal; vertical-align: top }
table.bar td:nth-child(n+4) { text-align: left; min-width: 13rem }
table.bar td:nth-child(2), table.bar td:nth-child(3) { white-space: nowrap }
table.bar td:first-child { min-width: 8rem }
table.bar th:nth-child(n+4) { text-align: left } table.bar td { border-bottom: 1px solid var(--line) }
.good { color: var(--good) } .bad { color: var(--bad) }
.plot { overflow-x: auto } svg { display: block; width: 100%; min-width: 34rem; height: auto;
        margin: .6rem 0 }
nav { display: flex; flex-wrap: wrap; gap: .2rem .9rem; margin: 1rem 0 } a { color: var(--link) }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .1rem 1rem;
     max-width: 60rem } dt { color: var(--soft) }
dd { margin: 0 } summary { cursor: pointer; padding: .15rem 0 }
details details { margin-left: 1.1rem }
pre { overflow-x: auto; font-size: 12px; background: var(--ours); padding: .6rem; margin: .3rem 0 .8rem;
      border-radius: 4px; max-height: 30rem } pre.command { white-space: pre-wrap }
.file { margin: .3rem 0 0; font-size: 13px; color: var(--soft) }
"""


def html_row(cells, kind="", tag="td"):
    return f"<tr class='{kind}'>" + "".join(f"<{tag}>{html.escape(cell)}" for cell in cells)


def html_table(run, limits):
    """A row of its own for each case, so that the servers' names stay in sight on narrow screens."""
    heads, rows = table_of(run, limits)
    text = "<div class=wide><table>" + html_row(heads[1:], tag="th")
    last = None
    for case, *cells in rows:
        if case != last:
            text += f"<tr class=case><th colspan={len(cells)}>{html.escape(case)}"
        last = case
        text += html_row(cells, "ours" if cells[0].startswith("larder") else "")
    return text + "</table></div>"


def html_bar(results):
    """What there is of the bar's table, or nothing."""
    rows = [row for row in bar.rows_of(results) if row[-1] != "not measured"]
    if not rows:
        return ""
    text = ("<h2 id=bar>The bar</h2><p class=soft>What Larder must reach, relative to raw limits and its "
            "peers; differences below a tenth are noise.</p><div class=wide><table class=bar>"
            + html_row(bar.HEADS, tag="th"))
    for row in rows:
        told = "; ".join(f"<span class={'bad' if 'missed' in part else 'good'}>{html.escape(part)}"
                         "</span>" for part in row[-1].split("; "))
        text += html_row(row[:-1]) + f"<td>{told}"
    return text + "</table></div>"


def html_plot(run, draw):
    """Or why there is none. Whatever goes wrong here, the hours that were measured are not lost to it."""
    try:
        picture = draw(run) if draw else None
    except Exception as failed:
        return f"<p class=note>no plot: {html.escape(str(failed) or repr(failed))}</p>"
    return f"<div class=plot>{picture}</div>" if picture else ""


def html_of(run, limits, draw):
    parts = [f"<h2 id='{run['name']}'>{html.escape(run['title'])}</h2>",
             f"<p class=soft>{html.escape(run['about'])}</p>"]
    if run["rows"]:
        parts.append(html_plot(run, draw))
        parts.append(html_table(run, limits))
    parts += [f"<p class=note>{html.escape(note)}</p>" for note in run["notes"]]
    if run.get("took"):
        parts.append(f"<p class=soft>{html.escape(time_of(run).capitalize())}.</p>")
    if run["page"]:
        parts.append(f"<p class=soft>More: {html.escape(run['page'])}</p>")
    return "\n".join(parts)


def facts(results):
    machine = results["machine"]
    shown = {"Date": results["began"], "Processor": f"{machine['processor']}, "
             f"{machine['cores']} cores", "Servers on core": ", ".join(map(str, machine["server_cores"])),
             "Load on core": ", ".join(map(str, machine["load_cores"])),
             "Memory": f"{machine['memory_mib'] or 0:,} MiB",
             "System": f"{machine['system']}, Linux {machine['kernel']}",
             "Load before": f"{machine['load_average']:.2f}", "Larder": machine["commit"] or "unknown",
             "Rounds": f"{results['rounds']} of {results['seconds']} s",
             "Took": duration(sum(sum(run.get("took", {}).values()) for run in results["scenarios"])),
             "Versions": ", ".join(f"{n} {v}" for n, v in machine["versions"].items())}
    return "<dl>" + "".join(f"<dt>{html.escape(key)}<dd>{html.escape(str(value))}"
                            for key, value in shown.items()) + "</dl>"


def html_configuration(one):
    files = "".join(f"<p class=file>{html.escape(name)}</p><pre>{html.escape(text)}</pre>"
                    for name, text in one["files"].items())
    return (f"<details><summary>{html.escape('; '.join(one['for']) or 'all')}</summary>"
            f"<pre class=command>{html.escape(one['command'])}</pre>{files}</details>")


def html_configurations(results):
    text = ("<h2 id=configurations>Configurations</h2><p class=soft>Each with the scenarios that it was "
            "for. DIR is a folder of the server's own, RUN that of the run, BUILD where Larder was "
            "built; PORT and its like are ports that were free. Of long files, the first and the last "
            "lines are here.</p>")
    for server, each in configurations.by_server(results["configurations"]).items():
        count = f"{len(each)} configuration{'s' * (len(each) > 1)}"
        text += (f"<details><summary>{html.escape(server)} <span class=soft>{count}</span></summary>"
                 + "".join(map(html_configuration, each)) + "</details>")
    return text


def page(results, plots):
    limits = set(results["limits"])
    runs = results["scenarios"]
    told = html_bar(results)
    links = ("<a href='#bar'>the bar</a> " if told else "") + "".join(
        f"<a href='#{run['name']}'>{html.escape(run['name'])}</a> " for run in runs)
    links += "<a href='#configurations'>configurations</a>"
    body = "\n".join(html_of(run, limits, plots.get(run["name"])) for run in runs)
    return (f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
            f"content='width=device-width, initial-scale=1'><title>Larder beside its peers</title>"
            f"<style>{STYLE}</style><h1>Larder beside its peers</h1>"
            f"<p class=soft>Servers were measured in turn, round by round. Numbers are medians; ± is half "
            f"the distance between the extremes. Processor time and memory come from the kernel, for all "
            f"processes of a server.</p>{facts(results)}<nav>{links}</nav>{told}{body}"
            f"{html_configurations(results)}</html>\n")


def save(results, plots, where):
    replace(f"{where}/results.json", json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    replace(f"{where}/report.html", page(results, plots))


def replace(path, text):
    """All of it, or what was there stays: the disk may be full."""
    try:
        with open(f"{path}.new", "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(f"{path}.new", path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(f"{path}.new")
        raise
