"""Runs scenarios in rounds, and says how far it is."""
import sys
import time

from harness.caches import CACHES
from harness.processes import Failed
from harness.redirectors import REDIRECTORS


class Progress:
    """One line on a terminal that is written over, or lines where there is none; the time left from
    the pace so far."""

    def __init__(self, steps, each):
        self.steps, self.done, self.each = steps, 0, each
        self.began = time.monotonic()
        self.terminal = sys.stderr.isatty()

    def left(self):
        if self.done < 3:
            return (self.steps - self.done) * self.each
        return (time.monotonic() - self.began) / self.done * (self.steps - self.done)

    def say(self, text):
        left = int(self.left())
        line = f"[{self.done:3}/{self.steps}] {left // 60} min {left % 60:02} s left  {text}"
        sys.stderr.write(f"\r\x1b[K{line}" if self.terminal else f"{line}\n")
        sys.stderr.flush()

    def step(self, count=1):
        self.done += count

    def clear(self):
        if self.terminal:
            sys.stderr.write("\r\x1b[K")


def peers_of(scenario, wanted, build):
    """(those that take part, {those that cannot: why})"""
    known = {**CACHES, **REDIRECTORS}
    chosen, missing = [], {}
    for name in scenario.peers:
        kind = known[name]
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


class Driver:
    def __init__(self, lab, rounds, wanted):
        self.lab, self.rounds, self.wanted = lab, rounds, wanted
        self.progress = None

    def cases_of(self, scenario):
        return [(want, [case for case in cases if case.quick or not self.lab.quick])
                for want, cases in scenario.groups(self.lab)]

    def rounds_of(self, scenario):
        return 1 if getattr(scenario, "once", False) else self.rounds

    def steps(self, scenarios):
        count = 0
        for scenario in scenarios:
            if getattr(scenario, "whole", False):
                count += 10
                continue
            peers, _ = peers_of(scenario, self.wanted, self.lab.build)
            cases = sum(len(cases) for _, cases in self.cases_of(scenario))
            count += cases * len(peers) * self.rounds_of(scenario)
        return count

    def run(self, scenarios):
        """[Run, …]; a scenario that fails says so, and the others go on."""
        self.progress = Progress(self.steps(scenarios), self.lab.seconds + 2)
        runs = []
        for scenario in scenarios:
            run = Run(scenario)
            runs.append(run)
            why = scenario.ready(self.lab)
            if why:
                run.notes.append(f"not run: {why}")
                continue
            try:
                self._one(run)
            except Failed as failed:
                run.notes.append(f"ended early: {failed}")
            yield run
        self.progress.clear()

    def _one(self, run):
        if getattr(run.scenario, "whole", False):
            for case, peer, measured in run.scenario.rows(self.lab):
                self.progress.say(f"{run.scenario.name}: {case}")
                run.add(case, peer, measured)
            self.progress.step(10)
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

    def _start(self, run, want, peers):
        servers = []
        for name in peers:
            if want and want.mode not in CACHES[name].modes:
                self.progress.steps -= self.rounds_of(run.scenario)
                continue
            server = None
            try:
                server = self.lab.server(name, run.scenario, want)
                servers.append(server.begin())
            except (Failed, OSError) as failed:
                run.notes.append(f"{name} did not take part: {failed}")
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
        servers = self._start(run, want, peers)
        try:
            for case in cases:
                self._case(run, case, servers)
        finally:
            for server in servers:
                self.lab.drop(server)

    def _case(self, run, case, servers):
        scenario, taking = run.scenario, []
        for server in servers:
            if getattr(scenario, "takes_part", lambda *_: True)(server, case):
                self.progress.say(f"{scenario.name}: {case.name}: {server.title} is filled")
                if self._try(run, case, server, lambda s=server: scenario.fill(self.lab, s, case)):
                    taking.append(server)
        for round_ in range(self.rounds_of(scenario)):
            for server in list(taking):
                self.progress.say(f"{scenario.name}: {case.name}: {server.title}, "
                                  f"round {round_ + 1}")
                if not self._try(run, case, server, lambda s=server: run.add(
                        case.name, s.title, scenario.measure(self.lab, s, case))):
                    taking.remove(server)
                self.progress.step()

    def _try(self, run, case, server, call):
        try:
            call()
            return True
        except (Failed, OSError) as failed:
            run.notes.append(f"{server.title}, {case.name}: {failed}")
            return False
