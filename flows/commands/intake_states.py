"""How far each scan of a store is, raw ones and profiles, under the settings of the environment."""

from __future__ import annotations

from datetime import UTC, datetime

from difsims_core.scans.attempts import read_attempts
from difsims_core.scans.intake import ScanState, scan_states
from difsims_core.scans.missing_maps import Inventory
from difsims_core.scans.raw_intake import raw_states
from difsims_core.scans.raw_listing import RawListing, list_raw_scans
from difsims_core.scans.reconcile import RetryRules
from difsims_core.storage.objects import ObjectStore
from flows.settings import load_settings


def intake_states(store: ObjectStore, inventory: Inventory, raw: RawListing | None = None) -> list[ScanState]:
    """Return the states of raw scans that are not preprocessed, then those of profiles; ``raw`` was listed before."""
    settings, attempts = load_settings(), read_attempts(store)
    rules = RetryRules(datetime.now(UTC), settings.intake_tries)
    listing = list_raw_scans(store) if raw is None else raw
    quiet = settings.intake_quiet_seconds
    return [
        *raw_states(listing, attempts, inventory.scans, rules, quiet_seconds=quiet),
        *scan_states(inventory, attempts, tries=settings.intake_tries),
    ]
