"""Core functions as the steps of a command: tasks where a flow of Prefect runs it, plain calls where none does.

Either way a step is tried again while the store fails, and what is in the store is not made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any

from difsims_core.dataset import build
from difsims_core.dataset.plan import MOST_GROUPS
from difsims_core.dataset.receipts import read_receipts
from difsims_core.errors import ExperimentError
from difsims_core.retrying import Retry, StoppedError
from difsims_core.storage.names import url_name
from difsims_core.storage.objects import open_store
from flows.execution import compute
from flows.execution.retries import tell_waiting, worth_waiting
from flows.settings import load_settings
from flows.ui.final_states import cached
from flows.ui.flow_context import run_at_work
from flows.ui.progress import Stopped, progress_callback, stop_requested

if TYPE_CHECKING:
    from prefect import Task

    from difsims_core.config.learning import TrainingSpec
    from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
    from difsims_core.config.simulation import SimulationSpec
    from difsims_core.dataset.build import GroupSummary
    from difsims_core.dataset.plan import Plan
    from difsims_core.learn.bundle import ModelBundle
    from difsims_core.learn.classifiers.base import EpochProgress
    from difsims_core.learn.predict import PredictionResult
    from difsims_core.results.evaluate_map import EvaluatedMap, EvaluationSources
    from difsims_core.results.preprocessed import JudgedScan
    from difsims_core.unit_names import QUnit

_RETRY = Retry(tries=6, pause=1, longest=20)
_PATIENT = Retry(tries=9, pause=1, longest=60)  # once work has begun: a store or a cluster that starts again

Submit = Callable[..., Any]
"""Starts a step and returns its future, which has ``result`` and ``add_done_callback``."""


@dataclass(frozen=True)
class Step:
    """A core function that a command calls.

    There is no time limit: a function in a thread cannot be interrupted. Requests to the store, connections to a
    cluster and waiting for its workers have limits of their own.

    Attributes
    ----------
    function : callable
        What it does; its value stays in this process.
    name : str
        What people read.
    retry : Retry
        How often it is tried while the store or a cluster fails, and how long it waits between.
    run_name : str or callable or None
        Name of a single run of it in Prefect; None: ``name``.
    """

    function: Callable[..., Any]
    name: str
    retry: Retry = _RETRY
    run_name: str | Callable[[], str] | None = None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Do it, as a task of the flow run at work or right here."""
        do = self._try if run_at_work() is None else self.task
        return do(*arguments, **named)

    @contextmanager
    def pool(self) -> Iterator[Submit]:
        """Give the function that starts it in a thread of its own: a task of the flow run at work, or a plain call."""
        if run_at_work() is not None:
            yield self.task.submit
            return
        with ThreadPoolExecutor(MOST_GROUPS, thread_name_prefix="difsims-step") as threads:
            yield partial(threads.submit, self._try)

    @cached_property
    def task(self) -> Task[..., Any]:
        """The step as a task of Prefect."""
        from flows.execution.tasks import task_of

        return task_of(self.function, self.name, self.retry, self.run_name)

    def _try(self, *arguments: Any, **named: Any) -> Any:
        pauses = iter(range(self.retry.tries - 1, 0, -1))

        def waiting(error: Exception, seconds: float) -> None:
            tell_waiting(self.name, error, seconds, next(pauses))

        try:
            return self.retry.call(partial(self.function, *arguments, **named), worth_waiting, waiting, stop_requested)
        except StoppedError:
            raise Stopped("stopped while it waited; finished work is kept") from None


def _begin_dataset(store: str, spec: SimulationSpec) -> Plan:
    return build.begin(open_store(store), spec)


