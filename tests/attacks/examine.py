"""What the whole of the product says of one object of a store: the one place that knows which function checks what."""

from __future__ import annotations

import hashlib

from difsims_core.dataset.verify import verify
from difsims_core.errors import DifsimsError
from difsims_core.learn.bundle import load_bundle
from difsims_core.ledger.intake import read_entries
from difsims_core.ledger.registry import read_registry
from difsims_core.storage import layout
from difsims_core.storage.npz import read_prediction
from tests.attacks.whole_store import WholeStore


def findings(whole: WholeStore, key: str) -> list[str]:
    """Return what a complete check finds wrong with the item that an object belongs to; empty: all is well."""
    try:
        return list(_findings(whole, key))
    except DifsimsError as error:
        return [str(error)]


def _findings(whole: WholeStore, key: str) -> tuple[str, ...]:
    store, folder = whole.store, key.split("/", maxsplit=1)[0]
    if key == layout.model_registry():
        read_registry(store)
    elif key == layout.INTAKE:
        read_entries(store)
    elif folder == layout.PREDICTIONS:
        read_prediction(store.url(key))
    elif folder == layout.SIMULATIONS and not key.startswith(layout.SIMULATION_INDEX):
        return verify(store, key.split("/")[1].removesuffix(".zarr")).failures
    elif folder == layout.MODELS and not key.startswith(layout.MODEL_INDEX):
        bundle = load_bundle(key.split("/")[1], store)
        weights = store.read(f"{layout.model(bundle.id)}/model.keras")
        if hashlib.sha256(weights).hexdigest() != bundle.model_sha256:
            return ("the weights differ from their checksum",)
    else:
        store.read_json(key)
    return ()
