"""Three Sentinels that agree, and real failovers. Ends as it began: one master, one replica, three voters."""

import time

import pytest
import testinfra

testinfra_hosts = ["ansible://arbiter"]

PASSWORD = "molecule-redis-password"
ASK = "sentinel get-master-addr-by-name stack"


@pytest.fixture
def stack(request, host):
    """The hosts that run a Sentinel, by address; the arbiter's last."""
    def connect(name):
        return testinfra.get_host(f"ansible://{name}", ansible_inventory=request.config.option.ansible_inventory)

    hosts = [connect(name) for name in host.ansible.get_variables()["groups"]["redis"]] + [host]
    return {each.ansible.get_variables()["ansible_host"]: each for each in hosts}


def sentinel(host, command, at="127.0.0.1"):
    return host.run(f"redis-cli -h {at} -p 26379 {command}").stdout.strip()


def redis(host, at, command):
    return host.run(f"REDISCLI_AUTH={PASSWORD} redis-cli -h {at} {command}").stdout.strip()


def quorum(stack, votes):
    for each in stack.values():
        answer = each.run(f"REDISCLI_AUTH={PASSWORD} redis-cli --user admin -p 26379 sentinel set stack quorum {votes}")
        assert answer.stdout.strip() == "OK", answer


def wait(condition, what, seconds=90):
    """The condition's first true answer. Late is no failure: an election that nobody won is held again after 20 to 30 s."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.2)
    return answer


def named(host, at):
    return sentinel(host, ASK, at).split("\n")[0]


def agreed(host, stack, but=""):
    """The master that all three name, other than `but`; False while they do not."""
    names = {named(host, at) for at in stack}
    return names.pop() if len(names) == 1 and but not in names else False


def whole(host, stack):
    """The master, once it has its replica and every Sentinel sees three voters and no node missing."""
    def ready():
        master = agreed(host, stack)
        return (
            master and "state=online" in redis(host, master, "info replication")
            and all(sentinel(host, "sentinel ckquorum stack", at).startswith("OK 3 ") for at in stack)
            and all("slaves=1,sentinels=3" in sentinel(host, "info sentinel", at) for at in stack)
            and "s_down" not in sentinel(host, "sentinel replicas stack")
            and master)
    return wait(ready, "one master, one replica, three voters")


def test_all_three_name_the_same_master_and_have_their_own_identity(host, stack):
    assert len(stack) == 3
    assert redis(host, whole(host, stack), "role").split("\n")[0] == "master"
    assert len({sentinel(host, "sentinel myid", at) for at in stack}) == 3


def test_a_client_can_ask_but_change_nothing(host, stack):
    for change in ("set stack quorum 1", "remove stack", "failover stack", "monitor mine 10.0.0.1 6379 1"):
        assert "NOPERM" in sentinel(host, f"sentinel {change}")
    for client in ("sentinel masters", "sentinel replicas stack", "client setinfo lib-name redis-py", "ping"):
        assert "NOPERM" not in sentinel(host, client)


def test_the_master_stops_and_the_replica_takes_over(host, stack):
    old = whole(host, stack)
    redis(host, old, "set molecule:kept yes")
    wait(lambda: redis(host, old, "wait 1 1000") == "1", "the replica has the key")
    started = time.monotonic()
    stack[old].check_output("systemctl stop redis-server")
    new = wait(lambda: agreed(host, stack, but=old), "another master")
    wait(lambda: redis(host, new, "set molecule:after yes") == "OK", "writes at the new master")
    print(f"failover: {time.monotonic() - started:.1f} s")
    assert redis(host, new, "get molecule:kept") == "yes"

    stack[old].check_output("systemctl start redis-server")
    # At once, not only after Sentinel has noticed: never two masters.
    assert redis(host, old, "role").split("\n")[0] == "slave"
    assert whole(host, stack) == new
    assert redis(host, old, "get molecule:after") == "yes"


def test_a_master_that_returns_with_an_empty_disk_does_not_make_the_others_forget(host, stack):
    old = whole(host, stack)
    time.sleep(1)
    redis(host, old, "set molecule:precious yes")
    wait(lambda: redis(host, old, "wait 1 1000") == "1", "the replica has the key")
    # As after an election that nobody won: for 12 s no failover, whatever the three see.
    quorum(stack, 4)
    # The files first: the unit would be back before they are gone. And faster than Sentinel can notice.
    stack[old].check_output(
        "rm -rf /var/lib/redis/*; systemctl kill --signal=KILL redis-server; systemctl start --no-block redis-server")
    time.sleep(12)
    quorum(stack, 2)
    new = whole(host, stack)
    assert new != old
    assert redis(host, new, "get molecule:precious") == "yes"
    assert redis(host, old, "get molecule:precious") == "yes"


def test_a_sentinel_that_forgot_everything_learns_the_present_master(host, stack):
    master, me = whole(host, stack), sentinel(host, "sentinel myid")
    host.check_output("systemctl stop redis-sentinel; rm -rf /var/lib/redis-sentinel/*; systemctl start redis-sentinel")
    assert named(host, "127.0.0.1") == master
    assert whole(host, stack) == master
    assert sentinel(host, "sentinel myid") == me


def test_it_starts_at_boot(stack):
    assert all(each.service("redis-sentinel").is_enabled for each in stack.values())
