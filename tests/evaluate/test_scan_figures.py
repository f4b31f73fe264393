"""Figures of raw scans can be drawn for any scan, and say what their check says."""

from __future__ import annotations

import numpy as np
import pytest

from difsims_core.evaluate.figure_style import to_png
from difsims_core.evaluate.powder_lines import PowderLines
from difsims_core.evaluate.raw_scans.frame_figures import bad_pixels_figure, pattern_figure
from difsims_core.evaluate.raw_scans.line_figures import ellipse_figure, mean_profile_figure
from difsims_core.evaluate.raw_scans.scan_maps import drift_figure, fields_figure
from difsims_core.evaluate.raw_scans.verdict import judged, worst

SAID = "Bad: $ the beam jumps, or something else was taken for it."
LINES = PowderLines(np.array([0.2, 0.4]), np.array([1.0, 0.3]), np.zeros((2, 3), int))
AXIS = np.linspace(-0.03, 0.03, 13)


def texts(figure) -> str:
    return " ".join(text.get_text().replace("\n", " ") for text in figure.texts)


@pytest.mark.parametrize("mean", [np.zeros((8, 6)), np.random.default_rng(1).poisson(3, (40, 50)), np.ones((700, 20))])
def test_any_mean_pattern_can_be_drawn(mean):
    good = np.ones(mean.shape, bool)
    good[2:, 3] = False
    rings = {"a": np.array([2.0, 3.0]), "b": np.array([4.0])}
    for figure in (
        pattern_figure(mean, good, (3.0, 4.0), np.eye(2), rings, SAID),
        pattern_figure(mean, good, (3.0, 4.0), np.eye(2), {}, SAID),
        bad_pixels_figure(mean, good, SAID),
    ):
        assert SAID in texts(figure)
        assert to_png(figure, dpi=30)


@pytest.mark.parametrize("shape", [(5, 7), (1, 12), (1, 1)])
@pytest.mark.parametrize("step", [None, 2.0])
def test_maps_of_any_scan_can_be_drawn(shape, step):
    rng = np.random.default_rng(2)
    measured, model = rng.normal(128, 1, (2, *shape, 2))
    placed = rng.random(shape) < 0.3
    counts = rng.random(shape)
    counts[0, 0] = np.nan
    for figure in (
        drift_figure(measured, model, placed, step, SAID),
        drift_figure(measured, model, np.ones(shape, bool), step, SAID),
        fields_figure(counts, np.full(shape, np.nan), counts, step, SAID),
    ):
        assert SAID in texts(figure)
        assert to_png(figure, dpi=30)


def test_what_the_drift_placed_is_left_out_of_the_residuals():
    measured, model = np.full((2, 3, 2), 5.0), np.full((2, 3, 2), 4.0)
    placed = np.array([[True, False, False], [False, False, False]])
    residual = np.ma.filled(drift_figure(measured, model, placed, None).axes[2].images[0].get_array(), np.nan)
    assert np.isnan(residual).tolist() == placed.tolist()
    assert np.nanmax(residual) == 1


def test_an_ellipse_is_drawn_as_its_wave():
    phi = np.random.default_rng(3).uniform(0, 360, 400)
    a, b = 0.01, -0.02
    recorded = b * np.sin(2 * np.radians(phi)) - a * np.cos(2 * np.radians(phi))
    figure = ellipse_figure(phi, recorded, np.zeros(400), (a, b), (AXIS, np.zeros((13, 13))), SAID)
    medians = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    wave = b * np.sin(2 * np.radians(medians.get_xdata())) - a * np.cos(2 * np.radians(medians.get_xdata()))
    assert medians.get_ydata() == pytest.approx(100 * wave, abs=0.3)
    nothing = np.empty(0)
    empty = ellipse_figure(nothing, nothing, nothing, (0.0, 0.0), (AXIS, np.zeros((13, 13))), SAID)
    assert to_png(figure, dpi=30) != to_png(empty, dpi=30)


@pytest.mark.parametrize("lines", [{}, {"a": LINES, "b": PowderLines(np.empty(0), np.empty(0), np.empty((0, 3)))}])
def test_a_mean_profile_can_be_drawn_with_any_lines(lines):
    q = np.linspace(0.1, 1.3, 50)
    for profile in (np.exp(-q), np.zeros(50), np.full(50, np.nan)):
        figure = mean_profile_figure(q, profile, lines, SAID)
        assert SAID in texts(figure)
        assert to_png(figure, dpi=30)


@pytest.mark.parametrize(
    ("value", "limits", "verdict"),
    [
        (0.1, (0.1, 0.2), "good"), (0.15, (0.1, 0.2), "doubtful"), (0.21, (0.1, 0.2), "bad"),
        (np.nan, (0.1, 0.2), "bad"), (np.inf, (0.1, 0.2), "bad"),
        (30, (30, 3), "good"), (5, (30, 3), "doubtful"), (2, (30, 3), "bad"), (np.nan, (30, 3), "bad"),
    ],
)  # fmt: skip
def test_numbers_are_judged_by_their_limits(value, limits, verdict):
    check = judged("a number", value, "px", limits, "it is one.")
    assert check.verdict == verdict
    assert check.told.startswith(verdict.capitalize())
    assert worst((check, judged("other", 0.0, "", (1.0, 2.0), "fine."))) == verdict


def test_nothing_that_was_checked_is_bad():
    assert worst(()) == "good"
