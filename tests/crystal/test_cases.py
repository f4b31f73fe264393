"""Files as users really have them, and what each must give: its atoms and |F|², or a line that says what is wrong."""

import re

import pytest

from difsims_core.crystal.phases import load_phase
from tests.crystal.reading import CASES, contents_of, differences, refusal_of, squeezed
from tests.oracles.crystal_sites import Site, structure_of
from tests.oracles.structure_factor import element_symbol

Q_MAX = 0.7  # Å⁻¹


def cubic(a):
    return (a, a, a, 90.0, 90.0, 90.0)


def tetragonal(a, c):
    return (a, a, c, 90.0, 90.0, 90.0)


def hexagonal(a, c):
    return (a, a, c, 90.0, 90.0, 120.0)


THIRD = 1 / 3
ROCK_SALT = structure_of("F m -3 m", cubic(5.64), Site("Na", (0, 0, 0)), Site("Cl", (0.5, 0.5, 0.5)))
LEAD_IODIDE = structure_of(
    "P -3 m 1", hexagonal(4.557, 6.979), Site("Pb", (0, 0, 0)), Site("I", (THIRD, 2 * THIRD, 0.265))
)
MONOCLINIC = structure_of(
    "P 1 21/n 1", (7.1, 8.2, 9.3, 90, 99.5, 90), Site("Pb", (0.11, 0.22, 0.33)), Site("Br", (0.4, 0.1, 0.2))
)
CORUNDUM = structure_of("R -3 c:H", hexagonal(4.76, 12.99), Site("Al", (0, 0, 0.35228)), Site("O", (0.3064, 0, 0.25)))

READ = {
    "anatase_o1": (
        {"Ti": 4, "O": 8},
        structure_of("I 41/a m d:1", tetragonal(3.785, 9.514), Site("Ti", (0, 0, 0)), Site("O", (0, 0, 0.2081))),
    ),
    "anatase_o2": (
        {"Ti": 4, "O": 8},
        structure_of(
            "I 41/a m d:2", tetragonal(3.785, 9.514), Site("Ti", (0, 0.25, 0.375)), Site("O", (0, 0.25, 0.1666))
        ),
    ),
    "pbo_o2": (
        {"Pb": 2, "O": 2},
        structure_of(
            "P 4/n m m:2", tetragonal(3.976, 5.023), Site("Pb", (0.25, 0.25, 0.2385)), Site("O", (0.75, 0.25, 0))
        ),
    ),
    "spinel_o2": (
        {"Al": 16, "Mg": 8, "O": 32},
        structure_of(
            "F d -3 m:2", cubic(8.08), Site("Mg", (0.125,) * 3), Site("Al", (0.5,) * 3), Site("O", (0.2624,) * 3)
        ),
    ),
    "thirds3": ({"Pb": 1, "I": 2}, LEAD_IODIDE),
    "thirds4": ({"Pb": 1, "I": 2}, LEAD_IODIDE),
    "thirds5": ({"Pb": 1, "I": 2}, LEAD_IODIDE),
    "p21n_noops": ({"Pb": 4, "Br": 4}, MONOCLINIC),
    "p21n_noops_noit": ({"Pb": 4, "Br": 4}, MONOCLINIC),
    "pbnm_noops": (
        {"Pb": 4, "Cs": 4, "I": 12},
        structure_of(
            "P b n m", (8.1, 8.6, 11.8, 90, 90, 90),
            Site("Pb", (0, 0.5, 0)), Site("Cs", (0.99, 0.03, 0.25)),
            Site("I", (0.07, 0.48, 0.25)), Site("I", (0.7, 0.3, 0.04)),
        ),
    ),
    "si_o2_noops": ({"Si": 8}, structure_of("F d -3 m:2", cubic(5.431), Site("Si", (0.125,) * 3))),
    "r3c_rhomb_noops": (
        {"La": 2, "Al": 2, "O": 6},
        structure_of(
            "R -3 c:R", (5.36, 5.36, 5.36, 60.8, 60.8, 60.8),
            Site("La", (0.25,) * 3), Site("Al", (0, 0, 0)), Site("O", (0.7754, 0.7246, 0.25)),
        ),
    ),
    "r3c_hex_noops": ({"Al": 12, "O": 18}, CORUNDUM),
    "r3c_hex_noops_noit": ({"Al": 12, "O": 18}, CORUNDUM),
    "label_q": ({"Na": 4, "Cl": 4}, ROCK_SALT),
    "label_q_one": ({"Na": 4, "Cl": 4}, ROCK_SALT),
    "nolabel": ({"Na": 4, "Cl": 4}, ROCK_SALT),
    "mono_c": (
        {"Ca": 4, "O": 4},
        structure_of(
            "P 1 1 21/b", (9.6, 19.2, 6.7, 90, 90, 120), Site("Ca", (0.1, 0.2, 0.3)), Site("O", (0.4, 0.1, 0.7))
        ),
    ),
    "bom": ({"Na": 4, "Cl": 4}, ROCK_SALT),
    "occ_1.00002": ({"Na": 4, "Cl": 4}, ROCK_SALT),
    "noloop": ({"Nb": 2}, structure_of("I m -3 m", cubic(3.3), Site("Nb", (0, 0, 0)))),
    "symop_unlooped": (
        {"Nb": 1, "O": 1},
        structure_of("P 1", (3.3, 3.4, 3.5, 90, 90, 90), Site("Nb", (0, 0, 0)), Site("O", (0.4, 0.3, 0.2))),
    ),
    "dupatoms": ({"Na": 4, "Cl": 4}, ROCK_SALT),
    "dupatoms_sym": ({"Na": 4, "Cl": 4}, ROCK_SALT),
}  # fmt: skip

