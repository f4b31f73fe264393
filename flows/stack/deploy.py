"""Work pool, deployments and automations of a Prefect server; made again only when something of them changed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import flows
from difsims_core.resources import deployments_file, package_folder
from flows.execution.job import TEMPLATE
from flows.stack.api import PrefectApi
from flows.stack.errors import StackError
from flows.stack.records.folder import StackFolder
from flows.stack.services.health import Deadline
from flows.stack.services.logged import last_lines, start_logged
from flows.stack.services.programs import POOL


@dataclass(frozen=True, slots=True)
class Deployments:
    """A file of deployments in Prefect's own form (``prefect.yaml``)."""

    path: Path

    @classmethod
    def of(cls, path: Path | None) -> Deployments:
        """Return those of a file; None: those that come with the package."""
        return cls(path or deployments_file())

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called: ``<flow>/local``."""
        entries: list[dict[str, Any]] = YAML(typ="safe", pure=True).load(self.path)["deployments"]
        return tuple(f"{entry['flow_name']}/{entry['name']}" for entry in entries)

    def digest(self, store: str) -> str:
        """Return a digest of all that shapes them: the file, the flows and their parameters, Prefect, the store."""
        whole = hashlib.sha256("\n".join((store, version("prefect"), POOL)).encode())
        for path in (self.path, *_sources()):
            whole.update(path.read_bytes())
        return whole.hexdigest()


def make_pool(api: PrefectApi) -> bool:
    """Make the work pool, or close its template again; return whether one that was there had been open.

    A template of Prefect's own leaves command, environment and directory to whoever starts a run.

    Raises
    ------
    StackError
        If there is a pool of that name whose runs are no processes.
    """
    pool = api.get(f"/work_pools/{POOL}")
    if pool is None:
        summary = "Flows of difsims, each run a process on this machine"
        api.post(
            "/work_pools/", {"name": POOL, "type": "process", "description": summary, "base_job_template": TEMPLATE}
        )
        return False
    if pool["type"] != "process":
        raise StackError(
            f"{api.url} has a work pool {POOL!r} of type {pool['type']!r}, expected 'process'", "rename or remove it"
        )
    if pool["base_job_template"] == TEMPLATE:
        return False
    api.patch(f"/work_pools/{POOL}", {"base_job_template": TEMPLATE})
    return True


def missing(api: PrefectApi, deployments: Deployments) -> list[str]:
    """Return the deployments that the server does not have."""
    return [name for name in deployments.names if api.get(f"/deployments/name/{name}") is None]


def start_deploying(folder: StackFolder, deployments: Deployments, environment: Mapping[str, str]) -> Deploying:
    """Make all deployments, in a process of its own: Prefect reads its environment once, at import."""
    command = (
        sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(deployments.path),
    )  # fmt: skip
    log = folder.logs / "deploy.log"
    log.unlink(missing_ok=True)
    return Deploying(start_logged(command, log, environment=environment, folder=folder.scratch), log)


@dataclass(frozen=True, slots=True)
class Deploying:
    """Deployments in the making."""

    process: subprocess.Popen[bytes]
    log: Path

    def finish(self, api: PrefectApi, deployments: Deployments, deadline: Deadline) -> None:
        """Wait until they are there.

        Raises
        ------
        StackError
            If one is not.
        """
        code = next((code for _ in deadline if (code := self.process.poll()) is not None), None)
        self.give_up()
        absent = missing(api, deployments)
        if code != 0 or absent:
            ended = f"no end after {deadline.seconds:.0f} s" if code is None else f"exit code {code}"
            raise StackError(
                f"deploying {deployments.path} failed ({ended}); missing: {', '.join(absent) or 'none'}; the last "
                f"lines of {self.log}:\n{last_lines(self.log)}"
            )

    def give_up(self) -> None:
        """End the making, if it has not ended."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def _sources() -> Iterable[Path]:
    yield from sorted(Path(flows.__file__ or "").parent.rglob("*.py"))
    yield from sorted((package_folder() / "config").rglob("*.py"))
