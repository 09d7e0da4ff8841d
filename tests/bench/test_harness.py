#!/usr/bin/env python3
"""The parts of larder-bench that need no peer: test_harness.py SOURCE"""
import io
import json
import math
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import types
import unittest
import unittest.mock

TOP = pathlib.Path(sys.argv.pop(1)) / "bench"
sys.path.insert(0, str(TOP))
from harness import bar, compare, configurations, driver, enclosed, lab, machine  # noqa: E402
from harness import load, plot, processes, redirectors, report, stats, template  # noqa: E402
from harness.caches import CACHES, Want  # noqa: E402
from harness.driver import peers_of  # noqa: E402
from harness.redirectors import REDIRECTORS, World  # noqa: E402
from harness.scenario import by_bytes, per_request  # noqa: E402
from harness import scenario  # noqa: E402
import scenarios  # noqa: E402
from scenarios import latency, store, textbook_cdn  # noqa: E402


class Statistics(unittest.TestCase):
    def test_samples_apart(self):
        self.assertAlmostEqual(stats.mann_whitney([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]), 2 / 252)
        self.assertAlmostEqual(stats.mann_whitney([1, 2, 3], [4, 5, 6]), 2 / 20)

    def test_samples_alike(self):
        self.assertAlmostEqual(stats.mann_whitney([1, 3, 5, 7], [2, 4, 6, 8]), 0.6857, places=4)
        self.assertEqual(stats.mann_whitney([1, 1, 1], [1, 1, 1]), 1)

    def test_many_values(self):
        low, high = list(range(40)), list(range(20, 60))
        exact_would_be = stats.mann_whitney(low, high)
        self.assertLess(exact_would_be, 1e-4)
        self.assertGreater(stats.mann_whitney(low, [v + 0.5 for v in low]), 0.5)

    def test_slope(self):
        self.assertEqual(stats.slope([(0, 5), (1, 7), (2, 9)]), 2)
        line = [(x, 3 * x) for x in range(6)]
        self.assertEqual(stats.slope(line[:3] + [(x, y + 1000) for x, y in line[3:]][:1] + line[4:]), 3)
        self.assertEqual(stats.slope([(0, 10), (1, 10), (2, 10), (3, 90), (4, 10)]), 0)
        self.assertTrue(stats.slope([(1, 2)]) != stats.slope([(1, 2)]), "of one point there is none")

    def test_verdicts(self):
        slow, fast = [10, 11, 12, 13, 14], [5, 5.1, 5.2, 5.3, 5.4]
        self.assertEqual(stats.judge(slow, fast)[0], "better")
        self.assertEqual(stats.judge(fast, slow)[0], "worse")
        self.assertEqual(stats.judge(slow, fast, lower_is_better=False)[0], "worse")
        self.assertEqual(stats.judge(slow, [12, 11, 13, 10, 14])[0], "noise")
        self.assertEqual(stats.judge(slow[:3], fast[:3])[0], "too few rounds")
        self.assertEqual(stats.judge([100, 100.1, 100.2, 100.3], [101, 101.1, 101.2, 101.3])[0],
                         "noise")  # sure, but not worth a word

    def test_few_are_told_apart_by_chance(self):
        """5,000 pairs of samples of one distribution; the seed is fixed, and 250 are the bound."""
        draw = random.Random(1)
        told = sum(stats.judge(*([draw.gauss(10, 1) for _ in range(4)] for _ in range(2)))[0] != "noise"
                   for _ in range(5000))
        self.assertLess(told, 250)
        self.assertGreater(told, 50)  # it does tell something

    def test_chance_of_many(self):
        self.assertAlmostEqual(stats.at_least(1, 2, 0.5), 0.75)
        self.assertEqual(stats.at_least(0, 0, 0.5), 1)
        self.assertLess(stats.at_least(4, 50, 0.025), 0.05)
        self.assertGreater(stats.at_least(3, 50, 0.025), 0.05)

    def test_worse_in_all(self):
        noise = [("noise", 1.0, True)] * 49
        self.assertFalse(compare.is_worse([]))
        self.assertFalse(compare.is_worse(noise + [("worse", 1.05, True)]))
        self.assertFalse(compare.is_worse(noise + [("better", 0.5, True)]))
        self.assertTrue(compare.is_worse(noise + [("worse", 1.10, True)]))
        self.assertTrue(compare.is_worse(noise + [("worse", 0.90, False)]))  # a rate
        self.assertTrue(compare.is_worse(noise + [("worse", 1.05, True)] * 4))

    def test_drift_is_of_the_limits(self):
        slow, fast = results([20.0]), results([10.0])
        self.assertEqual(compare.drift(fast, slow), 1)  # epoll took as much in both
        slow["scenarios"][0]["rows"][1]["values"]["cpu_us"] = [6.0]
        self.assertAlmostEqual(compare.drift(fast, slow), 1.2)
        self.assertIn("took 1.20× as much", compare.compare(fast, slow)[0][-1])
        slow["limits"] = []
        self.assertIsNone(compare.drift(fast, slow))

    def test_spread(self):
        self.assertAlmostEqual(stats.spread([9, 10, 12]), 0.15)
        self.assertTrue(math.isnan(stats.median([])))


