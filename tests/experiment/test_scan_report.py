"""The report of a scan: one page with the verdict, and its figures beside it."""

from types import SimpleNamespace

import numpy as np
import pytest

from difsims_core.evaluate.raw_scans.verdict import ScanVerdict
from difsims_core.experiment.diagnose import checks
from difsims_core.results.scan_report import drawn_lines, write_scan_report
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from tests.experiment.made_scans import Faults, make_scan
from tests.experiment.test_diagnosis import NO_ELLIPSE, PHASES, diagnosed


@pytest.fixture(scope="module")
def frames():
    return make_scan(PHASES, Faults(seed=57, electrons=60_000), scan_shape=(4, 6)).frames


def test_the_report_shows_every_check_and_every_figure(frames, tmp_path):
    store = open_store(tmp_path / "store")
    diagnosis = diagnosed(tmp_path, frames)
    key = write_scan_report(store, "film", diagnosis)
    assert key == "reports/film/index.html"
    page = store.read(key).decode()
    for check in diagnosis.verdict.checks:
        assert check.sentence in page
    names = {name.rpartition("/")[2] for name in store.list("reports/film")}
    figures = {"mean-pattern", "drift", "virtual-detectors", "ellipse", "mean-profile", "bad-pixels"}
    assert names == {"index.html", "verdict.json", *(f"{name}.png" for name in figures)}
    assert page.count("data:image/png") == len(figures)
    kept = ScanVerdict.from_record(store.read(layout.verdict("film")), "film")
    assert kept == diagnosis.verdict


def test_the_report_of_a_bad_scan_says_so_and_replaces_the_earlier_one(frames, tmp_path):
    store = open_store(tmp_path / "store")
    write_scan_report(store, "film", diagnosed(tmp_path, frames, geometry=NO_ELLIPSE))
    dead = frames.copy()
    dead[1] = 0
    key = write_scan_report(store, "film", diagnosed(tmp_path, dead, geometry=NO_ELLIPSE, phases=()))
    page = store.read(key).decode()
    assert '<h2>Verdict: <span class="bad">bad</span></h2>' in page
    assert "25.0 % of the patterns have been recorded without counts" in page
    assert np.isfinite(diagnosed(tmp_path, frames, geometry=NO_ELLIPSE).verdict.of(checks.DOSE).value)


@pytest.mark.parametrize("fitted", [True, False])
def test_of_very_many_phases_those_that_fit_most_patterns_are_drawn(fitted):
    fit = SimpleNamespace(phase=np.array([150, 150, 40])) if fitted else None
    prepared = SimpleNamespace(survey=SimpleNamespace(fit=fit))
    found = drawn_lines(SimpleNamespace(lines=tuple((f"p{i}", i) for i in range(200)), prepared=prepared))
    assert len(found) == 24
    assert list(found.values()) == sorted(found.values())
    assert ({"p40", "p150"} <= found.keys()) == fitted
