"""A run in namespaces of its own for processes, network and mounts, where that may be had (as root):
loopback only, a new file system, and what is left over ends with them, in whatever way the run ends."""
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
INSIDE = "LARDER_BENCH_ENCLOSED"
DISK_MOST = 64 << 30  # bytes; the file has holes
DISK_LEAST = 1 << 30


def possible():
    return succeeds([*HOW, "true"])


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
                                 env={**(env or os.environ), **({INSIDE: "1"} if enclosed else {})})
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


def disk(where):
    """A folder with a file system of its own in a file of `where`, or `where` itself, if that cannot be.

    Stores of peers are a file for each object, and what these cost is the file system's: how it was
    made and mounted, and what was removed from it before. ext4 without a journal, on which some rented
    machines run, takes ten times as long to make a file after others were removed, and discards the
    blocks of each that is. A new ext4 with Debian's defaults is the same for every run."""
    room = shutil.disk_usage(where).free * 9 // 10
    if not os.environ.get(INSIDE) or room < DISK_LEAST:
        return where
    image, folder = os.path.join(where, "disk.img"), os.path.join(where, "disk")
    os.makedirs(folder)
    with open(image, "wb") as file:
        file.truncate(min(room, DISK_MOST))
    for command in (["mkfs.ext4", "-qF", "-m0", image], ["mount", "-o", "loop", image, folder]):
        if not succeeds(command):
            os.unlink(image)
            return where
    device = subprocess.run(["findmnt", "-no", "SOURCE", folder], capture_output=True, text=True,
                            check=False).stdout.strip()
    succeeds(["losetup", "--direct-io=on", device])  # its pages are cached once, not twice
    return folder


def succeeds(command):
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


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
