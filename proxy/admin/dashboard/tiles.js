// The tables and tiles of the page: what each shows, and of which number.

import { $, el, fillHead, fillRows, prose, setText, show } from "./dom.js";
import * as f from "./format.js";

const ROWS = 10;
const SAVABLE_ROWS = 6; // what is behind them is a small part of the whole

function set(id, [number, unit], suffix = "") {
  setText($(id), number);
  const node = $(`${id}-unit`);
  if (node) {
    setText(node, unit + suffix);
  }
}

// A ratio of nothing is a dash, without a unit.
function setRatio(id, part, whole) {
  const [number, unit = ""] = f.percent(part, whole).split("\u202f");
  set(id, [number, unit]);
}

// ---- tiles ----

const LIVE = 5; // seconds of which the mean is shown

export function drawTiles(history, step, status) {
  const seconds = history.seconds(1, LIVE) || 1;
  const mean = (name) => history.sum(1, name, LIVE) / seconds;
  const sum = (name) => history.sum(step, name);
  set("now-requests", f.countParts(round(mean("requests"))), "/s");
  set("now-bytes", f.bytesParts(mean("bytes")), "/s");
  setRatio("now-hits", sum("hits"), sum("requests"));
  setRatio("now-hit-bytes", sum("hit_bytes"), sum("bytes"));
  set("now-saved", f.bytesParts(sum("hit_bytes")));
  setText($("now-open"), f.count(history.last(1, "open") ?? 0));
  notes(history, step, status, mean);
}

const round = (value) => (value >= 10 ? Math.round(value) : Math.round(value * 10) / 10);

function notes(history, step, status, mean) {
  const sum = (name) => history.sum(step, name);
  setText($("now-requests-note"), `${f.count(sum("requests"))} in ${window_[step]}`);
  setText($("now-bytes-note"), `${f.byteRate(mean("origin_bytes"))} from origins`);
  setText($("now-hits-note"), `${f.count(sum("hits"))} hits in ${window_[step]}`);
  setText($("now-hit-bytes-note"), `${f.bytes(sum("hit_bytes"))} of ${f.bytes(sum("bytes"))}`);
  if (status) {
    const all = Math.max(status.bytes.sent_from_cache, sum("hit_bytes")); // the older of two answers
    setText($("now-saved-note"), `${f.bytes(all)} since the start`);
  }
  const asked = history.last(1, "fetches") ?? 0;
  setText($("now-open-note"), `${f.count(asked)} request${asked === 1 ? "" : "s"} to origins`);
}

const window_ = { 1: "10 min", 10: "2 h", 120: "24 h" };

// ---- where bytes come from ----

const parts = [
  ["from the cache", "--hit", (s) => s("hit_bytes")],
  ["from origins", "--miss", (s) =>
    Math.max(0, s("bytes") - s("hit_bytes") - s("tunnel_bytes") - s("unsaved_bytes"))],
  ["from origins, could not be stored", "--unsaved", (s) => s("unsaved_bytes")],
  ["through tunnels", "--tunnel", (s) => s("tunnel_bytes")],
];

export function drawSplit(history, step) {
  const sum = (name) => history.sum(step, name);
  const values = parts.map(([, , value]) => value(sum));
  const all = values.reduce((a, b) => a + b, 0);
  const [bar, legend] = [$("split"), $("split-legend")];
  if (bar.children.length === 0) {
    bar.append(...parts.map(([, color]) => marked("span", "", color)));
    legend.append(...parts.map(([name, color]) =>
      el("span", "key", [marked("i", "mark", color), name, " ", el("b")])));
  }
  values.forEach((value, i) => {
    bar.children[i].style.flexGrow = String(all ? value / all : 0);
    setText(legend.children[i].lastChild, `${f.bytes(value)} · ${f.percent(value, all)}`);
  });
  bar.classList.toggle("none", all === 0);
  bar.setAttribute("aria-label", parts.map(([name], i) => `${name} ${f.percent(values[i], all)}`).join(", "));
  setText($("split-since"), `last ${window_[step]}`);
}

function marked(tag, className, color) {
  const node = el(tag, className);
  node.style.setProperty("--mark", `var(${color})`);
  return node;
}

// ---- tables ----

const number = (name, value, extra = "") => ({ name, className: `number ${extra}`.trim(), label: name, value });

