"""What a retraining is made from: which datasets and scans are taken, and what makes it new."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from difsims_core.config.retraining import RetrainingSpec
from difsims_core.config.signal import PostprocessingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.build import begin
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.errors import CorruptDataError, IncompleteDatasetError, InputError
from difsims_core.learn.classifiers.base import ClassifierInput
from difsims_core.models import retraining_inputs
from difsims_core.models.dataset_kind import document_of, kind_of, kind_to_come
from difsims_core.models.registry_record import ModelRegistry, RecordedDecision
from difsims_core.models.retraining_inputs import (
    Ingredients,
    check_simulation,
    choose_datasets,
    earlier_decision,
    scans_of,
)
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import write_profiles
from difsims_core.storage.objects import open_store
from tests.doubles import fake
from tests.fake_datasets import build_fake
from tests.models.test_compare import A, bundle

PHASES = ("pbi2_2h", "gratia_2h")
ALL = RetrainingSpec()


def spec(**changes) -> SimulationSpec:
    document = {"n_patterns": 60, "seed": 3, "phases": list(PHASES), "output": {"x_all": False}, **changes}
    return SimulationSpec.model_validate(document)


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def chosen(store, champion=None, simulated=None, **wanted):
    found = choose_datasets(store, RetrainingSpec(**wanted), champion, simulated)
    return {sim.id for sim in found}


def test_every_complete_dataset_of_the_champions_kind_is_taken(store, caplog):
    first, second = build_fake(store, spec()), build_fake(store, spec(seed=4, phases=list(PHASES[::-1])))
    build_fake(store, spec(phases=[*PHASES, "pb"]))
    build_fake(store, spec(postprocessing={"sqrt": True}))
    growing = begin(store, spec(seed=5), simulator=fake(spec(seed=5)))
    champion = bundle(A, [first], phases=PHASES)
    with caplog.at_level(logging.INFO):
        assert chosen(store, champion) == {first.id, second.id}
    assert growing.id in caplog.text
    assert "incomplete" in caplog.text
    vars(champion)["q_axis"] = champion.q_axis + 0.01
    assert chosen(store, champion) == set()


def test_a_challenger_of_polar_patterns_is_trained_for_the_phases_of_a_champion_of_profiles(store):
    polar = {"network": "polar_harmonics"}
    plain, both = build_fake(store, spec()), build_fake(store, spec(seed=4, output={"polar": {}}))
    build_fake(store, spec(seed=5, phases=[*PHASES, "pb"], output={"polar": {}}))
    champion = bundle(A, [plain], phases=PHASES)
    assert chosen(store, champion) == {plain.id, both.id}
    assert chosen(store, champion, training=polar) == {both.id}
    build_fake(store, spec(seed=6, output={"polar": {"n_azimuths": 36}}))
    with pytest.raises(InputError, match="list datasets"):
        chosen(store, champion, training=polar)
    to_come = spec(seed=7, output={"polar": {}})
    assert chosen(store, champion, training=polar, simulation=to_come) == {both.id}, "its grid is the one meant"


@pytest.mark.parametrize("error", [KeyError("parameters"), RecursionError("deep"), CorruptDataError("bits")])
def test_a_damaged_dataset_is_left_out_and_the_others_are_taken(store, caplog, monkeypatch, error):
    good, bad = build_fake(store, spec()), build_fake(store, spec(seed=4))
    original = retraining_inputs.kind_of

    def kind_of(simulation, array):
        if simulation.id == bad.id:
            raise error
        return original(simulation, array)

    monkeypatch.setattr(retraining_inputs, "kind_of", kind_of)
    with caplog.at_level(logging.INFO):
        assert chosen(store) == {good.id}
    assert bad.id in caplog.text
    assert good.id not in caplog.text


def test_of_the_same_document_the_latest_engine_counts(store, monkeypatch):
    old = build_fake(store, spec())
    monkeypatch.setattr("difsims_core.dataset.build.now_text", lambda: "2999-01-01T00:00:00+00:00")
    new = build_fake(store, spec(), engine_version="2")
    assert old.id != new.id
    assert chosen(store) == {new.id}
    assert chosen(store, datasets=[old.id]) == {old.id}, "one that is listed is taken"


def test_listed_datasets_are_taken_as_they_are(store, tmp_path):
    first = build_fake(store, spec())
    other = build_fake(open_store(tmp_path / "other"), spec(seed=9))
    assert chosen(store, datasets=[other.url]) == {other.id}
    assert chosen(store, datasets=[other.url], simulated=first.id) == {first.id, other.id}
    growing = begin(store, spec(seed=5), simulator=fake(spec(seed=5)))
    with pytest.raises(IncompleteDatasetError):
        chosen(store, datasets=[growing.id])


def test_without_a_champion_the_simulation_or_the_only_kind_says_what_is_wanted(store):
    assert chosen(store) == set()
    two = build_fake(store, spec())
    assert chosen(store) == {two.id}
    three = build_fake(store, spec(phases=[*PHASES, "pb"]))
    with pytest.raises(InputError, match="gratia_2h, pb, pbi2_2h"):
        chosen(store)
    assert chosen(store, simulated=three.id) == {three.id}
    assert chosen(store, phases=["gratia_2h", "pbi2_2h"]) == {two.id}
    assert chosen(store, bundle(A, [two], phases=PHASES), phases=["pb", *PHASES]) == {three.id}


def test_a_simulation_that_is_not_there_yet_decides_as_if_it_were(store):
    two, three = spec(), spec(phases=[*PHASES, "pb"])
    for made in (two, spec(seed=4), three):
        build_fake(store, made)
    wanted = spec(seed=5)
    to_come = chosen(store, simulation=wanted)  # two kinds and no champion: the simulation says which
    made = build_fake(store, wanted).id
    assert chosen(store, simulation=wanted, simulated=made) == to_come | {made}
    assert len(to_come) == 2


def test_a_simulation_to_come_takes_the_place_of_its_older_versions(store):
    old, other = build_fake(store, spec(), engine_version="0"), build_fake(store, spec(seed=4))
    assert chosen(store, simulation=spec()) == {other.id}
    assert old.id in chosen(store)


WITH_ALL = spec(
    n_patterns=6,
    postprocessing={"sqrt": True, "q_crop": {"n_points": 20}},
    output={"x_all": True, "polar_px": True, "polar_all": True, "polar": {}},
)


def test_the_kind_of_a_simulation_is_known_before_it_is_there(store):
    opened = open_simulation(run_simulation(store, WITH_ALL).id, store)
    for array in ("1d/x_px", "1d/x_all", "1d/x_q", "2d/x_px", "2d/x_all", "polar/x"):
        wanted = ClassifierInput("profile" if array.startswith("1d") else "polar", array)
        told, found = kind_to_come(WITH_ALL, wanted), kind_of(opened, wanted)
        assert told is not None
        assert (told.phases, told.shape, told.sqrt) == (found.phases, found.shape, found.sqrt)
        np.testing.assert_array_equal(told.q_axis, found.q_axis)
        assert (kind_to_come(spec(), wanted) is None) == (array != "1d/x_px"), "what is not kept has no axis"
    assert document_of(WITH_ALL) == document_of(opened)


def test_datasets_without_the_wanted_profiles_are_left_out(store):
    build_fake(store, spec())
    assert chosen(store, training={"profiles": "x_q"}) == set()


def test_a_simulation_that_would_not_be_trained_on_is_refused(store):
    champion = bundle(A, [build_fake(store, spec())], phases=PHASES)
    check_simulation(RetrainingSpec(simulation=spec(seed=8)), champion)
    check_simulation(RetrainingSpec(simulation=spec(phases=["pb"]), datasets=("sim-1",)), champion)
    check_simulation(RetrainingSpec(simulation=spec(phases=["pb"]), phases=("pb",)), champion)
    check_simulation(RetrainingSpec(simulation=spec(phases=["pb"])), None)
    with pytest.raises(InputError, match=r" pb \(.* pbi2_2h, gratia_2h \("):
        check_simulation(RetrainingSpec(simulation=spec(phases=["pb"])), champion)
    with pytest.raises(InputError, match=r"True.*False"):
        check_simulation(RetrainingSpec(simulation=spec(postprocessing=PostprocessingSpec(sqrt=True))), champion)
    with pytest.raises(InputError, match=r" pb, .* pbi2_2h, gratia_2h"):
        check_simulation(RetrainingSpec(simulation=spec(phases=["pb"]), phases=PHASES), champion)


def write_scan(url, value=0.0):
    write_profiles(url, np.linspace(0.1, 1.3, 5), np.full((2, 5), value))


def test_the_scans_of_the_store_are_known_by_size_and_etag(store, monkeypatch):
    assert scans_of(store, RetrainingSpec()) == ({}, {})
    for name in ("roi_2", "roi_1"):
        write_scan(store.url(layout.experiment_profiles(name)))
    store.write(f"{layout.PROFILES}/notes.txt", b"nothing")
    monkeypatch.setattr(retraining_inputs, "local_copy", lambda _url: pytest.fail("read for its checksum"))
    before, left_out = scans_of(store, RetrainingSpec())
    assert [url.rpartition("/")[2] for url in before] == ["roi_1_radial_crop.npz", "roi_2_radial_crop.npz"]
    assert left_out == {}
    assert scans_of(store, RetrainingSpec()) == (before, {})
    write_scan(store.url(layout.experiment_profiles("roi_1")), value=1.0)
    after, _ = scans_of(store, RetrainingSpec())
    assert [before[url] == after[url] for url in before] == [False, True]


def test_scans_without_polar_patterns_are_left_to_other_models(store, tmp_path):
    for name in ("roi_1", "roi_2"):
        write_scan(store.url(layout.experiment_profiles(name)))
    store.write(f"{layout.experiment_polar('roi_2')}/zarr.json", b"{}")
    write_scan(tmp_path / "roi_3.npz")
    polar = {"training": {"network": "polar_harmonics"}}
    found, left_out = scans_of(store, RetrainingSpec.model_validate(polar))
    assert [url.rpartition("/")[2] for url in found] == ["roi_2_radial_crop.npz"]
    assert left_out == {"roi_1_radial_crop": "no polar patterns, which this classifier takes"}
    elsewhere = RetrainingSpec.model_validate(polar | {"experiments": [str(tmp_path / "roi_3.npz")]})
    assert scans_of(store, elsewhere) == ({}, {"roi_3": "no polar patterns, which this classifier takes"})


def test_scans_elsewhere_are_known_by_their_bytes(store, tmp_path):
    path = tmp_path / "scans" / "roi_1.npz"
    write_scan(path)
    (before,) = scans_of(store, RetrainingSpec(experiments=(str(path),)))[0].values()
    write_scan(path)
    assert list(scans_of(store, RetrainingSpec(experiments=(str(path.parent),)))[0].values()) == [before]
    write_scan(path, value=1.0)
    assert list(scans_of(store, RetrainingSpec(experiments=(str(path),)))[0].values()) != [before]
    with pytest.raises(InputError, match=r"/\*\.npz"):
        scans_of(store, RetrainingSpec(experiments=(str(tmp_path / "*.npz"),)))


BASE = Ingredients(("1" * 64, "2" * 64), ("roi_1 5 a", "roi_2 5 b"), ALL)


def test_the_order_of_datasets_and_scans_is_nothing_new():
    turned = Ingredients(("2" * 64, "1" * 64), ("roi_2 5 b", "roi_1 5 a"), ALL)
    assert turned.digest() == BASE.digest()
    listed = RetrainingSpec(datasets=("sim-1", "sim-2"), experiments=("elsewhere/*.npz",), simulation=spec())
    assert Ingredients(BASE.simulations, BASE.scans, listed).digest() == BASE.digest(), "they were resolved already"


@pytest.mark.parametrize(
    "changed",
    [
        Ingredients((*BASE.simulations, "3" * 64), BASE.scans, ALL),
        Ingredients(BASE.simulations, (*BASE.scans, "roi_3 5 c"), ALL),
        Ingredients(BASE.simulations, ("roi_1 5 a", "roi_2 5 c"), ALL),
        Ingredients(BASE.simulations, BASE.scans, RetrainingSpec(training={"seed": 1})),
        Ingredients(BASE.simulations, BASE.scans, RetrainingSpec(rule={"least_experiments": 1})),
    ],
)
def test_everything_that_decides_is_new(changed):
    assert changed.digest() != BASE.digest()


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("difsims_core.models.retraining_inputs.__version__", "other"),
        ("difsims_core.simulation.versions.SIMULATION_VERSION", "other"),
        ("difsims_core.learn.data.training_data.RECIPE", {"profile": "other"}),
    ],
)
def test_other_code_is_new(name, other, monkeypatch):
    before = BASE.digest()
    monkeypatch.setattr(name, other)
    assert BASE.digest() != before


def test_the_latest_decision_on_the_same_ingredients_is_found():
    whys = (("1", "old"), ("1", "new"), ("2", "other"))
    old, new, other = (
        RecordedDecision(ingredients=digest, model=A, promoted=False, why=why, when="2026-01-01T00:00:00+00:00")
        for digest, why in whys
    )
    registry = ModelRegistry(considered=(new, other, old))
    assert earlier_decision(registry, "1") is new
    assert earlier_decision(registry, "3") is None
