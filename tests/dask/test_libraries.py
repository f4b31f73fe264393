"""Libraries on a real Dask cluster: the same bytes as in this process; workers that would make others are refused."""

from __future__ import annotations

import platform

import numpy as np
import pytest

from difsims_core.config.documents import make_spec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.libraries.records import LibraryPlan
from difsims_core.dataset.libraries.remote import library_order, write_remote_members
from difsims_core.dataset.libraries.source import StoredLibraries
from difsims_core.dataset.libraries.write import BLOCK_MEMBERS, library_template, missing_blocks, plan_of
from difsims_core.dataset.open import open_simulation
from difsims_core.errors import InputError, MissingObjectError
from difsims_core.simulation import simulator as simulators
from difsims_core.simulation.simulator import Simulator
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore, open_store
from difsims_core.storage.zarr.arrays import create_arrays
from flows.commands.simulate import simulate
from flows.execution import steps
from flows.execution.executors.dask_cluster import ClusterError
from tests.dask.conftest import use
from tests.services import free_ports

pytestmark = pytest.mark.dask


@pytest.fixture
def spec() -> SimulationSpec:
    return make_spec(
        {
            "n_patterns": 90, "phases": ["pbi2_2h"], "output": {"x_all": False},
            "diffraction": {"thickness_angstrom": {"uniform": [50, 200]}},
            "orientations": {"kind": "library", "resolution_deg": 1.5, "thicknesses": 3},
        }
    )  # fmt: skip


def objects_of(store: ObjectStore, key: str) -> dict[str, bytes]:
    """Return everything that is stored of a library, but for the time at which it was completed."""
    return {name: store.read(name) for name in store.list(key) if not name.endswith(layout.COMPLETE)}


def begun(store: ObjectStore, spec: SimulationSpec) -> tuple[dict[str, str], LibraryPlan]:
    """Return the order for a library whose blocks are all missing, and its plan."""
    engine = Simulator.prepare(spec, StoredLibraries(store.root)).tables.library
    assert engine is not None
    recipe = engine.recipes[0]
    plan = plan_of(recipe)
    create_arrays(store, layout.library(plan.fingerprint), library_template(recipe, plan))
    return library_order(store, recipe), plan


def test_the_same_bytes_as_in_this_process(cluster, store, spec, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "flows")
    simulation = simulate(spec, store.root)
    assert sum("parts of the library of pbi2_2h go to" in record.message for record in caplog.records) == 1
    (folder,) = store.folders(layout.LIBRARIES)
    key = f"{layout.LIBRARIES}/{folder}"
    assert len(store.list(f"{key}/{layout.RECEIPTS}")) > 1

    monkeypatch.setenv("DIFSIMS_COMPUTE", "threads")
    other = open_store(tmp_path / "other")
    there = simulate(spec, other.root)
    assert objects_of(store, key) == objects_of(other, key)
    here, elsewhere = (open_simulation(*found)["1d/x_px"][...] for found in ((simulation, store), (there, other)))
    np.testing.assert_array_equal(here, elsewhere)


def test_a_library_that_is_there_asks_no_cluster(store, spec, monkeypatch):
    steps.make_libraries(store.root, spec, "work")
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    use(monkeypatch, address)
    monkeypatch.setattr("flows.execution.executors.dask_cluster.CONNECT_SECONDS", 1.0)
    assert len(steps.make_libraries(store.root, spec, "work")) == 1
    finer = spec.model_copy(update={"orientations": spec.orientations.model_copy(update={"resolution_deg": 2.0})})
    with pytest.raises(ClusterError, match=address):
        steps._make_libraries(store.root, finer, "work")


def test_a_block_that_exists_is_no_work(store, spec, monkeypatch):
    order, plan = begun(store, spec)
    write_remote_members(1, **order)
    assert missing_blocks(store, plan)[0] == BLOCK_MEMBERS
    assert 1 not in missing_blocks(store, plan)
    monkeypatch.setattr("difsims_core.dataset.libraries.write.write_shard", None)
    write_remote_members(1, **order)


def test_other_versions_and_places_are_refused(store, spec, monkeypatch):
    order, plan = begun(store, spec)
    with pytest.raises(MissingObjectError, match=rf"{platform.node()}.*/nowhere/difsims"):
        write_remote_members(0, **(order | {"store_url": "file:///nowhere/difsims"}))
    monkeypatch.setattr("difsims_core.diffraction.library.recipe.LIBRARY_VERSION", "older")
    simulators._prepared.cache_clear()
    with pytest.raises(InputError, match=rf"{platform.node()}.*begun by difsims .*same version of difsims"):
        write_remote_members(0, **order)
    assert len(missing_blocks(store, plan)) == plan.n_blocks
