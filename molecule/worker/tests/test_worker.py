import re

import pytest

testinfra_hosts = ["ansible://worker-a-1"]

WORKER = "boxoffice-worker.service"
UNITS = (WORKER, "boxoffice-relay.service", "boxoffice-watchdog.service")


def show(host, name, unit=WORKER):
    return host.check_output(f"systemctl show --property={name} --value {unit}")


def until(host, condition, seconds=60):
    """Wait on the host until the shell condition holds."""
    loop = f"for i in $(seq {seconds * 2}); do {condition} && exit 0; sleep 0.5; done; exit 1"
    result = host.run(loop)
    if result.rc:
        raise AssertionError(host.check_output("journalctl --no-pager --lines=40 --unit='boxoffice-*'"))


def heartbeat(host):
    """The worker runs a canary that the watchdog sent after this moment."""
    host.check_output("mariadb boxoffice --execute 'DELETE FROM worker_heartbeat'")
    name = host.backend.get_hostname()
    query = f'SELECT COUNT(*) FROM worker_heartbeat WHERE host = "{name}"'
    until(host, f"""test "$(mariadb --skip-column-names boxoffice --execute '{query}')" = 1""")


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_runs_and_comes_back_after_a_reboot(host, unit):
    assert host.service(unit).is_running
    assert host.service(unit).is_enabled


def test_every_unit_runs_the_current_release(host):
    current = host.check_output("readlink --canonicalize /srv/boxoffice/current")
    for unit in UNITS:
        assert f"{current}/venv/bin/" in host.check_output(f"cat /proc/{show(host, 'MainPID', unit)}/cmdline"), unit


def test_the_worker_executes_what_the_watchdog_sends(host):
    heartbeat(host)


@pytest.mark.parametrize("unit", UNITS)
def test_a_killed_unit_comes_back(host, unit):
    before = show(host, "MainPID", unit)
    host.check_output(f"systemctl kill --signal=KILL {unit}")
    until(host, f'test "$(systemctl show --property=MainPID --value {unit})" -ne 0')
    assert show(host, "MainPID", unit) != before


def test_a_restarted_worker_ends_its_tasks_first(host):
    assert show(host, "KillMode") == "mixed"
    assert show(host, "TimeoutStopUSec") == "2min 10s"
    heartbeat(host)
    host.check_output(f"systemctl restart {WORKER}")
    assert "Warm shutdown" in host.check_output(f"journalctl --no-pager --lines=40 --unit={WORKER}")
    heartbeat(host)


def test_the_watchdog_restarts_a_frozen_worker(host):
    heartbeat(host)
    before = show(host, "MainPID")
    host.check_output(f"systemctl kill --signal=STOP {WORKER}")
    changed = f'p=$(systemctl show --property=MainPID --value {WORKER}); test "$p" -ne 0 -a "$p" -ne {before}'
    until(host, changed, seconds=120)
    heartbeat(host)


def test_no_unit_has_rights_it_does_not_need(host):
    for unit, user in zip(UNITS, ("boxoffice", "boxoffice", "root"), strict=True):
        pid = show(host, "MainPID", unit)
        status = host.check_output(f"cat /proc/{pid}/status")
        assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE), unit
        assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE), unit
        assert host.check_output(f"ps --no-headers -o user= {pid}") == user


@pytest.mark.parametrize("unit", UNITS)
def test_the_units_are_hardened(host, unit):
    line = host.check_output(f"systemd-analyze security --no-pager {unit} | tail --lines=1")
    assert float(re.search(r"[0-9]+\.[0-9]+", line)[0]) <= 2.5, line
