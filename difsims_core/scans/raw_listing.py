"""The raw scans of a store: what lies below ``experiments/raw/``, and which experiment each becomes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from difsims_core.errors import InputError
from difsims_core.scans.listing import is_raw
from difsims_core.storage import layout
from difsims_core.storage.names import check_key, object_name
from difsims_core.storage.objects import ObjectInfo, ObjectStore

FOLDER_DOCUMENT = "preprocess.yaml"
_DOCUMENT_ENDING = ".yaml"
_GROUPS = (".zspy", ".zarr")


@dataclass(frozen=True, slots=True)
class RawFiles:
    """A raw scan as it lies in a store.

    Attributes
    ----------
    info : ObjectInfo
        Its key (that of its file, or the folder of its Zarr group); size, ETag and time of all that belongs to it: the
        files beside it and its document, too.
    name : str
        Of the experiment that it becomes.
    document : str or None
        Key of the document that says how; None: by the defaults.
    """

    info: ObjectInfo
    name: str
    document: str | None


@dataclass(frozen=True, slots=True)
class RawListing:
    """The raw scans of a store.

    Attributes
    ----------
    scans : mapping of str to RawFiles
        By key.
    problems : mapping of str to str
        Why other objects cannot be taken, by key.
    """

    scans: dict[str, RawFiles]
    problems: dict[str, str]

    def unchanged(self, before: RawFiles) -> bool:
        """Return whether a scan that was listed before has the same content now."""
        now = self.scans.get(before.info.key)
        return now is not None and now.info.has_content(before.info.size, before.info.etag)


def list_raw_scans(store: ObjectStore) -> RawListing:
    """List what lies below ``experiments/raw/``; no object is read.

    Two scans that would become the same experiment are both a problem: neither may replace the other.
    """
    objects, problems = list[ObjectInfo](), dict[str, str]()
    for info in store.describe(layout.RAW_SCANS):
        try:
            check_key(info.key)
        except InputError as error:
            problems[info.key] = str(error)
        else:
            objects.append(info)
    found = list(_scans(objects))
    named: dict[str, list[str]] = {}
    for scan in found:
        named.setdefault(scan.name, []).append(scan.info.key)
    for name, keys in named.items():
        if len(keys) > 1:
            problems |= dict.fromkeys(keys, f"{' and '.join(keys)} would both be the experiment {name}; rename one")
    return RawListing({scan.info.key: scan for scan in found if scan.info.key not in problems}, problems)


def raw_name(key: str) -> str:
    """Return the name of the experiment that a raw scan of a store becomes: its folders and its file, with ``_``.

    >>> raw_name("experiments/raw/2026-11-03/roi_7.mib")
    '2026-11-03_roi_7'
    """
    from difsims_core.experiment.open_scan import raw_scan_name

    *folders, name = key.removeprefix(f"{layout.RAW_SCANS}/").split("/")
    return object_name("_".join([*folders, raw_scan_name(f"/{name}")]))


def raw_key(store: ObjectStore, url: str) -> str | None:
    """Return the key of a raw scan of this store by path or URL; None when it lies elsewhere."""
    try:
        key = store.key_of(url)
    except InputError:
        return None
    return key if is_raw(key) else None


def _scans(objects: Sequence[ObjectInfo]) -> Iterator[RawFiles]:
    """Yield the scans among objects, in the order of their folders."""
    if not objects:
        return
    from difsims_core.experiment.scan_files import scans_among

    there = {info.key: info for info in objects}
    groups = sorted((info for info in objects if _group_of(info.key)), key=lambda info: _group_of(info.key))
    for key, members in groupby(groups, key=lambda info: _group_of(info.key)):
        yield _raw_files(key, members, there)
    files = sorted((info for info in objects if not _group_of(info.key)), key=lambda info: _split(info.key))
    for folder, members in groupby(files, key=lambda info: _split(info.key)[0]):
        for name, own in scans_among([_split(info.key)[1] for info in members]).items():
            yield _raw_files(f"{folder}/{name}", (there[f"{folder}/{other}"] for other in own), there)


def _group_of(key: str) -> str:
    """Return the key of the Zarr group that an object lies in; empty: it lies in none."""
    parts = key.split("/")
    inside = (i for i, part in enumerate(parts[:-1]) if part.lower().endswith(_GROUPS))
    return "/".join(parts[: next(inside, -1) + 1])


def _raw_files(key: str, members: Iterable[ObjectInfo], there: dict[str, ObjectInfo]) -> RawFiles:
    own = list(members)
    document = _document_of(key, there)
    if document is not None:
        own.append(there[document])
    content = "\n".join(f"{info.key}\t{info.size}\t{info.etag}" for info in sorted(own, key=lambda info: info.key))
    whole = ObjectInfo(
        key=key,
        size=sum(info.size for info in own),
        etag=hashlib.sha256(content.encode()).hexdigest(),
        modified=max(info.modified for info in own),
        changed=max(info.changed for info in own),
    )
    return RawFiles(whole, raw_name(key), document)


def _document_of(key: str, there: dict[str, ObjectInfo]) -> str | None:
    """Return the document of a scan: the one of its own name, or that of its folder, or of one above it."""
    from difsims_core.experiment.open_scan import raw_scan_name

    folder, name = _split(key)
    stems = (raw_scan_name(f"/{name}"), name.rpartition(".")[0])
    candidates = [f"{folder}/{stem}{_DOCUMENT_ENDING}" for stem in stems]
    while is_raw(f"{folder}/"):
        candidates.append(f"{folder}/{FOLDER_DOCUMENT}")
        folder = _split(folder)[0]
    return next((candidate for candidate in candidates if candidate in there), None)


def _split(key: str) -> tuple[str, str]:
    folder, _, name = key.rpartition("/")
    return folder, name
