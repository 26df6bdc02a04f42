"""The whole stack with provider ec2: moto keeps AWS' books, containers are its machines. Made once, by the playbooks, as a founder runs them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import services
from machines import BUILD, CIDR, GATEWAY, IMAGE, NETWORK, SERVICES, Machines, Podman
from support.aws import ROOT, Aws, Node

NAMES = [  # as moto names them
    "shop-database.aaaaaaaaaa.eu-west-1.rds.amazonaws.com", "master.shop-redis.abc123.euw1.cache.amazonaws.com",
    "shop-memcached.abc123.cfg.euw1.cache.amazonaws.com"]  # fmt: skip


class Site(Node):
    def __init__(self, folder: Path, aws: Aws, podman: Podman, machines: Machines) -> None:
        super().__init__(folder, aws)
        self.podman, self.machines = podman, machines

    def run(self, book: str, *words: str, check: bool = True) -> str:
        began = time.monotonic()
        process = self.begin(book, *words, callback="trust.stack.phases")
        said, _none = process.communicate(timeout=1200)
        print(f"{book}.yml {' '.join(words)}: {time.monotonic() - began:.0f} s, {said.strip().splitlines()[-1] if said.strip() else ''}")
        assert not check or process.returncode == 0, f"{said[-8000:]}\n{self.machines.problem}"
        return said

    def id(self, name: str) -> str:
        return self.made["instances"][name]["id"]

    def state(self, name: str) -> str:
        found = self.aws.client("ec2").describe_instances(InstanceIds=[self.id(name)])["Reservations"]
        return found[0]["Instances"][0]["State"]["Name"]

    def inside(self, name: str, command: str, check: bool = True) -> str:
        return self.podman("exec", self.id(name), "sh", "-c", command, check=check)

    def servers(self, balancer: str = "lb-a-1") -> dict[str, str]:
        """Each app server as the balancer sees it, by its page at the public address."""
        address = self.made["instances"][balancer]["public"]
        page = urllib.request.urlopen(f"http://{address}:8404/;csv", timeout=5).read().decode()
        rows = [line.split(",") for line in page.splitlines()]
        status = rows[0].index("status")
        return {row[1]: row[status] for row in rows[1:] if row[0] == "app" and row[1] != "BACKEND"}

    def mails(self) -> list[dict[str, Any]]:
        return json.loads(urllib.request.urlopen(f"{self.aws.url}/_mails", timeout=10).read())


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("aws-site")
    words = ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}", "-e", f"folder={folder}"]
    subprocess.run([*words, str(Path(__file__).with_name("prepare.yml"))], check=True, cwd=ROOT, capture_output=True)
    machine = json.loads((folder / "machine.json").read_text(encoding="utf-8"))
    podman = Podman(machine["containers_conf"])
    clear(podman)
    podman("build", "--tag", IMAGE, "--file", "-", ".", given=BUILD.format(base=machine["image"]), timeout=600)
    podman("network", "create", "--label", NETWORK, "--subnet", CIDR, "--gateway", GATEWAY, NETWORK)
    services.certificates(folder, NAMES)
    services.start(podman, IMAGE)
    (folder / ".state").mkdir(mode=0o700)
    (folder / ".state/machine.json").write_text(json.dumps({"mount_namespaces": machine["mount_namespaces"]}), encoding="utf-8")
    (folder / "stack.yml").write_text(Path(__file__).with_name("stack.yml").read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "rds-ca.pem").write_bytes((folder / "ca.pem").read_bytes())
    with Aws(GATEWAY) as aws:
        aws.client("sesv2").create_email_identity(EmailIdentity="tickets@example.com")
        machines = Machines(podman, aws.client("ec2"), dict.fromkeys(NAMES, SERVICES), folder / "ca.pem")
        machines.start()
        one = Site(folder, aws, podman, machines)
        one.run("provision")
        assert {one.made[what]["host"] for what in ("database", "redis", "memcached")} == set(NAMES)
        secrets = one.secrets()
        services.serve(podman, folder, secrets["boxoffice_database"], secrets["redis"])
        yield one
        machines.end()
    clear(podman)


def clear(podman: Podman) -> None:
    found = podman("ps", "--all", "--quiet", "--filter", f"label={NETWORK}").split()
    if found:
        podman("rm", "--force", "--time", "0", *found)
    podman("network", "rm", "--force", NETWORK, check=False)


def changed(said: str) -> int:
    return int(re.findall(r"changed=(\d+)", said)[-1])
