"""What a stored record may make anybody read: its own store, and the locations that the user has named.

Whoever may write to a store may write any path into its records. So a path of a record is followed only into the store
that holds the record, or into locations that the caller names: those of the arguments and documents of a run, and those
of ``DIFSIMS_ALSO_READ``, folders and prefixes with commas between them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from difsims_core.errors import InputError
from difsims_core.storage.names import split_url

ALSO_READ = "DIFSIMS_ALSO_READ"
_LEADING_ELSEWHERE = {"", ".", ".."}


def may_be_read(url: str | Path, locations: Iterable[str | Path]) -> bool:
    """Return whether a path or URL of a record lies in one of these locations, or in one of ``DIFSIMS_ALSO_READ``."""
    named = (location.strip() for location in os.environ.get(ALSO_READ, "").split(","))
    return any(_is_below(url, location) for location in (*locations, *filter(None, named)))


def _is_below(url: str | Path, location: str | Path) -> bool:
    try:
        (scheme, path), (home, root) = split_url(url), split_url(location)
    except InputError:
        return False
    path, root = path.rstrip("/"), root.rstrip("/")
    inside = scheme == home and f"{path}/".startswith(f"{root}/")
    return inside and (path == root or _LEADING_ELSEWHERE.isdisjoint(path.removeprefix(f"{root}/").split("/")))
