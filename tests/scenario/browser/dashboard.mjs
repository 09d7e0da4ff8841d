// The dashboard in headless Chromium: what the page shows must be what /metrics says; text of
// strangers stays text; it says when the proxy is gone. Prints FAIL lines, and "dashboard: ok".
//   node dashboard.mjs CHROMIUM ADMIN-URL PROXY-PID PROXY-URL ORIGIN-URL [FOLDER]
// FOLDER: where pictures go (light, wide, phone, tablet, why, gone).
import http from "node:http";
import process from "node:process";
import { chromium } from "playwright-core";

const [executablePath, url, pid, proxy, origin, folder] = process.argv.slice(2);
let failed = 0;

function check(holds, what) {
  if (!holds) {
    failed += 1;
    console.log(`FAIL ${what}`);
  }
}

async function metrics() {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Object.fromEntries(text.split("\n").filter((line) => line && !line.startsWith("#"))
    .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]));
}

const text = (page, id) => page.locator(`#${id}`).innerText();
const picture = (page, name, options = {}) =>
  folder && page.screenshot({ path: `${folder}/${name}.png`, ...options });

async function open(browser, options) {
  const page = await (await browser.newContext(options)).newPage();
  const wrong = [];
  page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("dialog", (dialog) => {
    wrong.push(`a stranger's script ran: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) =>
    check(request.url().startsWith(url), `it asks somebody else: ${request.url()}`));
  await page.goto(url);
  await drawn(page);
  return { page, wrong };
}

// All of what is asked in turns has been drawn once, and again.
async function drawn(page) {
  await page.waitForFunction(() => Number(document.body.dataset.turns) >= 6, null, { timeout: 60000 });
}

// Nothing is under way: what the page shows comes to be what the metrics say, and stays.
async function compare(page) {
  const now = await metrics();
  const digits = (value) => value.toLocaleString("en");
  const requests = now.larder_requests_total;
  await page.waitForFunction((wanted) =>
    document.getElementById("now-requests-note").textContent.startsWith(wanted), `${digits(requests)} in`,
  { timeout: 60000 }).catch(() => {});
  check((await text(page, "now-requests-note")) === `${digits(requests)} in 10 min`,
    `requests: ${await text(page, "now-requests-note")}, ${requests} in the metrics`);
  check((await text(page, "now-hits-note")) === `${digits(now.larder_hits_total)} hits in 10 min`,
    `hits: ${await text(page, "now-hits-note")}, ${now.larder_hits_total}`);
  const ratio = (100 * now.larder_hits_total) / requests;
  check(Math.abs(Number(await text(page, "now-hits")) - ratio) <= 0.1,
    `hit ratio: ${await text(page, "now-hits")}, ${ratio}`);
  const bytes = (100 * now.larder_hit_sent_bytes_total) / now.larder_client_sent_bytes_total;
  check(Math.abs(Number(await text(page, "now-hit-bytes")) - bytes) <= 0.1,
    `hit ratio of bytes: ${await text(page, "now-hit-bytes")}, ${bytes}`);
  check((await page.locator("#chart-requests canvas").count()) > 0, "a chart is drawn");
  const rows = await page.locator("#hosts tbody tr").count();
  check(rows > 0, `hosts: ${rows}`);
  const served = await page.locator("#hosts tbody tr td:nth-child(2)").allInnerTexts();
  const sum = served.reduce((all, one) => all + Number(one.replaceAll(",", "")), 0);
  const understood = requests - now.larder_bad_heads_total;
  check(sum === understood, `requests of all hosts: ${sum} of ${understood}`);
}

// "12.3 KiB" and the metrics are the same number, as far as it is told.
function isBytes(shown, value) {
  const [number, unit] = shown.split("\u202f");
  const size = 1024 ** ["B", "KiB", "MiB"].indexOf(unit);
  return Math.abs(Number(number) - value / size) <= 0.051;
}

// Three digits that matter, and no decimals where they say nothing.
async function lookAtNumbers(page) {
  const said = await page.evaluate(async () => {
    const { percent } = await import("/dashboard/format.js");
    return [[0, 9], [1, 3], [99.999, 100], [5, 5], [1.53, 1], [1, 0]].map(([part, whole]) => percent(part, whole));
  });
  const wanted = ["0", "33.3", "99.99", "100", "153"].map((number) => `${number}\u202f%`);
  check(said.join() === [...wanted, "–"].join(), `parts of a whole: ${said}`);
}

async function lookAtMirrors(page) {
  const now = await metrics();
  const of = (name, path) => now[`larder_mirror_${name}_total{mirror="${path}"}`] ?? 0;
  check(await page.locator("#mirrors td.share").first().evaluate((cell) => getComputedStyle(cell).getPropertyValue("--share") === "1"),
    "the busiest one has the longest bar");
  const rows = await page.locator("#mirrors tbody tr").evaluateAll((nodes) =>
    nodes.map((row) => [...row.cells].map((cell) => cell.innerText)));
  check(rows.length === 2 && rows[0][0] === `/m/\n${origin}/o/` && rows[1][0].startsWith("/idle/"),
    `both mirrors, the busier one first: ${JSON.stringify(rows)}`);
  const [, requests, hits, bytes, saved] = rows[0];
  check(Number(requests) === of("requests", "/m/") && of("requests", "/m/") === 2, `requests of /m/: ${requests}`);
  check(hits === "50.0\u202f%" && of("hits", "/m/") === 1, `hits of /m/: ${hits}`);
  check(isBytes(bytes, of("sent_bytes", "/m/")), `bytes of /m/: ${bytes}, ${of("sent_bytes", "/m/")}`);
  check(isBytes(saved, of("hit_sent_bytes", "/m/")) && of("hit_sent_bytes", "/m/") > 600,
    `saved by /m/: ${saved}, ${of("hit_sent_bytes", "/m/")}`);
  check(rows[1].slice(1).join() === "0,–,0\u202fB,0\u202fB", `nobody asked for /idle/: ${rows[1]}`);
}

// Words anywhere; patterns in one field; a click on a host, a client or a mirror; and nothing is like that.
async function lookAtFilter(page) {
  const found = async (words) => {
    await page.fill("#recent-text", words);
    return page.locator("#recent button.url").allInnerTexts();
  };
  const [everything, denied] = [await found(""), await found("host:denied.test")];
  check(denied.length === 1 && denied[0].startsWith("http://denied.test/"), `host: ${denied}`);
  check((await found("host:*.test")).join() === denied.join(), "a pattern of hosts");
  check((await found("host:denied")).length === 0, "a part of a host's name is another name");
  const local = await found("host:127.0.0.1");
  check(local.length > 20 && local.length < everything.length, `a host on any port: ${local.length} of ${everything.length}`);
  check((await found("path:/o/once?/900* status:2xx")).length === 8, "path and status");
  check((await found("mirror:/m/ outcome:miss")).length === 1, "mirror and outcome");
  check((await found("client:127.0.0.9")).length === 0, "nobody");
  check((await text(page, "recent-none")).includes(`None of the last ${everything.length} requests`), "it says so");
  check(!(await page.locator("#recent-empty").isVisible()), "and not that there were none");
  await page.click("#recent-all");
  check((await page.locator("#recent tbody tr").count()) === everything.length, "all of them again");
  for (const [table, wanted] of [["mirrors", "mirror:/m/"], ["hosts", "host:"], ["clients", "client:127.0.0.1"]]) {
    await page.locator(`#${table} button.finder`).first().click();
    const words = await page.inputValue("#recent-text");
    check(words.startsWith(wanted) && (await page.locator("#recent tbody tr").count()) > 0, `a click on ${table}: ${words}`);
    check(await page.locator("#recent-title").evaluate((node) => node.getBoundingClientRect().top < innerHeight), "leads there");
  }
  await found("");
}

async function lookAtRecent(page) {
  await page.fill("#recent-text", "onerror");
  const shown = await page.locator("#recent tbody tr").count();
  check(shown > 0, "the filter finds it");
  const url_ = await page.locator("#recent button.url").first().innerText();
  check(url_.toLowerCase().includes("onerror"), `the URL is shown as text: ${url_}`);
  check((await page.locator("main img, #hosts img, dialog img").count()) === 0, "and made no element");
  await page.locator("#recent button.url").first().click();
  await page.waitForSelector("#why[open] h3", { timeout: 60000 });
  check((await text(page, "why-body")).includes("The next request for it"), "a click tells why");
  await picture(page, "why");
  await page.keyboard.press("Escape");
  check(!(await page.locator("#why").isVisible()), "Escape closes it");
  await page.fill("#recent-text", "");
}

// What the dialog says of the next request like this one.
async function nextOf(page, words) {
  await page.fill("#recent-text", words);
  await page.locator("#recent button.url").first().click();
  await page.waitForSelector("#why[open] h3", { timeout: 60000 });
  const said = await page.locator("#why-body h3 + .verdict").innerText();
  await page.click("#why-close");
  await page.fill("#recent-text", "");
  return said;
}

async function lookAtWhy(page) {
  const denied = await nextOf(page, "denied.test");
  check(denied.startsWith("denied"), `a request that was denied will be again: ${denied}`);
  const mirrored = await nextOf(page, "mirrored");
  check(mirrored.startsWith("hit-memory"), `what a mirror has is found: ${mirrored}`);
}

// More requests than the list has rows.
const agent = new http.Agent({ keepAlive: true });
async function replaceList(round) {
  const { hostname, port } = new URL(proxy);
  for (let i = 0; i < 300; i += 1) {
    await new Promise((done, fail) => http.get({ agent, hostname, port, path: `${origin}/o/load${round}-${i % 8}/10?cc=max-age=600` },
      (answer) => answer.resume().on("end", done)).on("error", fail));
  }
}

const focused = (page) => page.evaluate(() => {
  const at = document.activeElement;
  return at.closest("#recent tr")?.querySelector("button").textContent ?? (at.id || at.tagName);
});

async function turned(page) {
  const turns = Number(await page.evaluate(() => document.body.dataset.turns));
  await page.waitForFunction((wanted) => Number(document.body.dataset.turns) >= wanted, turns + 4, { timeout: 60000 });
}

// Under load rows come and go: who is in one by the keyboard stays there, and nobody is thrown out.
async function lookAtFocus(page) {
  await page.focus("#recent-list");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  const row = await focused(page);
  check(row.startsWith("http"), `the second row is reached: ${row}`);
  await replaceList(1);
  await turned(page);
  check((await focused(page)) === row, `the focus stays in ${row}: ${await focused(page)}`);
  check(await page.locator("#recent-held").isVisible(), "it says that the list stands still");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#why[open] h3", { timeout: 60000 });
  check((await page.locator("#why .url-line").innerText()).includes(row), "Enter tells why of this one");
  await replaceList(2);
  await turned(page);
  await page.keyboard.press("Escape");
  await page.waitForSelector("#why:not([open])", { state: "attached" });
  check((await focused(page)) === row, `Escape leads back to ${row}: ${await focused(page)}`);
  await page.focus("#recent-text");
  await page.waitForFunction(() => document.querySelector("#recent button.url").textContent.includes("load2"), null, { timeout: 60000 });
  check(!(await page.locator("#recent-held").isVisible()), "elsewhere the list goes on");
  check((await focused(page)) === "recent-text", "which takes the focus from nobody");
  // by the mouse: the list goes on, and what had the focus goes with its row
  await page.locator("#recent button.url").first().click();
  await page.click("#why-close");
  await replaceList(3);
  await page.waitForFunction(() => document.querySelector("#recent button.url").textContent.includes("load3"), null, { timeout: 60000 });
  await turned(page);
  check((await focused(page)) !== "BODY", "the focus is in the list, not nowhere");
}

// What is drawn on the page is as long as it says.
async function lookAtBars(page) {
  const store = await page.evaluate(() => {
    const row = document.querySelector("#store tbody tr");
    const style = getComputedStyle(row);
    return { share: Number(style.getPropertyValue("--share")), image: style.backgroundImage,
      width: row.getBoundingClientRect().width, card: row.closest("table").getBoundingClientRect().width };
  });
  check(store.share > 0 && store.share < 1 && store.image.includes("gradient"), `the store's bar: ${JSON.stringify(store)}`);
  check(Math.abs(store.width - store.card) < 2, `it is of the whole row: ${JSON.stringify(store)}`);
}

async function lookAtKeys(page) {
  await page.keyboard.press("Tab");
  const first = await page.evaluate(() => document.activeElement.tagName);
  check(first !== "BODY", "Tab leads somewhere");
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll("button, input, select")].filter((node) => node.offsetParent &&
      !(node.getAttribute("aria-label") || node.labels?.length || node.textContent.trim())).map((node) => node.outerHTML.slice(0, 200)));
  check(nameless.length === 0, `controls without a name: ${nameless}`);
  const regions = await page.locator("main section, main [role=region]").evaluateAll((nodes) => nodes
    .map((node) => node.getAttribute("aria-label") ?? document.getElementById(node.getAttribute("aria-labelledby"))?.textContent)
    .filter((name) => name));
  check(regions.length > 4 && new Set(regions).size === regions.length, `each region has a name of its own: ${regions}`);
  await page.click("#theme");
  check((await page.evaluate(() => document.documentElement.dataset.theme)) === "dark", "dark by choice");
  await page.click("#theme");
}

