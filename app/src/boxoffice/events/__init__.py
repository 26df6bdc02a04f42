"""Events and their public pages."""

from pyramid.config import Configurator


def includeme(config: Configurator) -> None:
    config.add_route("home", "/")
    config.add_route("event", "/e/{slug}")
    config.add_route("on_sales", "/on-sales.json")
    config.scan("boxoffice.events.views")
