"""The command `boxoffice`. Each command's last line says what it did."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from boxoffice import __version__
from boxoffice.config import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="boxoffice", description="The box office's housekeeping.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    migrate = commands.add_parser("migrate", help="bring the database to what this release needs")
    migrate.add_argument(
        "--contract",
        action="store_true",
        help="and take away what older releases used; only once none of them runs any more",
    )
    organiser = commands.add_parser("organiser", help="create or update an organiser")
    organiser.add_argument("--email", required=True)
    commands.add_parser("check", help="read the settings, name what is wrong and the mend")
    # these two read the rest of the line themselves
    commands.add_parser("relay", help="send owed work to the workers, end holds", add_help=False)
    commands.add_parser("watchdog", help="restart a worker that is deaf", add_help=False)
    known, rest = parser.parse_known_args(argv)
    if rest and known.command not in ("relay", "watchdog"):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        settings = load_settings()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        return _run(known, rest, settings)
    except Exception as error:
        from boxoffice.db import is_unavailable

        if not is_unavailable(error):
            raise
        print(f"the database: {getattr(error, 'orig', error)}", file=sys.stderr)
        return 1


def _run(known: argparse.Namespace, rest: list[str], settings: Settings) -> int:
    if known.command == "relay":
        from boxoffice.outbox.relay import main as relay

        return relay(settings, rest) or 0
    if known.command == "watchdog":
        from boxoffice.watchdog import main as watchdog

        return watchdog(settings, rest) or 0
    if known.command == "migrate":
        return _migrate(settings, known.contract)
    if known.command == "organiser":
        return _organiser(settings, known.email, sys.stdin.readline().rstrip("\n"))
    print("the settings are complete")
    return 0


def _engine(settings: Settings, patient: bool = False) -> "Engine":
    from boxoffice.db import make_engine
    from boxoffice.tables import import_models

    import_models()
    return make_engine(settings, patient)


def _migrate(settings: Settings, contract: bool) -> int:
    from boxoffice.migrations import MigrationError, upgrade

    try:
        done = upgrade(_engine(settings, patient=True), contract)
    except MigrationError as error:
        print(error, file=sys.stderr)
        return 2
    if done.newer:
        print(f"the database is at version {done.newer}, which a newer release brought; it stays")
    for version in done.held:
        print(f"version {version} is a contract: held back until `boxoffice migrate --contract`")
    print("changed" if done.changed else "unchanged")
    return 0


def _organiser(settings: Settings, email: str, password: str) -> int:
    from boxoffice.accounts.services import WeakPasswordError, save_organiser
    from boxoffice.db import make_session_factory, transaction

    if "@" not in email:
        print(f"--email: found {email!r}, expected an e-mail address", file=sys.stderr)
        return 2
    try:
        with transaction(make_session_factory(_engine(settings))) as session:
            changed = save_organiser(session, email, password)
    except WeakPasswordError as error:
        print(f"password on standard input: {error}", file=sys.stderr)
        return 2
    print("changed" if changed else "unchanged")
    return 0


if __name__ == "__main__":
    sys.exit(main())
