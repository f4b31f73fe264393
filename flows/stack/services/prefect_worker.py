"""The worker of difsims: ``python -m flows.stack.services.prefect_worker --pool difsims``.

What Prefect's own worker executes is written by whoever may use the API: the command among the job variables of a run,
the template of the work pool, the steps by which a deployment pulls its code. This worker takes three things from the
server: which flow of difsims shall run, its parameters, and its time limit. The command is its own.
"""

from __future__ import annotations

import argparse
import runpy
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from difsims_core.errors import InputError
from flows.execution.entrypoints import entrypoint_of, read_entrypoints
from flows.execution.job import HOURS, MOST_HOURS

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun
    from prefect.flows import Flow
    from prefect.workers.process import ProcessJobConfiguration


class JobError(InputError):
    """A run asks for another job than this worker does."""


def main() -> None:
    """Run ``prefect worker start`` with the arguments of the command line, for flows of difsims alone."""
    parser = argparse.ArgumentParser(prog="python -m flows.stack.services.prefect_worker", description=main.__doc__)
    parser.add_argument("--deployments", type=Path, help="another file of deployments; its flows are those that run")
    own, others = parser.parse_known_args()
    execute_our_flows_alone(own.deployments)
    sys.argv = ["prefect", "worker", "start", "--type", "process", "--no-create-pool-if-not-found", *others]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


def execute_our_flows_alone(deployments: Path | None = None) -> None:
    """Let Prefect's process worker choose command and function by itself, for this process (Prefect 3.8)."""
    from prefect.workers import process

    import flows.execution.no_persistence  # noqa: F401 - the worker reads states, and they name decoders

    process.ProcessWorker.job_configuration = job_configuration(deployments)
    # With it the worker looks for hooks of a run that crashed or was cancelled, in its own process.
    process.load_flow_from_flow_run = partial(_load_flow, deployments)  # pyright: ignore[reportPrivateImportUsage]


def job_configuration(deployments: Path | None) -> type[ProcessJobConfiguration]:
    """Return what a job is: the same for every run, but for its time limit; the template of the pool is not asked."""
    from prefect.workers.process import ProcessJobConfiguration

    known = read_entrypoints(deployments)

    class Job(ProcessJobConfiguration):
        @classmethod
        async def from_template_and_values(
            cls,
            base_job_template: dict[str, Any],  # noqa: ARG003 - whoever may use the API may have changed it
            values: dict[str, Any],
            client: Any = None,  # noqa: ARG003 - for blocks and variables of the server, which have no place here
        ) -> Job:
            return cls(command=command_of(values, deployments))

        def prepare_for_flow_run(
            self,
            flow_run: FlowRun,
            deployment: Any = None,
            flow: Any = None,
            work_pool: Any = None,
            worker_name: str | None = None,
            worker_id: Any = None,
        ) -> None:
            entrypoint_of(flow.name, known)
            super().prepare_for_flow_run(flow_run, deployment, flow, work_pool, worker_name, worker_id)

    return Job


def command_of(values: dict[str, Any], deployments: Path | None = None) -> str:
    """Return the command of a run.

    Parameters
    ----------
    values
        The job variables of the run and its deployment: ``hours``, and no other.
    deployments
        Another file of deployments than the shipped one.

    Raises
    ------
    JobError
        If there are others, or the time limit is none.
    """
    others = sorted(set(values) - {"hours"})
    if others:
        raise JobError(
            f"job variables {', '.join(map(repr, others))}: a run here has `hours`, its time limit, and no others; the "
            "command is the worker's own. Remove them from the run and its deployment"
        )
    hours = values.get("hours", HOURS)
    number = isinstance(hours, int | float) and not isinstance(hours, bool)
    if not number or not 0 < hours <= MOST_HOURS:
        raise JobError(f"expected hours above 0 and up to {MOST_HOURS:,} in the job variables, found {hours!r}")
    file = [] if deployments is None else ["--deployments", str(deployments.resolve())]
    return shlex.join([sys.executable, "-m", "flows.execution.time_limit", "--hours", f"{hours:g}", *file])


async def _load_flow(deployments: Path | None, flow_run: FlowRun) -> Flow[..., Any]:
    """Return the flow of a run, whatever its deployment says."""
    from prefect.client.orchestration import get_client
    from prefect.flows import load_flow_from_entrypoint

    async with get_client() as client:
        flow = await client.read_flow(flow_run.flow_id)
    return load_flow_from_entrypoint(entrypoint_of(flow.name, read_entrypoints(deployments)))


if __name__ == "__main__":
    main()
