# Copyright (c) Trust Stack
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One release of an app as one file: its wheels, those of its lock, and a manifest.

The digest names the sources, not the file: equal sources give an equal digest on every control node.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path

FORMAT = "1"  # a part of every digest: raise it when the artifact is built in another way
EPOCH = 1704067200  # every file in a wheel and in an artifact bears this date
LOCK = "requirements.txt"
PROJECT = "pyproject.toml"
IGNORED = ("__pycache__", ".pyc", ".pyo", ".egg-info", "~", ".swp")
MACHINES = ("x86_64", "aarch64")
NEWEST_GLIBC, OLDEST_GLIBC = 39, 17  # 2.39 is in Ubuntu 24.04; Debian 13 has 2.41

_NAME = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*==\s*(?P<version>[^\s;\\]+)")
_EXTRA = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class ArtifactError(Exception):
    """What is wrong, where, and how to mend it."""


def locks(extras: list[str]) -> list[str]:
    """The lock of the app, and one for each of its extras: requirements-<extra>.txt."""
    wrong = [extra for extra in extras if not _EXTRA.fullmatch(extra)]
    if wrong:
        raise ArtifactError(f"extras: {wrong[0]!r} is not the name of an extra. Mend: name one of {PROJECT}.")
    return [LOCK, *(f"requirements-{extra}.txt" for extra in sorted(set(extras)))]


def source_files(source: Path, extras: list[str] | None = None) -> list[Path]:
    """The files that a release is made of, in a fixed order: not its tests, not what tools leave behind."""
    needed = [PROJECT, *locks(extras or [])]
    for name in [*needed, "src"]:
        if not (source / name).exists():
            mend = "let release_source name the folder of the app"
            if name == LOCK:
                mend = "make the lock with its hashes (uv pip compile --generate-hashes, or make lock)"
            elif name in needed[2:]:
                mend = f"make it as the head of {LOCK} says, with --extra; or correct release_extras"
            raise ArtifactError(f"{source / name}: not found. Mend: {mend}.")
    inside = (path for path in (source / "src").rglob("*") if path.is_file() and not _ignored(path.relative_to(source)))
    return sorted([*(source / name for name in needed), *inside], key=lambda path: path.relative_to(source).as_posix())


def _ignored(path: Path) -> bool:
    return any(part.startswith(".") or part.endswith(IGNORED) for part in path.parts)


def source_digest(source: Path, python_version: str, machine: str, extras: list[str] | None = None) -> str:
    digest = hashlib.sha256(f"{FORMAT} {python_version} {machine}\n".encode())
    for path in source_files(source, extras):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(source).as_posix()} {content}\n".encode())
    return digest.hexdigest()[:16]


def locked(lock: Path, python_version: str, machine: str) -> dict[str, tuple[str, list[str]]]:
    """Name -> (version, hashes) of what the lock asks for on the instances.

    pip looks at markers with the Python it runs under, even when it fetches for another one; so the
    markers are settled here, with the Python of the instances.
    """
    from packaging.markers import InvalidMarker, Marker

    target = {
        "python_version": python_version,
        "python_full_version": f"{python_version}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": machine,
        "extra": "",
    }
    wanted = {}
    text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split(" #")[0].strip()
        if not line or line.startswith(("#", "--")):
            continue
        found, hashes = _NAME.match(line), _HASH.findall(line)
        if not found or not hashes:
            raise ArtifactError(
                f"{lock}, entry {number}: {line[:60]!r} is not name==version with --hash=sha256:... . "
                "Mend: make the lock again with hashes (uv pip compile --generate-hashes)."
            )
        marker = line.split(" --hash")[0].partition(";")[2].strip()
        try:
            applies = not marker or Marker(marker).evaluate(target)
        except InvalidMarker as error:
            raise ArtifactError(
                f"{lock}, entry {number}: marker {marker!r}: {str(error).splitlines()[0]}. Mend: correct the marker."
            ) from error
        if applies:
            wanted[found["name"]] = (found["version"], hashes)
    return wanted


def locked_with(source: Path, extras: list[str], python_version: str, machine: str) -> dict[str, tuple[str, list[str]]]:
    """What the app's lock and those of its extras ask for together. A package in two of them has one version."""
    wanted: dict[str, tuple[str, list[str]]] = {}
    for name in locks(extras):
        for package, pin in locked(source / name, python_version, machine).items():
            known = wanted.setdefault(package, pin)
            if known[0] != pin[0]:
                raise ArtifactError(
                    f"{source / name}: {package} {pin[0]}, but {known[0]} in another lock. Mend: make {name} again, as its head says."
                )
    return wanted


