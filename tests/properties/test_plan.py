"""Any plan of blocks tiles the dataset exactly once."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from difsims_core.config.simulation import PhaseSpec, SimulationSpec
from difsims_core.dataset.plan import (
    CHUNK_ROWS,
    Plan,
    PlanRecord,
    default_block_rows,
    default_chunk_rows,
    fingerprint,
    plan_blocks,
)
from difsims_core.dataset.template import dataset_attributes
from difsims_core.errors import CorruptDataError, InputError
from tests.doubles import fake

sizes = st.integers(1, 10**8)


def _plan(n_patterns, block_rows=16384):
    return Plan("sim", "f", n_patterns, block_rows)


@given(st.integers(1, 300_000), st.integers(1, 40))
def test_blocks_tile_the_dataset_exactly_once(n_patterns, chunks):
    plan = _plan(n_patterns, chunks * CHUNK_ROWS)
    edge = 0
    for block in range(plan.n_blocks):
        start, stop = plan.rows(block)
        assert start == edge
        assert start < stop
        assert start % plan.block_rows == 0
        edge = stop
    assert edge == n_patterns


@given(sizes, st.integers(1, 100), st.integers(1, 50))
def test_groups_tile_the_blocks_exactly_once(n_patterns, max_groups, min_blocks):
    plan = _plan(n_patterns)
    groups = plan.groups(max_groups, min_blocks)
    assert 1 <= len(groups) <= max_groups
    assert [groups[0].start, groups[-1].stop] == [0, plan.n_blocks]
    assert all(before.stop == after.start for before, after in pairwise(groups))
    assert len(groups) == 1 or min(map(len, groups)) >= min_blocks
    assert max(map(len, groups)) - min(map(len, groups)) <= 1


@given(sizes, st.integers(1, 10**9))
def test_default_blocks_are_multiples_of_the_compressed_piece_and_bounded(n_patterns, size):
    rows, chunk_rows = default_block_rows(n_patterns, size), default_chunk_rows(size)
    assert rows % chunk_rows == 0
    assert rows - chunk_rows < max(n_patterns, 1)
    assert rows == 1 or rows * size <= 128e6
    assert chunk_rows == 1 or chunk_rows * size <= 8e6
    assert chunk_rows <= CHUNK_ROWS


@pytest.mark.parametrize(
    ("n_patterns", "size", "rows", "chunk_rows"),
    [
        (75_000, 1700, 16_384, 1024),  # profiles
        (10**7, 1700, 65_536, 1024),
        (10**9, 650, 131_072, 1024),  # without 1d/x_all
        (10**9, 1700, 65_536, 1024),  # and with it: bounded by bytes
        (75_000, 213_500, 512, 32),  # polar patterns over the pixel crop
        (75_000, 582_000, 128, 8),  # and over all annuli
        (40, 213_500, 64, 32),
    ],
)
def test_blocks_are_worth_an_object_and_fit_memory(n_patterns, size, rows, chunk_rows):
    assert (default_block_rows(n_patterns, size), default_chunk_rows(size)) == (rows, chunk_rows)


def test_the_reference_document_has_five_blocks():
    assert plan_blocks(fake(SimulationSpec()), "sim", "").n_blocks == 5


@pytest.mark.parametrize(("n", "rows"), [(0, 1024), (10, 0), (10, 1000), (10, -1024)])
def test_impossible_plans_are_refused(n, rows):
    with pytest.raises(InputError):
        _plan(n, rows)


def test_a_block_that_does_not_exist_is_named():
    with pytest.raises(InputError, match="blocks 0 … 4"):
        _plan(75_000).rows(5)


@given(st.integers(0, 2**62), st.integers(1, 10**6))
def test_equal_documents_have_equal_fingerprints(seed, n):
    spec = SimulationSpec(seed=seed, n_patterns=n)
    assert fingerprint(fake(spec)) == fingerprint(fake(SimulationSpec.model_validate(spec.to_document())))


def test_what_belongs_to_a_fingerprint():
    spec = SimulationSpec()
    base = fingerprint(fake(spec))
    moved = spec.model_copy(update={"crystal_folder": "/elsewhere"})
    named = spec.model_copy(update={"phases": tuple(PhaseSpec(name=p.name, cif="/x/y.cif") for p in spec.phases)})
    assert fingerprint(fake(moved)) == base
    assert fingerprint(fake(named)) == base
    assert fingerprint(fake(spec.model_copy(update={"seed": 11}))) != base
    assert fingerprint(fake(spec.model_copy(update={"n_patterns": 3}))) != base
    other_engine = fake(spec)
    other_engine.engine_version = "2"  # type: ignore[attr-defined]
    assert fingerprint(other_engine) != base


def test_orientations_belong_to_a_fingerprint_by_content_and_not_by_place():
    here = SimulationSpec.model_validate({"orientations": {"kind": "list", "file": "/here/{phase}.npy"}})
    there = SimulationSpec.model_validate({"orientations": {"kind": "list", "file": "s3://there/all.npy"}})
    simulators = [fake(here), fake(there)]
    for simulator in simulators:
        simulator.orientation_sha256 = ("a" * 64, "b" * 64, "c" * 64)  # type: ignore[attr-defined]
    assert fingerprint(simulators[0]) == fingerprint(simulators[1])
    simulators[1].orientation_sha256 = ("a" * 64, "b" * 64, "d" * 64)  # type: ignore[attr-defined]
    assert fingerprint(simulators[0]) != fingerprint(simulators[1])
    assert fingerprint(fake(here)) != fingerprint(simulators[0])
    attributes = dataset_attributes(simulators[0], plan_blocks(simulators[0], "sim", ""))
    assert attributes["orientation_sha256"] == ["a" * 64, "b" * 64, "c" * 64]
    assert "orientation_sha256" not in dataset_attributes(fake(here), plan_blocks(fake(here), "sim", ""))


def test_records_of_datasets_without_spots_are_read_and_damaged_ones_named():
    plan = plan_blocks(fake(SimulationSpec()), "sim-00000000-0000-0000-0000-000000000000", "2026-01-31T12:00:00+00:00")
    record = plan.record().to_document()
    assert PlanRecord.from_document(record, "here").plan("here") == plan
    del record["spot_rows"]  # as datasets had it before there were spots
    assert PlanRecord.from_document(record, "here").plan("here") == plan
    wrong = [{"id": "x"}, {"block_rows": "many"}, {"n_patterns": True}, {"n_patterns": 2**60}, {"created": "now"}]
    wrong += [{"fingerprint": None}, {"chunk_rows": 1.0}, {"chunk_rows": 1000}, {"spot_rows": -1}]
    for damaged in ({}, [], None, *(record | change for change in wrong)):
        with pytest.raises(CorruptDataError, match="here: "):
            PlanRecord.from_document(damaged, "here").plan("here")


def test_other_crystals_make_another_dataset(monkeypatch):
    spec = SimulationSpec()
    base = fingerprint(fake(spec))
    monkeypatch.setattr("tests.doubles.FakeCrystal.__init__", _other_content)
    assert fingerprint(fake(spec)) != base


def _other_content(self, name, file, sha256):
    for key, value in {"name": name, "file": file, "sha256": "1" * 64}.items():
        object.__setattr__(self, key, value)
