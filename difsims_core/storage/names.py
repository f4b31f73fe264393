"""Where things lie: the one place that turns paths and names into URLs and keys, and reads them back.

``join_url`` and ``split_url`` are inverse to each other for every name that a file system allows: ``file://`` URLs are
percent-encoded (RFC 8089), plain paths and ``s3://`` URLs are taken letter by letter, as people and the S3 tools type
them. What becomes part of a key is checked here, so that no name leads out of its root.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from difsims_core.errors import InputError

_URL = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+)://(.*)$", re.DOTALL)
_SLIP = re.compile(r"^(s3|file):/(?!/)", re.IGNORECASE)
_LONGEST_NAME = 200  # bytes; of 255 that a file system takes
_LONGEST_STEM = 160  # bytes; of a name that endings are added to
_HEAD = 80  # bytes of a name that stay readable before its digest
_DIGESTED = re.compile(r"~[0-9a-f]{64}\Z")
_VERSION = "?versionId="  # s3fs takes what follows for a version of the object
_NO_NAMES = {"", ".", ".."}


def split_url(url: str | Path) -> tuple[str, str]:
    """Return (scheme, path) of a URL; a bare path is a file, and is never decoded.

    Raises
    ------
    InputError
        If there is nothing to split, no file can be called so, or the URL carries credentials.
    """
    text = str(url)
    if not text.strip():
        raise InputError(f"expected a path or a URL such as s3://bucket/prefix, found {text!r}")
    found = _URL.match(text)
    if found is None:
        if _SLIP.match(text):
            raise InputError(
                f"{text}: a URL has two slashes after the colon, as in s3://bucket/prefix or file:///folder"
            )
        return "file", _absolute(text)
    scheme, path = found.group(1).lower(), found.group(2)
    if "@" in path.split("/", 1)[0]:
        raise InputError(
            f"a {scheme}:// URL must not carry credentials", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead"
        )
    if scheme == "file":
        return "file", _decoded(text, path)
    return scheme, path


def join_url(scheme: str, path: str) -> str:
    """Return the URL of a path; the inverse of `split_url`.

    >>> join_url("file", "/scans/50% done #1.npz")
    'file:///scans/50%25%20done%20%231.npz'
    >>> join_url("s3", "bucket/50% done #1.npz")
    's3://bucket/50% done #1.npz'
    """
    return f"{scheme}://{quote_from_bytes(os.fsencode(path)) if scheme == 'file' else path}"


def as_written(url: str | Path) -> str:
    """Return a location as people write it: a local one as its path, unless only its URL fits a line of text."""
    scheme, path = split_url(url)
    return path if scheme == "file" and path.isprintable() else join_url(scheme, path)


def same_place(first: str | Path, second: str | Path) -> bool:
    """Return whether two paths or URLs name the same file or object; what names none is not the same as any."""
    try:
        return split_url(first) == split_url(second)
    except InputError:
        return False


def parent_url(url: str | Path) -> str:
    """Return the URL of the folder of a file or object."""
    scheme, path = split_url(url)
    return join_url(scheme, path.rpartition("/")[0] or "/")


def child_url(folder: str | Path, name: str) -> str:
    """Return the URL of the file of this name in a folder.

    Raises
    ------
    InputError
        If it would lie elsewhere.
    """
    if name in _NO_NAMES or "/" in name:
        raise InputError(f"{name!r} cannot be the name of a file in {folder}", "give a name without slashes")
    scheme, path = split_url(folder)
    return join_url(scheme, f"{path.rstrip('/')}/{name}")


def file_name(url: str | Path) -> str:
    """Return the last part of a path or URL, letter by letter: ``s3://bucket/a/b.npz`` → ``b.npz``."""
    return split_url(url)[1].rstrip("/").rpartition("/")[2]


def url_name(url: str | Path) -> str:
    """Return the last part of a path or URL as a name that can be shown and stored (`object_name`)."""
    return object_name(file_name(url))


def object_name(name: str) -> str:
    """Return the name of a file as a part of keys: itself where it can be one; else its readable beginning and digest.

    Two names never become the same: a name that already ends like one with a digest gets another digest.

    >>> object_name("roi 3%20[a]")
    'roi 3%20[a]'

    Raises
    ------
    InputError
        If no file can be called so.
    """
    if name in _NO_NAMES or "/" in name:
        return check_name(name)
    data = name.encode(errors="surrogatepass")
    plain = all(map(_may_be_stored, name)) and _VERSION not in name and len(data) <= _LONGEST_STEM
    if plain and not _DIGESTED.search(name):
        return name
    readable = "".join(sign if _may_be_stored(sign) else "_" for sign in name).replace(_VERSION, "_")
    head = readable.encode()[:_HEAD].decode(errors="ignore")
    return f"{head}~{hashlib.sha256(data).hexdigest()}"


def check_key(key: str) -> str:
    """Return a key if it stays below its root: relative, forward slashes, no ``..``.

    Raises
    ------
    InputError
        If it does not.
    """
    if not isinstance(key, str) or not key:
        raise InputError(f"expected the key of an object, found {key!r}")
    for part in key.split("/"):
        check_name(part, what="key", whole=key)
    return key


def check_name(name: str, *, what: str = "name", whole: str | None = None) -> str:
    """Return a name if it may become one part of a key.

    Raises
    ------
    InputError
        If it is empty, ``.`` or ``..``, holds a separator or a control character, or is too long.
    """
    shown = name if whole is None else whole
    if name in _NO_NAMES or not all(map(_may_be_stored, name)):
        raise InputError(
            f"{shown!r} cannot be the {what} of an object: it must be relative and free of '..', backslashes and "
            "control characters",
            "rename it",
        )
    if len(name.encode()) > _LONGEST_NAME or _VERSION in name:
        raise InputError(
            f"{shown!r} cannot be the {what} of an object: longer than {_LONGEST_NAME} bytes or with '{_VERSION}'",
            "rename it",
        )
    return name


def _may_be_stored(sign: str) -> bool:
    """Return whether a character may be in a name: letters, signs and spaces of all scripts, nothing that controls."""
    return sign not in "/\\" and (sign.isprintable() or unicodedata.category(sign) == "Zs")


def _decoded(url: str, path: str) -> str:
    if not path.startswith(("/", "~", ".")):
        raise InputError(f"{url}: expected file:///folder with three slashes, or a plain path")
    if re.search("%(2f|00)", path, re.IGNORECASE):
        raise InputError(
            f"{url}: %2F and %00 stand for what no name of a file can hold", "write % itself as %25, or a plain path"
        )
    return _absolute(os.fsdecode(unquote_to_bytes(_bytes(path))))


def _absolute(path: str) -> str:
    if b"\0" in _bytes(path):
        raise InputError(f"{path!r}: holds a zero character, no file can be called so", "check the path")
    at_home = path == "~" or path.startswith("~/")
    found = str(Path(os.path.expanduser(path) if at_home else path).absolute())  # noqa: PTH111 ~x and ./~ are files
    return f"/{found.lstrip('/')}"


def _bytes(path: str) -> bytes:
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:
        raise InputError(f"{path!r}: holds half a character, no file can be called so", "check the path") from None