// Texts that are wider than where they stand.
const cutOff = (page, selector) => page.locator(selector).evaluateAll((nodes) =>
  nodes.filter((node) => node.scrollWidth > node.clientWidth + 1).map((node) => node.textContent));

async function lookAtPhone(browser, colorScheme) {
  const { page, wrong } = await open(browser, { viewport: { width: 360, height: 740 }, colorScheme });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  check(width <= 360, `on a phone nothing sticks out: ${width}`);
  const lines = await page.locator(".bar > *").evaluateAll((nodes) =>
    new Set(nodes.filter((node) => node.offsetHeight && node.id !== "about").map((node) => {
      const box = node.getBoundingClientRect();
      return Math.round((box.top + box.bottom) / 20);
    })).size);
  check(lines === 1, `the head of the page is one line above what it is about: ${lines}`);
  const columns = await page.locator("#recent tbody tr td.state").evaluateAll((nodes) =>
    new Set(nodes.map((node) => Math.round(node.getBoundingClientRect().left))).size);
  check(columns === 1, `outcomes stand in one column: ${columns}`);
  const names = await page.locator(".stack td.name").evaluateAll((nodes) => nodes.map((node) => node.clientWidth));
  check(names.length > 0 && names.every((one) => one > 240), `names of hosts have room: ${names}`);
  check((await page.locator("#origins .remedy").count()) > 0, "it says why an origin fails");
  const cut = await cutOff(page, ".stack td.name, .stack .remedy");
  check(cut.length === 0, `which can be read: ${cut}`);
  await picture(page, `phone-${colorScheme}`, { fullPage: true });
  check(wrong.length === 0, `on a phone: ${wrong}`);
  await page.context().close();
}

