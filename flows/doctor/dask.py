"""The Dask cluster, when blocks are simulated there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from difsims_core.storage.objects import open_store
from flows.doctor.checks import CheckResult, DoctorContext, check, fail, ok
from flows.settings import load_settings

_PACKAGES = ("numpy", "numba", "zarr", "s3fs", "orix")  # what a block depends on


@check("Dask", seconds=45, after="settings")
def cluster(_context: DoctorContext) -> CheckResult | None:
    """Look whether the scheduler answers and has workers."""
    address = load_settings().dask_address
    if address is None:
        return None
    with _client(address) as client:
        workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        return fail(f"{address} has no workers", f"start some: `dask worker {address} --nthreads 1`")
    threads = sum(item["nthreads"] for item in workers.values())
    return ok(f"{address}: {len(workers)} workers, {threads} threads")


@check("Dask: versions", seconds=45, after="Dask")
def same_versions(_context: DoctorContext) -> CheckResult | None:
    """Look whether workers and this process have the same packages: a block must not depend on where it is made."""
    address = load_settings().dask_address
    if address is None:
        return None
    here = installed()
    with _client(address) as client:
        there: dict[str, Any] = client.run(installed, on_error="return")
    wrong = {worker: _difference(here, found) for worker, found in there.items() if found != here}
    if wrong:
        worker, difference = next(iter(wrong.items()))
        return fail(
            f"{len(wrong)} of {len(there)} workers differ, such as {worker}: {difference}",
            "install the same versions on every worker, with constraints.txt, and restart the workers",
        )
    return ok(", ".join(f"{name} {number}" for name, number in here.items()))


@check("Dask: store", seconds=60, after="Dask")
def workers_reach_the_store(context: DoctorContext) -> CheckResult | None:
    """Look whether every worker can list the store with the credentials of its own environment."""
    address = load_settings().dask_address
    if address is None:
        return None
    root = open_store(context.store).root
    with _client(address) as client:
        problems: dict[str, Any] = client.run(problem_of_store, root, on_error="return")
    bad = {worker: str(problem) for worker, problem in problems.items() if problem is not None}
    if bad:
        worker, problem = next(iter(bad.items()))
        return fail(
            f"{len(bad)} of {len(problems)} workers cannot read it, such as {worker}: {problem}",
            "give the workers the same DIFSIMS_STORE and AWS_… variables; a folder must be mounted everywhere",
        )
    return ok(f"all {len(problems)} workers read {root}")


def installed() -> dict[str, str]:
    """Return the versions of what a block depends on, in the process that calls this."""
    from difsims_core.simulation.versions import versions_of
    from difsims_core.version import __version__

    return {"difsims": __version__, **versions_of(), **{name: version(name) for name in _PACKAGES}}


def problem_of_store(root: str) -> str | None:
    """Return why the calling process cannot list a store, or None."""
    try:
        open_store(root).folders()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what was found
        return str(error)
    return None


@contextmanager
def _client(address: str) -> Iterator[Any]:
    from flows.execution.executors.dask_cluster import (
        cluster,  # here: workers import this file, and need no Prefect for it
    )

    with cluster(address) as joined:
        yield joined.client


def _difference(here: dict[str, str], there: Any) -> str:
    if not isinstance(there, dict):
        return str(there)  # an error: difsims is not installed there
    return ", ".join(f"{name} {there.get(name)} (here {here[name]})" for name in here if there.get(name) != here[name])
