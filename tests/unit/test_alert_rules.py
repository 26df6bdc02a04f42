"""The alert rules are complete: each says who must come and what to do, and is tested. promtool itself runs on the instance of the role's scenario."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES = [rule for group in yaml.safe_load((ROOT / "roles/prometheus/files/alerts.yml").read_text())["groups"] for rule in group["rules"]]
TESTS = ROOT / "tests/prometheus/alerts.yml"
EXPECTED = [case for test in yaml.safe_load(TESTS.read_text())["tests"] for case in test.get("alert_rule_test", [])]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_says_who_must_come_and_what_to_do(rule: dict) -> None:
    assert rule["labels"]["severity"] in ("page", "warn", "none")
    assert rule["annotations"].keys() == {"summary", "mend"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_waits(rule: dict) -> None:
    cases = [bool(case["exp_alerts"]) for case in EXPECTED if case["alertname"] == rule["alert"]]
    assert True in cases
    # A long wait has its silent case among "all is well"; these have theirs just before they fire.
    assert False in cases or rule["alert"] in ("Watchdog", "DiskFilling", "MailFails")


def test_no_test_is_of_an_alert_that_is_gone() -> None:
    assert {case["alertname"] for case in EXPECTED} == {rule["alert"] for rule in RULES}


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool on this machine; the scenario of the role runs it on an instance")
def test_the_rules_say_what_they_should() -> None:
    ran = subprocess.run(["promtool", "test", "rules", str(TESTS)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
