"""The head of a figure of a scan: what it shows, and the sentence that judges it."""

from __future__ import annotations

import textwrap

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from difsims_core.evaluate.figure_style import AS_TEXT, INK, QUIET, drawable

_COLOURS = {"Good": "#0a7d4f", "Doubtful": "#a15c00", "Bad": "#b2182b"}
_LONGEST = 220
_CHARACTERS_PER_INCH = 15.5


def head(figure: Figure, title: str, sentence: str = "") -> None:
    """Write a title, and below it a sentence in the colour of the verdict with which it begins."""
    lines = textwrap.wrap(drawable(sentence, _LONGEST), int(_CHARACTERS_PER_INCH * figure.get_figwidth()))
    height = figure.get_figheight()
    room = (0.32 + 0.18 * len(lines)) / height
    figure.text(0.01, 1 - 0.06 / height, drawable(title, 100), fontsize=11, color=INK, va="top", **AS_TEXT)
    colour = _COLOURS.get(sentence.partition(":")[0], QUIET)
    figure.text(0.01, 1 - 0.28 / height, "\n".join(lines), fontsize=8.5, color=colour, va="top", **AS_TEXT)
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, 0, 1, 1 - room))
