#!/usr/bin/env python3
"""What a tick and a configure cost as a stack grows from 15 to 40 instances, in one run on one stack.

usage: .venv/bin/python bench/growth.py [REPEATS]        about 25 minutes; brings up a stack named growth and removes it

A tick is scale.yml with nothing to do; configure.yml finds every file right already; then a stopped app instance comes
(start.yml), and the last column is what of it others cost: the part after it was let in. Times are wall seconds, the smallest of the repeats;
in brackets the ratio to the smallest stack. At the end a burst: 50 stopped app instances come in one run, and what is
counted is how often `configure` ran on each host, and whether the app of those that ran before was restarted.
"""

from __future__ import annotations

import collections
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".state/growth"
SIZES = (0, 10, 24)  # app instances beside the two that always run; the last one comes in the last column
BURST = 50
CONFIGURE = "/var/lib/configured"
HOOK = f"""\
- name: Note that configure ran
  ansible.builtin.shell: date +%s >> {CONFIGURE}
  changed_when: false
"""
STACK = """\
plugin: trust.stack.stack
stack: growth
provider: podman
zones: [a, b]
quorum_zone: c
state_dir: state
layers:
  lb: 2
  app:
    instances: {{always: 2, time: {time}}}
    schedule:
      windows:
{windows}
    variables: {{lifecycle_hooks: {{configure: [configure.yml]}}}}
  worker: 2
  database: 2
  redis: 2
  memcached: 2
  arbiter: 1
  monitor: 1
  mail: 1
"""
NOW = "2027-03-{:02}T10:00:00+00:00"  # a day for each size


def play(book: str, *words: str) -> tuple[float, str]:
    """Seconds, and what it said."""
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_STDOUT_CALLBACK": "trust.stack.phases", "ANSIBLE_FORCE_COLOR": "0"}
    command = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", str(WORK / "stack.yml"), f"playbooks/{book}.yml", *words]
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
    return time.monotonic() - began, done.stdout


def ask(hosts: str, command: str) -> dict[str, str]:
    """What a shell command says on each of the hosts."""
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    words = [str(ROOT / ".venv/bin/ansible"), "-i", str(WORK / "stack.yml"), hosts, "-m", "ansible.builtin.shell", "-a", command]
    said = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r"^(\S+) \| .* >>\n(.*)$", said, re.MULTILINE))


def burst() -> str:
    """All of them are set up and stopped; then they come in one burst."""
    everybody = ",".join(names(BURST))
    took, _said = play("start", "-e", f"start={everybody}")
    print(f"start.yml, up to {BURST} app instances, half of them fresh: {took:.0f} s", flush=True)
    play("stop", "-e", f"stop={everybody}")
    web = "systemctl show -P MainPID boxoffice-web"
    before = ask("app:!offline", web)
    began = time.time()
    took, _said = play("start", "-e", f"start={everybody}")
    runs = ask("app", f"awk '$1 >= {began:.0f}' {CONFIGURE} | wc -l")
    restarted = [host for host, pid in ask(",".join(before), web).items() if pid != before[host]]
    counts = sorted(collections.Counter(int(count) for count in runs.values()).items())
    told = ", ".join(f"{count} time{'s' * (count != 1)} on {hosts} hosts" for count, hosts in counts)
    return f"burst: {BURST} stopped instances came in {took:.0f} s; configure ran {told}; apps restarted: {', '.join(restarted) or 'none'}"


def names(count: int) -> list[str]:
    return [f"app-{zone}-{number}" for number in range(2, 2 + (count + 1) // 2) for zone in "ab"][:count]


def phase(said: str, name: str) -> float:
    """Seconds of one phase, from the last line of the run."""
    found = re.search(rf"{name} ([\d.]+) s", said.strip().splitlines()[-1])
    return float(found.group(1)) if found else 0.0


def main(repeats: int) -> None:
    WORK.mkdir(parents=True, exist_ok=True)
    windows = [f'        - {{name: day {day}, at: "2027-03-{day:02} 09:00", for: 120 min, instances: {2 + size}}}'
               for day, size in enumerate(SIZES, 1) if size]  # fmt: skip
    (WORK / "configure.yml").write_text(HOOK)
    (WORK / "stack.yml").write_text(STACK.format(time=BURST, windows="\n".join(windows)))
    rows, last = [], ""
    try:
        took, _said = play("site")
        print(f"site.yml, 15 instances from nothing: {took:.0f} s", flush=True)
        more = names(SIZES[-1] + 1)[-1]
        play("start", "-e", f"start={more}")  # from now on it is a stopped one at each size
        play("stop", "-e", f"stop={more}")
        for day, size in enumerate(SIZES, 1):
            now = ("-e", f"scale_now={NOW.format(day)}")
            if size:
                took, _said = play("start", "-e", f"start={','.join(names(size))}")
                print(f"start.yml, {len(names(size))} app instances in all: {took:.0f} s", flush=True)
            (WORK / "state/tick.json").unlink(missing_ok=True)  # the clock is made up
            play("scale", *now)
            tick = min(play("scale", *now)[0] for _ in range(repeats))
            configure = min(play("configure")[0] for _ in range(repeats))
            one, said = play("start", "-e", f"start={more}")
            play("stop", "-e", f"stop={more}")
            rows.append((15 + size, tick, configure, one, phase(said, "tell others")))
            print(f"{15 + size} instances: tick {tick:.2f} s, configure {configure:.1f} s, one more {one:.1f} s", flush=True)
        last = burst()
    finally:
        play("destroy")
    print("\ninstances   tick           configure       one more        of it: others")
    for row in rows:
        cells = [f"{value:6.2f} s ({value / first:4.2f})" if first else f"{value:6.2f} s" for value, first in zip(row[1:], rows[0][1:], strict=True)]
        print(f"{row[0]:9}   {'  '.join(cells)}")
    print(f"\n{last}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
