"""Metadata of a group name its codecs and sizes: only those that difsims writes are followed."""

from __future__ import annotations

import json
import pickle
import tracemalloc

import google_crc32c
import numpy as np
import pytest

from difsims_core.errors import CorruptDataError
from difsims_core.storage.objects import open_store
from difsims_core.storage.zarr.arrays import (
    ArrayTemplate,
    GroupTemplate,
    create_arrays,
    get_array,
    open_group,
    read_group,
)
from difsims_core.storage.zarr.blosc import Blosc
from difsims_core.storage.zarr.exact_codecs import unpack
from difsims_core.storage.zarr.metadata import ArrayLayout, array_document, read_group_document
from difsims_core.storage.zarr.shards import decode_shard, write_shard

KINDS = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"]
ROWS = np.arange(600, dtype=np.float32).reshape(300, 2)


@pytest.fixture
def place(tmp_path):
    """A store with a group of a sharded array and an axis."""
    store = open_store(tmp_path)
    arrays = {
        "x/y": ArrayTemplate((600, 2), "<f4", ("a", "b"), 300, 100),
        "x/q": ArrayTemplate((2,), "<f8", ("b",), values=np.array([0.5, 1.5])),
    }
    create_arrays(store, "g", GroupTemplate(arrays, {"": {"name": "n"}}))
    for number in (0, 1):
        write_shard(get_array(open_group(store, "g"), "x/y"), number, ROWS)
    return store


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "shard"), [((40, 3), 20), ((40,), 10), ((7,), None), ((9, 2, 3), 6)])
def test_what_zarr_writes_is_what_is_expected(tmp_path, kind, shape, shard):
    store = open_store(tmp_path)
    names = tuple("abc"[: len(shape)])
    template = ArrayTemplate(shape, kind, names, shard, shard and shard // 2, attributes={"units": "Å"})
    create_arrays(store, "g", GroupTemplate({"x": template}))
    document = read_group(store, "g")
    assert document.arrays["x"] == ArrayLayout(shape, np.dtype(kind), shard // 2 if shard else shape[0], shard)
    assert json.loads(store.read("g/x/zarr.json")) == document.nodes["x"]
    assert document.arrays["x"].object_key(3) == get_array(open_group(store, "g"), "x").metadata.encode_chunk_key(
        (3,) + (0,) * (len(shape) - 1)
    )


def test_other_settings_of_the_compressor_are_read(place):
    layout = ArrayLayout((4,), np.dtype("f4"), 4, None)
    settings = {"clevel": 5, "shuffle": "shuffle", "blocksize": 0}
    node = array_document(layout, ["a"], {}, settings)
    assert _read(_changed(place, ["x/q"], node)).arrays["x/q"] == layout


def _root(store):
    return json.loads(store.read("g/zarr.json"))


def _changed(store, path, value):
    document = _root(store)
    nodes = document["consolidated_metadata"]["metadata"]
    *way, last = path
    item = nodes
    for step in way:
        item = item[step]
    item[last] = value
    return document


def _read(document):
    return read_group_document(json.dumps(document).encode(), "here")


SHARD = ["x/y", "codecs", 0, "configuration"]
GZIP = {"name": "gzip", "configuration": {"level": 5}}
BYTES = {"name": "bytes", "configuration": {"endian": "little"}}
HOSTILE = {
    "another compressor": ([*SHARD, "codecs", 1], GZIP),
    "a compressor of numcodecs": ([*SHARD, "codecs", 1], {"name": "numcodecs.bz2", "configuration": {"level": 1}}),
    "a codec by module": ([*SHARD, "codecs", 1], {"name": "os.system", "configuration": {}}),
    "another algorithm": ([*SHARD, "codecs", 1, "configuration", "cname"], "snappy"),
    "another codec outside": (["x/y", "codecs"], [BYTES, GZIP]),
    "no codecs": (["x/y", "codecs"], []),
    "one more codec": ([*SHARD, "codecs"], [BYTES, GZIP, GZIP]),
    "an index without checksum": ([*SHARD, "index_codecs"], [BYTES]),
    "an index elsewhere": ([*SHARD, "index_location"], "start"),
    "big endian": ([*SHARD, "codecs", 0, "configuration", "endian"], "big"),
    "objects": (["x/y", "data_type"], "object"),
    "texts": (["x/y", "data_type"], {"name": "fixed_length_utf32", "configuration": {"length_bytes": 4}}),
    "variable texts": (["x/y", "data_type"], "string"),
    "raw bytes": (["x/y", "data_type"], "r8"),
    "another kind": (["x/y", "data_type"], "float64"),
    "a fill value": (["x/y", "fill_value"], 0),
    "absurdly many rows": (["x/y", "shape"], [2**62, 2]),
    "absurd columns": (["x/y", "shape"], [600, 2**40]),
    "no rows": (["x/y", "shape"], [0, 2]),
    "rows below zero": (["x/y", "shape"], [-600, 2]),
    "rows that are no number": (["x/y", "shape"], [600.0, 2]),
    "true rows": (["x/y", "shape"], [True, 2]),
    "many dimensions": (["x/y", "shape"], [600] + [1] * 60),
    "other shards": (["x/y", "chunk_grid", "configuration", "chunk_shape"], [250, 2]),
    "another grid": (["x/y", "chunk_grid", "name"], "rectilinear"),
    "another division": ([*SHARD, "chunk_shape"], [100, 1]),
    "other keys": (["x/y", "chunk_key_encoding"], {"name": "v2", "configuration": {"separator": "."}}),
    "a transformer": (["x/y", "storage_transformers"], [{"name": "x"}]),
    "an extension": (["x/y", "extension"], {"must_understand": False}),
    "names that are no texts": (["x/y", "dimension_names"], ["a", 1]),
    "a node outside": (["../../etc"], {"attributes": {}, "zarr_format": 3, "node_type": "group"}),
    "a node that is none": (["x"], []),
    "a group of Zarr v2": (["x"], {"attributes": {}, "zarr_format": 2, "node_type": "group"}),
    "a level too many": ([*SHARD, "codecs", 1, "configuration", "clevel"], 10**6),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_difsims_does_not_write_is_refused(place, name):
    document = _changed(place, *HOSTILE[name])
    place.write("g/zarr.json", json.dumps(document).encode())
    with pytest.raises(CorruptDataError, match=f"^{place.url('g')}: "):
        open_group(place, "g")


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"{}", b"[" * 200_000, b'{"a": NaN}', b'{"a": "\\ud800"}', b"\xff", b'{"a": 1, "a": 2}'],
)
def test_what_is_no_metadata_is_refused(data):
    with pytest.raises(CorruptDataError, match="here: "):
        read_group_document(data, "here")


def test_chunks_that_are_too_large_are_refused_before_anything_is_read(place):
    layout = ArrayLayout((2**30, 2), np.dtype("f4"), 2**30, 2**30)
    huge = array_document(layout, ["a", "b"], {}, {"clevel": 1, "shuffle": "shuffle", "blocksize": 0})
    with pytest.raises(CorruptDataError, match=r"here: .*\(1073741824, 2\)"):
        _read(_changed(place, ["x/y"], huge))


def _shard_with(chunk: bytes, offset: int = 0, length: int | None = None) -> bytes:
    index = np.full((3, 2), 2**64 - 1, "<u8")
    index[0] = offset, len(chunk) if length is None else length
    table = index.tobytes()
    return chunk + table + google_crc32c.value(table).to_bytes(4, "little")


def _bomb() -> bytes:
    """Return a chunk whose header claims 2 GB."""
    chunk = bytearray(Blosc().encode(np.zeros(200, np.float32)))
    chunk[4:8] = (2**31 - 1).to_bytes(4, "little")
    return bytes(chunk)


@pytest.mark.parametrize(
    "shard",
    [
        _shard_with(_bomb()),
        _shard_with(Blosc().encode(np.zeros(2**20))),
        _shard_with(b"short"),
        _shard_with(b"x" * 500, 0, 2**40),
        _shard_with(Blosc().encode(np.zeros(200, np.float32)), 2**50, 100),
        b"no index",
        b"",
    ],
    ids=["claims 2 GB", "unpacks to 8 MB", "short", "a long chunk", "a chunk beyond", "no index", "empty"],
)
def test_hostile_shards_are_refused_without_the_memory_that_they_claim(place, shard):
    place.write("g/x/y/c/0/0", shard)
    array = get_array(open_group(place, "g"), "x/y")
    layout = read_group(place, "g").arrays["x/y"]
    tracemalloc.start()
    for read in (lambda: array[:100], lambda: array[:300], lambda: pickle.loads(pickle.dumps(array))[:100]):  # noqa: S301
        try:
            rows = read()
        except CorruptDataError:
            continue
        assert np.isnan(np.asarray(rows)[:100]).all()  # Zarr takes a chunk without bytes for one that was never written
    with pytest.raises(ValueError, match=r"chunk|index"):
        decode_shard(layout, shard, 300)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_a_damaged_axis_is_an_error_of_ours(place):
    data = bytearray(place.read("g/x/q/c/0"))
    data[4:8] = (2**31 - 1).to_bytes(4, "little")
    place.write("g/x/q/c/0", bytes(data))
    with pytest.raises(CorruptDataError, match="16 bytes"):
        get_array(open_group(place, "g"), "x/q")[:]


def test_shards_are_decoded_as_zarr_decodes_them(place):
    layout = read_group(place, "g").arrays["x/y"]
    data = place.read("g/x/y/c/1/0")
    for n in (0, 1, 99, 100, 101, 300):
        np.testing.assert_array_equal(decode_shard(layout, data, n), ROWS[:n])


def test_a_chunk_is_unpacked_to_its_own_size_alone():
    chunk = Blosc().encode(np.arange(100.0))
    assert unpack(chunk, 800) == np.arange(100.0).tobytes()
    for wrong, size in ((chunk, 799), (chunk[:-1], 800), (chunk + b"\0", 800), (b"", 0)):
        with pytest.raises(ValueError, match=rf"\b{size}\b"):
            unpack(wrong, size)
