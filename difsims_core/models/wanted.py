"""Which models are to map every scan of a store."""

from __future__ import annotations

from difsims_core.learn.wanted import models_to_evaluate
from difsims_core.models.registry import read_registry
from difsims_core.storage.objects import ObjectStore


def wanted_models(store: ObjectStore) -> list[str]:
    """Return the ids of the champion, and of the models whose training asked for maps, the latest of them first."""
    champion = read_registry(store).champion
    first = [] if champion is None else [champion.model]
    return list(dict.fromkeys([*first, *(bundle.id for bundle in models_to_evaluate(store))]))
