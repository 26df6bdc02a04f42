"""Settings: read once from the environment and the endpoints file, then passed around."""

import json
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MIN_SECRET = 32
SES_PACKAGES = ("boto3", "cryptography")  # of the extra ses
REGION = r"[a-z]{2}(-[a-z]+)+-\d"
NAME = r"[A-Za-z0-9_-]{1,64}"
TOPIC = rf"arn:aws(-[a-z]+)*:sns:{REGION}:\d{{12}}:[A-Za-z0-9_-]{{1,256}}"


class SettingsError(Exception):
    """Everything that is wrong with the settings, one line each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@dataclass(frozen=True, kw_only=True)
class Settings:
    database_url: str = field(repr=False)
    database_ca_file: str = ""
    session_secret: str = field(repr=False)
    public_url: str
    mail_backend: str = "smtp"  # or ses
    smtp_host: str = ""
    smtp_port: int = 25
    aws_region: str = ""
    ses_configuration_set: str = ""
    ses_topic_arn: str = ""  # where SES tells of bounces; empty: nobody listens
    mail_from: str
    host_name: str
    redis_url: str = field(default="", repr=False)
    redis_ca_file: str = ""
    redis_master: str = ""
    redis_sentinels: tuple[tuple[str, int], ...] = ()
    redis_password: str = field(default="", repr=False)
    memcached: tuple[str, ...] = ()
    memcached_discovery: str = ""
    memcached_discovery_seconds: int = 60
    hold_seconds: int = 900


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings, or raise one SettingsError that names every problem and its mend."""
    reader = _Reader(environ)
    endpoints = reader.endpoints()
    values: dict[str, Any] = {
        "database_url": reader.database_url("DATABASE_URL"),
        "database_ca_file": reader.ca_file(
            "DATABASE_CA_FILE", environ.get("DATABASE_CA_FILE", "").strip()
        ),
        "session_secret": reader.secret("SESSION_SECRET"),
        "public_url": reader.url("PUBLIC_URL", ("http", "https")).rstrip("/"),
        **reader.mail(),
        "mail_from": reader.address("MAIL_FROM"),
        "host_name": reader.text("HOST_NAME", "the name of this instance, such as app-a-1"),
        "hold_seconds": reader.number("HOLD_SECONDS", 900, 10, 86400),
        "memcached": reader.memcached(endpoints),
        "memcached_discovery": reader.memcached_discovery(endpoints),
        "memcached_discovery_seconds": reader.number("MEMCACHED_DISCOVERY_SECONDS", 60, 1, 3600),
        **reader.redis(endpoints),
    }
    if reader.problems:
        raise SettingsError(reader.problems)
    return Settings(**values)


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[str] = []
        self.file = environ.get("ENDPOINTS_FILE", "")

    def problem(self, where: str, found: str, expected: str, mend: str) -> None:
        self.problems.append(f"{where}: found {found}, expected {expected}. Mend: {mend}.")

    def text(self, key: str, expected: str) -> str:
        value = self.environ.get(key, "").strip()
        if not value:
            self.problem(key, "nothing", expected, f"set {key} in the environment")
        return value

    def number(self, key: str, default: int, low: int, high: int) -> int:
        value = self.environ.get(key, "").strip() or str(default)
        if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
            self.problem(
                key, repr(value), f"a number from {low} to {high}", f"set {key}, e.g. to {default}"
            )
            return default
        return int(value)

    def url(self, key: str, schemes: tuple[str, ...]) -> str:
        wanted = " or ".join(f"{scheme}://..." for scheme in schemes)
        value = self.text(key, f"an address {wanted}")
        if not value:
            return ""
        try:
            parts = urlsplit(value)
            fits = parts.scheme in schemes and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            fits = False
        if not fits:  # the value may hold a password: show only its scheme
            found = f"an address that begins with {value.split('://')[0][:20]!r}"
            self.problem(key, found, f"{wanted} with a host", f"correct {key}")
        return value

    def database_url(self, key: str) -> str:
        value = self.url(key, ("mysql+pymysql",))
        # They would win over DATABASE_CA_FILE, and could take the check of the certificate away.
        options = [name for name, _value in parse_qsl(value.partition("?")[2]) if "ssl" in name]
        if options:
            self.problem(
                key, f"the option {options[0]}", "none about TLS", "give DATABASE_CA_FILE instead"
            )
        return value

    def secret(self, key: str) -> str:
        value = self.text(key, f"a random text of at least {MIN_SECRET} characters")
        if value and len(value) < MIN_SECRET:
            self.problem(
                key,
                f"{len(value)} characters",
                f"at least {MIN_SECRET}",
                'make one with: python3 -c "import secrets; print(secrets.token_hex(32))"',
            )
        return value

    def address(self, key: str) -> str:
        value = self.text(key, "the sender address of mails")
        if value and "@" not in value:
            self.problem(key, repr(value), "an e-mail address", f"write {key} as name@example.org")
        return value

    def ca_file(self, where: str, path: str) -> str:
        if not path:
            return ""
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:  # SSLError is one
            found = f"{path} ({(error.strerror or 'an error').lower()})"
            self.problem(where, found, "a readable file of PEM certificates", "put the CA there")
        return path

    def mail(self) -> dict[str, Any]:
        """The settings of the one backend that carries mails; those of the other are not read."""
        backend = self.environ.get("MAIL_BACKEND", "").strip() or "smtp"
        if backend == "smtp":
            return {
                "smtp_host": self.text("SMTP_HOST", "the name or address of a mail server"),
                "smtp_port": self.number("SMTP_PORT", 25, 1, 65535),
            }
        if backend != "ses":
            self.problem("MAIL_BACKEND", repr(backend), "smtp or ses", "correct MAIL_BACKEND")
            return {}
        for package in SES_PACKAGES:
            if not find_spec(package):
                self.problem(
                    "MAIL_BACKEND",
                    f"ses, and no package {package}",
                    "the app with its extra ses",
                    "install boxoffice[ses] (release_extras: [ses] of the role release)",
                )
        return {
            "mail_backend": backend,
            "aws_region": self.form("AWS_REGION", REGION, "a region such as eu-west-1"),
            "ses_configuration_set": self.form(
                "SES_CONFIGURATION_SET", NAME, "letters, digits, - and _", optional=True
            ),
            "ses_topic_arn": self.form(
                "SES_TOPIC_ARN", TOPIC, "arn:aws:sns:<region>:<account>:<name>", optional=True
            ),
        }

    def form(self, key: str, pattern: str, expected: str, optional: bool = False) -> str:
        value = self.environ.get(key, "").strip()
        if not value and optional:
            return ""
        value = value or self.text(key, expected)
        if value and not re.fullmatch(pattern, value):
            self.problem(key, repr(value), expected, f"correct {key}")
        return value

    def endpoints(self) -> dict[str, Any] | None:
        """The file's content; None when it was reported already."""
        where = "ENDPOINTS_FILE"
        if not self.file:
            self.problem(where, "nothing", "the path of endpoints.json", f"set {where}")
            return None
        try:
            data = json.loads(Path(self.file).read_text(encoding="utf-8"))
        except OSError as error:
            self.problem(
                f"{where} {self.file}",
                (error.strerror or "an error").lower(),
                "a readable file",
                "run the configure step, or correct the path",
            )
            return None
        except ValueError as error:
            self.problem(f"{where} {self.file}", f"no JSON ({error})", "JSON", "write it anew")
            return None
        if not isinstance(data, dict):
            self.problem(f"{where} {self.file}", type(data).__name__, "an object", "write it anew")
            return None
        return data

    def memcached(self, endpoints: dict[str, Any] | None) -> tuple[str, ...]:
        nodes = (endpoints or {}).get("memcached", [])
        if not isinstance(nodes, list) or not all(_is_node(node) for node in nodes):
            self.problem(
                f"{self.file}: memcached",
                repr(nodes),
                'a list like ["10.1.2.4:11211"]',
                "correct the list (it may be empty)",
            )
            return ()
        return tuple(nodes)

    def memcached_discovery(self, endpoints: dict[str, Any] | None) -> str:
        data = endpoints or {}
        endpoint = data.get("memcached_discovery", "")
        where = f"{self.file}: memcached_discovery"
        if endpoint != "" and not _is_node(endpoint):
            self.problem(where, repr(endpoint), '"host:port"', "correct it, or leave it out")
            return ""
        if endpoint and data.get("memcached"):
            self.problem(where, "it and the list memcached", "one of the two", "remove one")
        return str(endpoint)

    def redis(self, endpoints: dict[str, Any] | None) -> dict[str, Any]:
        if endpoints is None:
            return {}
        where = f"{self.file}: redis"
        section = endpoints.get("redis", {})
        if not isinstance(section, dict) or not section:
            self.problem(where, repr(section), "url, or master_name and sentinels", "add it")
            return {}
        if "url" in section:
            return self.redis_url(where, section)
        sentinels = section.get("sentinels")
        if not isinstance(sentinels, list) or not sentinels or not all(map(_is_pair, sentinels)):
            self.problem(
                f"{where}.sentinels", repr(sentinels), 'a list like [["10.1.2.3", 26379]]', "fix it"
            )
            return {}
        if not section.get("master_name"):
            self.problem(f"{where}.master_name", "nothing", "the name Sentinel watches", "add it")
        return {
            "redis_master": str(section.get("master_name", "")),
            "redis_sentinels": tuple((str(host), int(port)) for host, port in sentinels),
            "redis_password": str(section.get("password") or ""),
        }

    def redis_url(self, where: str, section: dict[str, Any]) -> dict[str, Any]:
        url = str(section["url"])
        if not url.startswith(("redis://", "rediss://", "unix://")):
            self.problem(f"{where}.url", "another scheme", "redis://...", "correct the url")
        elif not url.startswith("unix://") and not _is_redis_address(url):
            self.problem(
                f"{where}.url",
                "an address that cannot be read, or that carries options",
                "rediss://:password@host:port/0",
                "percent-encode the password's special characters, and give no ?options",
            )
        path = section.get("ca_file") or ""
        if path and not url.startswith("rediss://"):
            self.problem(f"{where}.ca_file", "it beside a url without TLS", "rediss://", "drop one")
        return {"redis_url": url, "redis_ca_file": self.ca_file(f"{where}.ca_file", str(path))}


def _is_redis_address(url: str) -> bool:
    """An unquoted #, ?, / or @ of a password moves its rest to where no address has anything."""
    try:
        parts = urlsplit(url)
        fits = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False
    # Options in the address could take the check of the certificate away.
    database = parts.path.removeprefix("/") or "0"
    clean = not parts.query and not parts.fragment and "@" not in parts.netloc.rpartition("@")[0]
    return fits and clean and database.isascii() and database.isdigit()


def _is_node(value: object) -> bool:
    if not isinstance(value, str):
        return False
    host, _, port = value.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit()


def _is_pair(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], int)
    )
