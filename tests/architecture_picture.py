"""Draw the floors and who imports whom: ``python -m tests.architecture_picture`` writes ``docs/architecture.svg``.

Rooms stand in the order of their floors, from the top down, each with the first line of its docstring. Beside them lies
a matrix: a dot in a room's row says that a module of it imports from the room of the column. Imports run downwards, so
that every dot lies right of the diagonal.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path

from tests.test_architecture import CORE, FILES, FLOOR, GROUND_OF_FLOWS, ROOT, floor_of, imports_of, room_of

PICTURE = ROOT / "docs" / "architecture.svg"

_ROW, _COLUMN = 30, 24  # px
_LEFT, _NAMES, _MATRIX, _TOP = 20, 64, 700, 128  # px: margin, names of rooms, first column, first row
_LONGEST_TEXT = 86
_GROUND_TEXT = "Errors, units, addresses of random numbers, families of plugins: single files"
_FLOWS, _CORE = "#b45309", "#1d4ed8"


def rooms() -> list[str]:
    """Return all rooms from the top floor down; those of one floor by name."""
    there = {room_of(_module_of(path)) for path in FILES}
    named = [*(room for room in FLOOR if room in there), GROUND_OF_FLOWS]
    return sorted(named, key=lambda room: (-floor_of(room), room))


def edges() -> set[tuple[str, str]]:
    """Return each pair of rooms of which the first imports from the second; the package's face is no room."""
    found = set()
    for path in FILES:
        own = room_of(_module_of(path))
        if path != CORE / "__init__.py" and own is not None:
            targets = {room_of(module) for module in imports_of(path)}
            found |= {(own, target) for target in targets if target is not None and target != own}
    return found


def picture() -> str:
    """Return the picture as SVG."""
    order, arrows = rooms(), edges()
    row = {room: _TOP + place * _ROW for place, room in enumerate(order)}
    column = {room: _MATRIX + (place + 0.5) * _COLUMN for place, room in enumerate(order)}
    width, height = _MATRIX + len(order) * _COLUMN + 90, _TOP + len(order) * _ROW + 16
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            'font-family="Helvetica, Arial, sans-serif" font-size="11.5" fill="#111827">'
        ),
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="30" font-size="18" font-weight="bold">Floors of difsims</text>',
        *(
            f'<text x="{_LEFT}" y="{54 + 17 * number}">{line}</text>'
            for number, line in enumerate(
                (
                    "A room imports from rooms of lower floors, never from one beside or above it.",
                    "A dot: the room of this row imports from the room of that column. All dots lie right",
                    (
                        f'of the diagonal. <tspan fill="{_FLOWS}">Orchestration</tspan> stands on '
                        f'<tspan fill="{_CORE}">the science</tspan>, which knows nothing of it.'
                    ),
                )
            )
        ),
        *_bands(order, row, width),
        *_headers(order, column, row),
    ]
    for room in order:
        parts += _room(room, row[room], column[room])
        parts += [
            f'<circle cx="{column[target]:g}" cy="{row[room] + _ROW / 2:g}" r="4.5" fill="{_colour(target)}"/>'
            for target in order
            if (room, target) in arrows
        ]
    return "\n".join([*parts, "</svg>", ""])


def _bands(order: list[str], row: Mapping[str, int], width: int) -> list[str]:
    """Shade every other floor, and number the floors from the ground."""
    floors = sorted({floor_of(room) for room in order})
    parts = []
    for number, floor in enumerate(floors):
        members = [room for room in order if floor_of(room) == floor]
        top = row[members[0]]
        shade = "#f3f4f6" if number % 2 else "#ffffff"
        size = f'width="{width - 2 * _LEFT}" height="{len(members) * _ROW}"'
        parts += [
            f'<rect x="{_LEFT}" y="{top}" {size} fill="{shade}"/>',
            f'<text x="{_LEFT + 22}" y="{top + _ROW / 2 + 4:g}" text-anchor="middle" fill="#6b7280">{number}</text>',
        ]
    return parts


def _headers(order: list[str], column: Mapping[str, float], row: Mapping[str, int]) -> list[str]:
    """Write the names above the columns, and a faint line down to each room's place on the diagonal."""
    parts = []
    for room in order:
        x = column[room]
        parts += [
            f'<line x1="{x:g}" y1="{_TOP}" x2="{x:g}" y2="{row[room] + _ROW / 2:g}" stroke="#e5e7eb"/>',
            (
                f'<text transform="translate({x + 4:g} {_TOP - 6}) rotate(-55)" fill="{_colour(room)}">'
                f"{escape(_short(room))}</text>"
            ),
        ]
    return parts


def _room(room: str, y: int, x: float) -> list[str]:
    """Write the name and the docstring of a room, and its square on the diagonal."""
    middle = y + _ROW / 2
    return [
        f'<text x="{_NAMES}" y="{middle + 4:g}" font-weight="bold" fill="{_colour(room)}">{escape(_name(room))}</text>',
        f'<text x="{_NAMES + 118}" y="{middle + 4:g}">{escape(_docstring(room))}</text>',
        f'<rect x="{x - 5:g}" y="{middle - 5:g}" width="10" height="10" fill="none" stroke="{_colour(room)}"/>',
    ]


def _module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _colour(room: str) -> str:
    return _FLOWS if room.split("/", maxsplit=1)[0] == "flows" else _CORE


def _name(room: str) -> str:
    return {"": "(ground)", "flows": "flows/*.py"}.get(room, room)


def _short(room: str) -> str:
    return {"": "ground", "flows": "pages"}.get(room, room.removeprefix("flows/"))


def _docstring(room: str) -> str:
    """Return the first sentence of a room's docstring, without citations and markup, cut where it is long."""
    if room == "":
        return _GROUND_TEXT
    place = (
        ROOT / f"{room}.py" if room == GROUND_OF_FLOWS else (ROOT if "flows" in room else CORE) / room / "__init__.py"
    )
    text = (ast.get_docstring(ast.parse(place.read_text(encoding="utf-8"))) or "").splitlines()[0]
    text = re.sub(r"``|`", "", re.sub(r" \([^)]*§[^)]*\)", "", text)).rstrip(".")
    if len(text) <= _LONGEST_TEXT:
        return text
    shorter = re.match(r"(.*)[,:;] ", text[:_LONGEST_TEXT])  # up to the last clause that fits
    return shorter[1] if shorter else f"{text[: _LONGEST_TEXT - 1]}…"


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
