"""Role haproxy: two balancers, on each a stand-in for an app host and for a database (see stand_in.py)."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import testinfra

testinfra_hosts = ["ansible://lb-a-1"]
CONVERGE = Path(__file__).parents[1] / "converge.yml"
NAMES = ("lb-a-1", "lb-b-1")


@pytest.fixture(scope="module")
def balancers(host):
    inventory = host.backend.ansible_inventory
    return {name: testinfra.get_host(f"ansible://{name}", ansible_inventory=inventory) for name in NAMES}


@pytest.fixture(scope="module")
def address(balancers):
    return {name: balancer.ansible.get_variables()["ansible_host"] for name, balancer in balancers.items()}


def ask(address, path="/", method="GET", port=80, **headers):
    connection = http.client.HTTPConnection(address, port, timeout=20)
    with contextlib.closing(connection):
        connection.request(method, path, body="x=1" if method == "POST" else None, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()


def writer(address):
    """Return the name of the database that a new connection reaches."""
    with socket.create_connection((address, 3306), timeout=10) as connection:
        return connection.makefile().readline().strip()


def remembered(balancer):
    table = balancer.check_output("echo show table database | socat - /run/haproxy/admin.sock")
    return table.split("server_key=")[-1].split()[0]


def up(balancer, database):
    """1 when the balancer takes this database for well."""
    return balancer.run(f"echo show servers state database | socat - /run/haproxy/admin.sock | grep -c '{database} [0-9.]* 2 0 '").stdout.strip()


def main_pid(balancer):
    return balancer.check_output("systemctl show --property MainPID --value haproxy")


def until(expected, question):
    """Ask until the answer is right, at most ten seconds; return the last answer."""
    for _ in range(50):
        if (answer := question()) == expected:
            break
        time.sleep(0.2)
    return answer


def configure(inventory, **variables):
    """Run the role again on lb-b-1 with other variables; return what the run says."""
    run = subprocess.run(
        ["ansible-playbook", "-i", inventory, CONVERGE, "--limit", "lb-b-1", "--skip-tags", "prepare", "-e", json.dumps(variables)],
        cwd=CONVERGE.parents[2], env=os.environ | {"ANSIBLE_NOCOLOR": "1"}, capture_output=True, text=True, check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@contextlib.contextmanager
def visitors(address):
    """Ask for a page all the time; the body of the with statement sees the answers counted at its end."""
    answers, stop = Counter(), threading.Event()

    def visit():
        while not stop.wait(0.02):
            try:
                answers[ask(address)[0]] += 1
            except OSError as error:
                answers[repr(error)] += 1

    thread = threading.Thread(target=visit)
    thread.start()
    try:
        yield answers
    finally:
        stop.set()
        thread.join()


def test_configuration_is_valid_without_warnings(balancers):
    for balancer in balancers.values():
        check = balancer.run("haproxy -c -f /etc/haproxy/haproxy.cfg")
        assert check.rc == 0
        assert "parsing [" not in check.stderr


def test_both_balancers_serve_from_both_apps(address):
    for balancer in address.values():
        assert {json.loads(ask(balancer)[2])["name"] for _ in range(10)} == set(NAMES)


def test_the_app_learns_who_asks_and_lies_are_dropped(address):
    headers = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil"}
    _, answer, body = ask(address["lb-a-1"], **headers)
    seen = json.loads(body)["headers"]
    assert "1.2.3.4" not in seen["x-forwarded-for"]
    assert "," not in seen["x-forwarded-for"]
    assert seen["x-forwarded-proto"] == "http"
    assert "x-forwarded-host" not in seen
    assert seen["x-request-id"] == answer["X-Request-ID"]


def test_a_page_is_asked_for_again_but_a_form_is_sent_once(address):
    path = "/drop/lb-a-1"
    assert {ask(address["lb-a-1"], path)[0] for _ in range(6)} == {200}
    status, _, body = ask(address["lb-a-1"], "/drop/all", "POST")
    assert status == 502
    assert "before you try again" in body
    hits = [json.loads(ask(address[name], port=8000)[2])["hits"].get("POST /drop/all", 0) for name in NAMES]
    before = sum(hits)
    ask(address["lb-a-1"], "/drop/all", "POST")
    hits = [json.loads(ask(address[name], port=8000)[2])["hits"].get("POST /drop/all", 0) for name in NAMES]
    assert sum(hits) == before + 1


def test_only_public_answers_are_kept(address):
    def served(path):
        return json.loads(ask(address["lb-a-1"], path)[2])["headers"]["x-request-id"]

    assert served("/public") == served("/public")
    assert served("/private") != served("/private")


def test_a_dead_app_costs_no_visitor_a_page(balancers, address):
    with visitors(address["lb-a-1"]) as answers:
        time.sleep(0.5)
        balancers["lb-b-1"].check_output("systemctl stop stand-in")
        time.sleep(2)
        balancers["lb-b-1"].check_output("systemctl start stand-in")
        time.sleep(1)
    assert set(answers) == {200}
    assert answers[200] > 30


def test_the_writer_is_one_and_stays_one(balancers, address):
    first = writer(address["lb-a-1"])
    other = next(name for name in NAMES if name != first)
    assert until(first, lambda: remembered(balancers["lb-b-1"])) == first

    balancers[first].check_output("touch /etc/not-ready")
    try:
        assert until(other, lambda: writer(address["lb-a-1"])) == other
    finally:
        balancers[first].check_output("rm /etc/not-ready")
    assert until("1", lambda: up(balancers["lb-a-1"], first)) == "1"

    for balancer in address.values():
        assert writer(balancer) == other
    for action in ("reload", "restart"):
        for name, balancer in balancers.items():
            balancer.check_output(f"systemctl {action} haproxy")
            assert writer(address[name]) == other, f"{action} on {name}"
            assert [remembered(each) for each in balancers.values()] == [other, other]


def test_who_meets_a_writer_that_died_is_told_at_once_and_does_not_make_it_one_again(balancers, address):
    """It is back before its checks pass. A client who still waited for it would reach it, all others the new writer, and there were two."""
    first = writer(address["lb-a-1"])
    other = next(name for name in NAMES if name != first)
    balancers[first].check_output("systemctl stop stand-in-database")
    began = time.monotonic()
    assert writer(address["lb-a-1"]) == "", "expected the end of the connection"
    assert time.monotonic() - began < 5
    balancers[first].check_output("touch /etc/not-ready")
    try:
        assert until(other, lambda: writer(address["lb-a-1"])) == other
        balancers[first].check_output("systemctl start stand-in-database")
        time.sleep(3)  # as long as its own tries would take
        assert [remembered(each) for each in balancers.values()] == [other, other]
    finally:
        balancers[first].check_output("rm /etc/not-ready; systemctl start stand-in-database")
    assert until("1", lambda: up(balancers["lb-a-1"], first)) == "1"
    assert writer(address["lb-a-1"]) == other
    assert "fe=database" not in balancers["lb-a-1"].check_output("echo show sess | socat - /run/haproxy/admin.sock")


def test_a_drained_app_stays_drained_over_a_reload(balancers, address):
    balancer = balancers["lb-a-1"]
    balancer.check_output("echo 'set server app/lb-b-1 state maint' | socat - /run/haproxy/admin.sock")
    try:
        balancer.check_output("systemctl reload haproxy")
        assert {json.loads(ask(address["lb-a-1"])[2])["name"] for _ in range(10)} == {"lb-a-1"}
    finally:
        balancer.check_output("echo 'set server app/lb-b-1 state ready' | socat - /run/haproxy/admin.sock")


def test_a_changed_variable_reloads_and_drops_nothing(host, balancers, address):
    before = main_pid(balancers["lb-b-1"])
    with visitors(address["lb-b-1"]) as answers:
        output = configure(host.backend.ansible_inventory, haproxy_maxconn=4321)
    assert "changed=2 " in output
    assert "Reload haproxy" in output
    assert set(answers) == {200}
    assert main_pid(balancers["lb-b-1"]) == before
    info = balancers["lb-b-1"].check_output("echo show info | socat - /run/haproxy/admin.sock")
    assert f"Maxconn: {4321 + 1000 + 200}" in info


def test_before_any_server_exists_visitors_read_a_page_over_tls(host, balancers, address, tmp_path):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-days", "2",
         "-keyout", tmp_path / "key", "-out", tmp_path / "crt"], check=True, capture_output=True,
    )
    pem = (tmp_path / "crt").read_text() + (tmp_path / "key").read_text()
    inventory = host.backend.ansible_inventory
    try:
        configure(inventory, haproxy_app_servers=[], haproxy_database_servers=[], haproxy_tls_certificate=pem)
        status, headers, _ = ask(address["lb-b-1"], "/x")
        assert status == 308
        assert headers["Location"] == f"https://{address['lb-b-1']}/x"
        page = subprocess.run(
            ["openssl", "s_client", "-quiet", "-connect", f"{address['lb-b-1']}:443"],
            input="GET / HTTP/1.0\r\n\r\n", capture_output=True, text=True, check=False,
        ).stdout.lower()
        assert " 503 " in page
        assert "retry-after: 5" in page
        assert "please try again" in page
        assert not balancers["lb-b-1"].socket("tcp://0.0.0.0:3306").is_listening
    finally:
        configure(inventory)
    assert ask(address["lb-b-1"])[0] == 200


def test_stats_and_metrics_are_served_apart(address):
    status, _, body = ask(address["lb-a-1"], "/metrics", port=8404)
    assert status == 200
    assert "haproxy_server_status" in body
    assert "Statistics Report" in ask(address["lb-a-1"], "/", port=8404)[2]
    assert "Statistics Report" not in ask(address["lb-a-1"], "/stats")[2]
