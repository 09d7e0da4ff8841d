"""A run in namespaces of its own for processes and network, where that may be had (as root): loopback
only, and what is left over ends with them, in whatever way the run ends."""
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

# Congestion control without pacing, which a namespace may always have. With BBR, some hosts' choice, it
# is timers that send over loopback, and the processor time of a large body is what they cost.
START = """mkdir -p /run/netns && mount -t tmpfs netns /run/netns && ip link set lo up &&
{ sysctl -qw net.ipv4.tcp_congestion_control=reno || :; } && exec "$@" """
# Whoever waits for the namespaces ends with this process, and they end with whoever waits for them.
HOW = ["setpriv", "--pdeathsig", "KILL", "unshare", "--fork", "--pid", "--mount-proc", "--net",
       "--kill-child=KILL"]
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def possible():
    return subprocess.run([*HOW, "true"], capture_output=True, check=False).returncode == 0


def call(command, env=None):
    """Runs it; its status, or 128 and the number of the signal by which this process was told to end."""
    enclosed = possible()
    told = []
    child = None

    def end(number, _):
        told.append(number)
        if child:  # unshare hears nothing else, and all that is in the namespaces goes at once
            child.send_signal(signal.SIGKILL if enclosed else signal.SIGTERM)

    before = {number: signal.signal(number, end) for number in ENDING}
    try:
        child = subprocess.Popen([*HOW, "sh", "-c", START, "sh", *command] if enclosed else command,
                                 env=env)
        if told:
            end(told[0], None)
        status = child.wait()
        return 128 + told[0] if told else status
    finally:
        if child:
            child.kill()
            child.wait()
        for number, handler in before.items():
            signal.signal(number, handler)


class Folder:
    """A temporary folder, locked for as long as this process lives: what runs that were killed have
    left is known by its lock, which nobody has, and goes."""

    def __init__(self, name, parent):
        self.name, self.parent = name, parent

    def __enter__(self):
        for old in pathlib.Path(self.parent).glob(f"{self.name}.*"):
            self._drop_if_left(old)
        self.path = tempfile.mkdtemp(prefix=f"{self.name}.", dir=self.parent)
        self.lock = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        os.chmod(self.path, 0o755)  # peers give up root
        return self.path

    @staticmethod
    def _drop_if_left(path):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            return
        try:
            if os.fstat(fd).st_mode & 0o055:  # before that nobody has locked it yet
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass  # somebody's who is at work
        finally:
            os.close(fd)

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)
