"""A certificate for loopback, for as long as a run takes."""
import os
import subprocess


class Certificate:
    def __init__(self, where):
        self.key, self.chain, self.both = (f"{where}/{name}.pem" for name in ("key", "cert", "both"))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "7", "-subj", "/CN=127.0.0.1", "-addext",
             "subjectAltName=IP:127.0.0.1", "-keyout", self.key, "-out", self.chain],
            check=True, capture_output=True)
        with open(self.both, "w", encoding="ascii") as both:
            for part in (self.chain, self.key):
                with open(part, encoding="ascii") as text:
                    both.write(text.read())
        for path in (self.key, self.chain, self.both):  # peers give up root
            os.chmod(path, 0o644)
