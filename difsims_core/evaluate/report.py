"""The report of a run: one self-contained HTML page, readable without network, script or server."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from difsims_core.evaluate import figures
from difsims_core.evaluate.experiment_scores import ExperimentEvaluation
from difsims_core.evaluate.figure_style import as_percent
from difsims_core.evaluate.raw_scans.verdict import ScanVerdict
from difsims_core.messages import printable_lines

_TEMPLATE = "report.html.j2"


@dataclass(frozen=True)
class ReportMap:
    """One predicted map.

    Attributes
    ----------
    evaluation
        What `evaluate_experiment` said of it; its name is the name of the map.
    phase_map
        The picture of its phases and their confidence, a PNG.
    truth
        The picture of the map beside its truth, a PNG; None where the truth is not known.
    scan
        What was said of the raw scan that it was made from; None where nobody judged it.
    by
        Which classifier has made it, where there are several.
    """

    evaluation: ExperimentEvaluation
    phase_map: bytes
    truth: bytes | None = None
    scan: ScanVerdict | None = None
    by: str = ""

    @property
    def name(self) -> str:
        """What it is called in the report."""
        return f"{self.evaluation.name}, {self.by}" if self.by else self.evaluation.name


@dataclass(frozen=True)
class LineageStep:
    """One station between crystal files and maps.

    Attributes
    ----------
    kind
        ``crystal files``, ``dataset``, ``model``, ``predictions``, …
    name
        Id or name.
    facts
        Pairs of a label and a value: checksums, fingerprints, URLs, counts, versions.
    """

    kind: str
    name: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ReportContent:
    """All that a report shows; a part that is empty or None is left out.

    Attributes
    ----------
    title, created
        Heading, and the date as text.
    introduction
        One paragraph under the heading.
    facts
        Pairs of a label and a value shown first: wall time, numbers of patterns, rates.
    held_out
        `classification_scores` on simulated held-out patterns.
    history
        Epochs as `learning_curves_figure` takes them.
    maps
        Predicted maps with their evaluations.
    compared
        Name of a scan → picture of the maps of several classifiers side by side, PNG.
    verdict
        Checks of a raw scan.
    diagnostics
        What is shown of a raw scan, and what its check says → picture, PNG.
    unscored
        Name → picture of predicted maps without an evaluation, PNG.
    example_q : (nq,) or None
        Axis of the example profiles, Å⁻¹.
    examples
        Class name → (m, nq) simulated profiles.
    lineage
        Stations in order, crystal files first.
    parameters
        The parameter document of the run.
    """

    title: str
    created: str = ""
    introduction: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    held_out: Mapping[str, Any] | None = None
    history: Sequence[Mapping[str, float]] = ()
    maps: tuple[ReportMap, ...] = ()
    compared: Mapping[str, bytes] | None = None
    verdict: ScanVerdict | None = None
    diagnostics: Mapping[str, bytes] | None = None
    unscored: Mapping[str, bytes] | None = None
    example_q: np.ndarray | None = None
    examples: Mapping[str, np.ndarray] | None = None
    lineage: tuple[LineageStep, ...] = ()
    parameters: Mapping[str, Any] | None = None


def render_report(content: ReportContent) -> str:
    """Return the HTML page; figures are drawn here and embedded, every text is escaped."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    environment.filters |= {
        "percent": as_percent,
        "number": _number,
        "short": _short,
        "png": _drawn,
        "embedded": _data_uri,
    }
    template = environment.from_string(files("difsims_core.evaluate").joinpath(_TEMPLATE).read_text(encoding="utf-8"))
    return template.render(
        content=content,
        rows=_score_rows(content),
        figures=figures,
        has_truth=any(entry.truth is not None for entry in content.maps),
        parameters=None
        if content.parameters is None
        else json.dumps(content.parameters, indent=2, ensure_ascii=False, default=str),
    )


def _score_rows(content: ReportContent) -> list[dict[str, Any]]:
    """Return one row of numbers for the held-out patterns and for each map."""
    rows: list[dict[str, Any]] = []
    if content.held_out:
        rows.append({"name": "simulated, held out", "scores": content.held_out, "evaluation": None, "fits": None})
    for entry in content.maps:
        verdicts = [phase.better_than_null for phase in entry.evaluation.phases]
        known = [verdict for verdict in verdicts if verdict is not None]
        rows.append(
            {
                "name": entry.name,
                "scores": entry.evaluation.scores or {},
                "evaluation": entry.evaluation,
                "fits": f"{sum(known)} of {len(known)}" if known else None,
            }
        )
    return rows


def _shown(value: Any) -> Any:
    """Return what an expression of the template shows: text of ours stays markup, all other is made printable."""
    return printable_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _drawn(figure: Figure) -> str:
    return _data_uri(figures.to_png(figure))


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
