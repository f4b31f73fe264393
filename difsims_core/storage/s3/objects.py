"""Objects in an S3 bucket: AWS, or any server that speaks its protocol."""

from __future__ import annotations

import mimetypes
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Any, cast

from difsims_core.errors import InputError, MissingObjectError
from difsims_core.retrying import Retry
from difsims_core.storage.backend import BACKENDS, ObjectInfo, StorageBackend, require_small
from difsims_core.storage.local import temporary_beside
from difsims_core.storage.names import check_key
from difsims_core.storage.s3.connection import connection, identity
from difsims_core.storage.s3.errors import check_deleted, error_code, is_conflict, translated
from difsims_core.storage.temporary_files import temporary_folder

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")
_SINGLE_PUT = 4 * 2**30  # S3 takes 5 GiB in one request
_DELETE_AT_ONCE = 1000  # keys of one DeleteObjects request
_WRITER = "difsims-writer"  # metadata of conditional writes: whose bytes these are
_BEYOND = {"InvalidRange", "416"}  # the object ends before the bytes that are asked for
_BUSY = {"ConditionalRequestConflict", "409"}  # AWS says so when two conditional writes meet: neither has won yet
_RETRY_BUSY = Retry(tries=5, pause=0.2)
_RETRY_READ = Retry(tries=3, pause=0)
_SEEN_BUCKETS: set[tuple[int, str, str]] = set()


