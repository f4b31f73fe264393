"""A converted document as commented YAML."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from difsims_core.config.distributions import DISTRIBUTIONS
from difsims_core.config.legacy.convert import Conversion
from difsims_core.config.yaml.writer import write_yaml

_WIDTH = 116
_SWEPT = "swept below"


def write_conversion(conversion: Conversion, version: str) -> str:
    """Return the new document as text; ``version`` of the package that wrote it goes into its head."""
    n_points = len(conversion.sweep.points)
    swept = {key for axis in conversion.sweep.axes for key in axis.keys}
    origin = f"{conversion.source} (sha256 {conversion.sha256[:16]}…)"
    head = [
        f"Converted by difsims {version} from {origin}: what the platform that this one succeeds did with it.",
        f"It stands for {n_points:,} simulations, see sweep." if n_points > 1 else "",
        "Read before use:" if conversion.findings else "",
        *(f"- {finding}" for finding in conversion.findings),
    ]
    lines = [line for text in head if text for line in _comment(text)]
    for key, value in conversion.document.items():
        if key == "sweep":
            lines += ["", *_comment("every combination is a simulation of its own; the last key varies fastest")]
            lines += ["sweep:", *(f"  {_inline(name)}: {_inline(values)}" for name, values in value.items())]
        else:
            lines += _lines(key, value, key, "", conversion.origins, swept)
    return "\n".join(lines) + "\n"


def _lines(name: str, value: Any, key: str, indent: str, origins: dict[str, str], swept: set[str]) -> Iterator[str]:
    section = isinstance(value, dict) and value and not value.keys() <= DISTRIBUTIONS.keys()
    origin = _SWEPT if key in swept else origins.get(key)
    note = f"  # {_plain(origin)}" if origin else ""
    if not section:
        line = f"{indent}{name}: {_inline(value)}"
        if note and len(line) + len(note) > _WIDTH:
            yield f"{indent}{note.strip()}"
            note = ""
        yield line + note
        return
    yield f"{indent}{name}:{note}"
    for part, item in value.items():
        yield from _lines(part, item, f"{key}.{part}", f"{indent}  ", origins, swept)


def _inline(value: Any) -> str:
    """Return a value as YAML on one line."""
    return write_yaml([value], in_one_line=True).strip()[1:-1]


def _comment(text: str) -> list[str]:
    wrapped = textwrap.wrap(
        _plain(text),
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="#   " if text.startswith("- ") else "# ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapped or ["#"]


def _plain(text: str) -> str:
    """Return a text that stays within its comment: names and values come from outside."""
    return "".join(character if character.isprintable() else "?" for character in " ".join(text.split()))
