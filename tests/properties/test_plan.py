"""Any plan of blocks tiles the dataset exactly once."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from difsims_core.config.simulation import PhaseSpec, SimulationSpec
from difsims_core.dataset.plan import CHUNK_ROWS, Plan, default_block_rows, fingerprint
from difsims_core.errors import InputError
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


@given(sizes)
def test_default_blocks_are_multiples_of_the_compressed_piece(n_patterns):
    rows = default_block_rows(n_patterns)
    assert rows % CHUNK_ROWS == 0
    assert rows - CHUNK_ROWS < max(n_patterns, 1)


def test_the_reference_document_has_blocks_of_16384():
    assert default_block_rows(75_000) == 16_384
    assert _plan(75_000).n_blocks == 5


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
    other_engine.engine_version = "fake-2"  # type: ignore[attr-defined]
    assert fingerprint(other_engine) != base


def test_other_crystals_make_another_dataset(monkeypatch):
    spec = SimulationSpec()
    base = fingerprint(fake(spec))
    monkeypatch.setattr("tests.doubles.FakeCrystal.__init__", _other_content)
    assert fingerprint(fake(spec)) != base


def _other_content(self, name, file, sha256):
    for key, value in {"name": name, "file": file, "sha256": "1" * 64}.items():
        object.__setattr__(self, key, value)
