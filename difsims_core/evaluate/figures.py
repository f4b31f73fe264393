"""All figures, by one name each; every one is a matplotlib `Figure` without a window."""

from __future__ import annotations

from difsims_core.evaluate.figure_style import phase_colours, to_png
from difsims_core.evaluate.map_figures import compared_figure, phase_map_figure, truth_figure
from difsims_core.evaluate.profile_figures import example_profiles_figure, peak_positions_figure
from difsims_core.evaluate.score_figures import confusion_figure, learning_curves_figure, reliability_figure

__all__ = [
    "compared_figure",
    "confusion_figure",
    "example_profiles_figure",
    "learning_curves_figure",
    "peak_positions_figure",
    "phase_colours",
    "phase_map_figure",
    "reliability_figure",
    "to_png",
    "truth_figure",
]
