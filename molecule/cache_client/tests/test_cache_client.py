import json

testinfra_hosts = ["ansible://app"]

FILE = "/etc/boxoffice-standin/endpoints.json"
MANAGED = "/etc/boxoffice-standin/managed.json"


def test_the_app_finds_its_caches(host):
    assert json.loads(host.file(FILE).content_string) == {
        "redis": {
            "master_name": "stack",
            "sentinels": [["10.1.2.3", 26379], ["10.1.2.4", 26379], ["10.1.2.5", 26380]],
            "password": "only-in-this-test",
        },
        "memcached": ["10.1.2.6:11211", "10.1.2.7:11211"],
    }


def test_managed_caches_are_one_address_each(host):
    assert json.loads(host.file(MANAGED).content_string) == {
        "redis": {"url": "rediss://:only%2Fin-this-test@primary.example.org:6379/0", "ca_file": "/etc/boxoffice-standin/ca.pem"},
        "memcached_discovery": "configuration.example.org:11211",
    }


def test_what_contradicts_itself_is_not_written(host):
    assert not host.file("/etc/boxoffice-standin/refused.json").exists


def test_the_password_is_not_for_everybody(host):
    file = host.file(FILE)
    assert (file.user, file.group, file.mode) == ("root", "nogroup", 0o640)


def test_what_runs_was_started_after_the_file(host):
    show = "systemctl show --timestamp=us --property=ActiveEnterTimestamp --value boxoffice-standin.service"
    started = host.check_output(f'date +%s.%N --date="$({show})"')
    written = host.check_output(f"stat --format=%.Z {FILE}")
    assert float(started) > float(written)
