"""Figures of radial profiles: examples of each phase, and measured peaks on allowed lines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from difsims_core.evaluate.experiment_scores import ExperimentEvaluation, PhasePeaks
from difsims_core.evaluate.figure_style import (
    AS_TEXT,
    INK,
    Q_LABEL,
    QUIET,
    as_percent,
    drawable,
    name_figure,
    new_figure,
    phase_colours,
    quiet_axes,
)
from difsims_core.messages import shortened

_LONGEST_PHASE = 36  # of three columns, or beside the verdict


def example_profiles_figure(q: np.ndarray, profiles: Mapping[str, np.ndarray], title: str = "") -> Figure:
    """Draw some profiles of each phase, one above another, and their mean below them.

    Parameters
    ----------
    q : (nq,)
        Axis, Å⁻¹.
    profiles
        Class name → (m, nq) profiles, m ≥ 1; up to five are drawn, the mean is that of all.
    """
    colours = phase_colours(len(profiles))
    columns = min(len(profiles), 3)
    rows = -(-len(profiles) // columns)
    figure = new_figure(9.6, 2.7 * rows + 0.4)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    for axes in grid.ravel()[len(profiles) :]:
        axes.set_visible(False)
    for (name, values), axes, colour in zip(profiles.items(), grid.ravel(), colours, strict=False):
        shown = np.asarray(values)[:5]
        quiet_axes(axes, shortened(name, _LONGEST_PHASE))
        for i, profile in enumerate(shown[::-1]):
            offset = (i + 1) * 0.75
            span = float(np.ptp(profile)) or 1.0
            axes.fill_between(q, offset, offset + (profile - profile.min()) / span, color="white", zorder=20 - 2 * i)
            axes.plot(q, offset + (profile - profile.min()) / span, color=colour, lw=0.9, zorder=21 - 2 * i)
        mean = np.asarray(values).mean(axis=0)
        axes.plot(q, 0.7 * (mean - mean.min()) / (np.ptp(mean) or 1.0), color=INK, lw=1.2, zorder=40)
        axes.text(q[-1], 0.16, f"mean of {len(values)}", ha="right", fontsize=7.5, color=INK, zorder=41)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlim(q[0], q[-1])
    for axes in grid[-1]:
        axes.set_xlabel(Q_LABEL, fontsize=8)
    if title:
        name_figure(figure, title)
    return figure


def peak_positions_figure(evaluation: ExperimentEvaluation) -> Figure:
    """Draw for each phase the mean profile of its pixels, the measured peaks and the allowed lines at the fitted scale.

    Filled markers are peaks that found a line of their own, open ones did not. Lines below the profile are as long as
    they are strong. Phases that claim no pixel are left out.
    """
    colours = phase_colours(len(evaluation.phases))
    present = [i for i, phase in enumerate(evaluation.phases) if phase.mean_profile is not None]
    figure = new_figure(9.6, 1.9 * max(len(present), 1) + 0.5)
    grid = figure.subplots(max(len(present), 1), 1, squeeze=False, sharex=True)[:, 0]
    if not present:
        grid[0].text(0.5, 0.5, "no phase claims a pixel", transform=grid[0].transAxes, ha="center", color=QUIET)
    for i, axes in zip(present, grid, strict=False):
        phase = evaluation.phases[i]
        quiet_axes(axes, shortened(phase.phase, _LONGEST_PHASE))
        axes.set_title(drawable(_verdict(phase), 120), fontsize=8, color=QUIET, loc="right", **AS_TEXT)
        axes.set_yticks([])
        axes.set_ylim(-0.42, 1.12)
        axes.axhline(0.0, color=QUIET, lw=0.5)
        _draw_peaks(axes, phase, evaluation.q, colours[i])
    grid[-1].set_xlim(evaluation.q[0], evaluation.q[-1])
    grid[-1].set_xlabel(Q_LABEL, fontsize=8)
    return figure


def _draw_peaks(axes: Axes, phase: PhasePeaks, q: np.ndarray, colour: np.ndarray) -> None:
    assert phase.mean_profile is not None  # noqa: S101 - narrows the type; the caller has checked it
    low, span = float(phase.mean_profile.min()), float(np.ptp(phase.mean_profile)) or 1.0
    axes.plot(q, (phase.mean_profile - low) / span, color=colour, lw=1.3)
    if phase.peaks is not None and phase.peaks.q.size:
        height = (phase.peaks.height - low) / span + 0.06
        matched = np.zeros(phase.peaks.q.size, bool)
        if phase.match is not None:
            matched[list(phase.match.matched)] = True
        axes.scatter(phase.peaks.q[matched], height[matched], marker="v", s=26, color=INK, zorder=5)
        axes.scatter(
            phase.peaks.q[~matched], height[~matched], marker="v", s=26, facecolor="white", edgecolor=INK, zorder=5
        )
    if phase.lines is not None:
        lines = phase.lines
        scale = phase.match.scale if phase.match else 1.0
        axes.vlines(lines.q / scale, -0.05 - 0.35 * np.sqrt(lines.strength), -0.05, color=colour, lw=1.1)


def _verdict(phase: PhasePeaks) -> str:
    if phase.match is None:
        return f"{phase.n_pixels} pixels · {phase.reason}"
    match = phase.match
    null = "" if phase.null_f1 is None else f" (best other phase {phase.null_f1:.2f})"
    return (
        f"{phase.n_pixels} pixels · {match.n_matched}/{match.n_peaks} peaks explained · "
        f"{match.n_strong_found}/{match.n_strong} strong lines seen · F1 {match.f1:.2f}{null} · "
        f"lattice {as_percent(match.scale)}{' (at its limit)' if match.scale_at_limit else ''}"
    )