class Requests(unittest.TestCase):
    def test_unfinished_ones_count_in_their_part(self):
        load = {"requests": 1, "seconds": 2.0, "bytes": 25 << 20, "errors": 0}
        row = per_request(processes.Usage(0.003, 0.002), by_bytes(load, 10 << 20))
        self.assertAlmostEqual(row["cpu_us"], 2000)
        self.assertAlmostEqual(row["per_second"], 1.25)


def results(values, peer="larder"):
    return {"began": "2026-01-01T00:00:00+00:00", "rounds": 5, "seconds": 4, "limits": ["epoll"],
            "machine": {"processor": "<p>", "cores": 2, "server_cores": [0], "load_cores": [1],
                        "memory_mib": 1, "kernel": "k", "system": "s", "load_average": 0.0,
                        "commit": "c", "versions": {"nginx": "1"}},
            "configurations": [{"server": "nginx", "for": ["hits", "mixed"], "command": "nginx -c '<c>'",
                                "files": {"config": "<b>not bold</b>"}}],
            "scenarios": [{"name": "hits", "title": "Hits & more", "kind": "performance", "about": "",
                           "page": "", "notes": ["squid <did> not take part"],
                           "columns": [{"key": "cpu_us", "title": "CPU", "form": "{:.1f}",
                                        "lower_is_better": True, "of_limit": True}],
                           "rows": [{"case": "1 KiB", "peer": peer, "values": {"cpu_us": values}},
                                    {"case": "1 KiB", "peer": "epoll",
                                     "values": {"cpu_us": [5.0]}}]}]}


