"""Experiments that textbooks of computer networks reckon on paper, made on a small network."""
import json
import os
import re
import sys
import tempfile

from harness import network, plot
from harness.origin import prepare
from harness.scenario import Column, Scenario
from harness.stats import median

PERCENT = "{:.1f}"


def larder(lab, net, host, address, origin):
    """On a host, in front of the origin, with a store of its own; the access log is on."""
    where = tempfile.mkdtemp(prefix="larder.", dir=lab.dir)
    return net.program(host, "larder", [
        f"{lab.build}/proxy/larder-proxy", "--listen", f"{address}:80", "--admin",
        "127.0.0.1:3129", "--workers", "1", "--site", f"*=http://{origin}", "--allow",
        "10.0.0.0/8", "--allow-target", "10.0.0.0/8", "--allow-target", "127.0.0.0/8", "--store",
        f"{where}/store", "--store-size", "1GiB", "--access-log", f"{where}/access.log"], where, 80)


def nginx(lab, net, host, port=80):
    where = tempfile.mkdtemp(prefix="origin.", dir=lab.dir)
    os.chmod(where, 0o755)
    return net.program(host, "origin", prepare(where, f"0.0.0.0:{port}"), where, port)


HITS = ("hit", "hit-memory", "stale", "collapsed")


def counts(host):
    """(hits, requests) of the proxy there, so far."""
    text = host.call("curl", "-sSf", "http://127.0.0.1:3129/metrics")
    by = {kind: float(n) for kind, n in re.findall(
        r'^larder_requests_by_outcome_total\{outcome="([a-z-]+)"\} (\S+)', text, re.M)}
    return sum(by[kind] for kind in HITS), sum(by.values())


def openloop(lab, host, *how):
    return lab.load.own_in(host, "openloop", *how)


class Institution(Scenario):
    """LAN – access link – a far Internet."""

    name = "institution"
    title = "An institution's access link: no cache, a faster link, a cache"
    kind = "textbook"
    page = "docs/textbook.md"
    about = ("15 requests a second at random moments for objects of 100 kbit (on the wire, with "
             "all headers); an access link of 1.54 Mbit/s, a round trip of two seconds from its "
             "far end to the origins, a LAN of 100 Mbit/s. Predicted: the link as a queue with "
             "one server, for objects of one size (M/D/1) or of exponentially distributed size "
             "(M/M/1).")
    columns = (Column("delay", "mean delay, s", "{:.2f}"), Column("link", "access link, %", PERCENT),
               Column("lan", "LAN, %", PERCENT),
               Column("hits", "hits, %", PERCENT, lower_is_better=False))
    whole = True
    plot = staticmethod(plot.bars)
    rate, size, internet_ms = 15, 11_900, 1000
    wire = 12_500  # bytes of an object with all headers: 100 kbit
    slow, fast = 1540, 15_400

    def ready(self, lab):
        return network.unavailable()

    @staticmethod
    def seconds(lab):
        return 40 if lab.quick else 300

    def parts(self, lab):
        return 4

    def lasts(self, lab, case=None):
        return 4 * (self.seconds(lab) + 15)

    def rows(self, lab):
        seconds = self.seconds(lab)
        hot = 100
        columns = (("no cache", self.slow, False, ["--fresh", 1], ("minutes", 99, None)),
                   ("link of 15.4 Mbit/s", self.fast, False, ["--fresh", 1], (2.0, 9.9, None)),
                   ("cache, 40 % hits", self.slow, True, ["--fresh", 0.6, "--objects", hot],
                    (1.2, 58, 40)),
                   ("cache, Zipf 0.9 of 1,000 objects", self.slow, True,
                    ["--zipf", 0.9, "--objects", 1000], None))
        for name, kbit, cached, how, textbook in columns:
            measured, predicted = self._measure(lab, kbit, cached, how, hot, seconds)
            yield name, "measured", measured
            for model, delay in predicted.items():
                yield name, model, {"delay": delay}
            if textbook and not isinstance(textbook[0], str):
                yield name, "textbook", {"delay": textbook[0], "link": textbook[1],
                                         "hits": textbook[2]}
            elif textbook:
                yield name, f"textbook: {textbook[0]}", {"link": textbook[1]}

    def _measure(self, lab, kbit, cached, how, hot, seconds):
        with network.Network(lab) as net:
            client, edge, far = (net.host(name) for name in ("client", "edge", "far"))
            lan = net.link(client, edge)
            wan = net.link(edge, far, self.internet_ms, kbit)
            edge.forward()
            client.route("default", lan[1].address)
            far.route("10.0.1.0/24", wan[0].address)
            nginx(lab, net, far)
            to = wan[1].address
            if cached:
                larder(lab, net, edge, lan[1].address, wan[1].address)
                to = lan[1].address
            path = f"/o/%/{self.size}"
            if "--fresh" in how and cached:  # what hits will be
                client.call("curl", "-sSf", "--no-progress-meter", "-Z", "-o", "/dev/null",
                            f"http://{to}/o/[1-{hot}]/{self.size}")
            before = wan[1].sent(), lan[1].sent()
            counted = counts(edge) if cached else (0, 0)
            load = openloop(lab, client, "--host", to, "--rate", self.rate, "--connections", 400,
                            "--seconds", seconds, *how, 80, path)
            used = wan[1].sent() - before[0], lan[1].sent() - before[1]
            now = counts(edge) if cached else (0, 1)
            hits = (now[0] - counted[0]) / max(now[1] - counted[1], 1)
        return self._judge(load, used, kbit, hits)

    def _judge(self, load, used, kbit, hits):
        seconds, misses = load["seconds"], 1 - hits
        link = used[0] * 8 / 1000 / seconds / kbit
        service = self.wire * 8 / 1000 / kbit
        predicted = {}
        if link < 1:
            wait = service * link / (1 - link)
            predicted = {"predicted, M/D/1": misses * (2 + service + wait / 2),
                         "predicted, M/M/1": misses * (2 + service + wait)}
        return {"delay": load["mean_ms"] / 1000, "link": 100 * link,
                "lan": 100 * used[1] * 8 / 1000 / seconds / network.LAN_KBIT,
                "hits": 100 * (1 - misses)}, predicted


