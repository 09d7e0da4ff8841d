"""Runs scenarios in rounds, and says how far it is."""
import contextlib
import subprocess
import sys
import time

from harness.caches import CACHES
from harness.processes import Failed
from harness.redirectors import REDIRECTORS


class Progress:
    """One line on a terminal that is written over, or lines where there is none. The time left is what
    the steps should take, times how much longer those before have taken."""

    SURE = 30  # seconds of steps after which the pace so far counts as much as what was expected

    def __init__(self, steps, seconds):
        self.steps, self.seconds = steps, seconds
        self.done, self.spent = 0, 0.0
        self.began = time.monotonic()
        self.terminal = sys.stderr.isatty()

    def left(self):
        pace = (time.monotonic() - self.began + self.SURE) / (self.spent + self.SURE)
        return max(0.0, (self.seconds - self.spent) * pace)

    def say(self, text):
        left = int(self.left())
        hours = f"{left // 3600} h " if left >= 3600 else ""
        line = (f"[{self.done:3}/{self.steps}] {hours}{left % 3600 // 60} min {left % 60:02} s left  "
                f"{text}")
        sys.stderr.write(f"\r\x1b[K{line}" if self.terminal else f"{line}\n")
        sys.stderr.flush()

    def step(self, seconds):
        self.done += 1
        self.spent += seconds

    def spend(self, seconds):
        """What is no step: a start."""
        self.spent += seconds

    def skip(self, steps, seconds):
        """What will not be done."""
        self.steps -= steps
        self.seconds -= seconds

    def clear(self):
        if self.terminal:
            sys.stderr.write("\r\x1b[K")


TROUBLE = (Failed, OSError, subprocess.SubprocessError)
STARTING = 0.8  # seconds that a server takes to start and to end, about
KNOWN = {**CACHES, **REDIRECTORS}


def peers_of(scenario, wanted, build):
    """(those that take part, {those that cannot: why})"""
    chosen, missing = [], {}
    for name in scenario.peers:
        kind = KNOWN[name]
        if wanted and name not in wanted and not kind.is_limit and not name.startswith("larder"):
            continue
        absent = kind.missing(build)
        if absent:
            missing[name] = f"{', '.join(absent)} is not installed"
        else:
            chosen.append(name)
    return chosen, missing


class Run:
    """What came of a scenario: rows[(case, peer)] = {key: [a value each round]}, and where its time went:
    took[what] = seconds."""

    def __init__(self, scenario):
        self.scenario = scenario
        self.rows, self.notes, self.took = {}, [], {}

    @contextlib.contextmanager
    def doing(self, what):
        began = time.monotonic()
        try:
            yield
        finally:
            self.took[what] = self.took.get(what, 0.0) + time.monotonic() - began

    def add(self, case, peer, measured):
        row = self.rows.setdefault((case, peer), {})
        for column in self.scenario.columns:
            value = measured.get(column.key)
            if value is not None:
                row.setdefault(column.key, []).append(value)
        note = measured.get("note")  # what a reader must know of these numbers
        if note and note not in self.notes:
            self.notes.append(note)

    def cannot(self, case, peer, why):
        """A row without numbers."""
        self.rows[case, peer] = {}
        self.notes.append(f"{case}: {peer} cannot: {why}")

    def described(self, on_terminal=False):
        """What a results.json has of it, or what there is room for on a terminal."""
        scenario = self.scenario
        return {"name": scenario.name, "title": scenario.title, "kind": scenario.kind,
                "about": scenario.about, "page": scenario.page, "notes": self.notes,
                "took": {what: round(seconds, 1) for what, seconds in self.took.items()},
                "columns": [column.described() for column in scenario.columns
                            if not (on_terminal and column.aside)],
                "rows": [{"case": case, "peer": peer, "values": values}
                         for (case, peer), values in self.rows.items()]}


def suits(want, name):
    """Whether it can do what a group wants of servers."""
    return not want or KNOWN[name].suits(want)


def takes_part(scenario, server, case):
    return scenario.takes_part(server, case) and not scenario.cannot(server, case)