class Reports(unittest.TestCase):
    def test_table(self):
        run = results([10, 11, 12])["scenarios"][0]
        heads, rows = report.table_of(run, {"epoll"})
        self.assertEqual(heads, ["case", "server", "CPU", "±", "× limit"])
        self.assertEqual(rows[0], ["1 KiB", "larder", "11.0", "9%", "2.20×"])
        self.assertIn("squid <did> not take part", report.as_text(run, {"epoll"}))

    def test_page_is_whole_and_escaped(self):
        text = report.page(results([10, 11, 12]), {})
        self.assertIn("Hits &amp; more", text)
        self.assertIn("&lt;b&gt;not bold", text)
        self.assertIn("squid &lt;did&gt;", text)
        self.assertIn("<summary>hits; mixed</summary><pre class=command>nginx -c &#x27;&lt;c&gt;", text)
        for outside in ("http://", "https://", "src=", "@import", "<script"):
            self.assertNotIn(outside, text)

    def test_page_has_a_row_for_each_case(self):
        text = report.page(results([10, 11, 12]), {})
        self.assertEqual(text.count("<th colspan=4>1 KiB"), 1)
        self.assertIn("<tr class='ours'><td>larder<td>11.0<td>9%<td>2.20×", text)
        self.assertNotIn("id=bar", text)
        told = results([10, 11, 12])
        told["scenarios"][0]["rows"][0]["case"] = "1 KiB, one object"
        self.assertIn("<h2 id=bar>", report.page(told, {}))

    def test_configurations_of_before(self):
        old = {**results([10]), "configurations": {"nginx": "nginx -c c\n\nuser <me>;\n\n# end\n"}}
        self.assertIn("<pre class=command>nginx -c c</pre><p class=file>config</p><pre>user &lt;me&gt;;"
                      "\n\n# end", report.page(old, {}))

    def test_a_plot_that_fails_costs_nothing_else(self):
        def fail(_):
            raise RuntimeError("out of <ink>")
        text = report.page(results([10, 11, 12]), {"hits": fail})
        self.assertIn("<p class=note>no plot: out of &lt;ink&gt;</p>", text)
        self.assertIn("<td>larder<td>11.0", text)
        for does, why in (("echo 'line 3: no' >&2; exit 1", "no plot: gnuplot: line 3: no"),
                          (":", "no plot: gnuplot: it drew nothing"),
                          (None, "no plot: gnuplot is not installed")):
            with tempfile.TemporaryDirectory() as folder:
                if does:
                    path = pathlib.Path(folder, "gnuplot")
                    path.write_text(f"#!/bin/sh\n{does}\n", encoding="ascii")
                    path.chmod(0o755)
                with unittest.mock.patch.dict(os.environ, {"PATH": folder}):
                    self.assertIn(why, report.page(results([10]), {"hits": plot.bars}))

    def test_saved_and_compared(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, values in (("a", [10, 11, 12, 13]), ("b", [20, 21, 22, 23])):
                where = pathlib.Path(folder, name)
                where.mkdir()
                report.save(results(values), {}, where)
            paths = [f"{folder}/{name}/results.json" for name in "ab"]
            lines, worse = compare.compare(*map(compare.load, paths))
            self.assertTrue(worse)
            self.assertRegex(lines[0], r"^worse +1\.87× +hits: 1 KiB: larder: CPU 11\.5 → 21\.5")
            done = subprocess.run([TOP / "larder-bench", "compare", *paths], capture_output=True,
                                  text=True, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stdout.splitlines(), lines)
            done = subprocess.run([TOP / "larder-bench", "compare", paths[1], paths[0]],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_server_has_one_colour(self):
        self.assertEqual(plot.colours(["larder", "squid"])["squid"],
                         plot.colours(["nginx", "varnish", "squid"])["squid"])
        for peers in (CACHES, REDIRECTORS):
            self.assertEqual(len(set(plot.colours(peers).values())), len(peers))

    @unittest.skipUnless(plot.available(), "gnuplot is missing")
    def test_plots(self):
        run = results([10, 11, 12])["scenarios"][0]
        run["rows"][0]["case"] = run["rows"][1]["case"] = 'a "case" with \\'
        self.assertTrue(plot.bars(run).startswith("<svg"))
        run["rows"][0]["case"] = run["rows"][1]["case"] = "90 % hits"
        self.assertIn("90 % hits", plot.bars(run))
        run["rows"] = [{"case": f"{at:,} things", "peer": peer, "values": {
            "cpu_us": [at ** 0.5], **({"memory_mib": [at]} if peer == "larder" else {})}}
                       for at in (10, 1000, 1_000_000) for peer in ("larder", "nginx")]
        run["columns"].append({"key": "memory_mib", "title": "memory"})
        drawn = plot.growth(run)
        self.assertTrue(drawn.startswith("<svg"))
        self.assertIn("memory", drawn)
        self.assertEqual(plot.number_of("1,000,000 things"), 1_000_000)


    @unittest.skipUnless(plot.available(), "gnuplot is missing")
    def test_pictures_of_columns(self):
        keys = ("small", "small_predicted", "large", "large_predicted")
        run = {"columns": [{"key": key, "title": f"{key}, {{ms}}_%"} for key in keys],
               "rows": [{"case": "100 %", "peer": peer, "values": {key: [1.5] for key in keys[:some]}}
                        for peer, some in (("pipelined", 4), ("http2", 2), ("none", 0))]}
        drawn = plot.predicted("small", "large")(run)
        for text in ("small, {ms}_%", "large, {ms}_%", "measured", "predicted", "http2"):
            self.assertIn(f">{text}</text>", drawn)
        self.assertNotIn(">none<", drawn)
        self.assertIn(">pipelined</text>", plot.columns("small")(run))
        for row in run["rows"]:
            row["case"], row["peer"] = row["peer"], "larder"
        self.assertIn(">pipelined</text>", plot.predicted("large")(run))
        self.assertNotIn(">http2</text>", plot.predicted("large")(run))
        self.assertIsNone(plot.columns("small")({**run, "rows": []}))

    @unittest.skipUnless(plot.available(), "gnuplot is missing")
    def test_hit_ratios(self):
        run = {"rows": [{"case": f"{trace}; cache of {size} %", "peer": "larder",
                         "values": {"larder": [40.0 + size], "best": [41.0]}}
                        for trace in ("Zipf 0.7; 20 % once", "web", "own", "more")
                        for size in (0.1, 1, 10)]}
        drawn = plot.hit_ratios(run)
        for text in ("Zipf 0.7; 20 % once: hits, %", "more: hits, %", "best of the others", "0.1", "100"):
            self.assertIn(f">{text}</text>", drawn)

    def test_axes(self):
        self.assertIn('[0:30000]\nset ytics ("0" 0, "10 k" 10000,', plot.upwards("", [27_500]))
        self.assertIn("[40:40.2]", plot.linear("y", 40, 40))
        self.assertIn('[0:0.06]\nset ytics ("0" 0, "0.02" 0.02,', plot.linear("y", 0, 0.06))
        self.assertIn('("10" 10, "20" 20, "50" 50)', plot.logarithmic("x", 6, 60))
        self.assertIn('"1 M" 1000000', plot.logarithmic("x", 1, 1e7))
        self.assertNotIn("(log)", plot.upwards("title", [1, 30]))
        self.assertIn("title (log)", plot.upwards("title", [1, 31]))


class Given(unittest.TestCase):
    """What servers were given."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.run_dir, self.kept = folder.name, configurations.Configurations(folder.name, "/b")
        self.servers = 0

    def keep(self, purpose, text, port=8080, **files):
        self.servers += 1
        where = f"{self.run_dir}/nginx.{self.servers}"
        for name, content in {"config": text.format(dir=where, port=port), **files}.items():
            processes.write(f"{where}/{name}", content)
        server = processes.Program("nginx", ["/b/nginx", "-c", f"{where}/config", "a b"], where)
        server.configured = ("config", "list", "absent")
        server.ports = lambda: {"PORT": port}
        self.kept.keep(server, purpose)

    def test_each_is_kept_once(self):
        text = "pid {dir}/pid; listen 127.0.0.1:{port} {port}0 1.{port};"
        self.keep("hits", text)
        self.keep("mixed", text.replace("{port}0 1.{port}", "80800 1.8080"), port=9090)
        self.keep("mixed", text)
        self.keep("mixed (tls)", text + "ssl on;")
        self.assertEqual([one["for"] for one in self.kept], [["hits", "mixed"], ["mixed (tls)"]])
        self.assertEqual(self.kept[0], {
            "server": "nginx", "for": ["hits", "mixed"], "command": "BUILD/nginx -c DIR/config 'a b'",
            "files": {"config": "pid DIR/pid; listen 127.0.0.1:PORT 80800 1.8080;"}})
        self.assertEqual(json.loads(json.dumps(self.kept)), self.kept)

    def test_long_ones_are_cut(self):
        self.keep("lists", "x" * 1_000_000, list="".join(f"10.{n}\n" for n in range(100_000)))
        files = self.kept[0]["files"]
        self.assertLess(len(json.dumps(self.kept)), 3000)
        self.assertIn("[999,760 of 1,000,000 characters left out]", files["config"])
        lines = files["list"].splitlines()
        self.assertEqual((lines[0], lines[-1]), ("10.0", "10.99999"))
        self.assertIn("[99,948 of 100,000 lines left out]", lines)

    def test_what_a_server_was_for(self):
        self.assertEqual(str(Want()), "")
        self.assertEqual(str(Want(mode="tls", memory_mib=1024, networks=400_000)),
                         "tls, memory 1,024 MiB, 400,000 networks")
        self.assertEqual(str(World(networks=100, zones=1000)), "100 networks, 1,000 zones")


def measured(**rows):
    """hits, 1 KiB, one object, of these servers."""
    return {"scenarios": [{"name": "hits", "rows": [
        {"case": "1 KiB, one object", "peer": peer, "values": {"cpu_us": values}}
        for peer, values in rows.items()]}]}


class Bars(unittest.TestCase):
    def first(self, **rows):
        return next(bar.rows_of(measured(**rows)))

    def test_reached(self):
        self.assertEqual(self.first(larder=[9, 10, 11], epoll=[8, 8, 9], nginx=[17], squid=[40]), (
            "hit 1 KiB, one object, µs", "10.0", "10%", "≤ 1.25 × epoll = 10.0; ahead of nginx 17.0",
            "reached (1.00×); reached (0.59×)"))

    def test_missed_and_noise(self):
        self.assertEqual(self.first(larder=[15.0], epoll=[10.0], nginx=[14.0])[3:], (
            "≤ 1.25 × epoll = 12.5; ahead of nginx 14.0", "missed (1.20×); within noise (1.07×)"))

    def test_what_is_not_there_is_said(self):
        self.assertEqual(self.first(epoll=[10.0])[1:], (
            "–", "–", "≤ 1.25 × epoll = 12.5; ahead of all: none measured", "not measured"))
        self.assertEqual(self.first(larder=[10.0])[3], (
            "≤ 1.25 × epoll: not measured; ahead of all: none measured"))

    def test_least_and_worst(self):
        kept = bar.Bar("kept", "million", "x", key="kept", least=100)
        self.assertEqual(bar.judge(kept, 100, 100), "reached (1.00×)")
        self.assertEqual(bar.judge(kept, 99.9, 100), "missed (1.00×)")
        of_all = bar.Bar("ratio", "hitratio", "real; …", key="behind", most=2)
        rows = bar.Measured({"scenarios": [{"name": "hitratio", "rows": [
            {"case": f"{trace}; {n}", "peer": "larder", "values": {"behind": [n / scale]}}
            for trace, scale in (("real", 2), ("made up", 1)) for n in range(4)]}]})
        self.assertEqual(rows.values(of_all, "larder"), [1.5])

    def test_they_name_what_there_is(self):
        known = {one.name: one for one in scenarios.ALL}
        for one in bar.BARS:
            scenario = known[one.scenario]
            self.assertIn(one.key, [column.key for column in scenario.columns], one.work)
            if one.case.endswith("…"):
                self.assertIn(one.case, [f"{trace.name}; …" for trace in scenario.traces(Scenarios.Lab())])
            else:
                self.assertIn(one.case, [case.name for _, cases in scenario.groups(Scenarios.Lab())
                                         for case in cases], one.work)

    def test_command(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(measured(larder=[10.0], epoll=[10.0]), file)
            file.flush()
            done = subprocess.run([TOP / "larder-bench", "bar", file.name], capture_output=True,
                                  text=True, check=True)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), len(bar.BARS) + 2)
        self.assertRegex(lines[2], r"^\| hit 1 KiB, one object, µs +\| +10\.0")


class TimeLeft(unittest.TestCase):
    def test_follows_the_pace(self):
        progress = driver.Progress(10, 1000)
        self.assertAlmostEqual(progress.left(), 1000, delta=5)
        for _ in range(5):
            progress.step(100)
        progress.began -= 1000  # the half took twice as long as it should
        self.assertAlmostEqual(progress.left(), 500 * 1030 / 530, delta=5)
        progress.skip(2, 200)
        self.assertEqual(progress.steps, 8)
        self.assertAlmostEqual(progress.left(), 300 * 1030 / 530, delta=5)

    def test_is_expected_of_all(self):
        lab = Scenarios.Lab()
        for one in scenarios.ALL:
            if getattr(one, "whole", False):
                self.assertGreater(one.parts(lab), 0, one.name)
                self.assertGreater(one.lasts(lab), 0, one.name)
            else:
                for _, cases in one.groups(lab):
                    for case in cases:
                        self.assertGreater(one.lasts(lab, case), 0, one.name)


class FakeServer:
    """Of no program: it ends when it is told to, and can be started again."""

    def __init__(self, title="larder"):
        self.title, self.alive, self.starts = title, False, 0

    def begin(self):
        self.alive, self.starts = True, self.starts + 1
        return self

    def is_alive(self):
        return self.alive

    def stop(self):
        self.alive = False


class FakeLab:
    quick, full, seconds, build, most_workers = False, False, 1, "/nowhere", 1
    origin, traces = None, ()

    def __init__(self):
        self.one = FakeServer()

    def begin_origin(self):
        pass

    def server(self, *_):
        return self.one

    def drop(self, *servers):
        for server in servers:
            server.stop()


class Dying(scenario.Scenario):
    """A server that ends in the middle of a case."""

    name, peers, columns = "dying", ("larder",), (scenario.CPU,)
    dies_in = "second"

    def groups(self, lab):
        return [(None, [scenario.Case("first"), scenario.Case("second"), scenario.Case("third"),
                        scenario.Case("long", only_full=True)])]

    def measure(self, lab, server, case):
        if case.name == self.dies_in:
            server.alive = False
            raise processes.Failed("no answer")
        return {"cpu_us": 1.0}


class Drivers(unittest.TestCase):
    def setUp(self):
        kind = CACHES["larder"]
        self.addCleanup(setattr, kind, "missing", kind.missing)
        kind.missing = classmethod(lambda *_: [])
        self.addCleanup(setattr, sys, "stderr", sys.stderr)
        sys.stderr = io.StringIO()
        self.lab = FakeLab()
        self.driver = driver.Driver(self.lab, 3, None)

    def run_of(self, one):
        return next(iter(list(self.driver.run([one]))))

    def test_who_ends_in_the_middle_begins_again(self):
        run = self.run_of(Dying())
        self.assertEqual(run.rows, {("first", "larder"): {"cpu_us": [1.0] * 3},
                                    ("third", "larder"): {"cpu_us": [1.0] * 3}})
        self.assertEqual(run.notes, ["larder, second: no answer; it has ended"])
        self.assertEqual(self.lab.one.starts, 2)
        self.assertFalse(self.lab.one.alive)

    def test_nothing_is_left_of_the_time(self):
        self.run_of(Dying())
        progress = self.driver.progress
        self.assertEqual(progress.done, progress.steps)
        self.assertAlmostEqual(progress.spent, progress.seconds)

    def test_who_cannot_start_is_told_of(self):
        def refuse():
            raise OSError("no space left")
        self.lab.one.begin = refuse
        run = self.run_of(Dying())
        self.assertEqual((run.rows, run.notes), ({}, ["larder did not take part: no space left"]))
        self.assertEqual(self.driver.progress.done, self.driver.progress.steps)
        self.assertAlmostEqual(self.driver.progress.spent, self.driver.progress.seconds)

    def test_no_origin_ends_the_scenario_alone(self):
        def refuse():
            raise OSError("no space left")
        self.lab.begin_origin = refuse
        self.assertEqual(self.run_of(Dying()).notes, ["ended early: no space left"])

    def test_cases_of_runs(self):
        self.assertEqual([case.name for case in self.driver.cases_of(Dying())[0][1]],
                         ["first", "second", "third"])
        self.lab.full = True
        self.assertEqual(len(self.driver.cases_of(Dying())[0][1]), 4)

    def test_who_cannot_do_a_case_is_in_its_table(self):
        one = Dying()
        one.dies_in, one.peers = "", ("larder", "nginx")
        self.lab.server = lambda name, *_: FakeServer(name)
        one.cannot = lambda server, case: (
            "it draws lots" if (server.title, case.name) == ("nginx", "second") else None)
        with unittest.mock.patch.object(CACHES["nginx"], "missing", lambda *_: ["nginx"]):
            self.assertNotIn(("second", "nginx"), self.run_of(one).rows)  # nobody knows
        with unittest.mock.patch.object(CACHES["nginx"], "missing", lambda *_: []):
            run = self.run_of(one)
        self.assertEqual(run.rows["second", "nginx"], {})
        self.assertEqual(list(run.rows)[2:4], [("second", "larder"), ("second", "nginx")])
        self.assertEqual(run.notes, ["second: nginx cannot: it draws lots"])
        self.assertRegex(report.as_text(run.described(), set()), r"\n +nginx +cannot +–\n")
        self.assertEqual(self.driver.progress.done, self.driver.progress.steps)
        told = {**results([1.0]), "scenarios": [run.described()]}
        self.assertIn("<td>nginx<td>cannot", report.page(told, {}))
        self.assertEqual(compare.compare(told, told)[1], False)

    def test_what_a_reader_must_know_is_said_once(self):
        run = driver.Run(Dying())
        for note in ("it is late", None, "it is late"):
            run.add("first", "larder", {"cpu_us": 1.0, "note": note})
        self.assertEqual(run.notes, ["it is late"])
        self.assertEqual(run.rows, {("first", "larder"): {"cpu_us": [1.0] * 3}})

    def test_what_is_aside_is_not_on_the_terminal(self):
        one = Dying()
        one.columns = (scenario.CPU, scenario.MEMORY_ASIDE)
        run = driver.Run(one)
        run.add("first", "larder", {"cpu_us": 1.0, "memory_mib": 2.0})
        self.assertIn("memory", report.as_text(run.described(), set()))
        self.assertNotIn("memory", report.as_text(run.described(on_terminal=True), set()))

    def test_time_is_told(self):
        run = self.run_of(Dying())
        self.assertEqual(list(run.took), ["starting", "filling", "measuring", "stopping"])
        described = {**run.described(), "took": {"starting": 65.2, "measuring": 0.4}}
        self.assertIn("took 1 min 06 s: starting 1 min 05 s, measuring 0 s",
                      report.as_text(described, set()))


class Measuring(unittest.TestCase):
    """Of one server, which is under load."""

    server = types.SimpleNamespace(
        title="larder", port=1, is_alive=lambda: True, memory=lambda: 3 << 20,
        usage=lambda used=iter((1.0, 1.5, 2.0, 2.5)): processes.Usage(next(used)))

    def test_memory_is_told_of_every_load(self):
        load = {"requests": 1000, "seconds": 1.0, "errors": 0}
        row = lab.Lab.under(types.SimpleNamespace(origin=None), self.server, lambda: load)
        self.assertEqual((row["cpu_us"], row["memory_mib"]), (500.0, 3.0))

    def test_a_load_that_is_behind_says_so(self):
        one = latency.OpenLoop()
        for busy, note in ((0.5, None), (0.99, "larder, 80,000/s: the load generator was behind, so these "
                                               "are its own limits, not the server's")):
            row = one.measure(types.SimpleNamespace(seconds=1, under=lambda _, load, busy=busy: {"busy": busy}),
                              self.server, scenario.Case("80,000/s", rate=80_000))
            self.assertEqual(row.get("note"), note)


class Handshakes(unittest.TestCase):
    def shake(self, resume, **said):
        of_me = load.Load({0}, "/b")
        of_me.own = unittest.mock.Mock(return_value={"seconds": 1.0, "errors": 0, "sessions": 3, **said})
        return of_me.handshakes(443, 1, "/o", "1.3", resume), of_me.own.call_args.args

    def test_what_was_asked_for_came(self):
        got, asked = self.shake(True, requests=9, resumed=9)
        self.assertEqual((got["requests"], got["resumed"]), (9, 1.0))
        self.assertEqual(asked, ("handshaker", "--tls", "1.3", "--seconds", 1, "--connections", 4,
                                 "--resume", 443, "/o"))
        got, asked = self.shake(False, requests=9, resumed=0)
        self.assertEqual(got["resumed"], 0.0)
        self.assertNotIn("--resume", asked)

    def test_another_is_no_measurement(self):
        for resume, requests, resumed in ((True, 9, 8), (True, 9, 0), (False, 9, 1), (True, 0, 0)):
            with self.assertRaisesRegex(processes.Failed, f"^{resumed} of {requests} handshakes were "
                                                          "resumed; sessions given: 3, errors: 0$"):
                self.shake(resume, requests=requests, resumed=resumed)

    def test_of_each_version_both(self):
        one = next(one for one in scenarios.ALL if one.name == "handshakes")
        self.assertEqual({(case.tls, case.resume) for _, group in one.groups(Scenarios.Lab())
                          for case in group},
                         {(tls, resume) for tls in ("1.2", "1.3") for resume in (False, True)})


class Hashed(unittest.TestCase):
    """Whether a redirector spreads names."""

    def look(self, *answers):
        server = types.SimpleNamespace(title="pdns", is_limit=False)
        with unittest.mock.patch.object(redirectors, "dig", side_effect=answers):
            redirectors.look_hashed(server)

    def test_by_name(self):
        spread = [f"192.0.2.{n % 16 + 1}" for n in range(100)]
        self.look(spread, spread)
        for first, second in ((["192.0.2.1"] * 100,) * 2,  # by the client
                              (spread, spread[::-1]),  # at random
                              (spread[:99], spread[:99]), ([], [])):
            with self.assertRaisesRegex(processes.Failed, "^pdns does not spread names"):
                self.look(first, second)

    def test_who_cannot_says_so_of_a_case_that_there_is(self):
        one = next(one for one in scenarios.ALL if one.name == "dns")
        cases = {case.name for _, group in one.groups(Scenarios.Lab()) for case in group}
        for kind in REDIRECTORS.values():
            self.assertLessEqual(set(kind.cannot), cases, kind.title)


def simulated(command, **_):
    """What the simulator would do: larder is a point behind LRU, and Belady knows more than both."""
    path = command[command.index("--tsv") + 1]
    pathlib.Path(path).write_text("".join(
        f"trace\t{policy}\t{size}\t1\t{hits}\t{hits}\t0\n" for size in ("0.5", "20")
        for policy, hits in (("Belady", 80), ("LRU", 51), ("Larder", 50), ("Larder, bytes", 60))))
    return types.SimpleNamespace(stdout="1234 requests, 5 objects, 5 bytes\n", stderr="hitratio: hm\n")


class Traces(unittest.TestCase):
    def test_the_real_one_is_first(self):
        traces = store.HitRatio().traces(FakeLab())
        self.assertEqual([trace.name for trace in traces],
                         ["web07", "Zipf 0.7, 0 % once", "Zipf 0.9, 20 % once", "Zipf 1.1, 0 % once"])
        self.assertTrue(os.path.exists(traces[0].how[-1]))

    def test_ones_own_take_the_place_of_those_made_up(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = [f"{folder}/{name}" for name in ("a.log", "b/x.trace.xz", "c/x.trace.xz")]
            for path in paths:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                pathlib.Path(path).write_bytes(b"x" * 1000)
            of_me = FakeLab()
            of_me.traces = store.traces_of(paths, "squid")
            traces = store.HitRatio().traces(of_me)
        self.assertEqual([trace.name for trace in traces], ["web07", "a.log", *paths[1:]])
        self.assertEqual(traces[1].how, ["--format", "squid", paths[0]])
        self.assertEqual([trace.requests for trace in traces], [76_118, 10, 1250, 1250])

    def test_rows(self):
        one = store.HitRatio()
        with tempfile.TemporaryDirectory() as folder:
            of_me = FakeLab()
            of_me.dir, of_me.load = folder, types.SimpleNamespace(run=simulated)
            rows = list(one.rows(of_me))
        self.assertEqual(rows[0], ("web07; cache of 0.5 %", "larder", {
            "larder": 50, "best": 51, "behind": 1, "requests": 1234, "note": "web07: hm"}))
        self.assertEqual(len(rows), 2 * len(one.traces(of_me)))

    def test_command_line(self):
        done = subprocess.run([TOP / "larder-bench", "run", "hitratio", "--trace", "/nowhere/a.log"],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("/nowhere/a.log", done.stderr)


class Builds(unittest.TestCase):
    @unittest.skipUnless(shutil.which("git"), "git is missing")
    def test_the_commit_is_that_of_what_was_built(self):
        with tempfile.TemporaryDirectory() as folder:
            source, build = f"{folder}/source", f"{folder}/build"
            for made in (source, f"{build}/meson-info", f"{build}/proxy"):
                os.makedirs(made)
            for command in (("init", "-q"), ("-c", "user.name=n", "-c", "user.email=n@e", "commit", "-q",
                                             "--allow-empty", "-m", "first"), ("tag", "-a", "-m", "t", "v7")):
                subprocess.run(["git", "-C", source, *command], check=True, env={
                    **os.environ, "GIT_COMMITTER_NAME": "n", "GIT_COMMITTER_EMAIL": "n@e"})
            self.assertIsNone(machine.commit_of(build))
            self.assertIsNone(machine.built(build))
            pathlib.Path(build, "meson-info/meson-info.json").write_text(
                json.dumps({"directories": {"source": source, "build": build}}))
            pathlib.Path(build, "proxy/larder-proxy").touch()
            self.assertEqual(machine.commit_of(build), "v7")
            with unittest.mock.patch.dict(os.environ, PATH="/nowhere"):
                self.assertIsNone(machine.commit_of(build), "without git it is not known")
            self.assertRegex(machine.built(build), r"^\d{4}-\d\d-\d\dT")


class Instructions(unittest.TestCase):
    def test_a_kind_that_is_not_there_is_no_success(self):
        done = subprocess.run([TOP / "instructions.py", "/nowhere", "key", "parse-requst"],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, "no kind parse-requst; known: parse-request, .*answer-cookie\n$")


MARK = f"86399.{os.getpid()}"  # seconds that nobody else sleeps

# What ends a run must end all that it has started: a shell in between, children of their own.
ENCLOSED = """
import sys
sys.path.insert(0, sys.argv[1])
from harness import enclosed
with enclosed.Folder("larder-bench-test", sys.argv[2]) as where:
    sys.exit(enclosed.call(["sh", "-c", "setsid sleep $0 & echo begun; exec sleep $0", sys.argv[3]]))
"""


def sleepers():
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == f"sleep\0{MARK}\0".encode():
                found.append(path.parent.name)
        except OSError:
            pass
    return found


@unittest.skipUnless(enclosed.possible(), "namespaces may not be had")
class Enclosed(unittest.TestCase):
    def end(self, number, folder):
        with subprocess.Popen([sys.executable, "-c", ENCLOSED, TOP, folder, MARK], text=True,
                              stdout=subprocess.PIPE) as run:
            self.assertEqual(run.stdout.readline(), "begun\n")
            while len(sleepers()) < 2:
                self.assertIsNone(run.poll())
                time.sleep(0.01)
            run.send_signal(number)
            run.wait()
        while sleepers():
            time.sleep(0.01)
        return run.returncode

    def test_signals(self):
        with tempfile.TemporaryDirectory() as folder:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                self.assertEqual(self.end(number, folder), 128 + number)
                self.assertEqual(os.listdir(folder), [])

    def test_killed(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.end(signal.SIGKILL, folder), -signal.SIGKILL)
            self.assertEqual(len(os.listdir(folder)), 1)
            with enclosed.Folder("larder-bench-test", folder) as one:
                self.assertEqual(os.listdir(folder), [os.path.basename(one)])  # that of the killed
                with enclosed.Folder("larder-bench-test", folder):
                    self.assertEqual(len(os.listdir(folder)), 2)  # those of the living stay
            self.assertEqual(os.listdir(folder), [])

    def test_status(self):
        self.assertEqual(enclosed.call(["sh", "-c", "exit 7"]), 7)


class Scenarios(unittest.TestCase):
    class Lab:
        quick, full, most_workers, seconds, build = False, True, 2, 1, "/nowhere"
        traces = ()

    def test_all_of_them(self):
        names = [one.name for one in scenarios.ALL]
        self.assertEqual(len(names), len(set(names)))
        for one in scenarios.ALL:
            self.assertTrue(one.title and one.about and one.columns, one.name)
            for peer in one.peers:
                self.assertIn(peer, {**CACHES, **REDIRECTORS})
            if getattr(one, "whole", False):
                continue
            cases = [case.name for _, group in one.groups(self.Lab()) for case in group]
            self.assertEqual(len(cases), len(set(cases)), one.name)
            self.assertTrue(cases, one.name)

    def test_limits_are_beside_what_they_can_do(self):
        peers = {one.name: one.peers for one in scenarios.ALL}
        for name in ("hits", "connections", "mixed", "idle", "latency", "cost-objects", "cost-connections",
                     "cost-rules", "cost-hosts"):
            self.assertIn("epoll", peers[name])
        for name in ("dns", "cost-zones", "cost-prefixes"):
            self.assertIn("canned", peers[name])

    def test_who_is_missing_is_named(self):
        _, missing = peers_of(scenarios.ALL[0], None, "/nowhere")
        self.assertEqual(missing["larder"], "/nowhere/proxy/larder-proxy is not installed")

    def test_command_line(self):
        done = subprocess.run([TOP / "larder-bench", "run", "hitz"], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no scenario is called hitz; known: hits,", done.stderr)
        self.assertIn(" textbook\n", done.stderr)
        done = subprocess.run([TOP / "larder-bench", "run", "hits", "--peers", "ngins"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no peer is called ngins; known: larder, nginx,", done.stderr)
        done = subprocess.run([TOP / "larder-bench", "bar", "/dev/null"], capture_output=True,
                              text=True, check=False)
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1))
        self.assertIn("/dev/null is no results.json", done.stderr)
        listed = subprocess.run([TOP / "larder-bench", "list"], capture_output=True, text=True,
                                check=True).stdout
        self.assertTrue(all(one.title in listed for one in scenarios.ALL))

    def test_templates(self):
        known = {name: "1" for name in (
            "DIR PORT LISTEN FORWARD FORWARD_PORT ORIGIN ORIGIN_HOST ORIGIN_PORT WORKERS MEMORY "
            "MEMORY_MIB STORE_MIB LISTEN_OPTIONS TLS OBJECT_MAX MAXCONN DISK CONNECT REPLICAS NAMES "
            "DATACENTERS ADDRESSES SOA NETWORKS RULES MAPS ZONES VHOST SYNC").split()}
        for path in sorted((TOP / "peers").iterdir()):
            self.assertNotRegex(template.fill(path.name, known), template.PLACE)
        with self.assertRaisesRegex(processes.Failed, "nginx.conf: nothing is known for @"):
            template.fill("nginx.conf", {})


def is_running(pid):
    try:
        return ") Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


class Programs(unittest.TestCase):
    def test_ports_of_servers(self):
        first, last = processes.ephemeral_ports()
        ports = [processes.free_port() for _ in range(100)]
        self.assertEqual([port for port in ports if first <= port <= last], [])
        self.assertEqual(len(set(ports)), len(ports))

    def test_used_and_stopped(self):
        with tempfile.TemporaryDirectory() as folder:
            one = processes.Program("busy", [sys.executable, "-c", "\n".join((
                "import os, time", "while sum(os.times()[:2]) < 0.3: pass", "print('done', flush=True)",
                "os.fork()", "time.sleep(600)"))], folder).start()
            while "done" not in one.tail():
                self.assertTrue(one.is_alive())
            pids = one.pids
            while len(pids) < 2:
                pids = one.pids
            self.assertGreater(one.usage().total, 0.2)
            self.assertGreater(one.memory(), 1 << 20)
            one.stop()
            for pid in pids:  # one that is killed ends soon; one that is not, never
                while is_running(pid):
                    pass


class Counts(unittest.TestCase):
    def test_what_is_under_way_counts_for_the_load_that_sent_it(self):
        had = iter((1004, 1006, 1007, 1008))  # with each look; the second one finds a late request

        def call(*_):
            return f"server accepts handled requests\n 9 9 {next(had)} \n"

        world = types.SimpleNamespace(far=types.SimpleNamespace(call=call), looks=0)
        with unittest.mock.patch("time.sleep"):
            self.assertEqual(textbook_cdn.Cdn._asked(world), 1004)
        self.assertEqual(next(had, None), 1008)  # it did not look once too often


if __name__ == "__main__":
    unittest.main()
