"""The bytes of a crystal file as tables of text: any encoding, any case, looped or not."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Any

import gemmi

from difsims_core.errors import CrystalError
from difsims_core.messages import first_line

_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_VIEWER = "check it with a structure viewer"
POSITION = "_atom_site_fract_x"
_DECISIVE = re.compile(r"_cell_(?:length|angle)_|_symmetry_|_space_group_(?!id$)|_atom_site_(?:fract|occupancy|type)")
Table = dict[str, list[str | None]]
_BLOCK = re.compile(
    r"^[^\S\n]*data_", re.IGNORECASE | re.MULTILINE
)  # a line at a time: no run of empty lines is read twice
_LONGEST = 500  # of a value: symbols, numbers and formulas are shorter


@dataclass(frozen=True, slots=True)
class CifBlock:
    """The data block of one structure.

    Attributes
    ----------
    name : str
        Of the block.
    tables : tuple of dict
        All tags outside loops as a table of a single row (what such a tag says another time is one more table), then
        each loop as columns of equal length by tag. Tags are in lower case with ``_`` for ``.``, so that core CIF and
        its dotted form read the same; an undefined value (``?`` or ``.``) or an empty one is None.
    """

    name: str
    tables: tuple[Table, ...]

    def table(self, tag: str) -> Table:
        """Return the table that has a tag; an empty one when none has."""
        return next((table for table in self.tables if _tag(tag) in table), {})

    def has_tags(self, *beginnings: str) -> bool:
        """Return whether a tag that begins so has a value."""
        starts = tuple(map(_tag, beginnings))
        return any(tag.startswith(starts) and any(values) for table in self.tables for tag, values in table.items())

    def values(self, tag: str) -> list[str]:
        """Return the values under a tag that are defined."""
        return [value for value in self.table(tag).get(_tag(tag), []) if value is not None]

    def text(self, tag: str) -> str | None:
        """Return the value of a tag, if it has one."""
        found = self.value(tag)
        return found[1] if found else None

    def value(self, *tags: str) -> tuple[str, str] | None:
        """Return the first of some tags that has a value, and that value."""
        return next(((tag, found[0]) for tag in tags if (found := self.values(tag))), None)


def read_tables(data: bytes, source: str) -> CifBlock:
    """Return the block that holds atom sites; ``source`` is what errors call the file.

    Raises
    ------
    CrystalError
        If the file is no CIF, no block holds atom sites, or several do.
    """
    text = _decoded(data, source)
    if not _BLOCK.search(text):
        raise CrystalError(
            f"{source}: not a readable CIF file (it has no data_ block)", "convert it with a structure viewer"
        )
    try:
        document = gemmi.cif.read_string(text, check_level=0)  # tags that appear twice are judged here
    except (ValueError, RuntimeError, IndexError, MemoryError) as error:
        reason = re.sub(r"^string:", "line ", first_line(error))
        raise CrystalError(f"{source}: not a readable CIF file ({reason})", _VIEWER) from None
    blocks = [CifBlock(block.name, _tables(block)) for block in document]
    with_sites = [block for block in blocks if block.table(POSITION)]
    if not with_sites:
        cartesian = any(block.table("_atom_site_cartn_x") for block in blocks)
        reason = "gives Cartesian positions only; convert them to" if cartesian else "holds no atom sites; it needs"
        raise CrystalError(f"{source}: {reason} fractional coordinates (_atom_site_fract_x, …)")
    if len(with_sites) > 1:
        names = ", ".join(f"data_{block.name}" for block in with_sites[:5])
        raise CrystalError(
            f"{source}: holds {len(with_sites)} structures ({names})",
            "expected one, save the wanted one as a file of its own",
        )
    _check_repeats(with_sites[0], source)
    return with_sites[0]


def _check_repeats(block: CifBlock, source: str) -> None:
    """Refuse cell, symmetry or sites that are stated twice in different ways; other tags do not matter."""
    first: Table = {}
    for table in block.tables:
        for tag, values in table.items():
            if _DECISIVE.match(tag) and not _say_the_same(first.setdefault(tag, values), values):
                raise CrystalError(
                    f"{source}: states {tag} twice, as {_shown(first[tag])} and as {_shown(values)}",
                    "remove one of them",
                )


def _say_the_same(one: list[str | None], other: list[str | None]) -> bool:
    """Return whether values are the same numbers, or the same texts but for case and spaces."""
    return len(one) == len(other) and all(map(_alike, one, other))


def _alike(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return one == other
    same_text = "".join(one.split()).lower() == "".join(other.split()).lower()
    return same_text or number(one) == number(other)


def _shown(values: list[str | None]) -> str:
    return f"{values[0]!r}" if len(values) == 1 else f"a loop of {len(values)}"


def _decoded(data: bytes, source: str) -> str:
    """Return the text of a file: UTF-8, UTF-16 with or without a mark, or else the old Western encoding."""
    encoding = next((name for mark, name in _BOMS.items() if data.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in data[:4]:
        encoding = "utf-16-be" if data[0] == 0 else "utf-16-le"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    text = text.rstrip("\0\x1a")  # as old systems end a file
    if "\0" in text:
        raise CrystalError(f"{source}: not a readable CIF file (it holds zero bytes)", _VIEWER)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _tables(block: gemmi.cif.Block) -> tuple[Table, ...]:
    single: Table = {}
    tables = [single]
    for item in block:
        pair: Any = item.pair
        if pair is not None:
            tag, value = _tag(pair[0]), _text(pair[1])
            if single.get(tag, [None]) == [None]:
                single[tag] = [value]
            elif value not in {None, single[tag][0]}:
                tables.append({tag: [value]})
        elif item.loop is not None:
            loop = item.loop
            width = loop.width()
            values = [_text(value) for value in loop.values]
            tables.append({_tag(tag): values[i::width] for i, tag in enumerate(loop.tags)})
    return tuple(tables)


def _tag(tag: str) -> str:
    return tag.lower().replace(".", "_")


def _text(value: str) -> str | None:
    """Return a value in one line, as messages show it, and no longer than anything that matters here."""
    if gemmi.cif.is_null(value):
        return None
    plain = "".join(sign if sign.isprintable() else " " for sign in gemmi.cif.as_string(value))
    return " ".join(plain.split())[:_LONGEST] or None


def value_at(table: Table, tag: str, row: int) -> str | None:
    """Return the value under a tag, in lower case, in one row; None where there is none."""
    column = table.get(tag)
    return None if column is None else column[row]


def number(text: str | None) -> float:
    """Return a CIF number without its standard uncertainty; NaN where it is none."""
    return float("nan") if text is None else gemmi.cif.as_number(text)