class S3Objects(StorageBackend):
    """Objects of buckets; credentials, region and endpoint come from the environment, at the moment of use."""

    def check_root(self, path: str) -> str:
        """Return ``bucket/prefix`` without slashes at its ends."""
        path = path.rstrip("/")
        bucket, _, prefix = path.partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise InputError(f"s3://{path}: {bucket!r} cannot be the name of a bucket; expected s3://bucket/prefix")
        if prefix:
            check_key(prefix)  # on the way to the server '..' would lead into another bucket
        return path

    def read(self, path: str, start: int | None = None, stop: int | None = None) -> bytes:
        """Return an object, or its bytes ``start:stop``, with one request; none where it ends before, as of a file."""

        def get(fs: Any) -> bytes:
            try:
                return fs.cat_file(path, start=start, end=stop, max_concurrency=1)
            except OSError as error:
                if error_code(error) not in _BEYOND:
                    raise
                return b""

        return self._call(path, get)

    def write(self, path: str, data: bytes) -> None:
        """Write an object with one request."""
        self._put(path, data)

    def create(self, path: str, data: bytes) -> bool:
        """Write an object unless there is one, by a conditional request."""
        return self._put_if(path, data, IfNoneMatch="*")

    def read_versioned(self, path: str) -> tuple[bytes, str]:
        """Return an object and its ETag."""
        return self._call(path, lambda fs: _read_with_etag(fs, *path.split("/", 1)))

    def replace(self, path: str, data: bytes, version: str | None) -> bool:
        """Write an object if it still has this ETag, by a conditional request."""
        if version is None:
            return self.create(path, data)
        try:
            return self._put_if(path, data, IfMatch=f'"{version}"')
        except MissingObjectError:
            return False

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
        return [info.key for info in self.describe(path)]

    def describe(self, path: str) -> list[ObjectInfo]:
        """Return what a listing says of all objects below a prefix, a thousand a request, sorted by path."""
        bucket = path.split("/", 1)[0]
        found = []
        for item in self._listed(path, "Contents"):
            if not item["Key"].endswith("/"):
                written = item["LastModified"].astimezone(UTC)
                etag = item["ETag"].strip('"')
                found.append(ObjectInfo(f"{bucket}/{item['Key']}", item["Size"], etag, written, written))
        return sorted(found, key=lambda info: info.key)

    def signed_url(self, path: str, seconds: int) -> str | None:
        """Return a link to an object; it holds the id of the access key, and not the secret."""
        kind = _content_type(path)
        wanted = {"ResponseContentType": kind["ContentType"]} if kind else {}
        return self._call(path, lambda fs: fs.url(path, expires=seconds, **wanted))

    def folders(self, path: str) -> list[str]:
        """Return the names of the prefixes directly below a prefix, sorted."""
        found = self._listed(path, "CommonPrefixes", Delimiter="/")
        return sorted(item["Prefix"].rstrip("/").rsplit("/", 1)[-1] for item in found)

    def tree_bytes(self, path: str) -> int:
        """Return the size of all objects below a prefix."""
        return sum(item["Size"] for item in self._listed(path, "Contents"))

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
            answer = self._call(path, lambda fs, some=some: fs.call_s3("delete_objects", Bucket=bucket, Delete=some))
            check_deleted(path, answer)

    @contextmanager
    def writing(self, path: str) -> Iterator[Path]:
        """Give a temporary file; it is copied into the bucket, in parts when it is large, when the block ends well."""
        with temporary_folder() as folder:
            temporary = folder / "object"
            yield temporary
            self._call(path, lambda fs: fs.put_file(str(temporary), path))

    def download(self, path: str, local: Path) -> None:
        """Copy an object to a file, which appears when it is whole."""
        with temporary_beside(local) as temporary:
            self._call(path, lambda fs: fs.get_file(path, str(temporary)))
            temporary.replace(local)

    def _listed(self, path: str, kind: str, **options: str) -> Iterator[dict[str, Any]]:
        bucket, _, prefix = path.partition("/")
        asked = {"Bucket": bucket, "Prefix": f"{prefix.rstrip('/')}/" if prefix else "", **options}
        while True:
            answer = self._call(path, lambda fs: fs.call_s3("list_objects_v2", **asked))
            yield from answer.get(kind, ())
            if not answer.get("IsTruncated"):
                return
            asked["ContinuationToken"] = answer["NextContinuationToken"]

    def _put_if(self, path: str, data: bytes, **condition: str) -> bool:
        """Write an object on a condition; return whether it was this call that wrote it.

        When the answer to a write is lost, botocore asks again, and then it is the object of the first attempt that
        stands in the way. A number in its metadata tells whose it is.
        """
        writer = uuid.uuid4().hex
        if self._put(path, data, Metadata={_WRITER: writer}, **condition):
            return True
        bucket, key = path.split("/", 1)
        try:
            held = self._call(path, lambda fs: fs.call_s3("head_object", Bucket=bucket, Key=key))
        except MissingObjectError:
            return False
        return held["Metadata"].get(_WRITER) == writer

    def _put(self, path: str, data: bytes, **options: Any) -> bool:
        """Write an object with one request; return False when its condition does not hold."""
        bucket, key = path.split("/", 1)
        if len(data) > _SINGLE_PUT:
            raise InputError(f"s3://{path}: {len(data)} bytes are too many for one request", "upload a file")
        options |= _content_type(path)

        def put(fs: Any) -> bool:
            try:
                fs.call_s3("put_object", Bucket=bucket, Key=key, Body=bytes(data), **options)
            except OSError as error:
                if is_conflict(error):
                    return False
                raise
            return True

        return self._call(path, lambda fs: _RETRY_BUSY.call(lambda: put(fs), lambda error: error_code(error) in _BUSY))

    def _require_bucket(self, bucket: str) -> None:
        seen = (*identity(), bucket)
        if seen not in _SEEN_BUCKETS:
            self._call(bucket, lambda fs: fs.call_s3("list_objects_v2", Bucket=bucket, MaxKeys=1))
            _SEEN_BUCKETS.add(seen)

    @staticmethod
    def _call(path: str, request: Callable[[Any], Any]) -> Any:
        with translated(path):
            return request(connection())


def _content_type(path: str) -> dict[str, str]:
    """Return what browsers must be told of pictures and pages, which they save as files otherwise."""
    kind, encoding = mimetypes.guess_type(path)
    return {"ContentType": kind} if kind and not encoding else {}


def _read_with_etag(fs: Any, bucket: str, key: str) -> tuple[bytes, str]:
    """Return an object and the ETag of the same answer; s3fs itself gives only the one or the other."""
    from fsspec.asyn import sync
    from s3fs.core import S3_RETRYABLE_ERRORS

    async def read() -> tuple[bytes, str]:
        answer = await fs._call_s3("get_object", Bucket=bucket, Key=key)
        try:
            require_small(f"s3://{bucket}/{key}", answer["ContentLength"])
            return await answer["Body"].read(), answer["ETag"].strip('"')
        finally:
            answer["Body"].close()

    # An answer may break off; nobody below repeats a request that began well.
    found = _RETRY_READ.call(lambda: sync(fs.loop, read), lambda error: isinstance(error, S3_RETRYABLE_ERRORS))
    return cast("tuple[bytes, str]", found)


BACKENDS.register("s3")(S3Objects())
