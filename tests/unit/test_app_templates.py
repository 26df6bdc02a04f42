"""The files that the roles release, app and worker write, rendered without a host."""

import shlex
import tomllib
from pathlib import Path

import jinja2
import pytest
import yaml
from ansible.plugins.filter import core

ROOT = Path(__file__).resolve().parents[2]
UNITS = {
    "app": ("boxoffice-web.socket", "boxoffice-web.service"),
    "worker": ("boxoffice-worker.service", "boxoffice-relay.service", "boxoffice-watchdog.service"),
}


def render(role, template, **variables):
    loader = jinja2.FileSystemLoader(ROOT / "roles" / role / "templates")
    environment = jinja2.Environment(loader=loader, trim_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters.update(core.FilterModule().filters())
    defaults = yaml.safe_load((ROOT / "roles" / role / "defaults" / "main.yml").read_text())
    return environment.get_template(template).render({**defaults, "ansible_managed": "Managed", **variables})


def sections(text):
    """Section -> key -> every value given for it, as systemd reads a unit."""
    found, section = {}, None
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            section.setdefault(key, []).append(" ".join(value.split()))
    return found


def service(role, unit, **variables):
    return sections(render(role, f"{unit}.j2", **variables))["Service"]


@pytest.mark.parametrize(
    "secret",
    ["plain", "a b", 'say "hi"', "back\\slash\\", "$HOME and ${PATH}", "`id`", "it's", "#no comment", "=;&|é", ""],
)
def test_a_value_of_the_environment_arrives_as_it_is(secret):
    text = render("release", "env.j2", release_environment={"SECRET": secret, "PORT": 25})
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines[0] == 'PORT="25"'
    assert unquote(lines[1]) == f"SECRET={secret}"
    assert shlex.split(lines[1]) == [f"SECRET={secret}"] or set(secret) & set("$`")  # so would a shell, but shlex not


def unquote(line):
    """As systemd reads an environment file: in double quotes, a backslash escapes four characters."""
    key, _, value = line.partition("=")
    assert value[0] == value[-1] == '"'
    out, rest = "", iter(value[1:-1])
    for character in rest:
        if character == '"':
            raise AssertionError(f"{line!r} ends before its end")
        if character == "\\":
            follower = next(rest)
            out += follower if follower in '"\\`$' else "\\" + follower
        else:
            out += character
    return f"{key}={out}"


@pytest.mark.parametrize(("role", "unit"), [(role, unit) for role, units in UNITS.items() for unit in units])
def test_every_unit_is_enabled_and_says_what_it_is(role, unit):
    found = sections(render(role, f"{unit}.j2"))
    assert found["Unit"]["Description"]
    assert found["Install"]["WantedBy"]


@pytest.mark.parametrize(("role", "unit"), [(r, u) for r, units in UNITS.items() for u in units if u.endswith("service")])
def test_every_service_comes_back_whatever_happens(role, unit):
    found = sections(render(role, f"{unit}.j2"))
    assert found["Unit"]["StartLimitIntervalSec"] == ["0"]
    assert found["Service"]["Restart"] == ["always"]
    assert found["Service"]["RestartSec"] == ["1"]


@pytest.mark.parametrize(("role", "unit"), [(r, u) for r, units in UNITS.items() for u in units if u.endswith("service")])
def test_what_a_machine_asks_for_comes_last(role, unit):
    found = service(role, unit, **{f"{role}_unit_dropin": "ProtectSystem=no\n"})
    assert found["ProtectSystem"] == ["strict", "no"]


def test_both_roles_keep_the_same_sandbox():
    app, worker = (ROOT / "roles" / role / "templates" / "sandbox.j2" for role in UNITS)
    assert app.read_text() == worker.read_text()


def test_the_web_listens_where_it_is_told():
    found = sections(render("app", "boxoffice-web.socket.j2", app_address="10.1.2.3", app_port=8001, app_backlog=77))
    assert found["Socket"]["ListenStream"] == ["10.1.2.3:8001"]
    assert found["Socket"]["Backlog"] == ["77"]


def test_the_web_ends_its_requests_before_systemd_ends_it():
    found = service("app", "boxoffice-web.service", app_graceful_timeout=40, app_timeout=60)
    assert "--graceful-timeout 40" in found["ExecStart"][0]
    assert int(found["TimeoutStopSec"][0]) > 40
    assert found["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_the_worker_starts_as_the_app_says():
    command = service("worker", "boxoffice-worker.service", worker_queues=["critical", "mail"])["ExecStart"][0]
    flags = (ROOT / "app" / "src" / "boxoffice" / "celery_app.py").read_text()
    for flag in ("--without-gossip", "--without-mingle", "--without-heartbeat"):
        assert flag in command
        assert flag in flags
    assert command.endswith("-Q critical,mail,canary.${HOST_NAME}")


def test_the_worker_gets_the_time_of_its_longest_task():
    text = (ROOT / "app" / "src" / "boxoffice" / "celery_app.py").read_text()
    limit = next(int(line.split("=")[1]) for line in text.splitlines() if line.startswith("TASK_HARD_LIMIT ="))
    found = service("worker", "boxoffice-worker.service")
    assert found["KillMode"] == ["mixed"]
    assert limit < int(found["TimeoutStopSec"][0]) <= limit + 30


def test_commands_of_the_units_exist_in_the_app():
    scripts = tomllib.loads((ROOT / "app" / "pyproject.toml").read_text())["project"]["scripts"]
    for unit in UNITS["worker"][1:]:
        words = service("worker", unit)["ExecStart"][0].split()
        assert words[0].endswith("/current/venv/bin/boxoffice")
    assert "boxoffice" in scripts
