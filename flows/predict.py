"""Predict the phase maps of measured scans with a trained model."""

from __future__ import annotations

from prefect.runtime import flow_run

from flows.commands import predict as command
from flows.evaluate import evaluate as evaluate_flow
from flows.execution.no_persistence import flow
from flows.ui.parameters import BeamEnergy, Evaluate, Experiments, Model, QUnitOfScans, StoreUrl

_EVERYTHING: list[str] = []


def _run_name() -> str:
    model, experiments = (flow_run.parameters.get(key) for key in ("model", "experiments"))
    names = ", ".join(item.rsplit("/", 1)[-1] for item in (experiments or [])[:3]) or "all experiments"
    return f"predict {names} with {(model or 'champion').rsplit('/', 1)[-1][:12]}"


@flow(name="predict", flow_run_name=_run_name)
def predict(
    model: Model = "champion",
    experiments: Experiments = _EVERYTHING,
    store: StoreUrl = None,
    q_unit: QUnitOfScans = None,
    beam_energy_kv: BeamEnergy = None,
    *,
    evaluate: Evaluate = False,
) -> list[str]:
    """Predict phase maps and return the URLs of the predictions; those of the same scan and model are kept.

    Parameters
    ----------
    model
        Id or URL of a trained model, or ``champion``.
    experiments
        Files, folders, globs or URLs of measured profiles; none: all below ``experiments/profiles/`` of the store.
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    q_unit
        Unit of the scans' ``x``; None: Å⁻¹ is expected, and an axis that looks like another unit is refused.
    beam_energy_kv
        Of the scans, kV, for ``mrad`` alone; None: that of the simulations behind the model.
    evaluate
        Whether maps without scores are evaluated as well.
    """
    return command.predict(
        model, experiments, store, q_unit, beam_energy_kv, evaluate=evaluate_flow if evaluate else None
    )
