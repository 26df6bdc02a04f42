"""A pair of Redis hosts as their clients see it: a password, one master, one replica that follows."""

testinfra_hosts = ["ansible://redis"]

PASSWORD = "molecule-redis-password"


def address(host):
    return host.ansible.get_variables()["ansible_host"]


def redis(host, command, at="127.0.0.1"):
    return host.check_output(f"REDISCLI_AUTH={PASSWORD} redis-cli -h {at} {command}").strip()


def master_of(host):
    """Address of the master as this node sees it."""
    role = redis(host, "role").splitlines()
    return address(host) if role[0] == "master" else role[1]


def wait(host, condition):
    host.check_output(
        f"export REDISCLI_AUTH={PASSWORD}; for i in $(seq 60); do {condition} && exit; sleep 0.5; done; exit 1")


def test_without_the_password_nothing_is_told(host):
    for at in ("127.0.0.1", address(host)):
        assert "NOAUTH" in host.run(f"redis-cli -h {at} get anything").stdout


def test_there_is_one_master_and_a_replica_that_follows(host):
    master = master_of(host)
    assert redis(host, "role", at=master).splitlines()[0] == "master"
    redis(host, f"set molecule:{address(host)} here ex 60", at=master)
    wait(host, f'test "$(redis-cli get molecule:{address(host)})" = here')


def test_a_replica_takes_no_writes(host):
    if master_of(host) == address(host):
        wait(host, "redis-cli info replication | grep -q connected_slaves:1")
    else:
        assert "READONLY" in redis(host, "set molecule:x y")


def test_a_queue_is_never_evicted_and_each_write_is_logged(host):
    assert redis(host, "config get maxmemory-policy").split()[1] == "volatile-lru"
    assert redis(host, "config get appendonly").split()[1] == "yes"
    assert redis(host, "config get maxmemory").split()[1] == str(256 * 1024 * 1024)


def test_the_settings_win_over_what_redis_has_written_and_the_role_stays(host):
    before = master_of(host)
    redis(host, "config set maxmemory 300mb")
    redis(host, "acl setuser stray on nopass +@all")
    redis(host, "config rewrite")
    assert "\nmaxmemory " in host.file("/var/lib/redis/redis.conf").content_string
    host.check_output("systemctl restart redis-server")
    wait(host, "redis-cli ping | grep -q PONG")
    assert redis(host, "config get maxmemory").split()[1] == str(256 * 1024 * 1024)
    assert redis(host, "acl users") == "default"
    wait(host, f"redis-cli role | grep -qE '^(master|{before.replace('.', '[.]')})$'")
    assert master_of(host) == before


def test_it_starts_at_boot_and_comes_back_after_a_crash(host):
    service = host.service("redis-server")
    assert service.is_enabled
    before = host.check_output("systemctl show -p MainPID --value redis-server")
    host.check_output("systemctl kill --signal=KILL redis-server")
    wait(host, f'test "$(systemctl show -p MainPID --value redis-server)" != {before}')
    wait(host, "redis-cli ping | grep -q PONG")
