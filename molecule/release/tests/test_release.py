import json
from pathlib import Path

testinfra_hosts = ["ansible://app"]

ROOT = "/srv/boxoffice"
CURRENT = f"{ROOT}/current"


def current(host):
    return host.check_output(f"readlink --canonicalize {CURRENT}")


def test_current_is_a_whole_release(host):
    release = current(host)
    manifest = json.loads(host.file(f"{release}/manifest.json").content_string)
    assert release == f"{ROOT}/releases/{manifest['digest']}"
    assert any(wheel["name"].startswith("boxoffice-") for wheel in manifest["wheels"])
    assert all(len(wheel["sha256"]) == 64 for wheel in manifest["wheels"])


def test_nothing_half_made_is_left(host):
    assert host.check_output(f"find {ROOT}/releases -mindepth 1 -maxdepth 1 -name '.*'") == ""


def test_the_app_runs_with_the_dependencies_of_its_lock(host):
    host.check_output(f"{CURRENT}/venv/bin/boxoffice --version")
    code = "import boxoffice, celery, sqlalchemy; print(boxoffice.__file__)"
    path = host.check_output(f'{CURRENT}/venv/bin/python -c "{code}"')
    assert "/venv/lib/python3.13/site-packages/boxoffice/" in path


def test_a_started_command_stays_in_its_release(host):
    script = host.file(f"{CURRENT}/venv/bin/celery").content_string
    assert script.startswith("#!/bin/sh\n")
    assert host.check_output(f"{CURRENT}/venv/bin/celery --version")
    assert "readlink -f" in script


def test_the_code_is_compiled_and_not_the_apps_to_change(host):
    site = f"{current(host)}/venv/lib/python3.13/site-packages"
    sources = host.check_output(f"find {site}/boxoffice {site}/kombu {site}/sqlalchemy/orm -name '*.py' | wc -l")
    compiled = host.check_output(f"find {site}/boxoffice {site}/kombu {site}/sqlalchemy/orm -name '*.pyc' | wc -l")
    assert int(sources) == int(compiled) > 0
    assert host.check_output(f"find {ROOT}/releases ! -user root -o -type f -perm /022 -o -type d -perm /022") == ""
    assert host.run(f"runuser -u boxoffice -- touch {site}/boxoffice/x.py").rc != 0


def test_secrets_are_for_the_app_only(host):
    file = host.file("/etc/boxoffice/env")
    assert (file.user, file.group, file.mode) == ("root", "boxoffice", 0o640)
    assert host.file("/etc/boxoffice").mode == 0o750
    assert host.run("runuser -u nobody -- cat /etc/boxoffice/env").rc != 0
    assert host.run("runuser -u boxoffice -- cat /etc/boxoffice/env").rc == 0


def test_the_databases_ca_is_there_for_the_app(host):
    file = host.file("/etc/boxoffice/database-ca.pem")
    assert (file.user, file.group, file.mode) == ("root", "root", 0o644)
    assert file.content_string == (Path(__file__).parents[1] / "files/database-ca.pem").read_text()
    assert host.run("runuser -u boxoffice -- cat /etc/boxoffice/database-ca.pem").rc == 0


def test_services_get_every_value_as_it_was_written(host):
    show = "systemd-run --quiet --pipe --wait --collect --property=EnvironmentFile=/etc/boxoffice/env printenv "
    assert host.check_output(show + "SESSION_SECRET").endswith('-$HOME-"quoted"-\\o/')
    assert host.check_output(show + "SMTP_PORT") == "25"


def test_the_settings_are_complete(host):
    check = "systemd-run --quiet --pipe --wait --collect --uid=boxoffice --property=EnvironmentFile=/etc/boxoffice/env "
    host.check_output(f"{check} {CURRENT}/venv/bin/boxoffice check")


def test_one_host_migrates_for_all(host):
    """Each host of this scenario has a database of its own, so that a second migration would show."""
    tables = host.check_output("mariadb --skip-column-names boxoffice --execute 'SHOW TABLES'").split()
    markers = [name for name in host.file(current(host)).listdir() if name.startswith("migrated-")]
    if host.ansible.get_variables()["inventory_hostname"] == host.ansible.get_variables()["groups"]["app"][0]:
        assert "orders" in tables
        assert host.check_output("mariadb --skip-column-names boxoffice --execute 'SELECT COUNT(*) FROM alembic_version'") == "1"
        assert len(markers) == 1
    else:
        assert (tables, markers) == ([], [])
