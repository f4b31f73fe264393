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
from difsims_core.config.simulation import OutputSpec, SimulationSpec
from difsims_core.dataset.crystals import crystals_today
from difsims_core.dataset.description import versions_in_words
from difsims_core.dataset.open import Simulation
from difsims_core.evaluate.figure_style import as_percent
from difsims_core.evaluate.report import LineageStep, ReportContent, ReportMap, render_report
from difsims_core.evaluate.scan_files import read_truth_of
from difsims_core.learn.bundle import ModelBundle
from difsims_core.results.evaluate_map import read_evaluation
from difsims_core.results.evaluation_record import EvaluationRecord
from difsims_core.results.map_pictures import pictures_of
from difsims_core.results.map_scores import MapScores
from difsims_core.results.scan_verdicts import verdict_of_map
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import read_prediction
from difsims_core.storage.objects import ObjectStore

_SAMPLE_ROWS = 240


def sample_profiles(simulation: Simulation) -> dict[str, np.ndarray]:
    """Return some profiles of each phase of a dataset: class name → (m, 147)."""
    profiles = np.asarray(simulation["1d/x_px"][:_SAMPLE_ROWS])
    labels = np.asarray(simulation["1d/y_px"][:_SAMPLE_ROWS])[:, 0]
    return _by_phase(profiles, labels, simulation.phases)


