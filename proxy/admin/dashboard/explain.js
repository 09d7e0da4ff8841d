// The dialog that says why: what a request was told, and what the next one would be.

import { $, el, prose } from "./dom.js";
import * as f from "./format.js";

function facts(pairs) {
  const list = el("dl", "facts");
  for (const [name, value] of pairs) {
    if (value !== null && value !== undefined && value !== "") {
      list.append(el("dt", "", name), el("dd", "", String(value)));
    }
  }
  return list;
}

function requestPart(row) {
  return [
    el("p", "url-line", `${row.method} ${row.url}`),
    el("p", "verdict", [el("strong", "", row.outcome), ": ", row.because]),
    facts([
      ["status", row.status || "none sent"],
      ["client", row.client],
      ["user", row.user],
      ["mirror", row.mirror],
      ["at", new Date(row.time_ms).toLocaleString("en-GB")],
      ["took", f.duration(row.elapsed_us)],
      ["sent", f.bytes(row.bytes)],
      ["from", row.served_from],
      ["waited for the disk", row.disk_wait_us ? f.duration(row.disk_wait_us) : null],
      ["origin answered", row.fwd_status],
      ["kept", row.fwd ? (row.stored ? "yes" : `no: ${row.store_reason ?? row.reason}`) : null],
      ["end", row.end === "complete" ? null : row.end],
    ]),
  ];
}

function nextPart(answer) {
  const next = answer.next ?? {};
  const stored = answer.stored;
  const outcomes = (next.outcomes ?? []).join(" or ");
  const parts = [el("h3", "", "The next request for it"),
    el("p", "verdict", [el("strong", "", outcomes || next.action || "unknown"), `: ${next.because ?? ""}`])];
  if (next.rule) {
    parts.push(el("p", "rule", prose(`${next.rule} (${next.source})`)));
  }
  const fresh = answer.freshness;
  parts.push(facts([
    ["stored", stored ? `${f.bytes(stored.bytes ?? 0)}, status ${stored.status}, in ${stored.where}` : "no"],
    ["age", fresh ? f.age(fresh.age.current) : null],
    ["lifetime", fresh ? `${f.age(fresh.lifetime.seconds)} (${fresh.lifetime.source ?? "none"})` : null],
    ["Cache-Control", stored?.cache_control],
    ["Cache-Status", next.cache_status],
    ["rule of access", answer.access?.place],
  ]));
  for (const remedy of answer.remedies ?? []) {
    parts.push(el("p", "remedy", ["To change it: ", ...prose(remedy.text)]));
  }
  const raw = el("details", "", [el("summary", "", "All of /explain"),
    el("pre", "", JSON.stringify(answer, null, 2))]);
  return [...parts, raw];
}

// The same request again: who asked decides what rules say, and the mirror which of two is meant.
function questionOf(row) {
  const asked = { url: row.url, method: row.method, client: row.client, user: row.user, mirror: row.mirror };
  return Object.entries(asked).filter(([, value]) => value)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
}

async function ask(row) {
  const response = await fetch(`/explain?${questionOf(row)}`);
  const answer = await response.json();
  return response.ok ? nextPart(answer) : [el("p", "remedy", answer.error ?? "No answer.")];
}

// `closed` is called when it has been read: the browser has given the focus back to where it was, if
// that is still there.
export async function explain(row, closed) {
  const body = $("why-body");
  const dialog = $("why");
  body.replaceChildren(...requestPart(row));
  dialog.addEventListener("close", () => closed(), { once: true });
  dialog.showModal();
  if (!/^https?:/.test(row.url) || row.method === "CONNECT") {
    return;
  }
  const unknown = row.cut ? "The URL was too long to be remembered whole"
    : row.url.includes("\u2026") ? "What is secret in the URL is not shown" : "";
  if (unknown) {
    body.append(el("p", "remedy", `${unknown}: nothing can be said of the next request.`));
    return;
  }
  try {
    body.append(...(await ask(row)));
  } catch {
    body.append(el("p", "remedy", "The proxy does not answer."));
  }
}

export function begin() {
  const dialog = $("why");
  $("why-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}