async function lookAtWide(browser, colorScheme) {
  const { page } = await open(browser, { viewport: { width: 1440, height: 900 }, colorScheme });
  await lookAtBars(page);
  const cut = await cutOff(page, "#origins .remedy");
  check(cut.length === 0, `why an origin fails can be read: ${cut}`);
  await picture(page, `wide-${colorScheme}`, { fullPage: true });
  await page.context().close();
}

// Answers as they are in a large network: each path is answered with what is given, until it is over.
async function answered(page, answers) {
  for (const [path, json] of Object.entries(answers)) {
    await page.route(`${url}/${path}`, (route) => route.fulfill({ json }));
  }
}

// Fifty replicas, a third of them down, and a dozen warnings: the numbers are still what one sees first.
async function lookAtMany(browser) {
  const replicas = Array.from({ length: 50 }, (_, i) => ({ name: `r${i}-${"long-".repeat(12)}name`, addresses: ["192.0.2.1"],
    state: ["up", "down", "draining"][i % 3], answers: i, reason: "connection refused" }));
  const warnings = Array.from({ length: 12 }, (_, i) => ({ severity: i === 11 ? "error" : "warning", what: `what ${i}`, remedy: "`mend`" }));
  for (const width of [360, 1440]) {
    const page = await (await browser.newContext({ viewport: { width, height: 900 } })).newPage();
    await answered(page, { replicas: { configured: true, error: null, replicas }, warnings: { warnings } });
    await page.goto(url);
    await drawn(page);
    check((await page.locator("#warning-list li strong").allInnerTexts()).join() === "what 11,what 0,what 1", "errors come first, and few are open");
    check((await text(page, "warning-count")) === "9 more warnings", `the others are counted: ${await text(page, "warning-count")}`);
    check(!(await page.locator("#warning-rest li").first().isVisible()), "and folded");
    await page.click("#warning-count");
    check((await page.locator("#warning-rest li").count()) === 9 && (await page.locator("#warning-rest li").last().isVisible()), "a click unfolds them");
    const order = await page.locator("#replicas tbody .state").allInnerTexts();
    check(order.length === 50 && order.lastIndexOf("down") < order.indexOf("draining") && order.lastIndexOf("draining") < order.indexOf("up"),
      `replicas in trouble come first: ${order}`);
    check((await text(page, "replicas-aside")).endsWith("17 of 50 up"), `how many are up: ${await text(page, "replicas-aside")}`);
    const height = await page.locator("#replicas-list").evaluate((node) => node.clientHeight);
    check(height <= 440, `fifty replicas scroll in their card: ${height}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    check(wide <= width, `long names stay inside at ${width}: ${wide}`);
    await page.context().close();
  }
}

// Texts whose contrast with what is behind them is below 4.5 (WCAG 2 AA), as "text: contrast".
const faint = (page) => page.evaluate(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const over = (below, color) => {
    canvas.fillStyle = below;
    canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return `rgb(${[...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3)})`;
  };
  const luminance = (color) => color.match(/\d+/g).map((one) => one / 255)
    .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, i) => sum + one * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    const inner = node ? getComputedStyle(node) : null;
    const behind = node ? ground(node.parentElement) : "#fff";
    return inner ? over(behind, inner.backgroundColor) : behind;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (walker.currentNode.data.trim() && node.checkVisibility() && node.closest("script, .skip") === null) {
      const behind = ground(node);
      const pair = [behind, over(behind, getComputedStyle(node).color)].map(luminance).sort((a, b) => b - a);
      const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
      if (contrast < 4.5) {
        found.push(`${walker.currentNode.data.trim()}: ${contrast.toFixed(2)}`);
      }
    }
  }
  return [...new Set(found)];
});

async function lookAtContrast(browser) {
  for (const colorScheme of ["light", "dark"]) {
    const { page } = await open(browser, { viewport: { width: 1440, height: 900 }, colorScheme });
    const low = await faint(page);
    check(low.length === 0, `texts that are hard to read in ${colorScheme}: ${low}`);
    await page.context().close();
  }
}

// The proxy is away for a moment: the page says so, and then goes on by itself.
async function lookAtReturn(page) {
  await page.route(`${url}/**`, (route) => route.abort());
  await page.waitForSelector("#gone:not([hidden])", { timeout: 60000 });
  check((await text(page, "state")) === "no answer", `in its head, too: ${await text(page, "state")}`);
  const shade = await page.locator(".charts .card").first().evaluate((node) => {
    let opacity = 1;
    for (; node; node = node.parentElement) {
      opacity *= Number(getComputedStyle(node).opacity);
    }
    return opacity;
  });
  check(shade === 0.55, `what is old is pale, and can be read: ${shade}`);
  await page.unroute(`${url}/**`);
  await page.waitForSelector("#gone[hidden]", { state: "attached", timeout: 60000 });
  check((await text(page, "state")) === "ready", "it goes on when the proxy is back");
}

// Between a phone and a desk the tables keep their columns, and names enough of the width to be read.
async function lookAtTablet(browser) {
  const { page } = await open(browser, { viewport: { width: 820, height: 1180 }, colorScheme: "light" });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  check(width <= 820, `on a tablet nothing sticks out: ${width}`);
  const names = await page.locator("#hosts td.name, #origins td.name").evaluateAll((nodes) => nodes.map((node) => node.clientWidth));
  check(names.length > 0 && names.every((one) => one > 160), `on a tablet names have room: ${names}`);
  const urls = await page.locator("#recent td.name").evaluateAll((nodes) => nodes.map((node) => node.clientWidth));
  check(urls.length > 0 && urls.every((one) => one > 500), `and URLs a line: ${urls}`);
  await picture(page, "tablet", { fullPage: true });
  await page.context().close();
}

const browser = await chromium.launch({ executablePath, args: [
  "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"] });
try {
  const { page, wrong } = await open(browser, { viewport: { width: 1280, height: 900 }, colorScheme: "light" });
  await compare(page);
  await picture(page, "light", { fullPage: true });
  await lookAtMirrors(page);
  await lookAtNumbers(page);
  await lookAtFilter(page);
  await lookAtRecent(page);
  await lookAtWhy(page);
  await lookAtKeys(page);
  await lookAtFocus(page);
  for (const step of ["10", "120", "1"]) {
    await page.locator(`input[name=step][value="${step}"]`).check({ force: true });
  }
  check(wrong.length === 0, `errors of the page: ${wrong}`);
  for (const scheme of ["light", "dark"]) {
    await lookAtPhone(browser, scheme);
    await lookAtWide(browser, scheme);
  }
  await lookAtTablet(browser);
  await lookAtMany(browser);
  await lookAtContrast(browser);
  await lookAtReturn(page);
  process.kill(Number(pid), "SIGKILL");
  await page.waitForSelector("#gone:not([hidden])", { timeout: 60000 });
  check((await text(page, "gone")).includes("No answer from the proxy"), "it says that the proxy is gone");
  await picture(page, "gone");
} finally {
  await browser.close();
}
console.log(failed ? "dashboard: FAILED" : "dashboard: ok");
process.exit(failed ? 1 : 0);
