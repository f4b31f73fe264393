"""Polar patterns and fractions of grains: stored, opened by xarray, verified, exported."""

import dataclasses

import numpy as np
import pytest
import xarray

from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.build import begin, finish, write_block, write_group
from difsims_core.dataset.export.npz import NpzExporter
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.receipts import read_receipt
from difsims_core.dataset.verify import verify
from difsims_core.errors import InputError
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from tests.doubles import fake

REDUCED = {"n_azimuths": 24, "annuli_per_radius": 4}
SPEC = SimulationSpec(n_patterns=70, seed=3, overlap={}, output={"polar_px": True, "polar_all": True, "polar": REDUCED})
ROWS = 32


@pytest.fixture
def plan(store):
    simulator = fake(SPEC)
    plan = begin(store, SPEC, ROWS, simulator)
    write_group(store.root, SPEC, plan.id, range(plan.n_blocks), simulator=simulator)
    finish(store, plan)
    return plan


def test_polar_patterns_and_fractions_come_back(store, plan):
    sim, expected = open_simulation(plan.id, store), fake(SPEC).block(0, 70)
    assert (plan.block_rows, plan.chunk_rows, plan.n_blocks) == (32, 8, 3)
    for path, values in {
        "2d/x_px": expected.polar_px,
        "2d/x_all": expected.polar_all,
        "polar/x": expected.polar,
        "polar/y": expected.y[:, np.newaxis],
        "polar/x_q_axis": expected.polar_grid.q,
        "polar/x_azimuth_axis": expected.polar_grid.azimuth_deg,
        "2d/y_px": expected.y[:, np.newaxis],
        "2d/y_all": expected.y[:, np.newaxis],
        "2d/x_px_q_axis": expected.q_px,
        "2d/x_all_q_axis": expected.q_all,
        "2d/x_px_azimuth_axis": expected.azimuth,
        "2d/x_all_azimuth_axis": expected.azimuth,
        "1d/fractions": expected.fractions,
    }.items():
        assert sim[path].dtype == values.dtype
        np.testing.assert_array_equal(sim[path][:], values)
    assert sim["2d/x_px_azimuth_axis"].attrs["units"] == "degree"
    assert sim["2d/x_px"].chunks == (8, 147, 360)
    assert sim["polar/x"].shape == (70, 37, 24)
    assert sim["1d/x_px"].chunks == (32, 147)  # small rows: the block is one piece
    assert verify(store, plan.id, 2, simulator=fake(SPEC)).ok


def test_xarray_opens_all_groups(store, plan):
    sim, expected = open_simulation(plan.id, store), fake(SPEC).block(30, 40)
    with xarray.open_zarr(sim.group.store, group="2d", chunks=None) as data:
        assert data["x_px"].dims == ("pattern", "x_px_q_axis", "x_px_azimuth_axis")
        assert data["x_all"].dims == ("pattern", "x_all_q_axis", "x_all_azimuth_axis")
        assert {name: axis.size for name, axis in data.coords.items()} == {
            "x_px_q_axis": 147, "x_px_azimuth_axis": 360, "x_all_q_axis": 256, "x_all_azimuth_axis": 360,
        }  # fmt: skip
        assert data["x_px_azimuth_axis"].attrs["units"] == "degree"
        np.testing.assert_array_equal(data["x_px"][30:40], expected.polar_px)
    with xarray.open_zarr(sim.group.store, group="polar", chunks=None) as data:
        assert data["x"].dims == ("pattern", "x_q_axis", "x_azimuth_axis")
        assert data["x_azimuth_axis"].attrs["units"] == "degree"
        assert data["x_q_axis"].attrs["units"] == "1/angstrom"
        np.testing.assert_array_equal(data["x"][30:40], expected.polar)
    with xarray.open_zarr(sim.group.store, group="1d", chunks=None) as data:
        assert data["fractions"].dims == ("pattern", "class")
        assert tuple(data["fractions"].attrs["class_names"]) == SPEC.class_names
        np.testing.assert_array_equal(data["fractions"][30:40], expected.fractions)


