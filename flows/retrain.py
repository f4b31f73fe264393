"""Train a challenger on what is new, and let it replace the champion where the written rule says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from prefect.runtime import flow_run

from difsims_core.config.promotion import PromotionSpec
from difsims_core.config.retraining import RetrainingSpec
from difsims_core.dataset.open import Simulation
from difsims_core.errors import InputError, MissingObjectError, ModelError, PartlyFailedError
from difsims_core.learn.bundle import ModelBundle, load_bundle
from difsims_core.learn.measured_scan import has_polar_patterns
from difsims_core.learn.predict_scans import check_names
from difsims_core.learn.wanted import takes_polar
from difsims_core.models import compare as comparing
from difsims_core.models import retraining_inputs
from difsims_core.models.apply_decision import RetrainingOutcome, decide_and_apply
from difsims_core.models.comparison import Comparison
from difsims_core.models.promotion_rule import PromotionDecision, decide, decide_first, rule_in_words
from difsims_core.models.registry import read_registry
from difsims_core.results.evaluate_map import locations_of
from difsims_core.results.map_scores import MapScores
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import experiment_name, predicted_name
from difsims_core.storage.objects import ObjectStore, open_store
from flows.evaluate import evaluate
from flows.execution.no_persistence import flow
from flows.execution.steps import Step
from flows.predict import predict
from flows.simulate import simulate
from flows.train import train
from flows.ui import markdown
from flows.ui.artifacts import page, summary, table, tag_run
from flows.ui.events import announce
from flows.ui.final_states import nothing_new
from flows.ui.parameters import Retraining, StoreUrl
from flows.ui.progress import log_and_show, progress_callback, track_progress

_DEFAULT = RetrainingSpec()
_BROKEN = (InputError, MissingObjectError, PartlyFailedError)
_WORK = "compare"
_MOST_TAGS = 50


def _run_name() -> str:
    spec: RetrainingSpec = flow_run.parameters["spec"]
    datasets = f"{len(spec.datasets)} datasets" if spec.datasets else "all datasets"
    return f"retrain {spec.training.label} on {datasets} seed {spec.training.seed}"


@flow(name="retrain", flow_run_name=_run_name)
def retrain(spec: Retraining = _DEFAULT, store: StoreUrl = None) -> dict[str, Any]:
    """Train a challenger and promote it or not; return ``model``, ``promoted``, ``why`` and ``champion``.

    Nothing is trained when the same datasets, experiments, code and rule were considered before. A run that was stopped
    is continued by the next one: what it simulated, trained, predicted and evaluated is found again.

    Parameters
    ----------
    spec
        On what the challenger is trained, how, and when it becomes the champion.
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    """
    objects = open_store(store)
    root, champion = objects.root, _champion(objects)
    log_and_show(f"the champion is {champion.id}" if champion else "there is no champion yet")
    retraining_inputs.check_simulation(spec, champion)
    streamed = spec.simulation if spec.training.source == "stream" else None
    simulated = None if spec.simulation is None or streamed else simulate(spec.simulation, root)
    datasets: list[Simulation] = choose_datasets(root, spec, simulated)
    scans, left_out = list_scans(root, spec)
    check_names(list(scans))
    champion_id = None if champion is None else champion.id
    if not datasets and streamed is None:
        wanted = "of the champion's phases, q axis and preprocessing" if champion else "to train on"
        return _ended(None, f"{root} holds no complete dataset {wanted}; simulate one, or list datasets", champion_id)
    ingredients = retraining_inputs.Ingredients.of(datasets, scans, spec).digest()
    before = retraining_inputs.earlier_decision(read_registry(objects), ingredients)
    if before is not None:
        why = f"the same datasets, experiments, code and rule were considered on {before.when}: {before.why}"
        return _ended(before.model, why, champion_id)
    patterns = sum(sim.n_patterns for sim in datasets)
    on = f"{len(datasets)} datasets, {patterns:,}" if streamed is None else f"{streamed.n_patterns:,} fresh"
    log_and_show(f"training on {on} patterns; comparing on {len(scans)} experiments")
    names = [sim.id if sim.store.root == root else sim.url for sim in datasets]
    model = train(names, spec.training, root, streamed)
    also_read = locations_of(scans, spec.simulation)
    mapped, broken = map_scans(model, list(scans), root, also_read)
    challenge = _Challenge(objects, spec.rule, model, names, list(scans), mapped, also_read)
    outcome = decide_and_apply(objects, model, ingredients, challenge.judge)
    _tell(root, model, outcome)  # first: nothing that follows may keep the event back
    tag_run(model, *filter(None, (outcome.before,)), *names[:_MOST_TAGS])
    _show(challenge, outcome, left_out | broken)
    decision = outcome.decision
    return {"model": model, "promoted": decision.promote, "why": decision.why, "champion": outcome.champion}


@dataclass(frozen=True, slots=True)
class _Challenge:
    """A trained model that would be champion: its datasets, the scans to compare on, and those that it can map."""

    objects: ObjectStore
    rule: PromotionSpec
    model: str
    datasets: list[str]
    scans: list[str]
    mapped: set[str]
    also_read: list[str]

    def judge(self, champion: str | None) -> PromotionDecision:
        """Return the decision against a champion, or against none."""
        bundle = load_bundle(self.model, self.objects)
        if champion is None:
            return decide_first(self.rule, bundle.metrics)
        theirs, _ = map_scans(champion, self.scans, self.objects.root, self.also_read)
        both = sorted(self.mapped & theirs)
        with track_progress(_WORK, "comparing", max(1, int(bundle.split["n_test"])), "held-out patterns"):
            found: Comparison = compare_models(self.objects.root, self.model, champion, self.datasets, both)
        if not found.refused:
            rows, maps = found.held_out.n, len(found.scans)
            log_and_show(f"compared with {champion} on {rows:,} patterns that neither has seen and {maps} experiments")
        return decide(self.rule, replace(found, lost=tuple(sorted(theirs - self.mapped))))


def map_scans(model: str, scans: list[str], root: str, also_read: list[str]) -> tuple[set[str], dict[str, str]]:
    """Predict and evaluate scans with a model; return the names of those that went well, and why others did not.

    Scans without polar patterns are none of a model that takes them.
    """
    if takes_polar(open_store(root), model):
        scans = [scan for scan in scans if has_polar_patterns(scan)]
    predictions, broken = _predicted(model, scans, root)
    scores, unscored = _scored(predictions, root, also_read)
    for name, reason in (broken | unscored).items():
        log_and_show(f"{name} is left out: {reason}")
    return {item.name for item in scores}, broken | unscored


def _predicted(model: str, scans: list[str], root: str) -> tuple[list[str], dict[str, str]]:
    """Return the predictions of scans; those that have none are tried alone, for their reasons."""
    if not scans:
        return [], {}
    try:
        return predict(model, scans, root), {}
    except ModelError:
        raise
    except _BROKEN as error:
        if len(scans) == 1:
            return [], {experiment_name(scans[0]): str(error)}
    objects = open_store(root)
    keys = {scan: layout.prediction(model, experiment_name(scan)) for scan in scans}
    missing = [scan for scan, key in keys.items() if not objects.exists(key)]
    alone = [_predicted(model, [scan], root) for scan in missing]
    found = [objects.url(key) for scan, key in keys.items() if scan not in missing]
    broken = {name: reason for _, reasons in alone for name, reason in reasons.items()}
    return found + [url for urls, _ in alone for url in urls], broken


def _scored(predictions: list[str], root: str, also_read: list[str]) -> tuple[list[MapScores], dict[str, str]]:
    """Return the scores of predictions; when one cannot be evaluated, each is evaluated alone."""
    if not predictions:
        return [], {}
    try:
        return evaluate(predictions, store=root, also_read=also_read), {}
    except _BROKEN as error:
        if len(predictions) == 1:
            return [], {predicted_name(predictions[0]): str(error)}
    alone = [_scored([url], root, also_read) for url in predictions]
    broken = {name: reason for _, reasons in alone for name, reason in reasons.items()}
    return [item for scores, _ in alone for item in scores], broken


def _ended(model: str | None, why: str, champion: str | None) -> dict[str, Any]:
    log_and_show(why)
    return nothing_new({"model": model, "promoted": False, "why": why, "champion": champion}, why)


def _tell(root: str, model: str, outcome: RetrainingOutcome) -> None:
    """Say the verdict, and announce a promotion."""
    decision = outcome.decision
    if not decision.promote:
        log_and_show(f"{model} is not promoted: {decision.why}")
        return
    log_and_show(f"{model} is the champion now: {decision.why}")
    payload = {"why": decision.why, "scores": dict(decision.scores)}
    announce("champion.promoted", model, root, labels={"difsims.before": outcome.before or ""}, payload=payload)


def _show(challenge: _Challenge, outcome: RetrainingOutcome, left_out: Mapping[str, str]) -> None:
    """Leave the conditions as a table, and the decision with its rule."""
    model, decision = challenge.model, outcome.decision
    table("comparison", [asdict(check) for check in decision.checks], f"{model} against {outcome.before or 'none'}")
    lines = [
        decision.why,
        f"champion before: {outcome.before or 'none'}",
        f"trained on: {', '.join(challenge.datasets) or 'fresh patterns'}",
        f"experiments mapped: {', '.join(sorted(challenge.mapped)) or 'none'}",
        *(f"left out: {name}: {reason}" for name, reason in {**left_out, **decision.left_out}.items()),
    ]
    heading = f"### {model} is {'the champion now' if decision.promote else 'not promoted'}\n"
    rule = f"\n**The rule.** {markdown.text(rule_in_words(challenge.rule))}"
    told = [f"- {markdown.text(line)}" for line in lines]
    page("decision", heading, *told, rule, description=f"Why {model} is the champion or not")
    summary(
        what=f"retrained: {model}",
        on=f"{len(challenge.datasets)} datasets, {len(challenge.mapped)} experiments",
        far="promoted" if decision.promote else "not promoted",
        good=decision.why,
        where={model: challenge.objects.url(layout.model(model))},
    )


def _choose_datasets(store: str, spec: RetrainingSpec, simulated: str | None) -> list[Simulation]:
    objects = open_store(store)
    return retraining_inputs.choose_datasets(objects, spec, _champion(objects), simulated)


def _champion(objects: ObjectStore) -> ModelBundle | None:
    champion = read_registry(objects).champion
    return None if champion is None else load_bundle(champion.model, objects)


def _list_scans(store: str, spec: RetrainingSpec) -> tuple[dict[str, str], dict[str, str]]:
    return retraining_inputs.scans_of(open_store(store), spec)


def _compare(store: str, challenger: str, champion: str, simulations: list[str], experiments: list[str]) -> Comparison:
    objects = open_store(store)
    first, second = load_bundle(challenger, objects), load_bundle(champion, objects)
    done = progress_callback(_WORK, "rows")
    return comparing.compare(objects, first, second, experiments, simulations=simulations, progress=done)


choose_datasets = Step(_choose_datasets, "choose datasets")
list_scans = Step(_list_scans, "list experiments")
compare_models = Step(_compare, "compare", run_name="compare with {champion}")
