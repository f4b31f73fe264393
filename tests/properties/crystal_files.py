"""Random crystals in random handwriting, as hypothesis strategies."""

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from tests.oracles.cif_writer import Style, Symmetry, write_cif
from tests.oracles.crystal_sites import Site, Structure, operations_of
from tests.oracles.settings import (
    HALL,
    NUMBER,
    ONLY_ONE_SETTING,
    SETTINGS,
    apart,
    displaced,
    general_position,
    generic_cell,
    others_of,
    special_position,
    triplets_of,
)

ELEMENTS = ("Pb", "Na", "O", "I", "Ti", "C", "Cl")
Q_MAX = 0.5  # Å⁻¹
_CLEAR_ANGSTROM = 0.4
_MOST_OPERATIONS = 48  # a larger group is read no otherwise, only more slowly


@dataclass(frozen=True, slots=True)
class CrystalFile:
    """A structure and the file that says it; a failing test shows the file."""

    structure: Structure
    symmetry: Symmetry
    style: Style

    def _repr_pretty_(self, printer, cycle: bool) -> None:  # noqa: ARG002 - the name that IPython chose
        printer.text(f"{self.style}\n{self.data().decode(self.style.encoding)}\n{self.structure.sites}")

    def data(self) -> bytes:
        return write_cif(self.structure, self.symmetry, self.style)


SOME_SETTINGS = st.sampled_from([s for s in SETTINGS if len(operations_of(s)[0]) <= _MOST_OPERATIONS])


@st.composite
def styles(draw: st.DrawFn) -> Style:
    labels = draw(st.sampled_from(["usual", "awkward", "unknown", "absent"]))
    displacements = ["none", "u", "b"] + ["tensor", "u and tensor"] * (labels in ("usual", "awkward"))
    return Style(
        labels=labels,
        types=draw(st.sampled_from(["plain", "charged"] + ["absent"] * (labels == "usual"))),
        occupancies=draw(st.sampled_from(["written", "unknown", "absent"])),
        displacements=draw(st.sampled_from(displacements)),
        encoding=draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16"])),
        newline=draw(st.sampled_from(["\n", "\r\n"])),
        tag_case=draw(st.sampled_from(["lower", "upper", "mixed"])),
        modern=draw(st.booleans()),
        looped=draw(st.booleans()),
        surroundings=draw(st.booleans()),
        free_numbers=draw(st.booleans()),
        seed=draw(st.integers(0, 2**16)),
    )


@st.composite
def symmetries(draw: st.DrawFn, setting: str) -> Symmetry:
    """What decides the group, and less telling statements beside it, of the same group in this or another setting."""
    decisive = draw(st.sampled_from(["list", "hall", "symbol"] + ["number"] * (setting in ONLY_ONE_SETTING)))
    number = NUMBER[setting] if decisive == "number" or draw(st.booleans()) else None
    if decisive == "number":
        return Symmetry(number=number)
    if decisive == "symbol":
        return Symmetry(symbol=draw(st.sampled_from([setting, setting.replace(":", " :")])), number=number)
    another = st.sampled_from([setting, *others_of(setting)])
    symbol = draw(st.none() | another)
    if decisive == "hall":
        return Symmetry(hall=HALL[setting], symbol=symbol, number=number)
    identity, *others = triplets_of(setting)
    if len(others) < 8:
        others = draw(st.permutations(others))
    return Symmetry((identity, *others), draw(st.none() | another.map(HALL.get)), symbol, number)


@st.composite
def crystal_files(draw: st.DrawFn) -> CrystalFile:
    setting, style = draw(SOME_SETTINGS), draw(styles())
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    empty = Structure(generic_cell(setting, random), *operations_of(setting), ())
    full = style.occupancies == "absent"
    sites: tuple[Site, ...] = ()
    for kind in draw(st.lists(st.sampled_from(_KINDS), min_size=1, max_size=4)):
        new = kind(setting, empty, random, full)
        if new and all(
            apart(empty, np.array(a.position), np.array(b.position)) > _CLEAR_ANGSTROM for a in sites for b in new
        ):
            sites += new
    sites = sites or _general(setting, empty, random, full)
    sites = tuple(replace(site, u_iso=round(float(random.uniform(0.005, 0.05)), 5)) for site in sites)
    return CrystalFile(replace(empty, sites=sites), draw(symmetries(setting)), style)


def _site(position: np.ndarray, random: np.random.Generator, decimals: int, occupancy: float = 1.0) -> Site:
    element = ELEMENTS[random.integers(len(ELEMENTS))]
    return Site(element, tuple(np.round(position, decimals).tolist()), occupancy, decimals)


def _some(random: np.random.Generator, *, full: bool) -> float:
    return 1.0 if full or random.random() < 0.5 else round(float(random.uniform(0.05, 1)), 4)


def _general(setting: str, empty: Structure, random: np.random.Generator, full: bool) -> tuple[Site, ...]:
    position = general_position(empty, random) + random.integers(-1, 2, 3)
    return (_site(position, random, int(random.integers(3, 7)), _some(random, full=full)),)


def _mixed(setting: str, empty: Structure, random: np.random.Generator, full: bool) -> tuple[Site, ...]:
    """Two elements on one site, in parts that add up to one."""
    if full:
        return ()
    (one,) = _general(setting, empty, random, full)
    part = round(float(random.uniform(0.1, 0.9)), 3)
    other = ELEMENTS[(ELEMENTS.index(one.element) + 1) % len(ELEMENTS)]
    return replace(one, occupancy=part), replace(one, element=other, occupancy=round(1 - part, 3))


def _special(setting: str, empty: Structure, random: np.random.Generator, full: bool) -> tuple[Site, ...]:
    """A special position to four, five or six digits: thirds are never exact."""
    position = special_position(empty, random)
    if position is None:
        return ()
    return (_site(position + random.integers(-1, 2, 3), random, int(random.integers(4, 7)), _some(random, full=full)),)


def _near(setting: str, empty: Structure, random: np.random.Generator, full: bool) -> tuple[Site, ...]:
    """An atom that misses its special position by 0.02 Å, and is more than the sum of its images would allow."""
    position = special_position(empty, random)
    return () if position is None else (_site(displaced(empty, position, 0.02, random), random, 6, 1.0),)


def _split(setting: str, empty: Structure, random: np.random.Generator, full: bool) -> tuple[Site, ...]:
    """An atom 0.04 Å off, so rare that its images are alternatives; no coordinate ends in nought."""
    position = special_position(empty, random)
    if position is None or full:
        return ()
    position = np.round(displaced(empty, position, 0.04, random), 5) + 3e-6
    return (_site(position, random, 6, round(1 / 60, 4)),)


_KINDS = (_general, _mixed, _special, _near, _split)
