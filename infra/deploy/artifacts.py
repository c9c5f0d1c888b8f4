"""What is deployed, in the bucket: zips and templates, each named by its hash, so that nothing is put twice or overwritten."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.deploy.errors import NothingBuilt
from infra.deploy.stacks import Template

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Artifacts:
    """``bucket`` is the one of the bootstrap stack."""

    client: "S3Client"
    bucket: str

    def put(self, path: Path, folder: str) -> str:
        """Put the file under ``folder``; returns its key. Raises ``NothingBuilt``."""
        content = read(path)
        key = f"{folder}/{hashlib.sha256(content).hexdigest()}{path.suffix}"
        if not self._has(key):
            self.client.put_object(Bucket=self.bucket, Key=key, Body=content)
        return key

    def template(self, path: Path) -> Template:
        """Put a template; CloudFormation takes none of over 51,200 bytes but from a bucket."""
        key = self.put(path, "templates")
        url = self.client.generate_presigned_url("get_object", Params={"Bucket": self.bucket, "Key": key}, ExpiresIn=600)
        return Template({"TemplateURL": url.partition("?")[0]}, parameters_of(path))

    def _has(self, key: str) -> bool:
        try:
            self.client.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:  # noqa: PLR2004  # the status is its own name
                return False
            raise
        return True


def inline(path: Path) -> Template:
    """A small template, without a bucket. Raises ``NothingBuilt``."""
    return Template({"TemplateBody": read(path).decode()}, parameters_of(path))


def parameters_of(path: Path) -> frozenset[str]:
    """The names of a template's parameters."""
    template: dict[str, Any] = json.loads(read(path))
    return frozenset(template.get("Parameters", ()))


def read(path: Path) -> bytes:
    """The file. Raises ``NothingBuilt``."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NothingBuilt(str(path)) from None
