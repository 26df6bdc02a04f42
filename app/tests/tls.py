"""Throw-away certificates. Needs the command openssl."""

import subprocess
from pathlib import Path

# All that a strict check wants (Python's own from 3.13 on).
CONFIG = """[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
subjectAltName = DNS:service.example.test, IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""
NAME = "service.example.test"  # what the certificates say, beside 127.0.0.1


class Authority:
    """A certificate authority of a test's own: `ca`, and a server's `certificate` and `key`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.ca = folder / f"{name}.pem"
        self.certificate = folder / f"{name}-server.pem"
        self.key = folder / f"{name}-server.key"
        ca_key, request = folder / f"{name}.key", folder / f"{name}.csr"
        config = folder / f"{name}.cnf"
        config.write_text(CONFIG)
        new_key = ("-config", config, "-newkey", "ec", "-nodes")
        new_key += ("-pkeyopt", "ec_paramgen_curve:prime256v1")
        own = ("-x509", "-extensions", "authority", "-subj", f"/CN={name}")
        run("req", *own, *new_key, "-keyout", ca_key, "-out", self.ca)
        run("req", *new_key, "-keyout", self.key, "-out", request, "-subj", f"/CN={NAME}")
        signed = ("-CA", self.ca, "-CAkey", ca_key, "-CAcreateserial")
        signed += ("-extfile", config, "-extensions", "server")
        run("x509", "-req", "-in", request, *signed, "-out", self.certificate)
        self.key.chmod(0o644)  # a server may run as a user of its own


def run(*words: object) -> None:
    command = ["openssl", *map(str, words)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603