const busiest = (what) => [
  { name: what, className: "name share", finds: what, value: (row) => row.host ?? row.client,
    share: (row) => row.requests / row.most },
  number("requests", (row) => f.count(row.requests)),
  number("bytes", (row) => f.bytes(row.bytes)),
  number("hits", (row) => f.percent(row.hits, row.requests)),
  number("hit bytes", (row) => f.percent(row.hit_bytes, row.bytes), "wide"),
];

const savable = [
  { name: "host", className: "name", value: (row) => row.host },
  number("bytes", (row) => f.bytes(row.bytes)),
  number("requests", (row) => f.count(row.requests), "wide"),
  { name: "why", className: "why-cell", value: (row) => whyCell(row) },
];

function whyCell(row) {
  return el("div", "", [el("span", "reason", row.because), el("span", "remedy", prose(row.remedy))]);
}

const health = (row) => {
  const bad = row.unreached + row.failed;
  return bad === 0 ? ["ok", "good"] : bad * 2 >= row.asked ? ["failing", "bad"] : ["errors", "warn"];
};

const origins = [
  { name: "origin", className: "name", value: (row) => named(row.host, row.last_failure
    ? `${row.last_failure}, ${f.age(Date.now() / 1000 - row.last_failed)} ago` : "") },
  { name: "state", className: "state", value: (row) => badge(...health(row)) },
  number("asked", (row) => f.count(row.asked)),
  number("mean", (row) => f.duration(row.mean_us), "wide"),
  number("unreached", (row) => f.count(row.unreached)),
  number("errors", (row) => f.count(row.failed)),
];

// A name, and beneath it what is to be said of it.
function named(name, note) {
  const title = el("span", "title", name);
  title.title = name;
  return el("div", "", note ? [title, el("span", "remedy", note)] : [title]);
}

export function badge(text, kind) {
  return el("span", `badge ${kind}`, text);
}

const states = { up: "good", draining: "warn", unknown: "warn", "not probed": "warn", down: "bad" };

const replicas = [
  { name: "replica", className: "name share", share: (row) => row.part,
    value: (row) => named(row.name, [placeOf(row), row.reason].filter(Boolean).join(" · ")) },
  { name: "state", className: "state", value: (row) => badge(row.state, states[row.state] ?? "warn") },
  number("answers", (row) => f.percent(row.answers, row.all)),
  number("requests", (row) => (row.load ? f.rate(round(row.load.requests_per_second)) : "–")),
  number("bytes", (row) => (row.load ? f.byteRate(row.load.bytes_per_second) : "–"), "wide"),
  number("of its share", (row) => (row.of_fair_share === undefined ? "–" : f.percent(row.of_fair_share, 1)), "wide"),
];

const placeOf = (row) => (row.location
  ? row.location.map((degrees, i) => Math.abs(degrees).toFixed(1) + "°" + (i ? "WE" : "SN")[degrees >= 0 ? 1 : 0]).join(" ")
  : row.addresses.join(", "));

const mirrors = [
  { name: "mirror", className: "name share", finds: "mirror", value: (row) => row.path, note: (row) => row.origin,
    share: (row) => row.requests / row.most },
  number("requests", (row) => f.count(row.requests)),
  number("hits", (row) => f.percent(row.hits, row.requests)),
  number("bytes", (row) => f.bytes(row.bytes), "wide"),
  number("saved", (row) => f.bytes(row.hit_bytes)),
];

const bar = (name) => [
  { name, className: "name", value: (row) => row[0], rowShare: (row) => row[2] },
  number("", (row) => row[1]),
];

const tables = {
  hosts: busiest("host"), clients: busiest("client"), mirrors, savable, origins, replicas,
};

export function begin() {
  for (const [id, columns] of Object.entries(tables)) {
    fillHead($(id), columns);
  }
}

function fill(id, rows, columns = tables[id]) {
  fillRows($(id).tBodies[0], rows, columns);
  show($(id), rows.length > 0);
  const empty = $(`${id}-empty`);
  if (empty) {
    show(empty, rows.length === 0);
  }
}

