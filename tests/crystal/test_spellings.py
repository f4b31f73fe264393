"""Symbols of space groups and names of atoms as people write them: read for what they mean, or not at all."""

import pytest

from difsims_core.crystal.cif.elements import element_of
from difsims_core.crystal.cif.space_groups import nearest_symbol, settings_of_symbol


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P 1 21/c 1 (#14)", ["P 1 21/c 1"]),
        ("P21/c", ["P 1 21/c 1", "P 21/c 1 1"]),
        ("P21/c (14)", ["P 1 21/c 1", "P 21/c 1 1"]),
        ("P2(1)/c", ["P 1 21/c 1", "P 21/c 1 1"]),
        ("P 1 2_{1}/c 1", ["P 1 21/c 1"]),
        ("P2₁/c", ["P 1 21/c 1", "P 21/c 1 1"]),
        ("P 21/c :b", ["P 1 21/c 1"]),
        ("P 21/c:b1", ["P 1 21/c 1"]),
        ("P2(1)2(1)2(1)", ["P 21 21 21"]),
        ("P 21 21 2", ["P 21 21 2"]),
        ("P m -3 m (No. 221)", ["P m -3 m"]),
        ("P m −3 m", ["P m -3 m"]),
        (r"P m \bar{3} m", ["P m -3 m"]),
        ("Pm3̄m", ["P m -3 m"]),
        ("Pm3m", ["P m -3 m"]),
        ("F 4/m -3 2/m", ["F m -3 m"]),
        ("P 63/m 2/m 2/c", ["P 63/m m c"]),
        ("p_n_m_a", ["P n m a"]),
        ("P n m a S", ["P n m a"]),
        ("C m c e", ["C m c a"]),
        ("R -3 m", ["R -3 m :H", "R -3 m :R"]),
        ("R -3 m (H)", ["R -3 m :H"]),
        ("R-3m:hex", ["R -3 m :H"]),
        ("R -3 m, rhombohedral axes", ["R -3 m :R"]),
        ("F d -3 m", ["F d -3 m :1", "F d -3 m :2"]),
        ("F d -3 m Z", ["F d -3 m :2"]),
        ("F d -3 m S", ["F d -3 m :1"]),
        ("F d -3 m O2", ["F d -3 m :2"]),
        ("I 41/a m d (origin choice 2)", ["I 41/a m d :2"]),
        ("P 3 (143)", ["P 3"]),
        ("P 3 (144)", []),
        ("P 21/q", []),
        ("", []),
    ],
)
def test_symbols_as_people_write_them(text, expected):
    assert [setting.symbol for setting in settings_of_symbol(text)] == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [("2", ["P n n n :2"]), ("1", ["P n n n :1"]), ("1abc", ["P n n n :1"]), ("h", []), ("3", [])],
)
def test_a_code_beside_the_symbol_names_the_setting(code, expected):
    assert [setting.symbol for setting in settings_of_symbol("P n n n", code)] == expected


def test_an_unknown_symbol_has_a_hint():
    assert nearest_symbol("P 1 21/k 1").startswith(", did you mean 'P 1 21/")
    assert nearest_symbol("quartz") == ""


@pytest.mark.parametrize(
    ("symbol", "label", "element"),
    [
        ("Pb2+", "A1", "Pb"), ("O-2", "A1", "O"), ("CU1+", "A1", "Cu"), ("Cval", "A1", "C"), ("D", "D1", "H"),
        ("PB", "PB", "Pb"), ("TI", "TI", "Ti"), ("CO", "CO", "Co"), ("Na1", "Na1", "Na"),
        ("C60", "C60", "C"), (None, "Pb1", "Pb"), (None, "O2A", "O"), (None, "OW1", "O"), (None, "HW2", "H"),
        (None, "TI1", "Ti"), (None, "O(3)", "O"), (None, "C1'", "C"), (None, "Pb_2", "Pb"), (None, "D1", "H"),
    ],
)  # fmt: skip
def test_an_element_is_read_from_its_symbol_or_else_its_label(symbol, label, element):
    assert element_of(symbol, label) == element


@pytest.mark.parametrize(
    "name",
    [
        "OH",
        "FA",
        "MA",
        "NH4",
        "CH3",
        "SO4",
        "Na,K",
        "Na/K",
        "NaK",
        "CN",
        "VO",
        "Iron",
        "Nitrogen",
        "Wat",
        "Dum",
        "X1",
        "T",
        "Ov",
    ],
)
@pytest.mark.parametrize("symbol", [True, False])
def test_molecules_mixtures_and_words_are_no_elements(name, symbol):
    if name != "OH" or symbol:  # the oxygen of a hydroxide is labelled so
        assert element_of(name if symbol else None, name) is None


@pytest.mark.parametrize("label", ["T1", "CA1", "SI1", "HO1", "PB1", "", "1", "?"])
def test_labels_that_could_be_two_elements_or_none_are_not_guessed(label):
    assert element_of(None, label) is None
