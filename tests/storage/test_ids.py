"""The beginning of an id stands for the one item that it fits; a whole id costs no listing."""

from __future__ import annotations

from pathlib import Path

import pytest

from difsims_core.errors import InputError, MissingObjectError
from difsims_core.storage import layout
from difsims_core.storage.ids import expand_id, is_beginning, list_models, list_simulations
from difsims_core.storage.objects import ObjectStore, open_store

FIRST = "0b6e7a55-0000-4000-8000-000000000001"
SECOND = "0b6e7f00-0000-4000-8000-000000000002"


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    store = open_store(tmp_path)
    for tail in (FIRST, SECOND):
        store.write(layout.completion(f"sim-{tail}"), b"{}")
        store.write(layout.model_record(f"cnn-{tail}"), b"{}")
    store.write("simulations/by-fingerprint/0b6e.json", b"{}")
    store.write("models/cnn-0b6e/bundle.json", b"{}")
    return store


@pytest.mark.parametrize("kind", ["sim", "cnn"])
def test_a_beginning_that_fits_one_item_is_its_id(store, kind):
    assert expand_id(store, f"{kind}-0b6e7a") == f"{kind}-{FIRST}"
    assert expand_id(store, f"{kind}-{SECOND[:-1]}") == f"{kind}-{SECOND}"


@pytest.mark.parametrize("kind", ["sim", "cnn"])
def test_two_candidates_are_listed(store, kind):
    with pytest.raises(InputError) as caught:
        expand_id(store, f"{kind}-0b6e7")
    assert f"{kind}-{FIRST}" in str(caught.value)
    assert f"{kind}-{SECOND}" in str(caught.value)
    assert caught.value.remedy == "add digits"


def test_what_fits_nothing_and_what_is_too_short_are_refused(store):
    with pytest.raises(MissingObjectError):
        expand_id(store, "cnn-ffff")
    with pytest.raises(InputError, match="sim-0b6"):
        expand_id(store, "sim-0b6")


@pytest.mark.parametrize(
    "text", [f"sim-{FIRST}", f"cnn-{FIRST}", "s3://lab/models/cnn-0b6e", "champion", "sim-data", "cnn-0b6e/"]
)
def test_everything_else_is_left_as_it_is_without_a_listing(store, text, monkeypatch):
    monkeypatch.setattr(ObjectStore, "folders", lambda *_: pytest.fail("listed"))
    assert expand_id(store, text) == text
    assert not is_beginning(text)


def test_listings_hold_ids_alone(store):
    assert list_simulations(store) == [f"sim-{FIRST}", f"sim-{SECOND}"]
    assert list_models(store) == [f"cnn-{FIRST}", f"cnn-{SECOND}"]
