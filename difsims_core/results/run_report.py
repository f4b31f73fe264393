"""The report of a run: maps, scores, learning curves and the lineage from crystal files to maps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from difsims_core.config.pipeline import PipelineSpec
from difsims_core.dataset.crystals import crystals_today
from difsims_core.dataset.description import versions_in_words
from difsims_core.dataset.open import Simulation, open_simulation
from difsims_core.evaluate.report import LineageStep, ReportContent, ReportMap, render_report
from difsims_core.evaluate.scan_files import read_truth_of, scan_folder
from difsims_core.learn.bundle import ModelBundle, load_bundle
from difsims_core.results.scores import crystals_of, evaluation_of, readable
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import read_prediction
from difsims_core.storage.objects import ObjectStore, open_store

_SAMPLE_ROWS = 240


def sample_profiles(simulation: Simulation) -> dict[str, np.ndarray]:
    """Return some profiles of each phase of a dataset: class name → (m, 147)."""
    profiles = np.asarray(simulation["1d/x_px"][:_SAMPLE_ROWS])
    labels = np.asarray(simulation["1d/y_px"][:_SAMPLE_ROWS])[:, 0]
    by_phase = {name: profiles[labels == label] for label, name in enumerate(simulation.phases)}
    return {name: found for name, found in by_phase.items() if len(found)}


def write_report(
    store: str,
    spec: PipelineSpec,
    simulation: str,
    model: str,
    rows: Sequence[dict[str, Any]],
    title: str,
    places: Sequence[str],
) -> dict[str, Any]:
    """Write the report of a run unless it exists; return its URL and key, and whether it was there.

    Parameters
    ----------
    store
        Root URL of the store.
    spec
        The document of the run.
    simulation, model
        Ids.
    rows
        What the evaluation flow returned: URLs of the scores, and their digests.
    title
        Heading.
    places
        What the run was told to read (`places_of`).
    """
    place = open_store(store)
    scores = [place.read_record(place.key_of(row["scores"])) for row in rows]
    named = [title, simulation, model, spec.digest(), *(document["inputs_sha256"] for document in scores)]
    run = f"run-{hashlib.sha256(json.dumps(named).encode()).hexdigest()[:16]}"
    key = layout.report(run)
    if place.exists(key):
        return {"url": place.url(key), "key": key, "reused": True}
    opened = open_simulation(simulation, place)
    bundle = load_bundle(model, place)
    examples = sample_profiles(opened)
    maps = tuple(
        _map(place, place.url(layout.prediction(model, document["experiment"])), spec, places) for document in scores
    )
    content = ReportContent(
        title=title,
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        introduction=opened.attrs["summary"],
        facts=(
            ("simulated patterns", f"{opened.n_patterns:,}"),
            ("phases", str(len(opened.phases))),
            ("maps", str(len(maps))),
        ),
        held_out=bundle.metrics,
        history=bundle.history,
        maps=maps,
        example_q=opened.q_px,
        examples=examples,
        lineage=_lineage(opened, bundle, scores, places),
        parameters=spec.to_document(),
    )
    place.write(key, render_report(content).encode())
    return {"url": place.url(key), "key": key, "reused": False}


def _map(store: ObjectStore, url: str, spec: PipelineSpec, places: Sequence[str]) -> ReportMap:
    prediction = read_prediction(url)
    files = crystals_of(store.root, prediction, None, places)
    folder = scan_folder(prediction, url, readable(store.root, places))
    evaluation = evaluation_of(url, folder, spec.truth_folder, None, files)
    return ReportMap(prediction, evaluation, read_truth_of(prediction, url, spec.truth_folder))


def _lineage(
    simulation: Simulation, bundle: ModelBundle, scores: Sequence[dict[str, Any]], places: Sequence[str]
) -> tuple[LineageStep, ...]:
    attributes = simulation.attrs
    crystals = tuple((item["name"], _crystal(item)) for item in attributes["crystals"])
    crystals += tuple((item.name, item.finding) for item in crystals_today(simulation, places) if item.finding)
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
    maps = tuple((document["experiment"], document["prediction"]) for document in scores)
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
