"""Opening a dataset: few requests, clear refusals, xarray, and every missing piece an error."""

import pickle

import numpy as np
import pytest
import xarray
import zarr

from difsims_core.dataset.build import begin, finish, write_group
from difsims_core.dataset.open import open_simulation
from difsims_core.errors import CorruptDataError, IncompleteDatasetError, InputError, MissingObjectError
from difsims_core.storage import layout
from difsims_core.storage.backend import BACKENDS
from difsims_core.storage.ids import list_simulations
from difsims_core.storage.objects import ObjectStore
from tests.doubles import fake


@pytest.fixture
def plan(store, small_spec):
    simulator = fake(small_spec)
    plan = begin(store, small_spec, 1024, simulator)
    write_group(store.root, small_spec, plan.id, range(3), simulator=simulator)
    finish(store, plan)
    return plan


def test_a_dataset_says_what_it_is(store, plan, small_spec):
    sim = open_simulation(plan.id, store)
    assert sim.spec == small_spec
    assert sim.phases == small_spec.class_names
    assert (sim.id, sim.n_patterns, sim.fingerprint) == (plan.id, 2500, plan.fingerprint)
    assert sim.class_counts == (834, 833, 833)
    for name in (
        "phases",
        "id",
        "summary",
        "created",
        "parameters",
        "fingerprint",
        "versions",
        "crystals",
        "engine",
        "engine_version",
        "simulation_version",
    ):
        assert sim.attrs[name] == sim.group["metadata"].attrs[name]
    assert sim.attrs["crystals"][0]["sha256"] == "0" * 64
    np.testing.assert_array_equal(sim["1d/x_all_q_axis"][:], fake(small_spec).q_all)


def test_it_opens_by_id_url_beginning_and_environment(store, plan, monkeypatch):
    monkeypatch.setenv("DIFSIMS_STORE", store.root)
    for name in (
        plan.id,
        plan.id[:12],
        f"{store.root}/{layout.simulation(plan.id)}",
        f"{store.root}/{layout.simulation(plan.id)}/",
    ):
        assert open_simulation(name).id == plan.id
    assert list_simulations(store) == [plan.id]


def test_opening_takes_few_requests(store, plan, monkeypatch):
    scheme, requests = BACKENDS[store.root.split(":")[0]], []
    for name in ("read", "exists", "list", "folders"):
        original = getattr(type(scheme), name)

        def counted(self, *args, original=original, name=name):
            requests.append(name)
            return original(self, *args)

        monkeypatch.setattr(type(scheme), name, counted)
    sim = open_simulation(plan.id, store)
    assert len(requests) <= 4
    requests.clear()
    assert sim.phases
    assert sim["1d/x_px"].shape == (2500, 147)
    assert len(sim.arrays) == 9
    assert requests == []
    assert sim["1d/x_px"][1030].shape == (147,)
    assert len(requests) <= 2  # the index of the shard, one piece


def test_xarray_opens_it(store, plan, small_spec):
    sim = open_simulation(plan.id, store)
    with xarray.open_zarr(sim.group.store, group="1d", chunks=None) as data:
        assert data["x_px"].dims == ("pattern", "x_px_q_axis")
        assert dict(data.sizes) == {"pattern": 2500, "x_px_q_axis": 147, "x_all_q_axis": 256, "label": 1}
        assert set(data.coords) == {"x_px_q_axis", "x_all_q_axis"}
        at = data["x_px"].sel(x_px_q_axis=0.5, method="nearest")
        np.testing.assert_array_equal(at, data["x_px"][:, np.abs(sim.q_px - 0.5).argmin()])
        assert data["x_px_q_axis"].attrs["units"] == "1/angstrom"
        assert data["x_px"].attrs["units"] == "1"
        assert tuple(data["y_px"].attrs["class_names"]) == small_spec.class_names
        np.testing.assert_array_equal(data["x_px"][1000:1100], fake(small_spec).block(1000, 1100).x_px)
    with xarray.open_zarr(sim.group.store, group="draws", chunks=None) as data:
        assert data["orientation"].dims == ("pattern", "orientation_0")
        units = {name: values.attrs["units"] for name, values in data.items()}
        assert set(units.values()) == {"1"}


def test_plain_zarr_opens_it_too(tmp_path, small_spec):
    store, simulator = ObjectStore(f"file://{tmp_path}"), fake(small_spec)
    plan = begin(store, small_spec, 1024, simulator)
    write_group(store.root, small_spec, plan.id, range(3), simulator=simulator)
    group = zarr.open_group(tmp_path / layout.simulation(plan.id), mode="r")
    np.testing.assert_array_equal(group["1d/x_px"][:], simulator.block(0, 2500).x_px)
    assert group["1d/x_px"].metadata.dimension_names == ("pattern", "x_px_q_axis")


def test_what_is_not_there_or_not_complete_is_refused(store, plan, small_spec):
    with pytest.raises(MissingObjectError, match="sim-00000000"):
        open_simulation("sim-00000000-0000-0000-0000-000000000000", store)
    for other in ("cnn-0000", "roi_1"):
        with pytest.raises(InputError, match=other):
            open_simulation(other, store)
    other = small_spec.model_copy(update={"seed": 77})
    begun = begin(store, other, 1024, fake(other))
    with pytest.raises(IncompleteDatasetError, match=begun.id):
        open_simulation(begun.id, store)


def test_a_missing_piece_is_an_error_and_not_a_fill_value(store, plan):
    store.delete(f"{layout.simulation(plan.id)}/1d/x_px/c/1/0")
    sim = open_simulation(plan.id, store)
    assert np.isfinite(sim["1d/x_px"][:1024]).all()
    with pytest.raises(CorruptDataError, match="1d/x_px/c/1/0"):
        sim["1d/x_px"][1000:1100]


def test_metadata_that_was_damaged_is_named(store, plan):
    store.write(f"{layout.simulation(plan.id)}/zarr.json", b'{"zarr_format": 3, "node_ty')
    with pytest.raises(CorruptDataError, match="metadata"):
        open_simulation(plan.id, store)


def test_an_opened_array_travels_without_secrets(store, plan, small_spec, request):
    array = open_simulation(plan.id, store)["1d/x_px"]
    data = pickle.dumps(array)
    if store.root.startswith("s3"):
        service = request.getfixturevalue("s3_service")
        for text in (service.secret_key, service.access_key):
            assert text.encode() not in data
            assert text not in repr(array.store)
    np.testing.assert_array_equal(pickle.loads(data)[:10], fake(small_spec).block(0, 10).x_px)  # noqa: S301
