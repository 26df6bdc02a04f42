"""What the monitor's files say for a given stack, without a host."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from ansible.plugins.filter.core import comment, regex_replace
from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROLE = Path(__file__).parents[2] / "roles" / "prometheus"
TARGETS = [{"name": "app-a-1", "address": "10.0.0.1", "zone": "a"}, {"name": "kiosk", "address": "10.0.0.2", "layer": "web", "zone": "b"}]


def render(template: str, **given: object) -> str:
    environment = Environment(
        loader=FileSystemLoader(ROLE / "templates"), trim_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined)
    environment.filters |= {"comment": comment, "regex_replace": regex_replace, "bool": bool}
    values = {"ansible_managed": "Ansible managed", "inventory_hostname": "monitor-c-1", "prometheus_address": "10.0.0.9"}
    return environment.get_template(template).render(values | yaml.safe_load((ROLE / "defaults/main.yml").read_text()) | given)


def jobs(**given: object) -> dict[str, dict]:
    return {job["job_name"]: job for job in yaml.safe_load(render("prometheus.yml.j2", **given))["scrape_configs"]}


def test_each_instance_is_a_target_with_its_name_layer_and_zone() -> None:
    assert jobs(prometheus_targets=TARGETS)["node"]["static_configs"] == [
        {"targets": ["10.0.0.1:9100"], "labels": {"name": "app-a-1", "layer": "app", "zone": "a"}},
        {"targets": ["10.0.0.2:9100"], "labels": {"name": "kiosk", "layer": "web", "zone": "b"}}]


def test_a_queue_is_looked_at_more_often_than_the_rest() -> None:
    found = jobs(prometheus_balancers=TARGETS)
    assert found["haproxy"]["scrape_interval"] == "5s"
    assert found["haproxy"]["static_configs"][0]["targets"] == ["10.0.0.1:8404"]
    assert yaml.safe_load(render("prometheus.yml.j2"))["global"]["scrape_interval"] == "15s"


def test_redis_is_asked_through_the_exporter_of_this_host_and_only_when_there_is_one() -> None:
    assert "redis" not in jobs()
    job = jobs(prometheus_redis=TARGETS)["redis"]
    assert job["static_configs"][0]["targets"] == ["10.0.0.1:6379"]
    assert job["relabel_configs"][-1] == {"target_label": "__address__", "replacement": "127.0.0.1:9121"}


def test_a_redis_with_tls_is_asked_over_tls() -> None:
    scheme = [jobs(prometheus_redis=TARGETS, prometheus_redis_tls=tls)["redis"]["relabel_configs"][1]["replacement"] for tls in (False, True)]
    assert scheme == ["redis://$1", "rediss://$1"]


def test_the_exporter_asks_for_the_length_of_each_list() -> None:
    assert "in ipairs({'critical', 'mail', }) do" in render("backlog.lua.j2", prometheus_redis_lists=["critical", "mail"])


def test_the_metrics_that_somebody_reads_are_kept() -> None:
    kept = re.compile(jobs(prometheus_redis=TARGETS)["redis"]["metric_relabel_configs"][0]["regex"])
    module = (ROLE.parents[1] / "plugins/module_utils/metrics.py").read_text()
    read = set(re.findall(r"redis_[a-z_]+", module + (ROLE / "files/alerts.yml").read_text()))
    assert {"redis_up", "redis_list_length", "redis_instance_info"} <= read
    assert [name for name in read - {"redis_list_length"} if not kept.fullmatch(name)] == []
    assert kept.fullmatch("redis_script_values")  # renamed to redis_list_length


def test_without_an_address_nobody_is_mailed_and_the_file_still_holds() -> None:
    settings = yaml.safe_load(render("alertmanager.yml.j2"))
    assert settings["receivers"] == [{"name": "people"}, {"name": "watchdog"}]


def test_with_an_address_the_mail_names_what_is_wrong_and_what_to_do() -> None:
    settings = yaml.safe_load(render("alertmanager.yml.j2", prometheus_mail_to="a@example.org", prometheus_mail_host="10.0.0.8"))
    assert settings["global"]["smtp_smarthost"] == "10.0.0.8:25"
    assert settings["global"]["smtp_require_tls"] is False
    mail = settings["receivers"][0]["email_configs"][0]
    assert mail["to"] == "a@example.org"
    assert ".Annotations.summary" in mail["headers"]["Subject"]
    assert ".Annotations.mend" in mail["text"]
    assert mail["html"] == ""


def test_a_topic_of_aws_is_told_as_well() -> None:
    topic = "arn:aws:sns:eu-west-1:123456789012:shop-alarms"
    settings = yaml.safe_load(render("alertmanager.yml.j2", prometheus_sns_topic=topic))
    assert settings["receivers"][0]["sns_configs"] == [{"topic_arn": topic, "sigv4": {"region": "eu-west-1"}, "send_resolved": True}]


def test_the_watchdog_goes_outside_only_when_told_where() -> None:
    settings = yaml.safe_load(render("alertmanager.yml.j2", prometheus_watchdog_url="https://watch.example.org/x"))
    assert settings["receivers"][1]["webhook_configs"][0]["url"] == "https://watch.example.org/x"
    assert settings["route"]["routes"][0] == {
        "receiver": "watchdog", "matchers": ["alertname = Watchdog"], "group_wait": "0s", "group_interval": "5m", "repeat_interval": "5m"}
