"""Libraries in the store: computed once, whole or not, and the same patterns as from memory."""

import gc
import json

import numpy as np
import pytest

from difsims_core import simulate
from difsims_core.config.documents import make_spec
from difsims_core.dataset import build
from difsims_core.dataset.libraries import write
from difsims_core.dataset.libraries.read import read_spots, verify_library
from difsims_core.dataset.libraries.source import StoredLibraries, make_libraries
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.remote import block_order, write_remote_block
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.dataset.verify import verify
from difsims_core.diffraction.engines import library as library_engine
from difsims_core.diffraction.library.recipe import LibraryRecipe
from difsims_core.errors import CorruptDataError, IncompleteDatasetError
from difsims_core.housekeeping.verify_store import verify_store
from difsims_core.simulation import simulator as simulators
from difsims_core.simulation.simulator import Simulator
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore

DOCUMENT = {
    "n_patterns": 90, "phases": ["pbi2_2h", "pb"],
    "diffraction": {"thickness_angstrom": {"uniform": [50, 200]}},
    "orientations": {"kind": "library", "resolution_deg": 2.5, "thicknesses": 3},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """Blocks of 64 members, and simulators that remember nothing."""
    monkeypatch.setattr(write, "BLOCK_MEMBERS", 64)
    forget()


def forget() -> None:
    simulators._prepared.cache_clear()
    gc.collect()
    assert not library_engine._of_this_process


@pytest.fixture
def spec():
    return make_spec(DOCUMENT)


def computed(monkeypatch) -> list[tuple[str, int, int]]:
    """Return the list of runs of members that are computed from now on."""
    runs, kept = [], LibraryRecipe.spots_of

    def spots_of(recipe, first, stop):
        runs.append((recipe.crystal.name, first, stop))
        return kept(recipe, first, stop)

    monkeypatch.setattr(LibraryRecipe, "spots_of", spots_of)
    return runs


def test_a_dataset_from_a_store_is_that_from_memory_and_computes_a_library_once(store, spec, monkeypatch):
    expected = simulate(spec)
    forget()
    runs = computed(monkeypatch)
    first = run_simulation(store, spec)
    assert sum(stop - start for name, start, stop in runs if name == "pb") == 139
    held = open_simulation(first.id, store)
    np.testing.assert_array_equal(held["1d/x_px"][...], expected.x_px)
    np.testing.assert_array_equal(held["draws/orientation"][...], expected.draws["orientation"])
    forget()
    runs.clear()
    other = run_simulation(store, spec.model_copy(update={"seed": 3}))
    assert other.id != first.id
    assert runs == []
    assert len(store.folders(layout.LIBRARIES)) == 2
    assert {found.kind: found.ok for found in verify_store(store)} == {"dataset": True, "library": True, "index": True}
    forget()
    assert verify(store, first.id, resimulate=1).failures == ()  # from memory, without the library


def test_the_fingerprint_of_a_dataset_does_not_depend_on_where_libraries_lie(files, spec, tmp_path):
    one, other = (Simulator.prepare(spec, StoredLibraries(str(tmp_path / name))) for name in "ab")
    assert build.fingerprint(one) == build.fingerprint(other) == build.fingerprint(Simulator.prepare(spec))
    assert build.begin(files, spec).fingerprint == build.fingerprint(one)
    assert not files.folders(layout.LIBRARIES)  # what a dataset looks like is known without them


def test_what_was_written_before_a_failure_is_kept(files, spec, monkeypatch):
    kept = LibraryRecipe.spots_of

    def failing(recipe, first, stop):
        if first == 128:
            raise OSError("stopped")
        return kept(recipe, first, stop)

    monkeypatch.setattr(LibraryRecipe, "spots_of", failing)
    with pytest.raises(OSError, match="stopped"):
        make_libraries(files.root, spec)
    (folder,) = files.folders(layout.LIBRARIES)
    fingerprint = layout.library_fingerprint(folder)
    assert fingerprint is not None
    with pytest.raises(IncompleteDatasetError, match="goes on where it stopped"):
        read_spots(files, fingerprint)
    with pytest.raises(IncompleteDatasetError, match="goes on where it stopped"):
        verify_library(files, fingerprint)
    (found,) = verify_store(files)
    assert found.warnings
    done = {
        int(key[-len("00000.json") : -len(".json")])
        for key in files.list(f"{layout.library(fingerprint)}/{layout.RECEIPTS}")
    }
    assert 0 in done
    assert 2 not in done

    monkeypatch.setattr(LibraryRecipe, "spots_of", kept)
    runs, told = computed(monkeypatch), []
    make_libraries(files.root, spec, lambda *progress: told.append(progress))
    again = {first // 64 for name, first, _ in runs if name == "pbi2_2h"}
    assert again == set(range(9)) - done
    assert told[-1] == ("pb", 139, 139)
    assert verify_library(files, fingerprint).ok
    fresh = Simulator.prepare(spec).tables.library
    assert fresh is not None
    held = read_spots(files, fresh.recipes[0].fingerprint)
    forget()
    whole = fresh.recipes[0].spots_of(0, fresh.recipes[0].n_members)
    assert [part.tobytes() for part in held] == [part.tobytes() for part in whole]


@pytest.mark.parametrize("array", ["count", "reflection", "intensity"])
def test_damaged_rows_are_refused_and_made_again_where_it_is_not_complete(files, spec, array):
    key = make_libraries(files.root, spec)[1]
    fingerprint = layout.library_fingerprint(key.rpartition("/")[2])
    assert fingerprint is not None
    where = f"{key}/{array}/c/1" + ("/0" if array == "intensity" else "")
    good = files.read(where)
    files.write(where, good[:40] + bytes([good[40] ^ 1]) + good[41:])
    with pytest.raises(CorruptDataError, match=r"delete its folder"):
        read_spots(files, fingerprint)
    assert not verify_library(files, fingerprint).ok
    files.delete(layout.library_completion(fingerprint))
    forget()
    make_libraries(files.root, spec)
    assert files.read(where) == good


def test_records_of_another_library_are_refused(files, spec):
    one, other = make_libraries(files.root, spec)
    fingerprints = [layout.library_fingerprint(key.rpartition("/")[2]) for key in (one, other)]
    files.write(f"{one}/complete.json", files.read(f"{other}/complete.json"))
    with pytest.raises(CorruptDataError, match=f"is of the library {fingerprints[1]}"):
        read_spots(files, str(fingerprints[0]))
    document = json.loads(files.read(f"{other}/zarr.json"))
    document["attributes"]["recipe"]["resolution_deg"] = 9
    files.write(f"{other}/zarr.json", json.dumps(document).encode())
    assert "not those of its completion record" in verify_library(files, str(fingerprints[1])).failures[0]


def test_a_folder_with_another_name_is_told(files: ObjectStore):
    files.write("libraries/mine.zarr/zarr.json", b"{}")
    (found,) = verify_store(files, ["library"])
    assert "nothing is called 'mine.zarr'" in found.failures[0]


def test_a_worker_takes_the_library_of_the_store(files, spec, monkeypatch):
    make_libraries(files.root, spec)
    plan = build.begin(files, spec)
    forget()
    runs = computed(monkeypatch)
    write_remote_block(0, **block_order(spec, plan, files.root))
    assert runs == []
    build.finish(files, plan)
    np.testing.assert_array_equal(open_simulation(plan.id, files)["1d/x_px"][...], simulate(spec).x_px)
