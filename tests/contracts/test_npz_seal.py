"""Sealed npz files: every changed bit is noticed, and NumPy reads them as any other."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest

from difsims_core.errors import ExperimentError, MissingObjectError
from difsims_core.storage.npz.contracts import Prediction, read_prediction, write_prediction
from difsims_core.storage.npz.members import is_sealed, read_members, seal_members, write_members
from difsims_core.storage.objects import read_url, write_url

ARRAYS = {"a": np.arange(12.0).reshape(3, 4), "names": np.array(["å", "bc"])}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_members(tmp_path / "a.npz", ARRAYS)
    return tmp_path / "a.npz"


def test_the_comment_is_the_digest_of_all_bytes_before_it(path):
    data = path.read_bytes()
    assert data[-71:].decode() == f"sha256:{hashlib.sha256(data[:-71]).hexdigest()}"
    assert data[-73:-71] == (71).to_bytes(2, "little")
    assert is_sealed(path)


def test_numpy_reads_it_unchanged(path):
    with np.load(path, allow_pickle=False) as found:
        assert list(found) == list(ARRAYS)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(found[name], array)


def test_the_same_arrays_are_the_same_bytes(tmp_path):
    assert write_members(tmp_path / "a.npz", ARRAYS) == write_members(tmp_path / "b.npz", ARRAYS)


def test_every_changed_bit_is_noticed(path):
    """Those of the directory and of the seal, and every eleventh of the arrays."""
    data = path.read_bytes()
    directory = data.rindex(b"PK\x01\x02") * 8
    for bit in (*range(0, directory, 11), *range(directory, len(data) * 8)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(ExperimentError, match=r"checksum|damaged"):
            read_members(path, ARRAYS)


def test_every_cut_and_every_addition_is_noticed(path):
    data = path.read_bytes()
    for length in (*range(0, len(data) - 100, 7), *range(len(data) - 100, len(data))):
        path.write_bytes(data[:length])
        with pytest.raises(ExperimentError, match="damaged"):
            read_members(path, ("a",))
    for more in (b"\0", b"PK\x05\x06"):
        path.write_bytes(data + more)
        with pytest.raises(ExperimentError, match="damaged"):
            read_members(path, ("a",))
    path.write_bytes(data + data)
    with pytest.raises(ExperimentError, match=str(path)):
        read_members(path, ("a",))


def test_what_others_write_is_read_and_can_be_sealed(store_url):
    url, buffer = f"{store_url}/a.npz", io.BytesIO()
    np.savez(buffer, **ARRAYS)
    write_url(url, buffer.getvalue())
    assert not is_sealed(url)
    np.testing.assert_array_equal(read_members(url, ("a",))["a"], ARRAYS["a"])
    assert seal_members(url)
    assert is_sealed(url)
    assert list(read_members(url, ("a",), ("names", "none"))) == ["a", "names"]
    data = read_url(url)
    assert not seal_members(url)
    assert read_url(url) == data


def test_a_file_with_another_comment_or_cut_is_not_sealed(path):
    data = path.read_bytes()
    for other in (data[:-73] + b"\2\0hi", data[:-80]):
        path.write_bytes(other)
        with pytest.raises(ExperimentError):
            seal_members(path)
        assert path.read_bytes() == other


def test_what_is_no_file_has_no_seal(tmp_path):
    with pytest.raises(MissingObjectError):
        is_sealed(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("sha256:")
    assert not is_sealed(tmp_path / "text.npz")


def test_predictions_are_sealed_and_a_changed_one_is_refused(tmp_path):
    path = tmp_path / "a_probability_pred.npz"
    write_prediction(path, Prediction(np.eye(2, dtype=np.float32), ("a", "b"), "cnn-1"))
    assert is_sealed(path)
    data = path.read_bytes().replace(b"phases.npy", b"phasez.npy")
    path.write_bytes(data)
    with pytest.raises(ExperimentError, match=f"^{path}: "):
        read_prediction(path)
