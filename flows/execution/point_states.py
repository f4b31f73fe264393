"""The points of a sweep: how far each is, and how the whole sweep ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from difsims_core.config.simulation import SimulationSpec
from difsims_core.config.sweep import SweepPoint
from difsims_core.errors import DifsimsError
from difsims_core.messages import first_line
from flows.ui.progress import Stopped, log_and_show


class SweepError(DifsimsError):
    """Some points of a sweep could not be simulated; the others are complete."""


@dataclass(frozen=True, slots=True)
class PointState:
    """How far one point is.

    Attributes
    ----------
    point : SweepPoint
        What is simulated.
    state : str
        ``waiting``, Prefect's name of the state of its run, ``complete``, or ``failed``.
    run : str
        Name of its flow run; empty when none was needed.
    id : str or None
        Of the complete dataset.
    reason : str
        Why it failed.
    """

    point: SweepPoint
    state: str = "waiting"
    run: str = ""
    id: str | None = None
    reason: str = ""

    @classmethod
    def failed(cls, point: SweepPoint, reason: str, run: str = "") -> PointState:
        """Return the state of a point that will have no dataset, and why."""
        return cls(point, "failed", run, reason=reason)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("complete", "failed")

    @property
    def told(self) -> str:
        """The state with its reason."""
        return f"{self.state}: {self.reason}" if self.reason else self.state


Changed = Callable[[int, PointState], None]
Simulate = Callable[[SimulationSpec, str], str]


def run_points(
    points: Sequence[SweepPoint],
    root: str,
    simulate: Simulate,
    changed: Changed,
    through: tuple[type[Exception], ...] = (),
) -> None:
    """Simulate the points one after another; one that fails stops no other.

    Parameters
    ----------
    points, root
        What is simulated, and the root URL of the store.
    simulate
        Simulates a document into a store and returns the id of the dataset.
    changed
        Called with the number of a point and its state whenever that changes.
    through
        Errors that no point is to blame for; they end it, as a request to stop does.
    """
    for number, point in enumerate(points):
        log_and_show(f"point {number + 1} of {len(points)}: {point.label or 'nothing is swept'}")
        changed(number, _run_point(point, root, simulate, (Stopped, *through)))


def _run_point(point: SweepPoint, root: str, simulate: Simulate, through: tuple[type[Exception], ...]) -> PointState:
    try:
        return PointState(point, "complete", id=simulate(point.spec, root))
    except through:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the other points go on; the sweep fails in the end
        return PointState.failed(point, first_line(error))


def ids_of(states: Sequence[PointState]) -> list[str]:
    """Return the ids of all points.

    Raises
    ------
    SweepError
        If points failed.
    """
    ids = [state.id for state in states if state.id is not None]
    failed = [state for state in states if state.id is None]
    if failed:
        lines = [f"{state.point.label}: {state.reason or state.state}" for state in failed]
        first = (
            f"{len(failed)} of {len(states)} points failed; the others are complete, and the same command keeps them"
        )
        raise SweepError("\n".join([first, *lines]))
    return ids
