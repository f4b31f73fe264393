"""The document beside a raw scan of a store; whoever uploads scans may write it, so it names files beside it alone."""

from __future__ import annotations

from typing import Any

from difsims_core.config.documents import make_spec, parse_document
from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.crystal.catalogue import is_place
from difsims_core.errors import SpecError
from difsims_core.messages import printable
from difsims_core.storage.names import as_written
from difsims_core.storage.objects import ObjectStore

_FILES = ("mask", "dark", "gain")


def read_raw_document(store: ObjectStore, key: str | None) -> PreprocessingSpec:
    """Return how a raw scan of a store is preprocessed; ``key`` is that of its document, None: by the defaults.

    Raises
    ------
    SpecError
        If the document is malformed, or names a file that does not lie beside it.
    StoreError
        If it cannot be read.
    """
    if key is None:
        return PreprocessingSpec()
    source = as_written(store.url(key))
    document = parse_document(store.read_small(key), source)
    pixels, phases = document.get("pixels"), document.get("phases")
    if isinstance(pixels, dict):
        found = {name: _beside(store, key, value) for name, value in pixels.items() if name in _FILES}
        document["pixels"] = pixels | found
    if isinstance(phases, list | tuple):
        document["phases"] = [_phase(store, key, phase) for phase in phases]
    return make_spec(document, PreprocessingSpec, source=source)


def _phase(store: ObjectStore, key: str, phase: Any) -> Any:
    """Return a phase: a name of the catalogue as it is, a crystal file beside the document as its place."""
    return _beside(store, key, phase) if isinstance(phase, str) and is_place(phase) else phase


def _beside(store: ObjectStore, key: str, value: Any) -> Any:
    """Return the place of a file beside a document; what is no text is left to the spec to refuse."""
    if not isinstance(value, str):
        return value
    folder = key.rpartition("/")[0]
    if "/" in value or "\\" in value or value in ("", ".", "..") or not value.isprintable():
        raise SpecError(
            f"{as_written(store.url(key))}: names the file {printable(value)!r}, expected one that lies beside it",
            "put the file into the folder of the document, and give its name alone",
        )
    return as_written(store.url(f"{folder}/{value}"))
