"""What a stored record may make anybody read: its own store, and the places that the user has named.

Whoever may write to a store may write any path into its records. So a path of a record is followed only into the store
that holds the record, or into places that the caller names: those of the arguments and documents of a run, and those
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


def may_be_read(url: str | Path, places: Iterable[str | Path]) -> bool:
    """Return whether a path or URL of a record lies in one of these places, or in one of ``DIFSIMS_ALSO_READ``."""
    named = (place.strip() for place in os.environ.get(ALSO_READ, "").split(","))
    return any(_lies_in(url, place) for place in (*places, *filter(None, named)))


def _lies_in(url: str | Path, place: str | Path) -> bool:
    try:
        (scheme, path), (home, root) = split_url(url), split_url(place)
    except InputError:
        return False
    path, root = path.rstrip("/"), root.rstrip("/")
    inside = scheme == home and f"{path}/".startswith(f"{root}/")
    return inside and (path == root or _LEADING_ELSEWHERE.isdisjoint(path.removeprefix(f"{root}/").split("/")))
