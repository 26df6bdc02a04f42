"""A release as one file: what its digest covers, how it is built, how it is installed."""

import hashlib
import importlib.util
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from ansible_collections.trust.stack.plugins.module_utils import artifact

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "{}.{}".format(*sys.version_info)
TARGET = ("3.13", "x86_64")
HASH = "a" * 64
PROJECT = """
[build-system]
requires = ["flit_core>=3.11,<4"]
build-backend = "flit_core.buildapi"
[project]
name = "shop"
version = "1.0"
description = "a shop"
readme = "README.md"
[project.scripts]
shop = "shop:main"
"""


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


install = load(ROOT / "roles" / "release" / "files" / "install.py")


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / ".hidden" / "app"
    (folder / "src" / "shop").mkdir(parents=True)
    (folder / "src" / "shop" / "__init__.py").write_text("def main():\n    print('sold')\n")
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "requirements.txt").write_text("# nothing yet\n")
    (folder / "README.md").write_text("words")
    return folder


def build(source, cache, check=False, **options):
    """Run the module as Ansible does: its answer, failed or not."""
    arguments = {"source": str(source), "cache": str(cache), "_ansible_check_mode": check, **options}
    code = "from ansible_collections.trust.stack.plugins.modules.release_artifact import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env={"PYTHONPATH": f"{ROOT}/.collections", "PATH": "/usr/bin:/bin", "HOME": str(cache.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("path", ["src/shop/__init__.py", "src/shop/new.py", "src/shop/page.html", "pyproject.toml", "requirements.txt"])
def test_the_digest_covers_what_the_release_is_made_of(source, path):
    before = artifact.source_digest(source, *TARGET)
    with (source / path).open("a") as file:
        file.write("# changed\n")
    assert artifact.source_digest(source, *TARGET) != before


@pytest.mark.parametrize(
    "path", ["tests/test_shop.py", "src/shop/__pycache__/x.pyc", "src/shop.egg-info/x", "src/.x.swp", "README.md", ".venv/x.py"]
)
def test_the_digest_leaves_out_the_rest(source, path):
    before = artifact.source_digest(source, *TARGET)
    (source / path).parent.mkdir(parents=True, exist_ok=True)
    (source / path).write_text("changed")
    assert artifact.source_digest(source, *TARGET) == before


def test_a_moved_file_is_another_release(source):
    before = artifact.source_digest(source, *TARGET)
    (source / "src" / "shop" / "__init__.py").rename(source / "src" / "shop" / "other.py")
    assert artifact.source_digest(source, *TARGET) != before


def test_another_python_or_machine_is_another_release(source):
    digests = {artifact.source_digest(source, python, machine) for python in ("3.12", "3.13") for machine in artifact.MACHINES}
    assert len(digests) == 4


def test_an_extra_is_another_release_and_its_lock_counts(source):
    plain = artifact.source_digest(source, *TARGET)
    (source / "requirements-mail.txt").write_text("# nothing more\n")
    assert artifact.source_digest(source, *TARGET) == artifact.source_digest(source, *TARGET, []) == plain
    extra = artifact.source_digest(source, *TARGET, ["mail"])
    assert extra == artifact.source_digest(source, *TARGET, ["mail", "mail"]) != plain
    (source / "requirements-mail.txt").write_text("# changed\n")
    assert artifact.source_digest(source, *TARGET, ["mail"]) not in (extra, plain)


def test_an_extra_without_a_lock_is_named_with_its_mend(source, tmp_path):
    with pytest.raises(artifact.ArtifactError, match=r"requirements-mail\.txt: not found\. Mend: .*--extra; or correct release_extras"):
        artifact.source_digest(source, *TARGET, ["mail"])
    answer = build(source, tmp_path / "cache", extras=["mail"])
    assert "requirements-mail.txt: not found" in answer["msg"]
    assert "is not the name of an extra" in build(source, tmp_path / "cache", extras=["../x"])["msg"]


def test_the_locks_of_the_extras_are_one_with_the_apps(source):
    (source / "requirements.txt").write_text(f"lib==1 --hash=sha256:{HASH}\n")
    (source / "requirements-mail.txt").write_text(f"lib==1 --hash=sha256:{HASH}\nmail==2 --hash=sha256:{HASH}\n")
    assert set(artifact.locked_with(source, [], *TARGET)) == {"lib"}
    assert artifact.locked_with(source, ["mail"], *TARGET) == {"lib": ("1", [HASH]), "mail": ("2", [HASH])}
    (source / "requirements.txt").write_text(f"lib==3 --hash=sha256:{HASH}\n")
    with pytest.raises(artifact.ArtifactError, match=r"requirements-mail\.txt: lib 1, but 3 in another lock\. Mend: "):
        artifact.locked_with(source, ["mail"], *TARGET)


