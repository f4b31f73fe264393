"""Where the crystals of a dataset lie now, and whether they are still the ones it was simulated from."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from difsims_core.crystal.catalogue import find_crystal
from difsims_core.errors import CrystalError, StoreError
from difsims_core.storage.objects import read_url

if TYPE_CHECKING:
    from difsims_core.dataset.open import Simulation

_log = logging.getLogger(__name__)


def crystal_files(simulation: Simulation) -> dict[str, str]:
    """Return the path or URL of the CIF file of each phase, where it can still be found; changed files are logged."""
    spec, found = simulation.spec, {}
    checksums = {item["name"]: item["sha256"] for item in simulation.attrs["crystals"]}
    for phase in spec.phases:
        try:
            url = find_crystal(phase.name, phase.cif, spec.crystal_folder)
            data = read_url(url)
        except (CrystalError, StoreError) as error:
            _log.warning("the crystal file of %s is not where it was: %s", phase.name, error)
            continue
        if hashlib.sha256(data).hexdigest() != checksums.get(phase.name):
            _log.warning("%s has changed since %s was simulated; scores use it as it is now", url, simulation.id)
        found[phase.name] = url
    return found
