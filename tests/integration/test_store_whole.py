"""A dataset is whole only when its folder holds what it was completed with: rows, axes, names, its own id."""

from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.build import begin, finish, write_group
from difsims_core.dataset.export.npz import NpzExporter
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.verify import verify
from difsims_core.errors import CorruptDataError, DifsimsError
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore, open_store
from difsims_core.storage.records import from_record, to_record
from difsims_core.storage.zarr.blosc import Blosc
from tests.doubles import fake

KINDS = {
    "root document": "zarr.json",
    "copied attributes": "metadata/zarr.json",
    "a group": "1d/zarr.json",
    "an array": "1d/x_px/zarr.json",
    "an array of draws": "draws/dose/zarr.json",
    "the array of an axis": "1d/x_px_q_axis/zarr.json",
    "an axis": "1d/x_px_q_axis/c/0",
    "the whole axis": "1d/x_all_q_axis/c/0",
    "profiles": "1d/x_px/c/0/0",
    "whole profiles": "1d/x_all/c/1/0",
    "labels": "1d/y_px/c/0/0",
    "other labels": "1d/y_all/c/1/0",
    "a drawn number": "draws/dose/c/0",
    "drawn numbers": "draws/orientation/c/1/0",
    "a receipt": "receipts/00001.json",
    "the completion record": "complete.json",
}
POSITIONS = 4
SPEC = SimulationSpec(n_patterns=1100, seed=3)


class Dataset:
    """A complete dataset of two blocks, to be damaged."""

    def __init__(self, root: Path, spec: SimulationSpec = SPEC) -> None:
        self.store: ObjectStore = open_store(root)
        simulator = fake(spec)
        self.plan = begin(self.store, spec, 1024, simulator)
        write_group(self.store.root, spec, self.plan.id, range(2), simulator=simulator)
        finish(self.store, self.plan)
        self.id = self.plan.id
        self.folder = root / layout.simulation(self.id)

    @property
    def failures(self) -> str:
        """What `verify` finds, as one text."""
        return "\n".join(verify(self.store, self.id).failures)

    def edit(self, path: str, change) -> None:
        """Change a JSON document of it."""
        document = json.loads((self.folder / path).read_bytes())
        change(document)
        (self.folder / path).write_text(json.dumps(document))

    def complete_again(self) -> None:
        """Write a new completion record, as whoever may write to the store can."""
        (self.folder / layout.COMPLETE).unlink()
        finish(self.store, self.plan)


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Dataset:
    return Dataset(tmp_path_factory.mktemp("store"))


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    return Dataset(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_every_changed_bit_is_noticed(original, kind):
    file = original.folder / KINDS[kind]
    data, rng = file.read_bytes(), random.Random(kind)  # noqa: S311
    try:
        for place in [0, len(data) - 1, *(rng.randrange(len(data)) for _ in range(POSITIONS))]:
            damaged = bytearray(data)
            damaged[place] ^= 1 << rng.randrange(8)
            file.write_bytes(damaged)
            assert original.failures, f"byte {place} of {file.name}"
    finally:
        file.write_bytes(data)
    assert original.failures == ""


@pytest.mark.parametrize("kind", ["an axis", "profiles", "a receipt", "root document", "a group"])
@pytest.mark.parametrize("damage", ["cut", "longer", "empty", "gone"])
def test_objects_that_are_cut_longer_or_gone_are_noticed(original, kind, damage):
    file = original.folder / KINDS[kind]
    data = file.read_bytes()
    try:
        file.write_bytes({"cut": data[:-1], "longer": data + b"\0", "empty": b"", "gone": b""}[damage])
        if damage == "gone":
            file.unlink()
        try:
            assert original.failures
        except DifsimsError:  # without root document or completion record there is no complete dataset to check
            assert damage == "gone"
    finally:
        file.write_bytes(data)


@pytest.mark.parametrize(
    "name", ["1d/x_px/c/2/0", "1d/x_px/c/00/0", "receipts/00002.json", "receipts/1.json", "evil.py"]
)
def test_objects_that_do_not_belong_are_named(dataset, name):
    file = dataset.folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"something")
    assert dataset.failures == f"{name}: does not belong to this dataset; remove it"


@pytest.mark.parametrize("change", [np.flip, lambda q: q * 1.01, lambda q: q + 1e-9])
def test_another_axis_is_refused_where_it_is_read_and_found_by_verify(dataset, tmp_path, change):
    piece = dataset.folder / "1d/x_px_q_axis/c/0"
    q = np.frombuffer(Blosc().decode(piece.read_bytes()))
    piece.write_bytes(Blosc("zstd", 1, Blosc.BITSHUFFLE, 1 << 20).encode(np.ascontiguousarray(change(q))))
    assert dataset.failures
    opened = open_simulation(dataset.id, dataset.store)
    for use in (lambda: opened.q_px, lambda: opened["1d/x_px_q_axis"][:]):
        with pytest.raises(CorruptDataError, match="1d/x_px_q_axis"):
            use()
    with pytest.raises(CorruptDataError, match="axis"):
        NpzExporter().export(open_simulation(dataset.id, dataset.store), tmp_path / "out.npz")


def test_a_deleted_axis_is_found(dataset):
    (dataset.folder / "1d/x_px_q_axis/c/0").unlink()
    assert "missing" in dataset.failures
    with pytest.raises(DifsimsError):
        _ = open_simulation(dataset.id, dataset.store).q_px


