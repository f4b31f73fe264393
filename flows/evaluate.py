"""Evaluate predicted maps: peak positions without labels, and truth maps where there are any."""

from __future__ import annotations

from prefect.runtime import flow_run

from difsims_core.results.map_scores import MapScores
from flows.commands import evaluate as command
from flows.execution.no_persistence import flow
from flows.ui.parameters import AlsoRead, CrystalFolder, ExperimentFolder, Predictions, StoreUrl, TruthFolder

_EVERYTHING: list[str] = []
_NOTHING_ELSE: list[str] = []


def _run_name() -> str:
    count = len(flow_run.parameters.get("predictions") or [])
    return f"evaluate {count or 'all'} prediction{'s' if count != 1 else ''}"


@flow(name="evaluate", flow_run_name=_run_name)
def evaluate(
    predictions: Predictions = _EVERYTHING,
    experiments: ExperimentFolder = None,
    truth: TruthFolder = None,
    crystals: CrystalFolder = None,
    store: StoreUrl = None,
    also_read: AlsoRead = _NOTHING_ELSE,
) -> list[MapScores]:
    """Evaluate predictions and return their scores; those of the same inputs are not computed again.

    Parameters
    ----------
    predictions
        Files, folders, globs or URLs; none: all predictions of the champion.
    experiments
        Folder of the scans; default: where each prediction says that its scan lies, in the store or in ``also_read``.
    truth
        Folder of ``<name>_truth.npz`` maps; used for scores alone.
    crystals
        Folder of CIF files; default: those of the datasets behind each prediction, or the shipped ones.
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    also_read
        Folders and files outside the store that may be read where predictions and datasets name them.
    """
    return command.evaluate(predictions, experiments, truth, crystals, store, also_read)
