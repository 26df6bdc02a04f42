"""Who asks? Pyramid's security policy on top of our revocable sign-ins."""

from typing import Any

from pyramid.request import Request
from pyramid.security import Allowed, Denied

from boxoffice.accounts.models import Organiser
from boxoffice.accounts.services import organiser_of

KEY = "login"


class SecurityPolicy:
    """One permission, "organise": organisers who are signed in have it."""

    def identity(self, request: Request) -> Organiser | None:
        if not hasattr(request, "_organiser"):
            token = request.session.get(KEY)
            request._organiser = organiser_of(request.db, token) if token else None  # noqa: SLF001
        found: Organiser | None = request._organiser  # noqa: SLF001
        return found

    def authenticated_userid(self, request: Request) -> str | None:
        organiser = self.identity(request)
        return str(organiser.id) if organiser else None

    def permits(self, request: Request, _context: Any, permission: str) -> Any:
        if permission == "organise" and self.identity(request):
            return Allowed("signed in")
        return Denied("not signed in")

    def remember(self, request: Request, token: str, **_kw: Any) -> list[tuple[str, str]]:
        request.session.invalidate()  # a fresh session, and a fresh CSRF token with it
        request.session[KEY] = token
        return []

    def forget(self, request: Request, **_kw: Any) -> list[tuple[str, str]]:
        request.session.invalidate()
        return []
