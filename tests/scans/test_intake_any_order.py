"""The intake whatever happens, in any order: uploads, rounds, killed rounds, predictions, new champions."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from datetime import timedelta
from itertools import count
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from difsims_core.scans import intake
from difsims_core.scans.intake import Outcome, look, read_entries, record
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from tests.uploads import START, TRIES, ReaderHere, crown, listed, put, scan_bytes

NAMES = st.sampled_from(["a", "b", "c"])


class Intake(RuleBasedStateMachine):
    @initialize(crowned=st.booleans())
    def begin(self, crowned):
        self.folder = Path(tempfile.mkdtemp())
        self.store = open_store(self.folder / "store")
        self.sizes, self.now, self.model = count(1), START, None
        self.scans: dict[str, tuple[bool, int]] = {}  # name → whether it is whole, size: another one each time
        self.announcements: dict[tuple[str, int], int] = {}  # since the content was last predicted
        if crowned:
            self.new_champion()

    @rule(name=NAMES, whole=st.booleans())
    def upload(self, name, whole):
        data = scan_bytes(next(self.sizes))
        data = data if whole else data[:-30]
        put(self.store, name, data)
        self.scans[name] = (whole, len(data))

    @rule(name=NAMES)
    def delete(self, name):
        self.store.delete(layout.experiment_profiles(name))
        self.scans.pop(name, None)
        self.announcements = {key: value for key, value in self.announcements.items() if key[0] != name}

    @rule()
    def new_champion(self):
        self.model = f"cnn-{uuid.uuid4()}"
        crown(self.store, self.model)
        self.announcements.clear()

    @rule(name=NAMES, good=st.booleans())
    def predict(self, name, good):
        if self.model is None or not self.scans.get(name, (False, 0))[0]:
            return
        known = self.entries().get(name)
        record(self.store, self.model, [Outcome(listed(self.store, name), None if good else "no")], tries=TRIES)
        # A round that has not seen this content yet will announce it, and the prediction is found again.
        if good and (known is None or known.size == self.scans[name][1]):
            self.announcements.pop((name, self.scans[name][1]), None)
            assert self.entries()[name].state == "done"

    @rule(minutes=st.sampled_from([0, 1, 1, 1]), busy=st.booleans())
    def round(self, minutes, busy):
        self.now += timedelta(minutes=minutes)
        before, read = self.entries(), []
        with mock.patch.object(intake, "ScanReader", ReaderHere), mock.patch.object(ReaderHere, "reads", read):
            found = look(self.store, self.now, tries=TRIES, at_work=lambda _url: busy)
        announced, after = {entry.name for entry in found.announce}, self.entries()
        assert {name: entry.size for name, entry in after.items()} == {name: s for name, (_, s) in self.scans.items()}
        for name, (whole, size) in self.scans.items():
            old = before.get(name)
            entry, anew = after[name], old is None or old.size != size
            assert entry.tries <= TRIES
            if whole and anew:
                assert (name in announced) is (self.model is not None)
                assert entry.state == ("announced" if self.model else "waiting")
            if not whole:
                assert name not in announced
                assert entry.state in ("arriving", "failed", "quarantined")
                assert not anew or (entry.state, entry.tries) == ("arriving", 0)
            if not anew and old.state in ("done", "waiting", "quarantined", "announced"):
                assert self.store.url(entry.key) not in read
            if not anew and old.state == "quarantined":
                assert entry == old
            if name in announced:
                self.announcements[name, size] = self.announcements.get((name, size), 0) + 1
                assert self.announcements[name, size] <= TRIES

    def entries(self):
        return {entry.name: entry for entry in read_entries(self.store).values()}

    def teardown(self):
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)


Intake.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
test_whatever_happens_in_any_order = Intake.TestCase
