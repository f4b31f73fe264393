"""Batches with a bad item: whatever it raises, the others go on, and the batch fails at its end."""

from __future__ import annotations

import httpx
import pytest
import typer
from typer.testing import CliRunner

from difsims_core.errors import (
    CorruptDataError,
    ExperimentError,
    InputError,
    MissingObjectError,
    ModelError,
    PartlyFailedError,
    StoreAccessError,
    StoreError,
)
from difsims_core.storage.objects import ObjectStore, open_store
from flows.cli.command_group import CommandGroup
from flows.execution.item_failures import ItemFailures, StageFailures
from flows.ui.progress import Stopped

TOLD = ("items cannot be done", "; the others are")
ERRORS = [
    ExperimentError("b: bad"), MissingObjectError("b: gone"), CorruptDataError("b: torn"), StoreError("b: loops"),
    ValueError("$\\undefined{x}$"), MemoryError(), RecursionError("too deep"), OSError(40, "loops"), KeyError("x"),
    UnicodeEncodeError("utf-8", "\udc80", 0, 1, "surrogates not allowed"), ModelError("b: odd"), AssertionError(),
]  # fmt: skip


@pytest.fixture
def store(tmp_path) -> ObjectStore:
    return open_store(tmp_path / "store")


def batch(failures: ItemFailures, errors: dict[str, BaseException], items: str = "abc") -> list[str]:
    done = []
    for item in items:
        with failures.catch(item):
            if item in errors:
                raise errors[item]
            done.append(item)
    return done


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_one_item_raises_the_others_are_done(store, error):
    failures = ItemFailures(store)
    assert batch(failures, {"b": error}) == ["a", "c"]
    assert failures.errors == {"b": error}
    assert failures.reasons["b"].startswith("b: ")
    with pytest.raises(PartlyFailedError, match=r"1 of 3 .* b: ") as caught:
        failures.raise_if_any(3, *TOLD, {"a": "A", "b": "half of it", "c": "C"})
    assert caught.value.done == {"a": "A", "c": "C"}


def test_all_that_failed_are_told(store):
    failures = ItemFailures(store)
    assert batch(failures, {item: ValueError(item * 2) for item in "abc"}) == []
    words = r"3 of 3 items cannot be done: a: unexpected ValueError: aa · b: .* · c: "
    with pytest.raises(PartlyFailedError, match=words) as caught:
        failures.raise_if_any(3, *TOLD, {})
    assert not caught.value.done


def test_nothing_wrong_is_no_error(store):
    failures = ItemFailures(store)
    assert batch(failures, {}) == ["a", "b", "c"]
    failures.raise_if_any(3, *TOLD, {})


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), Stopped(), httpx.ConnectError("gone")])
def test_what_ends_the_run_goes_through(store, error):
    with pytest.raises(type(error)):
        batch(ItemFailures(store), {"b": error})


def test_kinds_that_no_item_is_to_blame_for_go_through(store):
    with pytest.raises(ModelError):
        batch(ItemFailures(store, ModelError), {"b": ModelError("the network is gone")})


def test_a_store_that_does_not_answer_ends_the_batch(store, monkeypatch):
    def folders(*_):
        raise StoreAccessError("no such bucket")

    monkeypatch.setattr(ObjectStore, "folders", folders)
    with pytest.raises(StoreAccessError):
        batch(ItemFailures(store), {"b": StoreError("timed out")})
    assert batch(ItemFailures(store), {"b": CorruptDataError("torn")}) == ["a", "c"], "what it holds is not the store"


def test_a_store_that_fails_again_and_again_ends_the_batch(store):
    full = {item: StoreError("the disk is full") for item in "abde"}
    failures = ItemFailures(store)
    assert batch(failures, full, "abcde") == ["c"]
    with pytest.raises(StoreError, match="full"):
        batch(failures, full, "a")


def test_the_only_item_fails_with_its_own_error(store):
    for error, expected in ((ExperimentError("bad"), ExperimentError), (ValueError("odd"), PartlyFailedError)):
        failures = ItemFailures(store)
        batch(failures, {"a": error}, "a")
        with pytest.raises(expected):
            failures.raise_if_any(1, *TOLD, {})


def test_what_a_stage_makes_of_good_items_goes_on_to_the_next():
    def fails() -> list[str]:
        raise PartlyFailedError("1 of 2: b: bad", done={"a": "A"})

    failures = StageFailures()
    assert failures.results("ab", lambda: ["A", "B"]) == {"a": "A", "b": "B"}
    failures.raise_if_any()
    assert failures.results("ab", fails) == {"a": "A"}
    with pytest.raises(PartlyFailedError, match=r"^1 of 2: b: bad$"):
        failures.raise_if_any()
    assert failures.results("ab", fails) == {"a": "A"}
    with pytest.raises(PartlyFailedError, match=r"b: bad · 1 of 2"):
        failures.raise_if_any()


def test_a_stage_that_makes_nothing_ends_the_run():
    def fails() -> list[str]:
        raise PartlyFailedError("2 of 2: bad")

    with pytest.raises(PartlyFailedError, match="2 of 2"):
        StageFailures().results("ab", fails)


def test_a_batch_that_partly_failed_ends_with_exit_code_1():
    app = typer.Typer(cls=CommandGroup, pretty_exceptions_enable=False)
    app.callback()(lambda: None)

    @app.command()
    def work() -> None:
        raise PartlyFailedError("1 of 3 scans cannot be predicted; the other 2 are predicted: b: bad")

    assert CliRunner().invoke(app, ["work"]).exit_code == 1


@pytest.mark.parametrize("error", [InputError("b: another beam energy", "find its model"), PartlyFailedError("b: bad")])
def test_what_fails_whole_but_is_a_part_ends_nothing_else(error):
    def fails():
        raise error

    failures = StageFailures()
    assert failures.results("b", fails, among=2) == {}
    assert failures.results("a", lambda: [1], among=2) == {"a": 1}
    with pytest.raises(PartlyFailedError, match="b: "):
        failures.raise_if_any()
    with pytest.raises(type(error), match="b: "):
        StageFailures().results("b", fails, among=1)
