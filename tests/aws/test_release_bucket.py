"""Releases in S3: what one control node has built another one takes from there, as it was, or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.trust.stack.plugins.module_utils import artifact
from ansible_collections.trust.stack.plugins.module_utils.artifact import ArtifactError
from ansible_collections.trust.stack.plugins.module_utils.release_bucket import Bucket
from support.aws import REGION, ROOT, Aws

PROJECT = """
[build-system]
requires = ["flit_core>=3.11,<4"]
build-backend = "flit_core.buildapi"
[project]
name = "shop"
version = "1.0"
description = "a shop"
"""
BUCKET = "shop-files"


@pytest.fixture(scope="module")
def files(aws: Aws) -> Iterator[Any]:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})  # each upload leaves its trace
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment.items():
            patch.setenv(name, value)
        yield s3


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("app")
    (folder / "src/shop").mkdir(parents=True)
    (folder / "src/shop/__init__.py").write_text("")
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "requirements.txt").write_text("")
    return folder


@pytest.fixture(scope="module")
def run(aws: Aws, source: Path) -> Any:
    def run(cache: Path, check: bool = False, **options: Any) -> dict[str, Any]:
        """The module, as Ansible runs it: its answer, failed or not."""
        arguments = {"source": str(source), "cache": str(cache), "bucket": BUCKET, "_ansible_check_mode": check, **options}
        code = "from ansible_collections.trust.stack.plugins.modules.release_artifact import main; main()"
        environment = os.environ | aws.environment | {"PYTHONPATH": f"{ROOT}/.collections"}
        done = subprocess.run(
            [sys.executable, "-c", code], input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}), env=environment, capture_output=True, text=True,
            check=False)  # fmt: skip
        assert done.stdout, done.stderr
        return dict(json.loads(done.stdout))

    return run


@pytest.fixture(scope="module")
def built(files: Any, run: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the first control node built and uploaded."""
    cache = tmp_path_factory.mktemp("first")
    dry = run(cache, check=True)
    assert (dry["changed"], dry["fetched"], dry["uploaded"], versions(files, dry["digest"])) == (True, False, True, 0)
    made = run(cache)
    assert (made["changed"], made["fetched"], made["uploaded"]) == (True, False, True), made
    return made | {"cache": cache, "bytes": Path(made["path"]).read_bytes()}


def key(digest: str) -> str:
    return f"releases/{digest}.tar"


def versions(files: Any, digest: str) -> int:
    return len(files.list_object_versions(Bucket=BUCKET, Prefix=key(digest)).get("Versions", []))


def left(cache: Path) -> list[str]:
    return [path.name for path in cache.iterdir() if path.name != ".lock"]


def test_who_lost_the_cache_gets_the_same_bytes_and_nothing_is_uploaded_twice(files: Any, run: Any, built: dict[str, Any], tmp_path: Path) -> None:
    digest = built["digest"]
    again = run(built["cache"])
    assert (again["changed"], again["uploaded"]) == (False, False)
    dry = run(tmp_path / "other", check=True, digest=digest)
    assert (dry["changed"], dry["fetched"], dry["uploaded"], dry["size"]) == (True, True, False, 0) and not (tmp_path / "other").exists()
    found = run(tmp_path / "other", digest=digest)
    assert (found["changed"], found["fetched"], found["uploaded"]) == (True, True, False), found
    assert Path(found["path"]).read_bytes() == built["bytes"]
    assert left(tmp_path / "other") == [f"{digest}.tar"]
    assert run(tmp_path / "other", digest=digest)["changed"] is False
    # One that has the source takes it from there too, and builds nothing.
    assert run(tmp_path / "third")["fetched"] is True and left(tmp_path / "third") == [f"{digest}.tar"]
    assert versions(files, digest) == 1


def test_a_release_of_the_cache_that_the_bucket_lacks_is_uploaded(files: Any, run: Any, built: dict[str, Any]) -> None:
    assert run(built["cache"], digest=built["digest"], bucket_prefix="late/")["uploaded"] is True
    assert files.get_object(Bucket=BUCKET, Key=f"late/{built['digest']}.tar")["Body"].read() == built["bytes"]


