// Charts over time, drawn by dygraphs. One look for all: colours from the style sheet, the value
// under the pointer in the legend, nothing that moves but the data.

import { el, setText } from "./dom.js";
import { clock, mark } from "./format.js";

const spans = { 1: 600, 10: 7200, 120: 86400 };

// Values are shown in a legend of our own; the library's would set styles inline, which the page's
// Content-Security-Policy forbids.
Dygraph.PLUGINS = Dygraph.PLUGINS.filter((plugin) => plugin.prototype.toString() !== "Legend Plugin");

// Powers of ten of microseconds, from 10 µs to at least 1 ms.
function powers(most) {
  const count = Math.max(2, Math.ceil(Math.log10(Math.max(1, most) / 10)));
  return [10 ** (count + 1), Array.from({ length: count + 1 }, (_, i) => 10 ** (i + 1))];
}

// A mark at the very top would be cut off, and be left out.
const above = (top) => top * 1.005;

// Four or five round marks; `base` is 1000, or 1024 for bytes.
function steps(most, base) {
  let unit = 1;
  while (most > base * unit) {
    unit *= base;
  }
  const round = [0.25, 0.5, 1, 2, 2.5, 5, 10, 20, 25, 50, 100, 200, 250, 256, 500, 512, 1000]
    .filter((n) => unit > 1 || n >= 1);
  const step = round.find((n) => n * unit * 4 >= most) * unit;
  const count = Math.max(1, Math.ceil(most / step));
  return [above(count * step), Array.from({ length: count + 1 }, (_, i) => i * step)];
}

// How much of the time there is, of what could be shown: it grows in three steps.
function spanOf(level) {
  const have = level.series.requests.length * level.step;
  return [0.2, 0.5, 1].map((part) => part * spans[level.step]).find((span) => span >= have) ?? spans[level.step];
}

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export class Chart {
  // series: [{name, color: "--hit", value: (series, i, step) => number or null}]
  constructor(id, { series, format, base = 1000, stacked = false, log = false, max = null }) {
    this.node = document.getElementById(`chart-${id}`);
    this.series = series;
    this.format = format;
    this.base = base;
    this.stacked = stacked;
    this.log = log;
    this.max = max;
    this.legend(document.getElementById(`legend-${id}`));
    this.title = this.node.parentNode.querySelector("h2").textContent;
    this.graph = null;
  }

  legend(node) {
    this.time = el("span", "aside");
    node.before(this.time);
    this.values = this.series.map(() => el("b"));
    node.append(...this.series.map((one, i) => {
      const sign = el("i", one.dashed ? "mark dashed" : "mark");
      sign.style.setProperty("--mark", `var(${one.color})`);
      return el("span", "key", [sign, one.name, " ", this.values[i]]);
    }));
  }

  rows(level) {
    const { series, step, end } = level;
    const points = series.requests.length;
    const rows = [];
    for (let i = 0; i < points; i++) {
      rows.push([new Date((end - (points - 1 - i) * step) * 1000),
        ...this.series.map((one) => one.value(series, i, step))]);
    }
    return rows.length ? rows : [[new Date(end * 1000), ...this.series.map(() => null)]];
  }

  look() {
    return {
      colors: this.series.map((one) => color(one.color)),
      gridLineColor: color("--grid"),
      axisLineColor: color("--grid"),
      highlightCircleSize: 3,
    };
  }

  // The axis moves in steps, so that it does not at every point: [its top, the marks on it].
  axis(rows) {
    const tops = rows.map(([, ...values]) =>
      this.stacked ? values.reduce((sum, v) => sum + (v ?? 0), 0) : Math.max(0, ...values));
    const most = Math.max(0, ...tops);
    if (this.max) {
      return [above(this.max), [0, 1, 2, 3, 4].map((i) => (i * this.max) / 4)];
    }
    return this.log ? powers(most) : steps(most * 1.05, this.base);
  }

  draw(level) {
    if (!level) {
      return;
    }
    this.level = level;
    const rows = this.rows(level);
    const end = level.end * 1000;
    const [top, marks] = this.axis(rows);
    this.marks = marks;
    const options = {
      file: rows,
      valueRange: [this.log ? 10 : 0, top],
      dateWindow: [end - spanOf(level) * 1000, end],
    };
    if (this.graph) {
      this.graph.updateOptions(options);
    } else {
      this.begin(options);
    }
    if (!this.pointed) {
      this.say(rows.length - 1, rows.at(-1));
    }
  }

  begin(options) {
    const names = this.series.map((one) => one.name);
    const { file, ...others } = options;
    this.graph = new Dygraph(this.node, file, {
      ...others,
      ...this.look(),
      labels: ["time", ...names],
      legend: "never",
      stackedGraph: this.stacked,
      fillGraph: this.stacked,
      fillAlpha: 0.55,
      logscale: this.log,
      strokeWidth: this.stacked ? 1 : 1.75,
      series: Object.fromEntries(this.series.map((one) =>
        [one.name, one.dashed ? { strokeWidth: 1, strokePattern: [4, 2] } : {}])),
      axes: {
        x: { drawGrid: false, pixelsPerLabel: 90, axisLabelFormatter: (date) => clock(date, spanOf(this.level) < 300) },
        y: { axisLabelWidth: 62, ticker: () => this.marks.map((v) => ({ v, label: mark(this.format(v)) })) },
      },
      interactionModel: {},
      highlightCallback: (event, x, points, row) => this.point(row),
      unhighlightCallback: () => this.unpoint(),
    });
  }

  point(row) {
    this.pointed = true;
    const rows = this.rows(this.level);
    this.say(row, rows[Math.min(row, rows.length - 1)]);
  }

  unpoint() {
    this.pointed = false;
    this.draw(this.level);
  }

  say(row, [date, ...values]) {
    setText(this.time, this.pointed ? clock(date) : "");
    values.forEach((value, i) => setText(this.values[i], value === null ? "–" : this.format(value)));
    const words = this.series.map((one, i) => `${one.name} ${this.values[i].textContent}`);
    this.node.setAttribute("aria-label", `${this.title}: ${words.join(", ")}`);
  }

  restyle() {
    this.graph?.updateOptions(this.look());
  }
}
