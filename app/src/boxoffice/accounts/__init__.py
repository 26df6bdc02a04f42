"""Organisers: who they are, how they sign in."""

from pyramid.config import Configurator


def includeme(config: Configurator) -> None:
    config.add_route("sign_in", "/organiser/sign-in")
    config.add_route("sign_out", "/organiser/sign-out")
    config.scan("boxoffice.accounts.views")
