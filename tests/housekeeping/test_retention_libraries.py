"""Libraries of beam directions go when no kept dataset is drawn from them, and only with proof of that."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from difsims_core.config.documents import make_spec
from difsims_core.dataset import build
from difsims_core.dataset.libraries.source import make_libraries
from difsims_core.housekeeping.lineage import read_lineage
from difsims_core.housekeeping.retention import apply_retention, plan_retention
from difsims_core.housekeeping.verify_store import verify_item
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore
from tests.housekeeping.plans import NOW, YESTERDAY, going, plan_for, why
from tests.small_stores import LONG_AGO, contents, fingerprint, put_dataset, put_model, rewrite, write_registry

pytestmark = pytest.mark.usefixtures("later_clock")


def put_library(store: ObjectStore, name: str, *, completed: str = LONG_AGO, whole: bool = True) -> str:
    """Write the records of a library and one piece of data; return its id."""
    own = fingerprint(name)
    store.write(f"{layout.library(own)}/zarr.json", b"{}")
    store.write(f"{layout.library(own)}/intensity/c/0/0", b"x" * 1000)
    if whole:
        store.write_record(layout.library_completion(own), {"fingerprint": own, "completed": completed})
    return layout.library_id(own)


def draw_from(store: ObjectStore, dataset: str, libraries: Sequence[str] | None) -> None:
    """Let a dataset say from which libraries it is drawn; None: it says that it is from some."""
    key = f"{layout.simulation(dataset)}/zarr.json"
    document = json.loads(store.read(key))
    document["attributes"]["parameters"] = {"orientations": {"kind": "library"}}
    if libraries is not None:
        document["attributes"]["libraries"] = [name.removeprefix("lib-") for name in libraries]
    store.write(key, json.dumps(document).encode())


def plain(store: ObjectStore, dataset: str) -> None:
    """Let a dataset say that its orientations are those of no library."""
    key = f"{layout.simulation(dataset)}/zarr.json"
    document = json.loads(store.read(key))
    document["attributes"]["parameters"] = {"orientations": {"kind": "uniform"}}
    store.write(key, json.dumps(document).encode())


@pytest.fixture
def champion_data(store) -> str:
    """A dataset that the champion descends from."""
    kept = put_dataset(store)
    write_registry(store, put_model(store, datasets=[kept]))
    return kept


def test_one_that_a_kept_dataset_is_drawn_from_stays_and_others_go_whole(store, champion_data):
    needed, left, stopped = (put_library(store, name, whole=name != "stopped") for name in ("one", "two", "stopped"))
    lost = put_dataset(store)
    draw_from(store, champion_data, [needed])
    draw_from(store, lost, [needed, left])
    before, plan = contents(store), plan_for(store)
    assert [item.kind for item in plan.going] == ["dataset", "library", "library"]
    assert going(plan) == {lost, left, stopped}
    assert why(plan, needed) == f"{champion_data} is drawn from it, or may be"
    assert "no kept dataset" in why(plan, left)
    assert why(plan, stopped).startswith("never finished")
    apply_retention(store, plan)
    remains = {key for key in before if not any(name in key for name in (lost, left, stopped, fingerprint(lost)))}
    assert contents(store).keys() == remains


@pytest.mark.parametrize("told", ["some library", "nothing", "no root document", "damaged record"])
def test_a_dataset_that_does_not_say_may_need_any(store, champion_data, told):
    library = put_library(store, "one")
    if told == "some library":
        draw_from(store, champion_data, None)
    elif told == "no root document":
        store.delete(f"{layout.simulation(champion_data)}/zarr.json")
    elif told == "damaged record":
        store.write(layout.completion(champion_data), b"{}")
    assert going(plan_for(store)) == set()
    plain(store, other := put_dataset(store))
    assert going(plan_for(store)) == {other}
    assert why(plan_for(store), library).startswith(champion_data)


@pytest.mark.parametrize(("kind", "stays"), [("library", True), ("uniform", False)])
def test_a_kept_model_of_a_stream_may_need_any(store, champion_data, kind, stays):
    library = put_library(store, "one")
    plain(store, champion_data)
    streamed = put_model(store, created=YESTERDAY)
    simulation = {"parameters": {"orientations": {"kind": kind}}}
    rewrite(store, layout.model_record(streamed), simulation=simulation)
    assert (library in going(plan_for(store))) != stays
    if kind == "library":
        for named in (True, False):
            told = simulation | {"libraries": [library.removeprefix("lib-")] if named else []}
            rewrite(store, layout.model_record(streamed), simulation=told)
            assert (library in going(plan_for(store))) != named
    rewrite(store, layout.model_record(streamed), id="cnn-of-another")
    assert library not in going(plan_for(store))


def test_datasets_of_other_orientations_need_none(store, champion_data):
    library = put_library(store, "one")
    plain(store, champion_data)
    assert going(plan_for(store)) == {library}
    assert going(plan_for(store, keep=[library[:12]])) == set()


def test_young_and_damaged_ones_stay(store, champion_data):
    plain(store, champion_data)
    young, damaged = put_library(store, "one", completed=YESTERDAY), put_library(store, "two")
    rewrite(store, layout.library_completion(fingerprint("two")), fingerprint=fingerprint("one"))
    plan = plan_for(store)
    assert going(plan) == set()
    assert "days ago" in why(plan, young)
    assert "cannot be read" in why(plan, damaged)


def test_one_that_has_come_to_be_needed_since_the_plan_stays(store, champion_data):
    plain(store, champion_data)
    library = put_library(store, "one")
    plan = plan_for(store)
    assert going(plan) == {library}
    draw_from(store, put_dataset(store, created=YESTERDAY), [library])
    assert apply_retention(store, plan) == ()
    assert store.exists(layout.library_completion(fingerprint("one")))


def test_a_real_dataset_says_what_it_is_drawn_from_before_its_first_block(files):
    spec = make_spec(
        {
            "n_patterns": 12, "phases": ["pb"], "diffraction": {"thickness_angstrom": {"uniform": [50, 200]}},
            "orientations": {"kind": "library", "resolution_deg": 3, "thicknesses": 2},
        }
    )  # fmt: skip
    plan = build.begin(files, spec)
    (key,) = make_libraries(files.root, spec)
    name = key.rpartition("/")[2].removesuffix(layout.LIBRARY_ENDING)
    lineage = read_lineage(files)
    assert lineage.items[plan.id].needs == {name}
    assert lineage.items[name].made is not None
    assert verify_item(files, name[:10]).id == name
    assert verify_item(files, name).ok
    kept = plan_retention(files, now=NOW, keep_days=1, keep_former=0, keep=[plan.id], most_percent=100)
    assert kept.going == ()
