// The page: asks once a second while somebody looks, and draws what has changed.

import { Chart } from "./charts.js";
import { $, setText, show } from "./dom.js";
import * as f from "./format.js";
import { History } from "./history.js";
import * as explain from "./explain.js";
import * as recent from "./recent.js";
import * as tiles from "./tiles.js";

const PERIOD = 1000;
const history = new History();
const failed = { since: 0 };
let status = null;
let started = null; // of the process whose history this is
let step = 1;
let turns = 0;

// ---- charts ----

const perSecond = (name) => (s, i, seconds) => s[name][i] / seconds;
const missed = (s, i, seconds) => Math.max(0, s.requests[i] - s.hits[i] - s.errors[i] - s.denied[i]) / seconds;
const fetched = (s, i, seconds) => Math.max(0, s.bytes[i] - s.hit_bytes[i] - s.tunnel_bytes[i]) / seconds;
// A second alone says little: the mean of five.
const part = (a, b) => (s, i, seconds) => {
  const sum = (name) => s[name].slice(Math.max(0, i - (seconds === 1 ? 4 : 0)), i + 1).reduce((x, y) => x + y, 0);
  return s[b][i] ? (100 * sum(a)) / sum(b) : null;
};
const refused = (s, i, seconds) => (s.errors[i] + s.denied[i]) / seconds;
const time = (name) => (s, i) => (s[name][i] === null ? null : Math.max(10, s[name][i]));

const charts = [];

function beginCharts() {
  charts.push(
    new Chart("requests", { stacked: true, format: (v) => f.count(Math.round(v * 10) / 10), series: [
      { name: "hits", color: "--hit", value: perSecond("hits") },
      { name: "misses", color: "--miss", value: missed },
      { name: "errors, denied", color: "--error", value: refused }] }),
    new Chart("bytes", { stacked: true, base: 1024, format: f.bytes, series: [
      { name: "from the cache", color: "--hit", value: perSecond("hit_bytes") },
      { name: "from origins", color: "--miss", value: fetched },
      { name: "tunnels", color: "--tunnel", value: perSecond("tunnel_bytes") }] }),
    new Chart("ratio", { max: 100, format: (v) => `${Math.round(v)}\u202f%`, series: [
      { name: "of requests", color: "--hit", value: part("hits", "requests") },
      { name: "of bytes", color: "--second", value: part("hit_bytes", "bytes") }] }),
    new Chart("latency", { log: true, format: f.duration, series: [
      { name: "hits, median", color: "--hit", value: time("hits_us_p50") },
      { name: "99 %", color: "--hit", dashed: true, value: time("hits_us_p99") },
      { name: "misses, median", color: "--miss", value: time("misses_us_p50") },
      { name: "99 % ", color: "--miss", dashed: true, value: time("misses_us_p99") }] }));
}

// ---- asking ----

async function ask(path) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(8000) });
  if (!response.ok) {
    throw new Error((await response.text()).trim() || `status ${response.status}`);
  }
  return response.json();
}

async function askHistory(of) {
  history.add(await ask(`/history?step=${of}&since=${history.since(of)}`));
}

// What is behind a curtain is asked for less often.
async function turn() {
  const slow = turns % 2 === 0;
  const jobs = [askHistory(1)];
  if (step !== 1 && (slow || !history.level(step))) {
    jobs.push(askHistory(step));
  }
  if (slow) {
    jobs.push(ask("/status").then(takeStatus), ask("/top").then(tiles.drawTop));
  }
  if (turns % 4 === 0) {
    jobs.push(ask("/warnings").then((answer) => tiles.drawWarnings(answer.warnings)),
      ask("/replicas").then(tiles.drawReplicas));
  }
  turns += 1;
  await Promise.all(jobs);
}

function takeStatus(answer) {
  const begin = Math.round(Date.now() / 1000 - answer.uptime_seconds);
  if (started !== null && Math.abs(begin - started) > 5 && answer.uptime_seconds < status.uptime_seconds) {
    history.clear();
  }
  started = begin;
  status = answer;
  recent.drawRecent(answer.recent);
  tiles.drawMirrors(answer.mirrors);
  tiles.drawMemory(answer.memory);
  tiles.drawStore(answer.store);
  setText($("state"), answer.state);
  $("state").className = `pill ${answer.state === "ready" ? "good" : "warn"}`;
  setText($("about"), `${answer.name} · ${answer.version} · up ${f.age(answer.uptime_seconds)} · ${answer.listen.join(", ")}`);
  setText($("try-curl"), `curl -x http://${answer.listen[0]} http://example.com/`);
  document.title = `${answer.name} – Larder`;
}

function draw() {
  charts.forEach((chart) => chart.draw(history.level(step) ?? history.level(1)));
  tiles.drawTiles(history, history.level(step) ? step : 1, status);
  tiles.drawSplit(history, history.level(step) ? step : 1);
  tiles.drawProtocols(history);
}

// ---- when it does not answer ----

function lost(error) {
  failed.since = failed.since || Date.now();
  setText($("state"), "no answer");
  $("state").className = "pill bad";
  const known = error instanceof TypeError || error.name === "TimeoutError";
  setText($("gone"), `${known ? "No answer from the proxy" : error.message} since ${f.clock(failed.since)}. The numbers are the last it sent; this page tries again every second.`);
  show($("gone"), true);
  document.body.classList.add("stale");
}

function found() {
  failed.since = 0;
  show($("gone"), false);
  document.body.classList.remove("stale");
}

async function run() {
  if (document.hidden) {
    document.addEventListener("visibilitychange", run, { once: true });
    return;
  }
  const begun = performance.now();
  try {
    await turn();
    found();
    draw();
  } catch (error) {
    turns = 0;
    lost(error);
  }
  document.body.dataset.turns = String(turns); /* for tests: it has been drawn */
  setTimeout(run, Math.max(100, PERIOD - (performance.now() - begun)));
}

// ---- the head of the page ----

const dark = matchMedia("(prefers-color-scheme: dark)");

function setTheme(theme) {
  if (theme) {
    document.documentElement.dataset.theme = theme;
  }
  charts.forEach((chart) => chart.restyle());
}

function beginTheme() {
  setTheme(localStorage.getItem("theme"));
  $("theme").addEventListener("click", () => {
    const now = document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
    const next = now === "dark" ? "light" : "dark";
    localStorage.setItem("theme", next);
    setTheme(next);
  });
  dark.addEventListener("change", () => setTheme(null));
}

function beginRange() {
  for (const input of document.querySelectorAll("input[name=step]")) {
    input.addEventListener("change", async () => {
      step = Number(input.value);
      await askHistory(step).catch(lost);
      draw();
    });
  }
}

beginCharts();
beginTheme();
beginRange();
tiles.begin();
recent.begin();
explain.begin();
run();
