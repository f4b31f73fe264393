"""``difsims simulate`` as somebody at a terminal meets it: how it fails, and how it goes on."""

from __future__ import annotations

import os

from click.testing import Result
from typer.testing import CliRunner

from difsims_core.dataset.plan import Plan
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore
from flows.cli.app import app
from tests.faults.datasets import Dataset, assert_same, finished

SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def run_simulate(document: str, root: str, *options: str) -> Result:
    return CliRunner().invoke(app, ["simulate", document, "--store", root, *options])


def assert_one_line(result: Result, code: int, *said: str) -> None:
    """Hold a command to have failed with one line that says these things, and no secret."""
    assert result.exit_code == code, result.output
    errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, result.stderr
    for text in said:
        assert text in errors[0], errors[0]
    assert "Traceback" not in result.output, result.output
    assert result.stdout == ""
    for name in SECRETS:
        assert not os.environ.get(name) or os.environ[name] not in result.output


def assert_resumed(document: str, plan: Plan, store: ObjectStore, undisturbed: Dataset, simulated: list[int]) -> None:
    """Hold the same command to complete a dataset, and to redo no block that was finished."""
    done = finished(store, plan)
    assert {0, 3} <= done
    assert not store.exists(layout.completion(plan.id))
    before = len(simulated)
    result = run_simulate(document, store.root)
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == plan.id
    assert sorted(simulated[before:]) == sorted(set(range(plan.n_blocks)) - done)
    assert_same(Dataset(store, plan.id), undisturbed)
