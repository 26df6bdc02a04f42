"""What decisions see of a stack on EC2: its machines, and the load by CloudWatch; and that they do nothing where AWS does not answer."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.trust.stack.plugins.action import heal, tick
from ansible_collections.trust.stack.plugins.module_utils import aws_calls, ec2, metrics_cloudwatch, observe_health, statefiles
from ansible_collections.trust.stack.plugins.module_utils.aws_calls import AwsError
from ansible_collections.trust.stack.plugins.module_utils.load import Sample
from ansible_collections.trust.stack.plugins.module_utils.observe import NOWHERE, UnseenError, look, metrics_source
from ansible_collections.trust.stack.plugins.module_utils.stackfile import parse
from support.aws import REGION, ROOT, Aws

STACK = """\
plugin: trust.stack.stack
stack: shop
provider: ec2
region: eu-west-1
zones: [a, b]
layers:
  lb: {instances: 2, failover: route53}
  app:
    instances: {always: 2, time: 1, load: 1}
    schedule: {windows: [{name: ever, from: "00:00", to: "24:00", instances: 3}]}
    load: {Enable: true}
  worker:
    instances: {always: 2, load: 1}
    load: {Enable: true, UpScaling: {BacklogThreshold: 100}, DownScaling: {BacklogThreshold: 10}}
  database: {managed: rds, multi_az: true}
  redis: {managed: elasticache}
  memcached: {managed: elasticache}
  mail: {managed: ses, domain: example.com}
  monitor: 1
