"""What the tests ask of the reader: a file's structure, its |F|² beside the oracle's, or the line that refuses it."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from orix.crystal_map import Phase

from difsims_core.crystal.phases import load_phase
from difsims_core.crystal.reflections import reflection_list
from difsims_core.errors import CrystalError
from tests.oracles.crystal_sites import Structure, axes_of, intensities_of, miller_indices
from tests.oracles.structure_factor import element_symbol

CASES = Path(__file__).parent / "cases"


def contents_of(phase: Phase) -> dict[str, int]:
    """Return the number of atoms in the cell by element."""
    return dict(Counter(element_symbol(atom.element) for atom in phase.structure))


def differences(phase: Phase, structure: Structure, q_max_per_angstrom: float, *, thermal: bool = False) -> list[str]:
    """Return in words where the reflections of a phase are not those of the structure: hkl, g, |F|² to 1e-6."""
    expected_hkl = miller_indices(structure.cell, q_max_per_angstrom)
    expected = intensities_of(structure, expected_hkl, thermal=thermal)
    found = reflection_list(phase, q_max_per_angstrom, debye_waller="from_cif" if thermal else "none")
    if set(map(tuple, found.hkl)) != set(map(tuple, expected_hkl)):
        return [f"{len(found.hkl)} reflections instead of {len(expected_hkl)}"]
    order, expected_order = np.lexsort(found.hkl.T), np.lexsort(expected_hkl.T)
    g = expected_hkl[expected_order] @ np.linalg.inv(axes_of(structure.cell)).T
    off = float(np.abs(found.g[order] - g).max())
    error = float(np.abs(found.intensity[order] - expected[expected_order]).max() / expected.max())
    wrong = [f"g is off by {off:.1e} Å⁻¹"] if off > 1e-6 else []
    return wrong + ([f"|F|² is off by {error:.1e}, {len(phase.structure)} atoms"] if error > 1e-6 else [])


def refusal_of(path: Path) -> str:
    """Return the line by which the reader refuses a file; it names the file."""
    with pytest.raises(CrystalError) as caught:
        load_phase(path)
    line = str(caught.value)
    assert "\n" not in line
    assert path.name in line
    return line


def squeezed(text: str) -> str:
    """Return a text without white space: ``F m -3 m`` and ``Fm-3m`` are one name."""
    return "".join(text.split())
