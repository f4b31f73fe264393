"""The whole way as one document says: preprocess, simulate, train, predict, evaluate, report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from prefect.runtime import flow_run

from difsims_core.config.learning import TrainingSpec
from difsims_core.config.pipeline import PipelineSpec
from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.crystal.catalogue import find_crystal
from difsims_core.dataset.open import Simulation, open_simulation
from difsims_core.errors import InputError
from difsims_core.experiment.open_scan import open_raw_scan, raw_scan_name
from difsims_core.experiment.scan_files import raw_scans
from difsims_core.learn.bundle import ModelBundle, load_bundle
from difsims_core.learn.classifiers.base import input_of
from difsims_core.learn.measured_scan import has_polar_patterns
from difsims_core.learn.predict_scans import check_names
from difsims_core.models.dataset_kind import require_patterns
from difsims_core.results.evaluate_map import locations_of
from difsims_core.results.map_pictures import pictures_of
from difsims_core.results.map_scores import MapScores
from difsims_core.results.run_report import WrittenReport, write_report
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import TRUTH_ENDING, experiment_name, predicted_name
from difsims_core.storage.objects import ObjectStore, expand_urls, files_in, open_store, url_name
from flows.evaluate import evaluate
from flows.execution.item_failures import StageFailures
from flows.execution.no_persistence import flow
from flows.execution.steps import Step
from flows.predict import predict
from flows.preprocess import preprocess
from flows.simulate import simulate
from flows.train import train
from flows.ui.artifacts import link, short_count, table, tag_run
from flows.ui.parameters import Pipeline, StoreUrl, Title
from flows.ui.progress import log_and_show, show_line
from flows.ui.run_page import RunPage, run_page
from flows.ui.summaries import score_row, scores_in_words, show_map

_DEFAULT = PipelineSpec()
_MOST_PICTURES = 24  # on the page of a run; all maps are in the report


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """What a pipeline has made.

    Attributes
    ----------
    simulation : str or None
        Id of the dataset; None where nothing was trained on one.
    model : str
        Id of the classifier of ``training``.
    also : tuple of str
        Ids of the further ones.
    predictions : tuple of str
        URLs of the phase maps; those of a scan follow each other.
    scores : tuple of MapScores
        Of each of them.
    report : str
        URL of the report.
    """

    simulation: str | None
    model: str
    also: tuple[str, ...]
    predictions: tuple[str, ...]
    scores: tuple[MapScores, ...]
    report: str


def check_inputs(spec: PipelineSpec) -> None:
    """Refuse, before any work, scans and truth maps that are not there, and classifiers that find nothing to read."""
    raw = raw_scans(spec.raw_scans)
    for scan in raw:
        open_raw_scan(scan, spec.preprocessing.reading)
    measured = expand_urls(spec.experiments) if spec.experiments else []
    check_names([*measured, *(f"{raw_scan_name(scan)}{layout.PROFILES_ENDING}" for scan in raw)])
    if spec.truth_folder is not None:
        files_in(spec.truth_folder, TRUTH_ENDING)
    for training in spec.trainings:
        require_patterns(spec.simulation, training)
    polar_only = all(input_of(training).kind == "polar" for training in spec.trainings)
    polar = (raw and spec.preprocessing.integration.polar) or any(map(has_polar_patterns, measured))
    if polar_only and (raw or measured) and not polar:
        raise InputError(
            f"{spec.training.label} reads polar patterns, and none of the scans has any",
            "preprocess raw scans (raw_scans, integration.polar: true), or add a classifier of profiles, such as "
            "also: [{network: large_filter}]",
        )


def _run_name() -> str:
    spec: PipelineSpec = flow_run.parameters["spec"]
    named = (*spec.raw_scans, *spec.experiments)[:3]
    scans = ", ".join(item.rstrip("/").rsplit("/", 1)[-1] for item in named) or "no experiments"
    patterns = f"{short_count(spec.simulation.n_patterns)} × {len(spec.simulation.class_names)} phases"
    return f"pipeline {patterns}, {_classifiers(spec)}, {scans}"


@flow(name="pipeline", flow_run_name=_run_name)
def pipeline(
    spec: Pipeline = _DEFAULT, store: StoreUrl = None, title: Title = "Phase maps from simulated patterns"
) -> PipelineResult:
    """Go the whole way and return what was made.

    Parameters
    ----------
    spec
        All stages in one document.
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    title
        Heading of the report.
    """
    objects = open_store(store)
    check_inputs(spec)
    stored = any(training.source == "stored" for training in spec.trainings)
    first = ("preprocess",) if spec.raw_scans else ()
    last = ("predict", "evaluate") if spec.experiments or spec.raw_scans else ()
    stages = (*first, *(("simulate",) if stored else ()), "train", *last, "report")
    failures = StageFailures()
    with run_page("pipeline", ", ".join(stages), _on_what(spec), len(stages)) as page:
        experiments = expand_urls(spec.experiments) if spec.experiments else []
        if spec.raw_scans:
            scans = raw_scans(spec.raw_scans)
            made = failures.results(scans, lambda: preprocess(scans, _preprocessing(spec), objects.root)).values()
            experiments += made
            page.stage_done(f"{len(made)} raw scans preprocessed", {url_name(url): url for url in made})
        simulation = None
        if stored:
            simulation = open_simulation(simulate(spec.simulation, objects.root), objects)
            tag_run(simulation.id)
            page.stage_done(f"dataset {simulation.id}", {simulation.id: simulation.url})
        bundles = [_trained(objects, spec, training, simulation) for training in spec.trainings]
        bundles = list({bundle.id: bundle for bundle in bundles}.values())
        tag_run(*(bundle.id for bundle in bundles))
        models = {bundle.id: objects.url(layout.model(bundle.id)) for bundle in bundles}
        page.stage_done(f"model {', '.join(models)}", models, good="; ".join(map(_held_out, bundles)))
        result = _map_and_report(
            objects, spec, experiments, page, failures, simulation=simulation, bundles=bundles, title=title
        )
        failures.raise_if_any()
        return result


def _trained(
    objects: ObjectStore, spec: PipelineSpec, training: TrainingSpec, simulation: Simulation | None
) -> ModelBundle:
    """Train a classifier on the dataset, or on fresh patterns where its document says so."""
    if training.source == "stream" or simulation is None:
        return load_bundle(train([], training, objects.root, spec.simulation), objects)
    return load_bundle(train([simulation.id], training, objects.root), objects)


def _preprocessing(spec: PipelineSpec) -> PreprocessingSpec:
    """Return how raw scans are preprocessed: with the crystals of the simulation where no others are named."""
    if spec.preprocessing.phases:
        return spec.preprocessing
    simulation = spec.simulation
    phases = tuple(find_crystal(phase.name, phase.cif, simulation.crystal_folder) for phase in simulation.phases)
    return spec.preprocessing.model_copy(update={"phases": phases})


def _map_and_report(
    objects: ObjectStore,
    spec: PipelineSpec,
    experiments: list[str],
    page: RunPage,
    failures: StageFailures,
    *,
    simulation: Simulation | None,
    bundles: list[ModelBundle],
    title: str,
) -> PipelineResult:
    """Predict and evaluate the scans, show the maps, write the report; return what the flow returns."""
    predictions: list[str] = []
    scores: list[MapScores] = []
    also_read = locations_of(experiments, spec.simulation)
    if experiments:
        predictions = _predicted(objects, spec, experiments, bundles, failures)
        maps = {_map_name(url, bundles): url for url in predictions}
        page.stage_done(f"{len(maps)} phase maps: {', '.join(maps)}", maps)
        scored = failures.results(
            predictions,
            lambda: evaluate(predictions, truth=spec.truth_folder, store=objects.root, also_read=also_read),
        )
        scores = list(scored.values())
        table("evaluation", [score_row(item) for item in scores], f"Scores of {len(scores)} maps")
        for item in scores[:_MOST_PICTURES]:
            name = _map_name(item.prediction, bundles)
            show_map(objects, name, pictures_of(item.model, item.name, with_truth=False).phase_map)
        page.stage_done(f"scores: {scores_in_words(scores)}", good=f"{page.good}; {scores_in_words(scores)}")

    def write() -> WrittenReport:
        return write_report(spec, simulation, bundles, scores, store=objects, title=title, also_read=also_read)

    report: WrittenReport = Step(write, "write report")()
    message = f"{'reused' if report.reused else 'wrote'} the report {report.url}"
    show_line(message)
    opened = link(objects, "report", report.key, title)
    page.stage_done(message, {"report": report.url} | ({"open the report": opened} if opened else {}))
    made = None if simulation is None else simulation.id
    also = tuple(bundle.id for bundle in bundles[1:])
    return PipelineResult(made, bundles[0].id, also, tuple(predictions), tuple(scores), report.url)


def _predicted(
    objects: ObjectStore,
    spec: PipelineSpec,
    experiments: list[str],
    bundles: list[ModelBundle],
    failures: StageFailures,
) -> list[str]:
    """Map the scans with each classifier that can read them; the maps of a scan follow each other."""
    polar = {url for url in experiments if has_polar_patterns(url)}
    maps: list[str] = []
    for bundle in bundles:
        takes_polar = bundle.input.kind == "polar"
        mine = [url for url in experiments if not takes_polar or url in polar]
        if left := [experiment_name(url) for url in experiments if url not in mine]:
            log_and_show(f"left out by {bundle.training.label}, which reads polar patterns: {', '.join(left)}")
        if mine:
            unit = None if takes_polar else spec.q_unit
            mapped = partial(predict, bundle.id, mine, objects.root, unit)
            maps += failures.results(mine, mapped, among=len(experiments) * len(bundles)).values()
    if not maps:
        failures.raise_if_any()
    order = [experiment_name(url) for url in experiments]
    return sorted(maps, key=lambda url: order.index(predicted_name(url)))


def _map_name(url: str, bundles: list[ModelBundle]) -> str:
    """Return what a map is called beside others: its scan, and its classifier where there are several."""
    by = next((bundle.training.label for bundle in bundles if bundle.id in url), "")
    return predicted_name(url) + (f" by {by}" if len(bundles) > 1 else "")


def _classifiers(spec: PipelineSpec) -> str:
    return ", ".join(training.label for training in spec.trainings)


def _on_what(spec: PipelineSpec) -> str:
    simulation = spec.simulation
    scans = ", ".join((*spec.raw_scans, *spec.experiments)) or "no experiments"
    return f"{simulation.n_patterns:,} patterns of {', '.join(simulation.class_names)}; {_classifiers(spec)}; {scans}"


def _held_out(bundle: ModelBundle) -> str:
    return f"right on {bundle.metrics['accuracy']:.1%} of the simulated patterns held out"
