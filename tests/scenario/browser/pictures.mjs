// Pictures of the dashboard: node pictures.mjs CHROMIUM ADMIN-URL FOLDER
// light ends below the busiest clients, dark is all of the page, phone is 390 pixels wide.
import process from "node:process";
import { chromium } from "playwright-core";

const [executablePath, url, folder] = process.argv.slice(2);

async function open(browser, options) {
  const page = await (await browser.newContext(options)).newPage();
  await page.goto(url);
  await page.waitForFunction(() => Number(document.body.dataset.turns) >= 9, null, { timeout: 120000 });
  return page;
}

const path = (name) => `${folder}/dashboard-${name}.png`;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
try {
  const wide = { viewport: { width: 1400, height: 900 } };
  const light = await open(browser, { ...wide, colorScheme: "light" });
  const { y, height } = await light.locator("#clients").boundingBox();
  await light.screenshot({ path: path("light"), fullPage: true,
    clip: { x: 0, y: 0, width: 1400, height: Math.ceil(y + height + 35) } });
  const dark = await open(browser, { ...wide, colorScheme: "dark" });
  await dark.screenshot({ path: path("dark"), fullPage: true });
  for (const colorScheme of ["light", "dark"]) {
    const phone = await open(browser, { viewport: { width: 390, height: 844 }, colorScheme });
    await phone.screenshot({ path: path(`phone-${colorScheme}`), fullPage: true });
  }
} finally {
  await browser.close();
}
