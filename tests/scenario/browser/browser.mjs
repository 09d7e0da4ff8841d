// Loads one page in headless Chromium, in a profile of its own, through a proxy, and prints what
// the browser saw as a line of JSON: {way, url, objects, failed, statuses, hits}.
//   node browser.mjs CHROMIUM server|pac PROXY-URL PAC-URL PAGE-URL KEY-HASH [again]
// KEY-HASH: of the origin's own certificate, trusted. again: loads it once more in the same profile.
// NETLOG in the environment: a file for Chromium's own log of what went over the network.
import { chromium } from "playwright-core";

const [executablePath, way, proxy, pac, url, key, again] = process.argv.slice(2);

// Chromium goes to loopback addresses without a proxy unless told otherwise, PAC file or not.
const proxyFlags = {
  server: [`--proxy-server=${proxy}`, "--proxy-bypass-list=<-loopback>"],
  pac: [`--proxy-pac-url=${pac}`, "--proxy-bypass-list=<-loopback>"],
};

const args = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  `--ignore-certificate-errors-spki-list=${key}`,
  ...proxyFlags[way],
  ...(process.env.NETLOG ? [`--log-net-log=${process.env.NETLOG}`] : []),
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
  const page = await (await browser.newContext()).newPage();
  const pending = [];
  page.on("response", (response) => pending.push(count(response)));
  page.on("requestfailed", (request) => {
    seen.failed += 1;
    console.error(`failed: ${request.url()}: ${request.failure()?.errorText}`);
  });
  await page.goto(url, { waitUntil: "networkidle", timeout: 60000 });
  await Promise.all(pending);
  if (again) {
    await page.goto("about:blank");
    await page.goto(url, { waitUntil: "networkidle", timeout: 60000 });
    await Promise.all(pending);
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
