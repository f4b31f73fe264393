"""A flow run with a time limit: ``python -m flows.execution.time_limit --hours 72``, not ``prefect.engine``.

Prefect's own time limits interrupt no thread, and a run that hangs while its heartbeat goes on is nobody's zombie: it
would hold its place in the queue for ever. Here the whole process ends, as by a kill, and what it finished is kept.
What runs is the function that this installation has for the flow, whatever the deployment on the server says.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import runpy
import sys
import threading
from pathlib import Path
from uuid import UUID

from flows.execution.entrypoints import FlowError, entrypoint_of, read_entrypoints
from flows.execution.job import MOST_HOURS
from flows.settings import quieten_prefect

_TELLING_SECONDS = 60  # for a server that does not answer


def main() -> None:
    """Run the flow run that the environment names (``PREFECT__FLOW_RUN_ID``), for so many hours at most."""
    parser = argparse.ArgumentParser(prog="python -m flows.execution.time_limit", description=main.__doc__)
    parser.add_argument("--hours", type=_hours, required=True, help="after which the run is ended and failed: TimedOut")
    parser.add_argument("--deployments", type=Path, help="another file of deployments, with the functions of flows")
    asked = parser.parse_args()
    hours: float = asked.hours
    watch = threading.Timer(hours * 3600, _end, [hours])
    watch.daemon = True
    watch.start()
    # Were the interpreter itself stuck, or the server silent: a thread that needs neither.
    faulthandler.dump_traceback_later(hours * 3600 + _TELLING_SECONDS, exit=True)
    quieten_prefect(verbose=True)  # among others the pace of heartbeats, for a worker that was started without it
    os.environ["PREFECT__FLOW_ENTRYPOINT"] = _entrypoint(asked.deployments)  # the engine asks no deployment then
    del sys.argv[1:]  # the engine would take them for a flow run
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


def _hours(text: str) -> float:
    hours = float(text)
    if not 0 < hours <= MOST_HOURS:
        raise argparse.ArgumentTypeError(f"expected hours above 0 and up to {MOST_HOURS:,}, found {text}")
    return hours


def _entrypoint(deployments: Path | None) -> str:
    from prefect.client.orchestration import get_client

    import flows.execution.no_persistence  # noqa: F401 - the run's state is read here, and it may name a decoder

    with get_client(sync_client=True) as client:
        run = client.read_flow_run(UUID(os.environ["PREFECT__FLOW_RUN_ID"]))
        flow = client.read_flow(run.flow_id)
    try:
        return entrypoint_of(flow.name, read_entrypoints(deployments))
    except FlowError as error:
        sys.exit(str(error))


def _end(hours: float) -> None:
    """Leave in the worker's log where every thread was, say why, and end."""
    why = (
        f"ended: not done after {hours:g} h, its time limit (`hours` among the job variables of its deployment). "
        "The log of its worker shows where it stood. What it finished is kept: run it again, with a longer limit if it "
        "was at work all the time"
    )
    print(why, file=sys.stderr, flush=True)  # noqa: T201 - the worker's log
    faulthandler.dump_traceback(all_threads=True)
    try:
        from prefect.client.orchestration import get_client
        from prefect.states import Failed

        with get_client(sync_client=True) as client:
            run = UUID(os.environ["PREFECT__FLOW_RUN_ID"])
            client.set_flow_run_state(run, Failed(name="TimedOut", message=why))  # not by force: it may just have ended
    except BaseException:  # noqa: BLE001 - then its worker tells of the end
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
