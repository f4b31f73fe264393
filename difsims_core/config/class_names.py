"""Class names from what people call their crystal files."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 100
_UNUSABLE = re.compile(r"[^A-Za-z0-9_.+-]+")
_GREEK = re.compile(r"GREEK (?:SMALL|CAPITAL) LETTER (?:FINAL )?(\w+)")
_PRIMES = str.maketrans({"′": "'", "’": "'", "¯": "-", "−": "-", "–": "-"})


def file_spellings(path: str) -> list[str]:
    """Return a path, and with its ending in capitals if it is that of a crystal file."""
    return [path, f"{path[:-4]}.CIF"] if path.lower().endswith(".cif") else [path]


def class_name(text: str) -> str:
    """Return a usable class name for the name of a crystal: ``α-FAPbI₃ (cubic)`` → ``alpha-FAPbI3_cubic``.

    A name that is usable already stays as it is. Accents go, Greek letters are spelt out, everything else that is no
    letter, digit or one of ``_.+-`` becomes ``_``. Empty where nothing is left of it.
    """
    letters = []
    for letter in unicodedata.normalize("NFKD", text.translate(_PRIMES)):
        greek = _GREEK.fullmatch(unicodedata.name(letter, ""))
        letters.append(greek.group(1).lower() if greek else "" if unicodedata.combining(letter) else letter)
    name = _UNUSABLE.sub("_", "".join(letters))
    if name != text:
        name = re.sub(r"_*([+-])_*|_+", lambda found: found.group(1) or "_", name).rstrip("_")
    return name.lstrip("_.+-")[:LONGEST]
