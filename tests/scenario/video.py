#!/usr/bin/env python3
"""A video in headless Chromium through larder-proxy: video.py BUILD

Plays, seeks, reloads, reloads without the browser's cache, leaves and comes back; then all of it
again in a new profile. Every step must play without a media error. Beside each is what the proxy
decided meanwhile. A video is a file asked for in pieces: Chromium reads its index at the end, breaks
off where it seeks, and joins what it has by the ETag.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402
from pieces import FileContent, Origin, Resource  # noqa: E402

CLIP_SECONDS, LOOPS = 10, 9
CLIP = ["-f", "lavfi", "-i", "testsrc2=size=480x270:rate=24", "-f", "lavfi", "-i",
        "sine=frequency=440", "-t", str(CLIP_SECONDS), "-vf", "noise=alls=40:allf=t", "-c:v",
        "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "4M", "-minrate", "4M",
        "-maxrate", "4M", "-g", "48", "-c:a", "libvorbis"]
PAGE = b"""<!doctype html><meta charset="utf-8"><title>video</title>
<link rel="icon" href="data:,"><video src="/video.webm" preload="metadata" controls></video>"""

check = raw.Checks()


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def make_video(folder):
    """A clip with much in it, repeated: the file is some 45 MB, its making some seconds."""
    clip, video = folder / "clip.webm", folder / "video.webm"
    ffmpeg = ["ffmpeg", "-v", "error", "-y"]
    subprocess.run([*ffmpeg, *CLIP, clip], check=True)
    subprocess.run([*ffmpeg, "-stream_loop", str(LOOPS - 1), "-i", clip, "-c", "copy", video],
                   check=True)
    return video.read_bytes()


def log_lines(path, base):
    """[(seconds since 1970 at which it ended, line)] of what was asked of the origin `base`: Chromium
    asks for things of its own, too."""
    if not path.exists():
        return []
    return [(float(line.split()[0]), line) for line in path.read_text().splitlines()
            if base in line]


def shorten(line):
    """What counts of a line: how long, result, bytes, URL's path, and why."""
    words = line.split()
    path = "/" + words[6].split("/", 3)[-1]
    return f"{words[1]:>6} ms {words[3]:<32} {words[4]:>10} {path:<12} {' '.join(words[8:])}"


def watch(chromium, proxy, base, log):
    """One profile: every step, and beside it what ended at the proxy in its time."""
    command = ["node", "video.mjs", chromium, f"http://127.0.0.1:{proxy.port}",
               base + "/page"]
    result = subprocess.run(command, cwd=HERE / "browser", stdout=subprocess.PIPE, text=True,
                            timeout=600)
    time.sleep(2.5)  # the log is buffered
    steps = [json.loads(line) for line in result.stdout.splitlines()]
    lines = log_lines(log, base)
    for number, step in enumerate(steps):
        until = steps[number + 1]["began"] / 1000 if number + 1 < len(steps) else float("inf")
        print(f"{step['step']}: at {step.get('time', -1):.1f} s of {step.get('length', -1):.1f}, "
              f"{step.get('frames')} frames, {step.get('dropped')} dropped, in "
              f"{step['ended'] - step['began']} ms; the browser saw {step['statuses']}")
        for when, line in lines:
            if step["began"] / 1000 <= when < until:
                print("   ", shorten(line))
        check("error" not in step, f"{step['step']}: {step.get('error')}")
        check(step.get("frames", 0) > 0, f"{step['step']}: nothing was shown")
    check(len(steps) == 8 and result.returncode == 0, f"{len(steps)} steps, {result.returncode}")
    return lines


def main():
    program = f"{sys.argv[1]}/proxy/larder-proxy"
    larder.need(program)
    chromium = shutil.which("chromium")
    for tool in ("chromium", "node", "npm", "ffmpeg"):
        if not shutil.which(tool):
            skip(f"{tool} is not installed")
    if subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=HERE / "browser",
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        skip("playwright-core cannot be installed")
    with tempfile.TemporaryDirectory(prefix="larder-video.") as name:
        folder = pathlib.Path(name)
        video = make_video(folder)
        file = Resource(FileContent(video), kind="video/webm")
        origin = Origin({"/page": Resource(FileContent(PAGE), kind="text/html"),
                         "/video.webm": file})
        log = folder / "access.log"
        proxy = larder.Proxy(program, str(folder / "store"), "--store-size", "256MiB", "--workers",
                             "1", "--access-log", str(log))
        proxy.start()
        for profile in ("first", "second"):
            before = file.sent
            print(f"--- {profile} profile, {len(video)} bytes of video")
            lines = watch(chromium, proxy, origin.base, log)
            check(any("/video.webm" in line for _, line in lines), "not through the proxy")
            print(f"--- at the origin: {(file.sent - before) / len(video):.2f} of the file, "
                  f"{file.requests} requests so far", flush=True)
        check(proxy.stop(), "it did not leave by itself")
    check.end()


if __name__ == "__main__":
    main()
