"""Throw-away certificates. Needs the command openssl."""

import subprocess
from pathlib import Path

NAME = "service.example.test"  # what the certificates say, beside 127.0.0.1


class Authority:
    """A certificate authority of a test's own: `ca`, and a server's `certificate` and `key`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.ca = folder / f"{name}.pem"
        self.certificate = folder / f"{name}-server.pem"
        self.key = folder / f"{name}-server.key"
        ca_key, request = folder / f"{name}.key", folder / f"{name}.csr"
        new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        run("req", "-x509", *new_key, "-keyout", ca_key, "-out", self.ca, "-subj", f"/CN={name}")
        run("req", *new_key, "-keyout", self.key, "-out", request, "-subj", f"/CN={NAME}")
        names = folder / f"{name}.names"
        names.write_text(f"subjectAltName=DNS:{NAME},IP:127.0.0.1\n")
        signed = ("-CA", self.ca, "-CAkey", ca_key, "-CAcreateserial", "-extfile", names)
        run("x509", "-req", "-in", request, *signed, "-out", self.certificate)
        self.key.chmod(0o644)  # a server may run as a user of its own


def run(*words: object) -> None:
    command = ["openssl", *map(str, words)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603
