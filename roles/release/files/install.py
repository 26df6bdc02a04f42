"""Install one artifact offline: a virtual environment from its wheels, complete or not there at all.

    install.py RELEASES DIGEST

RELEASES/.DIGEST.tar becomes RELEASES/DIGEST. Everything is made in a folder beside it, which is renamed at the end:
an interrupted install leaves no release, and the next one starts afresh. Files that an earlier release holds already
are linked from there, bytecode and all, so that the deploy of a small change takes a second or two.
"""

import compileall
import configparser
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from pathlib import Path

# Tests of dependencies are never imported here; setuptools is there for pkg_resources only.
NOT_COMPILED = re.compile(r"/site-packages/(setuptools/|.*/(tests?|testing)/)")
# The interpreter is found through the real path: a running process stays in its release when `current` moves on,
# and the folder may be renamed. The shell reads the first three lines, Python reads them as a string.
HEAD = """#!/bin/sh
'''exec' "$(dirname "$(readlink -f "$0")")/python" "$(readlink -f "$0")" "$@"
' '''
"""
SCRIPT = """{head}import sys
from {module} import {name}
sys.exit({call}())
"""


def main(releases: Path, digest: str) -> None:
    started = time.monotonic()
    os.umask(0o022)
    tar, target, half = releases / f".{digest}.tar", releases / digest, releases / f".{digest}.half"
    shutil.rmtree(half, ignore_errors=True)
    with tarfile.open(tar) as file:
        file.extractall(half, filter="data")
    manifest = json.loads((half / "manifest.json").read_text())
    running = "{}.{}".format(*sys.version_info)
    if (manifest["digest"], manifest["python"]) != (digest, running):
        found = f"release {manifest['digest']} for Python {manifest['python']}"
        sys.exit(f"{tar}: found {found}, expected {digest} for Python {running}. Mend: see release_python_version.")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", half / "venv"], check=True)
    site = site_packages(half, running)
    known = known_wheels(releases, running)
    linked = total = 0
    for wheel in manifest["wheels"]:
        path = half / "wheels" / wheel["name"]
        if hashlib.sha256(path.read_bytes()).hexdigest() != wheel["sha256"]:
            sys.exit(f"{tar}: {wheel['name']} is not what the manifest says. Mend: run again, it is sent anew.")
        with zipfile.ZipFile(path) as file:
            files = unpack(file, site, known.get(wheel["sha256"]))
        linked, total = linked + files[0], total + files[1]
    for info in site.glob("*.dist-info/entry_points.txt"):
        write_scripts(info, half / "venv" / "bin")
    if not compileall.compile_dir(site, quiet=1, workers=0, rx=NOT_COMPILED, maxlevels=20):
        sys.exit(f"{site}: a file does not compile, see above. Mend: lock another version of that package.")
    shutil.rmtree(half / "wheels")
    os.sync()
    shutil.rmtree(target, ignore_errors=True)
    half.rename(target)
    tar.unlink()
    seconds = time.monotonic() - started
    print(f"{len(manifest['wheels'])} wheels, {total} files, {linked} of them linked, {seconds:.1f} s")


def site_packages(release: Path, python: str) -> Path:
    return release / "venv" / "lib" / f"python{python}" / "site-packages"


def known_wheels(releases: Path, python: str) -> dict[str, Path]:
    """Wheel -> the site-packages of a release that holds it."""
    known = {}
    for manifest in sorted(releases.glob("[!.]*/manifest.json")):
        about = json.loads(manifest.read_text())
        if about["python"] == python:
            known |= {wheel["sha256"]: site_packages(manifest.parent, python) for wheel in about["wheels"]}
    return known


def unpack(wheel: zipfile.ZipFile, site: Path, known: Path | None) -> tuple[int, int]:
    """Put the wheel's files into site; returns how many were linked, and how many there are."""
    linked = 0
    files = [member for member in wheel.infolist() if not member.is_dir()]
    for member in files:
        name, _, inside = member.filename.partition("/")
        if name.endswith(".data"):
            unpack_data(wheel, member, inside, site)
        elif known and same(known / member.filename, member):
            link(known / member.filename, site / member.filename)
            linked += 1
        else:
            wheel.extract(member, site)
    return linked, len(files)


def unpack_data(wheel: zipfile.ZipFile, member: zipfile.ZipInfo, inside: str, site: Path) -> None:
    """What a wheel brings besides its packages: pages of a manual, and the like."""
    kind, _, name = inside.partition("/")
    places = {"purelib": site, "platlib": site, "data": site.parents[2], "scripts": site.parents[2] / "bin"}
    if kind not in places or ".." in Path(name).parts:
        sys.exit(f"{wheel.filename}: brings {member.filename}, which only pip installs. Mend: lock another version.")
    target = places[kind] / name
    target.parent.mkdir(parents=True, exist_ok=True)
    content = wheel.read(member)
    if kind == "scripts":  # a first line #!python means the environment's own
        first, _, rest = content.partition(b"\n")
        content = HEAD.encode() + rest if first.startswith(b"#!python") else content
    target.write_bytes(content)
    if kind == "scripts":
        target.chmod(0o755)


def same(path: Path, member: zipfile.ZipInfo) -> bool:
    """Only an untouched file is linked: what somebody patched by hand stays in the old release."""
    try:
        return path.stat().st_size == member.file_size and zlib.crc32(path.read_bytes()) == member.CRC
    except FileNotFoundError:
        return False


def link(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    new.hardlink_to(old)
    if old.suffix == ".py":
        bytecode = Path(importlib.util.cache_from_source(old))
        if bytecode.exists():
            copy = Path(importlib.util.cache_from_source(new))
            copy.parent.mkdir(exist_ok=True)
            copy.hardlink_to(bytecode)


def write_scripts(info: Path, folder: Path) -> None:
    parser = configparser.ConfigParser(delimiters="=", interpolation=None)
    parser.optionxform = str
    parser.read_string(info.read_text())
    for script, target in parser["console_scripts"].items() if parser.has_section("console_scripts") else ():
        module, call = target.split("[")[0].strip().split(":")
        path = folder / script
        path.write_text(SCRIPT.format(head=HEAD, module=module, call=call, name=call.split(".")[0]))
        path.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
