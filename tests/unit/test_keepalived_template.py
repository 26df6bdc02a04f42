"""What keepalived is told, without a host."""

from pathlib import Path

import yaml
from ansible.plugins.filter.core import comment
from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROLE = Path(__file__).parents[2] / "roles" / "keepalived"
HOST = {"keepalived_virtual_ip": "10.0.0.10", "keepalived_address": "10.0.0.11", "__keepalived_interface": "ens5"}


def render(template="keepalived.conf.j2", **given):
    environment = Environment(
        loader=FileSystemLoader(ROLE / "templates"), trim_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined
    )
    environment.filters["comment"] = comment
    values = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    return environment.get_template(template).render(values | {"ansible_managed": "Ansible managed"} | HOST | given)


def block(text, name):
    """Return the lines between "name {" and its closing brace."""
    lines = iter(text.splitlines())
    next(line for line in lines if line.strip() == f"{name} {{")
    found = []
    for line in lines:
        if line.strip() == "}":
            return found
        found.append(line.strip())
    raise AssertionError(f"{name} is not closed")


def test_a_host_talks_to_the_others_and_not_to_itself():
    assert block(render(keepalived_peers=["10.0.0.11", "10.0.0.12"]), "unicast_peer") == ["10.0.0.12"]
    assert "unicast_peer" not in render(keepalived_peers=["10.0.0.11"])


def test_the_address_sits_on_the_interface_of_the_host():
    text = render()
    assert block(text, "virtual_ipaddress") == ["10.0.0.10/32 dev ens5"]
    assert "    interface ens5\n" in text


def test_nobody_claims_the_address_at_the_start():
    text = render()
    assert "state BACKUP" in text
    assert "MASTER" not in text
    assert "init_fail" in block(text, "vrrp_script balancer")


def test_braces_match():
    text = render(keepalived_peers=["10.0.0.12"])
    assert text.count("{") == text.count("}")


def test_the_check_decides_and_runs_without_rights():
    text = render()
    check = block(text, "vrrp_script balancer")
    assert any("127.0.0.1:8404/alive" in line for line in check)
    assert not any(line.startswith("weight") for line in check)
    assert block(text, "track_script") == ["balancer"]
    assert {"enable_script_security", "script_user nobody nogroup"} <= set(block(text, "global_defs"))


def test_the_service_comes_back_by_itself():
    assert "Restart=always" in render("unit.conf.j2")
