"""Every role keeps the house's contract: an interface that matches its defaults, the same few files, a scenario that tests something."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())


def load(path: Path) -> dict:
    return (yaml.safe_load(path.read_text()) if path.exists() else None) or {}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_interface_and_the_defaults_agree(role: Path) -> None:
    entries = load(role / "meta/argument_specs.yml")["argument_specs"]
    options = {name: option for entry in entries.values() for name, option in entry.get("options", {}).items()}
    specified = {name: option["default"] for name, option in options.items() if "default" in option}
    assert load(role / "defaults/main.yml") == specified
    assert all(name.startswith(f"{role.name}_") for name in options)
    undocumented = [name for name, option in options.items() if not option.get("description")]
    assert undocumented == []


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_readme_has_the_table_of_the_interface(role: Path) -> None:
    """`make docs` writes it; a forgotten run shows here."""
    text = (role / "README.md").read_text()
    for entry in load(role / "meta/argument_specs.yml")["argument_specs"].values():
        for name, option in entry.get("options", {}).items():
            row = re.search(rf"^\| {name} \| .*$", text, re.M)
            assert row, f"README of {role.name} lacks {name}; mend: make docs"
            default = option.get("default", "")
            if not isinstance(default, list | dict):
                assert row[0].endswith(f"| `{default}` |") or default == "", f"README of {role.name} has another default of {name}; mend: make docs"


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_steps_are_few_and_short(role: Path) -> None:
    assert len((role / "tasks/main.yml").read_text().splitlines()) <= 60
    assert (role / "README.md").read_text().startswith(f"# {role.name}\n")
    assert load(role / "meta/main.yml")["galaxy_info"]["description"]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_role_reads_no_other_role_and_no_inventory(role: Path) -> None:
    """The playbooks hand data over. mariadb alone looks at its peers: who starts a cluster is decided by looking at all."""
    others = "|".join(other.name for other in ROLES if other != role)
    for path in [*role.glob("tasks/*.yml"), *role.glob("templates/*"), *role.glob("handlers/*.yml")]:
        text = path.read_text()
        if role.name != "mariadb":
            assert not re.search(r"\b(hostvars|groups)\[", text), path
        assert not re.search(rf"\{{\{{[^}}]*\b(?<!_)({others})_[a-z]+\w*", text), path


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_scenario_tests_something(role: Path) -> None:
    """A verifier that finds no test passes: so count them here."""
    files = [*(ROOT / "molecule" / role.name / "tests").glob("test_*.py"), *(ROOT / "tests/aws").glob(f"test_{role.name}.py")]
    tests = [path.read_text() for path in files]
    assert len(re.findall(r"^def test_", "\n".join(tests), re.M)) >= 2, role.name


def test_no_secret_has_a_default() -> None:
    for role in ROLES:
        for name, value in load(role / "defaults/main.yml").items():
            assert not (re.search(r"password|secret|token", name.removeprefix(role.name)) and value), f"{role.name}: {name} has a default"
