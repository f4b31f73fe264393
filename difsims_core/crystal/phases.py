"""From a CIF file to an orix phase whose atoms are ready for structure factors (PHYSICS §3)."""

from __future__ import annotations

import hashlib
import math
import re
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import gemmi

from difsims_core.crystal.catalogue import find_crystal
from difsims_core.crystal.libraries import Phase, get_scattering_params_dict
from difsims_core.errors import CrystalError
from difsims_core.messages import first_line
from difsims_core.storage.objects import read_url, url_name

SMALLEST_CELL = 5.0  # Å³, less than any element has


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
    """Parse the bytes of a CIF file; ``source`` is what errors call it.

    gemmi reads it first: it says what is wrong and where, and it knows an undefined value from a zero.
    """
    try:
        blocks = list(gemmi.cif.read_string(data.decode("utf-8", errors="replace")))
    except (ValueError, RuntimeError) as error:
        reason = first_line(error)
        raise CrystalError(f"{source}: not a readable CIF file ({reason}); check it with a structure viewer") from None
    _check_numbers(next((block for block in blocks if block.find_loop("_atom_site_fract_x")), None), source)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "structure.cif"
        path.write_bytes(data)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                phase = Phase.from_cif(path)
        except Exception as error:  # noqa: BLE001 - PyCifRW and diffpy raise many kinds
            reason = first_line(error).replace(str(path), source)
            raise CrystalError(
                f"{source}: not a readable CIF file ({reason}); check it with a structure viewer"
            ) from None
    phase.name = name
    return _checked(phase, source)


def _check_numbers(block: gemmi.cif.Block | None, source: str) -> None:
    """Refuse cells and positions that are not given; diffpy would read them as zero."""
    if block is None:
        raise CrystalError(
            f"{source}: holds no atom sites (_atom_site_fract_x, …); a phase needs them, not the cell alone"
        )
    for item in ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma"):
        value = block.find_value(f"_cell_{item}")
        if value is None or not gemmi.cif.as_number(value) > 0:
            raise CrystalError(f"{source}: _cell_{item} is {value or 'missing'}; expected a positive number")
    for number, site in enumerate(block.find("_atom_site_", ["fract_x", "fract_y", "fract_z"]), start=1):
        if not all(math.isfinite(gemmi.cif.as_number(value)) for value in site):
            raise CrystalError(f"{source}: atom site {number} has no position ({' '.join(site)}); give numbers")


def _checked(phase: Phase, source: str) -> Phase:
    """Strip oxidation states from the atoms' elements and refuse what cannot scatter."""
    if phase.structure is None or len(phase.structure) == 0:
        raise CrystalError(f"{source}: holds no atoms; a phase needs its atom sites, not the cell alone")
    if not phase.structure.lattice.volume > SMALLEST_CELL:
        raise CrystalError(
            f"{source}: the cell has a volume of {phase.structure.lattice.volume:g} Å³; check its lengths (Å) and "
            "angles (degrees)"
        )
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
