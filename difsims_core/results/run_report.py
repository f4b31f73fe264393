"""The report of a run: maps, scores, learning curves and the lineage from crystal files to maps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from difsims_core.config.pipeline import PipelineSpec
from difsims_core.dataset.crystals import crystals_today
from difsims_core.dataset.description import versions_in_words
from difsims_core.dataset.open import Simulation
from difsims_core.evaluate.report import LineageStep, ReportContent, ReportMap, render_report
from difsims_core.learn.bundle import ModelBundle
from difsims_core.results.evaluate_map import read_evaluation
from difsims_core.results.evaluation_record import EvaluationRecord
from difsims_core.results.map_pictures import pictures_of
from difsims_core.results.map_scores import MapScores
from difsims_core.results.scan_verdicts import verdict_of_map
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore

_SAMPLE_ROWS = 240


def sample_profiles(simulation: Simulation) -> dict[str, np.ndarray]:
    """Return some profiles of each phase of a dataset: class name → (m, 147)."""
    profiles = np.asarray(simulation["1d/x_px"][:_SAMPLE_ROWS])
    labels = np.asarray(simulation["1d/y_px"][:_SAMPLE_ROWS])[:, 0]
    by_phase = {name: profiles[labels == label] for label, name in enumerate(simulation.phases)}
    return {name: found for name, found in by_phase.items() if len(found)}


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """Where the report of a run lies.

    Attributes
    ----------
    url, key : str
        Its URL, and its key in the store.
    reused : bool
        Whether it was there already.
    """

    url: str
    key: str
    reused: bool


def write_report(
    spec: PipelineSpec,
    simulation: Simulation,
    bundle: ModelBundle,
    scores: Sequence[MapScores],
    *,
    store: ObjectStore,
    title: str,
    also_read: Sequence[str] = (),
) -> WrittenReport:
    """Write the report of a run unless it exists; it is made of the stored evaluations and pictures of the maps.

    Parameters
    ----------
    spec
        The document of the run.
    simulation, bundle
        Dataset and model.
    scores
        What `run_evaluation` returned.
    store
        Holds evaluations and pictures, and gets the report.
    title
        Heading.
    also_read
        What the run was told to read (`locations_of`).

    Raises
    ------
    MissingObjectError, CorruptDataError
        If an evaluation or a picture was removed or damaged meanwhile.
    """
    records = [read_evaluation(store, item.url) for item in scores]
    named = [title, simulation.id, bundle.id, spec.digest(), *(record.inputs_sha256 for record in records)]
    named += verdicts_in_words(store, (record.prediction for record in records))
    with_truth = spec.truth_folder is not None

    def content() -> ReportContent:
        return ReportContent(
            title=title,
            created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            introduction=simulation.attrs["summary"],
            facts=(
                ("simulated patterns", f"{simulation.n_patterns:,}"),
                ("phases", str(len(simulation.phases))),
                ("maps", str(len(records))),
            ),
            held_out=bundle.metrics,
            history=bundle.history,
            maps=tuple(report_map(store, record, with_truth=with_truth) for record in records),
            example_q=simulation.q_px,
            examples=sample_profiles(simulation),
            lineage=_lineage(simulation, bundle, records, also_read),
            parameters=spec.to_document(),
        )

    return keep_report(store, named, content)


def keep_report(store: ObjectStore, shown: Sequence[str], content: Callable[[], ReportContent]) -> WrittenReport:
    """Write a report unless it exists, under a name that is made of everything that it shows."""
    key = layout.report(f"run-{hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:16]}")
    reused = store.exists(key)
    if not reused:
        store.write(key, render_report(content()).encode())
    return WrittenReport(store.url(key), key, reused=reused)


def report_map(store: ObjectStore, record: EvaluationRecord, *, with_truth: bool) -> ReportMap:
    """Return a map as reports show it, of its stored evaluation and pictures."""
    known = with_truth and record.truth is not None
    pictures = pictures_of(record.cnn_id, record.experiment, with_truth=known)
    truth = None if pictures.truth is None else store.read(pictures.truth)
    scan = verdict_of_map(store, record.prediction)
    return ReportMap(record.evaluation(), store.read(pictures.phase_map), truth, scan)


def verdicts_in_words(store: ObjectStore, predictions: Iterable[str]) -> list[str]:
    """Return what was said of the raw scans behind maps, by which reports that show it are told apart."""
    found = (verdict_of_map(store, url) for url in predictions)
    return [verdict.in_words for verdict in found if verdict is not None]


def _lineage(
    simulation: Simulation, bundle: ModelBundle, records: Sequence[EvaluationRecord], also_read: Sequence[str]
) -> tuple[LineageStep, ...]:
    attributes = simulation.attrs
    crystals = tuple((item["name"], _crystal(item)) for item in attributes["crystals"])
    crystals += tuple((item.name, item.finding) for item in crystals_today(simulation, also_read) if item.finding)
    dataset = (
        ("fingerprint", attributes["fingerprint"]),
        ("created", attributes["created"]),
        ("made by", versions_in_words(attributes)),
        ("content", f"sha256 {simulation.completion.content_sha256}"),
        ("versions", ", ".join(f"{name} {value}" for name, value in attributes["versions"].items())),
    )
    trained = (
        ("created", bundle.created),
        ("training fingerprint", bundle.training_fingerprint),
        ("weights", f"sha256 {bundle.weights_sha256}"),
        ("held-out accuracy", f"{bundle.metrics['accuracy']:.4f}"),
        ("versions", ", ".join(f"{name} {value}" for name, value in bundle.versions.items())),
    )
    maps = tuple((record.experiment, record.prediction) for record in records)
    return (
        LineageStep("crystal files", f"{len(attributes['crystals'])} phases", crystals),
        LineageStep("dataset", simulation.id, dataset),
        LineageStep("model", bundle.id, trained),
        LineageStep("predictions", f"{len(maps)} maps", maps),
    )


def _crystal(record: Mapping[str, Any]) -> str:
    """Return how a crystal was read for a dataset."""
    warnings = "".join(f"; {warning}" for warning in record.get("warnings", ()))
    return f"{record.get('space_group', '')} {record['file']} sha256 {record['sha256']}{warnings}".strip()
