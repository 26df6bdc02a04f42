"""The publisher between a Prometheus and a CloudWatch that the test plays."""

import json
import os
import subprocess
import time
from urllib.parse import parse_qs

import pytest

testinfra_hosts = ["ansible://mail"]
FOLDER = "/var/lib/stand-in"
ROLE = os.path.join(os.path.dirname(__file__), "../../../roles/cloudwatch_publisher")


def series(value, **labels):
    return {"metric": labels, "value": [int(time.time()), value]}


def say(host, *result):
    """What Prometheus answers from now on; nothing is a Prometheus that fails."""
    answer = json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}) if result else ""
    host.check_output(f"printf %s '{answer}' > {FOLDER}/answer.new && mv {FOLDER}/answer.new {FOLDER}/answer && rm -f {FOLDER}/put {FOLDER}/asked")


def lines(host, name, seconds=20):
    """What one end was sent since, once it was sent something."""
    end = time.monotonic() + seconds
    while not (found := host.run(f"cat {FOLDER}/{name}").stdout.splitlines()):
        assert time.monotonic() < end, host.check_output("journalctl --no-pager -n 20 -u cloudwatch-publisher -o cat")
        time.sleep(0.3)
    return found


def metrics(line):
    """The namespace, and metric -> (dimensions, value), in whichever of its languages CloudWatch was spoken to."""
    body = json.loads(line)["body"]
    if body.startswith("{"):
        said = json.loads(body)
        return said["Namespace"], {
            one["MetricName"]: ({two["Name"]: two["Value"] for two in one["Dimensions"]}, float(one["Value"])) for one in said["MetricData"]}
    words = {key: value[0] for key, value in parse_qs(body).items()}
    found = {}
    for number in range(1, 100):
        path = f"MetricData.member.{number}"
        if f"{path}.MetricName" not in words:
            break
        named = [f"{path}.Dimensions.member.{one}" for one in range(1, 10) if f"{path}.Dimensions.member.{one}.Name" in words]
        dimensions = {words[f"{one}.Name"]: words[f"{one}.Value"] for one in named}
        found[words[f"{path}.MetricName"]] = (dimensions, float(words[f"{path}.Value"]))
    return words["Namespace"], found


@pytest.fixture(autouse=True)
def quiet(host):
    yield
    say(host, series("1", metric="load", layer="app", name="app-a-1"))


def test_it_puts_what_prometheus_says_and_nothing_for_what_is_missing(host):
    say(host, series("80.5", metric="cpu", layer="app", name="app-a-1"), series("12", metric="queue", layer="app", proxy="app"),
        series("NaN", metric="memory", layer="app", name="app-a-1"), series("42", metric="backlog", layer="worker"))
    line = lines(host, "put")[0]
    assert metrics(line) == ("TrustStack", {
        "cpu": ({"stack": "mol", "layer": "app", "name": "app-a-1"}, 80.5), "queue": ({"stack": "mol", "layer": "app"}, 12.0),
        "backlog": ({"stack": "mol", "layer": "worker"}, 42.0)})
    assert "AKIAFAKESTACK01" in line and "/eu-west-1/monitoring/" in line
    with open(f"{ROLE}/files/query.promql") as file:
        assert parse_qs(lines(host, "asked")[0])["query"][0].strip() == file.read().strip()


def test_it_comes_again_by_itself(host):
    say(host, series("1", metric="load", layer="app", name="app-a-1"))
    end = time.monotonic() + 30
    while len(lines(host, "put")) < 3:
        assert time.monotonic() < end
        time.sleep(0.5)


def test_where_prometheus_fails_nothing_is_put_and_it_shows_and_it_goes_on(host):
    since = host.check_output("date +@%s")
    say(host)
    lines(host, "asked")
    time.sleep(1)
    assert host.run(f"cat {FOLDER}/put").stdout == ""
    said = host.check_output(f"journalctl --no-pager --since {since} -u cloudwatch-publisher -o cat")
    assert "http://127.0.0.1:8087/api/v1/query: HTTP 503" in said
    say(host, series("1", metric="load", layer="app", name="app-a-1"))
    assert metrics(lines(host, "put")[0])[1]["load"][1] == 1.0


def test_it_is_a_user_of_its_own_and_its_environment_is_roots(host):
    assert host.service("cloudwatch-publisher.timer").is_enabled
    assert host.check_output("systemctl show -p User --value cloudwatch-publisher") == "cloudwatch-publisher"
    assert host.file("/etc/cloudwatch-publisher/environment").mode == 0o600
    assert host.run("systemd-analyze verify /etc/systemd/system/cloudwatch-publisher.*").stderr == ""


def test_absent_removes_it_and_a_second_time_changes_nothing(host):
    scenario = os.path.dirname(os.path.dirname(__file__))
    command = ["ansible-playbook", "-i", os.path.join(scenario, "../stack.yml"), os.path.join(scenario, "converge.yml"), "--skip-tags", "prepare"]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}

    def play(*words):
        return subprocess.run([*command, *words], capture_output=True, text=True, check=False, env=environment)

    try:
        done = play("-e", "cloudwatch_publisher_state=absent")
        assert done.returncode == 0, done.stdout
        assert host.run("ls -d /etc/systemd/system/cloudwatch-publisher* /etc/cloudwatch-publisher /usr/local/lib/cloudwatch-publisher").stdout == ""
        assert not host.user("cloudwatch-publisher").exists
        assert "changed=0 " in play("-e", "cloudwatch_publisher_state=absent").stdout
    finally:
        assert play().returncode == 0
