"""What check mode says is what happens: for settings of every layer and for a new release."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from support.slow_release import make
from support.stack import Stack

# One variable of each layer, each with another kind of file or service behind it.
SETTINGS = {
    "haproxy_maxconn": 4321,
    "keepalived_advert_interval": 0.3,
    "mariadb_max_connections": 310,
    "redis_maxmemory": "260mb",
    "sentinel_down_after": 1100,
    "memcached_memory": 72,
    "mail_sink_keep": 4000,
    "prometheus_retention": "14d",
    "node_exporter_collectors": ["cpu", "filesystem", "loadavg", "meminfo", "textfile", "uname"],
    "app_timeout": 59,
    "worker_stop_timeout": 129,
}

def changes(output: str) -> set[tuple[str, str]]:
    """(task, host) of each change, as the default output of ansible-playbook tells it."""
    found, task = set(), ""
    for line in output.splitlines():
        if heading := re.match(r"(?:TASK|RUNNING HANDLER) \[(.*?)\]", line):
            task = heading[1]
        elif change := re.match(r"changed: \[([^\] ]+)", line):
            found.add((task, change[1]))
    return found


def test_check_mode_foretells_every_change_of_a_real_run(stack: Stack, tmp_path: Path) -> None:
    words = ["playbooks/site.yml", "-e", f"release_source={make(tmp_path / 'app', 'foretold')}", "-e", json.dumps(SETTINGS)]
    try:
        foretold = changes(stack.play(*words, "--check"))
        done = changes(stack.play(*words))
        print(f"\nforetold: {len(foretold & done)} of {len(done)} changes", file=sys.stderr)
        assert sorted(done - foretold) == []
        assert sorted(foretold - done) == []
        assert len(done) > 40
    finally:
        stack.play("playbooks/site.yml")