class Conditional(Scenario):
    """What a 304 saves."""

    name = "conditional"
    title = "Conditional GET: what 304 saves on the access link"
    kind = "textbook"
    page = "docs/textbook.md"
    about = ("A browsing trace (Zipf 0.8 over 60 objects of 100 kbit, one request after the "
             "other) through the cache. “Whole”: objects may not be stored. “Revalidated”: the "
             "origin is asked each time, and answers that nothing has changed. 1.54 Mbit/s, a "
             "round trip of 100 ms.")
    columns = (Column("delay", "mean delay, ms", "{:,.0f}"),
               Column("bytes", "bytes from the origin/request", "{:,.0f}"))
    whole = True
    plot = staticmethod(plot.columns("delay", "bytes"))

    def ready(self, lab):
        return network.unavailable()

    def parts(self, lab):
        return 2

    def lasts(self, lab, case=None):
        return 2 * (15 if lab.quick else 3 * 45)

    def rows(self, lab):
        for name, prefix in (("whole", "u"), ("revalidated", "v")):
            runs = [self._measure(lab, prefix) for _ in range(1 if lab.quick else 3)]
            yield name, "larder", {key: median([run[key] for run in runs]) for key in runs[0]}

    @staticmethod
    def _measure(lab, prefix):
        with network.Network(lab) as net:
            client, edge, far = (net.host(name) for name in ("client", "edge", "far"))
            lan = net.link(client, edge)
            wan = net.link(edge, far, 50, 1540)
            nginx(lab, net, far)
            larder(lab, net, edge, lan[1].address, wan[1].address)
            client.call("curl", "-sSf", "--no-progress-meter", "-o", "/dev/null",
                        f"http://{lan[1].address}/{prefix}/[1-60]/11900")
            before = wan[1].sent()
            load = openloop(lab, client, "--host", lan[1].address, "--connections", 1, "--zipf",
                            0.8, "--objects", 60, "--seconds", 5 if lab.quick else 30, 80,
                            f"/{prefix}/%/11900")
            return {"delay": load["mean_ms"],
                    "bytes": (wan[1].sent() - before) / max(load["requests"], 1)}


