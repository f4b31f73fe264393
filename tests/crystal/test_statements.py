"""Statements of symmetry that stand beside each other, and sites that stand beside their special positions."""

import logging
import re
from dataclasses import replace

import pytest

from difsims_core.crystal.phases import load_phase
from tests.crystal.reading import contents_of, differences, refusal_of, squeezed
from tests.oracles.cif_writer import Style, Symmetry, write_cif
from tests.oracles.crystal_sites import Site, structure_of
from tests.oracles.settings import HALL, triplets_of

Q_MAX = 0.7  # Å⁻¹
PLAIN = Style()
SILICON = structure_of("F d -3 m:2", (5.431, 5.431, 5.431, 90, 90, 90), Site("Si", (0.125, 0.125, 0.125)))
ONE_ATOM = structure_of("P 1", (4.0, 5.0, 6.0, 90, 90, 90), Site("Pb", (0.1, 0.2, 0.3)))
LAYERED = structure_of("P -3 m 1", (4.5, 4.5, 7.0, 90, 90, 120))


def written(tmp_path, structure, symmetry, style=PLAIN):
    path = tmp_path / "statements.cif"
    path.write_bytes(write_cif(structure, symmetry, style))
    return path


@pytest.mark.parametrize(
    "beside",
    [
        {"symbol": "F d -3 m:1", "number": 227}, {"symbol": "F d -3 m Z"}, {"symbol": "F d -3 m"}, {"symbol": "Fd-3m"},
        {"symbol": "Unknown"}, {"symbol": "?"}, {"symbol": ""}, {"hall": HALL["F d -3 m:1"], "symbol": "F d -3 m:1"},
        {"number": 225}, {"symbol": "F d -3 c:2"},
    ],
)  # fmt: skip
def test_a_list_wins_over_what_stands_beside_it_and_means_no_other_point_group(tmp_path, beside):
    path = written(tmp_path, SILICON, Symmetry(triplets_of("F d -3 m:2"), **beside))
    assert differences(load_phase(path), SILICON, Q_MAX) == []


@pytest.mark.parametrize(
    "beside", [{"symbol": "F d -3 m:1", "number": 227}, {"symbol": "F d -3 m"}, {"number": 227}, {"symbol": "Unknown"}]
)
def test_a_hall_symbol_wins_over_what_stands_beside_it(tmp_path, beside):
    path = written(tmp_path, SILICON, Symmetry(hall=HALL["F d -3 m:2"], **beside))
    assert differences(load_phase(path), SILICON, Q_MAX) == []


@pytest.mark.parametrize(
    ("symmetry", "named"),
    [
        (Symmetry(("x,y,z",), number=225), ["1", "225"]),
        (Symmetry(("x,y,z",), symbol="F m -3 m"), ["1", "Fm-3m"]),
        (Symmetry(triplets_of("F m -3 m"), symbol="P 1", number=1), ["192|225|Fm-3m", "P1"]),
        (
            Symmetry(triplets_of("P m m m"), number=83),
            ["8|47|Pmmm|mmm", "83"],
        ),  # mmm and 4/m have eight operations each
        (Symmetry(triplets_of("P 2 2 2"), symbol="P 4"), ["4|16|P222|222", "P4"]),
        (Symmetry(hall="P 1", symbol="F m -3 m"), ["P1", "Fm-3m"]),
        (Symmetry(symbol="P 1", number=225), ["P1", "225"]),
        (Symmetry(symbol="P m m m", number=83), ["Pmmm", "83"]),
    ],
)
def test_statements_of_different_groups_are_an_error_that_names_both(tmp_path, symmetry, named):
    line = squeezed(refusal_of(written(tmp_path, ONE_ATOM, symmetry)))
    assert [words for words in named if not re.search(words, line)] == [], line


@pytest.mark.parametrize(
    "symmetry",
    [
        Symmetry(symbol="Q 4 2"), Symmetry(number=231), Symmetry(number=0), Symmetry(hall="no Hall symbol"),
        Symmetry(("x,y",)), Symmetry(("x,y,z", "x+1/0,y,z")), Symmetry(("x,y,z", "2x,y,z")),
        Symmetry(("x,y,z", "x,x,z")),
    ],
)  # fmt: skip
def test_statements_that_mean_nothing_are_an_error(tmp_path, symmetry):
    refusal_of(written(tmp_path, ONE_ATOM, symmetry))


