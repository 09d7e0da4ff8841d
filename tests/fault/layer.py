"""The layer of faults under a proxy: Layer prepares the environment, then arms and disarms rules
while the proxy runs. Structs and meanings: faultlib.h."""
import errno
import mmap
import os
import pathlib
import random
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402

MAGIC = 0x544c4146
CALLS = ("open", "read", "pread", "write", "pwrite", "fsync", "fdatasync", "msync", "truncate",
         "fallocate", "rename", "unlink", "sendfile", "mincore", "mmap")
EFFECTS = ("fail", "fail-after", "short", "slow", "cold")
FOREVER = 0xffffffff
HEAD = struct.Struct("<IIqQ32Q")
RULE = struct.Struct("<IIIIIIIII28x64s")
RULES = 16
ATTACHED, WALL = 4, 8  # offsets in the control block


def need(build):
    """Skips the test where the layer cannot be. ThreadSanitizer follows descriptors from open to
    close and takes a number that is used again for a race, when the calls in between are ours."""
    program = pathlib.Path(build) / "proxy" / "larder-proxy"
    larder.need(program)
    if b"libtsan" in program.read_bytes():
        print("skipped: no layer under ThreadSanitizer")
        sys.exit(77)


class Rule:
    """An armed rule; `struck` counts. Use it in a `with` to disarm it at the end."""

    def __init__(self, layer, number):
        self.layer, self.number = layer, number
        self.at = HEAD.size + number * RULE.size

    @property
    def struck(self):
        return struct.unpack_from("<I", self.layer.block, self.at + 32)[0]

    def disarm(self):
        struct.pack_into("<I", self.layer.block, self.at, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.disarm()


class Layer:
    """For one proxy at a time, whose store lies below `directory`. A journal is written to
    `journal`, if given."""

    def __init__(self, build, directory, journal=None):
        self.library = pathlib.Path(build) / "tests" / "fault" / "faultlib.so"
        self.directory = os.path.realpath(directory)
        self.path = f"{self.directory}.control"
        with open(self.path, "wb") as stream:
            stream.write(HEAD.pack(MAGIC, 0, 0, random.getrandbits(60), *[0] * 32))
            stream.write(bytes(RULES * RULE.size))
        with open(self.path, "r+b") as stream:
            self.block = mmap.mmap(stream.fileno(), 0)
        self.journal = journal

    def environment(self):
        env = dict(os.environ, LD_PRELOAD=str(self.library), FAULT_DIR=self.directory,
                   FAULT_CONTROL=self.path)
        if self.journal:
            env["FAULT_JOURNAL"] = self.journal
        # The layer is preloaded, so a sanitizer's library is not the first: that is meant.
        env["ASAN_OPTIONS"] = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"),
                                                     "verify_asan_link_order=0")))
        return env

    def rule(self, calls, error=errno.EIO, effect="fail", skip=0, count=FOREVER, chance=1.0,
             delay=0.0, pattern="*"):
        """Arms a rule: `calls` is a name or several; after `skip` matching calls each further one is
        struck by `chance`, `count` times in all; `delay` in seconds."""
        names = [calls] if isinstance(calls, str) else calls
        bits = sum(1 << CALLS.index(name) for name in names)
        for number in range(RULES):
            at = HEAD.size + number * RULE.size
            if struct.unpack_from("<I", self.block, at)[0]:
                continue
            RULE.pack_into(self.block, at, 0, bits, error, EFFECTS.index(effect), skip, count,
                           int(chance * 65536), int(delay * 1e6), 0, pattern.encode())
            struct.pack_into("<I", self.block, at, 1)
            return Rule(self, number)
        raise SystemExit("too many rules")

    def disarm(self):
        for number in range(RULES):
            Rule(self, number).disarm()

    def wall(self, seconds):
        """The wall clock is wrong by so much from now on."""
        struct.pack_into("<q", self.block, WALL, int(seconds * 1000))

    def calls(self):
        """How often each call was made on watched files, by name."""
        counts = struct.unpack_from("<32Q", self.block, 24)
        return dict(zip(CALLS, counts))

    def is_attached(self, process):
        return struct.unpack_from("<I", self.block, ATTACHED)[0] == process.pid


class Proxy(larder.Proxy):
    """A larder-proxy above a Layer; skips the test where the layer cannot be preloaded."""

    def __init__(self, layer, program, store, *options):
        super().__init__(program, store, *options)
        self.layer = layer

    def popen(self):
        return subprocess.Popen(self.command, env=self.layer.environment())

    def start(self):
        super().start()
        if not self.layer.is_attached(self.process):
            print("skipped: the layer was not preloaded")
            self.process.kill()
            sys.exit(77)