def test_an_axis_is_read_once(dataset):
    opened = open_simulation(dataset.id, dataset.store)
    first = opened.q_px
    (dataset.folder / "1d/x_px_q_axis/c/0").unlink()
    np.testing.assert_array_equal(opened["1d/x_px_q_axis"][:], first)


def _exchange_phases(document):
    def exchanged(attributes):
        attributes["phases"] = attributes["phases"][::-1]

    exchanged(document["attributes"])
    exchanged(document["consolidated_metadata"]["metadata"]["metadata"]["attributes"])


def test_exchanged_class_names_are_refused(dataset):
    dataset.edit("zarr.json", _exchange_phases)
    with pytest.raises(CorruptDataError, match=r"zarr\.json"):
        open_simulation(dataset.id, dataset.store)
    assert "zarr.json" in dataset.failures


def _another_seed(document):
    copy = document["consolidated_metadata"]["metadata"]["metadata"]
    document["attributes"]["parameters"]["seed"] = copy["attributes"]["parameters"]["seed"] = 99


def test_another_document_is_refused_on_opening(dataset):
    dataset.edit("zarr.json", _another_seed)
    with pytest.raises(CorruptDataError, match=r"zarr\.json"):
        open_simulation(dataset.id, dataset.store)


def test_metadata_that_differ_from_the_root_document_are_found(dataset):
    dataset.edit("1d/x_px/zarr.json", lambda document: document["attributes"].update(long_name="labels"))
    assert open_simulation(dataset.id, dataset.store).n_patterns == 1100
    assert "1d/x_px/zarr.json" in dataset.failures
    with pytest.raises(CorruptDataError, match=r"1d/x_px/zarr\.json"):
        dataset.complete_again()


@pytest.mark.parametrize("name", ["sim-00000000-0000-4000-8000-000000000000.zarr", "copy.zarr"])
def test_a_renamed_or_copied_folder_is_refused_with_both_names(dataset, name):
    place = shutil.copytree(dataset.folder, dataset.folder.with_name(name))
    for check in (open_simulation, lambda place: verify(dataset.store, place).failures[0]):
        try:
            said = str(check(place))
        except CorruptDataError as error:
            said = str(error)
        assert re.search(rf"{name}.*{dataset.id}", said)


def test_a_folder_under_its_own_name_may_lie_anywhere(dataset, tmp_path):
    place = shutil.move(dataset.folder, tmp_path / "elsewhere")
    named = shutil.move(place, tmp_path / dataset.folder.name)
    assert open_simulation(named).id == dataset.id
    assert verify(dataset.store, named).ok


@pytest.mark.parametrize(
    "name",
    ["complete.json", "receipts/00000.json", "1d/x_px/c/0/0", "zarr.json", "1d/y_px/c/1/0", "metadata/zarr.json"],
)
def test_objects_of_another_dataset_are_noticed(dataset, tmp_path, name):
    other = Dataset(tmp_path / "other", SPEC.model_copy(update={"seed": 4, "n_patterns": 1101}))
    shutil.copyfile(other.folder / name, dataset.folder / name)
    assert dataset.failures


def test_the_same_rows_elsewhere_do_not_lend_their_records(dataset, tmp_path):
    """The same document has the same fingerprint and rows in every store, and another id."""
    other = Dataset(tmp_path / "other")
    assert other.plan.fingerprint == dataset.plan.fingerprint
    for name in ("complete.json", "receipts/00000.json", "zarr.json"):
        kept = (dataset.folder / name).read_bytes()
        shutil.copyfile(other.folder / name, dataset.folder / name)
        assert dataset.failures, name
        (dataset.folder / name).write_bytes(kept)
    shutil.copyfile(other.folder / "1d/x_px/c/0/0", dataset.folder / "1d/x_px/c/0/0")
    assert dataset.failures == ""


def test_rows_packed_otherwise_are_found(dataset):
    """The same rows in other bytes: not what was written."""
    shard = dataset.folder / "1d/x_px/c/1/0"
    data = shard.read_bytes()
    shard.write_bytes(data[:100] + b"\0" + data[100:])  # pieces are found from the index, at the end
    assert "block 1, 1d/x_px" in dataset.failures


@pytest.mark.parametrize("what", ["another fingerprint", "no record", "unsealed", "another dataset"])
def test_an_index_that_names_another_dataset_is_not_followed(dataset, what):
    key = layout.simulation_index(dataset.plan.fingerprint)
    record = from_record(dataset.store.read(key), key)
    if what == "another fingerprint":
        dataset.store.write(key, to_record(record | {"fingerprint": "0" * 64}))
    elif what == "no record":
        dataset.store.write(key, b"[]")
    elif what == "unsealed":
        dataset.store.write(key, json.dumps(record).encode())
    else:
        other = Dataset(dataset.folder.parents[1], SPEC.model_copy(update={"seed": 4}))
        record = other.plan.record().to_document() | {"fingerprint": dataset.plan.fingerprint}
        dataset.store.write(key, to_record(record))
    with pytest.raises(CorruptDataError, match=dataset.plan.fingerprint):
        begin(dataset.store, SPEC, 1024, fake(SPEC))


def test_a_begun_dataset_that_is_not_the_one_of_its_index_is_refused(dataset):
    (dataset.folder / "complete.json").unlink()
    key = layout.simulation_index(dataset.plan.fingerprint)
    record = from_record(dataset.store.read(key), key)
    dataset.store.write(key, to_record(record | {"block_rows": 2048}))
    with pytest.raises(CorruptDataError, match=f"{dataset.id}.*{dataset.plan.fingerprint}"):
        begin(dataset.store, SPEC, 1024, fake(SPEC))
