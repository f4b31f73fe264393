"""What is odd about a structure is said: content, density, distances, displacement parameters."""

import logging
import re

import pytest

from difsims_core import describe_crystal
from difsims_core.crystal.catalogue import list_catalogue
from difsims_core.crystal.cif.reader import read_structure
from difsims_core.crystal.phases import load_crystal

SALT = """data_salt
_chemical_formula_sum '{formula}'
{units}
_cell_length_a {a}
_cell_length_b {a}
_cell_length_c {a}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt '{symbol}'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_U_iso_or_equiv
Na1 0 0 0 {u}
Cl1 {x} {x} {x} 0.02
"""
DEFAULTS = {
    "formula": "Cl Na", "units": "_cell_formula_units_Z 4", "a": 5.64, "symbol": "F m -3 m", "u": 0.02, "x": 0.5,
}  # fmt: skip


def warnings_of(**changes) -> tuple[str, ...]:
    return read_structure(SALT.format(**DEFAULTS | changes).encode(), "salt.cif").warnings


def test_nothing_is_odd_about_rock_salt():
    assert warnings_of() == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"symbol": "P m -3 m"}, r"\b1 Cl\b.* 4 .*\b1 Na\b.* 4 "),
        ({"formula": "Cl2 Na"}, r"\b4 Cl\b.* 8 "),
        ({"formula": "Cl2 Na", "units": ""}, r"Z = 2 .*\b4 Na\b.* 2 "),
        ({"formula": "Cl H6 Na"}, r"\b0 H\b.* 24 "),
        ({"units": "", "formula": "Cl Na"}, None),
        ({"formula": "?"}, None),
        ({"a": 2.0}, r" g/cm³"),
        ({"a": 2.0}, r"Cl1–Na1 1\.00 Å"),
        ({"a": 60}, r" 0\.1 … 25"),
        ({"u": "?"}, r" Na1\b"),
    ],
)
def test_what_is_odd_is_said_with_both_numbers(changes, expected):
    said = warnings_of(**changes)
    assert said == () if expected is None else any(re.search(expected, warning) for warning in said), said


def test_the_shipped_phases_are_plausible():
    """Three carry a remark that is true of their models: a shared place, a split site, a cation without hydrogen."""
    said = {entry.name: load_crystal(entry.name).structure.warnings for entry in list_catalogue()}
    assert {name: warnings for name, warnings in said.items() if warnings} == {
        "pnma_TD_adjust_orthorhombic": (
            "the sites C1 (C, 1), N1 (N, 1) share a place and are more than one atom together",
        ),
        "gratia_6h": ("site C2 is split into 2 positions within 0.1 Å, occupied by 0.1666 each",),
    }


def test_what_is_odd_is_logged_once_when_a_phase_is_read(tmp_path, caplog):
    file = tmp_path / "salt.cif"
    file.write_text(SALT.format(**DEFAULTS | {"u": "?"}))
    with caplog.at_level(logging.WARNING):
        crystals = [load_crystal("salt", str(file)) for _ in range(2)]
    assert [record.message for record in caplog.records] == [
        f"{file}: no displacement parameter (U or B) is given for Na1, but for other sites: theirs counts as 0"
    ]
    assert crystals[0].record()["warnings"] == list(crystals[1].structure.warnings)


def test_a_description_says_what_was_read(tmp_path):
    file = tmp_path / "α salt (1).cif"
    file.write_text(SALT.format(**DEFAULTS))
    found = describe_crystal(file)
    assert (found.name, found.source, found.formula, found.stated_formula) == (
        "alpha_salt_1", str(file), "Cl4 Na4", "Cl Na, Z = 4",
    )  # fmt: skip
    assert (found.space_group, found.space_group_number, found.operations, found.atoms) == ("F m -3 m", 225, 192, 8)
    assert found.density_g_per_cm3 == pytest.approx(2.165, rel=2e-3)  # CRC Handbook, halite
    assert {line.hkl for line in found.lines[:2]} == {(2, 0, 0), (2, 2, 0)}  # by far the strongest of halite
    assert found.lines[0].d_angstrom == pytest.approx(5.64 / 8**0.5)
    assert found.lines[0].intensity == 100.0