def lock_text(wanted: dict[str, tuple[str, list[str]]]) -> str:
    return "".join(
        f"{name}=={version}" + "".join(f" --hash=sha256:{value}" for value in hashes) + "\n"
        for name, (version, hashes) in sorted(wanted.items())
    )


def download_options(python_version: str, machine: str) -> list[str]:
    """pip's description of the instances, from the newest platform tag to the oldest."""
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(NEWEST_GLIBC, OLDEST_GLIBC - 1, -1)]
    tags += [f"manylinux2014_{machine}"]
    if machine == "x86_64":
        tags += [f"{tag}_x86_64" for tag in ("manylinux_2_12", "manylinux2010", "manylinux_2_5", "manylinux1")]
    abis = (f"cp{python_version.replace('.', '')}", "abi3", "none")
    options = ["--only-binary=:all:", "--no-deps", "--implementation", "cp", "--python-version", python_version]
    options += [part for abi in abis for part in ("--abi", abi)]
    return options + [part for tag in tags for part in ("--platform", tag)]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def missing_wheels(folder: Path, wanted: dict[str, tuple[str, list[str]]]) -> list[str]:
    """Names in the lock for which the folder holds no wheel with a locked hash."""
    held = {sha256(path) for path in folder.glob("*.whl")}
    return sorted(name for name, (_version, hashes) in wanted.items() if not held.intersection(hashes))


def pack(wheels: list[Path], about: dict[str, str], target: Path) -> None:
    """Write the artifact: equal wheels give equal bytes. It appears whole, or not at all."""
    wheels = sorted(wheels, key=lambda path: path.name)
    names = [{"name": path.name, "sha256": sha256(path)} for path in wheels]
    manifest = json.dumps({"format": FORMAT, **about, "wheels": names}, indent=1, sort_keys=True) + "\n"
    half = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with half.open("wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
                _add(tar, "manifest.json", manifest.encode())
                for path in wheels:
                    _add(tar, f"wheels/{path.name}", path.read_bytes())
            file.flush()
            os.fsync(file.fileno())
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)


def verify(path: Path, digest: str) -> None:
    """ArtifactError unless this file is the artifact of that release, whole: its manifest names it, and each of its wheels is there as it was built."""
    try:
        if path.stat().st_size % tarfile.RECORDSIZE:
            raise EOFError(f"{path.stat().st_size} bytes")
        with tarfile.open(path) as tar:
            members = {entry.name: entry for entry in tar.getmembers()}
            manifest = json.loads(_content(tar, members["manifest.json"]))
            if manifest["digest"] != digest:
                raise ArtifactError(f"{path}: found release {manifest['digest']}, expected {digest}.")
            for wheel in manifest["wheels"]:
                content = _content(tar, members[f"wheels/{wheel['name']}"])
                if hashlib.sha256(content).hexdigest() != wheel["sha256"]:
                    raise ArtifactError(f"{path}: {wheel['name']} is not what the manifest says.")
            if more := members.keys() - {"manifest.json", *(f"wheels/{wheel['name']}" for wheel in manifest["wheels"])}:
                raise ArtifactError(f"{path}: found {', '.join(sorted(more))}, which the manifest does not name.")
    except (tarfile.TarError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{path}: this is no whole artifact ({error!r}).") from error


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(entry)
    content = file.read() if file else b""
    if len(content) != entry.size:
        raise EOFError(entry.name)
    return content


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(content), EPOCH, 0o644
    tar.addfile(entry, io.BytesIO(content))


def stage(source: Path, target: Path) -> None:
    """Copy what the digest covers, so that the wheel can hold nothing else."""
    for path in source_files(source):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    readme = re.search(r'^readme\s*=\s*"([^"]+)"', (source / PROJECT).read_text(encoding="utf-8"), re.MULTILINE)
    if readme:  # the build back end wants the file; its words are no part of a release
        (target / readme[1]).touch()


@contextmanager
def workshop(cache: Path):
    """A folder to build in. One build at a time; what an interrupted one left is swept away."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for old in cache.glob(".build-*"):
            shutil.rmtree(old)
        folder = Path(tempfile.mkdtemp(prefix=".build-", dir=cache))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
