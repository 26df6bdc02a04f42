"""What a client and a balancer see of the two data nodes."""

import re
import time
import urllib.error
import urllib.request

import pytest

testinfra_hosts = ["ansible://database"]

PASSWORD = "box-office-of-molecule"


def sql(host, statement):
    """As root, through the socket."""
    return host.check_output("mariadb --batch --skip-column-names --execute %s", statement)


def login(host, user, password, address, statement="SELECT 1"):
    """As a client, over TCP."""
    command = "MYSQL_PWD=%s mariadb --batch --skip-column-names --user=%s --host=%s boxoffice --execute %s"
    return host.run(command, password, user, address, statement)


def status(host, name):
    return sql(host, f"SHOW GLOBAL STATUS LIKE '{name}'").split("\t")[1]


def members(host):
    """Addresses of the data nodes."""
    return re.findall(r"[\d.]+(?=:)", status(host, "wsrep_incoming_addresses"))


def agent(address):
    """What a balancer gets: code and reason. It must come although the server may be frozen."""
    try:
        with urllib.request.urlopen(f"http://{address}:9200/", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def until(condition, seconds=60):
    for _ in range(seconds * 2):
        if condition():
            return True
        time.sleep(0.5)
    return False


@pytest.fixture
def address(host):
    return host.ansible.get_variables()["ansible_host"]


def test_a_start_ends_with_the_upgrade_of_the_tables_not_before_it(host):
    """In the background it would get in the way of what the other node sends."""
    variables = host.ansible.get_variables()
    if variables["inventory_hostname"] != variables["groups"]["database"][1]:
        pytest.skip("one node is restarted, the other one serves meanwhile")
    host.check_output("rm /var/lib/mysql/mariadb_upgrade_info && systemctl restart mariadb")
    assert host.file("/var/lib/mysql/mariadb_upgrade_info").exists
    assert host.run("pgrep -x mariadb-upgrade").rc == 1


def test_both_are_members_of_one_cluster(host):
    assert status(host, "wsrep_cluster_status") == "Primary"
    assert len(members(host)) == 2


def test_a_row_written_here_is_read_on_every_node(host, address):
    mark = f"{address} {time.time()}"
    sql(host, "CREATE TABLE IF NOT EXISTS boxoffice.proof (mark VARCHAR(64) PRIMARY KEY)")
    assert login(host, "boxoffice", PASSWORD, address, f"INSERT INTO proof VALUES ('{mark}')").rc == 0
    read = f"SET wsrep_sync_wait = 1; SELECT COUNT(*) FROM proof WHERE mark = '{mark}'"
    for node in members(host):
        assert login(host, "reader", "reader-of-molecule", node, read).stdout.strip() == "1", node


def test_acknowledged_commits_are_on_disk(host):
    assert sql(host, "SELECT @@innodb_flush_log_at_trx_commit") == "1"


def test_the_app_needs_its_password(host, address):
    assert login(host, "boxoffice", PASSWORD, address).stdout.strip() == "1"
    refused = login(host, "boxoffice", "another", address)
    assert refused.rc != 0
    assert "Access denied" in refused.stderr


def test_the_app_sees_its_database_only(host, address):
    refused = login(host, "boxoffice", PASSWORD, address, "SELECT user FROM mysql.global_priv")
    assert "denied" in refused.stderr


def test_privileges_are_no_more_than_asked_for(host, address):
    refused = login(host, "reader", "reader-of-molecule", address, "CREATE TABLE forbidden (id INT)")
    assert "denied" in refused.stderr


def test_root_has_no_way_in_over_tcp(host, address):
    # Without --skip-ssl the client itself would refuse, for it has no password by which to know the server.
    assert "Access denied" in host.run("mariadb --skip-ssl --user=root --host=%s --execute 'SELECT 1'", address).stderr
    assert sql(host, "SELECT COUNT(*) FROM mysql.global_priv WHERE user = 'root' AND host <> 'localhost'") == "0"


def test_nothing_is_left_open(host):
    assert sql(host, "SELECT COUNT(*) FROM mysql.global_priv WHERE user = ''") == "0"
    assert "test" not in sql(host, "SHOW DATABASES").split()


def test_no_password_is_written_on_the_host(host):
    found = host.run("grep -rlF %s /etc /var/log /root /tmp", PASSWORD)
    assert found.rc == 1
    assert found.stdout == ""


def test_the_agent_follows_the_server(host, address):
    assert agent(address) == (200, "synced member of the primary component\n")
    host.check_output("systemctl stop mariadb")
    try:
        code, reason = agent(address)
        assert code == 503
        assert "no answer" in reason
    finally:
        host.check_output("systemctl start mariadb")
    assert until(lambda: agent(address)[0] == 200)


def test_the_agent_refuses_a_read_only_node(host, address):
    sql(host, "SET GLOBAL read_only = ON")
    try:
        assert until(lambda: agent(address)[0] == 503, 5)
        assert "read-only" in agent(address)[1]
    finally:
        sql(host, "SET GLOBAL read_only = OFF")
    assert until(lambda: agent(address)[0] == 200)


def test_the_agent_is_not_root(host):
    assert host.check_output("systemctl show --property=User --value mariadb-agent") == "mariadb-agent"
    assert sql(host, "SHOW GRANTS FOR 'mariadb-agent'@'localhost'").startswith("GRANT USAGE ON *.*")
