"""``difsims up``: start what is missing, wait until each service does its work, watch over it, stop it in order."""

from __future__ import annotations

import os
import platform
import shlex
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Event

from difsims_core.retrying import Retry, StoppedError
from flows.stack import deploy
from flows.stack.api import PrefectApi
from flows.stack.errors import StackError
from flows.stack.records.environment import Services, program_environment, write_environments
from flows.stack.records.folder import StackFolder, StackState
from flows.stack.records.options import UpOptions, choose_services
from flows.stack.services import health
from flows.stack.services.health import Deadline
from flows.stack.services.processes import described, end, stack_processes
from flows.stack.services.programs import Program, s3_program, server_program, worker_program
from flows.stack.services.seaweedfs import make_keys, refuse_open_doors
from flows.stack.supervision import repair
from flows.stack.supervision.heartbeat_automations import install_automations
from flows.stack.supervision.orphaned_runs import OrphanedRuns
from flows.stack.supervision.stop import stop_flow_runs, stop_programs
from flows.stack.supervision.stop_deadline import StopDeadline
from flows.stack.supervision.supervisor import Supervisor
from flows.stack.supervision.watch import watch_over

Tell = Callable[[str], None]

_FIRST_RUN = """prefect deployment run 'pipeline/local' --watch -p 'spec={"simulation": {"n_patterns": 30000}}'"""


