"""The intake whatever happens, in any order: uploads, rounds, killed runs, predictions, failures, new models."""

from __future__ import annotations

import shutil
import tempfile
import time
import uuid
from datetime import timedelta
from itertools import count
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from difsims_core.scans import reconcile
from difsims_core.scans.attempts import read_attempts
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from tests.effort import examples
from tests.uploads import START, TRIES, ReaderHere, fail, map_scan, names, one_round, put, scan_bytes

NAMES = st.sampled_from(["a", "b", "c"])


class Intake(RuleBasedStateMachine):
    @initialize(models=st.integers(0, 2))
    def begin(self, models):
        self.folder = Path(tempfile.mkdtemp())
        self.store = open_store(self.folder / "store")
        self.sizes, self.now = count(1), START
        self.models: list[str] = []
        self.whole: dict[str, bool] = {}
        self.mapped: set[tuple[str, str]] = set()  # of the present content
        self.starts: dict[tuple[str, str], int] = {}  # with the present content, since it was last mapped
        for _ in range(models):
            self.new_model()

    @rule(name=NAMES, whole=st.booleans())
    def upload(self, name, whole):
        time.sleep(0.02)  # times of files are not finer
        data = scan_bytes(next(self.sizes))
        put(self.store, name, data if whole else data[:-30])
        self._forget(name)
        self.whole[name] = whole

    @rule(name=NAMES)
    def delete(self, name):
        self.store.delete(layout.experiment_profiles(name))
        self._forget(name)
        self.whole.pop(name, None)

    def _forget(self, name):
        self.mapped = {pair for pair in self.mapped if pair[0] != name}
        self.starts = {pair: value for pair, value in self.starts.items() if pair[0] != name}

    @rule()
    def new_model(self):
        self.models.insert(0, f"cnn-{uuid.uuid4()}")

    @rule(name=NAMES, good=st.booleans(), data=st.data())
    def predict(self, name, good, data):
        if not self.models or not self.whole.get(name):
            return
        model = data.draw(st.sampled_from(self.models))
        if good:
            map_scan(self.store, name, model)
            self.mapped.add((name, model))
            self.starts.pop((name, model), None)
        else:
            fail(self.store, name, "no", model)

    @rule(minutes=st.sampled_from([0, 1, 10, 10]), busy=st.booleans())
    def round(self, minutes, busy):
        self.now += timedelta(minutes=minutes)
        before = read_attempts(self.store)
        with mock.patch.object(reconcile, "ScanReader", ReaderHere):
            found = one_round(self.store, self.now, self.models, at_work=lambda _model, _scan: busy)
        started = [(name, request.model) for request in found for name in names([request])]
        assert len(started) == len(set(started))
        for name, model in started:
            assert self.whole[name], "what cannot be read is never started"
            assert (name, model) not in self.mapped or before, "what is mapped is not mapped again"
            self.starts[name, model] = self.starts.get((name, model), 0) + 1
            assert self.starts[name, model] <= TRIES
        for name, whole in self.whole.items():
            for model in self.models:
                key = layout.experiment_profiles(name)
                tried = (key, None) in before or (key, model) in before
                if whole and not busy and (name, model) not in self.mapped and not tried:
                    assert (name, model) in started, "what is missing and was never tried is started"
        for attempt in read_attempts(self.store).values():
            assert attempt.tries <= max(TRIES, before[attempt.subject].tries if attempt.subject in before else 0)

    def teardown(self):
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)


Intake.TestCase.settings = settings(
    max_examples=examples(25), stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
test_whatever_happens_in_any_order = Intake.TestCase
