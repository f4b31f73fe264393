"""Which models are to map every scan of a store."""

from __future__ import annotations

import logging

from difsims_core.errors import DifsimsError
from difsims_core.learn.bundle import ModelBundle, list_models, load_bundle
from difsims_core.models.registry import read_registry
from difsims_core.storage.objects import ObjectStore

_log = logging.getLogger(__name__)


def wanted_models(store: ObjectStore) -> list[str]:
    """Return the ids of the champion, and of the models whose training asked for maps, the newest of them first."""
    champion = read_registry(store).champion
    first = [] if champion is None else [champion.model]
    bundles = [bundle for name in list_models(store) if name not in first and (bundle := _loaded(store, name))]
    asked = [bundle for bundle in bundles if getattr(bundle.training, "evaluate", True)]
    return first + [bundle.id for bundle in sorted(asked, key=lambda bundle: bundle.created, reverse=True)]


def _loaded(store: ObjectStore, name: str) -> ModelBundle | None:
    try:
        return load_bundle(name, store)
    except DifsimsError as error:  # still being written, or damaged
        _log.info("%s maps no scans: %s", name, error)
        return None
