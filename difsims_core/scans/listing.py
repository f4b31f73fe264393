"""The scans of a store: objects below ``experiments/profiles/``, which of them are well named, and their URLs."""

from __future__ import annotations

from difsims_core.errors import InputError
from difsims_core.messages import printable
from difsims_core.storage import layout
from difsims_core.storage.names import as_written, check_key
from difsims_core.storage.objects import ObjectInfo, ObjectStore


def list_scans(store: ObjectStore) -> list[ObjectInfo]:
    """Return all npz files below ``experiments/profiles/``, badly named ones too; nothing else there is a scan."""
    return [info for info in store.describe(layout.PROFILES) if info.key.endswith(".npz")]


def polar_scans(store: ObjectStore) -> frozenset[str]:
    """Return the keys of the scans beside which polar patterns lie: those that were preprocessed."""
    names = (name.removesuffix(layout.EXPERIMENT_ENDING) for name in store.folders(layout.POLAR))
    return frozenset(f"{layout.PROFILES}/{name}{layout.PROFILES_ENDING}" for name in names)


def name_problem(key: str) -> str | None:
    """Return why a key cannot be that of a scan; None when it can."""
    try:
        check_key(key)
    except InputError as error:
        return str(error)
    folder, _, name = key.rpartition("/")
    if folder == layout.PROFILES and name.endswith(layout.PROFILES_ENDING) and name != layout.PROFILES_ENDING:
        return None
    return f"expected a scan at {layout.PROFILES}/<name>{layout.PROFILES_ENDING}, found {key}; rename or move it"


def scan_name(key: str) -> str:
    """Return the name of a scan of a store: that of its file without ``_radial_crop.npz``."""
    return printable(key.rpartition("/")[2]).removesuffix(".npz").removesuffix("_radial_crop")


def is_raw(key: str) -> bool:
    """Return whether a key is that of a raw scan, or of what belongs to one."""
    return key.startswith(f"{layout.RAW_SCANS}/")


def scan_url(store: ObjectStore, key: str) -> str:
    """Return where a scan lies, in the form of `expand_urls`: a local one is a path."""
    return as_written(store.url(key))


def scan_key(store: ObjectStore, url: str) -> str | None:
    """Return the key of a scan of this store by path or URL; None when it lies elsewhere."""
    try:
        key = store.key_of(url)
    except InputError:
        return None
    return key if key.startswith(f"{layout.PROFILES}/") else None