class OneLink(Scenario):
    """A browser, a link, and the cache behind it with everything in its store."""

    kind = "textbook"
    whole = True
    rtt_ms, kbit = 100, 10_000

    def ready(self, lab):
        return network.unavailable()

    def lasts(self, lab, case=None):
        return 15 if lab.quick else 60

    def place(self, lab, net):
        """(the browser, the cache's address)"""
        browser, edge = net.host("browser"), net.host("edge")
        ends = net.link(browser, edge, self.rtt_ms / 2, self.kbit)
        nginx(lab, net, edge, 8080)
        larder(lab, net, edge, ends[1].address, "127.0.0.1:8080")
        return browser, edge, ends[1].address

    @staticmethod
    def fill(edge, address, sizes):
        for number, size in enumerate(sizes, 1):
            edge.call("curl", "-sSf", "-o", "/dev/null", f"http://{address}/o/{number}/{size}")

    def fetch(self, lab, browser, address, way, sizes):
        """Milliseconds until each is complete, medians."""
        script = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "load",
                              "page.py")
        runs = [json.loads(lab.load.call(browser.command(sys.executable, script, way, address,
                                                         *sizes)))
                for _ in range(1 if lab.quick else 5)]
        return [median(times) for times in zip(*runs)]

    def send_ms(self, size):
        """How long the link takes for it, headers of packets and HTTP among it."""
        return (size + 300 + 52 * (size // 1448 + 1)) * 8 / self.kbit


class Ways(OneLink):
    name = "page"
    title = "A page of ten objects: connections of their own, kept, pipelined, HTTP/2"
    page = "docs/textbook.md"
    about = ("A page in the cache, behind a link of 10 Mbit/s and a round trip of 100 ms. "
             "Predicted: two round trips for each new connection, one for each request that must "
             "wait for the one before, and the time that the link takes for the bytes. This "
             "ignores slow start, which shows with larger objects.")
    columns = (Column("page", "until the page is complete, ms", "{:,.0f}"),
               Column("predicted", "predicted, ms", "{:,.0f}"))
    plot = staticmethod(plot.predicted("page"))

    def parts(self, lab):
        return 2

    def rows(self, lab):
        for size in (1024, 10_240):
            sizes = [size] * 11
            with network.Network(lab) as net:
                browser, edge, address = self.place(lab, net)
                self.fill(edge, address, sizes)
                for way, predicted in self.predicted(size).items():
                    times = self.fetch(lab, browser, address, way, sizes)
                    yield f"11 × {size >> 10} KiB", way, {"page": max(times),
                                                         "predicted": predicted}

    def predicted(self, size):
        rtt, one = self.rtt_ms, self.send_ms(size)
        at_once = 3 * rtt + 11 * one  # handshake, page, objects
        return {"serial": 11 * (2 * rtt + one), "parallel": 6 * rtt + 11 * one,
                "kept": 12 * rtt + 11 * one, "pipelined": at_once, "http2": at_once}


class HeadOfLine(OneLink):
    name = "hol"
    title = "Head-of-line blocking: a large object, then three small ones"
    page = "docs/textbook.md"
    about = ("Requested at once on one connection: O1 of 1 MiB, O2 to O4 of 10 KiB, over 10 "
             "Mbit/s with a round trip of 20 ms. Predicted: in the order of the requests, and "
             "interleaved frame by frame.")
    columns = (Column("small", "until O2–O4 are complete, ms", "{:,.0f}"),
               Column("small_predicted", "predicted, ms", "{:,.0f}"),
               Column("large", "until O1 is, ms", "{:,.0f}"),
               Column("large_predicted", "predicted, ms", "{:,.0f}"))
    plot = staticmethod(plot.predicted("small", "large"))
    rtt_ms = 20
    sizes = (100, 1 << 20, 10_240, 10_240, 10_240)

    def rows(self, lab):
        with network.Network(lab) as net:
            browser, edge, address = self.place(lab, net)
            self.fill(edge, address, self.sizes)
            large, small = self.send_ms(self.sizes[1]), 3 * self.send_ms(self.sizes[2])
            start = 2 * self.rtt_ms + self.rtt_ms  # a handshake, the page, the requests
            predicted = {"pipelined": (start + large + small, start + large),
                         "http2": (start + small * 4 / 3, start + large + small)}
            for way, (of_small, of_large) in predicted.items():
                times = self.fetch(lab, browser, address, way, self.sizes)
                yield "1 MiB and 3 × 10 KiB", way, {
                    "small": max(times[2:]), "small_predicted": of_small, "large": times[1],
                    "large_predicted": of_large}


ALL = [Institution(), Conditional(), Ways(), HeadOfLine()]
