"""What verify finds, and what export writes."""

import json
import logging
import subprocess
import sys

import numpy as np
import pytest

from difsims_core.dataset.build import begin, finish, write_group
from difsims_core.dataset.export.npz import NpzExporter
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.verify import verify
from difsims_core.errors import IncompleteDatasetError, InputError
from difsims_core.storage import layout
from difsims_core.storage.objects import local_copy
from tests.doubles import fake


@pytest.fixture
def plan(store, small_spec):
    simulator = fake(small_spec)
    plan = begin(store, small_spec, 1024, simulator)
    write_group(store.root, small_spec, plan.id, range(3), simulator=simulator)
    finish(store, plan)
    return plan


def test_a_good_dataset_verifies(store, plan, small_spec):
    seen = []
    report = verify(store, plan.id, 2, seen.append, simulator=fake(small_spec))
    assert report.ok
    assert (report.blocks, report.resimulated, seen) == (3, (0, 2), [1, 2, 3])


def _flip(store, key):
    data = bytearray(store.read(key))
    data[len(data) // 2] ^= 0xFF
    store.write(key, bytes(data))


def test_verify_finds_flipped_bits_missing_pieces_and_lost_receipts(store, plan):
    folder = layout.simulation(plan.id)
    _flip(store, f"{folder}/1d/x_px/c/1/0")
    store.delete(f"{folder}/draws/dose/c/0")
    store.delete(layout.receipt(plan.id, 2))
    report = verify(store, plan.id)
    assert not report.ok
    text = "\n".join(report.failures)
    assert "block 1, 1d/x_px" in text
    assert "block 0, draws/dose: cannot be read" in text
    assert "block 2: its receipt is missing" in text
    assert "the receipts are not those" in text
    assert len(report.failures) == 4


def test_verify_finds_rows_exchanged_for_other_valid_ones(store, plan):
    folder = f"{layout.simulation(plan.id)}/1d/x_px/c"
    store.write(f"{folder}/1/0", store.read(f"{folder}/0/0"))
    assert verify(store, plan.id).failures == ("block 1, 1d/x_px: the stored rows differ from their receipt",)


def test_simulating_again_finds_what_checksums_cannot(store, plan, small_spec):
    liar = fake(small_spec)
    honest = liar.block
    liar.block = lambda start, stop: _changed(honest(start, stop))
    report = verify(store, plan.id, 1, simulator=liar)
    assert report.failures == ("block 0, draws/dose: the stored rows differ from a new simulation",)


def _changed(block):
    block.draws["dose"][1] += 1
    return block


def test_another_engine_cannot_simulate_it_again(store, plan, small_spec):
    newer = fake(small_spec)
    newer.engine_version = "2"
    report = verify(store, plan.id, 1, simulator=newer)
    assert report.failures == (
        "cannot be simulated again: made by engine fake 1, simulation 1, this is engine fake 2, simulation 1",
    )
    assert report.resimulated == ()


def test_an_incomplete_dataset_is_neither_verified_nor_exported(store, small_spec, tmp_path):
    plan = begin(store, small_spec, 1024, fake(small_spec))
    with pytest.raises(IncompleteDatasetError):
        verify(store, plan.id)
    with pytest.raises(IncompleteDatasetError):
        NpzExporter().export(open_simulation(plan.id, store), tmp_path / "x.npz")
    assert list(tmp_path.iterdir()) == []


NUMPY_ALONE = """
import json, sys
import numpy as np
f = np.load(sys.argv[1], allow_pickle=False)
d, m = f["1d"], f["metadata"]
assert not any(name in sys.modules for name in ("zarr", "difsims_core", "pandas"))
print(json.dumps({
    "keys": sorted(f.files), "fields": sorted(d.dtype.names), "ndim": d.ndim,
    "shapes": {k: d[k].shape for k in d.dtype.names}, "dtypes": {k: d[k].dtype.str for k in d.dtype.names},
    "phases": m["phases"].tolist(), "id": str(m["id"]), "parameters": json.loads(str(m["parameters"])),
    "sum": float(d["x_px"].sum(dtype="f8")), "part": [int(m[k]) for k in ("part", "parts", "start", "stop")],
}))
"""


def _seen_by_numpy_alone(path, tmp_path):
    said = subprocess.run(
        [sys.executable, "-I", "-c", NUMPY_ALONE, str(path)], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    return json.loads(said.stdout)


def test_an_export_needs_nothing_but_numpy(store, plan, tmp_path, small_spec):
    seen = []
    paths = NpzExporter().export(open_simulation(plan.id, store), tmp_path / "out.npz", progress=seen.append)
    assert paths == [str(tmp_path / "out.npz")]
    assert seen == [2500]
    found = _seen_by_numpy_alone(paths[0], tmp_path)
    assert found["keys"] == ["1d", "draws", "metadata"]
    assert found["ndim"] == 0
    assert found["shapes"] == {
        "x_px": [2500, 147], "y_px": [2500, 1], "x_all": [2500, 256], "y_all": [2500, 1],
        "x_px_q_axis": [147], "x_all_q_axis": [256],
    }  # fmt: skip
    assert found["dtypes"]["x_px"] == "<f4"
    assert found["dtypes"]["y_px"] == "|u1"
    assert found["dtypes"]["x_px_q_axis"] == "<f8"
    assert found["phases"] == list(small_spec.class_names)
    assert found["id"] == plan.id
    assert found["parameters"] == small_spec.to_document()
    with np.load(paths[0], allow_pickle=False) as file:
        expected = fake(small_spec).block(0, 2500)
        np.testing.assert_array_equal(file["1d"]["x_px"], expected.x_px)
        np.testing.assert_array_equal(file["1d"]["x_all"], expected.x_all)
        np.testing.assert_array_equal(file["1d"]["y_px"][:, 0], expected.y)
        assert set(file["draws"].dtype.names) == set(expected.draws)
        for name, values in expected.draws.items():
            np.testing.assert_array_equal(file["draws"][name], values)


def test_a_large_export_is_split_and_says_so(store, plan, tmp_path, caplog):
    limit = 1_100_000
    with caplog.at_level(logging.INFO):
        paths = NpzExporter(limit).export(open_simulation(plan.id, store), tmp_path / "out.npz")
    assert [path.rsplit("/", 1)[1] for path in paths] == [f"out_{i:04d}.npz" for i in range(1, len(paths) + 1)]
    assert len(paths) == 4
    assert " 4 " in caplog.text
    assert sorted(item.name for item in tmp_path.iterdir()) == [path.rsplit("/", 1)[1] for path in paths]
    parts = [_seen_by_numpy_alone(path, tmp_path)["part"] for path in paths]
    assert [part[:2] for part in parts] == [[i, 4] for i in range(1, 5)]
    assert [part[2] for part in parts] == [0, *(part[3] for part in parts[:-1])]
    assert parts[-1][3] == 2500
    assert all((tmp_path / path).stat().st_size <= limit for path in paths)
    rows = np.concatenate([np.load(path)["1d"]["x_px"] for path in paths])
    np.testing.assert_array_equal(rows, open_simulation(plan.id, store)["1d/x_px"][:])


def test_an_export_goes_into_a_store_too(store, plan, tmp_path):
    url = f"{store.root}/exports/out.npz"
    assert NpzExporter().export(open_simulation(plan.id, store), url) == [url]
    with local_copy(url) as path:
        assert _seen_by_numpy_alone(path, tmp_path)["id"] == plan.id


@pytest.mark.parametrize(("name", "limit", "words"), [("out.zip", 2**20, r"\.npz"), ("out.npz", 1000, r"1,?000\b")])
def test_exports_that_cannot_be(store, plan, tmp_path, name, limit, words):
    with pytest.raises(InputError, match=words):
        NpzExporter(limit).export(open_simulation(plan.id, store), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_fails_leaves_nothing(store, plan, tmp_path):
    store.delete(f"{layout.simulation(plan.id)}/1d/y_px/c/2/0")
    with pytest.raises(Exception, match="missing"):
        NpzExporter().export(open_simulation(plan.id, store), tmp_path / "out.npz")
    assert list(tmp_path.iterdir()) == []