# What a stack without login says of itself.
OPEN = (
    "NONE: every user of this machine may start, change and delete runs, with your rights to the store and to your "
    "files, and only the checks of their origin hold pages that are open in a browser; up without --no-auth closes it"
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is started, or was found running."""

    state: StackState
    services: Services
    programs: Sequence[Program]
    adopted: bool

    @property
    def api(self) -> PrefectApi:
        """The Prefect server, own or existing."""
        return PrefectApi(self.services.api, self.services.login)

    @property
    def hurried_api(self) -> PrefectApi:
        """The same for the end: it has `StopDeadline`, and what it cannot tell the next start puts right."""
        return PrefectApi(self.services.api, self.services.login, seconds=3, retry=Retry(tries=2, pause=1, longest=1))


class Stack:
    """A stack on its way up, at work, and on its way down.

    Parameters
    ----------
    options
        What the user asks for.
    tell
        Called with each line of the story.
    """

    def __init__(self, options: UpOptions, tell: Tell) -> None:
        self._options, self._tell = options, tell
        self.folder = StackFolder.at(options.folder)
        self.supervisor = Supervisor(self.folder)
        self._deployments = deploy.Deployments.of(options.deployments)

    def run(self, stop: Event, ready: Tell) -> None:
        """Start, watch until ``stop`` is set, and stop.

        Parameters
        ----------
        stop
            Set when the stack shall end.
        ready
            Called with how to use the stack, once it does its work.

        Raises
        ------
        StackError
            If a service does not do its work; whatever had been started is stopped.
        """
        started = time.monotonic()
        self.folder.prepare()
        with self.folder.locked():
            plan = self._plan()
            with StopDeadline().kept(stop, self.supervisor, plan.state.id, self._tell):
                self._run(plan, stop, ready, started)

    def _run(self, plan: Plan, stop: Event, ready: Tell, started: float) -> None:
        if plan.adopted and not self.supervisor.has(plan.programs):
            self._tell("the running stack was started by another version or with other options; restarting it")
            self._stop(plan)
            plan = self._plan()
        try:
            self.start(plan, Deadline(self._options.seconds, stop))
            ready(self._summary(plan, time.monotonic() - started))
            lost = OrphanedRuns(plan.api) if plan.services.prefect_api is None else None
            watch_over(self.supervisor, lost, stop, self._tell)
        except StoppedError:
            pass
        finally:
            self._tell("stopping")
            self._stop(plan)
            again = f"difsims up --folder {shlex.quote(str(self.folder.root))}"
            self._tell(f"everything is stopped; `{again}` resumes")

    def _plan(self) -> Plan:
        """Choose services and ports, and write the files that speak of them."""
        adopted = self.supervisor.answers()
        if not adopted and (known := self.folder.load_state()):
            self._clear(known.id)
        state, services = choose_services(self.folder, self._options, self._tell, running=adopted)
        self.folder.save_state(state)
        write_environments(self.folder, services)
        for name in services.replaced():
            os.environ.pop(name, None)
        os.environ.update(services.variables() | services.past_proxies())  # it looks at the store as its users will
        programs = [worker_program(f"difsims-{platform.node()}-{state.id[:6]}", self._options.deployments)]
        if services.prefect_api is None:
            programs.insert(0, server_program(state.ports))
        if services.s3 is None:
            programs.insert(0, s3_program(self.folder, state.ports))
        plan = Plan(state, services, programs, adopted)
        self._check_existing(plan)
        return plan

    def _check_existing(self, plan: Plan) -> None:
        """Refuse services that are not there before anything is started."""
        if plan.services.s3 is not None and (problem := health.problem_of_store(plan.services.s3)()):
            raise StackError(f"the store {plan.services.s3} cannot be used: {problem}")
        if plan.services.prefect_api is not None and (problem := plan.api.problem()):
            raise StackError(f"no Prefect server at {plan.services.prefect_api}: {problem}")

    def _clear(self, stack: str) -> None:
        """End what a killed supervisor has left behind: nobody watches over it any more."""
        left = stack_processes(stack)
        if left:
            self._tell(f"ending processes that an earlier start left behind: {described(left)}")
            end(left)

    def start(self, plan: Plan, deadline: Deadline) -> None:
        """Start what a plan lists, each service when the one before does its work."""
        if plan.adopted:
            self._tell("the stack is running without its `difsims up`; this one takes over")
        else:
            if plan.services.prefect_api is None:
                repair.forget_leases(self.folder)
            if plan.services.s3 is None:
                make_keys(self.folder.keys)
            self.supervisor.start(plan.programs, program_environment(self.folder, plan.state.id, plan.services))
        self.start_s3(plan, deadline)
        self._start_server(plan, deadline)
        self._start_worker(plan, deadline)

    def start_s3(self, plan: Plan, deadline: Deadline) -> None:
        """Start the store, if it is an own one, and refuse one that is open to everybody on this machine."""
        if plan.services.endpoint is None:
            return
        self.supervisor.start_program("s3")
        health.await_health("s3", health.problem_of_s3(plan.services.endpoint), self.supervisor, deadline)
        health.await_health("s3", health.problem_of_store(plan.services.store), self.supervisor, deadline)
        refuse_open_doors(plan.state.ports)
        self._tell(f"SeaweedFS is ready at {plan.services.endpoint}")

    def _start_server(self, plan: Plan, deadline: Deadline) -> None:
        if plan.services.prefect_api is not None:
            return
        if not plan.adopted:
            self._tell("waiting for the Prefect server (about half a minute)")
        self.supervisor.start_program("server")
        health.await_health("server", plan.api.problem, self.supervisor, deadline)
        self._tell(f"the Prefect server is ready at {plan.api.address}")
        if not plan.adopted:
            for line in repair.repair_records(plan.api):
                self._tell(line)

    def _start_worker(self, plan: Plan, deadline: Deadline) -> None:
        """Start the worker, and make the deployments meanwhile when something of them is new."""
        if deploy.make_pool(plan.api):
            self._tell("the work pool let runs choose their command; its template, reset, leaves only a time limit")
        digest = self._deployments.digest(plan.services.store)
        fresh = plan.state.deployed == digest and not deploy.missing(plan.api, self._deployments)
        making = None
        if not fresh:
            self._tell(f"deploying {len(self._deployments.names)} flows")
            environment = program_environment(self.folder, plan.state.id, plan.services)
            making = deploy.start_deploying(self.folder, self._deployments, environment)
        try:
            self.supervisor.start_program("worker")
            install_automations(plan.api, self._options.heartbeat_timeout, shared=plan.services.prefect_api is not None)
            look = health.problem_of_worker(plan.api, self.supervisor)
            health.await_health("worker", look, self.supervisor, deadline)
            self._tell("the worker is ready")
            if making is not None:
                making.finish(plan.api, self._deployments, deadline)
                self.folder.save_state(replace(plan.state, deployed=digest))
        finally:
            if making is not None:
                making.give_up()

    def _stop(self, plan: Plan) -> None:
        """Stop in the reverse order; flow runs are stopped while the server can still take note of it."""
        with suppress(StackError):  # one that is gone, or was killed because it took too long
            if self.supervisor.answers():
                stop_flow_runs(self.supervisor, plan.state.id, plan.hurried_api, self._tell)
        seconds = sum(program.stop_seconds for program in plan.programs)
        stop_programs(self.supervisor, plan.state.id, seconds, self._tell)

    def sign_in(self, services: Services) -> str:
        """Return how to sign in, without the secret."""
        if services.prefect_api is not None:
            return "that of PREFECT_API_AUTH_STRING here" if services.login else "none is set here"
        if services.login is None:
            return OPEN
        return f"user:password, the text at `login` in {self.folder.credentials}; the pages ask for all of it once"

    def _summary(self, plan: Plan, seconds: float) -> str:
        services, folder = plan.services, self.folder
        secrets = folder.credentials if None in (services.s3, services.prefect_api) else "those of this environment"
        at_endpoint = f" at {services.endpoint}" if services.endpoint else ""
        return "\n".join(
            [
                f"difsims is up after {seconds:.0f} s",
                f"  pages        {plan.api.address}",
                f"  login        {self.sign_in(services)}",
                f"  store        {services.store}{at_endpoint}",
                f"  credentials  {secrets}",
                f"  logs         {folder.logs}",
                "the first run, in another shell:",
                f"  source {shlex.quote(str(folder.environment))}",
                f"  {_FIRST_RUN}",
                "Ctrl-C stops everything",
            ]
        )
