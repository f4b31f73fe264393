"""The reports of single commands: maps that were predicted, and maps that were scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from difsims_core.evaluate.report import LineageStep, ReportContent
from difsims_core.moments import now_text
from difsims_core.results.evaluate_map import read_evaluation
from difsims_core.results.map_pictures import keep_phase_map
from difsims_core.results.run_report import WrittenReport, keep_report, report_map, verdicts_in_words
from difsims_core.results.scan_verdicts import verdict_of_map
from difsims_core.storage.npz.contracts import predicted_name, read_prediction

if TYPE_CHECKING:
    from difsims_core.results.map_scores import MapScores
    from difsims_core.storage.objects import ObjectStore


def write_map_report(store: ObjectStore, predictions: Sequence[str]) -> tuple[WrittenReport, dict[str, str]]:
    """Draw predicted maps and write a report of them, without scores, unless they are there.

    Parameters
    ----------
    store
        Gets pictures and report.
    predictions
        URLs.

    Returns
    -------
    report : WrittenReport
        Where it lies.
    pictures : dict
        Name of the map → URL of its picture.

    Raises
    ------
    ExperimentError
        If a prediction is none.
    """
    pictures, digests, models = dict[str, str](), list[str](), dict[str, None]()
    scans = [(predicted_name(url), verdict_of_map(store, url)) for url in predictions]
    judged = tuple((f"raw scan of {name}", found.in_words) for name, found in scans if found is not None)
    for url in predictions:
        prediction, name = read_prediction(url), predicted_name(url)
        pictures[name] = keep_phase_map(store, prediction, name)
        digests.append(prediction.sha256)
        models[prediction.cnn_id] = None

    def content() -> ReportContent:
        drawn = {name: store.read(key) for name, key in pictures.items()}
        facts = (("maps", str(len(drawn))), ("models", ", ".join(models)), *judged)
        return ReportContent("Predicted phase maps", now_text(), facts=facts, unscored=drawn, lineage=_made_by(models))

    report = keep_report(store, ["predicted", *pictures, *digests, *(said for _, said in judged)], content)
    return report, {name: store.url(key) for name, key in pictures.items()}


def write_score_report(store: ObjectStore, scores: Sequence[MapScores], *, with_truth: bool) -> WrittenReport:
    """Write the report of scored maps unless it exists; it is made of their stored evaluations and pictures.

    Parameters
    ----------
    store
        Holds evaluations and pictures, and gets the report.
    scores
        What `run_evaluation` returned.
    with_truth
        Whether maps are shown beside their truth, where it is known.

    Raises
    ------
    MissingObjectError, CorruptDataError
        If an evaluation or a picture was removed or damaged meanwhile.
    """
    records = [read_evaluation(store, item.url) for item in scores]

    def content() -> ReportContent:
        maps = tuple(report_map(store, record, with_truth=with_truth) for record in records)
        models = dict.fromkeys(record.cnn_id for record in records)
        facts = (("maps", str(len(maps))), ("models", ", ".join(models)))
        return ReportContent("Scores of phase maps", now_text(), facts=facts, maps=maps, lineage=_made_by(models))

    said = verdicts_in_words(store, (record.prediction for record in records))
    return keep_report(
        store, ["scored", str(with_truth), *(record.inputs_sha256 for record in records), *said], content
    )


def _made_by(models: Mapping[str, None]) -> tuple[LineageStep, ...]:
    return tuple(LineageStep("model", model) for model in models)
