// The script that tells browsers of proxies, in headless Chromium: through the first proxy, directly where it
// says so, through the second once the first is gone; and the page for people. Prints FAIL lines, and "pac: ok".
//   node pac.mjs CHROMIUM PAC-URL PAGE-URL DIRECT-URL FIRST-PID SETUP-URL [FOLDER]
// FOLDER: where pictures of the page go (setup-light, setup-dark, setup-phone).
import { existsSync } from "node:fs";
import process from "node:process";
import { chromium } from "playwright-core";

const [executablePath, pac, pageUrl, directUrl, firstPid, setup, folder] = process.argv.slice(2);
let failed = 0;

function check(holds, what) {
  if (!holds) {
    failed += 1;
    console.log(`FAIL ${what}`);
  }
}

async function start(flags) {
  return chromium.launch({ executablePath, args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", ...flags] });
}

// Which proxy an answer came by, and what it says.
async function load(page, url) {
  const response = await page.goto(url, { timeout: 60000 });
  const fields = await response.allHeaders();
  return { status: response.status(), via: fields.via ?? "" };
}

// A process that is still being ended takes connections and resets them, of which the script knows nothing.
async function end(pid) {
  process.kill(Number(pid), "SIGKILL");
  while (existsSync(`/proc/${pid}`)) {
    await new Promise((done) => { setTimeout(done, 10); });
  }
}

async function byScript() {
  const browser = await start([`--proxy-pac-url=${pac}`,
    `--host-resolver-rules=MAP ${new URL(directUrl).hostname} 127.0.0.1`]);
  try {
    const page = await (await browser.newContext()).newPage();
    const first = await load(page, `${pageUrl}?1`);
    check(first.status === 200 && first.via.includes("first"), `the first: ${JSON.stringify(first)}`);
    const direct = await load(page, directUrl);
    check(direct.status === 200 && direct.via === "", `directly: ${JSON.stringify(direct)}`);
    await end(firstPid);
    const second = await load(page, `${pageUrl}?2`);
    check(second.status === 200 && second.via.includes("second"), `the second: ${JSON.stringify(second)}`);
    const again = await load(page, directUrl);
    check(again.status === 200 && again.via === "", `directly, still: ${JSON.stringify(again)}`);
    console.log(`first: ${first.via}; direct: none; after the first has gone: ${second.via}`);
  } finally {
    await browser.close();
  }
}

const looks = {
  "setup-light": { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  "setup-dark": { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  "setup-phone": { viewport: { width: 390, height: 844 }, colorScheme: "light" },
};

async function forPeople() {
  const browser = await start([]);
  try {
    for (const [name, look] of Object.entries(looks)) {
      const page = await (await browser.newContext(look)).newPage();
      page.on("request", (request) =>
        check(request.url().startsWith(new URL(setup).origin), `it asks somebody else: ${request.url()}`));
      page.on("pageerror", (error) => check(false, error.message));
      await page.goto(setup);
      const folded = page.locator("details");
      for (let i = 0; i < (await folded.count()); i += 1) {
        await folded.nth(i).evaluate((node) => { node.open = true; });
      }
      const text = await page.locator("body").innerText();
      check(text.includes(new URL("/proxy.pac", setup).href), `${name}: it names the script`);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      check(width <= look.viewport.width, `${name}: ${width} wide, something sticks out`);
      if (folder) {
        await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
      }
    }
  } finally {
    await browser.close();
  }
}

await byScript();
await forPeople();
console.log(failed ? "pac: FAILED" : "pac: ok");
process.exit(failed ? 1 : 0);
