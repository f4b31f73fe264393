"""Sweeps: every point a dataset of its own, complete ones reused, a failing point named in the end."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from difsims_core.config.documents import dump_spec
from difsims_core.dataset.open import open_simulation
from difsims_core.storage.objects import open_store
from flows import sweep as flows_sweep
from flows.cli.app import app
from flows.execution.point_states import SweepError
from flows.sweep import simulate_sweep
from tests.flows.prefect_records import artifacts_of, latest_run

AXES = {"seed": [3, 4], "postprocessing.sqrt": [False, True]}


@pytest.fixture
def document(tiny, tmp_path):
    path = tmp_path / "sweep.yaml"
    small = tiny.model_copy(update={"n_patterns": 60})
    path.write_text(dump_spec(small) + "sweep: {random_seed: [3, 4], postprocessing.sqrt: [false, true]}\n")
    return str(path)


def invoke(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.slow
def test_simulate_prints_one_id_a_line_and_finds_them_again(document, store):
    first = invoke("simulate", document, "--store", store)
    assert first.exit_code == 0, first.output
    ids = first.stdout.splitlines()
    assert len(set(ids)) == 4
    found = [open_simulation(one, open_store(store)).spec for one in ids]
    assert [(spec.seed, spec.postprocessing.sqrt) for spec in found] == [(3, False), (3, True), (4, False), (4, True)]
    assert "point 2 of 4: seed=3 postprocessing.sqrt=true" in first.stderr

    again = invoke("simulate", document, "--store", store, "--json")
    described = json.loads(again.stdout)
    assert [item["id"] for item in described] == ids
    assert described[0]["label"] == "seed=3 postprocessing.sqrt=false"
    assert {item["n_patterns"] for item in described} == {60}
    assert again.stderr.count("reused dataset") == 4

    one = invoke("simulate", document, "--set", "seed=4", "--set", "postprocessing.sqrt=true", "--store", store)
    assert one.stdout.splitlines() == ids[-1:]


def test_a_run_leaves_its_name_its_tags_and_a_table(store, tiny):
    ids = simulate_sweep(tiny.model_copy(update={"n_patterns": 30}), {"seed": [3, 4]}, store)
    run = latest_run("simulate-sweep")
    assert run.name == "sweep of 2 seed"
    assert set(ids) <= set(run.tags)
    rows = json.loads(artifacts_of(run)["sweep"].data)
    assert [(row["point"], row["dataset"], row["state"]) for row in rows] == [
        ("seed=3", ids[0], "complete"), ("seed=4", ids[1], "complete"),
    ]  # fmt: skip


def test_a_failing_point_does_not_stop_the_others(store, tiny, monkeypatch):
    original, asked = flows_sweep.simulate, []

    def simulate(spec, root):
        asked.append(spec.seed)
        if spec.seed == 4:
            raise ValueError("broken\nin two lines")
        return original(spec, root)

    monkeypatch.setattr(flows_sweep, "simulate", simulate)
    with pytest.raises(SweepError, match=r"1 of 3 .*\nseed=4: broken$") as caught:
        simulate_sweep(tiny.model_copy(update={"n_patterns": 30}), {"seed": [3, 4, 5]}, store)
    assert asked == [3, 4, 5]
    assert len(str(caught.value).splitlines()) == 2
    run = latest_run("simulate-sweep")
    assert run.state.is_failed()
    rows = json.loads(artifacts_of(run)["sweep"].data)
    assert [row["state"] for row in rows] == ["complete", "failed: broken", "complete"]


def test_parameters_are_checked_before_any_work(store, tiny, monkeypatch):
    monkeypatch.setattr(flows_sweep, "simulate", None)
    with pytest.raises(ValueError, match="seed=-1: seed"):
        simulate_sweep(tiny, {"seed": [1, -1]}, store)
