"""Cookies and forged requests: signed JSON sessions, CSRF tokens checked on every POST."""

from pyramid.config import Configurator
from pyramid.session import JSONSerializer, SignedCookieSessionFactory

from boxoffice.accounts.security import SecurityPolicy


def includeme(config: Configurator) -> None:
    settings = config.registry.boxoffice
    config.set_session_factory(
        SignedCookieSessionFactory(
            settings.session_secret,
            salt="boxoffice.session",
            cookie_name="boxoffice",
            serializer=JSONSerializer(),
            httponly=True,
            samesite="Lax",
            secure=settings.public_url.startswith("https://"),
            timeout=12 * 3600,
            reissue_time=600,
        )
    )
    config.set_default_csrf_options(require_csrf=True)
    config.set_security_policy(SecurityPolicy())
