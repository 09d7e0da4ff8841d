"""Processes that take over one from the other, with --takeover."""
import pathlib
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
