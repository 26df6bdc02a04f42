"""Events and their public pages."""

from pyramid.config import Configurator


def includeme(config: Configurator) -> None:
    config.add_route("home", "/")
    config.add_route("event", "/e/{slug}")
    config.scan("boxoffice.events.views")
