"""Work that stops before any one of its changes: nothing half-done is taken for whole, and again it is completed."""

from __future__ import annotations

import io
import shutil
import zipfile
from itertools import count

import pytest

from difsims_core.dataset.build import begin, finish, write_group
from difsims_core.moments import now_text
from difsims_core.storage.ids import list_simulations
from tests.attacks.examine import findings
from tests.attacks.in_store import objects
from tests.attacks.operations import OPERATIONS, Simulate
from tests.attacks.oracles import Original, check_untouched, digests
from tests.attacks.stops import run_until
from tests.attacks.whole_store import WholeStore, make_in
from tests.doubles import fake
from tests.kill.evidence import Finished, assert_same_bytes

LEAST = {"simulate": 20, "predict": 2, "evaluate": 2, "promote": 12, "intake": 2, "retention": 5}  # changes
SAME_CONTENT = ("predict", "evaluate")  # the others write moments


class Blocks(Simulate):
    """A dataset of three blocks."""

    def work(self, whole):
        simulator = fake(self.spec)
        plan = begin(whole.store, self.spec, 1024, simulator)
        write_group(whole.store.root, self.spec, plan.id, range(plan.n_blocks), simulator=simulator)
        finish(whole.store, plan)
        yield plan.id


def content(data: bytes) -> object:
    """Return what an object holds: of a zip its members, for it tells when they were written."""
    if not data.startswith(b"PK"):
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return tuple((member.filename, member.CRC) for member in archive.infolist())


@pytest.fixture
def whole(attacked):
    return make_in(attacked)


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_stops_at_any_change_is_completed_by_the_next_run(name, whole, monkeypatch):
    moment = now_text()  # a prediction says when it was made, to the second
    monkeypatch.setattr("difsims_core.learn.predict.now_text", lambda: moment)
    operation, original = OPERATIONS[name], Original(whole.store)
    complete: set[tuple[str, object]] = set()
    for changes in count():
        operation.before(whole)
        before = digests(whole.store)
        try:
            told, stopped = run_until(operation, whole, changes)
            check_untouched(before, digests(whole.store), *operation.writes)
            operation.check(whole, told)
            list(operation.work(whole))
            operation.check_done(whole)
            check_untouched(before, digests(whole.store), *operation.writes)
            complete |= {(key, content(whole.store.read(key))) for key in whole.store.list(operation.writes[0])}
        finally:
            original.restore()
        if not stopped:
            break
    assert changes >= LEAST[name]
    if name in SAME_CONTENT:
        assert len(complete) == len(dict(complete)), "after a stop something else was written"


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_others_use_stays_well_wherever_it_stops(name, whole):
    """All of the store, one stop in the middle."""
    operation, original = OPERATIONS[name], Original(whole.store)
    operation.before(whole)
    try:
        run_until(operation, whole, LEAST[name] // 2)
        list(operation.work(whole))
        present = set(whole.store.list())
        for key in objects(whole).values():
            assert key not in present or findings(whole, key) == [], key
    finally:
        original.restore()


def test_a_simulation_that_stops_anywhere_goes_on_with_the_same_bytes(tmp_path):
    """No block that has its receipt is written again, and the dataset is that of a run that nobody disturbed."""

    place, undisturbed = (WholeStore(str(tmp_path / name), (), (), (), ()) for name in ("place", "undisturbed"))
    (expected,) = Blocks().work(undisturbed)
    for changes in count():
        told, stopped = run_until(Blocks(), place, changes)
        finished = {name: Finished.of(place.store, name) for name in list_simulations(place.store)}
        (found,) = Blocks().work(place)
        for name, receipts in finished.items():
            receipts.assert_kept_in(Finished.of(place.store, name))
        assert_same_bytes(place.store, found, undisturbed.store, expected)
        shutil.rmtree(place.folder)
        if not stopped:
            break
    assert told == [found]
