"""Every setting of every space group, named in every way that names it, is read as its operations say.

gemmi's table has 564 settings, of which 560 differ in their operations: A c a m and A b a m (64), and the first origin
choices of C c c a and C c c b, A b a a and A c a a, B b c b and B b a b (68) are pairs of names for one list. The full
symbol with its setting names each row; 40 symbols (two origins, or R in hexagonal and rhombohedral axes) stand for two
rows without it.
"""

from functools import cache

import numpy as np
import pytest

from difsims_core.crystal.phases import load_phase
from difsims_core.errors import CrystalError
from tests.crystal.reading import differences, refusal_of, squeezed
from tests.effort import cases
from tests.oracles.cif_writer import Style, Symmetry, write_cif
from tests.oracles.crystal_sites import Site, Structure, operations_of
from tests.oracles.settings import (
    HALL,
    NUMBER,
    ONLY_ONE_SETTING,
    SETTINGS,
    displaced,
    general_position,
    generic_cell,
    others_of,
    special_position,
    triplets_of,
)

Q_MAX = 0.65  # Å⁻¹: some 280 reflections, of which the most extinct setting keeps 26


@cache
def structure_in(setting: str) -> Structure:
    """Two atoms in general positions, or one that misses its special position by 0.02 Å, in a generic cell."""
    random = np.random.default_rng(SETTINGS.index(setting))
    empty = Structure(generic_cell(setting, random), *operations_of(setting), ())
    special = special_position(empty, random)
    second = general_position(empty, random) if special is None else displaced(empty, special, 0.02, random)
    positions = general_position(empty, random), second
    sites = [Site(e, tuple(np.round(p, 6).tolist()), decimals=6) for e, p in zip(("Pb", "O"), positions, strict=True)]
    return Structure(empty.cell, empty.rotations, empty.translations, tuple(sites))


def another(setting: str) -> str:
    """Return another setting of the group, to be overruled; itself where there is none."""
    others = others_of(setting)
    return others[SETTINGS.index(setting) % len(others)] if others else setting


WAYS = {
    "list and number": lambda s: Symmetry(triplets_of(s), number=NUMBER[s]),
    "list alone": lambda s: Symmetry(triplets_of(s)),
    "symbol and number": lambda s: Symmetry(symbol=s, number=NUMBER[s]),
    "symbol alone": lambda s: Symmetry(symbol=s),
    "Hall symbol alone": lambda s: Symmetry(hall=HALL[s]),
    "list, and the symbol of another setting": lambda s: Symmetry(triplets_of(s), symbol=another(s), number=NUMBER[s]),
    "Hall symbol, and the symbol of another setting": lambda s: Symmetry(hall=HALL[s], symbol=another(s)),
}


def faults_of(settings, symmetry_of, folder, **style) -> dict[str, str]:
    """Read each setting and return what is wrong, by setting."""
    faults, path = {}, folder / "setting.cif"
    for index, setting in enumerate(settings):
        structure = structure_in(setting)
        path.write_bytes(write_cif(structure, symmetry_of(setting), Style(seed=index, modern=index % 2 == 1, **style)))
        try:
            wrong = differences(load_phase(path), structure, Q_MAX)
        except CrystalError as error:
            wrong = [str(error)]
        if wrong:
            faults[setting] = "; ".join(wrong)
    return faults


def told(faults: dict[str, str], settings) -> str:
    shown = "\n".join(f"  {setting}: {wrong}" for setting, wrong in list(faults.items())[:40])
    return f"{len(faults)} of {len(settings)} settings are read wrongly\n{shown}"


@pytest.mark.parametrize("way", WAYS)
def test_every_setting_is_read_as_its_operations_say(tmp_path, way):
    """A fifth of the settings at a time."""
    some = [SETTINGS[number] for number in cases(len(SETTINGS))]
    faults = faults_of(some, WAYS[way], tmp_path)
    assert not faults, told(faults, some)


def test_the_number_alone_names_a_group_of_one_setting(tmp_path):
    assert len(ONLY_ONE_SETTING) == 128
    faults = faults_of(ONLY_ONE_SETTING, lambda setting: Symmetry(number=NUMBER[setting]), tmp_path)
    assert not faults, told(faults, ONLY_ONE_SETTING)


@pytest.mark.parametrize(
    "respelt",
    [lambda s: s.replace(":", " :"), squeezed],
    ids=["a space before the colon", "without spaces"],
)
def test_the_spelling_of_a_symbol_does_not_matter(tmp_path, respelt):
    some = [s for s in SETTINGS if NUMBER[s] in (14, 62, 70, 141, 148, 167, 225, 227)]
    faults = faults_of(some, lambda setting: Symmetry(symbol=respelt(setting)), tmp_path)
    assert not faults, told(faults, some)


RHOMBOHEDRAL = [s for s in SETTINGS if s.endswith((":H", ":R"))]


@pytest.mark.parametrize("with_number", [False, True])
def test_the_cell_decides_between_hexagonal_and_rhombohedral_axes(tmp_path, with_number):
    assert len(RHOMBOHEDRAL) == 14
    number = NUMBER if with_number else {}
    faults = faults_of(RHOMBOHEDRAL, lambda s: Symmetry(symbol=s.split(":")[0], number=number.get(s)), tmp_path)
    assert not faults, told(faults, RHOMBOHEDRAL)


ORIGINS = sorted({s.split(":")[0] for s in SETTINGS if s.endswith((":1", ":2"))})


def test_two_origins_are_an_error_that_lists_both(tmp_path):
    assert len(ORIGINS) == 33
    path, faults = tmp_path / "origins.cif", {}
    for symbol in ORIGINS:
        path.write_bytes(write_cif(structure_in(f"{symbol}:2"), Symmetry(symbol=symbol, number=NUMBER[f"{symbol}:2"])))
        line = refusal_of(path)
        wanted = [f"{symbol}:1", f"{symbol}:2", "_space_group_"]
        if missing := [words for words in wanted if squeezed(words) not in squeezed(line)]:
            faults[symbol] = f"{missing} not in {line}"
    assert not faults, told(faults, ORIGINS)


@pytest.mark.parametrize("number", [62, 48])
def test_a_number_of_several_settings_is_an_error_that_lists_them(tmp_path, number):
    choices = [s for s in SETTINGS if NUMBER[s] == number]
    path = tmp_path / "several.cif"
    path.write_bytes(write_cif(structure_in(choices[0]), Symmetry(number=number)))
    line = squeezed(refusal_of(path))
    assert [choice for choice in choices if squeezed(choice) not in line] == []
    assert "_space_group_" in line


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("P 21/c", "P 1 21/c 1"), ("P 21/n", "P 1 21/n 1"), ("P 2/m", "P 1 2/m 1"), ("P 2/m", "P 1 1 2/m"),
        ("P 2/m", "P 2/m 1 1"), ("C 2/c", "C 1 2/c 1"), ("P 21", "P 1 1 21"), ("P m", "P m 1 1"),
        ("P 21/b", "P 1 1 21/b"),
    ],
)  # fmt: skip
def test_the_cell_decides_the_unique_axis_of_a_short_symbol(tmp_path, short, full):
    faults = faults_of([full], lambda _: Symmetry(symbol=short, number=NUMBER[full]), tmp_path)
    assert not faults, told(faults, [full])
