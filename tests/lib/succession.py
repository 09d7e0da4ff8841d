"""Processes that take over one from the other, with --takeover."""
import ctypes
import os
import pathlib
import re
import signal
import subprocess
import time

import raw

PATIENCE = 90
check = raw.Checks()


def until(what, probe):
    end = time.monotonic() + PATIENCE
    while not probe():
        if time.monotonic() > end:
            check(False, f"not within {PATIENCE} s: {what}")
            return False
        time.sleep(0.02)
    return True


def adopt_orphans():
    """Those that a process of ours leaves behind are ours (PR_SET_CHILD_SUBREAPER)."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


class Adopted:
    """A process that another one has started, and has left to us."""

    def __init__(self, pid):
        self.pid, self.returncode = pid, None

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, patience):
        end = time.monotonic() + patience
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(str(self.pid), patience)
            time.sleep(0.01)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class Old:
    """Processes one after the other, with one configuration."""

    def __init__(self, program, config, folder, environment=None):
        self.command = [str(program), "--config", str(config)]
        self.log = open(folder / "log", "w+")
        self.environment = environment
        self.process = self.managed() if environment else self.popen()
        self.gone = []

    def managed(self):
        """As a service manager starts the first one; the others have its environment."""
        process = subprocess.Popen(
            ["bash", "-c", 'export WATCHDOG_PID=$$; exec "$@"', "service", *self.command],
            stderr=self.log, env=self.environment)
        self.environment["WATCHDOG_PID"] = str(process.pid)
        return process

    def popen(self, *options):
        return subprocess.Popen([*self.command, *options], stderr=self.log, env=self.environment)

    def said(self):
        return pathlib.Path(self.log.name).read_text()

    def logged(self, event):
        return self.said().count(f" {event} ")

    def replace(self):
        served = self.logged("takeover")
        self.gone.append(self.process)
        self.process = self.popen("--takeover")
        until("the older one learns it", lambda: self.logged("takeover") > served
              or self.process.poll() is not None)
        check(self.process.poll() is None, f"the newer one ended: {self.process.returncode}")

    def upgrade(self, larderctl, *options, good=True):
        """By larderctl; what it says."""
        adopt_orphans()
        told = subprocess.run([larderctl, "upgrade", *options], env=self.environment, text=True,
                              timeout=PATIENCE, capture_output=True)
        process = re.search(r": process (\d+) serves now", told.stdout)
        if check(bool(process) == good and (told.returncode == 0) == good, f"upgrade: {told}"):
            if good:
                self.gone.append(self.process)
                self.process = Adopted(int(process[1]))
        return told.stderr

    def fail(self, *options):
        """A newer one that is not good at all, and one that fails late."""
        for option in options:
            process = self.popen("--takeover", option)
            check(process.wait(PATIENCE) != 0, f"{option} was taken")
        check(self.process.poll() is None, "the failure of another ended it")

    def end(self):
        for process in self.gone:
            try:
                check(process.wait(PATIENCE) == 0, f"an older one ended with {process.returncode}")
            except subprocess.TimeoutExpired:
                check(False, f"process {process.pid} has not ended")
        self.process.terminate()
        check(self.process.wait(PATIENCE) == 0, f"it ended with {self.process.returncode}")

    def kill(self):
        for process in [*self.gone, self.process]:
            process.kill()