class Driver:
    def __init__(self, lab, rounds, wanted):
        self.lab, self.rounds, self.wanted = lab, rounds, wanted
        self.progress = None

    def belongs(self, case):
        """Whether this run has it."""
        return case.quick if self.lab.quick else self.lab.full or not case.only_full

    def cases_of(self, scenario):
        groups = ((want, [case for case in cases if self.belongs(case)])
                  for want, cases in scenario.groups(self.lab))
        return [(want, cases) for want, cases in groups if cases]

    def rounds_of(self, scenario):
        return 1 if getattr(scenario, "once", False) else min(self.rounds, scenario.most_rounds)

    # ---- how long it will take ----

    def _of_case(self, scenario, case):
        """(steps, seconds) of a server in a case: it is filled, then measured in rounds."""
        rounds = self.rounds_of(scenario)
        return 1 + rounds, scenario.filling + rounds * scenario.lasts(self.lab, case)

    def _of(self, scenario):
        if getattr(scenario, "whole", False):
            return scenario.parts(self.lab), scenario.lasts(self.lab)
        peers, _ = peers_of(scenario, self.wanted, self.lab.build)
        steps, seconds = 0, 0.0
        for want, cases in self.cases_of(scenario):
            for name in peers:
                each = [self._of_case(scenario, case)
                        for case in self._part_of(scenario, name, want, cases)]
                steps += sum(some for some, _ in each)
                seconds += sum(some for _, some in each) + (STARTING if each else 0)
        return steps, seconds

    @staticmethod
    def _part_of(scenario, name, want, cases):
        """Those of the cases in which a server takes part."""
        return [case for case in cases
                if suits(want, name) and takes_part(scenario, KNOWN[name], case)]

    def _skip(self, scenario, cases):
        self.progress.skip(0, STARTING)
        for case in cases:
            self.progress.skip(*self._of_case(scenario, case))

    # ---- doing it ----

    def run(self, scenarios):
        """[Run, …]; a scenario that fails says so, and the others go on."""
        why_not = {scenario.name: scenario.ready(self.lab) for scenario in scenarios}
        plan = [self._of(scenario) for scenario in scenarios if not why_not[scenario.name]]
        self.progress = Progress(sum(steps for steps, _ in plan), sum(took for _, took in plan))
        for scenario in scenarios:
            run = Run(scenario)
            if why_not[scenario.name]:
                run.notes.append(f"not run: {why_not[scenario.name]}")
            else:
                try:
                    self._one(run)
                except TROUBLE as failed:
                    run.notes.append(f"ended early: {failed}")
            yield run
        self.progress.clear()

    def _whole(self, run):
        scenario, known = run.scenario, set()
        each = scenario.lasts(self.lab) / scenario.parts(self.lab)
        self.progress.say(f"{scenario.name}: begins")
        for case, peer, measured in scenario.rows(self.lab):
            run.add(case, peer, measured)
            if case not in known:
                known.add(case)
                self.progress.step(each)
                self.progress.say(f"{scenario.name}: {case}: done")

    def _one(self, run):
        self.lab.scenario = run.scenario.name
        if getattr(run.scenario, "whole", False):
            with run.doing("measuring"):
                self._whole(run)
            return
        peers, missing = peers_of(run.scenario, self.wanted, self.lab.build)
        run.notes += [f"{name} did not take part: {why}" for name, why in missing.items()]
        if not getattr(run.scenario, "redirects", False):
            self.lab.begin_origin()
        try:
            for want, cases in self.cases_of(run.scenario):
                self._group(run, want, cases, peers)
        finally:
            if self.lab.origin:
                self.lab.drop(self.lab.origin)
                self.lab.origin = None

    def _start(self, run, want, cases, name, servers):
        """One more of the servers, if it can be had."""
        part = self._part_of(run.scenario, name, want, cases)
        if not part:
            return
        self.progress.say(f"{run.scenario.name}: {name} is started")
        server = None
        try:
            server = self.lab.server(name, run.scenario, want)
            servers.append(server.begin())
            self.progress.spend(STARTING)
        except TROUBLE as failed:
            run.notes.append(f"{name} did not take part: {failed}")
            self._skip(run.scenario, part)
            if server:
                self.lab.drop(server)

    def _group(self, run, want, cases, peers):
        if getattr(run.scenario, "once", False):  # one after the other: they are large
            for name in peers:
                self._servers(run, want, cases, [name])
        else:
            self._servers(run, want, cases, peers)

    def _servers(self, run, want, cases, peers):
        servers = []
        try:
            with run.doing("starting"):
                for name in peers:
                    self._start(run, want, cases, name, servers)
            for case in cases:
                self._case(run, case, servers)
                self._tell_who_cannot(run, case, peers)
        finally:
            with run.doing("stopping"):
                self.lab.drop(*servers)

    @staticmethod
    def _tell_who_cannot(run, case, peers):
        for name in peers:
            why = run.scenario.cannot(KNOWN[name], case)
            if why:
                run.cannot(case.name, name, why)

    def _case(self, run, case, servers):
        taking = [server for server in servers if takes_part(run.scenario, server, case)]
        with run.doing("filling"):
            taking = [server for server in taking if self._fill(run, case, server)]
        with run.doing("measuring"):
            for number in range(1, self.rounds_of(run.scenario) + 1):
                taking = [server for server in taking if self._round(run, case, server, number)]

    def _fill(self, run, case, server):
        """Whether it is ready to be measured."""
        scenario, rounds = run.scenario, self.rounds_of(run.scenario)
        self.progress.say(f"{scenario.name}: {case.name}: {server.title} is filled")
        ready = self._try(run, case, server, lambda: self._ready(server, case, scenario))
        if not ready:
            self.progress.skip(rounds, rounds * scenario.lasts(self.lab, case))
        self.progress.step(scenario.filling)
        return ready

    def _ready(self, server, case, scenario):
        if not server.is_alive():  # it has ended in the case before, and that was told
            server.stop()
            server.begin()
        scenario.fill(self.lab, server, case)

    def _round(self, run, case, server, number):
        """Whether it can be measured again."""
        scenario = run.scenario
        lasts, left = scenario.lasts(self.lab, case), self.rounds_of(scenario) - number
        self.progress.say(f"{scenario.name}: {case.name}: {server.title}, round {number}")
        fine = self._try(run, case, server, lambda: run.add(
            case.name, server.title, scenario.measure(self.lab, server, case)))
        if not fine:
            self.progress.skip(left, left * lasts)
        self.progress.step(lasts)
        return fine

    def _try(self, run, case, server, call):
        try:
            call()
            return True
        except TROUBLE as failed:
            ended = "" if server.is_alive() else "; it has ended"
            run.notes.append(f"{server.title}, {case.name}: {failed}{ended}")
            return False
