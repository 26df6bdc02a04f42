"""Orders: from a hold to tickets."""

from pyramid.config import Configurator


def includeme(config: Configurator) -> None:
    config.add_route("reserve", "/e/{slug}/reserve")
    config.add_route("order_json", "/o/{reference}.json")
    config.add_route("order", "/o/{reference}")
    config.add_route("ticket", "/t/{secret}")
    config.scan("boxoffice.orders.views")
    config.scan("boxoffice.orders.ticket_views")
