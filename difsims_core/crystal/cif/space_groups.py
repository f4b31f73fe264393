"""The settings of the space groups by symbol and number: gemmi's table, and the ways in which people write symbols."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

import gemmi
import numpy as np

from difsims_core.crystal.setting import DENOMINATOR, Setting

_ORIGINS = {"S": "1", "Z": "2"}  # as ICSD writes the two origins
_ENDING = re.compile(
    r"""\s* (?: : \s* ([-\w]+)                               # P n -3 m :2, R -3 c:H, P 21/c :b1
            | \(? \s* origin (?:\s*choice)? \s* ([12]) \)?   # (origin choice 2)
            | (?<=[\w\s]) ([HRSZ]) ) \s* $""",  # F d -3 m Z, R -3 m H
    re.VERBOSE | re.IGNORECASE,
)
_PLANES = frozenset("abcdemn")
_AXES_LEFT_OUT = {  # normal to the planes of a short symbol
    "mmm": ("2", "21"),
    "4/mmm": ("2", "21"),
    "-3m": ("2",),
    "6/mmm": ("2",),
    "m-3": ("2", "21"),
    "m-3m": ("2", "4", "41", "42", "43"),
}


def setting_of(operations: gemmi.GroupOps, symbol: str, number: int | None, *, unique_axis_b: bool = True) -> Setting:
    """Return the operations of gemmi as a setting."""
    pairs = [(op.rot, op.tran) for op in operations]
    rotations = np.array([rot for rot, _ in pairs]) // DENOMINATOR
    return Setting(symbol, number, rotations, np.array([tran for _, tran in pairs]), unique_axis_b)


@lru_cache(maxsize=600)
def _tabulated(place: int) -> Setting:
    entry = _entries()[place]
    unique_b = "b" in entry.qualifier or not 3 <= entry.number <= 15
    return setting_of(entry.operations(), _shown(entry), entry.number, unique_axis_b=unique_b)


@lru_cache(maxsize=1)
def _entries() -> tuple[gemmi.SpaceGroup, ...]:
    return tuple(gemmi.spacegroup_table())


def _ext(entry: gemmi.SpaceGroup) -> str:
    return entry.ext.strip("\0 ")


def _shown(entry: gemmi.SpaceGroup) -> str:
    return entry.hm + (f" :{entry.ext}" if _ext(entry) else "")


def named_setting(operations: gemmi.GroupOps) -> Setting:
    """Return operations as a setting, with the symbol and number that the table has for them, if any."""
    entry = gemmi.find_spacegroup_by_ops(operations)
    if entry is not None:
        return setting_of(operations, _shown(entry), entry.number)
    unnamed = setting_of(operations, "", None)
    return replace(unnamed, symbol=f"no symbol, point group {point_group_symbol(unnamed)}")


def point_group_symbol(setting: Setting) -> str:
    """Return the Hermann–Mauguin symbol of the point group of a setting."""
    places = range(len(_entries()))
    return next(_entries()[i].point_group_hm() for i in places if _tabulated(i).point_group == setting.point_group)


def settings_of_number(number: int) -> list[Setting]:
    """Return every setting of a space group."""
    return [_tabulated(place) for place, entry in enumerate(_entries()) if entry.number == number]


def settings_of_symbol(text: str, code: str = "") -> list[Setting]:
    """Return the settings that a Hermann–Mauguin symbol can mean; none when it is unknown.

    Parameters
    ----------
    text
        The symbol, short or full, with or without spaces and setting: ``P 21/c``, ``P 1 21/n 1``, ``Fd-3m:2``,
        ``R -3 m H``, ``P2(1)/c``.
    code
        A setting stated apart from it, as ``_space_group_IT_coordinate_system_code`` does: ``2``, ``h``, ``-c1``,
        ``2cab``.
    """
    text = re.sub(r"[_'\"]", "", text.strip())
    text = re.sub(r"\((\d)\)", r"\1", text)
    places = _names().get(_squeezed(text), frozenset())
    ending = _ENDING.search(text)
    if not places and ending is not None:
        found = next(group for group in ending.groups() if group)
        stem = text[: ending.start()]
        places = _coded(_names().get(_squeezed(stem), frozenset()), _ORIGINS.get(found.upper(), found))
    return [_tabulated(place) for place in sorted(_coded(places, code) if code else places)]


def _coded(places: frozenset[int], code: str) -> frozenset[int]:
    """Return the settings with a code: an origin, hexagonal or rhombohedral axes, a choice of axes and cell."""
    origin, axes = re.fullmatch(r"([12]?)(.*)", code.strip().lower()).groups()  # pyright: ignore[reportOptionalMemberAccess]
    fitting = []
    for place in places:
        entry = _entries()[place]
        ext, qualifier = _ext(entry).lower(), entry.qualifier
        if axes in {"h", "r"} and not origin:
            same = ext == axes
        else:
            same = (not origin or ext == origin) and (not axes or (qualifier or "abc") == axes)
        if same:
            fitting.append(place)
    return frozenset(fitting)


@lru_cache(maxsize=1)
def _names() -> dict[str, frozenset[int]]:
    """Return which settings each symbol, written without spaces, can mean."""
    names: dict[str, set[int]] = {}
    full: dict[str, set[int]] = {}
    for place, entry in enumerate(_entries()):
        full.setdefault(_squeezed(entry.hm), set()).add(place)
        for name in _spellings(entry):
            names.setdefault(_squeezed(name), set()).add(place)
    return {name: frozenset(places) for name, places in (names | full).items()}


def _spellings(entry: gemmi.SpaceGroup) -> list[str]:
    """Return how else the symbol of a setting is written."""
    lattice, *parts = entry.hm.split()
    spellings = []
    if 3 <= entry.number <= 15:  # P 1 21/c 1: P 21/c
        spellings.append(" ".join([lattice, *(part for part in parts if part != "1")]))
    if entry.ext.startswith("H"):
        spellings.append(" ".join(["H", *parts]))
    if entry.number >= 195:  # before 1935, and in ICSD: F m 3 m
        spellings.append(" ".join([lattice, *(part.replace("-3", "3") for part in parts)]))
    if 16 <= entry.number <= 74:  # the double glide plane, since 1992: C m c e
        spellings += [" ".join([lattice, *with_e]) for with_e in _double_glides(entry.number, parts)]
    return spellings + _with_all_elements(entry, lattice, parts)


def _double_glides(number: int, parts: list[str]) -> list[list[str]]:
    if number not in {39, 41, 64, 67, 68}:
        return []
    return [[*parts[:i], "e", *parts[i + 1 :]] for i, part in enumerate(parts) if part in "abc"]


def _with_all_elements(entry: gemmi.SpaceGroup, lattice: str, parts: list[str]) -> list[str]:
    """Return the full symbols of a short one that leaves out axes: F 4/m -3 2/m for F m -3 m."""
    axes = _AXES_LEFT_OUT.get(entry.point_group_hm(), ())
    choices: list[list[str]] = [[]] if axes else []
    for part in parts:
        written = [f"{axis}/{part}" for axis in axes] if part in _PLANES else [part]
        choices = [[*head, tail] for head in choices for tail in written]
    return [" ".join([lattice, *choice]) for choice in choices]


def _squeezed(symbol: str) -> str:
    return re.sub(r"\s+", "", symbol).lower()
