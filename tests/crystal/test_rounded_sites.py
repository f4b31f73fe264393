"""Coordinates with few decimals, occupancies that add up, and displacements that cannot be told."""

import pytest

from difsims_core.crystal.cif.reader import read_structure
from difsims_core.errors import CrystalError

FILE = """data_x
_cell_length_a {a}
_cell_length_b {a}
_cell_length_c {c}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma {gamma}
_space_group_name_H-M_alt '{symbol}'
{further}
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
{sites}
"""
HEXAGONAL = {"a": 4.4, "c": 7.1, "gamma": 120, "symbol": "P 63/m m c", "further": ""}
CUBIC = {"a": 5.0, "c": 5.0, "gamma": 90, "symbol": "P 1", "further": ""}


def read(sites: str, **changes):
    return read_structure(FILE.format(**HEXAGONAL | changes, sites=sites).encode(), "x.cif")


@pytest.mark.parametrize("a", [4.4, 12.3])
@pytest.mark.parametrize("occupancy", [1, 0.3])
@pytest.mark.parametrize(
    "position",
    ["0.333 0.667 0.25000", "0.333(1) 0.667 0.25", "0.3333 0.6667 0.250000", "0.33 0.67 0.2500", "0.66 0.33 .25"],
)
def test_thirds_of_any_number_of_decimals_are_one_atom(position, occupancy, a):
    structure = read(f"In1 In {position} {occupancy}", a=a)
    assert structure.atoms.counts() == {"In": pytest.approx(2 * occupancy)}
    assert structure.warnings == ()


def test_a_site_that_is_moved_on_purpose_stays_split():
    structure = read("In1 In 0.3363 0.6727 0.25 0.3")
    assert structure.atoms.counts() == {"In": pytest.approx(1.8)}
    assert structure.warnings == ("site In1 is split into 3 positions within 0.1 Å, occupied by 0.3 each",)


@pytest.mark.parametrize("occupancies", [[0.167] * 6, [0.334] * 3, [0.333, 0.333, 0.335], [0.5, 0.502], [0.67, 0.34]])
def test_occupancies_of_a_mixture_may_round_above_one(occupancies):
    elements = ["Ti", "Zr", "Hf", "V", "Nb", "Ta"]
    sites = "\n".join(f"{e}1 {e} 0 0 0 {o}" for e, o in zip(elements, occupancies, strict=False))
    assert len(read(sites, **CUBIC).atoms) == len(occupancies)


def test_two_valences_of_an_element_are_a_mixture_and_not_a_repeat():
    assert read("Fe1 Fe2+ 0 0 0 .501\nFe2 Fe3+ 0 0 0 .501", **CUBIC).atoms.counts() == {"Fe": pytest.approx(1.002)}
    with pytest.raises(CrystalError, match=r"Fe1 \(Fe, 0\.6\), Fe2 \(Fe, 0\.6\)"):
        read("Fe1 Fe2+ 0 0 0 .6\nFe2 Fe3+ 0 0 0 .6", **CUBIC)


ANISO = "loop_\n_atom_site_aniso_label\n" + "\n".join(
    f"_atom_site_aniso_U_{ij}" for ij in ("11", "22", "33", "12", "13", "23")
)


@pytest.mark.parametrize(
    ("rows", "sites", "said"),
    [
        ("Na1 .01 .01 .01 0 0 0", "Na Na 0 0 0 1", " Na1 "),
        ("O .01 .01 .01 0 0 0\nO .05 .05 .05 0 0 0", "O O 0 0 0 1\nO O .5 .5 .5 1", " O "),
        ("O .01 .01 .01 ? 0 0", "O O 0 0 0 1", " O "),
    ],
)
def test_displacements_that_cannot_be_told_are_said(rows, sites, said):
    structure = read(sites, **CUBIC | {"further": f"{ANISO}\n{rows}"})
    assert any(said in warning for warning in structure.warnings)
    assert not (structure.atoms.u_iso > 0).any()


def test_a_cell_that_has_its_symmetry_only_nearly_is_said():
    structure = read("Na1 Na 0 0 0 1", **CUBIC | {"symbol": "P m -3 m", "c": 5.03})
    assert any("only to some per cent" in warning for warning in structure.warnings)


@pytest.mark.parametrize(
    ("further", "words"),
    [
        (
            "_symmetry_equiv_pos_as_xyz x,y,z\n_space_group_symop_operation_xyz -x,-y,-z",
            r"_space_group_symop_operation_xyz.*_symmetry_equiv_pos_as_xyz",
        ),
        ("_space_group_symop_magn_operation.xyz x,y,z,+1", "; .*_space_group_symop_operation_xyz"),
        ("_parent_space_group.name_H-M_alt 'P 4/m b m'", "; .*_space_group_symop_operation_xyz"),
        ("_space_group_ssg_name 'P m(a00)'", "; .*_space_group_symop_operation_xyz"),
    ],
)
def test_what_is_stated_twice_or_is_beyond_three_dimensions_is_refused(further, words):
    with pytest.raises(CrystalError, match=words):
        read("Na1 Na 0 0 0 1", **CUBIC | {"further": further})


def test_an_undefined_list_does_not_hide_a_defined_one():
    further = "_space_group_symop_operation_xyz ?\nloop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-x,-y,-z"
    assert len(read("Na1 Na .1 .2 .3 1", **CUBIC | {"symbol": "P -1", "further": further}).atoms) == 2


@pytest.mark.parametrize("distance", [-1, float("nan"), 2])
def test_the_distance_of_the_same_atom_is_checked(distance):
    data = FILE.format(**CUBIC, sites="Na1 Na 0 0 0 1").encode()
    with pytest.raises(ValueError, match=r"same_atom_angstrom .* 0\.5"):
        read_structure(data, "x.cif", distance)


def test_old_endings_of_files_are_no_error():
    for ending in (b"\x1a", b"\0\0\0"):
        assert len(read_structure(FILE.format(**CUBIC, sites="Na1 Na 0 0 0 1").encode() + ending, "x.cif").atoms) == 1
