"""The timer on a machine with systemd, with two commands that write a line when they begin and when they end."""

import os
import subprocess
import time

import pytest

testinfra_hosts = ["ansible://mail"]
FOLDER = "/var/lib/stand-in"
TIMER = "trust-stack-mol-scale.timer"
DAILY = "/run/systemd/system/trust-stack-mol-scale.timer.d"


def play(*words):
    scenario = os.path.dirname(os.path.dirname(__file__))
    command = ["ansible-playbook", "-i", os.path.join(scenario, "../stack.yml"), os.path.join(scenario, "converge.yml"), *words]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def log(host):
    return host.run(f"cat {FOLDER}/log").stdout.splitlines()


def lines_after(host, number, seconds=15):
    """The log when it has so many lines."""
    end = time.monotonic() + seconds
    while len(found := log(host)) < number:
        assert time.monotonic() < end, found
        time.sleep(0.3)
    return found


@pytest.fixture(autouse=True)
def fresh(host):
    """The timer runs, both commands are quick and go well, and the log is empty."""
    host.run(f"systemctl stop {TIMER}; while systemctl list-units --state=activating --plain --no-legend 'trust-stack-mol-*' | grep -q .; do sleep 0.2; done")
    host.check_output(f"rm -rf {FOLDER}/log {FOLDER}/*.seconds {FOLDER}/*.code {DAILY}; systemctl daemon-reload; systemctl start {TIMER}")
    yield
    host.run(f"rm -rf {FOLDER}/*.seconds {FOLDER}/*.code {DAILY}; systemctl daemon-reload")


def test_it_comes_by_itself_and_again_and_heal_after_scale(host):
    found = lines_after(host, 8)
    who = f'begins as daemon in {FOLDER}, a "word" at 100 %'
    assert found[:4] == [f"scale {who}", "scale ends", f"heal {who}", "heal ends"]
    assert found[4:8] == found[:4]


def test_what_it_says_is_in_the_journal(host):
    since = host.check_output("date +@%s")
    lines_after(host, 4)
    for job in ("scale", "heal"):
        said = host.check_output(f"journalctl --no-pager --since {since} -u trust-stack-mol-{job}.service -t trust-stack-mol-{job} -o cat")
        assert f"{job} has the time" in said


def test_a_run_that_takes_long_is_not_overlapped(host):
    host.check_output(f"echo 5 > {FOLDER}/scale.seconds")
    words = [" ".join(line.split()[:2]) for line in lines_after(host, 12, 40)]
    assert words[:12] == ["scale begins", "scale ends", "heal begins", "heal ends"] * 3


def test_nor_is_one_that_takes_long_at_its_end(host):
    host.check_output(f"echo 5 > {FOLDER}/heal.seconds")
    words = [" ".join(line.split()[:2]) for line in lines_after(host, 12, 40)]
    assert words[:12] == ["scale begins", "scale ends", "heal begins", "heal ends"] * 3


def test_heal_comes_also_when_scale_failed_and_the_failure_shows(host):
    host.check_output(f"echo 3 > {FOLDER}/scale.code")
    begun = len(log(host))  # what ran meanwhile, on a busy machine, knew nothing of it
    assert lines_after(host, begun + 8)[begun:].count("heal ends") >= 2
    assert host.run("systemctl is-failed trust-stack-mol-scale.service").stdout.strip() in ("failed", "activating")
    assert host.check_output("systemctl show -p ExecMainStatus --value trust-stack-mol-scale.service") == "3"


def test_a_time_that_was_missed_is_made_up_for_once(host):
    host.check_output(f"systemctl stop {TIMER}; mkdir -p {DAILY}")
    host.check_output(f"printf '[Timer]\\nOnCalendar=\\nOnCalendar=*-*-* 00:00:00\\n' > {DAILY}/daily.conf; systemctl daemon-reload")
    stamp = f"/var/lib/systemd/timers/stamp-{TIMER}"
    # It came today: nothing to make up for.
    host.check_output(f"rm -f {FOLDER}/log; touch {stamp}; systemctl start {TIMER}")
    time.sleep(4)
    assert log(host) == []
    # This machine was off for three days.
    host.check_output(f"systemctl stop {TIMER}; touch -d '3 days ago' {stamp}; systemctl start {TIMER}")
    assert len(lines_after(host, 4)) == 4
    time.sleep(3)
    assert len(log(host)) == 4


def test_it_is_there_after_a_restart_of_the_machine(host):
    assert host.service(TIMER).is_enabled
    shown = host.check_output(f"systemctl show {TIMER} -p AccuracyUSec,RandomizedDelayUSec,Persistent").splitlines()
    assert sorted(shown) == ["AccuracyUSec=1s", "Persistent=yes", "RandomizedDelayUSec=0"]
    assert host.check_output("systemctl show -p TimeoutStartUSec --value trust-stack-mol-scale.service") == "30min"
    assert host.run("systemd-analyze verify /etc/systemd/system/trust-stack-mol-*").stderr == ""


def test_a_calendar_that_systemd_cannot_read_is_refused(host):
    before = host.file(f"/etc/systemd/system/{TIMER}").content_string
    done = play("-e", "scale_timer_calendar=sometimes")
    assert done.returncode != 0
    assert "sometimes" in done.stdout
    assert host.file(f"/etc/systemd/system/{TIMER}").content_string == before


def test_absent_removes_it_and_a_second_time_changes_nothing(host):
    try:
        assert play("-e", "scale_timer_state=absent").returncode == 0
        assert host.run("ls /etc/systemd/system/trust-stack-* /etc/systemd/system/timers.target.wants/trust-stack-*").stdout == ""
        assert "trust-stack-mol" not in host.check_output("systemctl list-timers --all --no-legend 'trust-stack-*'")
        time.sleep(1)  # what ran just then has ended
        before = log(host)
        time.sleep(5)
        assert log(host) == before
        again = play("-e", "scale_timer_state=absent")
        assert "changed=0 " in again.stdout
    finally:
        assert play().returncode == 0
