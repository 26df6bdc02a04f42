"""A running local stack: its inventory, its containers, and commands on its hosts."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import subprocess
import time
import urllib.request
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.trust.stack.plugins.module_utils.buyer import Inbox, Shop

ROOT = Path(__file__).resolve().parents[2]


class Stack:
    """One stack on this machine, found through its inventory file."""

    def __init__(self, inventory: str | Path) -> None:
        self.inventory = Path(inventory).resolve()

    @cached_property
    def data(self) -> dict[str, Any]:
        done = subprocess.run(["ansible-inventory", "-i", str(self.inventory), "--list"], capture_output=True, text=True, cwd=ROOT, check=True)
        return json.loads(done.stdout)

    def hosts(self, layer: str) -> list[str]:
        """The instances of a layer that ran when this stack was first looked at."""
        return [host for host in self.data[layer]["hosts"] if host not in self.offline]

    @property
    def offline(self) -> list[str]:
        return self.data.get("offline", {}).get("hosts", [])

    @property
    def all_hosts(self) -> list[str]:
        return [host for host in self.data["_meta"]["hostvars"] if host not in self.offline]

    def var(self, name: str, host: str = "lb-a-1") -> Any:
        return self.data["_meta"]["hostvars"][host][name]

    def address(self, host: str) -> str:
        return self.var("ansible_host", host)

    @property
    def virtual_ip(self) -> str:
        return self.var("stack_virtual_ip")

    @property
    def url(self) -> str:
        return f"http://{self.virtual_ip}"

    @cached_property
    def secrets(self) -> dict[str, str]:
        done = subprocess.run(
            ["ansible-vault", "view", "--vault-password-file", self.var("stack_vault_password_file"), self.var("stack_secrets_file")],
            capture_output=True, text=True, cwd=ROOT, check=True,
        )
        return {name: str(value) for name, value in yaml.safe_load(done.stdout).items()}

    def secret(self, name: str) -> str:
        return self.secrets[name]

    @cached_property
    def organiser(self) -> tuple[str, str]:
        return "organiser@example.org", self.secret("organiser")

    def shop(self, timeout: float = 30) -> Shop:
        return Shop(self.url, timeout)

    def inbox(self) -> Inbox:
        return Inbox(f"http://{self.address(self.hosts('mail')[0])}:8025")

    def ssh(self, host: str, command: str, check: bool = True, timeout: float = 60) -> str:
        """Standard output of a shell command on a host."""
        words = ["ssh", *self.var("ansible_ssh_common_args", host).split(), "-o", "ConnectTimeout=5", f"root@{self.address(host)}", command]
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, check=False)
        if check and done.returncode:
            raise AssertionError(f"{host}: `{command}` exited {done.returncode}: {done.stderr.strip()} {done.stdout.strip()}")
        return done.stdout

    def podman(self, *words: str) -> str:
        env = dict(os.environ)
        if conf := self.var("stack_containers_conf"):
            env["CONTAINERS_CONF"] = conf
        sudo = [] if os.geteuid() == 0 else ["sudo", "--preserve-env=CONTAINERS_CONF"]
        done = subprocess.run([*sudo, "podman", *words], capture_output=True, text=True, env=env, timeout=120, check=False)
        if done.returncode:
            raise AssertionError(f"podman {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def container(self, host: str) -> str:
        return f"{self.var('stack_name')}-{host}"

    def power_off(self, host: str) -> None:
        """As if somebody pulled the plug: no service inside gets to say goodbye."""
        self.podman("kill", "--signal", "KILL", self.container(host))

    def power_on(self, host: str) -> None:
        self.podman("start", self.container(host))
        wait_until(lambda: self._answers(host), f"{host} answers ssh")

    def _answers(self, host: str) -> bool:
        return self.ssh(host, "echo yes", check=False).strip() == "yes"

    def failing_play(self, *words: str, timeout: float = 900) -> str:
        """Output of ansible-playbook, which must go wrong."""
        done = self._ansible_playbook(words, ROOT, {}, timeout)
        assert done.returncode != 0, f"{' '.join(done.args)} went well\n{done.stdout[-6000:]}"
        return done.stdout + done.stderr

    def play(self, *words: str, cwd: str | Path = ROOT, env: dict[str, str] | None = None, timeout: float = 900) -> str:
        """Output of ansible-playbook, which must go well."""
        done = self._ansible_playbook(words, cwd, env or {}, timeout)
        assert done.returncode == 0, f"{' '.join(done.args)}\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def _ansible_playbook(self, words: tuple[str, ...], cwd: str | Path, env: dict[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
        command = ["ansible-playbook", "-i", str(self.inventory), *words]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", **env}   # molecule asks for colours
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=timeout, check=False)

    # What the runs remember.

    def state(self, name: str) -> dict[str, Any]:
        """A file of the state folder, as it is now."""
        path = Path(self.var("stack_state_dir")) / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def events(self) -> list[dict[str, Any]]:
        return self._lines("events")

    def drills(self) -> list[dict[str, Any]]:
        return self._lines("drills")

    def _lines(self, name: str) -> list[dict[str, Any]]:
        path = Path(self.var("stack_state_dir")) / f"{name}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def hook_events(self, host: str, since: float) -> list[tuple[float, str]]:
        """The lifecycle events in which the layer's own steps ran on the host since then: when, and which."""
        lines = self.ssh(host, "cat /var/lib/hook-events || true").splitlines()
        return [(float(at), event) for at, event in (line.split() for line in lines) if float(at) > since]

    def running(self) -> set[str]:
        """Instances whose machines run."""
        names = self.podman("ps", "--filter", f"name=^{self.var('stack_name')}-", "--format", "{{.Names}}").split()
        return {name.removeprefix(f"{self.var('stack_name')}-") for name in names}

    def release(self, host: str) -> str:
        """The digest of the release that `current` points at."""
        return self.ssh(host, "basename $(readlink -f /srv/boxoffice/current)").strip()

    # Who is what right now.

    def holders(self) -> list[str]:
        """The balancers that hold the virtual IP: one, when all is well."""
        return [h for h in self.hosts("lb") if self.virtual_ip + "/" in self.ssh(h, "ip -4 -o address show", check=False)]

    def active_balancer(self) -> str:
        holders = self.holders()
        assert len(holders) == 1, f"the virtual IP {self.virtual_ip} is held by {holders}, expected exactly one of {self.hosts('lb')}"
        return holders[0]

    def query(self, sql: str) -> str:
        """The first value of a query's answer (empty without one) through the one-writer endpoint, asked from an app host as the app asks."""
        program = (
            f"import pymysql; c = pymysql.connect(host={self.virtual_ip!r}, user='boxoffice', "
            f"password={self.secret('boxoffice_database')!r}, database='boxoffice', autocommit=True).cursor(); "
            f"c.execute({sql!r}); print((c.fetchone() or [''])[0])"
        )
        return self.ssh(self.hosts("app")[0], f"/srv/boxoffice/current/venv/bin/python -c {shlex.quote(program)}").strip()

    def database_writer(self) -> str:
        return self.query("select @@wsrep_node_name")

    def redis_master(self) -> str:
        text = self.ssh(self.hosts("arbiter")[0], "redis-cli -p 26379 sentinel get-master-addr-by-name stack")
        address = text.split()[0]
        return next(h for h in self.hosts("redis") if self.address(h) == address)

    # Is everything there, the seconds too?

    def missing(self) -> list[str]:
        """What is not in order, in words; empty when every layer has its second again."""
        found = []
        holders = self.holders()
        if len(holders) != 1:
            found.append(f"virtual IP held by {holders}")
        for host in self.hosts("lb"):
            found += [f"{host} sees {name} {state}" for name, state in self.servers(host).items()
                      if not state.startswith("UP") and name.split("/")[1] not in self.offline]
        for host in self.hosts("database"):
            size = self.ssh(host, "mariadb -N -e \"show status like 'wsrep_cluster_size'\"", check=False).split()
            if size[1:] != [str(len(self.hosts("database")) + len(self.hosts("arbiter")))]:
                found.append(f"{host} sees cluster size {size[1:]}")
        quorum = self.ssh(self.hosts("arbiter")[0], "redis-cli -p 26379 sentinel ckquorum stack; redis-cli -p 26379 info sentinel", check=False)
        wanted = f"status=ok,address={self.address(self.redis_master())}:6379,slaves={len(self.hosts('redis')) - 1},sentinels=3"
        if not quorum.startswith("OK 3") or wanted not in quorum:
            found.append(f"sentinels say {quorum.strip()[-160:]!r}")
        for host in self.hosts("worker"):
            states = self.ssh(host, "systemctl is-active boxoffice-worker boxoffice-relay boxoffice-watchdog", check=False).split()
            if states != ["active"] * 3:
                found.append(f"{host} units {states}")
        for host in self.hosts("memcached"):
            if self.ssh(host, "systemctl is-active memcached", check=False).strip() != "active":
                found.append(f"{host} memcached")
        return found

    def servers(self, balancer: str) -> dict[str, str]:
        """Server to its state, as one HAProxy sees it."""
        return {name: row["status"] for name, row in self._stats(balancer).items() if name.split("/")[0] in ("app", "database")}

    def stat(self, balancer: str, server: str, field: str) -> str:
        """One field of HAProxy's statistics, such as stot (connections so far)."""
        return self._stats(balancer)[server][field]

    def _stats(self, balancer: str) -> dict[str, dict[str, str]]:
        with urllib.request.urlopen(f"http://{self.address(balancer)}:8404/stats;csv", timeout=5) as answer:
            rows = csv.DictReader(io.StringIO(answer.read().decode().removeprefix("# ")))
            return {f"{row['pxname']}/{row['svname']}": row for row in rows if row["svname"] not in ("FRONTEND", "BACKEND")}

    def wait_until_whole(self, seconds: float = 150) -> None:
        problem: list[str] = ["not looked yet"]

        def look() -> bool:
            problem[:] = self.missing()
            return not problem

        try:
            wait_until(look, "the stack is whole", seconds, pause=1)
        except AssertionError as exc:
            raise AssertionError(f"after {seconds:.0f} s the stack is not whole: {'; '.join(problem)}") from exc


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 90, pause: float = 0.5) -> Any:
    """The condition's first true value; AssertionError naming what was waited for when it does not come."""
    end = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < end:
        try:
            if value := condition():
                return value
        except Exception as exc:  # noqa: BLE001  the reason is told at the end
            last = exc
        time.sleep(pause)
    raise AssertionError(f"waited {seconds:.0f} s in vain until {what}; last error: {last!r}")
