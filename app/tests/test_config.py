import json
from pathlib import Path

import pytest

from boxoffice import config
from boxoffice.config import Settings, SettingsError, load_settings
from tests.tls import Authority

SENTINEL = {"master_name": "stack", "sentinels": [["10.1.2.3", 26379]], "password": "p"}
GOOD = {"redis": SENTINEL, "memcached": ["10.1.2.4:11211"]}
ENVIRON = {
    "DATABASE_URL": "mysql+pymysql://boxoffice:secret-word@10.0.0.9:3306/boxoffice?charset=utf8mb4",
    "SESSION_SECRET": "s" * 64,
    "PUBLIC_URL": "https://tickets.example.org/",
    "SMTP_HOST": "10.1.2.5",
    "SMTP_PORT": "2525",
    "MAIL_FROM": "tickets@example.org",
    "HOST_NAME": "app-a-1",
}
TLS_URL = "mysql+pymysql://boxoffice@10.0.0.9/boxoffice?charset=utf8mb4&{}"
BY_SES = {"MAIL_BACKEND": "ses", "AWS_REGION": "eu-west-1", "SMTP_HOST": ""}
TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail-feedback"


def environ(folder: Path, endpoints: object = GOOD, **changes: str) -> dict[str, str]:
    path = folder / "endpoints.json"
    path.write_text(endpoints if isinstance(endpoints, str) else json.dumps(endpoints))
    return {**ENVIRON, "ENDPOINTS_FILE": str(path), **changes}


def test_all_is_read(tmp_path: Path) -> None:
    assert load_settings(environ(tmp_path)) == Settings(
        database_url=ENVIRON["DATABASE_URL"],
        session_secret="s" * 64,
        public_url="https://tickets.example.org",
        smtp_host="10.1.2.5",
        smtp_port=2525,
        mail_from="tickets@example.org",
        host_name="app-a-1",
        redis_master="stack",
        redis_sentinels=(("10.1.2.3", 26379),),
        redis_password="p",
        memcached=("10.1.2.4:11211",),
        hold_seconds=900,
    )


def test_a_plain_redis_will_do(tmp_path: Path) -> None:
    settings = load_settings(environ(tmp_path, {"redis": {"url": "redis://127.0.0.1:6379/0"}}))
    assert (settings.redis_url, settings.memcached) == ("redis://127.0.0.1:6379/0", ())


def test_one_address_for_each_cache_will_do(tmp_path: Path) -> None:
    ca = str(Authority(tmp_path).ca)
    redis = {"url": "rediss://:a%23b%2Fc@cache.example.org:6379/0", "ca_file": ca}
    endpoints = {"redis": redis, "memcached_discovery": "cfg.example.org:11211"}
    settings = load_settings(
        environ(tmp_path, endpoints, DATABASE_CA_FILE=ca, MEMCACHED_DISCOVERY_SECONDS="20")
    )
    assert (settings.redis_url, settings.redis_ca_file) == (redis["url"], ca)
    assert settings.memcached == ()
    assert settings.memcached_discovery == "cfg.example.org:11211"
    assert settings.memcached_discovery_seconds == 20
    assert settings.database_ca_file == ca


def test_a_ca_file_without_tls_is_a_mistake(tmp_path: Path) -> None:
    redis = {"url": "redis://h/0", "ca_file": str(Authority(tmp_path).ca)}
    with pytest.raises(SettingsError, match=r"redis\.ca_file: .* without TLS"):
        load_settings(environ(tmp_path, {"redis": redis}))


def test_mails_by_ses_need_no_mail_server(tmp_path: Path) -> None:
    words = {**BY_SES, "SES_CONFIGURATION_SET": "shop", "SES_TOPIC_ARN": TOPIC}
    settings = load_settings(environ(tmp_path, **words))
    assert (settings.mail_backend, settings.aws_region) == ("ses", "eu-west-1")
    assert (settings.ses_configuration_set, settings.ses_topic_arn) == ("shop", TOPIC)


@pytest.mark.parametrize("package", config.SES_PACKAGES)
def test_a_missing_library_of_ses_is_named_with_its_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setattr(config, "find_spec", lambda name: None if name == package else object())
    with pytest.raises(SettingsError, match=rf"no package {package}.*Mend: install boxoffice\[ses"):
        load_settings(environ(tmp_path, **BY_SES))
    load_settings(environ(tmp_path))  # by SMTP nobody asks for them


