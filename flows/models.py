"""What is known of a trained model without loading TensorFlow."""

from __future__ import annotations

from typing import Any

from difsims_core.storage import layout
from difsims_core.storage.objects import open_store


def read_model(store: str, model_id: str) -> dict[str, Any]:
    """Return the record of a model: metrics, history, versions, datasets, …."""
    return open_store(store).read_json(f"{layout.model(model_id)}/bundle.json")
