"""What the balancer's configuration says for a given set of servers, without a host."""

from pathlib import Path

import pytest
import yaml
from ansible.plugins.filter.core import comment
from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROLE = Path(__file__).parents[2] / "roles" / "haproxy"
APPS = [{"name": "app-a-1", "address": "10.0.0.1", "port": 8000}, {"name": "app-b-1", "address": "10.0.0.2", "port": 8001}]
DATABASES = [{"name": f"database-{zone}-1", "address": f"10.0.1.{n}"} for n, zone in enumerate("abc")]
PEERS = [{"name": "lb-a-1", "address": "10.0.2.1"}, {"name": "lb-b-1", "address": "10.0.2.2"}]


def render(template="haproxy.cfg.j2", **given):
    environment = Environment(
        loader=FileSystemLoader(ROLE / "templates"), trim_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined
    )
    environment.filters["comment"] = comment
    values = {"ansible_managed": "Ansible managed", "haproxy_peer_name": "lb-a-1"}
    for source in ("defaults", "vars"):
        values = yaml.safe_load((ROLE / source / "main.yml").read_text()) | values
    return environment.get_template(template).render(values | given)


def sections(text):
    """Return {"backend app": ["balance leastconn", ...]}: a section begins at the first column."""
    found, lines = {}, []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line.startswith(" "):
            lines.append(line.strip())
        else:
            lines = found.setdefault(line.strip(), [])
    return found


def servers(lines):
    """Return the words of each server line; every one gives up on a dead host's connection after three seconds."""
    found = [line for line in lines if line.startswith("server ")]
    assert all(" tcp-ut 3s" in line for line in found)
    return [line.replace(" tcp-ut 3s", "").split() for line in found]


def test_every_app_server_is_listed_with_its_own_port():
    app = sections(render(haproxy_app_servers=APPS))["backend app from web"]
    assert servers(app) == [["server", "app-a-1", "10.0.0.1:8000"], ["server", "app-b-1", "10.0.0.2:8001"]]


def test_only_harmless_requests_are_sent_twice():
    app = sections(render(haproxy_app_servers=APPS))["backend app from web"]
    assert "http-request disable-l7-retry unless METH_GET" in app
    assert "option redispatch 1" in app


def test_first_database_writes_and_the_others_wait():
    database = sections(render(haproxy_database_servers=DATABASES))["listen database from database"]
    assert [line[3:] for line in servers(database)] == [[], ["backup"], ["backup"]]


def test_a_dead_app_server_is_not_an_empty_answer():
    """shutdown-sessions would cut requests off instead of sending them to another server; the database wants it."""
    found = sections(render(haproxy_app_servers=APPS, haproxy_database_servers=DATABASES))
    assert "shutdown-sessions" not in "".join(found["backend app from web"])
    assert "shutdown-sessions" in "".join(found["listen database from database"])


def test_the_writer_is_remembered_and_shared():
    found = sections(render(haproxy_database_servers=DATABASES, haproxy_peers=PEERS))
    table = next(line for line in found["listen database from database"] if line.startswith("stick-table"))
    assert "nopurge" in table
    assert "expire" not in table
    assert "peers stack" in table
    assert found["peers stack"] == ["peer lb-a-1 10.0.2.1:10000", "peer lb-b-1 10.0.2.2:10000"]
    assert "localpeer lb-a-1" in found["global"]


def test_a_single_balancer_keeps_its_table_over_a_reload():
    assert sections(render())["peers stack"] == ["peer lb-a-1 127.0.0.1:10000"]


def test_without_databases_there_is_no_database_listener():
    found = sections(render())
    assert "listen database from database" not in found
    assert "defaults database" not in found
    assert servers(found["backend app from web"]) == []


def test_full_visitors_leave_room_for_the_balancers_own_check():
    found = sections(render(haproxy_maxconn=100, haproxy_database_maxconn=50))

    def limit(lines):
        return next(int(line.split()[1]) for line in lines if line.startswith("maxconn"))

    assert limit(found["frontend web from web"]) == 100
    assert limit(found["global"]) > 150


def test_without_a_certificate_nothing_speaks_of_tls():
    assert " ssl" not in render().replace("ssl_fc", "")


def test_a_certificate_brings_https_and_sends_http_there():
    found = sections(render(haproxy_tls_certificate="PEM"))
    web = found["frontend web from web"]
    assert any(line.startswith("bind *:443 ssl crt ") for line in web)
    assert any(line.startswith("http-request redirect scheme https") for line in web)
    assert any("ssl-min-ver TLSv1.2" in line for line in found["global"])


@pytest.mark.parametrize("limit", [0, 40])
def test_rate_limit_is_a_choice(limit):
    web = "\n".join(sections(render(haproxy_rate_limit=limit))["frontend web from web"])
    assert ("status 429" in web) == bool(limit)
    assert f"sc_http_req_rate(0) gt {limit}" in web or not limit


def test_stats_answer_to_the_balancers_own_check_on_loopback():
    stats = sections(render(haproxy_stats_address="10.0.2.1"))["frontend stats from web"]
    assert [line for line in stats if line.startswith("bind")] == ["bind 127.0.0.1:8404", "bind 10.0.2.1:8404"]
    assert [line for line in sections(render())["frontend stats from web"] if line.startswith("bind")] == ["bind 127.0.0.1:8404"]


def test_error_pages_survive_quotes_and_markup_in_the_message():
    lines = sections(render(haproxy_busy_message="Don't <worry> & wait"))["defaults web"]
    busy = next(line for line in lines if line.startswith("http-error status 503"))
    assert busy.count("'") == 2
    assert "&lt;worry&gt; &amp;" in busy
    assert "hdr Retry-After 5" in busy


def test_unit_settings_of_the_machine_come_last():
    unit = render("unit.conf.j2", haproxy_unit_dropin={"BindReadOnlyPaths": ""})
    assert unit.rstrip().endswith("\nBindReadOnlyPaths=")
    assert unit.index("haproxy-save-state") < unit.index("kill -USR2")


def test_numbers_given_on_the_command_line_are_text():
    """`-e haproxy_maxconn=4321` hands over a string."""
    numbers = {name: value for name, value in yaml.safe_load((ROLE / "defaults/main.yml").read_text()).items() if type(value) is int}
    assert {"haproxy_maxconn", "haproxy_rate_limit"} < numbers.keys()
    assert render(haproxy_app_servers=APPS, **{name: str(value) for name, value in numbers.items()}) == render(haproxy_app_servers=APPS)
