"""Shards are encoded here, and the bytes are those that Zarr would write."""

import re
import subprocess
import sys

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from zarr.storage import MemoryStore

from difsims_core.errors import CorruptDataError, InputError
from difsims_core.storage.objects import open_store
from difsims_core.storage.zarr.arrays import ArrayTemplate, GroupTemplate, create_arrays, get_array, open_group
from difsims_core.storage.zarr.shards import encode_shard, shard_rows, write_shard


def _array(shape, dtype, shard, chunk, folder=None):
    """Return an array in memory for Zarr to write, or one in a folder for us."""
    if folder is None:
        return zarr.create_array(
            MemoryStore(),
            shape=shape,
            dtype=dtype,
            chunks=(chunk, *shape[1:]),
            shards=(shard, *shape[1:]),
            compressors=zarr.codecs.BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle", blocksize=1 << 20),
            fill_value=float("nan") if np.dtype(dtype).kind == "f" else 7,
        )
    template = ArrayTemplate(shape, dtype, tuple("abcd"[: len(shape)]), shard, chunk)
    create_arrays(open_store(folder), "g", GroupTemplate({"x/y": template}))
    return get_array(open_group(open_store(folder), "g"), "x/y")


@given(
    dtype=st.sampled_from(["<f4", "<f8", "|u1", "<u2", "<i2", "<i8"]),
    trailing=st.sampled_from([(), (1,), (5,), (3, 4)]),
    chunk=st.integers(1, 9),
    chunks=st.integers(1, 5),
    blocks=st.integers(1, 3),
    missing=st.integers(0, 8),
    seed=st.integers(0, 99),
)
def test_the_bytes_are_those_of_zarr(dtype, trailing, chunk, chunks, blocks, missing, seed):
    shard = chunk * chunks
    n = max(1, shard * blocks - missing)
    array = _array((n, *trailing), dtype, shard, chunk)
    values = np.random.default_rng(seed).integers(0, 200, (n, *trailing)).astype(dtype)
    array.with_config({"write_empty_chunks": True})[:] = values
    stored = {key: buffer.to_bytes() for key, buffer in array.store._store_dict.items() if key.startswith("c/")}
    made = {
        array.metadata.encode_chunk_key((b, *[0] * len(trailing))): encode_shard(
            array, values[b * shard : (b + 1) * shard]
        )
        for b in range(-(-n // shard))
    }
    assert made == stored


def test_chunks_that_were_never_written_read_as_missing_values_and_take_no_bytes(tmp_path):
    array = _array((600, 2), "<f4", 300, 100, tmp_path)
    write_shard(array, 0, np.ones((130, 2), np.float32), partial=True)
    write_shard(array, 1, np.empty((0, 2), np.float32), partial=True)
    rows = array[:]
    assert (rows[:130] == 1).all()
    assert np.isnan(rows[130:]).all()
    assert (tmp_path / "g/x/y/c/1/0").stat().st_size == 3 * 16 + 4


def test_an_object_that_was_never_written_is_an_error(tmp_path):
    array = _array((600, 2), "<f4", 300, 100, tmp_path)
    write_shard(array, 0, np.ones((300, 2), np.float32))
    assert shard_rows(array) == 300
    with pytest.raises(CorruptDataError, match="missing"):
        array[299:301]


def test_rows_need_not_lie_in_order_in_memory(tmp_path):
    array = _array((40, 6), "<f4", 40, 10, tmp_path)
    values = np.arange(480, dtype=np.float32).reshape(40, 12)[:, ::2]
    write_shard(array, 0, values)
    np.testing.assert_array_equal(array[:], values)


@pytest.mark.parametrize(
    ("number", "rows", "partial"),
    [(0, 29, False), (0, 31, True), (2, 6, False), (2, 4, False), (3, 0, True), (-1, 30, True)],
)
def test_rows_that_are_not_a_shard_are_refused(tmp_path, number, rows, partial):
    array = _array((65, 2), "<f4", 30, 10, tmp_path)
    with pytest.raises(InputError, match=rf" {number} .*'x/y'.* {rows}\b"):
        write_shard(array, number, np.zeros((rows, 2), np.float32), partial=partial)
    assert not (tmp_path / "g/x/y/c").exists()


@pytest.mark.parametrize("rows", [np.zeros((30, 3), np.float32), np.zeros((30, 2)), np.zeros(30, np.float32)])
def test_rows_of_another_shape_or_dtype_are_refused(tmp_path, rows):
    with pytest.raises(InputError, match=rf"'x/y'.*{re.escape(str(rows.shape[1:]))} .*{rows.dtype}"):
        write_shard(_array((65, 2), "<f4", 30, 10, tmp_path), 0, rows)


def test_an_opened_array_cannot_be_changed_through_zarr(tmp_path):
    array = _array((60, 2), "<f4", 30, 10, tmp_path)
    write_shard(array, 0, np.ones((30, 2), np.float32))
    with pytest.raises(ValueError, match="read-only"):
        array[:30] = 0
    assert (array[:30] == 1).all()


def test_shards_that_we_did_not_lay_out_are_refused():
    plain = zarr.create_array(MemoryStore(), shape=(8,), dtype="<f4", chunks=(4,), compressors=None)
    with pytest.raises(InputError, match="Blosc"):
        encode_shard(plain, np.zeros(4, np.float32))
    with pytest.raises(InputError, match="open_group"):
        write_shard(plain, 0, np.zeros(4, np.float32))


SHARD = """
import sys
import numpy as np
from difsims_core.storage.zarr.arrays import ArrayTemplate, GroupTemplate, create_arrays, get_array, open_group
from difsims_core.storage.objects import open_store
from difsims_core.storage.zarr.shards import write_shard
store = open_store(sys.argv[1])
create_arrays(store, "g", GroupTemplate({"x": ArrayTemplate((1024, 147), "<f4", ("a", "b"), 1024, 1024)}))
rows = (np.random.default_rng(0).normal(size=(1024, 147)).cumsum(axis=1) * 8).round().astype("<f4") / 8
write_shard(get_array(open_group(store, "g"), "x"), 0, rows)
"""


def test_the_bytes_do_not_depend_on_what_else_is_loaded(tmp_path):
    """TensorFlow brings another zstd and shows it to the whole process."""
    for name, before in (("plain", ""), ("late", "import tensorflow\n")):
        subprocess.run([sys.executable, "-c", before + SHARD, str(tmp_path / name)], check=True, capture_output=True)
    written = [(tmp_path / name / "g" / "x" / "c" / "0" / "0").read_bytes() for name in ("plain", "late")]
    assert len(written[0]) > 10_000
    assert written[0] == written[1]
