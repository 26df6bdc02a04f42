"""The monitor: what it sees, what it says, and what load-based scaling makes of it."""

import base64
import json
import threading
import time
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible_collections.trust.stack.plugins.module_utils.load import DEFAULT_DOWN, DEFAULT_UP, LoadSettings, Memory, step
from ansible_collections.trust.stack.plugins.module_utils.metrics import ask, from_prometheus

testinfra_hosts = ["ansible://mail"]
ROOT = Path(__file__).resolve().parents[3]
REDIS = "REDISCLI_AUTH=stand-in redis-cli -h {address} -p 6390 "


@pytest.fixture
def address(host):
    return host.ansible.get_variables()["ansible_host"]


@pytest.fixture
def name(host):
    return host.ansible.get_variables()["inventory_hostname"]


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def until(what, seconds):
    """What it returns, once that is true; and how long that took."""
    began = time.monotonic()
    while True:
        found = what()
        took = time.monotonic() - began
        if found:
            return found, took
        assert took < seconds, f"not within {seconds} s"
        time.sleep(0.5)


def sample(address, layer, online=()):
    answer, reason = ask(f"http://{address}:9090")
    assert reason == ""
    return from_prometheus(answer, layer, online)


def test_the_alert_rules_say_what_they_should(host):
    """The rules that this host runs, against their unit tests."""
    rules = (ROOT / "tests/prometheus/alerts.yml").read_text().replace("../../roles/prometheus/files/alerts.yml", "/etc/prometheus/alerts.yml")
    text = base64.b64encode(rules.encode()).decode()
    output = host.check_output(f"cd $(mktemp -d) && echo {text} | base64 -d > tests.yml && promtool test rules tests.yml")
    assert "SUCCESS" in output


def test_it_watches_what_it_was_told_to(address, name):
    def targets():
        active = get(f"http://{address}:9090/api/v1/targets?state=active")["data"]["activeTargets"]
        return {(one["labels"]["job"], one["labels"].get("name", "")): one for one in active if one["health"] != "unknown"}

    found, _ = until(lambda: len(seen := targets()) == 5 and seen, 30)
    assert {key: one["health"] for key, one in found.items() if key[0] != "monitor"} == {
        ("node", name): "up", ("node", "gone-a-1"): "down", ("haproxy", name): "up", ("redis", name): "up"}
    assert found["node", name]["labels"] | {"layer": "mail", "zone": "c"} == found["node", name]["labels"]
    assert found["node", "gone-a-1"]["labels"]["layer"] == "gone"
    assert found["haproxy", name]["scrapeInterval"] == "5s"


def test_the_load_sees_the_instances(address, name):
    found, _ = until(lambda: (one := sample(address, "mail", [name])).cpu is not None and one, 90)
    assert 0 <= found.cpu <= 100
    assert 0 < found.memory < 100
    assert found.load >= 0
    assert found.partial == frozenset()
    assert sample(address, "mail", [name, "mail-c-2"]).partial == {"cpu", "memory", "load"}


def test_the_load_sees_the_backlog_and_that_there_is_none(host, address):
    redis = REDIS.format(address=address)
    host.check_output(redis + "del critical mail")
    until(lambda: sample(address, "worker").backlog == 0, 60)
    host.check_output(redis + "lpush critical 1 2 3")
    host.check_output(redis + "lpush mail 1 2")
    until(lambda: sample(address, "worker").backlog == 5, 60)
    host.check_output(redis + "del critical mail")


def test_visitors_who_wait_are_answered_within_30_seconds(address):
    until(lambda: sample(address, "app").queue == 0, 60)
    settings = LoadSettings(True, replace(DEFAULT_UP, queue=5.0), replace(DEFAULT_DOWN, queue=1.0))
    stop = threading.Event()

    def visit():
        while not stop.is_set():
            urllib.request.urlopen(f"http://{address}:8088/", timeout=60).close()

    visitors = [threading.Thread(target=visit, daemon=True) for _ in range(12)]
    memory = Memory()

    def decision():
        nonlocal memory
        made = step(settings, memory, datetime.now(UTC), sample(address, "app"), 2, 2, 4)
        memory = made.memory
        return made.change and made

    decision()
    for visitor in visitors:
        visitor.start()
    made, took = until(decision, 30)
    stop.set()
    assert made.wanted == 3
    assert made.causes[0].startswith("queue ")
    print(f"from the first waiting visitor to the decision: {took:.1f} s")


def test_the_question_fits_into_a_tick(address):
    began = time.monotonic()
    for _ in range(10):
        answer, reason = ask(f"http://{address}:9090")
        assert answer and reason == ""
    print(f"one question: {(time.monotonic() - began) * 100:.0f} ms")
    assert (time.monotonic() - began) / 10 < 0.5


def test_what_is_gone_reaches_a_human(address):
    def mails():
        return get(f"http://{address}:8025/messages.json?to=founder@example.org")["messages"]

    found, took = until(lambda: [one for one in mails() if "Nobody of layer gone answers" in one["subject"]], 120)
    assert "Start the layer (playbooks/start.yml)" in found[0]["text"]
    assert "gone-a-1" not in found[0]["text"], "what the first explains, the second need not say"
    print(f"mailed {took:.0f} s after the tests before it")


def test_they_listen_on_the_inner_address_only(host, address):
    for port, where in ((9090, address), (9093, address), (9121, "127.0.0.1")):
        listening = host.check_output(f"ss --no-header --tcp --listening --numeric 'sport = :{port}'").split()
        assert [word for word in listening if word.endswith(f":{port}")] == [f"{where}:{port}"]
    assert host.check_output("ss --no-header --udp --listening --numeric 'sport = :9094'") == ""


def test_the_password_is_for_root_only(host):
    file = host.file("/etc/prometheus/redis.env")
    assert (file.user, file.mode) == ("root", 0o600)
    assert "stand-in" not in host.check_output("ps -eo args | grep '[p]rometheus'")


def test_nothing_complains_in_the_journal(host):
    # An exporter that writes a line a scrape fills a disk in the end.
    for unit in ("prometheus", "prometheus-alertmanager", "prometheus-redis-exporter"):
        journal = host.check_output(f"journalctl --no-pager -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show -p InvocationID --value {unit})")
        assert [line for line in journal.splitlines() if "level=error" in line.lower()] == [], unit


def test_both_come_back_after_a_crash(host):
    for unit in ("prometheus", "prometheus-alertmanager"):
        assert host.service(unit).is_enabled
        before = host.check_output(f"systemctl show -p MainPID --value {unit}")
        assert host.check_output(f"ps -o user= -p {before}").strip() == "prometheus"
        host.check_output(f"systemctl kill --signal=KILL {unit}")
        host.check_output(
            f"for i in $(seq 60); do p=$(systemctl show -p MainPID --value {unit}); "
            f"test $p != 0 && test $p != {before} && exit; sleep 0.5; done; exit 1")
