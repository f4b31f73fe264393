"""Which symmetry a crystal file states: by its list of operations, else its Hall symbol, its Hermann–Mauguin symbol,
or its number, in this order (docs/physics.md §3).

A statement that does not decide between settings is narrowed by the cell where only one setting fits it; what stays
open is an error, never a guess. Statements that contradict each other in their point group are an error too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import gemmi

from difsims_core.crystal.cell import UnitCell
from difsims_core.crystal.cif.operations import LISTS, listed_setting
from difsims_core.crystal.cif.space_groups import (
    named_setting,
    nearest_symbol,
    point_group_symbol,
    settings_of_number,
    settings_of_symbol,
)
from difsims_core.crystal.cif.tables import CifBlock
from difsims_core.crystal.setting import Setting
from difsims_core.errors import CrystalError

_HALL = ("_space_group_name_Hall", "_symmetry_space_group_name_Hall")
_SYMBOLS = (
    "_space_group_name_H-M_full",
    "_space_group_name_H-M_alt",
    "_symmetry_space_group_name_H-M",
    "_space_group_name_H-M",
)
_NUMBERS = ("_space_group_IT_number", "_symmetry_Int_Tables_number")
_CODE = "_space_group_IT_coordinate_system_code"
_BEYOND = (
    "_space_group_symop_magn",
    "_space_group_magn",
    "_parent_space_group",
    "_space_group_symop_ssg",
    "_space_group_ssg",
    "_cell_modulation",
)  # symmetry of magnetic and of modulated structures
_MOST_SHOWN = 12
_CLOSE = 2e-3  # of a cell that has its symmetry but for rounding
_FITS = (1e-4, 1e-3, 0.02)  # relative: the settings that fit a cell best are those that can be meant


@dataclass(frozen=True, slots=True)
class Statement:
    """What one item of the file says of the symmetry.

    Attributes
    ----------
    tag, value : str
        The item, and what it says.
    settings : tuple of Setting
        What it can mean; empty when it is unknown.
    """

    tag: str
    value: str
    settings: tuple[Setting, ...]

    @property
    def text(self) -> str:
        """Both, for messages."""
        return f"{self.tag} {self.value[:60]!r}" if self.value else self.tag


def read_symmetry(block: CifBlock, cell: UnitCell, source: str) -> tuple[Setting, tuple[str, ...]]:
    """Return the setting that a file states for its cell, and what a user should know about how it was found.

    Raises
    ------
    CrystalError
        If it is malformed, contradicts itself or the cell, or leaves a choice.
    """
    statements = [*_listed(block, source), *_hall(block, source), *_symbols(block), *_numbers(block)]
    known = [statement for statement in statements if statement.settings]
    if block.has_tags(*_BEYOND) and not any(map(block.values, LISTS)):
        raise CrystalError(
            f"{source}: states the symmetry of a magnetic or modulated structure, which is not read",
            "list the symmetry operations of the average structure (_space_group_symop_operation_xyz)",
        )
    if not known:
        return _none_known(statements, source)
    first, *others = known
    setting = _decided(first, others, cell, source)
    for other in others:
        _check_agreement(first, setting, other, source)
    if not setting.fits(cell.metric):
        raise CrystalError(f"{source}: {first.text} does not fit the cell ({cell})", "correct the cell or the symmetry")
    notes = _notes(first, setting, others, statements)
    if not setting.fits(cell.metric, _CLOSE):
        notes = (*notes, f"the cell has the symmetry of {first.text} only to some per cent of its lengths and angles")
    return setting, notes


def _listed(block: CifBlock, source: str) -> list[Statement]:
    setting = listed_setting(block, source)
    if setting is None:
        return []
    n = len(setting.rotations)
    text = f"the list of {n} operations" if n > 1 else "the list of operations, x,y,z alone,"
    return [Statement(text, "", (setting,))]


def _hall(block: CifBlock, source: str) -> list[Statement]:
    found = block.value(*_HALL)
    if found is None:
        return []
    try:
        operations = gemmi.symops_from_hall(found[1])
    except (RuntimeError, ValueError, IndexError):
        if any(map(block.values, LISTS)):
            return []
        raise CrystalError(
            f"{source}: {Statement(*found, ()).text} is no Hall symbol",
            "correct it, or list the symmetry operations (_space_group_symop_operation_xyz)",
        ) from None
    return [Statement(*found, (named_setting(operations),))]


def _symbols(block: CifBlock) -> list[Statement]:
    code = block.value(_CODE)
    statements = []
    for tag in _SYMBOLS:
        found = block.value(tag)
        if found is None:
            continue
        settings = settings_of_symbol(found[1])
        narrowed = settings_of_symbol(found[1], code[1]) if code else []
        statements.append(Statement(tag, found[1], tuple(narrowed or settings)))
    return statements


def _numbers(block: CifBlock) -> list[Statement]:
    found = block.value(*_NUMBERS)
    if found is None:
        return []
    number = int(float(found[1])) if re.fullmatch(r"\d{1,3}(\.0*)?", found[1]) else 0
    settings = settings_of_number(number)
    code = block.value(_CODE)
    if code:
        named = {setting.symbol for item in settings for setting in settings_of_symbol(item.symbol, code[1])}
        settings = [setting for setting in settings if setting.symbol in named] or settings
    return [Statement(*found, tuple(settings))]


def _none_known(statements: list[Statement], source: str) -> tuple[Setting, tuple[str, ...]]:
    """Return P 1, what a file without any statement means; refuse what is stated but not understood."""
    if statements:
        near = nearest_symbol(statements[0].value)
        raise CrystalError(
            f"{source}: {statements[0].text} is in no table of space groups{near}",
            "correct it, or list the symmetry operations (_space_group_symop_operation_xyz)",
        )
    (setting,) = settings_of_symbol("P 1")
    return setting, ("states no symmetry, so only the atoms that it lists are there (P 1)",)


def _decided(first: Statement, others: list[Statement], cell: UnitCell, source: str) -> Setting:
    """Return the one setting that a statement means for a cell; less weighty statements narrow it."""
    left = _each_once(first.settings)
    for other in others:
        also = {setting.keys for setting in other.settings}
        left = [setting for setting in left if setting.keys in also] or left
    fitting = left
    for tolerance in _FITS:
        fitting = [setting for setting in left if setting.fits(cell.metric, tolerance)]
        if fitting:
            break
    fitting = fitting or left
    if len(fitting) > 1:  # a short monoclinic symbol means unique axis b when the cell has right angles
        fitting = [setting for setting in fitting if setting.unique_axis_b] or fitting
    if len(fitting) == 1:
        return fitting[0]
    choices = [setting.symbol for setting in fitting]
    shown = ", ".join(f"'{choice}'" for choice in choices[:_MOST_SHOWN]) + ", …" * (len(choices) > _MOST_SHOWN)
    raise CrystalError(
        f"{source}: {first.text} leaves {len(choices)} settings open ({shown}), which place the atoms differently",
        f"add the line of the right one, such as _space_group_name_H-M_alt '{choices[0]}', or list the symmetry "
        "operations",
    )


def _each_once(settings: tuple[Setting, ...]) -> list[Setting]:
    """Return settings without those that have the operations of an earlier one."""
    return list({setting.keys: setting for setting in reversed(settings)}.values())[::-1]


def _check_agreement(first: Statement, setting: Setting, other: Statement, source: str) -> None:
    """Refuse a second statement of another point group."""
    if all(setting.point_group != candidate.point_group for candidate in other.settings):
        found, stated = point_group_symbol(setting), point_group_symbol(other.settings[0])
        raise CrystalError(
            f"{source}: contradicts itself: {first.text} has the point group {found}, {other.text} has {stated}",
            "remove the wrong one",
        )


def _notes(first: Statement, setting: Setting, others: list[Statement], statements: list[Statement]) -> tuple[str, ...]:
    notes = []
    for other in others:
        if all(setting.keys != candidate.keys for candidate in other.settings):
            centrings = {candidate.n_centrings for candidate in other.settings}
            points = (
                f" ({setting.n_centrings} lattice points in the cell, not {', '.join(map(str, sorted(centrings)))})"
            )
            differing = points if setting.n_centrings not in centrings else ""
            notes.append(f"{first.text} was taken although {other.text} means another group or setting{differing}")
    unknown = [statement.text for statement in statements if not statement.settings]
    return (*notes, *(f"{text} is not known and was passed over" for text in unknown))
