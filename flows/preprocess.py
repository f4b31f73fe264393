"""Preprocess raw scans: profiles and polar patterns, that classifiers read, into the store."""

from __future__ import annotations

from prefect.runtime import flow_run

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from flows.commands import preprocess as command
from flows.execution.no_persistence import flow
from flows.ui.parameters import ExperimentName, Force, Preprocessing, RawScans, StoreUrl

_ITS_OWN = PreprocessingSpec()


def _run_name() -> str:
    names = ", ".join(item.rsplit("/", 1)[-1] for item in (flow_run.parameters.get("raw") or [])[:3])
    return f"preprocess {names}"


@flow(name="preprocess", flow_run_name=_run_name)
def preprocess(
    raw: RawScans,
    spec: Preprocessing = _ITS_OWN,
    store: StoreUrl = None,
    name: ExperimentName = None,
    *,
    force: Force = False,
) -> list[str]:
    """Preprocess raw scans and return the URLs of their profiles; those of the same frames and document are kept.

    Parameters
    ----------
    raw
        Files, folders, globs or URLs.
    spec
        How.
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    name
        Of the experiment, for a single scan; default: that of its file.
    force
        Replace what is there under this name and was made otherwise.
    """
    return command.preprocess(raw, spec, store, name, force=force)
