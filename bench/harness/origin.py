"""The origin: nginx, on the cores of the load, so that a cache pays for itself alone."""
import os
import re
import urllib.request

from harness.processes import Program, free_port, write
from harness.template import fill

SIZES = (100, 1024, 4096, 10240, 11900, 65536, 102400, 1 << 20, 10 << 20)


def prepare(where, listen):
    """Writes its files; returns the command."""
    os.makedirs(f"{where}/files", exist_ok=True)
    for size in SIZES:
        write(f"{where}/files/{size}", "x" * size)
    write(f"{where}/config", fill("nginx-origin.conf", {"DIR": where, "LISTEN": listen}))
    return ["nginx", "-c", f"{where}/config"]


class Origin(Program):
    def __init__(self, where, cores):
        self.port = free_port()
        super().__init__("origin", prepare(where, f"127.0.0.1:{self.port}"), where, cores)

    def ports(self):
        return {"PORT": self.port}

    def begin(self):
        self.start()
        return self.await_port(self.port)

    def asked(self):
        """Requests so far, this one not among them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/count", timeout=30) as page:
            text = page.read().decode()
        return int(re.search(r"\n\s*\d+ \d+ (\d+)", text)[1]) - self._own()

    _looks = 0

    def _own(self):
        self._looks += 1
        return self._looks
