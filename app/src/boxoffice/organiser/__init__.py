"""The organiser's side: events, sales, orders, attendee lists."""

from pyramid.config import Configurator


def includeme(config: Configurator) -> None:
    config.add_route("organiser", "/organiser")
    config.add_route("new_event", "/organiser/events/new")
    config.add_route("manage", "/organiser/events/{slug}")
    config.add_route("mark_paid", "/organiser/events/{slug}/orders/{reference}/paid")
    config.add_route("mail_again", "/organiser/events/{slug}/orders/{reference}/mail")
    config.add_route("export", "/organiser/events/{slug}/exports")
    config.add_route("download", "/organiser/events/{slug}/exports/{id:\\d+}")
    config.scan("boxoffice.organiser.views")
    config.scan("boxoffice.organiser.manage_views")
