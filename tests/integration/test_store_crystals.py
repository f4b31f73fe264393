"""What a dataset knows of its crystals: how they were read, and whether they still are."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from difsims_core.config.documents import make_spec
from difsims_core.crystal.cif.reader import read_structure
from difsims_core.dataset.build import begin, finish, read_plan, write_group
from difsims_core.dataset.crystals import crystal_files, crystals_today
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.plan import fingerprint
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.dataset.verify import verify
from difsims_core.resources import crystal_folder
from difsims_core.simulation.simulator import Simulator
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from difsims_core.storage.zarr.arrays import ROOT_DOCUMENT

LEAD = (crystal_folder() / "pb.cif").read_bytes()


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """The user says that records of stores may name what lies here."""
    monkeypatch.setenv("DIFSIMS_ALSO_READ", str(tmp_path))


@pytest.fixture
def film(tmp_path):
    file = tmp_path / "film.cif"
    file.write_bytes(LEAD)
    return file


@pytest.fixture
def dataset(tmp_path, film):
    """A complete dataset of one own crystal: store and id."""
    store = open_store(tmp_path / "store")
    spec = make_spec({"n_patterns": 6, "phases": [{"name": "film", "cif": str(film)}]})
    plan = begin(store, spec)
    write_group(store.root, spec, plan.id, range(plan.n_blocks))
    finish(store, plan)
    return store, plan.id


def test_a_crystal_that_reads_the_same_is_no_finding(dataset, film):
    film.write_bytes(LEAD + b"# another comment\n")
    report = verify(*dataset)
    assert report.ok
    assert report.warnings == ()


def test_a_crystal_outside_the_store_is_opened_only_where_the_user_has_said_so(dataset, film, monkeypatch):
    monkeypatch.delenv("DIFSIMS_ALSO_READ")
    simulation = open_simulation(dataset[1], dataset[0])
    (today,) = crystals_today(simulation)
    assert today.url is None
    assert "lies outside the store and is not opened" in today.finding
    for place in (film, film.parent):
        (today,) = crystals_today(simulation, [str(place)])
        assert (today.url, today.finding) == (str(film), "")


@pytest.mark.parametrize("phase", ["film", "pb"])
def test_a_folder_of_crystals_that_is_not_opened_is_named_with_the_remedy(tmp_path, monkeypatch, phase):
    own = tmp_path / "own"
    own.mkdir()
    (own / f"{phase}.cif").write_bytes((crystal_folder() / "pbbr2.cif").read_bytes())
    store = open_store(tmp_path / "store")
    name = run_simulation(store, make_spec({"n_patterns": 3, "phases": [phase], "crystal_folder": str(own)})).id
    assert verify(store, name, resimulate=1) == replace(verify(store, name), resimulated=(0,))
    monkeypatch.delenv("DIFSIMS_ALSO_READ")
    report = verify(store, name)
    assert report.ok
    assert f"DIFSIMS_ALSO_READ={own}" in report.warnings[0]
    assert crystal_files(open_simulation(name, store)) == {phase: None}
    monkeypatch.setenv("DIFSIMS_ALSO_READ", str(own))
    assert verify(store, name).warnings == ()


def test_simulating_again_opens_nothing_elsewhere(tmp_path, film, monkeypatch):
    np.save(tmp_path / "turns.npy", np.array([[0.0, 0, 0]]))
    orientations = {"kind": "list", "file": str(tmp_path / "turns.npy"), "order": "sequential"}
    store = open_store(tmp_path / "store")
    of_film = run_simulation(store, make_spec({"n_patterns": 3, "phases": [{"name": "film", "cif": str(film)}]})).id
    of_list = run_simulation(store, make_spec({"n_patterns": 3, "phases": ["pb"], "orientations": orientations})).id
    assert verify(store, of_film, resimulate=1).ok
    assert verify(store, of_list, resimulate=1).ok
    monkeypatch.delenv("DIFSIMS_ALSO_READ")
    for name in (of_film, of_list):
        (failure,) = verify(store, name, resimulate=1).failures
        assert "cannot be simulated again" in failure
        assert "lies outside the store and is not opened" in failure


def test_an_edited_and_a_lost_crystal_are_named(dataset, film):
    film.write_bytes(LEAD.replace(b"4.95", b"5.15"))
    report = verify(*dataset)
    assert report.ok
    assert report.warnings == (f"{film} has changed since {dataset[1]} was simulated",)
    film.unlink()
    assert "the crystal file of film: film: no CIF file at" in verify(*dataset).warnings[0]


def _remake(store, name, change):
    """Change what a dataset says of its crystal, as if it had been made so."""
    folder = layout.simulation(name)
    root = json.loads(store.read(f"{folder}/{ROOT_DOCUMENT}"))
    change(root["attributes"]["crystals"][0])
    copy = root["consolidated_metadata"]["metadata"]["metadata"]
    copy["attributes"] = root["attributes"]
    store.write(f"{folder}/{ROOT_DOCUMENT}", json.dumps(root).encode())
    store.write(f"{folder}/metadata/{ROOT_DOCUMENT}", json.dumps(copy).encode())
    store.delete(layout.completion(name))
    finish(store, read_plan(store, name))


def test_a_dataset_of_a_crystal_that_was_misread_fails(dataset, film):
    store, name = dataset
    _remake(store, name, lambda crystal: crystal.update(structure_sha256="0" * 64))
    finding = f"{film} is read otherwise than when {name} was simulated (4 atoms in F m -3 m now); simulate it again"
    assert verify(store, name).failures == (finding,)
    (today,) = crystals_today(open_simulation(name, store))
    assert (today.url, today.misread, today.finding) == (str(film), True, finding)


def test_a_record_without_the_structure_is_no_proof_of_a_misreading(dataset):
    store, name = dataset
    _remake(store, name, lambda crystal: crystal.pop("structure_sha256"))
    report = verify(store, name)
    assert report.ok
    assert "it was simulated by an earlier version" in report.warnings[0]


def test_a_lost_file_is_not_replaced_by_the_shipped_one_of_its_name(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    for name in ("pb", "other"):
        (own / f"{name}.cif").write_bytes((crystal_folder() / "pbbr2.cif").read_bytes())
    store, spec = (
        open_store(tmp_path / "store"),
        make_spec({"n_patterns": 3, "phases": ["pb"], "crystal_folder": str(own)}),
    )
    plan = begin(store, spec)
    write_group(store.root, spec, plan.id, range(plan.n_blocks))
    finish(store, plan)
    opened = open_simulation(plan.id, store)
    assert crystal_files(opened) == {"pb": str(own / "pb.cif")}
    (own / "pb.cif").unlink()
    assert crystal_files(opened) == {"pb": None}
    assert "is gone" in verify(store, plan.id).warnings[0]


def test_what_is_odd_about_a_crystal_is_kept_with_the_dataset(tmp_path):
    store, spec = open_store(tmp_path / "store"), make_spec({"n_patterns": 3, "phases": ["gratia_6h"]})
    plan = begin(store, spec)
    write_group(store.root, spec, plan.id, range(plan.n_blocks))
    finish(store, plan)
    (record,) = open_simulation(plan.id, store).attrs["crystals"]
    assert record["space_group"] == "P 63/m m c"
    assert record["warnings"] == ["site C2 is split into 2 positions within 0.1 Å, occupied by 0.1666 each"]


def test_the_same_bytes_that_read_otherwise_have_another_fingerprint(film, monkeypatch):
    def found() -> str:
        return fingerprint(Simulator.prepare(make_spec({"n_patterns": 3, "phases": [str(film)]})))

    before = found()
    monkeypatch.setattr(
        "difsims_core.crystal.phases.read_structure",
        lambda data, source, same: read_structure(data.replace(b"4.95", b"4.96"), source, same),
    )
    assert found() != before
