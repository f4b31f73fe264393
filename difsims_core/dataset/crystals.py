"""Where the crystals of a dataset lie now, and whether they are still read as when it was simulated.

A dataset says where its crystal files lay. They are opened there only when that is in its own store, or one of the
also_read that the user has named (`storage.trusted_locations`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from difsims_core.crystal.catalogue import find_crystal, is_shipped
from difsims_core.crystal.phases import Crystal, read_crystal
from difsims_core.errors import CrystalError, StoreError
from difsims_core.resources import crystal_folder as shipped_folder
from difsims_core.storage.trusted_locations import ALSO_READ, may_be_read

if TYPE_CHECKING:
    from difsims_core.config.simulation import PhaseSpec, SimulationSpec
    from difsims_core.dataset.open import Simulation
    from difsims_core.storage.objects import ObjectStore

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CrystalToday:
    """The crystal file of one phase of a dataset, as it is now.

    Attributes
    ----------
    name : str
        Class name.
    url : str or None
        Where the file lies; None when it is gone.
    misread : bool
        Whether the same file is read otherwise than when the dataset was simulated, so that the dataset is wrong.
    finding : str
        What a user should know; empty when all is as it was.
    """

    name: str
    url: str | None
    misread: bool = False
    finding: str = ""


class Simulated(Protocol):
    """What was simulated of a document: a dataset, or the patterns that a model was trained on."""

    @property
    def id(self) -> str:
        """Of the dataset or the model."""
        ...

    @property
    def spec(self) -> SimulationSpec:
        """The document."""
        ...

    @property
    def store(self) -> ObjectStore:
        """Where it lies."""
        ...

    @property
    def attrs(self) -> Mapping[str, Any]:
        """``crystals``: of each phase ``name``, ``sha256`` and ``structure_sha256``."""
        ...


def crystals_today(simulation: Simulated, also_read: Iterable[str] = ()) -> tuple[CrystalToday, ...]:
    """Return the crystal file of each phase of a dataset and what has become of it.

    Parameters
    ----------
    simulation
        The dataset.
    also_read
        Folders and files, besides its store, that may be opened on its word.
    """
    spec = simulation.spec
    allowed = (simulation.store.root, str(shipped_folder()), *also_read)
    records = {str(item.get("name")): item for item in simulation.attrs["crystals"]}
    found = []
    for phase in spec.phases:
        try:
            url = _find(phase, spec.crystal_folder, allowed)
            crystal = read_crystal(phase.name, url)
        except (CrystalError, StoreError) as error:
            found.append(CrystalToday(phase.name, None, finding=f"the crystal file of {phase.name}: {error}"))
            continue
        unopened = _outside(spec.crystal_folder, allowed)
        found.append(_compared(crystal, url, records.get(phase.name, {}), simulation.id, unopened))
    return tuple(found)


def crystal_files(simulation: Simulated, also_read: Iterable[str] = ()) -> dict[str, str | None]:
    """Return the path or URL of the crystal file of each phase, None where there is none; what changed is logged."""
    today = crystals_today(simulation, also_read)
    for crystal in today:
        if crystal.finding:
            _log.warning("%s%s", crystal.finding, "; scores use it as it is now" if crystal.url else "")
    return {crystal.name: crystal.url for crystal in today}


def document_today(simulation: Simulation, crystals: Iterable[CrystalToday]) -> SimulationSpec:
    """Return the document of a dataset as it can be simulated again: with the crystal files as they were found.

    Raises
    ------
    CrystalError
        If one was not found, or the dataset names a list of orientations where nothing is opened on its word.
    """
    spec, found = simulation.spec, {crystal.name: crystal for crystal in crystals}
    if lost := [crystal.finding for crystal in found.values() if crystal.url is None]:
        raise CrystalError(lost[0])
    if (lists := spec.orientations.file) is not None:
        for name in found:
            if unopened := _outside(lists.replace("{phase}", name), (simulation.store.root,)):
                raise CrystalError(f"the list of orientations of {name}: {unopened}")
    phases = tuple(phase.model_copy(update={"cif": found[phase.name].url}) for phase in spec.phases)
    return spec.model_copy(update={"phases": phases, "crystal_folder": None})


def _find(phase: PhaseSpec, folder: str | None, allowed: tuple[str, ...]) -> str:
    """Return the crystal file of a phase where it may be opened; else the one of its name that comes along, if any."""
    unopened = _outside(folder, allowed)
    own = None if unopened else folder
    if phase.cif is None:
        try:
            return find_crystal(phase.name, None, own)
        except CrystalError:
            if unopened:
                raise CrystalError(unopened) from None
            raise
    beside = [] if own is None or _is_absolute(phase.cif) else [f"{own.rstrip('/')}/{phase.cif}"]
    sources = [source for source in (*beside, phase.cif) if may_be_read(source, allowed)]
    if not sources:
        raise CrystalError(_outside(phase.cif, allowed))
    for source in sources[:-1]:
        with suppress(CrystalError):
            return find_crystal(phase.name, source)
    return find_crystal(phase.name, sources[-1])


def _outside(place: str | None, allowed: tuple[str, ...]) -> str:
    """Return why nothing is opened in the place that a dataset names; empty when it may be."""
    if place is None or may_be_read(place, allowed):
        return ""
    return (
        f"the dataset says that it lies at {place!r}, which lies outside the store and is not opened; if that is "
        f"yours, allow it with {ALSO_READ}={place}"
    )


def _is_absolute(source: str) -> bool:
    return "://" in source or source.startswith(("/", "~/"))


def _compared(crystal: Crystal, url: str, record: Mapping[str, Any], simulation_id: str, unopened: str) -> CrystalToday:
    known = record.get("structure_sha256")
    if crystal.structure_sha256 == known:
        return CrystalToday(crystal.name, url)
    if crystal.sha256 != record.get("sha256") and is_shipped(url):  # a file that is found by its name only
        gone = f"the crystal file that {crystal.name} of {simulation_id} was read from is gone"
        finding = f"the crystal file of {crystal.name}: {unopened}" if unopened else gone
        return CrystalToday(crystal.name, None, finding=finding)
    if known is None and crystal.sha256 == record.get("sha256"):
        finding = f"{simulation_id} does not say how {url} was read; it was simulated by an earlier version"
        return CrystalToday(crystal.name, url, finding=finding)
    if crystal.sha256 != record.get("sha256"):
        return CrystalToday(crystal.name, url, finding=f"{url} has changed since {simulation_id} was simulated")
    finding = (
        f"{url} is read otherwise than when {simulation_id} was simulated ({len(crystal.structure.atoms)} atoms in "
        f"{crystal.structure.setting.symbol} now); simulate it again"
    )
    return CrystalToday(crystal.name, url, misread=True, finding=finding)
