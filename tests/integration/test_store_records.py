"""Records of a dataset that say something else, under a right checksum: an answer or an error of ours."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.build import begin, finish, read_plan, write_group
from difsims_core.dataset.completion import read_completion
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.receipts import read_receipt
from difsims_core.dataset.verify import verify
from difsims_core.errors import CorruptDataError, DifsimsError
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from difsims_core.storage.records import from_record, to_record
from tests.doubles import fake

SPEC = SimulationSpec(n_patterns=30, seed=3)
ODD: list[Any] = [
    None, True, -1, 0, 1.5, 2**53, 10**30, "", "x", "../..", "sim-00000000-0000-4000-8000-000000000000", "s3://b/k",
    "a\nb\x1b[2J", "1970-01-01T00:00:00", [], {}, [[]], {"a": {}}, ["a", "a"], [1], "0" * 64, {"0": -1},
    {"x": "0" * 64},
]  # fmt: skip
TRIALS = 60


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    store, simulator = open_store(tmp_path_factory.mktemp("store")), fake(SPEC)
    plan = begin(store, SPEC, 1024, simulator)
    write_group(store.root, SPEC, plan.id, range(1), simulator=simulator)
    finish(store, plan)
    return store, plan


def _mutated(document: Any, rng: random.Random) -> Any:
    """Return a document with one value, somewhere, exchanged, added or left out."""
    document = json.loads(json.dumps(document))
    item = document
    while True:
        keys = list(item) if isinstance(item, dict) else list(range(len(item)))
        if not keys:
            return document
        key = rng.choice(keys)
        if isinstance(item[key], dict | list) and item[key] and rng.random() < 0.7:
            item = item[key]
            continue
        if rng.random() < 0.2:
            del item[key]
        else:
            item[key] = rng.choice(ODD)
        return document


def _uses(store, plan) -> list[Callable[[], Any]]:
    return [
        lambda: open_simulation(plan.id, store).q_px,
        lambda: verify(store, plan.id),
        lambda: read_plan(store, plan.id),
        lambda: read_receipt(store, plan, 0),
        lambda: finish(store, plan),
        lambda: begin(store, SPEC, 1024, fake(SPEC)),
    ]


@pytest.mark.parametrize("kind", ["completion", "receipt", "index", "root"])
def test_any_record_gives_an_answer_or_an_error_of_ours(built, kind):
    store, plan = built
    key = {
        "completion": layout.completion(plan.id),
        "receipt": layout.receipt(plan.id, 0),
        "index": layout.simulation_index(plan.fingerprint),
        "root": f"{layout.simulation(plan.id)}/zarr.json",
    }[kind]
    data, rng = store.read(key), random.Random(kind)  # noqa: S311
    document = json.loads(data) if kind == "root" else from_record(data, key)
    try:
        for _ in range(TRIALS):
            changed = _mutated(document, rng)
            store.write(key, json.dumps(changed).encode() if kind == "root" else to_record(changed or {"a": 1}))
            for use in _uses(store, plan):
                with suppress(DifsimsError):
                    use()
    finally:
        store.write(key, data)
    assert verify(store, plan.id).ok


def test_whoever_completes_a_changed_dataset_again_gets_errors_of_ours_too(built):
    store, plan = built
    folder, rng = layout.simulation(plan.id), random.Random("again")  # noqa: S311
    kept = {key: store.read(key) for key in store.list(folder)}
    try:
        for _ in range(TRIALS):
            root = json.loads(kept[f"{folder}/zarr.json"])
            root["attributes"] = _mutated(root["attributes"], rng)
            copy = root["consolidated_metadata"]["metadata"]["metadata"]
            copy["attributes"] = root["attributes"]
            store.write(f"{folder}/zarr.json", json.dumps(root).encode())
            store.write(f"{folder}/metadata/zarr.json", json.dumps(copy).encode())
            store.delete(layout.completion(plan.id))
            for use in (lambda: finish(store, plan), *_uses(store, plan), lambda: open_simulation(plan.id, store).spec):
                with suppress(DifsimsError):
                    use()
    finally:
        for key, data in kept.items():
            store.write(key, data)
    assert verify(store, plan.id).ok


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"[" * 200_000, b'{"id": NaN}', b'{"id": "\\ud800"}', b'{"id": 1, "id": 2}', b"\xff\xfe"],
)
def test_what_is_no_record_is_refused_by_name(built, data):
    store, plan = built
    for key in (layout.completion(plan.id), layout.simulation_index(plan.fingerprint)):
        kept = store.read(key)
        store.write(key, data)
        try:
            with pytest.raises(CorruptDataError, match="difsims convert"):
                begin(store, SPEC, 1024, fake(SPEC))
        finally:
            store.write(key, kept)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("n_patterns", 31, " 31"),
        ("class_counts", {"7": 30}, "class_counts"),
        ("completed", "yesterday", "completed: .*'yesterday'"),
        ("axes", {"1d/x_px_q_axis": "0"}, r"axes\.1d/x_px_q_axis: .* 64 .*'0'"),
        ("phases", "abc", "phases: .*'abc'"),
        ("stored_bytes", 2**53, "stored_bytes: .* 9007199254740992"),
        ("stored_bytes", True, "stored_bytes: .*True"),
    ],
)
def test_fields_of_the_completion_record_are_checked(built, field, value, words):
    store, plan = built
    key = layout.completion(plan.id)
    kept = store.read(key)
    store.write(key, to_record(from_record(kept, key) | {field: value}))
    try:
        with pytest.raises(CorruptDataError, match=words):
            read_completion(store, layout.simulation(plan.id))
    finally:
        store.write(key, kept)


def test_a_record_of_more_blocks_than_anybody_writes_is_refused(built):
    store, plan = built
    key = layout.simulation_index(plan.fingerprint)
    kept = store.read(key)
    store.write(key, to_record(plan.record().to_document() | {"n_patterns": 2**50}))
    try:
        with pytest.raises(CorruptDataError, match=" 1048576 "):
            begin(store, SPEC, 1024, fake(SPEC))
    finally:
        store.write(key, kept)