"""
NOW = datetime.now(UTC)
RUN = ["app-a-1", "app-b-1", "lb-a-1", "lb-b-1", "monitor-b-1", "worker-a-1", "worker-b-1"]
ONLINE = {"app": ["app-a-1", "app-b-1"], "worker": ["worker-a-1"]}


@pytest.fixture(scope="module", autouse=True)
def surroundings(aws: Aws) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(autouse=True)
def no_faults(aws: Aws) -> Iterator[None]:
    yield
    aws.fault()


def made(aws: Aws, name: str, stack: str = "shop", by: str = "trust.stack") -> str:
    tags = {"Name": f"{stack}-{name}", "stack": stack, "managed-by": by}
    spoken = [{"Key": key, "Value": value} for key, value in tags.items()]
    where = aws.client("ec2")
    image = where.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"]
    done = where.run_instances(
        ImageId=image, MinCount=1, MaxCount=1, InstanceType="t4g.small", TagSpecifications=[{"ResourceType": "instance", "Tags": spoken}])  # fmt: skip
    return str(done["Instances"][0]["InstanceId"])


@pytest.fixture(scope="module")
def ids(aws: Aws) -> dict[str, str]:
    """All that are always on run but lb-b-1, which is stopped; app-a-2 was terminated; and there is what is not of this stack."""
    ec2_api = aws.client("ec2")
    gone = [made(aws, "app-a-1"), made(aws, "app-a-2")]
    ec2_api.terminate_instances(InstanceIds=gone)
    found = {name: made(aws, name) for name in RUN}
    ec2_api.stop_instances(InstanceIds=[found["lb-b-1"]])
    made(aws, "app-b-2", stack="other")
    made(aws, "app-b-2", by="somebody")
    return found


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "stack.yml").write_text(STACK)
    return {
        "stack_file": str(tmp_path / "stack.yml"), "state_dir": str(tmp_path), "balancers": [], "stats_port": 8404, "containers_conf": "",
        "metrics_url": "", "metrics_source": NOWHERE, "events_url": "", "status_url": "", "now": ""}  # fmt: skip


def test_machines_are_those_with_the_stacks_tags(ids: dict[str, str]) -> None:
    found = ec2.machines("shop", REGION)
    assert {name: (one["id"], one["state"]) for name, one in found.items()} == {
        name: (ids[name], "stopped" if name == "lb-b-1" else "running") for name in RUN}  # fmt: skip
    assert found["app-a-1"].keys() == {"id", "state", "address", "public"} and found["app-a-1"]["address"].count(".") == 3
    assert [name for name, one in found.items() if not ec2.on(one)] == ["lb-b-1"]
    assert ec2.machines("other", REGION).keys() == {"app-b-2"}
    assert ec2.machines("none", REGION) == {}


def test_many_machines_come_in_pages(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        made(aws, f"app-a-{number}", stack="many")
    monkeypatch.setattr(ec2, "PAGE", 5)
    assert len(ec2.machines("many", REGION)) == 7


@pytest.mark.parametrize(("state", "counts"), [("pending", True), ("running", True), ("stopping", False), ("stopped", False)])
def test_who_is_on(state: str, counts: bool) -> None:
    assert ec2.on({"state": state}) is counts


class Page(BaseHTTPRequestHandler):
    """A balancer and the app, to whom all is well."""

    def do_GET(self) -> None:
        servers = "".join(f"app,app-{zone}-1,0,1,UP,5000,0,\n" for zone in "ab")
        heartbeats = {"worker-a-1": 1.0, "worker-b-1": 1.0}
        self.send_response(200)
        self.end_headers()
        pages = {"/;csv": f"# pxname,svname,qcur,scur,status,lastchg,hrsp_5xx,\n{servers}", "/status": json.dumps({"heartbeats": heartbeats})}
        self.wfile.write(pages[self.path].encode())

    def log_message(self, *_words: Any) -> None:
        """Silent."""


@pytest.fixture
def page() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("ids")
def test_heal_and_tick_see_them(given: dict[str, Any], page: int) -> None:
    given |= {"balancers": [{"name": "lb-a-1", "address": "127.0.0.1"}], "stats_port": page, "status_url": f"http://127.0.0.1:{page}/status"}
    stack, folder = parse(STACK), Path(given["state_dir"])
    sights, _notes = observe_health.look(stack, given)
    assert [sights[name].machine for name in ("app-a-1", "lb-b-1", "app-a-2")] == ["on", "off", "absent"]
    statefiles.write(folder / statefiles.ONLINE, {"app-a-2": {}})
    observed = look(stack, folder, given).observed
    assert (observed.powered, observed.online) == (set(RUN) - {"lb-b-1"}, {"app-a-2"})
    found = tick.decide(given, check_mode=False)
    assert found["start"]["app-a-2"].endswith("it had died") and found["stop"] == {}
    statefiles.write(folder / statefiles.ONLINE, {})
    assert list(heal.decide(given, check_mode=True)["start_machine"]) == ["lb-b-1"]


@pytest.mark.parametrize(("code", "words"), [
    ("RequestLimitExceeded", "AWS has throttled the call"), ("RequestExpired", "takes the request for an old one.*mend: let chrony"),
    ("ExpiredToken", "credentials have expired.*mend: sign in again"), ("AuthFailure", "AWS does not know these credentials"),
    ("UnauthorizedOperation", "may not do this.*policy"), ("OptInRequired", "AWS refused the call"),
])
def test_where_aws_refuses_nothing_is_decided(aws: Aws, given: dict[str, Any], code: str, words: str) -> None:
    aws.fault({"match": "DescribeInstances", "times": 9, "code": code})
    with pytest.raises(UnseenError, match=f"EC2 in eu-west-1, DescribeInstances: .*{words}") as caught:
        tick.decide(given, check_mode=False)
    assert f"({code}: asked for by the test)" in str(caught.value)
    assert not (Path(given["state_dir"]) / statefiles.TICK).exists()
    with pytest.raises(UnseenError, match=words):
        heal.decide(given, check_mode=False)


def test_one_refusal_for_haste_is_asked_again(aws: Aws, ids: dict[str, str]) -> None:
    aws.fault({"match": "DescribeInstances", "times": 1, "code": "RequestLimitExceeded"})
    assert ids.keys() <= ec2.machines("shop", REGION).keys()


@pytest.mark.parametrize(("changes", "words"), [
    ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "AWS does not answer .EndpointConnectionError"),
    ({"AWS_ENDPOINT_URL": "nonsense"}, "AWS does not answer .ValueError.*AWS_ENDPOINT_URL"),
    ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": "/nowhere"}, "there are no credentials .NoCredentialsError"),
    ({"AWS_PROFILE": "nobody"}, "there are no credentials .ProfileNotFound"),
])
def test_what_keeps_from_asking_is_told(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], words: str) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    began = time.monotonic()
    with pytest.raises(AwsError, match=words):
        ec2.machines("shop", REGION)
    assert time.monotonic() - began < 3


def test_a_region_must_be_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    with pytest.raises(AwsError, match=r"no region is known \(NoRegionError.*region: into the stack file"):
        ec2.machines("shop", "")


def test_who_answers_too_late_has_not_answered(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_calls, "READ", 0.3)
    monkeypatch.setattr(aws_calls, "_clients", {})
    aws.fault({"match": "DescribeInstances", "times": 9, "delay": 1})
    began = time.monotonic()
    with pytest.raises(AwsError, match=r"AWS does not answer \(ReadTimeoutError"):
        ec2.machines("shop", REGION)
    assert time.monotonic() - began < 3


def test_boto3_is_imported_only_where_it_is_needed() -> None:
    code = "import sys; from ansible_collections.trust.stack.plugins.action import heal, late, tick; print('boto3' in sys.modules, 'botocore' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT / ".collections")})
    assert done.stdout.split() == ["False", "False"]


def put(aws: Aws, metric: str, value: float, age: float = 20, namespace: str = "TrustStack", **dimensions: str) -> None:
    said = [{"Name": key, "Value": text} for key, text in dimensions.items()]
    aws.client("cloudwatch").put_metric_data(
        Namespace=namespace, MetricData=[{"MetricName": metric, "Dimensions": said, "Timestamp": NOW - timedelta(seconds=age), "Value": value}])  # fmt: skip


@pytest.fixture(scope="module")
def published(aws: Aws) -> None:
    for name, value in {"app-a-1": 80, "app-b-1": 40}.items():
        put(aws, "cpu", value - 30, 200, stack="shop", layer="app", name=name)  # what was before
        put(aws, "cpu", value, stack="shop", layer="app", name=name)
    put(aws, "memory", 50, stack="shop", layer="app", name="app-a-1")
    put(aws, "cpu", 7, stack="shop", layer="worker", name="worker-a-1")
    put(aws, "cpu", 99, stack="other", layer="app", name="app-a-1")
    put(aws, "queue", 12.5, stack="shop", layer="app")
    put(aws, "sessions", 60, stack="shop", layer="app")
    put(aws, "backlog", 42, stack="shop", layer="worker")
    put(aws, "load", 3, 300, stack="shop", layer="app", name="app-a-1")


def ask(stack: str = "shop", **more: Any) -> tuple[dict[str, Sample], str]:
    return metrics_cloudwatch.ask(REGION, stack, ONLINE, **{"now": NOW} | more)


@pytest.mark.usefixtures("published")
def test_what_was_published_is_the_sample_that_prometheus_would_give() -> None:
    samples, problem = ask()
    assert problem == ""
    assert samples["app"] == Sample(cpu=60, memory=50, queue=12.5, sessions=30, partial=frozenset({"memory"}))
    assert samples["worker"] == Sample(cpu=7, backlog=42)


@pytest.mark.usefixtures("published")
def test_who_watches_little_asks_little() -> None:
    assert ask(metrics=["queue"])[0] == {"app": Sample(queue=12.5), "worker": Sample()}
    assert ask(metrics=[]) == ({"app": Sample(), "worker": Sample()}, "")


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(("later", "seen"), [(0, 12.5), (120, 12.5), (150, 12.5), (215, None), (3600, None), (-60, None)])
def test_a_value_that_is_not_fresh_is_missing(later: float, seen: float | None) -> None:
    samples, problem = ask(now=NOW + timedelta(seconds=later))
    assert samples["app"].queue == seen
    assert problem == "" or "nothing fresh of stack shop; mend: does its monitor publish" in problem
    assert (seen is None and later > 0) == bool(problem)


def test_without_the_monitor_the_cpu_is_ec2s_own(aws: Aws) -> None:
    begins = NOW.timestamp() // 300 * 300
    put(aws, "CPUUtilization", 88, NOW.timestamp() - begins + 300, "AWS/EC2", InstanceId="i-1")
    samples, problem = ask("lone", ids={"app-a-1": "i-1", "app-b-1": "i-2"}, now=datetime.fromtimestamp(begins + 60, UTC))
    assert samples == {"app": Sample(cpu=88, partial=frozenset({"cpu"})), "worker": Sample()}  # good for more, not for fewer
    assert "nothing fresh of stack lone" in problem
    assert ask("lone", ids={"app-a-1": "i-1"}, now=datetime.fromtimestamp(begins + 181, UTC))[0]["app"] == Sample()


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("code", ["ThrottlingException", "ExpiredTokenException", "AccessDeniedException"])
def test_a_refusal_is_all_missing_with_its_reason(aws: Aws, code: str) -> None:
    aws.fault({"match": "GetMetricData", "times": 9, "code": code})
    samples, problem = ask()
    assert samples == {"app": Sample(), "worker": Sample()}
    assert problem.startswith("CloudWatch in eu-west-1, GetMetricData: ") and code in problem and "mend: " in problem


@pytest.mark.usefixtures("published", "ids")
def test_a_tick_decides_by_cloudwatch(aws: Aws, given: dict[str, Any]) -> None:
    given |= {"metrics_source": None, "now": NOW.isoformat()}  # no monitor's address: CloudWatch
    put(aws, "backlog", 500, 5, stack="shop", layer="worker")
    found = tick.decide(given, check_mode=True)
    assert re.fullmatch("backlog [0-9]+ is above 100: 1 more, 2 -> 3", found["start"]["worker-a-2"]) and "app-a-3" not in found["start"]
    aws.fault({"match": "GetMetricData", "times": 9, "code": "ThrottlingException"})
    blind = tick.decide(given, check_mode=True)
    assert "worker-a-2" not in blind["start"]
    assert any(said.startswith("no metrics: CloudWatch in eu-west-1") and said.endswith("nothing is stopped for want of load") for said in blind["said"])


def test_who_is_asked_for_metrics() -> None:
    stack, here = parse(STACK), {"metrics_url": "http://192.0.2.1:9090"}
    home = replace(stack, provider="static")
    assert [metrics_source(one, here) for one in (stack, home)] == ["prometheus", "prometheus"]
    assert [metrics_source(one, {"metrics_url": ""}) for one in (stack, home)] == ["cloudwatch", ""]
    assert metrics_source(stack, here | {"metrics_source": "cloudwatch"}) == "cloudwatch"
    with pytest.raises(UnseenError, match="metrics_source: found cloudwatch with provider static, expected prometheus"):
        metrics_source(home, here | {"metrics_source": "cloudwatch"})
