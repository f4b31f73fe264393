"""Prefect's flows and tasks without stored results: none is written, and none that somebody planted is read.

A record of Prefect names its own decoder, such as pickle or a function of any module, and is believed. What our runs
have made is told by receipts and records of the store; a value goes from function to function within its process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, ParamSpec, TypeVar

import prefect
from prefect import Flow, Task
from prefect.cache_policies import NO_CACHE
from prefect.flow_engine import AsyncFlowRunEngine, FlowRunEngine
from prefect.results import ResultStore
from prefect.serializers import Serializer
from prefect.utilities.dispatch import get_registry_for_type
from pydantic import ConfigDict

from difsims_core.errors import DifsimsError
from difsims_core.messages import printable, shortened

P = ParamSpec("P")
R = TypeVar("R")

_LONGEST_RUN_NAME = 200


class PlantedResultError(DifsimsError):
    """A run, or a store, holds a result of Prefect that no run of ours has written."""


class NoSerializer(Serializer):
    """Stands for whatever decoder a record names: it imports nothing, encodes nothing and decodes nothing."""

    type: str = "none"

    model_config = ConfigDict(extra="allow")

    def dumps(self, obj: Any) -> bytes:  # noqa: ARG002 - the interface of Prefect
        """Refuse."""
        _refuse()

    def loads(self, blob: bytes) -> Any:  # noqa: ARG002 - the interface of Prefect
        """Refuse."""
        _refuse()


def flow(name: str, **options: Any) -> Callable[[Callable[P, R]], Flow[P, R]]:
    """Return the decorator of a flow whose value stays in its process, whatever Prefect's settings say."""
    return prefect.flow(name=name, persist_result=False, **_with_run_name("flow_run_name", options))


def task(function: Callable[..., Any], name: str, **options: Any) -> Task[..., Any]:
    """Return a function as a task whose value stays in its process, whatever Prefect's settings say."""
    named = _with_run_name("task_run_name", options)
    return Task(function, name=name, persist_result=False, cache_policy=NO_CACHE, **named)


def _with_run_name(key: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with a namer whose names, made of those of files and phases, are one line of some length."""
    name = options.get(key)
    if not callable(name):
        return options
    return options | {key: lambda: shortened(printable(str(name())), _LONGEST_RUN_NAME)}


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise PlantedResultError(
        "Prefect's record of a run names a stored result; no run of difsims has one, so somebody else has written "
        "it. It was not read",
        "find out who, and start a new run",
    )


async def _refuse_later(*_: Any, **__: Any) -> NoReturn:
    _refuse()


async def _never(*_: Any, **__: Any) -> bool:
    return False


async def _no_earlier_run(*_: Any, **__: Any) -> None:
    return None


def _close() -> None:
    """Shut, in this process, every door through which Prefect (3.8) reads results, and believes earlier runs.

    The decoders come first: a record imports the module that it names when it is parsed, before anybody asks for the
    value. A flow that calls another starts that afresh, because an earlier run of it is what the server says it was.
    """
    known = get_registry_for_type(Serializer) or {}
    known.update(dict.fromkeys(known, NoSerializer))
    for name in ("read", "_read"):
        setattr(ResultStore, name, _refuse)
    for name in ("aread", "_aread", "_from_metadata"):
        setattr(ResultStore, name, _refuse_later)
    ResultStore.exists = lambda *_, **__: False
    ResultStore.aexists = _never
    FlowRunEngine.load_subflow_run = lambda *_, **__: None  # pyright: ignore[reportAttributeAccessIssue]
    AsyncFlowRunEngine.load_subflow_run = _no_earlier_run  # pyright: ignore[reportAttributeAccessIssue]


_close()
