"""The scans of a store: objects below ``experiments/profiles/``, which of them are well named, and their URLs."""

from __future__ import annotations

from difsims_core.errors import InputError
from difsims_core.storage import layout
from difsims_core.storage.names import split_url
from difsims_core.storage.npz import experiment_name
from difsims_core.storage.objects import ObjectInfo, ObjectStore

_PATTERNS = "*?[%"  # a URL with one of these stands for other names than its own


def list_scans(store: ObjectStore) -> list[ObjectInfo]:
    """Return all npz files below ``experiments/profiles/``, badly named ones too; nothing else there is a scan."""
    return [info for info in store.describe(layout.PROFILES) if info.key.endswith(".npz")]


def name_problem(key: str) -> str | None:
    """Return why a key cannot be that of a scan; None when it can."""
    try:
        expected = layout.experiment_profiles(experiment_name(key))
    except InputError as error:
        return printable(str(error))
    if expected != key:
        return f"expected a scan at {expected}, found {printable(key)}; rename or move it"
    if found := [sign for sign in _PATTERNS if sign in key]:
        return f"{key} holds {' '.join(found)}, which stand for other characters in a URL; rename it"
    return None


def scan_url(store: ObjectStore, key: str) -> str:
    """Return where a scan lies, in the form of `expand_urls`: a local one is a path."""
    scheme, path = split_url(store.url(key))
    return path if scheme == "file" else store.url(key)


def scan_key(store: ObjectStore, url: str) -> str | None:
    """Return the key of a scan of this store by path or URL; None when it lies elsewhere."""
    scheme, path = split_url(url)
    home_scheme, home = split_url(store.root)
    key = path.removeprefix(f"{home.rstrip('/')}/")
    inside = scheme == home_scheme and key != path and key.startswith(f"{layout.PROFILES}/")
    return key if inside else None


def printable(text: str) -> str:
    """Return a text with what no JSON document can hold, such as half a character of a file name, spelt out."""
    return text.encode(errors="backslashreplace").decode()
