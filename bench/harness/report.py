"""Results as a table on the terminal, as results.json, and as one page that needs nothing else."""
import html
import json
import math

from harness import plot
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
    return "\n".join(lines)


STYLE = """
:root { color-scheme: light dark; --ink: #1d2330; --soft: #5c667a; --line: #d9dee8; --back: #fff;
        --ours: #e8f1fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9f0; --soft: #9aa5ba; --line: #333c4d;
        --back: #151a23; --ours: #1c2c40; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
       max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem } h2 { margin: 3rem 0 .3rem; font-size: 1.25rem }
p { max-width: 46rem } .soft, .note { color: var(--soft) }
.wide { overflow-x: auto } table { border-collapse: collapse; margin: .8rem 0; font-size: 14px;
        font-variant-numeric: tabular-nums }
th, td { padding: .18rem .7rem; text-align: right; white-space: nowrap }
th { font-weight: 600; border-bottom: 2px solid var(--line); color: var(--soft) }
td:nth-child(-n+2), th:nth-child(-n+2) { text-align: left }
tr.first td { border-top: 1px solid var(--line) } tr.ours td { background: var(--ours) }
svg { max-width: 100%; height: auto; border-radius: 6px; background: #fff; margin: .4rem 0 }
nav a { margin-right: .9rem; white-space: nowrap } a { color: #2f7dd1 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem } dt { color: var(--soft) }
dd { margin: 0 } pre { overflow-x: auto; font-size: 12px; background: var(--ours); padding: .6rem }
"""


def html_table(run, limits):
    heads, rows = table_of(run, limits)
    text = "<div class=wide><table><tr>" + "".join(f"<th>{html.escape(h)}" for h in heads)
    last = None
    for row in rows:
        kind = ["first"] if row[0] != last else []
        kind += ["ours"] if row[1].startswith("larder") else []
        shown = ["" if row[0] == last else row[0], *row[1:]]
        last = row[0]
        text += f"<tr class='{' '.join(kind)}'>" + "".join(f"<td>{html.escape(t)}" for t in shown)
    return text + "</table></div>"


def html_of(run, limits, draw):
    parts = [f"<h2 id='{run['name']}'>{html.escape(run['title'])}</h2>",
             f"<p class=soft>{html.escape(run['about'])}</p>"]
    if draw and run["rows"] and plot.available():
        parts.append(draw(run) or "")
    if run["rows"]:
        parts.append(html_table(run, limits))
    parts += [f"<p class=note>{html.escape(note)}</p>" for note in run["notes"]]
    if run["page"]:
        parts.append(f"<p class=soft>More: {html.escape(run['page'])}</p>")
    return "\n".join(parts)


def facts(results):
    machine = results["machine"]
    shown = {"Date": results["began"], "Processor": f"{machine['processor']}, "
             f"{machine['cores']} cores", "Servers on core": machine["server_cores"],
             "Load on core": machine["load_cores"], "Memory": f"{machine['memory_mib']} MiB",
             "System": f"{machine['system']}, Linux {machine['kernel']}",
             "Load before": f"{machine['load_average']:.2f}", "Larder": machine["commit"],
             "Rounds": f"{results['rounds']} of {results['seconds']} s",
             "Versions": ", ".join(f"{n} {v}" for n, v in machine["versions"].items())}
    return "<dl>" + "".join(f"<dt>{html.escape(key)}<dd>{html.escape(str(value))}"
                            for key, value in shown.items()) + "</dl>"


def page(results, plots):
    limits = set(results["limits"])
    runs = results["scenarios"]
    links = "".join(f"<a href='#{run['name']}'>{html.escape(run['name'])}</a> " for run in runs)
    body = "\n".join(html_of(run, limits, plots.get(run["name"])) for run in runs)
    configurations = "".join(
        f"<details><summary>{html.escape(name)}</summary><pre>{html.escape(text)}</pre></details>"
        for name, text in results["configurations"].items())
    return (f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
            f"content='width=device-width, initial-scale=1'><title>Larder beside its peers</title>"
            f"<style>{STYLE}</style><h1>Larder beside its peers</h1>"
            f"<p class=soft>Medians of rounds that went server by server; ± is half the distance of "
            f"the extremes. Processor time and memory are the kernel's account of all processes of a "
            f"server.</p>{facts(results)}<nav>{links}</nav>{body}<h2>Configurations</h2>"
            f"{configurations}</html>\n")


def save(results, plots, where):
    with open(f"{where}/results.json", "w", encoding="utf-8") as out:
        json.dump(results, out, indent=1, ensure_ascii=False)
        out.write("\n")
    with open(f"{where}/report.html", "w", encoding="utf-8") as out:
        out.write(page(results, plots))
