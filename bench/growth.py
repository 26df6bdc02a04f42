#!/usr/bin/env python3
"""What a tick and a configure cost as a stack grows from 15 to 40 instances, in one run on one stack.

usage: .venv/bin/python bench/growth.py [REPEATS]        about 15 minutes; brings up a stack named growth and removes it

A tick is scale.yml with nothing to do; configure.yml finds every file right already; then a stopped app instance comes
(start.yml), and the last column is what of it others cost: the part after it was let in. Times are wall seconds, the smallest of the repeats;
in brackets the ratio to the smallest stack.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".state/growth"
SIZES = (0, 10, 24)  # app instances beside the two that always run; the last one comes in the last column
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
    (WORK / "stack.yml").write_text(STACK.format(time=SIZES[-1] + 1, windows="\n".join(windows)))
    rows = []
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
    finally:
        play("destroy")
    print("\ninstances   tick           configure       one more        of it: others")
    for row in rows:
        cells = [f"{value:6.2f} s ({value / first:4.2f})" if first else f"{value:6.2f} s" for value, first in zip(row[1:], rows[0][1:], strict=True)]
        print(f"{row[0]:9}   {'  '.join(cells)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
