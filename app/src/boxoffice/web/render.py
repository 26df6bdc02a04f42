"""Templates and static files."""

import hashlib
from datetime import datetime
from pathlib import Path

from babel.dates import format_datetime
from babel.numbers import format_currency
from markupsafe import Markup
from pyramid.config import Configurator
from pyramid.static import QueryStringConstantCacheBuster

HERE = Path(__file__).parent.parent
YEAR = 365 * 86400


def includeme(config: Configurator) -> None:
    config.add_jinja2_renderer(".html")
    config.add_jinja2_search_path("boxoffice:templates", name=".html")
    config.action(None, _filters, args=(config,), order=9999)
    config.add_static_view("static", "boxoffice:static", cache_max_age=YEAR)
    config.add_cache_buster(
        "boxoffice:static/", QueryStringConstantCacheBuster(_digest(HERE / "static"))
    )


def _filters(config: Configurator) -> None:
    environment = config.get_jinja2_environment(name=".html")
    environment.filters.update(money=money, moment=moment, day=day, places=places, lines=lines)
    environment.trim_blocks = True
    environment.lstrip_blocks = True


def _digest(folder: Path) -> str:
    """One text for all static files: their addresses change when they do."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def money(cents: int, currency: str) -> str:
    if cents == 0:
        return "Free"
    return format_currency(cents / 100, currency, locale="en")


def moment(value: datetime | str) -> str:
    return format_datetime(_datetime(value), "EEEE d MMMM y, HH:mm", locale="en")


def day(value: datetime | str, part: str) -> str:
    return format_datetime(_datetime(value), part, locale="en")


def places(count: int, word: str = "ticket") -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def lines(text: str) -> Markup:
    """Text as it was typed, its line breaks kept."""
    return Markup("<br>").join(text.splitlines())


def _datetime(value: datetime | str) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
