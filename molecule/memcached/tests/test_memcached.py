"""Memcached as its clients see it."""

testinfra_hosts = ["ansible://memcached"]

TALK = """python3 - <<'PY'
import socket
s = socket.create_connection(("%s", 11211), 3)
s.sendall(b"%s")
print(s.recv(4096).decode())
PY"""


def address(host):
    return host.ansible.get_variables()["ansible_host"]


def talk(host, words):
    return host.check_output(TALK % (address(host), words))


def test_it_stores_and_returns_at_the_address_of_the_clients(host):
    assert "STORED" in talk(host, r"set molecule 0 60 5\r\nhello\r\n")
    assert "hello" in talk(host, r"get molecule\r\n")


def test_there_is_no_udp(host):
    assert host.check_output("ss --no-header --udp --listening --numeric 'sport = :11211'") == ""
    assert host.check_output("ss --no-header --tcp --listening --numeric 'sport = :11211'") != ""


def test_it_has_the_memory_and_connections_it_was_given(host):
    settings = talk(host, r"stats settings\r\n")
    assert f"STAT maxbytes {64 * 1024 * 1024}" in settings
    assert "STAT maxconns 1024" in settings
    assert "STAT udpport 0" in settings


def test_it_runs_as_its_own_user_and_comes_back_after_a_crash(host):
    assert host.service("memcached").is_enabled
    before = host.check_output("systemctl show -p MainPID --value memcached")
    assert host.check_output(f"ps -o user= -p {before}").strip() == "memcache"
    host.check_output("systemctl kill --signal=KILL memcached")
    host.check_output(
        f"for i in $(seq 60); do p=$(systemctl show -p MainPID --value memcached); "
        f"test $p != 0 && test $p != {before} && exit; sleep 0.5; done; exit 1")
