"""An identity that may read and list: it reads everything, and changes nothing."""

from __future__ import annotations

import pytest

from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.dataset.verify import verify
from difsims_core.errors import StoreAccessError
from difsims_core.models.registry import promote, read_registry, rollback
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore, open_store

pytestmark = pytest.mark.service

FIRST, SECOND, THIRD = (f"cnn-00000000-0000-4000-8000-{number:012d}" for number in (1, 2, 3))
SPEC = SimulationSpec.model_validate({"n_patterns": 300, "output": {"x_all": False}})


@pytest.fixture
def filled(s3_store_url: str) -> ObjectStore:
    """A store with an object, and a champion and a former one as far as the registry looks at them."""
    store = open_store(s3_store_url)
    store.write("object", b"there")
    for model in (FIRST, SECOND, THIRD):
        store.write_record(layout.model_record(model), {"a": 1})
    for model in (FIRST, SECOND):
        promote(store, read_registry(store), model, why="better", scores={}, by="hand")
    return store


@pytest.fixture
def reader(filled: ObjectStore, s3_service, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    for name, value in s3_service.reader.environment.items():
        monkeypatch.setenv(name, value)
    return filled


CHANGES = {
    "write": lambda store: store.write("object", b"mine"),
    "create": lambda store: store.create("new", b""),
    "replace": lambda store: store.replace("object", b"mine", store.read_versioned("object")[1]),
    "delete": lambda store: store.delete("object"),
    "delete_tree": lambda store: store.delete_tree("models"),
    "upload": lambda store: store.upload(__file__, "object"),
    "simulate": lambda store: run_simulation(store, SPEC).id,
    "promote": lambda store: promote(store, read_registry(store), THIRD, why="mine", scores={}, by="hand"),
    "rollback": rollback,
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_changes_nothing(reader, change):
    before = [(info.key, info.size, info.etag) for info in reader.describe()]
    with pytest.raises(StoreAccessError, match="AccessDenied"):
        CHANGES[change](reader)
    assert [(info.key, info.size, info.etag) for info in reader.describe()] == before
    assert reader.read("object") == b"there"
    assert read_registry(reader).champion.model == SECOND


def test_it_reads_everything(filled, s3_service, monkeypatch):
    simulation = run_simulation(filled, SPEC).id
    for name, value in s3_service.reader.environment.items():
        monkeypatch.setenv(name, value)
    assert open_simulation(simulation, filled)["1d/x_px"].shape == (300, 147)
    assert verify(filled, simulation).ok
    assert [item.model for item in read_registry(filled).former] == [FIRST]
