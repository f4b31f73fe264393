"""The document beside a raw scan of a store; whoever uploads scans may write it, so it names files beside it alone."""

from __future__ import annotations

from difsims_core.config.documents import make_spec, parse_document
from difsims_core.config.raw_scans.named_files import Names, with_files
from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.crystal.catalogue import is_place
from difsims_core.errors import SpecError
from difsims_core.messages import printable
from difsims_core.storage.names import as_written
from difsims_core.storage.objects import ObjectStore


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
    spec = make_spec(parse_document(store.read_small(key), source), PreprocessingSpec, source=source)

    def found(text: str, names: Names) -> str:
        if names is Names.NO_FILE or (names is Names.PHASE and not is_place(text)):
            return text
        return _beside(store, key, text)

    return with_files(spec, found)


def _beside(store: ObjectStore, key: str, name: str) -> str:
    """Return the place of a file beside a document."""
    folder = key.rpartition("/")[0]
    if "/" in name or "\\" in name or name in ("", ".", "..") or not name.isprintable():
        raise SpecError(
            f"{as_written(store.url(key))}: names the file {printable(name)!r}, expected one that lies beside it",
            "put the file into the folder of the document, and give its name alone",
        )
    return as_written(store.url(f"{folder}/{name}"))
