#!/usr/bin/env python3
"""What larderctl says about a store is so: storectl.py BUILD

A store is filled through a proxy, with more than it holds. `larderctl store` must tell its sizes and
segments, in lines that fit a terminal, and as JSON. `larderctl verify` must find it right while it is
used and after the proxy has gone, and must find the bit that was flipped.
"""
import http.client
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import origin  # noqa: E402
import raw  # noqa: E402

MIB = 1 << 20
SIZE = 24 * MIB
check = raw.Checks()


class Setup:
    def __init__(self, build, folder):
        self.ctl = str(build / "ctl/larderctl")
        self.store = f"{folder}/store"
        self.proxy = larder.Proxy(str(build / "proxy/larder-proxy"), self.store, "--store-size",
                                  "24MiB")
        self.origin_port = larder.free_port()
        server = origin.serve("127.0.0.1", self.origin_port)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def get(self, client, name, size):
        url = f"http://127.0.0.1:{self.origin_port}/o/{name}/{size}?cc=max-age=3600"
        status, body, _ = client.get(url)
        return check(status == 200 and body == origin.body(name, size), f"{name} is not right")

    def run(self, *arguments):
        """(exit status, what it wrote)"""
        command = [self.ctl, *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=120)
        return done.returncode, done.stdout

    def ask(self, *arguments):
        return self.run(*arguments, "--admin", f"127.0.0.1:{self.proxy.admin}")


