"""What the whole of the product says of one object of a store: the one place that knows which function checks what."""

from __future__ import annotations

from difsims_core.housekeeping.verify_store import verify_item, verify_store
from difsims_core.storage import layout
from tests.attacks.whole_store import WholeStore

_RECORDS = {
    layout.model_registry(): "registry",
    layout.INTAKE: "intake",
    layout.EVALUATIONS: "evaluation",
    layout.SIMULATION_INDEX: "index",
    layout.MODEL_INDEX: "index",
}  # kind of what is checked, by the beginning of its key


def findings(whole: WholeStore, key: str) -> list[str]:
    """Return what a complete check finds wrong with the item that an object belongs to; empty: all is well."""
    kind = next((kind for beginning, kind in _RECORDS.items() if key.startswith(beginning)), None)
    if kind is not None:
        return [failure for found in verify_store(whole.store, [kind]) if found.id == key for failure in found.failures]
    folder, name = key.split("/")[:2]
    text = whole.store.url(key) if folder == layout.PREDICTIONS else name.removesuffix(".zarr")
    return list(verify_item(whole.store, text).failures)
