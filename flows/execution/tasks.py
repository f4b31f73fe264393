"""Core functions as Prefect tasks: retried when the store fails for a while; what is in the store is not made again."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from prefect import Task
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import task_run
from prefect.states import Completed

from difsims_core.config.learning import TrainingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset import build
from difsims_core.dataset.build import GroupSummary
from difsims_core.dataset.export import FormatName, formats
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.plan import Plan
from difsims_core.dataset.receipts import read_receipts
from difsims_core.learn import predict, train
from difsims_core.learn.bundle import ModelBundle, load_bundle
from difsims_core.results.evaluate_map import EvaluatedMap, EvaluationSources, evaluate_map
from difsims_core.storage.names import url_name
from difsims_core.storage.objects import open_store
from difsims_core.unit_names import QUnit
from flows.execution import compute
from flows.execution.no_persistence import task
from flows.execution.retries import may_go_away
from flows.ui.progress import progress_callback

if TYPE_CHECKING:
    from difsims_core.learn.classifiers.base import EpochProgress

_SECONDS_BETWEEN_TRIES = [1, 5, 20]
_PATIENT_SECONDS_BETWEEN_TRIES = [1, 5, 20, 60, 120]  # once work has begun: a store or a cluster that starts again


def is_temporary(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return whether a task that failed is worth another try."""
    return may_go_away(state.data)


def stored(function: Callable[..., Any], name: str, **options: Any) -> Task[..., Any]:
    """Return a core function as a task that is tried again while the store fails; its value stays in this process.

    There is no time limit: Prefect cannot interrupt a function in a thread. Requests to the store, connections to a
    cluster and waiting for its workers have limits of their own.
    """
    defaults: dict[str, Any] = {
        "retries": len(_SECONDS_BETWEEN_TRIES),
        "retry_delay_seconds": _SECONDS_BETWEEN_TRIES,
        "retry_condition_fn": is_temporary,
    }
    return task(function, name, **(defaults | options))


def _begin_dataset(store: str, spec: SimulationSpec) -> Plan:
    return build.begin(open_store(store), spec)


def _finished_blocks(store: str, plan: Plan) -> list[int]:
    return sorted(read_receipts(open_store(store), plan))


def _write_blocks(
    store: str, spec: SimulationSpec, plan: Plan, first: int, last: int, *, written: bool = False
) -> GroupSummary | State[Any]:
    """Write a group of blocks; one whose receipts were all ``written`` before ends as ``Cached``, with no work done."""
    if written:
        return Completed(name="Cached", message="every block of this group has its receipt, nothing was simulated")
    return compute.write_group(store, spec, plan, range(first, last + 1), progress=progress_callback(plan.id, first))


def _finish_dataset(store: str, plan: Plan) -> None:
    build.finish(open_store(store), plan)


def _export_dataset(store: str, url: str, path: str, file_format: FormatName) -> list[str]:
    dataset, report = open_simulation(url, open_store(store)), progress_callback(path, file_format)
    return formats.export_dataset(dataset, path, file_format, overwrite=True, progress=report)


def _find_trained(store: str, simulations: list[str], spec: TrainingSpec) -> str | None:
    found = train.find_trained(open_store(store), simulations, spec)
    return None if found is None else found.id


def _train_model(store: str, simulations: list[str], spec: TrainingSpec, work: str) -> str:
    report = progress_callback(work, "epochs")

    def progress(state: EpochProgress) -> None:
        report(state.epoch, f"loss {state.loss:.3f}, held-out accuracy {state.val_accuracy:.1%}")

    return train.run_training(open_store(store), simulations, spec, progress).bundle.id


def _predict_one(
    store: str, model: str, url: str, q_unit: QUnit | None = None, beam_energy_kv: float | None = None
) -> predict.PredictionResult:
    return predict.predict_experiment(
        open_store(store), _bundle(store, model), url, q_unit, beam_energy_kv=beam_energy_kv
    )


def _evaluate_one(store: str, url: str, sources: EvaluationSources) -> EvaluatedMap:
    return evaluate_map(open_store(store), url, sources)


@lru_cache(maxsize=2)
def _bundle(store: str, model: str) -> ModelBundle:
    return load_bundle(model, open_store(store))


def _named(verb: str) -> Callable[[], str]:
    """Return the namer of tasks that work on one file: its name alone, paths would fill the timeline."""
    return lambda: f"{verb} {url_name(task_run.parameters['url'])}"


begin_dataset = stored(_begin_dataset, "begin dataset")
write_blocks = stored(
    _write_blocks,
    "write blocks",
    task_run_name="blocks {first} to {last}",
    retries=len(_PATIENT_SECONDS_BETWEEN_TRIES),
    retry_delay_seconds=_PATIENT_SECONDS_BETWEEN_TRIES,
)
finished_blocks = stored(_finished_blocks, "finished blocks")
finish_dataset = stored(
    _finish_dataset,
    "finish dataset",
    retries=len(_PATIENT_SECONDS_BETWEEN_TRIES),
    retry_delay_seconds=_PATIENT_SECONDS_BETWEEN_TRIES,
)
export_dataset = stored(_export_dataset, "export dataset")
find_trained = stored(_find_trained, "find trained model")
train_model = stored(_train_model, "train model")
predict_one = stored(_predict_one, "predict", task_run_name=_named("predict"))
evaluate_one = stored(_evaluate_one, "evaluate", task_run_name=_named("evaluate"))