def test_verify_finds_a_damaged_polar_pattern(store, plan):
    key = f"{layout.simulation(plan.id)}/2d/x_px/c/1/0/0"
    data = bytearray(store.read(key))
    data[100] ^= 0xFF
    store.write(key, bytes(data))
    report = verify(store, plan.id)
    assert len(report.failures) == 1
    assert "block 1, 2d/x_px" in report.failures[0]


def test_an_export_has_a_scalar_for_each_group(store, plan, tmp_path):
    (path,) = NpzExporter().export(open_simulation(plan.id, store), tmp_path / "out.npz")
    expected = fake(SPEC).block(0, 70)
    with np.load(path, allow_pickle=False) as file:
        assert sorted(file.files) == ["1d", "2d", "draws", "metadata", "polar"]
        assert sorted(file["2d"].dtype.names) == [
            "x_all", "x_all_azimuth_axis", "x_all_q_axis", "x_px", "x_px_azimuth_axis", "x_px_q_axis", "y_all", "y_px",
        ]  # fmt: skip
        assert sorted(file["polar"].dtype.names) == ["x", "x_azimuth_axis", "x_q_axis", "y"]
        np.testing.assert_array_equal(file["polar"]["x"], expected.polar)
        two, one = file["2d"], file["1d"]
        np.testing.assert_array_equal(two["x_px"], expected.polar_px)
        np.testing.assert_array_equal(two["x_all"], expected.polar_all)
        np.testing.assert_array_equal(two["y_px"][:, 0], expected.y)
        np.testing.assert_array_equal(two["x_px_azimuth_axis"], expected.azimuth)
        np.testing.assert_array_equal(one["fractions"], expected.fractions)


def test_a_large_export_of_polar_patterns_is_split(store, plan, tmp_path):
    limit = 20_000_000
    paths = NpzExporter(limit).export(open_simulation(plan.id, store), tmp_path / "out.npz")
    assert len(paths) == 3
    parts = []
    for path in paths:
        with np.load(path, allow_pickle=False) as file:
            parts.append(file["2d"]["x_px"])
            assert len(parts[-1]) == len(file["1d"]["x_px"]) == file["metadata"]["stop"] - file["metadata"]["start"]
    np.testing.assert_array_equal(np.concatenate(parts), fake(SPEC).block(0, 70).polar_px)


def test_without_them_there_is_no_such_group(tmp_path, store):
    spec = SimulationSpec(n_patterns=20)
    plan = begin(store, spec, 1024, fake(spec))
    write_group(store.root, spec, plan.id, range(1), simulator=fake(spec))
    finish(store, plan)
    sim = open_simulation(plan.id, store)
    assert not [path for path in sim.arrays if path.startswith(("2d/", "polar/", "peaks/")) or "fractions" in path]
    with pytest.raises(InputError, match="2d/x_px"):
        sim["2d/x_px"]
    with np.load(NpzExporter().export(open_simulation(plan.id, store), tmp_path / "out.npz")[0]) as file:
        assert file.files == ["1d", "draws", "metadata"]


def test_a_block_that_lacks_an_array_is_refused(tmp_path):
    store, simulator = open_store(tmp_path), fake(SPEC)
    whole = simulator.block
    simulator.block = lambda *args: dataclasses.replace(whole(*args), fractions=None)  # type: ignore[method-assign]
    plan = begin(store, SPEC, ROWS, simulator)
    with pytest.raises(InputError, match="1d/fractions"):
        write_block(store, plan, simulator, 0)
    assert read_receipt(store, plan, 0) is None


def test_the_default_blocks_of_polar_patterns_are_small(tmp_path):
    spec = SimulationSpec(n_patterns=100_000, output={"x_all": False, "polar_px": True})
    plan = begin(open_store(tmp_path), spec, None, fake(spec))
    assert (plan.block_rows, plan.chunk_rows) == (512, 32)