def _make_libraries(store: str, spec: SimulationSpec, work: str) -> list[str]:
    from difsims_core.dataset.libraries.source import make_libraries

    def progress(phase: str, done: int, total: int) -> None:
        progress_callback(work, phase)(100 * done // total, phase)

    return make_libraries(store, spec, progress, compute.write_library)


def _finished_blocks(store: str, plan: Plan) -> list[int]:
    return sorted(read_receipts(open_store(store), plan))


def _write_blocks(
    store: str, spec: SimulationSpec, plan: Plan, first: int, last: int, *, written: bool = False
) -> GroupSummary | None:
    """Write a group of blocks; one whose receipts were all ``written`` before ends as ``Cached``, with no work done."""
    if written:
        return cached(None, "every block of this group has its receipt, nothing was simulated")
    return compute.write_group(store, spec, plan, range(first, last + 1), progress=progress_callback(plan.id, first))


def _finish_dataset(store: str, plan: Plan) -> None:
    build.finish(open_store(store), plan)


def _export_dataset(store: str, url: str, path: str, file_format: str) -> list[str]:
    from difsims_core.dataset.export.formats import export_dataset
    from difsims_core.dataset.open import open_simulation

    dataset, report = open_simulation(url, open_store(store)), progress_callback(path, file_format)
    return export_dataset(dataset, path, file_format, overwrite=True, progress=report)


def _find_trained(store: str, simulations: list[str] | SimulationSpec, spec: TrainingSpec) -> str | None:
    from difsims_core.learn.train import find_trained

    found = find_trained(open_store(store), simulations, spec)
    return None if found is None else found.id


def _train_model(store: str, simulations: list[str] | SimulationSpec, spec: TrainingSpec, work: str) -> str:
    from difsims_core.learn.train import run_training

    report = progress_callback(work, "epochs")

    def progress(state: EpochProgress) -> None:
        report(state.epoch, f"loss {state.loss:.3f}, held-out accuracy {state.val_accuracy:.1%}")

    return run_training(open_store(store), simulations, spec, progress).bundle.id


def _read_raw_one(url: str, spec: PreprocessingSpec) -> None:
    """Read a raw scan that others have uploaded, in a process with limits.

    Raises
    ------
    ExperimentError
        If it does not read.
    """
    from difsims_core.scans.isolated_reader import ReadingLimits, ScanReader

    settings = load_settings()
    with ScanReader(ReadingLimits(settings.intake_memory_mb, settings.intake_seconds)) as reader:
        problem = reader.raw_problem(url, spec.reading)
    if problem is not None:
        raise ExperimentError(problem)


def _preprocess_one(
    store: str, url: str, spec: PreprocessingSpec, name: str | None, work: str, *, force: bool = False
) -> JudgedScan:
    from difsims_core.results.preprocessed import preprocess_and_judge

    report = progress_callback(work, url)

    def progress(done: int, total: int) -> None:
        report(100 * done // total)

    return preprocess_and_judge(
        open_store(store), url, spec, name=name, force=force, progress=progress, write=compute.write_shards
    )


def _predict_one(
    store: str, model: str, url: str, q_unit: QUnit | None = None, beam_energy_kv: float | None = None
) -> PredictionResult:
    from difsims_core.learn.predict import predict_experiment

    return predict_experiment(open_store(store), read_bundle(store, model), url, q_unit, beam_energy_kv=beam_energy_kv)


def _evaluate_one(store: str, url: str, sources: EvaluationSources) -> EvaluatedMap:
    from difsims_core.results.evaluate_map import evaluate_map

    return evaluate_map(open_store(store), url, sources)


@lru_cache(maxsize=2)
def read_bundle(store: str, model: str) -> ModelBundle:
    """Return a model of a store; the last ones are remembered, as the tasks of a run ask for the same."""
    from difsims_core.learn.bundle import load_bundle

    return load_bundle(model, open_store(store))


def _named(verb: str) -> Callable[[], str]:
    """Return the namer of tasks that work on one file: its name alone, paths would fill the timeline."""

    def name() -> str:
        from prefect.runtime import task_run

        return f"{verb} {url_name(task_run.parameters['url'])}"

    return name


begin_dataset = Step(_begin_dataset, "begin dataset")
make_libraries = Step(_make_libraries, "make libraries", _PATIENT)
finished_blocks = Step(_finished_blocks, "finished blocks")
write_blocks = Step(_write_blocks, "write blocks", _PATIENT, "blocks {first} to {last}")
finish_dataset = Step(_finish_dataset, "finish dataset", _PATIENT)
export_dataset = Step(_export_dataset, "export dataset")
find_trained = Step(_find_trained, "find trained model")
train_model = Step(_train_model, "train model")
read_raw_one = Step(_read_raw_one, "read", run_name=_named("read"))
preprocess_one = Step(_preprocess_one, "preprocess", _PATIENT, run_name=_named("preprocess"))
predict_one = Step(_predict_one, "predict", run_name=_named("predict"))
evaluate_one = Step(_evaluate_one, "evaluate", run_name=_named("evaluate"))
