// The list of recent requests: filtered, paused, and each a door to why.

import { $, el, fillHead, fillRows, setText, show } from "./dom.js";
import * as f from "./format.js";
import { badge } from "./tiles.js";
import { explain } from "./explain.js";
import { filterOf } from "./filter.js";

const kinds = {
  hit: "hit", "hit-memory": "hit", stale: "hit", tunnel: "tunnel", denied: "denied", error: "error",
};
export const kindOf = (outcome) => kinds[outcome] ?? "miss";

let shown = [];
let all = [];
let paused = false;

const columns = [
  { name: "time", className: "time", value: (row) => f.clock(row.time_ms) },
  { name: "client", className: "wide name-short", value: (row) => row.client ?? "" },
  { name: "method", className: "wide", value: (row) => row.method },
  { name: "URL", className: "name", value: (row) => opener(row) },
  { name: "status", className: "number", value: (row) => row.status || "–" },
  { name: "outcome", className: "state", value: (row) => badge(row.outcome, kindOf(row.outcome)) },
  { name: "reason", className: "wide text", value: (row) => reasonOf(row) },
  { name: "bytes", className: "number wide", value: (row) => f.bytes(row.bytes) },
  { name: "took", className: "number", value: (row) => f.duration(row.elapsed_us) },
];

function reasonOf(row) {
  const kept = row.store_reason;
  return kept && kept !== "stored" && kept !== "validated" && kept !== row.reason
    ? `${row.reason}, not stored: ${kept}` : row.reason;
}

function opener(row) {
  const button = el("button", "url", row.url || "(not understood)");
  button.type = "button";
  button.title = row.url;
  button.addEventListener("click", () => explain(row, keepFocus));
  return button;
}

const textOf = (row) =>
  `${row.method} ${row.url} ${row.client ?? ""} ${row.outcome} ${reasonOf(row)} ${row.status}`;

function wanted() {
  const kind = $("recent-outcome").value;
  const isLike = filterOf($("recent-text").value);
  return all.filter((row) => (!kind || kindOf(row.outcome) === kind) && isLike(row, textOf(row)));
}

function showWhatIsNot(none) {
  show($("recent-empty"), none && all.length === 0);
  show($("recent-none"), none && all.length > 0);
  setText($("recent-count"), String(all.length));
}

const identity = (row) => `${row.time_ms} ${row.url} ${row.elapsed_us} ${row.outcome}`;

// Who is in the list by the keyboard, or reads why, finds the row where it was: the list stands still.
const isHeld = () => $("why").open || $("recent").querySelector(":focus-visible") !== null;

// Rows go. What had the focus was in one of them: it goes to the list, not to the top of the page.
function keepFocus(key = "") {
  if (document.activeElement && document.activeElement !== document.body) {
    return;
  }
  const row = [...$("recent").tBodies[0].rows].find((one) => key && one.dataset.key === key);
  (row?.querySelector("button") ?? $("recent-list")).focus({ preventScroll: true });
}

function draw() {
  const rows = wanted();
  showWhatIsNot(rows.length === 0);
  const now = rows.map(identity).join("\n");
  if (now === shown) {
    return; /* the button with the focus stays */
  }
  shown = now;
  const focused = document.activeElement?.closest?.("#recent tr")?.dataset.key;
  fillRows($("recent").tBodies[0], rows, columns, identity);
  show($("recent"), rows.length > 0);
  if (focused) {
    keepFocus(focused);
  }
}

function drawUnlessHeld() {
  const held = isHeld();
  show($("recent-held"), held && !paused);
  if (!held) {
    draw();
  }
}

// Only requests like this.
function filterBy(text) {
  $("recent-outcome").value = "";
  $("recent-text").value = text;
  draw();
  $("recent-text").focus({ preventScroll: true });
}

export function begin() {
  fillHead($("recent"), columns);
  $("recent-outcome").addEventListener("change", draw);
  $("recent-text").addEventListener("input", draw);
  $("recent-all").addEventListener("click", () => filterBy(""));
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-filter]");
    if (button) {
      filterBy(button.dataset.filter);
      $("recent-title").scrollIntoView({ block: "start" });
    }
  });
  $("recent").addEventListener("focusin", () => show($("recent-held"), isHeld() && !paused));
  $("recent").addEventListener("focusout", () => setTimeout(drawUnlessHeld));
  $("recent-pause").addEventListener("click", () => {
    paused = !paused;
    $("recent-pause").setAttribute("aria-pressed", String(paused));
    $("recent-pause").textContent = paused ? "Resume" : "Pause";
  });
}

export function drawRecent(rows) {
  if (!paused) {
    all = rows;
    drawUnlessHeld();
  }
}
