// Loads one page in headless Chromium, in a profile of its own, through a proxy, and prints what
// the browser saw as a line of JSON: {way, url, objects, failed, statuses, hits}.
//   node browser.mjs CHROMIUM server|pac PROXY-URL PAC-URL PAGE-URL
import { chromium } from "playwright-core";

const [executablePath, way, proxy, pac, url] = process.argv.slice(2);

// Chromium goes to loopback addresses without a proxy unless told otherwise, PAC file or not.
const proxyFlags = {
  server: [`--proxy-server=${proxy}`, "--proxy-bypass-list=<-loopback>"],
  pac: [`--proxy-pac-url=${pac}`, "--proxy-bypass-list=<-loopback>"],
};

const args = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ...proxyFlags[way],
];

const seen = { way, url, objects: 0, failed: 0, statuses: {}, hits: 0 };

async function count(response) {
  const fields = await response.allHeaders();
  const status = response.status();
  seen.objects += 1;
  seen.statuses[status] = (seen.statuses[status] ?? 0) + 1;
  seen.hits += /;\s*hit/.test(fields["cache-status"] ?? "") ? 1 : 0;
}

const browser = await chromium.launch({ executablePath, args });
try {
  const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
  const pending = [];
  page.on("response", (response) => pending.push(count(response)));
  page.on("requestfailed", (request) => {
    seen.failed += 1;
    console.error(`failed: ${request.url()}: ${request.failure()?.errorText}`);
  });
  await page.goto(url, { waitUntil: "networkidle", timeout: 60000 });
  await Promise.all(pending);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
