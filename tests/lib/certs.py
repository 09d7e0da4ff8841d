"""Certificates for the scenario scripts, made by openssl(1) in a folder of the script."""
import pathlib
import shutil
import subprocess
import sys


class Certs:
    """`folder`/NAME.pem and NAME.key; ca.pem has signed them all."""

    def __init__(self, folder):
        if not shutil.which("openssl"):
            print("skipped: openssl is not there")
            sys.exit(77)
        self.folder = pathlib.Path(folder)
        self.self_signed("ca", "CN=ca of the tests")
        self.self_signed("other", "CN=an authority that nobody trusts")

    def path(self, name):
        return str(self.folder / name)

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def key(self, name, rsa=False):
        kind = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"] if rsa else \
            ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        self.openssl("genpkey", *kind, "-out", f"{name}.key")

    def self_signed(self, name, subject, names=None):
        self.key(name)
        extra = ["-addext", f"subjectAltName={names}"] if names else []
        self.openssl("req", "-x509", "-key", f"{name}.key", "-days", "90", "-subj", f"/{subject}",
                     "-out", f"{name}.pem", *extra)

    def sign(self, name, names, days=90, rsa=False):
        """For `names` such as "DNS:a.test,IP:127.0.0.1"; days -1: it has expired."""
        self.key(name, rsa)
        self.openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}",
                     "-out", f"{name}.csr")
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={names}\n")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                     "-CAcreateserial", "-days", str(days), "-extfile", f"{name}.ext",
                     "-out", f"{name}.pem")
