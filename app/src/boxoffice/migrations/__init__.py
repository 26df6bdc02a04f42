"""Changes of the schema, in order. `upgrade` is what `boxoffice migrate` calls.

Each version says its `phase`. "expand" only adds what an older release need not know of, and goes
before the new release runs. "contract" takes away what an older release still uses, and goes only
when it is asked for: after the new release runs on every host.
"""

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Engine

PHASES = ("expand", "contract")


class MigrationError(Exception):
    """The schema cannot be brought to what this release needs; the text says why and the mend."""


@dataclass(frozen=True)
class Migrated:
    """`held`: contracts that wait until they are asked for. `newer`: the schema's version, when
    this release does not know it: a newer release has been there."""

    changed: bool
    held: tuple[str, ...] = ()
    newer: str = ""


def upgrade(engine: Engine, contract: bool = False, folder: Path | None = None) -> Migrated:
    """Bring the schema to what this release needs, and with `contract` take away what it does not.

    MigrationError when a contract stands before a version that this release needs.
    """
    config = Config()
    config.set_main_option("script_location", str(folder or Path(__file__).parent))
    scripts = ScriptDirectory.from_config(config)
    before = current(engine)
    known = [script.revision for script in scripts.walk_revisions()]
    if before is not None and before not in known:
        return Migrated(False, newer=before)
    # A database without tables has no older release that could miss something.
    go, held = _split(_ahead(scripts, before), contract or before is None)
    if go:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, go[-1])
    return Migrated(current(engine) != before, tuple(held))


def _ahead(scripts: ScriptDirectory, before: str | None) -> list[Script]:
    """What the schema does not have yet, in order."""
    head = scripts.get_current_head()
    if head is None or head == before:
        return []
    return list(reversed(list(scripts.iterate_revisions(head, before or "base"))))


def _split(ahead: list[Script], contract: bool) -> tuple[list[str], list[str]]:
    """The versions to go to now, and those that are held back."""
    names = [script.revision for script in ahead]
    phases = {script.revision: phase(script) for script in ahead}
    first = next((n for n, name in enumerate(names) if phases[name] == "contract"), len(names))
    if contract or first == len(names):
        return names, []
    behind = [name for name in names[first:] if phases[name] == "expand"]
    if behind:
        raise MigrationError(
            f"version {names[first]} is a contract and stands before {behind[0]}, which this"
            " release needs. Mend: once the release before this one runs on every host, deploy that"
            " one with -e contract=true, then this one"
        )
    return names[:first], names[first:]


def phase(script: Script) -> str:
    found = getattr(script.module, "phase", None)
    if found not in PHASES:
        raise MigrationError(
            f'{script.path}: found phase = {found!r}, expected "expand" (only adds) or'
            ' "contract" (takes away what an older release uses); write it below down_revision'
        )
    return str(found)


def current(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