def _fresh_profiles(store: ObjectStore, spec: SimulationSpec) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the axis, and some profiles of each phase, of a document of which nothing is stored."""
    from difsims_core.dataset.libraries.source import StoredLibraries  # with Numba, which reports of maps need not
    from difsims_core.simulation.simulator import Simulator

    document = spec.model_copy(update={"output": OutputSpec(x_all=False)})
    block = Simulator.prepare(document, StoredLibraries(store.root)).block(0, min(_SAMPLE_ROWS, spec.n_patterns))
    return block.q_px, _by_phase(block.x_px, block.y, spec.class_names)


def _by_phase(profiles: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    by_phase = {name: profiles[labels == label] for label, name in enumerate(names)}
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
    simulation: Simulation | None,
    bundles: Sequence[ModelBundle],
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
    simulation, bundles
        Dataset, None where nothing was trained on one, and models; the curves are those of the first.
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
    first = bundles[0]
    origin = first.training_fingerprint if simulation is None else simulation.id
    named = [title, origin, *(bundle.id for bundle in bundles), spec.digest()]
    named += [record.inputs_sha256 for record in records]
    named += verdicts_in_words(store, (record.prediction for record in records))
    with_truth = spec.truth_folder is not None
    labels = {bundle.id: f"{bundle.training.label} ({bundle.input})" for bundle in bundles}

    def content() -> ReportContent:
        maps = tuple(
            report_map(store, record, with_truth=with_truth, by=labels[record.cnn_id] if len(labels) > 1 else "")
            for record in records
        )
        compared = compared_maps(records, labels, spec.truth_folder)
        for name, picture in compared.items():
            store.write(compared_picture(first.id, name), picture)
        if simulation is None:
            introduction = f"{spec.simulation.n_patterns:,} fresh patterns an epoch, seed {spec.simulation.seed}"
            example_q, examples = _fresh_profiles(store, spec.simulation)
        else:
            introduction, example_q = simulation.attrs["summary"], simulation.q_px
            examples = sample_profiles(simulation)
        return ReportContent(
            title=title,
            created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            introduction=introduction,
            facts=(
                ("simulated patterns", f"{spec.simulation.n_patterns:,}"),
                ("phases", str(len(first.phases))),
                ("maps", str(len(records))),
            ),
            held_out=first.metrics,
            history=first.history,
            maps=maps,
            compared=compared,
            example_q=example_q,
            examples=examples,
            lineage=_lineage(simulation, bundles, records, also_read),
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


def report_map(store: ObjectStore, record: EvaluationRecord, *, with_truth: bool, by: str = "") -> ReportMap:
    """Return a map as reports show it, of its stored evaluation and pictures; ``by`` names its classifier."""
    known = with_truth and record.truth is not None
    pictures = pictures_of(record.cnn_id, record.experiment, with_truth=known)
    truth = None if pictures.truth is None else store.read(pictures.truth)
    scan = verdict_of_map(store, record.prediction)
    return ReportMap(record.evaluation(), store.read(pictures.phase_map), truth, scan, by)


def compared_picture(model: str, name: str) -> str:
    """Return the key of the picture of the maps of a scan side by side, beside the first of the models of a run."""
    return layout.figure(model, f"{name}-side-by-side.png")


def compared_maps(
    records: Sequence[EvaluationRecord], labels: Mapping[str, str], truth_folder: str | None = None
) -> dict[str, bytes]:
    """Return a picture, PNG, of the maps of each scan that several models have mapped, side by side, by its name.

    Parameters
    ----------
    records
        Evaluations of the maps.
    labels
        What the models are called, by their ids.
    truth_folder
        Where truth maps lie, which are drawn beside them.
    """
    from difsims_core.evaluate import figures

    found: dict[str, bytes] = {}
    for name in dict.fromkeys(record.experiment for record in records):
        same = [record for record in records if record.experiment == name]
        if len(same) < 2:
            continue
        maps = [(_with_score(labels[record.cnn_id], record), read_prediction(record.prediction)) for record in same]
        truth = read_truth_of(maps[0][1], same[0].prediction, truth_folder)
        found[name] = figures.to_png(figures.compared_figure(maps, truth, name))
    return found


def _with_score(label: str, record: EvaluationRecord) -> str:
    scores = record.evaluation().scores or {}
    off, whole = scores.get("accuracy_off_boundaries"), scores.get("accuracy")
    if whole is None:
        return label
    return f"{label}\n{as_percent(whole if off is None else off)} right{'' if off is None else ' off boundaries'}"


def verdicts_in_words(store: ObjectStore, predictions: Iterable[str]) -> list[str]:
    """Return what was said of the raw scans behind maps, by which reports that show it are told apart."""
    found = (verdict_of_map(store, url) for url in predictions)
    return [verdict.in_words for verdict in found if verdict is not None]


def _lineage(
    simulation: Simulation | None,
    bundles: Sequence[ModelBundle],
    records: Sequence[EvaluationRecord],
    also_read: Sequence[str],
) -> tuple[LineageStep, ...]:
    maps = tuple((record.experiment, record.prediction) for record in records)
    return (
        *([] if simulation is None else _of_dataset(simulation, also_read)),
        *(_of_model(bundle) for bundle in bundles),
        LineageStep("predictions", f"{len(maps)} maps", maps),
    )


def _of_dataset(simulation: Simulation, also_read: Sequence[str]) -> tuple[LineageStep, ...]:
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
    return (
        LineageStep("crystal files", f"{len(attributes['crystals'])} phases", crystals),
        LineageStep("dataset", simulation.id, dataset),
    )


def _of_model(bundle: ModelBundle) -> LineageStep:
    streamed = bundle.simulation
    patterns = () if streamed is None else (
        ("fresh patterns of", f"fingerprint {streamed.fingerprint}"),
        *((crystal.name, f"sha256 {crystal.sha256}") for crystal in streamed.crystals),
    )  # fmt: skip
    trained = (
        ("classifier", bundle.training.label),
        ("created", bundle.created),
        ("training fingerprint", bundle.training_fingerprint),
        ("weights", f"sha256 {bundle.weights_sha256}"),
        ("held-out accuracy", f"{bundle.metrics['accuracy']:.4f}"),
        ("versions", ", ".join(f"{name} {value}" for name, value in bundle.versions.items())),
    )
    return LineageStep("model", bundle.id, (*patterns, *trained))


def _crystal(record: Mapping[str, Any]) -> str:
    """Return how a crystal was read for a dataset."""
    warnings = "".join(f"; {warning}" for warning in record.get("warnings", ()))
    return f"{record.get('space_group', '')} {record['file']} sha256 {record['sha256']}{warnings}".strip()
