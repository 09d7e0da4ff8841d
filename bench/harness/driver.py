"""Runs scenarios in rounds, and says how far it is."""
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

    def skip(self, steps, seconds):
        """What will not be done."""
        self.steps -= steps
        self.seconds -= seconds

    def clear(self):
        if self.terminal:
            sys.stderr.write("\r\x1b[K")


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
    """What came of a scenario: rows[(case, peer)] = {key: [a value each round]}."""

    def __init__(self, scenario):
        self.scenario = scenario
        self.rows, self.notes = {}, []

    def add(self, case, peer, measured):
        row = self.rows.setdefault((case, peer), {})
        for column in self.scenario.columns:
            value = measured.get(column.key)
            if value is not None:
                row.setdefault(column.key, []).append(value)

    def described(self):
        scenario = self.scenario
        return {"name": scenario.name, "title": scenario.title, "kind": scenario.kind,
                "about": scenario.about, "page": scenario.page, "notes": self.notes,
                "columns": [column.described() for column in scenario.columns],
                "rows": [{"case": case, "peer": peer, "values": values}
                         for (case, peer), values in self.rows.items()]}


def suits(want, name):
    """Whether it can do what a group wants of servers."""
    return not want or KNOWN[name].suits(want)


def takes_part(scenario, server, case):
    return getattr(scenario, "takes_part", lambda *_: True)(server, case)


class Driver:
    def __init__(self, lab, rounds, wanted):
        self.lab, self.rounds, self.wanted = lab, rounds, wanted
        self.progress = None

    def cases_of(self, scenario):
        return [(want, [case for case in cases if case.quick or not self.lab.quick])
                for want, cases in scenario.groups(self.lab)]

    def rounds_of(self, scenario):
        return 1 if getattr(scenario, "once", False) else self.rounds

    # ---- how long it will take ----

    def _of_case(self, scenario, case):
        """(steps, seconds) of a server in a case: it is filled, then measured in rounds."""
        rounds = self.rounds_of(scenario)
        return 1 + rounds, scenario.filling + rounds * scenario.lasts(self.lab, case)

    def _of(self, scenario):
        if getattr(scenario, "whole", False):
            return scenario.parts(self.lab), scenario.lasts(self.lab)
        peers, _ = peers_of(scenario, self.wanted, self.lab.build)
        each = [self._of_case(scenario, case) for want, cases in self.cases_of(scenario)
                for case in cases for name in peers
                if suits(want, name) and takes_part(scenario, KNOWN[name], case)]
        return sum(steps for steps, _ in each), sum(seconds for _, seconds in each)

    def _skip(self, scenario, server, cases):
        for case in cases:
            if takes_part(scenario, server, case):
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
                except Failed as failed:
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
        if getattr(run.scenario, "whole", False):
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

    def _start(self, run, want, cases, peers):
        servers = []
        for name in peers:
            if not suits(want, name):
                continue
            server = None
            try:
                server = self.lab.server(name, run.scenario, want)
                servers.append(server.begin())
            except (Failed, OSError) as failed:
                run.notes.append(f"{name} did not take part: {failed}")
                self._skip(run.scenario, KNOWN[name], cases)
                if server:
                    self.lab.drop(server)
        return servers

    def _group(self, run, want, cases, peers):
        if getattr(run.scenario, "once", False):  # one after the other: they are large
            for name in peers:
                self._servers(run, want, cases, [name])
        else:
            self._servers(run, want, cases, peers)

    def _servers(self, run, want, cases, peers):
        servers = self._start(run, want, cases, peers)
        try:
            for case in cases:
                self._case(run, case, servers)
        finally:
            for server in servers:
                self.lab.drop(server)

    def _case(self, run, case, servers):
        scenario, taking = run.scenario, []
        rounds, lasts = self.rounds_of(scenario), scenario.lasts(self.lab, case)
        for server in servers:
            if takes_part(scenario, server, case):
                self.progress.say(f"{scenario.name}: {case.name}: {server.title} is filled")
                if self._try(run, case, server, lambda s=server: scenario.fill(self.lab, s, case)):
                    taking.append(server)
                else:
                    self.progress.skip(rounds, rounds * lasts)
                self.progress.step(scenario.filling)
        for round_ in range(rounds):
            for server in list(taking):
                self.progress.say(f"{scenario.name}: {case.name}: {server.title}, "
                                  f"round {round_ + 1}")
                if not self._try(run, case, server, lambda s=server: run.add(
                        case.name, s.title, scenario.measure(self.lab, s, case))):
                    taking.remove(server)
                    self.progress.skip(rounds - round_ - 1, (rounds - round_ - 1) * lasts)
                self.progress.step(lasts)

    def _try(self, run, case, server, call):
        try:
            call()
            return True
        except (Failed, OSError, subprocess.SubprocessError) as failed:
            run.notes.append(f"{server.title}, {case.name}: {failed}")
            return False
