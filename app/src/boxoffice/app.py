"""The web application, assembled in one visible order."""

from typing import Any

from pyramid.config import Configurator
from pyramid.router import Router
from sqlalchemy import Engine

from boxoffice import cache
from boxoffice.config import Settings
from boxoffice.db import make_engine, make_session_factory
from boxoffice.logs import configure_logs
from boxoffice.payments.services import OfflineProvider
from boxoffice.tables import import_models


def create_app(settings: Settings, engine: Engine | None = None) -> Router:
    configure_logs()
    import_models()
    cache.configure(settings)
    config = Configurator(settings=_pyramid_settings(settings))
    engine = engine or make_engine(settings)
    config.registry.boxoffice = settings
    config.registry.engine = engine
    config.registry.session_factory = make_session_factory(engine)
    config.registry.payment_provider = OfflineProvider()

    config.include("pyramid_jinja2")
    config.include("pyramid_retry")
    config.include("pyramid_tm")
    config.include("boxoffice.web.tm")  # sessions, retries
    config.include("boxoffice.web.sessions")  # cookies, CSRF
    config.include("boxoffice.web.headers")  # CSP and friends
    config.include("boxoffice.web.render")  # templates, static files
    config.include("boxoffice.web.errors")  # pages for what goes wrong
    config.include("boxoffice.web.status")  # /health, /status
    config.include("boxoffice.mail.hook")  # /hooks/ses
    for package in ("accounts", "events", "orders", "organiser"):
        config.include(f"boxoffice.{package}")
    return config.make_wsgi_app()


def _pyramid_settings(settings: Settings) -> dict[str, Any]:
    return {
        "tm.manager_hook": "pyramid_tm.explicit_manager",
        "tm.annotate_user": False,  # asking who it is would ask the database, on every page
        "retry.attempts": 3,
        "retry.activate_hook": "boxoffice.web.tm.attempts",
        "pyramid.csrf_trusted_origins": [settings.public_url.split("://", 1)[1]],
    }
