"""Which function does the work of which kind of row."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from boxoffice.outbox.models import Outbox

if TYPE_CHECKING:
    from boxoffice.tasking import Context

Handler = Callable[["Context", Outbox], None]
_handlers: dict[str, Handler] = {}


class UnknownKindError(LookupError):
    """A row of a kind that this release does not know; a newer one may."""


def handles(kind: str) -> Callable[[Handler], Handler]:
    def register(function: Handler) -> Handler:
        _handlers[kind] = function
        return function

    return register


def handler(kind: str) -> Handler:
    try:
        return _handlers[kind]
    except KeyError:
        raise UnknownKindError(f"outbox kind {kind!r}, known: {sorted(_handlers)}") from None
