"""A raw scan in the store becomes a map by itself; what is not whole waits, what is broken is given up."""

from __future__ import annotations

import io

import numpy as np
import pytest

from difsims_core.experiment.write.open import open_experiment
from difsims_core.experiment.write.verify import verify_experiment
from difsims_core.scans.attempts import read_attempts
from difsims_core.scans.listing import is_raw
from difsims_core.scans.missing_maps import Inventory
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import read_profiles
from difsims_core.storage.objects import ObjectStore
from flows.commands import preprocess as preprocessing
from flows.commands.intake_states import intake_states
from flows.preprocess import preprocess
from flows.watch import raw_scans_at_work, watch_experiments
from tests.flows.prefect_records import latest_run
from tests.flows.quick_watch import MODEL, quick_rounds, rows_of_intake, store_of_model

DOCUMENT = b"""
reading: {calibration_per_angstrom: 0.05}
geometry: {ellipse: [0, 0]}
integration: {range: all, uncovered: flag}
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick_rounds(monkeypatch)
    monkeypatch.setenv("DIFSIMS_INTAKE_QUIET_SECONDS", "0")


@pytest.fixture
def place(store: str) -> ObjectStore:
    opened = store_of_model(store)
    upload(opened, "preprocess.yaml", DOCUMENT)
    return opened


def upload(place: ObjectStore, name: str, data: bytes) -> str:
    key = f"{layout.RAW_SCANS}/{name}"
    place.write(key, data)
    return place.url(key)


def frames(seed: int = 1) -> bytes:
    """A scan of 2 × 3 patterns: a beam, and a little beside it."""
    counts = np.random.default_rng(seed).poisson(3.0, (2, 3, 64, 64)).astype(np.uint16)
    counts[:, :, 30:35, 31:36] += 1000
    buffer = io.BytesIO()
    np.save(buffer, counts)
    return buffer.getvalue()


def states(place: ObjectStore) -> dict[str, str]:
    """The states of the experiments; that of a raw scan goes before that of its profiles."""
    found = intake_states(place, Inventory.listed(place, [MODEL]))
    return {state.name: state.state for state in sorted(found, key=lambda state: is_raw(state.key))}


def test_a_raw_scan_goes_from_the_store_to_its_map_and_broken_ones_are_given_up(place):
    good = upload(place, "day 1/roi_7.npy", frames())
    upload(place, "half.npy", frames()[:5000])
    profiles = place.url(layout.experiment_profiles("day 1_roi_7"))
    found = watch_experiments(place.root)
    assert found == [good, place.url(f"{layout.RAW_SCANS}/half.npy"), profiles], "preprocessed and mapped in one round"
    assert states(place) == {"day 1_roi_7": "complete", "half": "retry"}
    assert verify_experiment(place, "day 1_roi_7").ok
    assert place.exists(layout.prediction(MODEL, "day 1_roi_7_radial_crop"))
    assert {"day 1_roi_7", "half"} <= set(latest_run("watch-experiments").tags)
    watch_experiments(place.root)
    assert states(place) == {"day 1_roi_7": "complete", "half": "quarantined"}
    (row,) = (row for row in rows_of_intake() if row["experiment"] == "half")
    assert "expected" in row["reason"]
    assert "half.npy" in row["reason"]
    assert watch_experiments(place.root) == []


def test_one_that_changes_waits_and_is_then_made_and_mapped_anew(place, monkeypatch):
    upload(place, "roi.npy", frames())
    watch_experiments(place.root)
    before = read_profiles(place.url(layout.experiment_profiles("roi"))).sha256
    monkeypatch.setenv("DIFSIMS_INTAKE_QUIET_SECONDS", "1000")
    url = upload(place, "roi.npy", frames(2))
    assert watch_experiments(place.root) == []
    assert states(place)["roi"] == "waiting"
    monkeypatch.setenv("DIFSIMS_INTAKE_QUIET_SECONDS", "0")
    assert watch_experiments(place.root) == [url, place.url(layout.experiment_profiles("roi"))]
    assert read_profiles(place.url(layout.experiment_profiles("roi"))).sha256 != before
    assert open_experiment("roi", place)["y"].shape[:2] == (2, 3)


def test_profiles_of_somebody_else_are_kept_and_it_is_said(place):
    upload(place, "roi.npy", frames())
    place.write(layout.experiment_profiles("roi"), b"of somebody else")
    watch_experiments(place.root)
    assert place.read(layout.experiment_profiles("roi")) == b"of somebody else"
    (attempt,) = (attempt for attempt in read_attempts(place).values() if attempt.scan.endswith("roi.npy"))
    assert "roi" in attempt.reason
    assert "made from other frames or otherwise" in attempt.reason


def test_what_a_person_preprocesses_is_not_done_again(place):
    url = upload(place, "roi.npy", frames())
    spec = {"reading": {"calibration_per_angstrom": 0.04}, "geometry": {"ellipse": [0, 0]}}
    (made,) = preprocess([url], spec, place.root)  # pyright: ignore[reportArgumentType] - as the UI hands it over
    assert watch_experiments(place.root) == [made], "it is mapped, and nothing else"


def test_by_hand_the_document_beside_a_scan_holds_too(place):
    url = upload(place, "roi.npy", frames())
    (made,) = preprocess([url], store=place.root)
    assert read_profiles(made).x.shape == (256,), "range: all, as the document says"
    assert watch_experiments(place.root) == [made], "it is mapped, and nothing else"


def test_a_scan_that_is_uploaded_is_read_by_a_process_with_limits_and_others_are_not(place, tmp_path, monkeypatch):
    read: list[str] = []
    monkeypatch.setattr(preprocessing, "read_raw_one", lambda url, _spec: read.append(url))
    (tmp_path / "mine.npy").write_bytes(frames())
    spec = {"reading": {"calibration_per_angstrom": 0.05}, "geometry": {"ellipse": [0, 0]}}
    for url in (str(tmp_path / "mine.npy"), upload(place, "theirs.npy", frames())):
        preprocess([url], spec, place.root)  # pyright: ignore[reportArgumentType]
    assert [url.rpartition("/")[2] for url in read] == ["theirs.npy"]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (["{store}/experiments/raw/a.npy"], {"a.npy"}),
        (["{store}/experiments/raw/"], {"a.npy", "b.zspy"}),
        (["{store}/experiments/raw/*.npy"], {"a.npy"}),
        (["{store}/experiments/raw/b.zspy/"], {"b.zspy"}),
        (["/elsewhere/a.npy"], set()),
        ("text", set()),
        ([5, None], set()),
    ],
)
def test_what_a_run_preprocesses(place, raw, expected):
    from types import SimpleNamespace

    filled = [str(url).replace("{store}", place.root) for url in raw] if isinstance(raw, list) else raw
    at_work = raw_scans_at_work(place, [SimpleNamespace(parameters={"raw": filled})])  # pyright: ignore[reportArgumentType]
    assert {name for name in ("a.npy", "b.zspy") if at_work(f"{layout.RAW_SCANS}/{name}")} == expected


@pytest.mark.service
def test_a_raw_scan_in_s3_becomes_a_map(s3_store_url, tmp_path, monkeypatch):
    monkeypatch.setenv("DIFSIMS_CACHE", str(tmp_path / "cache"))
    place = store_of_model(s3_store_url)
    upload(place, "preprocess.yaml", DOCUMENT)
    url = upload(place, "roi.npy", frames())
    assert watch_experiments(place.root) == [url, place.url(layout.experiment_profiles("roi"))]
    assert states(place) == {"roi": "complete"}