def look_while_it_counts(setup):
    """Each answer fits itself: nothing is known of what is live only before a count has ended."""
    def ask_until_known():
        admin = http.client.HTTPConnection("127.0.0.1", setup.proxy.admin, timeout=90)
        for _ in range(100000):
            admin.request("GET", "/store")
            one = json.loads(admin.getresponse().read())["directories"][0]
            if one["live"] is not None:
                return
            if not check(one["count"]["running"], "not counted, and no count is under way"):
                return
        check(False, "the count does not end")

    askers = [threading.Thread(target=ask_until_known) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()


def await_eviction(setup):
    """What was answered is written a little later."""
    end = time.monotonic() + raw.PATIENCE
    while time.monotonic() < end:
        _, text = setup.ask("store", "--json")
        if json.loads(text)["directories"][0]["evicted_segments"] > 0:
            return
        time.sleep(0.05)


def look(setup):
    status, text = setup.ask("store", "--segments", "--json")
    check(status == 0, f"store --json ends with {status}: {text}")
    answer = json.loads(text)
    check(len(answer["directories"]) == 1, "one directory")
    one = answer["directories"][0]
    check(one["path"] == setup.store and one["state"] == "ok" and one["cause"] is None, f"{one}")
    check(one["size"] == SIZE and 0 < one["used"] <= SIZE, "the size is kept")
    check(one["evicted_segments"] > 0, "there was more than fits")
    check(one["written_bytes"] > SIZE and one["written_last"] > 0 and one["commits"] > 0, "written")
    logs = one["probation"]["segments"] + one["main"]["segments"]
    live = [segment for segment in one["segments"] if segment["state"] != "dropped"]
    check(logs == len(live) > 2, "the logs are all of the segments")
    check(sum(segment["capacity"] for segment in live) == one["segment_bytes"], "and their bytes")
    check(one["live"] is not None, "what is live was counted")
    check(0 < one["live"]["bytes"] <= one["live"]["of_bytes"], f"live {one['live']}")
    check(one["count"]["live"] >= one["live"]["objects"] > 0, "objects")
    return one


def look_as_people_do(setup):
    status, text = setup.ask("store", "--segments")
    print(text)
    check(status == 0, f"store ends with {status}")
    for line in text.splitlines():
        check(len(line) <= 80 or setup.store in line, f"fits 80 columns: {line}")
    for word in ("used", "objects", "probation", "main", "live", "writes", "commits", "evicted",
                 "kept"):
        check(any(line.startswith(word) for line in text.splitlines()), f"a line about {word}")
    check("not counted" not in text, "what is live is known")


def wrong_questions(setup):
    status, text = setup.run("store", "--admin", f"127.0.0.1:{larder.free_port()}")
    check(status == 1 and "is it running" in text, f"nothing listens: {text}")
    status, text = setup.run("store", "--admin", "127.0.0.1:x")
    check(status == 2 and "--admin: \"127.0.0.1:x\" is not an address" in text, f"no address: {text}")
    status, text = setup.ask("store", "--segmets")
    check(status == 2 and "--segments" in text, f"a typing error: {text}")


def verify_online(setup, client):
    """While clients go on."""
    stop = threading.Event()

    def traffic():
        number = 0
        other = larder.Client(setup.proxy.port)
        while not stop.is_set():
            setup.get(other, f"more{number % 90}", 200000)
            number += 1

    thread = threading.Thread(target=traffic)
    thread.start()
    status, text = setup.ask("verify", "--online", "--rate", "0")
    stop.set()
    thread.join()
    print(text)
    check(status == 0 and f"{setup.store}: all right" in text, f"online {status}: {text}")
    status, text = setup.ask("verify", "--online", "--json")
    one = json.loads(text)["directories"][0]
    check(status == 0 and one["damaged"] == 0 and one["right"] > 10, f"online, as JSON: {text}")
    status, text = setup.ask("store")
    check("verified    " in text and " right, 0 damaged" in text, f"the last one is told: {text}")
    setup.get(client, "large", 3 * MIB)


def ask_by_link(setup):
    """What changes something is not done for a link, nor for a page of another site."""
    base = f"http://127.0.0.1:{setup.proxy.admin}/store"
    for url, method, fields, want in ((base + "/verify", "GET", {}, 405),
                                      (base, "POST", {}, 405),
                                      (base + "/verify", "POST", {"Origin": "http://a.test"}, 403),
                                      (base + "/verify?rate=x", "POST", {}, 400)):
        request = urllib.request.Request(url, method=method, headers=fields)
        try:
            status = urllib.request.urlopen(request, timeout=60).status
        except urllib.error.HTTPError as error:
            status = error.code
        check(status == want, f"{method} {url} is answered {status}")


def verify_in_use(setup):
    status, text = setup.run("verify", setup.store)
    check(status == 2 and "larderctl verify --online" in text, f"in use {status}: {text}")


def flip(setup):
    """A bit in the middle of a body that is stored."""
    want = origin.body("last", 100000)[50000:50100]
    found = 0
    for path in pathlib.Path(setup.store).glob("seg-*.mdb"):
        data = bytearray(path.read_bytes())
        at = data.find(want)
        while at >= 0:
            data[at] ^= 1
            found += 1
            at = data.find(want)
        path.write_bytes(data)
    check(found > 0, "the body is on disk")


def verify_offline(setup):
    status, text = setup.run("verify", setup.store)
    print(text)
    check(status == 0 and f"{setup.store}: all right" in text, f"offline {status}: {text}")
    flip(setup)
    status, text = setup.run("verify", setup.store)
    print(text)
    check(status == 1 and f"{setup.store}: damaged" in text and "object " in text,
          f"a flipped bit {status}: {text}")
    status, text = setup.run("verify", "--json", setup.store)
    one = json.loads(text[text.index("{"):])["directories"][0]
    check(status == 1 and one["damaged"] == 1 and one["right"] > 10, f"as JSON: {text}")
    status, text = setup.run("verify", setup.store + "/nothing")
    check(status == 2, f"no directory {status}: {text}")


def verify_what_is_configured(setup, folder):
    """Nobody names a directory: the configuration does."""
    other = pathlib.Path(folder) / "other"
    file = pathlib.Path(folder) / "proxy.yaml"
    file.write_text(f"listen: 127.0.0.1:1\nstore: [{{ path: store, size: 24MiB }}, {{ path: {other}, "
                    "size: 24MiB }]\n")
    status, text = setup.run("verify", "--config", str(file))
    print(text)
    check(f"verifying what {file} names: {setup.store}, {other}\n" in text, f"says so: {text}")
    check(f"{setup.store}: all right" in text, f"the first one: {text}")
    check(status == 2 and f"{other} cannot be read" in text, f"the second {status}: {text}")
    file.write_text(f"store: {{ path: {setup.store} }}\n")
    status, text = setup.run("verify", "--json", "--config", str(file))
    one = json.loads(text[text.index("{"):])["directories"]
    check(status == 0 and len(one) == 1 and one[0]["path"] == setup.store, f"one {status}: {text}")
    for words, arguments in (
            (("--online", "usage"), ("--config", str(file), setup.store)),
            (("--online", "usage"), ("--config", str(file), "--online")),
            (("nothing.yaml cannot be read: No such file", "--online"),
             ("--config", f"{folder}/nothing.yaml")),
            (("needs a value",), ("--config",))):
        status, text = setup.run("verify", *arguments)
        check(status == 2 and all(word in text for word in words), f"{arguments} {status}: {text}")
    if not pathlib.Path("/etc/larder/proxy.yaml").exists():
        status, text = setup.run("verify")
        check(status == 2 and "/etc/larder/proxy.yaml cannot be read" in text and
              "--config FILE" in text, f"no configuration {status}: {text}")


def verify_what_is_damaged(setup):
    setup.proxy.start()
    status, text = setup.ask("verify", "--online", "--rate", "0")
    check(status == 1 and "1 damaged: " in text, f"online, with damage {status}: {text}")
    status, text = setup.ask("verify", "--online", "--rate", "0")
    check(status == 0, f"it is gone now {status}: {text}")
    setup.get(larder.Client(setup.proxy.port), "last", 100000)
    check(setup.proxy.stop(), "the proxy ends well")


def main():
    build = pathlib.Path(sys.argv[1])
    larder.need(build / "ctl/larderctl")
    with tempfile.TemporaryDirectory(prefix="larder-storectl-") as folder:
        setup = Setup(build, folder)
        setup.proxy.start()
        client = larder.Client(setup.proxy.port)
        for number in range(60):
            setup.get(client, f"small{number}", 20000)
            setup.get(client, f"middle{number}", 600000)
        setup.get(client, "large", 3 * MIB)
        await_eviction(setup)
        look_while_it_counts(setup)
        look(setup)
        look_as_people_do(setup)
        wrong_questions(setup)
        verify_in_use(setup)
        verify_online(setup, client)
        ask_by_link(setup)
        setup.get(client, "last", 100000)
        check(setup.proxy.stop(), "the proxy ends well")
        verify_what_is_configured(setup, folder)
        verify_offline(setup)
        verify_what_is_damaged(setup)
    check.end()


main()
