"""The broker behind one address: kombu's Redis transport, for a service that moves its primary.

A primary that was demoted keeps its connections and answers READONLY. To kombu that is an error
of the message, after which it would use the connection again; here it is a lost connection, and
the next one is made anew: the name is resolved again and leads to the present primary.
"""

from typing import Any

import redis
from kombu.transport import redis as kombu_redis
from redis.exceptions import ReadOnlyError, ResponseError

TRANSPORT = "boxoffice.broker:Transport"


class _Primary:
    """For a Connection of redis-py."""

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().read_response(*args, **kwargs)  # type: ignore[misc]
        except ResponseError as exc:
            # UNBLOCKED: what a BRPOP gets that waited while the primary was demoted
            if not isinstance(exc, ReadOnlyError) and not str(exc).startswith("UNBLOCKED"):
                raise
            self.disconnect()  # type: ignore[attr-defined]
            raise redis.ConnectionError("the primary has moved") from exc


class PrimaryConnection(_Primary, redis.Connection):
    pass


class PrimarySSLConnection(_Primary, redis.SSLConnection):
    pass


class Channel(kombu_redis.Channel):
    connection_class = PrimaryConnection
    connection_class_ssl = PrimarySSLConnection


class Transport(kombu_redis.Transport):
    Channel = Channel
