# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The artifacts of releases in S3, by their digest: for a control node whose cache lacks one. Each is written once and never changed."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import artifact
from .artifact import ArtifactError
from .aws_calls import AwsError, client, explained

PATIENCE = 30  # seconds between two pieces
SHA256 = "sha256"  # of the whole file, beside it
GONE = ("404", "NoSuchKey", "NotFound", "NoSuchBucket")
THERE = ("412", "PreconditionFailed")  # somebody was quicker
BOTH = ("409", "ConditionalRequestConflict")  # somebody writes it just now


@dataclass(frozen=True)
class Bucket:
    name: str
    prefix: str = "releases/"

    def key(self, digest: str) -> str:
        return f"{self.prefix}{digest}.tar"

    def address(self, digest: str) -> str:
        return f"s3://{self.name}/{self.key(digest)}"

    def holds(self, digest: str) -> bool:
        """AwsError when S3 does not tell. Without leave to list the bucket, S3 says of what is not there that one may not see it."""
        try:
            with explained(f"S3, HeadObject of {self.address(digest)}"):
                client("s3", patience=PATIENCE).head_object(Bucket=self.name, Key=self.key(digest))
        except AwsError as error:
            if error.code in GONE:
                return False
            raise
        return True

    def fetch(self, digest: str, path: Path) -> None:
        """Bring the artifact to `path`: whole and as it was built, or not at all. ArtifactError when it is damaged, AwsError when S3 does not give it."""
        with artifact.workshop(path.parent) as workshop:
            if path.exists():  # another run brought it while this one waited
                return
            half = workshop / path.name
            with explained(f"S3, GetObject of {self.address(digest)}"):
                answer = client("s3", patience=PATIENCE).get_object(Bucket=self.name, Key=self.key(digest))
                with half.open("wb") as file:
                    shutil.copyfileobj(answer["Body"], file, 1 << 20)
                    file.flush()
                    os.fsync(file.fileno())
            self._check(digest, half, answer)
            half.replace(path)

    def _check(self, digest: str, half: Path, answer: dict[str, Any]) -> None:
        try:
            if half.stat().st_size != answer["ContentLength"]:
                raise ArtifactError(f"found {half.stat().st_size} bytes, expected {answer['ContentLength']}.")
            artifact.verify(half, digest)
            said = answer.get("Metadata", {}).get(SHA256, "")
            if said and artifact.sha256(half) != said:
                raise ArtifactError(f"found the SHA-256 {artifact.sha256(half)}, expected {said}.")
        except ArtifactError as error:
            said = str(error).removeprefix(f"{half}: ")
            raise ArtifactError(
                f"{self.address(digest)}: {said} It was not taken. Mend: remove that object and deploy the release anew from a control node that "
                "has its source or its artifact."
            ) from error

    def keep(self, digest: str, path: Path) -> bool:
        """Upload the artifact unless it is there; whether it was uploaded."""
        if self.holds(digest):
            return False
        artifact.verify(path, digest)
        try:
            with explained(f"S3, PutObject of {self.address(digest)}"), path.open("rb") as file:
                client("s3", patience=PATIENCE).put_object(
                    Bucket=self.name, Key=self.key(digest), Body=file, IfNoneMatch="*", ContentType="application/x-tar",
                    Metadata={SHA256: artifact.sha256(path)})  # fmt: skip
        except AwsError as error:
            if error.code in THERE + BOTH:
                return False
            raise
        return True
