"""Phases of orix that are handed in: expanded where they are not, and left alone where they are."""

import numpy as np
import pytest
from diffpy.structure import Atom, Lattice, Structure
from orix.crystal_map import Phase

from difsims_core import load_phase, radial_profiles, reflection_list
from difsims_core.crystal.phases import as_crystal, load_crystal
from difsims_core.errors import CrystalError
from tests.oracles.orientations import uniform_orientations

HEXAGONAL = Lattice(4.555, 4.555, 6.977, 90, 90, 120)


def lead_iodide(*, expanded: bool, space_group: int | None = 164, element: str = "I") -> Phase:
    atoms = [Atom("Pb", (0, 0, 0)), Atom(element, (1 / 3, 2 / 3, 0.265))]
    atoms += [Atom(element, (2 / 3, 1 / 3, 0.735))] if expanded else []
    return Phase("lead iodide", space_group=space_group, structure=Structure(atoms, HEXAGONAL))


def test_a_phase_of_an_asymmetric_unit_is_expanded_and_says_so(caplog):
    phase = lead_iodide(expanded=False)
    assert len(load_phase(phase).structure) == 3
    assert "its 2 atoms were expanded to 3 by the operations of P-3m1" in caplog.text
    rotations = uniform_orientations(2, seed=5)
    np.testing.assert_array_equal(
        radial_profiles(phase, rotations), radial_profiles(lead_iodide(expanded=True), rotations)
    )


@pytest.mark.parametrize("space_group", [164, None, 1])
def test_a_whole_phase_is_left_alone(space_group, caplog):
    crystal = as_crystal(lead_iodide(expanded=True, space_group=space_group))
    assert crystal.structure.warnings == ()
    assert crystal.structure.sha256 == as_crystal(lead_iodide(expanded=True)).structure.sha256
    assert caplog.text == ""


def test_the_phase_of_a_file_reads_the_same_when_it_is_handed_in():
    for name in ("pbi2_2h", "gratia_6h", "pbbr2", "pbi2_6h"):
        crystal = load_crystal(name)
        again = as_crystal(crystal.phase).structure
        np.testing.assert_allclose(again.atoms.positions, crystal.structure.atoms.positions, atol=1e-12)
        assert again.atoms.elements == crystal.structure.atoms.elements
        np.testing.assert_array_equal(again.atoms.occupancies, crystal.structure.atoms.occupancies)


def test_reflections_of_a_phase_are_those_of_its_file():
    ours, theirs = reflection_list(load_phase("gratia_2h"), 0.8), reflection_list(lead_iodide(expanded=True), 0.5)
    assert len(ours.hkl) > 0
    strongest = theirs.hkl[np.argmax(theirs.intensity)]
    assert sorted(np.abs(strongest).tolist()) == [0, 1, 1]  # the (1 0 1) line of lead iodide


def test_what_cannot_scatter_is_refused_by_name():
    with pytest.raises(CrystalError, match=r"the element 'Q' of site .* is no chemical element"):
        load_phase(lead_iodide(expanded=True, element="Q"))
    with pytest.raises(CrystalError, match="holds no atoms"):
        load_phase(Phase("empty", space_group=225))
