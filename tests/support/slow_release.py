"""The box office with two things that only tests need: a page and a task that take as long as one asks.

    python -m support.slow_release FOLDER [MARK]      writes an app folder that a deploy can take as its source

MARK makes it another release. The mark "sick" makes one whose health says 500, "broken" one that does not start at all,
"unmigratable" one whose migration fails, "contract" one with a migration that must wait until it is asked for, and
"long 60" one whose migration takes 60 seconds.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SLOW = '''"""Only in tests: a page and a task that take as long as one asks, and a ledger of what the tasks did."""

import time

from pyramid.response import Response
from sqlalchemy import text

from boxoffice.celery_app import app, make_client
from boxoffice.tasking import context

MARK = "{mark}"
LEDGER = "CREATE TABLE IF NOT EXISTS slow_ledger (id INT AUTO_INCREMENT PRIMARY KEY, number INT NOT NULL, step VARCHAR(8) NOT NULL, host VARCHAR(40))"


@app.task(name="slow.work", acks_late=True)
def work(number, seconds):
    note(number, "begin")
    time.sleep(seconds)
    note(number, "end")


def note(number, step):
    with context() as ctx:
        ctx.session.execute(text("INSERT INTO slow_ledger (number, step, host) VALUES (:n, :s, :h)"), {{"n": number, "s": step, "h": ctx.settings.host_name}})


def page(request):
    time.sleep(float(request.matchdict["seconds"]))
    return Response(f"slept on {{request.registry.boxoffice.host_name}}, {{MARK}}\\n", content_type="text/plain")


def enqueue(request):
    client = make_client(request.registry.boxoffice)
    with client.connection_for_write() as connection:
        arguments = (int(request.matchdict["number"]), float(request.matchdict["seconds"]))
        client.send_task("slow.work", arguments, queue="default", connection=connection, retry=True)
    return Response("owed\\n", content_type="text/plain")


def ledger(request):
    with request.registry.engine.begin() as connection:
        connection.execute(text(LEDGER))
    return Response("ready\\n", content_type="text/plain")


def includeme(config):
    for name, pattern, view in (
        ("slow", "/slow/{{seconds}}", page), ("slow-task", "/slow-task/{{number}}/{{seconds}}", enqueue), ("slow-ledger", "/slow-ledger", ledger),
    ):
        config.add_route(name, pattern)
        config.add_view(view, route_name=name)
'''


MIGRATIONS = {  # mark: phase, statement
    "unmigratable": ("expand", "THIS IS NO SQL"),
    "contract": ("contract", "DROP TABLE IF EXISTS slow_contracted"),
    "long": ("expand", "SELECT SLEEP({})"),
}
MIGRATION = '''from alembic import op

revision = "{version}"
down_revision = "{last}"
phase = "{phase}"


def upgrade():
    op.execute("{statement}")
'''


def make(folder: Path, mark: str = "one") -> Path:
    """An app folder; AssertionError when the app has changed so that the test's parts find no place in it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "app", folder, ignore=shutil.ignore_patterns("tests", "__pycache__", ".*_cache", "*.egg-info", ".venv"))
    source = folder / "src/boxoffice"
    (source / "slow.py").write_text(SLOW.format(mark=mark), encoding="utf-8")
    put(source / "app.py", "    return config.make_wsgi_app()\n", '    config.include("boxoffice.slow")\n    return config.make_wsgi_app()\n')
    put(source / "celery_app.py", '    "boxoffice.watchdog.tasks",\n)', '    "boxoffice.watchdog.tasks",\n    "boxoffice.slow",\n)')
    if mark.startswith("sick"):
        put(source / "web/status.py", 'return Response("ok\\n", content_type="text/plain")', 'return Response("sick\\n", status=500)')
    if mark.startswith("broken"):
        put(source / "wsgi.py", "app = create_app", 'raise SystemExit("this release is broken on purpose")\napp = create_app')
    kind, *more = mark.split()
    if kind in MIGRATIONS:
        last = sorted((source / "migrations/versions").glob("0*.py"))[-1].name[:4]
        phase, statement = MIGRATIONS[kind]
        version = f"{int(last) + 1:04}"
        (source / f"migrations/versions/{version}_test.py").write_text(
            MIGRATION.format(version=version, last=last, phase=phase, statement=statement.format(*more[:1])), encoding="utf-8")
    return folder


def put(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path}: expected {old!r} in it"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), *sys.argv[2:3]))
