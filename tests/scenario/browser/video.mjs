// Plays a video in headless Chromium through a proxy, as people do: play, seek, reload, reload
// without the browser's cache, leave and come back. Prints one line of JSON per step: {step, began
// and ended (ms since 1970), time, frames, dropped, error, statuses}; ends with 1 when a step fails.
//   node video.mjs CHROMIUM PROXY-URL PAGE-URL
import { chromium } from "playwright-core";

const [executablePath, proxy, url] = process.argv.slice(2);
const PATIENCE = 60000;

const args = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--autoplay-policy=no-user-gesture-required",
  `--proxy-server=${proxy}`, "--proxy-bypass-list=<-loopback>",
];

// Runs in the page: puts the video at a fraction of its length (null: where it is) and resolves once
// it has played a second from there, or at its end.
function play(fraction) {
  const video = document.querySelector("video");
  return new Promise((resolve, reject) => {
    let from;
    const fail = () => reject(new Error(`media error ${video.error.code}: ${video.error.message}`));
    const watch = () => {
      from ??= video.seeking ? undefined : video.currentTime;
      if (video.ended || video.currentTime >= from + 1) {
        const quality = video.getVideoPlaybackQuality();
        video.removeEventListener("timeupdate", watch);
        resolve({ time: video.currentTime, length: video.duration,
                  frames: quality.totalVideoFrames, dropped: quality.droppedVideoFrames });
      }
    };
    const start = () => {
      if (fraction !== null) {
        video.currentTime = fraction * video.duration;
      }
      video.addEventListener("timeupdate", watch);
      video.play().catch(reject);
    };
    if (video.error) {
      fail();
    }
    video.addEventListener("error", fail);
    if (video.readyState > 0) {
      start();
    } else {
      video.addEventListener("loadedmetadata", start, { once: true });
    }
  });
}

const browser = await chromium.launch({ executablePath, args });
const page = await (await browser.newContext()).newPage();
const protocol = await page.context().newCDPSession(page);
let statuses = {};
page.on("response", (response) => {
  statuses[response.status()] = (statuses[response.status()] ?? 0) + 1;
});

const reload = async (options) => {
  const loaded = page.waitForEvent("load", { timeout: PATIENCE });
  await protocol.send("Page.reload", options);
  await loaded;
};

// [name, how to get there, where to play from]
const steps = [
  ["play", () => page.goto(url), null],
  ["seek to 80 %", null, 0.8],
  ["seek to 30 %", null, 0.3],
  ["seek to the end", null, 0.985],
  ["seek to the start", null, 0],
  ["reload", () => reload({}), 0.5],
  ["reload without the cache", () => reload({ ignoreCache: true }), 0.6],
  ["leave and come back", async () => {
    await page.goto("about:blank");
    await page.goBack();
  }, 0.2],
];

let failed = 0;
try {
  for (const [step, go, fraction] of steps) {
    const seen = { step, began: Date.now() };
    statuses = {};
    try {
      await go?.();
      let timer;
      const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error("it does not play")), PATIENCE);
      });
      Object.assign(seen, await Promise.race([page.evaluate(play, fraction), late]));
      clearTimeout(timer);
    } catch (error) {
      seen.error = error.message;
      failed = 1;
    }
    console.log(JSON.stringify({ ...seen, ended: Date.now(), statuses }));
  }
} finally {
  await browser.close();
}
process.exit(failed);