def test_a_release_with_an_extra_asks_pip_for_what_its_lock_names(source, tmp_path):
    """Nothing can be had here, so pip names what it wanted."""
    (tmp_path / ".config" / "pip").mkdir(parents=True)
    (tmp_path / ".config" / "pip" / "pip.conf").write_text("[global]\nno-index = true\n")
    (source / "requirements-mail.txt").write_text(f"no-such-package-of-ours==1 --hash=sha256:{HASH}\n")
    assert build(source, tmp_path / "cache")["changed"] is True
    answer = build(source, tmp_path / "cache", extras=["mail"])
    assert "no-such-package-of-ours" in answer["msg"]


def test_the_box_offices_own_locks_fit_each_other():
    added = set(artifact.locked_with(ROOT / "app", ["ses"], *TARGET)) - set(artifact.locked(ROOT / "app" / "requirements.txt", *TARGET))
    assert {"boto3", "cryptography"} <= added


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml", "src"])
def test_a_missing_part_is_named_with_its_mend(source, name):
    (source / name).rename(source / "away")
    with pytest.raises(artifact.ArtifactError, match=rf"{name}: not found\. Mend: "):
        artifact.source_digest(source, *TARGET)


def test_markers_are_settled_for_the_instances_not_for_this_machine(tmp_path):
    lock = tmp_path / "requirements.txt"
    lock.write_text(
        f"--only-binary :all:\n"
        f"new==1 ; python_version >= '3.13' \\\n    --hash=sha256:{HASH} \\\n    --hash=sha256:{'b' * 64}\n    # via shop\n"
        f"old==2 ; python_full_version < '3.13' --hash=sha256:{HASH}\n"
        f"wine==3 ; sys_platform == 'win32' \\\n    --hash=sha256:{HASH}\n"
        f"celery[redis]==5.7.0 --hash=sha256:{HASH}  # why\n"
    )
    assert artifact.locked(lock, *TARGET) == {"new": ("1", [HASH, "b" * 64]), "celery": ("5.7.0", [HASH])}
    assert set(artifact.locked(lock, "3.12", "x86_64")) == {"old", "celery"}


@pytest.mark.parametrize(
    "line", ["pyramid>=2", "pyramid==2.1", f"pyramid @ file:///x --hash=sha256:{HASH}", f"x==1 ; pyton > '3' --hash=sha256:{HASH}"]
)
def test_a_lock_that_does_not_pin_is_refused(tmp_path, line):
    lock = tmp_path / "requirements.txt"
    lock.write_text(line + "\n")
    with pytest.raises(artifact.ArtifactError, match=r"requirements\.txt, entry 1: .*Mend: "):
        artifact.locked(lock, *TARGET)


def test_building_is_done_once_and_gives_the_same_bytes_again(source, tmp_path):
    cache = tmp_path / "cache"
    first = build(source, cache)
    assert first["changed"] is True, first
    path = Path(first["path"])
    assert path == cache / f"{first['digest']}.tar"
    assert first["size"] == path.stat().st_size > 0
    content = path.read_bytes()
    again = build(source, cache)
    assert (again["changed"], again["digest"]) == (False, first["digest"])
    path.unlink()
    (source / "README.md").write_text("other words")
    (source / "src" / "shop" / "__init__.py").touch()
    assert build(source, cache)["changed"] is True
    assert path.read_bytes() == content
    assert not list(cache.glob(".build-*"))


def test_check_mode_predicts_and_builds_nothing(source, tmp_path):
    answer = build(source, tmp_path / "cache", check=True)
    assert (answer["changed"], answer["size"]) == (True, 0)
    assert not (tmp_path / "cache").exists()


def test_a_pinned_release_is_taken_from_the_cache_or_missed(source, tmp_path):
    cache = tmp_path / "cache"
    digest = build(source, cache)["digest"]
    (source / "src" / "shop" / "new.py").write_text("")
    assert build(source, cache, digest=digest)["path"].endswith(f"{digest}.tar")
    answer = build(source, cache, digest="0123456789abcdef")
    assert answer["failed"] is True
    assert "0123456789abcdef.tar: not found" in answer["msg"]
    assert "Mend: " in answer["msg"]


def test_a_build_that_fails_leaves_nothing_and_says_why(source, tmp_path):
    (source / "src" / "shop" / "__init__.py").unlink()
    answer = build(source, tmp_path / "cache")
    assert answer["failed"] is True
    assert "pip wheel failed" in answer["msg"]
    assert {path.name for path in (tmp_path / "cache").iterdir() if not path.name.startswith("wheels-")} == {".lock"}


def test_a_missing_build_back_end_is_named(source, tmp_path):
    (source / "pyproject.toml").write_text(PROJECT.replace("flit_core.buildapi", "absent_backend.api"))
    answer = build(source, tmp_path / "cache")
    assert answer["msg"].endswith(f"{sys.executable} -m pip install absent_backend.")


