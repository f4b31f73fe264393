"""From a CIF file to an orix phase whose atoms are ready for structure factors (PHYSICS §3)."""

from __future__ import annotations

import hashlib
import re
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from diffsims.utils.sim_utils import get_scattering_params_dict
from orix.crystal_map import Phase

from difsims_core.crystal.catalogue import find_crystal
from difsims_core.errors import CrystalError
from difsims_core.storage.objects import read_url, url_name


@dataclass(frozen=True, slots=True)
class Crystal:
    """One phase as it was read; equal files make equal crystals.

    Attributes
    ----------
    name
        Class name.
    file
        Name of the CIF file, without its folder.
    sha256
        Of the bytes of the file.
    phase
        orix phase; its diffpy structure holds every atom of the cell.
    """

    name: str
    file: str
    sha256: str
    phase: Phase = field(compare=False)


def load_crystal(name: str, cif: str | None = None, folder: str | Path | None = None) -> Crystal:
    """Read the crystal of a phase.

    Raises
    ------
    CrystalError
        If the file is missing or malformed, or holds an element without a scattering factor.
    """
    source = find_crystal(name, cif, folder)
    data = read_url(source)
    return Crystal(name, url_name(source), hashlib.sha256(data).hexdigest(), read_cif(data, source, name))


def load_phase(source: str | Path | Phase, folder: str | Path | None = None) -> Phase:
    """Return the orix phase of a catalogue name or CIF path; a phase is checked and handed back as a copy."""
    if isinstance(source, Phase):
        return _checked(source.deepcopy(), source.name or "the phase")
    return load_crystal(str(source), folder=folder).phase


def read_cif(data: bytes, source: str, name: str) -> Phase:
    """Parse the bytes of a CIF file; ``source`` is what errors call it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "structure.cif"
        path.write_bytes(data)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                phase = Phase.from_cif(path)
        except Exception as error:  # noqa: BLE001 - PyCifRW and diffpy raise many kinds
            reason = (str(error).splitlines() or [type(error).__name__])[0].replace(str(path), source)
            raise CrystalError(
                f"{source}: not a readable CIF file ({reason}); check it with a structure viewer"
            ) from None
    phase.name = name
    return _checked(phase, source)


def _checked(phase: Phase, source: str) -> Phase:
    """Strip oxidation states from the atoms' elements and refuse what cannot scatter."""
    if phase.structure is None or len(phase.structure) == 0:
        raise CrystalError(f"{source}: holds no atoms; a phase needs its atom sites, not the cell alone")
    if not phase.structure.lattice.volume > 0:
        raise CrystalError(f"{source}: the cell has no volume; check its lengths (Å) and angles (degrees)")
    known = get_scattering_params_dict("lobato")
    for atom in phase.structure:
        element = re.sub(r"[^A-Za-z].*$", "", atom.element).capitalize()
        if element == "D":
            element = "H"
        if element not in known:
            raise CrystalError(
                f"{source}: the element {atom.element!r} of site {atom.label or '?'} has no electron scattering "
                "factor; write a chemical element in _atom_site_type_symbol"
            )
        if not 0 <= atom.occupancy <= 1:
            raise CrystalError(
                f"{source}: site {atom.label} has occupancy {atom.occupancy:g}, expected 0 … 1; correct the file"
            )
        atom.element = element
    return phase
