"""Which function each flow is: the shipped deployments say so, on the machine that runs them.

Prefect asks its server for it, and everybody who may use its API can write there another function, or steps that
"pull" code first. What a run executes is therefore looked up here, by the name of its flow, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from difsims_core.errors import InputError
from difsims_core.plugins import nearest
from difsims_core.resources import deployments_file


class FlowError(InputError):
    """A flow is none of those that run here."""


def read_entrypoints(path: Path | None = None) -> dict[str, str]:
    """Return flow → ``module.function`` of a file of deployments; default: those that come with the package."""
    entries: list[dict[str, Any]] = YAML(typ="safe", pure=True).load(path or deployments_file())["deployments"]
    return {entry["flow_name"]: entry["entrypoint"] for entry in entries}


def entrypoint_of(flow: str, known: Mapping[str, str]) -> str:
    """Return the function of a flow.

    Raises
    ------
    FlowError
        If it is none of those that are known.
    """
    if flow not in known:
        raise FlowError(
            f"flow {flow!r} is none of those that run here{nearest(flow, list(known))}; expected one of "
            f"{', '.join(known)}, as the file of deployments has them"
        )
    return known[flow]