# Without commas and the letters x, y, z in the code: a reader that takes those out first would still run it.
@pytest.mark.parametrize(
    "operation",
    [
        "-x,-y,-z+len(str(__import__('os').mkdir('mark')))*0",
        "-x,-y,__import__('os').mkdir('mark')",
        "x,y,(lambda:__import__('os').mkdir('mark'))()",
        "[open('mark','w'),x][1],y,z",
        "x,y,z;import os;os.mkdir('mark')",
        "x,y,`touch mark`",
    ],
)
@pytest.mark.parametrize("modern", [False, True])
def test_code_in_an_operation_is_refused_and_never_run(tmp_path, monkeypatch, capfd, operation, modern):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    line = refusal_of(written(tmp_path, ONE_ATOM, Symmetry(("x,y,z", operation)), Style(modern=modern)))
    assert "operation" in line
    assert list((tmp_path / "here").iterdir()) == []
    assert capfd.readouterr().err == ""


ON_THREEFOLD = (1 / 3, 2 / 3)


@pytest.mark.parametrize(
    ("x", "y", "decimals", "occupancy", "images"),
    [
        (*ON_THREEFOLD, 4, 1.0, 2),
        (*ON_THREEFOLD, 3, 1.0, 2),
        (*ON_THREEFOLD, 4, 0.1, 2),  # the special position, to the digits given: one atom, however rare
        (*ON_THREEFOLD, 3, 0.1, 2),
        (0.3433, 0.6767, 4, 1.0, 2),  # 0.05 Å off: one atom, on the axis
        (0.3433, 0.6767, 4, 0.4, 2),  # more than a third: the three images cannot all be there
        (0.3407, 0.6701, 4, 0.16, 12),  # six images share one place: the axis lies on three mirrors
        (0.3407, 0.6701, 4, 0.1667, 12),  # a sixth, as files round it
        (0.3407, 0.6701, 4, 0.3333, 2),
        (0.343, 0.686, 3, 0.3333, 6),  # on the mirror (x, 2x): only three images differ
        (0.28, 0.6767, 4, 1.0, 12),  # 0.2 Å off: twelve atoms
    ],
)
def test_a_site_near_a_threefold_axis_is_one_atom_or_several_alternatives(tmp_path, x, y, decimals, occupancy, images):
    site = Site("I", (round(x, decimals), round(y, decimals), 0.265), occupancy, decimals)
    structure = replace(LAYERED, sites=(site,))
    phase = load_phase(written(tmp_path, structure, Symmetry(triplets_of("P -3 m 1"))))
    assert contents_of(phase) == {"I": images}
    assert all(atom.occupancy == pytest.approx(occupancy) for atom in phase.structure)
    assert differences(phase, structure, Q_MAX) == []


def test_it_is_said_that_a_site_is_split(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    sites = (Site("Pb", (0, 0, 0)), Site("I", (0.3407, 0.6701, 0.265), 0.16, 4))
    load_phase(written(tmp_path, replace(LAYERED, sites=sites), Symmetry(triplets_of("P -3 m 1"))))
    said = [record.getMessage() for record in caplog.records]
    assert any("I2" in line and "statements" in line for line in said)
    assert not any("Pb1" in line for line in said)


def test_two_elements_may_share_a_site(tmp_path):
    sites = (Site("I", (0.25, 0.25, 0.25), 0.9), Site("Br", (0.25, 0.25, 0.25), 0.1), Site("Pb", (0, 0, 0)))
    structure = replace(structure_of("F m -3 m", (6.0, 6.0, 6.0, 90, 90, 90)), sites=sites)
    phase = load_phase(written(tmp_path, structure, Symmetry(symbol="F m -3 m")))
    assert contents_of(phase) == {"I": 8, "Br": 8, "Pb": 4}
    assert differences(phase, structure, Q_MAX) == []
