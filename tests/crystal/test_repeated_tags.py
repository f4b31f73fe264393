"""Tags that a file states twice, as many of a database of minerals do: harmless, or a contradiction."""

import pytest

from difsims_core.crystal.cif.reader import read_structure
from difsims_core.errors import CrystalError

TWICE = "data_x\n_cell_length_a 4\n_cell_length_b 4\n_cell_length_c 4\n_cell_angle_alpha 90\n_cell_angle_beta 90\n"
TWICE += "_cell_angle_gamma 90\n_space_group_name_H-M_alt 'P 1'\n{further}\n"
TWICE += "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nPb1 0 0 0\n"


@pytest.mark.parametrize(
    "further",
    [
        "_chemical_formula_sum 'Pb'\n_chemical_formula_sum ''",
        "_chemical_formula_sum Pb\n_chemical_formula_sum Pb2",
        "_cell_length_a 4",
        "_cell_length_a ?",
        "_journal_year 1990\n_journal_year 1991",
    ],
)
def test_a_tag_that_appears_twice_without_harm_is_no_error(further):
    assert len(read_structure(TWICE.format(further=further).encode(), "twice.cif").atoms) == 1


@pytest.mark.parametrize(
    ("further", "tag"),
    [
        ("_cell_length_a 5", "_cell_length_a"),
        ("_space_group_name_H-M_alt 'P -1'", "_space_group_name_h-m_alt"),
        ("loop_\n_atom_site_fract_x\n0.5", "_atom_site_fract_x"),
    ],
)
def test_a_cell_a_symmetry_or_sites_that_are_stated_twice_are_refused(further, tag):
    with pytest.raises(CrystalError, match=rf"^twice\.cif: .*{tag} "):
        read_structure(TWICE.format(further=further).encode(), "twice.cif")
