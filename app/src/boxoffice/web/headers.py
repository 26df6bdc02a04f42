"""Headers that keep browsers from doing what our pages never need."""

from collections.abc import Callable

from pyramid.config import Configurator
from pyramid.events import NewResponse

POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


def includeme(config: Configurator) -> None:
    config.add_subscriber(_secure(config.registry.boxoffice.public_url), NewResponse)


def _secure(public_url: str) -> Callable[[NewResponse], None]:
    fixed = {
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        # a page's address is what gives access to an order: never tell it to others
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
    if public_url.startswith("https://"):
        fixed["Strict-Transport-Security"] = "max-age=31536000"

    def secure(event: NewResponse) -> None:
        headers = event.response.headers
        headers.update(fixed)
        if not event.request.path_info.startswith("/static/"):
            headers.setdefault("Cache-Control", "no-store")

    return secure
