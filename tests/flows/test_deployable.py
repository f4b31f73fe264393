"""Flows as deployments see them: parameters are the specs themselves, with fields, bounds and descriptions."""

from __future__ import annotations

import pytest
from prefect import Task
from prefect.exceptions import ParameterTypeError
from prefect.states import Failed
from prefect.utilities.callables import parameter_schema

from difsims_core.config.simulation import SimulationSpec
from difsims_core.errors import (
    CorruptDataError,
    IncompleteDatasetError,
    InputError,
    MissingObjectError,
    StoreAccessError,
    StoreError,
)
from flows import tasks
from flows.evaluate import evaluate
from flows.pipeline import pipeline
from flows.predict import predict
from flows.retrain import retrain
from flows.simulate import simulate
from flows.sweep import simulate_sweep
from flows.train import train
from flows.watch import watch_experiments


@pytest.mark.parametrize(
    "flow", [simulate, simulate_sweep, train, predict, evaluate, pipeline, retrain, watch_experiments]
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
    with pytest.raises(ParameterTypeError, match="did you mean 'n_patterns'"):
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
    assert tasks.is_temporary(tasks.write_blocks, None, Failed(data=error)) is again


def test_tasks_and_flows_keep_json_and_never_pickle():
    found = [item for item in vars(tasks).values() if isinstance(item, Task)]
    assert len(found) == 9
    for item in (*found, simulate, simulate_sweep, train, predict, evaluate, pipeline):
        assert item.result_serializer == "json", item.name
        assert item.persist_result is (item is tasks.write_blocks), item.name
