"""Simulate a sweep: every point of its axes is a dataset of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from httpx import TransportError
from prefect import flow
from prefect.exceptions import CancelledRun, PrefectHTTPStatusError
from prefect.runtime import flow_run

from difsims_core.config.simulation import SimulationSpec
from difsims_core.config.sweep import SweepPoint, make_sweep
from difsims_core.errors import DifsimsError
from difsims_core.storage.objects import open_store
from flows.artifacts import table, tag_run
from flows.parameters import Simulation, StoreUrl, described
from flows.progress import say
from flows.simulate import simulate

Axes = Annotated[
    dict[str, list[Any]],
    described("dotted keys with the values that each takes in turn; every combination is a dataset of its own"),
]

_REFERENCE = SimulationSpec()
_SEEDS: dict[str, list[Any]] = {"seed": [0, 5, 10]}
_MOST_TAGS = 100
_NO_USE_TO_GO_ON = (CancelledRun, TransportError, PrefectHTTPStatusError)


class SweepError(DifsimsError):
    """Some points of a sweep could not be simulated; the others are complete."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one point: the id of its dataset, or why there is none."""

    point: SweepPoint
    id: str | None
    state: str


def _run_name() -> str:
    axes: dict[str, list[Any]] = flow_run.parameters["axes"]
    return f"sweep of {' × '.join(f'{len(values)} {key}' for key, values in axes.items()) or 'one point'}"


@flow(name="simulate-sweep", flow_run_name=_run_name, persist_result=False, result_serializer="json")
def simulate_sweep(spec: Simulation = _REFERENCE, axes: Axes = _SEEDS, store: StoreUrl = None) -> list[str]:
    """Simulate every point of a sweep and return the ids, the last axis fastest; complete datasets are reused.

    A point that fails does not stop the others; the run fails in the end and names it.

    Parameters
    ----------
    spec
        What all points have in common.
    axes
        What they do not; whatever ``spec`` says of these keys is overridden.
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    """
    points = make_sweep(spec.to_document(), axes, source="axes").points
    root = open_store(store).root
    outcomes = []
    for number, point in enumerate(points, start=1):
        say(f"point {number} of {len(points)}: {point.label or 'nothing is swept'}")
        outcomes.append(run_point(point, root))
    return conclude(outcomes)


def run_point(point: SweepPoint, root: str) -> Outcome:
    """Simulate one point; a failure becomes its state."""
    try:
        return Outcome(point, simulate(point.spec, root), "complete")
    except _NO_USE_TO_GO_ON:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the other points go on; the run fails in the end
        return Outcome(point, None, f"failed: {(str(error).splitlines() or [type(error).__name__])[0]}")


def conclude(outcomes: list[Outcome]) -> list[str]:
    """Leave the table of points and return the ids.

    Raises
    ------
    SweepError
        If points failed.
    """
    rows = [{"point": item.point.label, "dataset": item.id or "", "state": item.state} for item in outcomes]
    table("sweep", rows, f"{len(rows)} points")
    ids = [item.id for item in outcomes if item.id is not None]
    tag_run(*ids[:_MOST_TAGS])
    failed = [item for item in outcomes if item.id is None]
    if failed:
        lines = [f"{item.point.label}: {item.state.removeprefix('failed: ')}" for item in failed]
        first = (
            f"{len(failed)} of {len(outcomes)} points failed; the others are complete, and the same command keeps them"
        )
        raise SweepError("\n".join([first, *lines]))
    return ids
