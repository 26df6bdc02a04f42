# Copyright: (c) 2026, Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The secrets of a stack: one ansible-vault file of names and values, and the file with its password.

Both are ordinary: `ansible-vault view` and `ansible-vault edit` work on them.
"""

from __future__ import annotations

import os
import secrets
import string
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret, get_file_vault_secret

ALPHABET = string.ascii_letters + string.digits  # safe in a URL, in a shell and in every configuration file
_read: dict[str, tuple[object, dict[str, str]]] = {}


def generate(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _letter in range(length))


def _lib(password_file: Path) -> VaultLib:
    try:  # by Ansible's own reader: a password file may also be a program that prints the password
        secret = get_file_vault_secret(filename=str(password_file), loader=DataLoader())
        secret.load()
    except AnsibleError as error:
        raise AnsibleError(
            f"{password_file}: the password of the secrets cannot be read ({error.message}). "
            "Expected: the file that the first run made. Mend: bring it back from your backup; "
            "without it the secrets cannot be opened."
        ) from None
    return VaultLib([("default", VaultSecret(secret.bytes))])


def load(path: Path, password_file: Path) -> dict[str, str]:
    """Every secret; an empty mapping when there is no file yet. Opened once while the file stays the same."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return {}
    stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino, str(password_file))
    kept = _read.get(str(path))
    if kept and kept[0] == stamp:
        return dict(kept[1])
    lib = _lib(password_file)
    try:
        data = yaml.safe_load(bytes(lib.decrypt(path.read_bytes())).decode()) or {}
        if not isinstance(data, dict):
            raise TypeError("it does not hold names and values")
    except (AnsibleError, OSError, TypeError, yaml.YAMLError) as error:
        reason = "its content is not a mapping" if isinstance(error, (TypeError, yaml.YAMLError)) else str(error)
        raise AnsibleError(
            f"{path}: the secrets cannot be opened ({reason}). Expected: an ansible-vault file whose password is in "
            f"{password_file}. Mend: bring both files back from one backup."
        ) from None  # a YAML error would quote the secrets
    found = {str(name): str(value) for name, value in data.items()}
    _read[str(path)] = (stamp, found)
    return dict(found)


def save(path: Path, password_file: Path, found: dict[str, str]) -> None:
    text = "---\n" + yaml.safe_dump(found, default_flow_style=False)
    write(path, _lib(password_file).encrypt(text))


def write(path: Path, data: bytes) -> None:
    """Whole or not at all, and readable by the owner only from the first byte on."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp gives 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def ensure(path: Path, password_file: Path, names: Iterable[str], length: int, check: bool, known: Mapping[str, str] | None = None) -> dict[str, list[str]]:
    """Make the secrets that are missing, and take those over that are known elsewhere.

    Names, in check mode as they would be: `added` at random, `taken` over, `lacking` in what is known, `differing` from it.
    If any differ, nothing is written: only a human knows which value is right.
    """
    if path.exists() and not password_file.exists():
        _lib(password_file)  # says what is wrong: a new password would lock the old secrets out
    found = load(path, password_file)
    full = {name: value for name, value in found.items() if value}
    # str(): Ansible tags the texts of a play, and YAML cannot write tagged ones
    kept = {str(name): str(value) for name, value in (known or {}).items() if value}
    differing = sorted(name for name in kept if full.get(name, kept[name]) != kept[name])
    if differing:
        return {"added": [], "taken": [], "lacking": [], "differing": differing}
    taken = sorted(name for name in kept if name not in full)
    added = [name for name in dict.fromkeys(str(name) for name in names) if name not in full and name not in kept]
    if (added or taken) and not check:
        if not password_file.exists():
            write(password_file, f"{generate(64)}\n".encode())
        save(path, password_file, found | {name: kept[name] for name in taken} | {name: generate(length) for name in added})
    return {"added": added, "taken": taken, "lacking": sorted(name for name in [*full, *added] if name not in kept), "differing": []}
