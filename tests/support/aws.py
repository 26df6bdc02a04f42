"""AWS for tests: moto's server as a process of its own, and what ansible-playbook needs to ask it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-west-1"


class Aws:
    """A context manager: the server lives as long as the block."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host

    def __enter__(self) -> Aws:
        with socket.socket() as free:
            free.bind((self.host, 0))
            port = free.getsockname()[1]
        self.url = f"http://{self.host}:{port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.url, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
            # Ansible hides credentials wherever their letters stand in its output: they must be like nothing else.
            "AWS_ACCESS_KEY_ID": "AKIAFAKESTACK01", "AWS_SECRET_ACCESS_KEY": "not-a-secret-at-all-01",
        }  # fmt: skip
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        command = [sys.executable, str(ROOT / "tests/aws/server.py"), "-H", self.host, "-p", str(port)]
        self.server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while True:
            try:
                self.reset()
                return self
            except OSError as exc:
                if time.monotonic() > end or self.server.poll() is not None:
                    self.__exit__()
                    raise AssertionError(f"moto's server does not answer on {self.url}: {exc}") from exc
                time.sleep(0.2)

    def __exit__(self, *_error: object) -> None:
        self.server.kill()
        self.server.wait()

    def _post(self, path: str, data: Any = None) -> None:
        request = urllib.request.Request(self.url + path, json.dumps(data).encode() if data is not None else b"", method="POST")
        urllib.request.urlopen(request, timeout=10).read()

    def reset(self) -> None:
        """Forget everything, faults too."""
        self._post("/moto-api/reset")
        self._post("/_fault", [])
        self._post("/_busy", {})

    def fault(self, *faults: dict[str, Any]) -> None:
        """See tests/aws/server.py."""
        self._post("/_fault", list(faults))

    def busy(self, **looks: int) -> None:
        """For how many looks a service is busy with a change; see tests/aws/moto_states.py."""
        self._post("/_busy", looks)

    def client(self, service: str) -> Any:
        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION, aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"])  # fmt: skip

    def play(self, book: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a playbook on this machine against it."""
        environment = os.environ | self.environment | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_DEPRECATION_WARNINGS": "false"}
        command = ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}", str(book), *words]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=1200)


def outcome(done: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    """How much a playbook changed (-1: it was refused), and what was said, without line breaks."""
    said = " ".join(f"{done.stdout}{done.stderr or ''}".split())
    return -1 if done.returncode else int(re.findall(r"changed=(\d+)", said)[-1]), said


class Node:
    """A control node: a folder with the stack file, and what its runs remember beside it."""

    def __init__(self, folder: Path, aws: Aws) -> None:
        self.folder, self.aws = folder, aws

    def write(self, text: str) -> None:
        (self.folder / "stack.yml").write_text(text, encoding="utf-8")

    def begin(self, book: str, *words: str, callback: str = "ansible.builtin.default") -> subprocess.Popen[str]:
        """One of the project's playbooks, in a process group of its own; errors come with the output."""
        command = ["ansible-playbook", "-i", str(self.folder / "stack.yml"), str(ROOT / f"playbooks/{book}.yml"), *words]
        environment = os.environ | self.aws.environment | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        environment |= {"ANSIBLE_STDOUT_CALLBACK": callback, "ANSIBLE_FORCE_COLOR": "0"}
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)

    def secrets(self) -> dict[str, str]:
        state = self.folder / ".state"
        words = ["ansible-vault", "view", "--vault-password-file", str(state / "vault-password"), str(state / "secrets.yml")]
        shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        return dict(line.split(": ") for line in shown.splitlines() if ": " in line)

    @property
    def made(self) -> dict[str, Any]:
        return json.loads((self.folder / ".state/aws.json").read_text(encoding="utf-8"))
