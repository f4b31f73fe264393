"""What ``difsims predict`` and ``difsims evaluate`` say of their maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difsims_core.errors import InputError
from difsims_core.storage import layout

if TYPE_CHECKING:
    from difsims_core.storage.objects import ObjectStore


def require_scans(store: ObjectStore) -> None:
    """Refuse to predict the scans of a store that has none."""
    from difsims_core.scans.listing import list_scans

    if not list_scans(store):
        raise InputError(
            f"{store.url(layout.PROFILES)}: there are no scans to predict",
            "name them, as in: difsims predict CNN scans/*_radial_crop.npz",
        )
