"""URLs, keys and names that come from outside, checked before any of them becomes a path."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from difsims_core.errors import InputError

_URL = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+)://(.*)$", re.DOTALL)
_SLIP = re.compile(r"^(s3|file):/(?!/)", re.IGNORECASE)
_LONGEST_NAME = 200


def split_url(url: str | Path) -> tuple[str, str]:
    """Return (scheme, path) of a URL; a bare path is a file.

    Raises
    ------
    InputError
        If there is nothing to split, or the URL carries credentials.
    """
    text = str(url)
    if not text.strip() or "\0" in text:
        raise InputError(f"expected a path or a URL such as s3://bucket/prefix, found {text!r}")
    found = _URL.match(text)
    if found is None:
        if _SLIP.match(text):
            raise InputError(
                f"{text}: a URL has two slashes after the colon, as in s3://bucket/prefix or file:///folder"
            )
        return "file", str(Path(text).expanduser().absolute())
    scheme, path = found.group(1).lower(), found.group(2)
    if "@" in path.split("/", 1)[0]:
        raise InputError(
            f"a {scheme}:// URL must not carry credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead"
        )
    if scheme == "file":
        if not path.startswith(("/", "~", ".")):
            raise InputError(f"{text}: expected file:///folder with three slashes, or a plain path")
        return "file", str(Path(unquote(path)).expanduser().absolute())
    return scheme, path


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
    if name in {"", ".", ".."} or any(c in "/\\" or not c.isprintable() for c in name):
        raise InputError(
            f"{shown!r} cannot be the {what} of an object: it must be relative and free of '..', backslashes and "
            "control characters; rename it"
        )
    if len(name.encode()) > _LONGEST_NAME or "?versionId=" in name:
        raise InputError(
            f"{shown!r} cannot be the {what} of an object: longer than {_LONGEST_NAME} bytes or with '?versionId='"
        )
    return name


def url_name(url: str | Path) -> str:
    """Return the last part of a path or URL: ``s3://bucket/a/b.npz`` → ``b.npz``.

    Raises
    ------
    InputError
        If that part cannot be a name.
    """
    return check_name(str(url).rstrip("/").rsplit("/", 1)[-1])
