"""Passwords and sign-ins."""

import hashlib
import secrets
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from boxoffice.accounts.models import Login, Organiser
from boxoffice.db import utcnow

HASHER = PasswordHasher()
# verified when there is no such organiser, so that both answers take the same time
NOBODY = HASHER.hash(secrets.token_hex(16))
LOGIN_FOR = timedelta(days=14)
MIN_PASSWORD = 10


class WeakPasswordError(ValueError):
    pass


def save_organiser(session: Session, email: str, password: str) -> bool:
    """Create or update; True when something changed."""
    if len(password) < MIN_PASSWORD:
        raise WeakPasswordError(
            f"found {len(password)} characters, expected {MIN_PASSWORD} or more"
        )
    email = email.strip().lower()
    organiser = session.scalar(select(Organiser).where(Organiser.email == email))
    if organiser is None:
        session.add(Organiser(email=email, password_hash=HASHER.hash(password)))
        return True
    if _matches(organiser.password_hash, password):
        return False
    organiser.password_hash = HASHER.hash(password)
    # whoever had the old password is signed out
    session.execute(delete(Login).where(Login.organiser_id == organiser.id))
    return True


def check_password(session: Session, email: str, password: str) -> Organiser | None:
    email = email.strip().lower()
    organiser = session.scalar(select(Organiser).where(Organiser.email == email))
    matches = _matches(organiser.password_hash if organiser else NOBODY, password)
    return organiser if organiser and matches else None


def start_login(session: Session, organiser: Organiser) -> str:
    token = secrets.token_urlsafe(32)
    now = utcnow()
    session.execute(delete(Login).where(Login.expires_at < now))
    session.add(
        Login(token_hash=_digest(token), organiser_id=organiser.id, expires_at=now + LOGIN_FOR)
    )
    return token


def organiser_of(session: Session, token: str) -> Organiser | None:
    return session.scalar(
        select(Organiser)
        .join(Login, Login.organiser_id == Organiser.id)
        .where(Login.token_hash == _digest(token), Login.expires_at > utcnow())
    )


def end_login(session: Session, token: str) -> None:
    session.execute(delete(Login).where(Login.token_hash == _digest(token)))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _matches(password_hash: str, password: str) -> bool:
    try:
        return HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