REFUSED = {
    "code_in_operation": [r"operation|-x,-y,-z\+len"],
    "symop_conflict": [r"P1|1operation|oneoperation|operationlist|listofoperations", r"Fm-3m|225"],
    "symop_P1_full_sg": [r"(?<![\d.])1(?![\d.])|P1", r"Fm-3m"],
    "badangle": [r"190"],
    "type_09_Na_K": [r"Na,K"],
    "type_18_H2O": [r"H2O"],
}


def test_every_file_has_an_answer():
    assert set(READ) | set(REFUSED) == {path.stem for path in CASES.glob("*.cif")}


@pytest.mark.parametrize("case", READ)
def test_a_file_gives_its_atoms_and_intensities(case):
    contents, structure = READ[case]
    phase = load_phase(CASES / f"{case}.cif")
    assert contents_of(phase) == contents
    assert all(atom.occupancy == 1 for atom in phase.structure)
    assert differences(phase, structure, Q_MAX) == []


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_is_refused_in_one_line_that_says_what_is_wrong(case, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    line = squeezed(refusal_of(CASES / f"{case}.cif"))
    assert [words for words in REFUSED[case] if not re.search(words, line)] == [], line
    assert capfd.readouterr().err == ""
    assert list(tmp_path.iterdir()) == [], "something in the file was run"


@pytest.mark.parametrize("case", ["label_q", "label_q_one", "nolabel"])
def test_labels_that_are_not_given_are_made_from_element_and_number(case):
    for atom in load_phase(CASES / f"{case}.cif").structure:
        assert re.fullmatch(element_symbol(atom.element) + r"\d+", atom.label)


def rock_salt_with(tmp_path, old: str, new: str):
    """Write the file of rock salt with one text replaced, and return its path."""
    text = (CASES / "bom.cif").read_text(encoding="utf-8-sig")
    assert text.count(old) == 1
    path = tmp_path / "changed.cif"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def with_occupancy(tmp_path, occupancy: str):
    sites = "_atom_site_fract_z\nNa1 Na 0 0 0\nCl1 Cl 0.5 0.5 0.5"
    changed = f"_atom_site_fract_z\n_atom_site_occupancy\nNa1 Na 0 0 0 {occupancy}\nCl1 Cl 0.5 0.5 0.5 1"
    return rock_salt_with(tmp_path, sites, changed)


@pytest.mark.parametrize("occupancy", ["1.001", "1.0009", "1.0(1)", "?", "."])
def test_an_occupancy_of_one_to_a_thousandth_is_one(tmp_path, occupancy):
    phase = load_phase(with_occupancy(tmp_path, occupancy))
    assert all(atom.occupancy == 1 for atom in phase.structure)
    assert differences(phase, ROCK_SALT, Q_MAX) == []


@pytest.mark.parametrize("occupancy", ["1.0011", "1.5", "-0.5", "one", "nan"])
def test_any_other_occupancy_above_one_or_below_nought_is_an_error(tmp_path, occupancy):
    assert "occupancy" in refusal_of(with_occupancy(tmp_path, occupancy))


@pytest.mark.parametrize("symbol", ["Na", "Na+", "Na1+", "Na+1", "Na0+", "NA", "na"])
def test_an_element_may_bear_a_charge(tmp_path, symbol):
    phase = load_phase(rock_salt_with(tmp_path, "Na1 Na 0", f"Na1 {symbol} 0"))
    assert contents_of(phase) == {"Na": 4, "Cl": 4}
    assert differences(phase, ROCK_SALT, Q_MAX) == []


@pytest.mark.parametrize(
    "symbol", ["H2O", "Na,K", "0.9Na+0.1K", "Na0.9K0.1", "NaCl", "OH", "NH4+", "Wat", "X", "Na2", "Vac"]
)
def test_a_type_that_is_no_element_is_an_error_that_names_it(tmp_path, symbol):
    assert symbol in refusal_of(rock_salt_with(tmp_path, "Na1 Na 0", f"Na1 {symbol} 0"))


def test_two_elements_that_fill_one_site_are_an_error_that_names_both(tmp_path):
    line = refusal_of(rock_salt_with(tmp_path, "Na1 Na 0 0 0", "Na1 Na 0 0 0\nK7 K 0.5 0.5 0"))
    assert "Na1" in line
    assert "K7" in line


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("gamma 90", "gamma 0"), ("gamma 90", "gamma 180"), ("gamma 90", "gamma -90"), ("gamma 90", "gamma 360"),
        ("length_a 5.64", "length_a 0"), ("length_a 5.64", "length_a -5.64"), ("length_a 5.64", "length_a ?"),
        ("_cell_length_a 5.64\n", ""), ("Cl1 Cl 0.5", "Cl1 Cl ?"), ("Cl1 Cl 0.5", "Cl1 Cl half"),
        ("alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90", "alpha 30\n_cell_angle_beta 30\n_cell_angle_gamma 100"),
    ],
)  # fmt: skip
def test_a_cell_or_coordinate_that_cannot_be_is_an_error(tmp_path, old, new):
    refusal_of(rock_salt_with(tmp_path, old, new))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "latin-1"])
def test_the_encoding_does_not_matter(tmp_path, encoding):
    text = "# 5.64 Å ± 0.01\n" + (CASES / "bom.cif").read_text(encoding="utf-8-sig")
    path = tmp_path / "encoded.cif"
    path.write_bytes(b"\xfe\xff" * (encoding == "utf-16-be") + text.encode(encoding))
    assert differences(load_phase(path), ROCK_SALT, Q_MAX) == []