def test_what_an_interrupted_build_left_is_swept(tmp_path):
    (tmp_path / ".build-old" / "wheels").mkdir(parents=True)
    with artifact.workshop(tmp_path) as folder:
        assert list(tmp_path.glob(".build-*")) == [folder]
    assert not list(tmp_path.glob(".build-*"))


def test_an_artifact_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(FileNotFoundError):
        artifact.pack([tmp_path / "absent.whl"], {}, tmp_path / "x.tar")
    assert list(tmp_path.iterdir()) == []


# --- on the host


def wheel(files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, content in files.items():
            file.writestr(zipfile.ZipInfo(name), content)  # always the same date
    return stream.getvalue()


SHOP = {
    "shop/__init__.py": "def main():\n    print('sold')\n",
    "shop-1.0.dist-info/entry_points.txt": "[console_scripts]\nshop = shop:main\n",
    "shop-1.0.data/data/share/man/shop.1": "a page",
    "shop-1.0.data/scripts/ask.py": "#!python\nimport shop\nshop.main()\n",
}
LIB = {"lib/__init__.py": "x = 1\n", "lib/tests/__init__.py": "y = 1\n"}


def ship(releases, digest, python=PYTHON, damaged=False, **wheels):
    releases.mkdir(exist_ok=True)
    made = {f"{name}-1.0-py3-none-any.whl": wheel(files) for name, files in wheels.items()}
    names = [{"name": name, "sha256": hashlib.sha256(content).hexdigest()} for name, content in made.items()]
    manifest = json.dumps({"digest": digest, "python": python, "wheels": names}).encode()
    members = {"manifest.json": manifest} | {f"wheels/{name}": content + b"x" * damaged for name, content in made.items()}
    with tarfile.open(releases / f".{digest}.tar", "w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def site(releases, digest):
    return install.site_packages(releases / digest, PYTHON)


def test_an_installed_release_runs_also_through_a_link(tmp_path):
    ship(tmp_path / "r", "d1", shop=SHOP, lib=LIB)
    install.main(tmp_path / "r", "d1")
    (tmp_path / "current").symlink_to(tmp_path / "r" / "d1")
    done = subprocess.run([tmp_path / "current" / "venv" / "bin" / "shop"], capture_output=True, text=True, check=True)
    assert done.stdout == "sold\n"
    asked = subprocess.run([tmp_path / "current" / "venv" / "bin" / "ask.py"], capture_output=True, text=True, check=True)
    assert asked.stdout == "sold\n"  # a script that the wheel itself brings
    assert (tmp_path / "r" / "d1" / "venv" / "share" / "man" / "shop.1").read_text() == "a page"
    assert [path.name for path in (tmp_path / "r").iterdir()] == ["d1"]
    assert len(list(site(tmp_path / "r", "d1").rglob("*.pyc"))) == 2  # not the tests


def test_the_next_release_links_what_it_has_in_common(tmp_path):
    ship(tmp_path, "d1", shop=SHOP, lib=LIB)
    install.main(tmp_path, "d1")
    ship(tmp_path, "d2", shop={**SHOP, "shop/__init__.py": "def main():\n    print('gone')\n"}, lib=LIB)
    install.main(tmp_path, "d2")
    old, new = site(tmp_path, "d1"), site(tmp_path, "d2")
    assert (old / "lib" / "__init__.py").samefile(new / "lib" / "__init__.py")
    assert not (old / "shop" / "__init__.py").samefile(new / "shop" / "__init__.py")
    assert subprocess.check_output([tmp_path / "d2" / "venv" / "bin" / "shop"]) == b"gone\n"
    assert subprocess.check_output([tmp_path / "d1" / "venv" / "bin" / "shop"]) == b"sold\n"


def test_what_was_patched_by_hand_is_not_taken_over(tmp_path):
    ship(tmp_path, "d1", lib=LIB)
    install.main(tmp_path, "d1")
    (site(tmp_path, "d1") / "lib" / "__init__.py").write_text("x = 2\n")
    ship(tmp_path, "d2", lib=LIB)
    install.main(tmp_path, "d2")
    assert (site(tmp_path, "d2") / "lib" / "__init__.py").read_text() == "x = 1\n"


@pytest.mark.parametrize(
    ("options", "says"),
    [({"damaged": True}, "not what the manifest says"), ({"python": "2.7"}, "for Python 2.7, expected")],
)
def test_a_wrong_artifact_becomes_no_release(tmp_path, options, says):
    ship(tmp_path, "d1", lib=LIB, **options)
    with pytest.raises(SystemExit, match=says):
        install.main(tmp_path, "d1")
    assert not (tmp_path / "d1").exists()


def test_an_interrupted_install_is_redone(tmp_path, monkeypatch):
    ship(tmp_path, "d1", shop=SHOP)
    with monkeypatch.context() as patch:
        patch.setattr(install, "write_scripts", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            install.main(tmp_path, "d1")
    assert not (tmp_path / "d1").exists()
    install.main(tmp_path, "d1")
    assert (tmp_path / "d1" / "venv" / "bin" / "shop").exists()
