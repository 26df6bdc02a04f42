"""The database: engine, sessions, and the one place that classifies its errors."""

import random
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import pymysql
from sqlalchemy import Engine, MetaData, create_engine, event
from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from boxoffice.config import Settings

T = TypeVar("T")

# The connection is of no more use: the server went away, or it is no longer the writer.
DISCONNECTED = {
    0: "connection already closed (PyMySQL)",
    1047: "wsrep not ready: a Galera node that has left the cluster",
    1053: "server shutdown in progress",
    1180: "error during COMMIT: a Galera node that loses or joins its cluster just then",
    1290: "read only: the writer has moved",
    1836: "read only: the writer has moved, as MySQL says it",
    1927: "connection was killed",
    2006: "server has gone away",
    2013: "lost connection during a query",
    4031: "connection was idle for too long (MySQL)",
}
LOST = 2013
# The transaction lost against another one; the connection is fine.
CONFLICT = {
    1205: "lock wait timeout",
    1213: "deadlock, or a Galera certification failure",
}
# No connection could be made at all: trying again at once is of no use, tell the client.
UNREACHABLE = {
    1040: "too many connections",
    1045: "access denied",
    2002: "no socket",
    2003: "cannot connect, or the certificate is not the server's",
    2026: "the server has no TLS",
    3159: "the server wants TLS (MySQL; MariaDB says 1045)",
}
# Of those, what only people can mend.
MENDS = {
    1045: "correct the password in DATABASE_URL; or, where MariaDB wants TLS, set DATABASE_CA_FILE",
    2026: "turn TLS on at the server, or take DATABASE_CA_FILE away",
    3159: "set DATABASE_CA_FILE to a file with the CA of the server's certificate",
}
ANOTHER_NAME = (62, 64)  # OpenSSL's: not the certificate's name, not its address

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    __table_args__: Any = {  # noqa: RUF012 - models extend it
        "mysql_engine": "InnoDB",
        "mysql_charset": "utf8mb4",
        "mysql_collate": "utf8mb4_unicode_ci",
    }


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: stored as UTC, always aware in Python."""

    impl = DATETIME(fsp=6)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        return value.replace(tzinfo=UTC) if value else None


def utcnow() -> datetime:
    return datetime.now(UTC)


# Seconds that a visitor's or a task's statement may take.
STATEMENT_SECONDS = 10
# Seconds for the server's greeting and what follows it: a balancer that has lost its server just
# then may keep the connection and say nothing.
GREETING_SECONDS = 3


def make_engine(settings: Settings, patient: bool = False) -> Engine:
    """`patient`: a statement may take as long as it needs, as one on a large table does."""
    seconds = None if patient else STATEMENT_SECONDS
    engine = create_engine(
        settings.database_url,
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_size=8,
        max_overflow=8,
        pool_timeout=5,
        # well under the balancer's haproxy_hard_stop_after: a reload there ends older connections
        pool_recycle=300,
        connect_args={
            "connect_timeout": 3,
            "read_timeout": seconds,
            "write_timeout": seconds,
            # a lock wait must end on the server before the client stops reading
            "init_command": "SET innodb_lock_wait_timeout=5, time_zone='+00:00'",
            **_tls(settings),
        },
    )
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "handle_error", _mark_disconnect)
    return engine


def _tls(settings: Settings) -> dict[str, Any]:
    """With a CA: TLS or nothing, and the server's certificate and name are verified. Without one
    it is the driver's choice, which verifies nothing."""
    if not settings.database_ca_file:
        return {}
    context = ssl.create_default_context(cafile=settings.database_ca_file)
    # Python 3.13 asks for more than CAs of databases have, such as those that servers make.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return {"ssl": context}


def _connect(dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
    """Each new connection looks up the host's name anew. An error that people have to mend says
    how, wherever it turns up."""
    try:
        connection = dialect.connect(*arguments, **{**options, "read_timeout": GREETING_SECONDS})
        connection._read_timeout = options["read_timeout"]  # noqa: SLF001 - PyMySQL has no word for it
        return connection  # noqa: TRY300
    except pymysql.err.OperationalError as error:
        mend = _mend(error)
        if mend:
            code, text = error.args
            raise pymysql.err.OperationalError(code, f"{text}. Mend: {mend}.") from error
        raise


def _mend(error: pymysql.err.OperationalError) -> str:
    reason = getattr(error, "original_exception", None)
    if isinstance(reason, ssl.SSLCertVerificationError):
        if reason.verify_code in ANOTHER_NAME:
            return "let DATABASE_URL name the server as its certificate does"
        return "let DATABASE_CA_FILE hold the CA that signed the server's certificate"
    return MENDS.get(error.args[0], "")


def make_session_factory(engine: Engine) -> sessionmaker[Session]:
    return sessionmaker(bind=engine, expire_on_commit=False)


@contextmanager
def transaction(session_factory: Callable[[], Session]) -> Iterator[Session]:
    """One session, one transaction: committed at the end, rolled back when anything raises."""
    session = session_factory()
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.close()


def error_code(exc: BaseException) -> int | None:
    """The server's (or driver's) error number behind an exception, if there is one."""
    origin = exc.orig if isinstance(exc, DBAPIError) else exc
    args = getattr(origin, "args", ())
    if not type(origin).__module__.startswith("pymysql") or not args:
        return None
    if isinstance(args[0], int):
        return args[0]
    # PyMySQL's own word for a server that goes away in the middle of an answer has no number
    return LOST if str(args[0]).startswith("Packet sequence number wrong") else None


def is_retryable(exc: BaseException) -> bool:
    """True when the same work, done again from its start, may well succeed."""
    code = error_code(exc)
    return code in DISCONNECTED or code in CONFLICT


def is_unavailable(exc: BaseException) -> bool:
    """True when the database cannot serve now: the client should come back later."""
    return is_retryable(exc) or error_code(exc) in UNREACHABLE or isinstance(exc, PoolTimeout)


def retrying(fn: Callable[[], T], attempts: int = 3) -> T:
    """Call fn; when the database asks for it, again, after a short and random pause."""
    for attempt in range(1, attempts + 1):
        try:
            return fn()
        except Exception as exc:
            if attempt == attempts or not is_retryable(exc):
                raise
            time.sleep(random.uniform(0.02, 0.1) * 2**attempt)  # noqa: S311
    raise AssertionError("attempts must be at least 1")


def _mark_disconnect(context: ExceptionContext) -> None:
    origin = context.original_exception
    if origin is not None and error_code(origin) in DISCONNECTED:
        context.is_disconnect = True
