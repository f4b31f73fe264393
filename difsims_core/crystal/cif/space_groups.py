"""The settings of the space groups by symbol and number: gemmi's table, and the ways in which people write symbols."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache

import gemmi
import numpy as np

from difsims_core.crystal.setting import DENOMINATOR, Setting

_ORIGINS = {"S": "1", "Z": "2", "O1": "1", "O2": "2"}  # as ICSD and others write the two origins
_NUMBER = re.compile(
    r"[\s,]*(?:\(\s*(?:no\.?|\#)?\s*(\d{1,3})\s*\)|(?:no\.?|\#)\s*(\d{1,3}))\s*$", re.IGNORECASE
)  # of the group, behind its symbol: P 1 21/c 1 (#14)
_ENDING = re.compile(
    r"""[\s,]* (?: : \s* ([-\w]+)                                # P n -3 m :2, R -3 c:H, P 21/c :b1
            | \(? \s* origin (?:\s*choice)? \s* ([12]) \s* \)?   # (origin choice 2)
            | \(? \s* ((?:hex|rhomb)\w*) (?:\s*axes)? \s* \)?    # hexagonal axes
            | (?<=[\w\s,(]) \(? (O[12] | [HRSZ]) \)? ) \s* $""",  # F d -3 m Z, R -3 m H, F d -3 m O2
    re.VERBOSE | re.IGNORECASE,
)
_MINUS = str.maketrans(dict.fromkeys("−–—‐‑¯", "-"))
_WITH_DOUBLE_GLIDES = {39, 41, 64, 67, 68}
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
    text = _plain(text)
    behind = _NUMBER.search(text)
    if behind is not None:
        number = int(behind.group(1) or behind.group(2))
        return [setting for setting in settings_of_symbol(text[: behind.start()], code) if setting.number == number]
    places = _names().get(_squeezed(text), frozenset())
    ending = _ENDING.search(text)
    if not places and ending is not None:
        found = next(group for group in ending.groups() if group)
        stem = _names().get(_squeezed(text[: ending.start()]), frozenset())
        places = _coded(stem, _ORIGINS.get(found.upper(), found))
        if not places and found.upper() == "S" and not any(_ext(_entries()[place]) for place in stem):
            places = stem  # the standard setting of a group with one origin
    return [_tabulated(place) for place in sorted(_coded(places, code) if code else places)]


def nearest_symbol(text: str) -> str:
    """Return a hint at the symbol that comes nearest to an unknown one, or an empty string."""
    names = _names()
    close = get_close_matches(_squeezed(_plain(text)), names, n=1, cutoff=0.7)
    return f", did you mean '{_shown(_entries()[min(names[close[0]])])}'?" if close else ""


def _plain(text: str) -> str:
    """Return a symbol in letters, digits and signs: without quotes, markup and overlines."""
    text = unicodedata.normalize("NFKD", text.translate(_MINUS))
    text = re.sub(r"(\d)[\u0304\u0305]", r"-\1", text)
    text = re.sub(r"\\(?:bar|overline)\s*\{?(\d)\}?", r"-\1", text)
    text = re.sub(r"[_'\"{}$]", "", text.strip())
    return re.sub(r"(?<=[2346])\(([1-5])\)", r"\1", text)


def _coded(places: frozenset[int], code: str) -> frozenset[int]:
    """Return the settings with a code: an origin, hexagonal or rhombohedral axes, a choice of axes and cell."""
    origin, axes = re.fullmatch(r"([12]?)(.*)", code.strip().lower()).groups()  # pyright: ignore[reportOptionalMemberAccess]
    if axes.startswith(("hex", "rhomb")):
        axes = axes[0]

    def fits(entry: gemmi.SpaceGroup) -> bool:
        ext, qualifier = _ext(entry).lower(), entry.qualifier
        if axes in {"h", "r"} and not origin:
            return ext == axes
        same_axes = not axes or (qualifier or "abc") == axes or (axes in {"a", "b", "c"} and axes in qualifier[:2])
        return same_axes and (not origin or ext == origin)

    return frozenset(place for place in places if fits(_entries()[place]))


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
    if entry.number in _WITH_DOUBLE_GLIDES:  # written e since 1992: C m c e
        with_e = [[*parts[:i], "e", *parts[i + 1 :]] for i, part in enumerate(parts) if part in "abc"]
        spellings += [" ".join([lattice, *written]) for written in with_e]
    return spellings + _with_all_elements(entry, lattice, parts)


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
