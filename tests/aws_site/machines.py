"""What EC2 has running runs as a container: with the same private address, the key that AWS was given, and its fixed public addresses.

moto keeps the books of AWS and has no machines. Whoever starts or stops an instance there starts or stops a container here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

NETWORK, CIDR, GATEWAY = "trust-aws-test", "10.20.0.0/16", "10.20.0.1"
SERVICES = "10.20.250.10"  # what RDS and ElastiCache would run
PORTS = (22, 80, 8404)  # of the balancers, at their public addresses
IMAGE = "localhost/trust-stack-aws:test"
# As Debian's image for EC2 has it: no root over ssh, admin with sudo. The CA stands for Amazon's own, which the image trusts.
BUILD = """\
FROM {base}
RUN apt-get update -q && apt-get install -qy --no-install-recommends sudo ca-certificates && useradd --create-home --shell /bin/bash admin \\
 && echo 'admin ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/admin && install -d -o admin -g admin -m 0700 /home/admin/.ssh
"""


class Podman:
    def __init__(self, conf: str) -> None:
        self.environment = os.environ | ({"CONTAINERS_CONF": conf} if conf else {})

    def __call__(self, *words: str, check: bool = True, given: str | None = None, timeout: float = 300) -> str:
        done = subprocess.run(["podman", *words], input=given, capture_output=True, text=True, env=self.environment, timeout=timeout, check=False)
        if check and done.returncode:
            raise AssertionError(f"podman {' '.join(words)}: {done.stderr.strip()} {done.stdout.strip()[-2000:]}")
        return done.stdout


class Machines(threading.Thread):
    """Looks at EC2 twice a second and does with containers what it says. `problem` is what went wrong, for the tests."""

    def __init__(self, podman: Podman, ec2: Any, names: dict[str, str], authority: Path) -> None:
        super().__init__(daemon=True)
        self.podman, self.ec2, self.names, self.authority = podman, ec2, names, authority
        self.running: dict[str, str] = {}  # id: address
        self.made: set[str] = set()
        self.ways: dict[str, Way] = {}
        self.problem = ""
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            try:
                self.look()
            except Exception as exc:  # noqa: BLE001 (a thread's error would be lost)
                self.problem = f"{type(exc).__name__}: {exc}"
            time.sleep(0.5)

    def look(self) -> None:
        wanted = {}
        for found in self.ec2.describe_instances()["Reservations"]:
            for one in found["Instances"]:
                name = next((tag["Value"] for tag in one.get("Tags", []) if tag["Key"] == "Name"), one["InstanceId"])
                wanted[one["InstanceId"]] = (one["State"]["Name"], one.get("PrivateIpAddress", ""), name)
        for key, (state, address, name) in wanted.items():
            if state in ("pending", "running") and key not in self.running:
                self.start_one(key, address, name)
            elif state in ("stopped", "stopping") and key in self.running:
                self.podman("stop", "--time", "10", key)
                del self.running[key]
            elif state == "terminated" and key in self.made:
                self.podman("rm", "--force", "--time", "0", key)
                self.made.discard(key)
                self.running.pop(key, None)
        for one in self.ec2.describe_addresses()["Addresses"]:
            address, key = one["PublicIp"], one.get("InstanceId", "")
            if key and address not in self.ways:
                self.ways[address] = Way(address, wanted[key][1])
                self.ways[address].start()

    def start_one(self, key: str, address: str, name: str) -> None:
        if key not in self.made:
            hosts = [part for host in self.names for part in ("--add-host", f"{host}:{self.names[host]}")]
            mac = "02:74:" + ":".join(f"{int(part):02x}" for part in address.split("."))
            self.podman("create", "--name", key, "--hostname", name, "--network", NETWORK, "--ip", address, "--mac-address", mac, *hosts,
                        "--systemd", "always", "--cap-add", "NET_ADMIN,NET_RAW", "--label", NETWORK, IMAGE)  # fmt: skip
            self.podman("cp", str(self.authority), f"{key}:/usr/local/share/ca-certificates/test.crt")
            self.made.add(key)
        self.podman("start", key)
        keys = [one["PublicKey"] for one in self.ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]]
        script = "cat > /home/admin/.ssh/authorized_keys; chown admin:admin /home/admin/.ssh/authorized_keys; update-ca-certificates"
        self.podman("exec", "--interactive", key, "sh", "-c", script, given="\n".join(keys) + "\n")
        self.running[key] = address

    def kill(self, key: str) -> None:
        """As if the host below it had died: EC2 says that it is stopped."""
        self.podman("kill", "--signal", "KILL", key)
        self.running.pop(key, None)

    def end(self) -> None:
        self.ended.set()
        self.join(30)
        for way in self.ways.values():
            way.end()


class Way(threading.Thread):
    """An Elastic IP: what is sent to it comes out at the instance. moto's are loopback addresses of this machine."""

    def __init__(self, public: str, private: str) -> None:
        super().__init__(daemon=True)
        self.public, self.private = public, private
        self.loop = asyncio.new_event_loop()

    def run(self) -> None:
        asyncio.set_event_loop(self.loop)
        for port in PORTS:
            self.loop.run_until_complete(asyncio.start_server(lambda r, w, port=port: self.carry(r, w, port), self.public, port))
        self.loop.run_forever()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        try:
            there_reader, there_writer = await asyncio.wait_for(asyncio.open_connection(self.private, port), 3)
        except (OSError, TimeoutError):
            writer.close()
            return
        await asyncio.gather(self.copy(reader, there_writer), self.copy(there_reader, writer), return_exceptions=True)

    @staticmethod
    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        finally:
            with contextlib.suppress(RuntimeError):  # at the end of the tests the loop is gone
                writer.close()

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
