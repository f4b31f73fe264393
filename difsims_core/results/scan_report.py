"""The report of a preprocessed scan: its verdict, and the figures that show why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.evaluate.report import LineageStep, ReportContent, render_report
from difsims_core.experiment.diagnose import checks
from difsims_core.experiment.diagnose.diagnosis import Diagnosis, spot_radii
from difsims_core.moments import now_text
from difsims_core.storage import layout
from difsims_core.storage.npz.pattern_flags import BEAM_MODELLED

if TYPE_CHECKING:
    from difsims_core.evaluate.powder_lines import PowderLines
    from difsims_core.storage.objects import ObjectStore

_MOST_DRAWN = 24  # phases whose lines a picture can show


def write_scan_report(store: ObjectStore, name: str, diagnosis: Diagnosis) -> str:
    """Draw the figures of a scan and write its report and its verdict, over those of an earlier one.

    Parameters
    ----------
    store
        Gets ``reports/<name>/index.html``, the figures and ``verdict.json`` beside it.
    name
        Of the experiment.
    diagnosis
        What is to be said of it.

    Returns
    -------
    str
        The key of the report.
    """
    pictures = {}
    for figure in scan_figures(diagnosis):
        pictures[f"{figure.name.replace('-', ' ').capitalize()}. {figure.sentence}"] = figure.png
        store.write(layout.figure(name, f"{figure.name}.png"), figure.png)
    scan, spec = diagnosis.prepared.scan, diagnosis.prepared.spec
    remarks = tuple((f"remark {number}", remark) for number, remark in enumerate(scan.remarks, 1))
    content = ReportContent(
        title=name,
        created=now_text(),
        introduction="A raw scan that was preprocessed: whether it can be trusted, and why.",
        facts=_facts(diagnosis),
        verdict=diagnosis.verdict,
        diagnostics=pictures,
        lineage=(LineageStep("raw scan", scan.source, (("format", scan.file_format), *remarks)),),
        parameters=spec.to_document(),
    )
    key = layout.report(name)
    store.write(key, render_report(content).encode())
    store.write(layout.verdict(name), diagnosis.verdict.to_record())
    return key


@dataclass(frozen=True, slots=True)
class ScanFigure:
    """A figure of a scan: its name, the sentence that judges what it shows, and a PNG."""

    name: str
    sentence: str
    png: bytes


def scan_figures(diagnosis: Diagnosis) -> Iterator[ScanFigure]:
    """Draw the figures of a scan, one by one."""
    from difsims_core.evaluate.figure_style import to_png
    from difsims_core.evaluate.raw_scans import frame_figures, line_figures, scan_maps

    prepared, sums, lines = diagnosis.prepared, diagnosis.sums, drawn_lines(diagnosis)
    survey, geometry, step = prepared.survey, prepared.survey.geometry, prepared.scan.scan_step_nm
    said = _said(diagnosis, checks.IDENTITY, checks.COVERAGE, checks.SATURATION)
    radii = {
        phase: found.q[np.argsort(-found.strength)] / geometry.calibration_per_angstrom
        for phase, found in lines.items()
    }
    row, column = np.nanmean(sums.centres, axis=(0, 1))
    figure = frame_figures.pattern_figure(
        survey.mean, survey.pixels.good, (float(row), float(column)), np.linalg.inv(geometry.undistort), radii, said
    )
    yield ScanFigure("mean-pattern", said, to_png(figure))
    said = _said(diagnosis, checks.CENTRE, checks.MODELLED)
    ny, nx = prepared.scan.scan_shape
    model = survey.drift.at(np.argwhere(np.ones((ny, nx), bool))).reshape(ny, nx, 2)
    placed = (sums.flags & BEAM_MODELLED != 0) | (survey.finder is None)
    yield ScanFigure("drift", said, to_png(scan_maps.drift_figure(sums.centres, model, placed, step, said)))
    said = _said(diagnosis, checks.DOSE, checks.DEAD_PATTERNS)
    figure = scan_maps.fields_figure(sums.beam, sums.scattered, sums.counts, step, said)
    yield ScanFigure("virtual-detectors", said, to_png(figure))
    if survey.fit is not None:
        said = _said(diagnosis, checks.ELLIPSE)
        spots, looked_at = spot_radii(diagnosis), survey.fit.looked_at
        figure = line_figures.ellipse_figure(
            spots.azimuth_deg, spots.recorded, spots.undone, geometry.ellipse, (looked_at.axis, looked_at.gain), said
        )
        yield ScanFigure("ellipse", said, to_png(figure))
    said = _said(diagnosis, checks.AGREEMENT, checks.CALIBRATION)
    figure = line_figures.mean_profile_figure(prepared.grids.q, sums.mean_profile, lines, said)
    yield ScanFigure("mean-profile", said, to_png(figure))
    said = _said(diagnosis, checks.BAD_PIXELS)
    figure = frame_figures.bad_pixels_figure(survey.mean, survey.pixels.good, said)
    yield ScanFigure("bad-pixels", said, to_png(figure))


def drawn_lines(diagnosis: Diagnosis) -> dict[str, PowderLines]:
    """Return the lines of the candidate phases; of very many those of the phases that fit most patterns."""
    lines, fit = diagnosis.lines, diagnosis.prepared.survey.fit
    if len(lines) <= _MOST_DRAWN:
        return dict(lines)
    patterns = np.zeros(len(lines)) if fit is None else np.bincount(fit.phase, minlength=len(lines))
    return dict(lines[number] for number in sorted(np.argsort(-patterns, kind="stable")[:_MOST_DRAWN]))


def _said(diagnosis: Diagnosis, *names: str) -> str:
    """Return what the worst of some checks says."""
    check = diagnosis.verdict.of(*names)
    return "" if check is None else check.told


def _facts(diagnosis: Diagnosis) -> tuple[tuple[str, str], ...]:
    scan, survey = diagnosis.prepared.scan, diagnosis.prepared.survey
    geometry, (ny, nx), (rows, columns) = survey.geometry, scan.scan_shape, scan.frame_shape
    error = f" ± {100 * geometry.calibration_error:.2f} %" if geometry.calibration_error else ""
    facts = [
        ("verdict", diagnosis.verdict.overall),
        ("patterns", f"{ny} × {nx}"),
        ("detector", f"{rows} × {columns} px"),
        ("calibration", f"{geometry.calibration_per_angstrom:.6g} Å⁻¹/px{error}"),
        ("ellipticity", f"{100 * geometry.ellipticity:.2f} %"),
        ("drift", survey.drift.kind),
        ("an electron reads", f"{survey.counts_scale:.3g}"),
        ("scan step", "unknown" if scan.scan_step_nm is None else f"{scan.scan_step_nm:g} nm"),
    ]
    return tuple(facts)