export function drawTop(top) {
  const byRequests = (rows) => {
    const list = [...rows].sort((a, b) => b.requests - a.requests).slice(0, ROWS);
    return list.map((row) => ({ ...row, most: list[0].requests }));
  };
  fill("hosts", byRequests(top.hosts));
  fill("clients", byRequests(top.clients));
  fill("savable", [...top.savable].sort((a, b) => b.bytes - a.bytes).slice(0, SAVABLE_ROWS));
  const asked = top.hosts.filter((row) => row.asked > 0 && !row.denied);
  const bad = (row) => (row.unreached + row.failed) / row.asked;
  fill("origins", asked.sort((a, b) => bad(b) - bad(a) || b.asked - a.asked).slice(0, ROWS));
  const since = `since ${f.clock(top.since * 1000, false)}`;
  document.querySelectorAll(".top-since").forEach((node) => setText(node, since));
}

export function drawReplicas(answer) {
  const trouble = (row) => (row.state === "up" ? 2 : row.state === "down" ? 0 : 1);
  const rows = [...answer.replicas ?? []].sort((a, b) => trouble(a) - trouble(b));
  const all = rows.reduce((sum, row) => sum + row.answers, 0);
  fill("replicas", rows.map((row) => ({ ...row, all, part: all ? row.answers / all : 0 })));
  const text = !answer.configured
    ? "No larder-dns is configured. Set admin.dns to the address of its admin listener to see its replicas here."
    : answer.error ? `larder-dns at ${answer.from} does not respond: ${answer.error}.`
      : "larder-dns has no replicas.";
  setText($("replicas-empty"), text);
  show($("replicas-list"), rows.length > 0);
  const up = rows.filter((row) => row.state === "up").length;
  setText($("replicas-aside"), rows.length ? `as larder-dns sees them: ${f.count(up)} of ${f.count(rows.length)} up` : "");
}

export function drawMirrors(rows) {
  show($("mirrors-card"), rows.length > 0);
  const list = [...rows].sort((a, b) => b.requests - a.requests);
  fill("mirrors", list.map((row) => ({ ...row, most: Math.max(1, list[0].requests) })));
}

// ---- memory, store, connections ----

const protocolNames = [
  ["HTTP/1", (last) => last("open") - last("open_h2")],
  ["HTTP/2", (last) => last("open_h2")],
  ["over TLS, of these", (last) => last("open_tls")],
  ["tunnels", (last) => last("open_tunnels")],
];

export function drawProtocols(history) {
  const last = (name) => history.last(1, name) ?? 0;
  const rows = protocolNames.map(([name, value]) => [name, Math.max(0, value(last))]);
  const most = Math.max(1, ...rows.map(([, value]) => value));
  fill("protocols", rows.map(([name, value]) => [name, f.count(value), value / most]), bar("protocol"));
}

export function drawMemory(memory) {
  const used = Object.entries(memory.by_purpose).filter(([, value]) => value > 0);
  const rows = used.sort(([, a], [, b]) => b - a).slice(0, 8);
  const most = Math.max(1, ...rows.map(([, value]) => value));
  fill("memory", rows.map(([name, value]) => [name, f.bytes(value), value / most]), bar("purpose"));
  setText($("memory-aside"), `with traffic: ${f.bytes(memory.used)} of ${f.bytes(memory.limit)}`);
}

export function drawStore(store) {
  const rows = (store?.directories ?? []).map((one) => [
    one.state === "in" ? one.path : `${one.path} (${one.state})`,
    `${f.bytes(one.used)} of ${f.bytes(one.size)}`, one.size ? one.used / one.size : 0]);
  fill("store", rows, bar("folder"));
  setText($("store-aside"), store ? `${f.count(store.objects)} objects` : "");
}

// ---- warnings ----

const WARNINGS = 3; // the page is for the numbers, too: the others wait behind a click

const warning = (one) => el("li", one.severity, [
  badge(one.severity, one.severity === "error" ? "bad" : "warn"),
  el("div", "", [el("strong", "", prose(one.what)), el("span", "remedy", prose(one.remedy))])]);

export function drawWarnings(warnings) {
  const list = $("warning-list");
  const same = JSON.stringify(warnings);
  if (list.dataset.shown === same) {
    return;
  }
  list.dataset.shown = same;
  const errorsFirst = [...warnings].sort((a, b) => (a.severity !== "error") - (b.severity !== "error"));
  const more = warnings.length > WARNINGS + 1 ? errorsFirst.splice(WARNINGS) : [];
  list.replaceChildren(...errorsFirst.map(warning));
  $("warning-rest").replaceChildren(...more.map(warning));
  setText($("warning-count"), `${more.length} more warnings`);
  show($("warning-more"), more.length > 0);
  show($("warnings"), warnings.length > 0);
}
