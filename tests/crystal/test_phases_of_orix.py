"""Phases of orix that are handed in: expanded where they are not, and left alone where they are."""

import re

import numpy as np
import pytest
from diffpy.structure import Atom, Lattice, Structure
from orix.crystal_map import Phase

from difsims_core import describe_crystal, load_phase, radial_profiles, reflection_list
from difsims_core.crystal.phases import as_crystal, load_crystal
from difsims_core.errors import CrystalError, InputError
from tests.oracles.orientations import uniform_orientations

HEXAGONAL = Lattice(4.555, 4.555, 6.977, 90, 90, 120)


def lead_iodide(*, expanded: bool, space_group: int | None = 164, element: str = "I") -> Phase:
    atoms = [Atom("Pb", (0, 0, 0)), Atom(element, (1 / 3, 2 / 3, 0.265))]
    atoms += [Atom(element, (2 / 3, 1 / 3, 0.735))] if expanded else []
    return Phase("lead iodide", space_group=space_group, structure=Structure(atoms, HEXAGONAL))


def test_a_phase_of_an_asymmetric_unit_is_expanded_and_says_so(caplog):
    phase = lead_iodide(expanded=False)
    assert len(load_phase(phase).structure) == 3
    assert re.search(r" 2 .* 3 .* P-3m1", caplog.text)
    rotations = uniform_orientations(2, seed=5)
    np.testing.assert_array_equal(
        radial_profiles(phase, rotations), radial_profiles(lead_iodide(expanded=True), rotations)
    )


@pytest.mark.parametrize("space_group", [164, None, 1])
def test_a_whole_phase_is_left_alone(space_group, caplog):
    crystal = as_crystal(lead_iodide(expanded=True, space_group=space_group))
    assert crystal.structure.warnings == ()
    assert crystal.structure.atoms.elements == ("Pb", "I", "I")
    np.testing.assert_allclose(crystal.structure.atoms.positions[1], (1 / 3, 2 / 3, 0.265), atol=1e-9)
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
    with pytest.raises(CrystalError, match="'Q'"):
        load_phase(lead_iodide(expanded=True, element="Q"))
    with pytest.raises(CrystalError, match=r"^empty: "):
        load_phase(Phase("empty", space_group=225))


@pytest.mark.parametrize("read", [load_phase, describe_crystal, as_crystal])
def test_what_is_neither_a_name_nor_a_phase_is_refused(read):
    with pytest.raises(InputError) as caught:
        read(lead_iodide(expanded=True).structure)
    assert "Phase of orix" in caught.value.remedy


def test_atoms_that_coincide_are_counted_once(caplog):
    titanium = [Atom("Ti", xyz) for xyz in ((0.3333, 0.6667, 0.25), (0.3334, 0.6667, 0.25), (0.6667, 0.3333, 0.75))]
    phase = Phase("titanium", structure=Structure(titanium, Lattice(2.95, 2.95, 4.68, 90, 90, 120)))
    assert len(load_phase(phase).structure) == 2
    assert "titanium: " in caplog.text
    assert " 1 " in caplog.text


@pytest.mark.parametrize(
    ("space_group", "cell", "positions"),
    [
        (62, (5, 6, 7, 90, 90, 90), [(0.1, 0.2, 0.25), (-0.1, -0.2, 0.75), (0.6, 0.3, 0.75), (0.4, 0.7, 0.25)]),
        (14, (5, 6, 7, 90, 95, 90), [(0.1, 0.2, 0.3), (0.4, 0.7, 0.2), (-0.1, -0.2, -0.3), (0.6, 0.3, 0.8)]),
    ],
    ids=["P b n m", "P 1 21/n 1"],
)
def test_a_whole_list_in_another_setting_is_left_alone(space_group, cell, positions):
    structure = Structure([Atom("Ca", xyz) for xyz in positions], Lattice(*cell))
    assert len(load_phase(Phase("other", space_group=space_group, structure=structure)).structure) == 4


@pytest.mark.parametrize(("space_group", "cell"), [(225, (5, 6, 7, 90, 90, 90)), (14, (5, 6, 7, 90, 90, 99))])
def test_a_space_group_that_does_not_fit_the_cell_is_refused(space_group, cell):
    phase = Phase("odd", space_group=space_group, structure=Structure([Atom("Ca", (0.1, 0.2, 0.3))], Lattice(*cell)))
    with pytest.raises(CrystalError, match=r"^odd: .*5.*6.*7"):
        load_phase(phase)


def test_the_point_group_of_a_phase_without_a_space_group_is_kept():
    atoms = [Atom("Pb", xyz) for xyz in ((0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0))]
    phase = Phase("lead", point_group="m-3m", structure=Structure(atoms, Lattice(4.95, 4.95, 4.95, 90, 90, 90)))
    assert load_phase(phase).point_group.name == "m-3m"


def test_a_position_that_is_no_number_is_refused():
    structure = Structure([Atom("Ca", (0.1, float("nan"), 0.3))], Lattice(5, 5, 5, 90, 90, 90))
    with pytest.raises(CrystalError, match=r"^odd: .*nan"):
        load_phase(Phase("odd", structure=structure))
