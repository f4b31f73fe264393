"""Flows as deployments see them: parameters are the specs themselves, with fields, bounds and descriptions."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from prefect import Flow, Task
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import ParameterTypeError
from prefect.states import Failed
from prefect.utilities.callables import parameter_schema

import flows
from difsims_core.config.simulation import SimulationSpec
from difsims_core.errors import (
    CorruptDataError,
    IncompleteDatasetError,
    InputError,
    MissingObjectError,
    StoreAccessError,
    StoreError,
    StoreFullError,
)
from flows.evaluate import evaluate
from flows.execution import retries, steps
from flows.export import export
from flows.pipeline import pipeline
from flows.predict import predict
from flows.preprocess import preprocess
from flows.retrain import retrain
from flows.simulate import simulate
from flows.sweep import simulate_sweep
from flows.train import train
from flows.watch import watch_experiments


@pytest.mark.parametrize(
    "flow",
    [simulate, simulate_sweep, train, preprocess, predict, evaluate, export, pipeline, retrain, watch_experiments],
)
def test_every_parameter_is_described(flow):
    properties = parameter_schema(flow).properties
    assert "store" in properties
    assert all(item.get("description") for item in properties.values())


def test_the_fields_of_a_spec_reach_the_form():
    definitions = parameter_schema(simulate).definitions
    patterns = definitions["SimulationSpec"]["properties"]["n_patterns"]
    assert patterns["minimum"] == 1
    assert "all phases together" in patterns["description"]


def test_plain_values_become_a_spec():
    found = simulate.validate_parameters({"spec": {"n_patterns": 300, "phases": ["pbi2_2h"]}, "store": None})
    assert isinstance(found["spec"], SimulationSpec)
    assert found["spec"].class_names == ("pbi2_2h",)


def test_a_typo_is_refused_with_the_nearest_key():
    with pytest.raises(ParameterTypeError, match="'n_patterns'"):
        simulate.validate_parameters({"spec": {"n_pattern": 300}, "store": None})


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (StoreError("busy"), True),
        (StoreAccessError("refused"), False),
        (MissingObjectError("gone"), False),
        (IncompleteDatasetError("growing"), False),
        (CorruptDataError("damaged"), False),
        (InputError("wrong"), False),
        (ValueError("a mistake of ours"), False),
    ],
)
def test_only_a_failing_store_is_tried_again(error, again):
    run = SimpleNamespace(run_count=1)
    assert steps.write_blocks.task.retry_condition_fn(steps.write_blocks.task, run, Failed(data=error)) is again
    assert retries.worth_waiting(error) is again


def test_a_full_store_is_waited_for_where_somebody_may_free_space(monkeypatch):
    """Beside a run that a worker started, retention may; whoever typed a command is told at once."""
    monkeypatch.delenv("PREFECT__FLOW_RUN_ID", raising=False)
    assert not retries.worth_waiting(StoreFullError("no room"))
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "0")
    assert retries.worth_waiting(StoreFullError("no room"))


def test_no_task_and_no_flow_keeps_its_result():
    found = [value for module in _modules() for value in vars(module).values()]
    tasks_found = [item.task for item in found if isinstance(item, steps.Step)]
    assert not any(isinstance(item, Task) for item in found), "tasks are made of steps"
    flows_found = [item for item in found if isinstance(item, Flow)]
    assert len(tasks_found) >= 9
    assert len({item.name for item in flows_found}) == len(_modules()) - 1
    for item in (*tasks_found, *flows_found):
        assert item.persist_result is False, item.name
    for item in tasks_found:
        assert item.cache_policy is NO_CACHE, item.name
        assert item.cache_key_fn is None, item.name


def test_flows_and_tasks_are_made_in_one_place():
    """Prefect's own decorators would let its settings decide what is kept."""
    folder = Path(flows.__file__).parent
    for path in folder.rglob("*.py"):
        if path.name == "no_persistence.py":
            continue
        imported = [
            alias.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom) and node.module == "prefect"
            for alias in node.names
        ]
        assert not {"flow", "task"}.intersection(imported), path


def _modules() -> list[ModuleType]:
    names = "simulate sweep train preprocess predict evaluate pipeline retrain watch execution.steps"
    return [import_module(f"flows.{name}") for name in names.split()]