def changed(data: bytes, manifest: dict[str, Any], extra: str = "") -> bytes:
    """The artifact with another manifest, and one file more."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=out, mode="w") as new:
        for entry in old.getmembers():
            content = old.extractfile(entry).read()  # type: ignore[union-attr]
            if entry.name == "manifest.json":
                content = json.dumps(json.loads(content) | manifest).encode()
            entry.size = len(content)
            new.addfile(entry, io.BytesIO(content))
        if extra:
            new.addfile(tarfile.TarInfo(extra), io.BytesIO())
    return out.getvalue()


@pytest.mark.parametrize(("damage", "words"), [
    (lambda data: data[: len(data) // 3], "this is no whole artifact"),
    (lambda data: data[:700], "this is no whole artifact"),
    (lambda data: b"", "this is no whole artifact"),
    (lambda data: b"<html>not found</html>", "this is no whole artifact"),
    (lambda data: data.replace(b"shop-1.0.dist-info", b"shop-1.0.dist-Info"), "shop-1.0-.*.whl is not what the manifest says"),
    (lambda data: changed(data, {"digest": "0123456789abcdef"}), "found release 0123456789abcdef, expected"),
    (lambda data: changed(data, {"wheels": [{"name": "other.whl", "sha256": "0"}]}), "this is no whole artifact.*other.whl"),
    (lambda data: changed(data, {}, "wheels/more.whl"), "found wheels/more.whl, which the manifest does not name"),
    (lambda data: changed(data, {"version": "2.0"}), "found the SHA-256 .*, expected"),
])
def test_what_is_damaged_is_refused_and_leaves_nothing(files: Any, built: dict[str, Any], tmp_path: Path, damage: Any, words: str) -> None:
    data = damage(built["bytes"])
    assert data != built["bytes"]
    bucket = Bucket(BUCKET, "damaged/")
    whole = hashlib.sha256(built["bytes"]).hexdigest()
    files.put_object(Bucket=BUCKET, Key=bucket.key(built["digest"]), Body=data, Metadata={"sha256": whole})
    path = tmp_path / f"{built['digest']}.tar"
    with pytest.raises(ArtifactError, match=rf"^s3://shop-files/damaged/{built['digest']}.tar: .*{words}") as caught:
        bucket.fetch(built["digest"], path)
    assert str(caught.value).endswith("from a control node that has its source or its artifact.") and "It was not taken. Mend: remove that object" in str(
        caught.value)  # fmt: skip
    assert left(tmp_path) == []


def test_the_module_refuses_it_too(files: Any, run: Any, built: dict[str, Any], tmp_path: Path) -> None:
    files.put_object(Bucket=BUCKET, Key=f"bad/{built['digest']}.tar", Body=built["bytes"][:-20_000] if len(built["bytes"]) > 20_000 else b"x")
    done = run(tmp_path / "cache", digest=built["digest"], bucket_prefix="bad/")
    assert done["failed"] is True and "It was not taken" in done["msg"]
    assert left(tmp_path / "cache") == []


def test_a_damaged_cache_is_not_published(files: Any, built: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(built["bytes"][:3000])
    with pytest.raises(ArtifactError, match="this is no whole artifact"):
        Bucket(BUCKET, "none/").keep(built["digest"], tmp_path / "x.tar")
    assert "Contents" not in files.list_objects_v2(Bucket=BUCKET, Prefix="none/")


def test_of_two_at_once_the_first_one_counts(files: Any, built: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bucket, "holds", lambda *_self: False)  # it came just after the other one had looked
    assert Bucket(BUCKET).keep(built["digest"], Path(built["path"])) is False
    assert versions(files, built["digest"]) == 1


def test_what_is_nowhere_is_told_with_both_places(run: Any, built: dict[str, Any], tmp_path: Path) -> None:
    for check in (True, False):
        done = run(tmp_path / "cache", check=check, digest="0123456789abcdef")
        assert done["failed"] is True
        assert "0123456789abcdef.tar: not found, nor is it at s3://shop-files/releases/0123456789abcdef.tar" in done["msg"] and "Mend: " in done["msg"]


def test_a_bucket_that_does_not_answer_stops_a_deploy_and_no_start(aws: Aws, run: Any, built: dict[str, Any], tmp_path: Path) -> None:
    aws.fault({"match": BUCKET, "times": 99, "status": 403, "code": "AccessDenied"})
    try:
        deploy, start = run(built["cache"]), run(built["cache"], digest=built["digest"])
        missing = run(tmp_path / "cache", digest=built["digest"])
    finally:
        aws.fault()
    assert deploy["failed"] is True and "S3, HeadObject of s3://shop-files/" in deploy["msg"] and "may not do this" in deploy["msg"]
    assert start.get("failed") is None and start["changed"] is False and "is in the cache, but it is not known" in str(start["warnings"])
    assert missing["failed"] is True and "may not do this" in missing["msg"]
    gone = run(built["cache"], bucket="no-such-bucket-at-all")
    assert gone["failed"] is True and "there is no such bucket" in gone["msg"]


def test_without_a_bucket_all_is_as_before(run: Any, built: dict[str, Any]) -> None:
    done = run(built["cache"], bucket="")
    assert (done["changed"], done["fetched"], done["uploaded"], done["digest"]) == (False, False, False, built["digest"])
    assert artifact.sha256(Path(done["path"])) == hashlib.sha256(built["bytes"]).hexdigest()
