"""Knows where the tables are: imports every package's models."""

from importlib import import_module

PACKAGES = (
    "accounts",
    "events",
    "releases",
    "orders",
    "payments",
    "tickets",
    "exports",
    "outbox",
    "mail",
    "watchdog",
)


def import_models() -> None:
    for package in PACKAGES:
        import_module(f"boxoffice.{package}.models")
