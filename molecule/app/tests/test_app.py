import re

testinfra_hosts = ["ansible://app"]

UNIT = "boxoffice-web.service"
# A customer on a new connection each time, while the web restarts: every request must be answered.
CUSTOMER = r"""
import subprocess, sys, urllib.request
event = subprocess.Popen(sys.argv[1:])
answered, after = 0, 20
while event.poll() is None or after:
    after -= event.poll() is not None
    with urllib.request.urlopen("http://127.0.0.1:8000/health", timeout=120) as answer:
        assert answer.status == 200
    answered += 1
assert event.returncode == 0, event.returncode
print(answered)
"""


def show(host, name, unit=UNIT):
    return host.check_output(f"systemctl show --property={name} --value {unit}")


def customer(host, event):
    return int(host.check_output(f"python3 -c '{CUSTOMER}' {event}"))


def test_the_web_answers(host):
    assert customer(host, "true") >= 20


def test_the_web_comes_back_after_a_reboot(host):
    assert host.service(UNIT).is_enabled
    assert host.service("boxoffice-web.socket").is_enabled


def test_systemd_holds_the_socket(host):
    assert host.socket("tcp://0.0.0.0:8000").is_listening
    assert re.search(r"\b1024\b", host.check_output("ss --no-header --listening --tcp --numeric 'sport = :8000'"))
    assert host.service("boxoffice-web.socket").is_running


def test_a_restart_refuses_nobody(host):
    before = show(host, "MainPID")
    assert customer(host, f"systemctl restart {UNIT}") > 20
    assert show(host, "MainPID") != before


def test_a_reload_refuses_nobody_and_replaces_the_processes(host):
    main = show(host, "MainPID")
    children = set(host.check_output(f"pgrep --parent {main}").split())
    assert customer(host, f"systemctl reload {UNIT}") > 20
    gone = f"for i in $(seq 100); do pgrep --parent {main} | grep --quiet --line-regexp '{{}}' || exit 0; sleep 0.3; done; exit 1"
    for child in children:
        assert host.run(gone.format(child)).rc == 0
    assert show(host, "MainPID") == main


def test_a_killed_web_comes_back(host):
    before = show(host, "MainPID")
    host.check_output(f"systemctl kill --signal=KILL {UNIT}")
    assert customer(host, "true") >= 20
    assert show(host, "MainPID") not in (before, "0")


def test_the_web_runs_as_its_own_account_without_rights(host):
    status = host.check_output(f"cat /proc/{show(host, 'MainPID')}/status")
    assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
    assert host.check_output(f"ps --no-headers -o user= {show(host, 'MainPID')}") == "boxoffice"


def test_the_web_runs_the_current_release(host):
    current = host.check_output("readlink --canonicalize /srv/boxoffice/current")
    assert f"{current}/venv/bin/" in host.check_output(f"cat /proc/{show(host, 'MainPID')}/cmdline")


def test_the_unit_is_hardened(host):
    line = host.check_output(f"systemd-analyze security --no-pager {UNIT} | tail --lines=1")
    assert float(re.search(r"[0-9]+\.[0-9]+", line)[0]) <= 2.0, line


def test_what_the_machine_asks_for_is_in_the_unit(host):
    assert show(host, "LogRateLimitIntervalUSec") == "0"
