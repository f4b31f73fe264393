"""Simulate a sweep: every point of its axes is a dataset of its own."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Annotated, Any

from httpx import TransportError
from prefect import Flow, State
from prefect.artifacts import create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import CancelledRun, PrefectHTTPStatusError
from prefect.runtime import flow_run

from difsims_core.config.simulation import SimulationSpec
from difsims_core.config.sweep import SweepPoint, make_sweep
from difsims_core.storage.objects import open_store
from flows.execution.no_persistence import flow
from flows.execution.point_states import PointState, ids_of, run_points
from flows.execution.sweep_points import PointRuns, cancel_runs
from flows.settings import load_settings
from flows.simulate import simulate
from flows.ui.artifacts import cells, tag_run
from flows.ui.parameters import Simulation, StoreUrl, described
from flows.ui.progress import log_and_show, track_progress

Axes = Annotated[
    dict[str, list[Any]],
    described("dotted keys with the values that each takes in turn; every combination is a dataset of its own"),
]
Deployment = Annotated[
    str | None,
    described(
        "deployment that simulates each point in a run of its own, such as simulate/local; empty: in this run, one "
        "after another"
    ),
]

_REFERENCE = SimulationSpec()
_SEEDS: dict[str, list[Any]] = {"seed": [0, 5, 10]}
_MOST_TAGS = 100
_MOST_ROWS = 1000  # of the table: an artifact has its limits
_SECONDS_BETWEEN_TABLES = 3.0  # and more for large ones
_NO_USE_TO_GO_ON = (CancelledRun, TransportError, PrefectHTTPStatusError)


def _run_name() -> str:
    axes: dict[str, list[Any]] = flow_run.parameters["axes"]
    return f"sweep of {' × '.join(f'{len(values)} {key}' for key, values in axes.items()) or 'one point'}"


def _cancel_points(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001 - Prefect's names
    """Stop the runs of the points with the sweep that started them."""
    cancel_runs(_tag(flow_run.id))


def _tag(run_id: object) -> str:
    return f"sweep-{run_id}"


@flow(
    name="simulate-sweep",
    flow_run_name=_run_name,
    on_cancellation=[_cancel_points],
)
def simulate_sweep(
    spec: Simulation = _REFERENCE, axes: Axes = _SEEDS, store: StoreUrl = None, deployment: Deployment = None
) -> list[str]:
    """Simulate every point of a sweep and return the ids, the last axis fastest; complete datasets are reused.

    A point that fails does not stop the others; the run fails in the end and names it. The same sweep again goes on
    where this one stopped.

    Parameters
    ----------
    spec
        What all points have in common.
    axes
        What they do not; whatever ``spec`` says of these keys is overridden.
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    deployment
        Each point is a run of this deployment, ``DIFSIMS_POINTS_AT_ONCE`` at a time; default: the points run here.
    """
    points = make_sweep(spec.to_document(), axes, source="axes").points
    root = open_store(store).root
    with track_progress("sweep", "simulating", len(points), "points") as work:
        table = PointTable(points)

        def changed(number: int, state: PointState) -> None:
            table.set(number, state)
            work.update("points", table.ended, state.point.label)

        try:
            if deployment:
                at_once = load_settings().points_at_once
                log_and_show(f"{len(points)} points by runs of {deployment}, {at_once} at a time")
                PointRuns(
                    points, root, deployment=deployment, at_once=at_once, tag=_tag(flow_run.id), changed=changed
                ).run()
            else:
                run_points(points, root, simulate, changed, _NO_USE_TO_GO_ON)
        finally:
            table.show()
    tag_run(*[state.id for state in table.states if state.id is not None][:_MOST_TAGS])
    return ids_of(table.states)


class PointTable:
    """The table of all points with their datasets and states, kept up to date while the sweep runs."""

    def __init__(self, points: tuple[SweepPoint, ...]) -> None:
        self.states = [PointState(point) for point in points]
        self._shown = time.monotonic()
        self._artifact: Any = create_table_artifact(self._rows(), key="sweep", description=self._description())

    @property
    def ended(self) -> int:
        """How many points are complete or have failed."""
        return sum(state.ended for state in self.states)

    def set(self, number: int, state: PointState) -> None:
        """Note the state of a point."""
        self.states[number] = state
        if time.monotonic() - self._shown > max(_SECONDS_BETWEEN_TABLES, len(self.states) / 50):
            self.show()

    def show(self) -> None:
        """Bring the artifact up to date."""
        self._shown = time.monotonic()
        with get_client(sync_client=True) as client:
            client.update_artifact(
                self._artifact, ArtifactUpdate(data=_json(self._rows()), description=self._description())
            )

    def _rows(self) -> list[dict[str, Any]]:
        rows = [
            {"point": state.point.label, "dataset": state.id or "", "state": state.told, "run": state.run}
            for state in self.states[:_MOST_ROWS]
        ]
        return cells(rows)

    def _description(self) -> str:
        counts = Counter(state.state for state in self.states)
        more = f"; the first {_MOST_ROWS} are shown" if len(self.states) > _MOST_ROWS else ""
        return f"{len(self.states)} points: {', '.join(f'{n} {name}' for name, n in counts.most_common())}{more}"


def _json(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows, ensure_ascii=False)
