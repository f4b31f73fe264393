"""Which chemical element an atom site is: by its type symbol, else by its label; never guessed."""

from __future__ import annotations

import re

import gemmi

_CHARGE = re.compile(r"(?:\d*[+-]|[+-]\d+|0|val?)?$", re.IGNORECASE)  # Pb2+, O2-, Na+, O-2, Fe0, Cval; never O2
_LABEL = re.compile(r"([A-Za-z]{1,3})(?:[_(]?\d[\w'*()+-]*|['*]*)$")  # Pb, Pb1, Pb2A, O(3), C1', Pb_1; never Na,K
_WATER = {"OW": "O", "OH": "O", "HW": "H"}  # parts of molecules whose other atoms have labels of their own
_HEAVIEST = 103  # of the tables of scattering factors


def chemical_symbol(text: str) -> str | None:
    """Return the element of a type symbol such as ``Pb2+``, ``O-2`` or ``CU1+``; None when it is none.

    Deuterium (D) scatters electrons as hydrogen; T is more often a tetrahedral site than tritium.
    """
    match = re.match(r"[A-Za-z]{1,2}", text)
    for letters in (match.group(), match.group()[:1]) if match else ():
        symbol = "H" if letters == "D" else _known(letters)
        if symbol and _CHARGE.match(text, len(letters)):
            return symbol
    return None


def element_of_label(label: str) -> str | None:
    """Return the element that a label begins with: ``Pb1``, ``O2A``, ``OW1``; None where it could be two or is none.

    The letters must be a symbol and nothing else, as in no ``CA1`` (Ca or C), ``FA``, ``NH4`` or ``T1``.
    """
    match = _LABEL.match(label)
    if match is None:
        return None
    letters = match.group(1)
    if letters == "D":
        return "H"
    if letters.upper() == letters and len(letters) == 2:
        one, two = _known(letters[0]), _known(letters)
        return _WATER.get(letters, None if one and two else two)
    return _known(letters) if len(letters) <= 2 else None


def element_of(symbol: str | None, label: str | None) -> str | None:
    """Return the element of a site with this type symbol and label; a symbol that is the label is read as one too."""
    if symbol is None:
        return element_of_label(label or "")
    as_label = symbol == label and symbol[:2] not in _WATER
    return chemical_symbol(symbol) or (element_of_label(symbol) if as_label else None)


def _known(letters: str) -> str | None:
    symbol = letters.capitalize()
    return symbol if symbol != "D" and 0 < gemmi.Element(symbol).atomic_number <= _HEAVIEST else None
