"""Objects in an S3 bucket: AWS, or any server that speaks its protocol."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from difsims_core.errors import InputError, MissingObjectError
from difsims_core.storage.s3_errors import is_conflict, translated
from difsims_core.storage.schemes import SCHEMES, Scheme

_BUCKET = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$")
_SINGLE_PUT = 4 * 2**30  # S3 takes 5 GiB in one request
_DELETE_AT_ONCE = 1000  # keys of one DeleteObjects request
_CONNECTIONS: dict[tuple[int, str], Any] = {}
_SEEN_BUCKETS: set[tuple[int, str, str]] = set()


class S3Objects(Scheme):
    """Objects of buckets; credentials, region and endpoint come from the environment, at the moment of use."""

    def check_root(self, path: str) -> str:
        """Return ``bucket/prefix`` without slashes at its ends."""
        bucket = path.split("/", 1)[0]
        if not _BUCKET.match(bucket):
            raise InputError(f"s3://{path}: {bucket!r} cannot be the name of a bucket; expected s3://bucket/prefix")
        return path.rstrip("/")

    def read(self, path: str, start: int | None = None, stop: int | None = None) -> bytes:
        """Return an object, or its bytes ``start:stop``, with one request."""
        return self._call(path, lambda fs: fs.cat_file(path, start=start, end=stop, max_concurrency=1))

    def write(self, path: str, data: bytes) -> None:
        """Write an object with one request."""
        self._put(path, data)

    def create(self, path: str, data: bytes) -> bool:
        """Write an object unless there is one, by a conditional request."""
        return self._put(path, data, IfNoneMatch="*")

    def exists(self, path: str) -> bool:
        """Return whether there is an object; a bucket that does not exist is an error."""
        bucket, key = path.split("/", 1)
        try:
            self._call(path, lambda fs: fs.call_s3("head_object", Bucket=bucket, Key=key))
        except MissingObjectError:
            self._require_bucket(bucket)
            return False
        return True

    def list(self, path: str) -> list[str]:
        """Return the paths of all objects below a prefix, sorted."""
        bucket = path.split("/", 1)[0]
        return sorted(f"{bucket}/{key}" for key in self._listed(path, "Contents", "Key") if not key.endswith("/"))

    def folders(self, path: str) -> list[str]:
        """Return the names of the prefixes directly below a prefix, sorted."""
        found = self._listed(path, "CommonPrefixes", "Prefix", Delimiter="/")
        return sorted(prefix.rstrip("/").rsplit("/", 1)[-1] for prefix in found)

    def tree_bytes(self, path: str) -> int:
        """Return the size of all objects below a prefix."""
        return sum(self._listed(path, "Contents", "Size"))

    def delete(self, path: str) -> None:
        """Remove an object."""
        bucket, key = path.split("/", 1)
        self._call(path, lambda fs: fs.call_s3("delete_object", Bucket=bucket, Key=key))

    def delete_tree(self, path: str) -> None:
        """Remove all objects below a prefix, many a request."""
        bucket = path.split("/", 1)[0]
        keys = [{"Key": item.split("/", 1)[1]} for item in self.list(path)]
        for first in range(0, len(keys), _DELETE_AT_ONCE):
            some = {"Objects": keys[first : first + _DELETE_AT_ONCE], "Quiet": True}
            self._call(path, lambda fs, some=some: fs.call_s3("delete_objects", Bucket=bucket, Delete=some))

    @contextmanager
    def writing(self, path: str) -> Iterator[Path]:
        """Give a temporary file; it is copied into the bucket, in parts when it is large, when the block ends well."""
        with tempfile.TemporaryDirectory(prefix="difsims-") as folder:
            temporary = Path(folder) / "object"
            yield temporary
            self._call(path, lambda fs: fs.put_file(str(temporary), path))

    def download(self, path: str, local: Path) -> None:
        """Copy an object to a file, which appears when it is whole."""
        local = Path(local)
        local.parent.mkdir(parents=True, exist_ok=True)
        temporary = local.with_name(f".{uuid.uuid4().hex}.partial")
        try:
            self._call(path, lambda fs: fs.get_file(path, str(temporary)))
            temporary.replace(local)
        finally:
            temporary.unlink(missing_ok=True)

    def _listed(self, path: str, kind: str, field: str, **options: str) -> Iterator[Any]:
        bucket, _, prefix = path.partition("/")
        asked = {"Bucket": bucket, "Prefix": f"{prefix.rstrip('/')}/" if prefix else "", **options}
        while True:
            answer = self._call(path, lambda fs: fs.call_s3("list_objects_v2", **asked))
            yield from (item[field] for item in answer.get(kind, ()))
            if not answer.get("IsTruncated"):
                return
            asked["ContinuationToken"] = answer["NextContinuationToken"]

    def _put(self, path: str, data: bytes, **condition: str) -> bool:
        bucket, key = path.split("/", 1)
        if len(data) > _SINGLE_PUT:
            raise InputError(f"s3://{path}: {len(data)} bytes are too many for one request; upload a file")

        def put(fs: Any) -> bool:
            try:
                fs.call_s3("put_object", Bucket=bucket, Key=key, Body=bytes(data), **condition)
            except OSError as error:
                if condition and is_conflict(error):
                    return False
                raise
            return True

        return self._call(path, put)

    def _require_bucket(self, bucket: str) -> None:
        seen = (*_identity(), bucket)
        if seen not in _SEEN_BUCKETS:
            self._call(bucket, lambda fs: fs.call_s3("list_objects_v2", Bucket=bucket, MaxKeys=1))
            _SEEN_BUCKETS.add(seen)

    @staticmethod
    def _call(path: str, request: Callable[[Any], Any]) -> Any:
        with translated(path):
            return request(_connection())


def _identity() -> tuple[int, str]:
    """Return (process, digest of the settings): connections are shared only between equal ones."""
    settings = sorted((key, value) for key, value in os.environ.items() if key.startswith("AWS_"))
    return os.getpid(), hashlib.sha256(repr(settings).encode()).hexdigest()


def _connection() -> Any:
    """Return the file system of the present environment.

    botocore reads the credentials and the endpoint from the environment itself, so that no object of ours holds them.
    s3fs would hand out an instance made with other credentials: its own cache is bypassed.
    """
    identity = _identity()
    if identity not in _CONNECTIONS:
        import s3fs

        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        own_server = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        _CONNECTIONS[identity] = s3fs.S3FileSystem(
            skip_instance_cache=True,
            use_listings_cache=False,
            client_kwargs={"region_name": region} if region else {},
            config_kwargs={
                "connect_timeout": 10,
                "read_timeout": 60,
                "max_pool_connections": 32,
                "retries": {"max_attempts": 4, "mode": "standard"},
                # servers other than AWS seldom answer at bucket.host
                "s3": {"addressing_style": "path" if own_server else "auto"},
            },
        )
    return _CONNECTIONS[identity]


SCHEMES.register("s3")(S3Objects())