def test_everything_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        load_settings({})
    named = [problem.split(":")[0] for problem in error.value.problems]
    assert sorted(named) == sorted({*ENVIRON, "ENDPOINTS_FILE"} - {"SMTP_PORT"})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"DATABASE_URL": "postgresql://x/y"}, ("DATABASE_URL", "mysql+pymysql://")),
        ({"DATABASE_URL": TLS_URL.format("ssl_disabled=1")}, ("ssl_disabled", "DATABASE_CA_FILE")),
        ({"DATABASE_URL": TLS_URL.format("ssl_verify_cert=false")}, ("ssl_verify_cert",)),
        ({"SESSION_SECRET": "short"}, ("SESSION_SECRET", "5 characters", "token_hex")),
        ({"SMTP_PORT": "mail"}, ("SMTP_PORT", "'mail'", "1 to 65535")),
        ({"MAIL_FROM": "tickets"}, ("MAIL_FROM", "'tickets'", "name@example.org")),
        ({"PUBLIC_URL": "tickets.example.org"}, ("PUBLIC_URL", "http://... or https://...")),
        ({"MAIL_BACKEND": "pigeon"}, ("MAIL_BACKEND", "'pigeon'", "smtp or ses")),
        ({"MAIL_BACKEND": "ses"}, ("AWS_REGION", "eu-west-1")),
        ({**BY_SES, "AWS_REGION": "Ireland"}, ("AWS_REGION", "'Ireland'")),
        ({**BY_SES, "SES_CONFIGURATION_SET": "a b"}, ("SES_CONFIGURATION_SET", "'a b'")),
        ({**BY_SES, "SES_TOPIC_ARN": "arn:aws:sqs:x"}, ("SES_TOPIC_ARN", "arn:aws:sns:<region>")),
        ({"HOLD_SECONDS": "0"}, ("HOLD_SECONDS", "'0'")),
        ({"MEMCACHED_DISCOVERY_SECONDS": "0"}, ("MEMCACHED_DISCOVERY_SECONDS", "1 to 3600")),
        ({"DATABASE_CA_FILE": "/nowhere/ca"}, ("DATABASE_CA_FILE: found /nowhere/ca", "no such")),
        ({"DATABASE_CA_FILE": "/dev/null"}, ("DATABASE_CA_FILE: found /dev/null", "PEM")),
        ({"ENDPOINTS_FILE": "/nowhere/x.json"}, ("ENDPOINTS_FILE /nowhere/x.json", "no such file")),
    ],
)
def test_a_wrong_value_is_named_with_its_mend(
    tmp_path: Path, changes: dict[str, str], words: tuple[str, ...]
) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(environ(tmp_path, **changes))
    (problem,) = error.value.problems
    assert [word for word in (*words, "Mend:") if word not in problem] == []


@pytest.mark.parametrize(
    ("endpoints", "words"),
    [
        ("no json", ("ENDPOINTS_FILE", "no JSON")),
        ([], ("ENDPOINTS_FILE", "list", "object")),
        ({}, ("redis", "master_name")),
        ({"redis": {**SENTINEL, "sentinels": []}}, ("redis.sentinels", "[]")),
        ({"redis": {**SENTINEL, "sentinels": [["a", "b"]]}}, ("redis.sentinels", "['a', 'b']")),
        ({"redis": {**SENTINEL, "master_name": ""}}, ("redis.master_name",)),
        ({"redis": SENTINEL, "memcached": ["10.1.2.4"]}, ("memcached", "10.1.2.4:11211")),
        ({**GOOD, "memcached_discovery": "cfg:11211"}, ("memcached_discovery", "one of the two")),
        ({"redis": SENTINEL, "memcached_discovery": "cfg"}, ("memcached_discovery", "host:port")),
        ({"redis": {"url": "http://x"}}, ("redis.url", "another scheme")),
        ({"redis": {"url": "rediss://:12#a@h:6379/0"}}, ("redis.url", "percent-encode")),
        ({"redis": {"url": "rediss://u:12#a@h:6379/0"}}, ("redis.url", "percent-encode")),
        ({"redis": {"url": "rediss://u:1/2@h:6379/0"}}, ("redis.url", "percent-encode")),
        ({"redis": {"url": "rediss://u:1?2@h:6379/0"}}, ("redis.url", "percent-encode")),
        ({"redis": {"url": "rediss://u:1@2@h:6379/0"}}, ("redis.url", "percent-encode")),
        ({"redis": {"url": "rediss://h/0?ssl_cert_reqs=none"}}, ("redis.url", "no ?options")),
        ({"redis": {"url": "rediss://h/0", "ca_file": "/no/ca"}}, ("redis.ca_file", "no such")),
    ],
)
def test_a_wrong_endpoint_is_named(
    tmp_path: Path, endpoints: object, words: tuple[str, ...]
) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(environ(tmp_path, endpoints))
    (problem,) = error.value.problems
    assert [word for word in words if word not in problem] == []


def test_no_secret_shows_up_in_messages_or_reprs(tmp_path: Path) -> None:
    wrong = "mysql://boxoffice:secret-word@10.0.0.9/boxoffice"
    with pytest.raises(SettingsError) as error:
        load_settings(environ(tmp_path, DATABASE_URL=wrong))
    assert "secret-word" not in str(error.value)
    assert "secret-word" not in repr(load_settings(environ(tmp_path)))
