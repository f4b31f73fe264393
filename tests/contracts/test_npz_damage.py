"""Damaged npz files: every one is read as it is or refused with our error that names it, and nothing else happens."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from difsims_core.errors import ExperimentError, InputError
from difsims_core.evaluate.experiment_scores import evaluate_experiment
from difsims_core.storage.npz import npy
from difsims_core.storage.npz.contracts import (
    Prediction,
    Profiles,
    read_prediction,
    read_profiles,
    read_truth,
    write_prediction,
)

FOUND = Path(__file__).parent / "damaged_npz"  # one file of each kind of exception that once escaped
X = np.linspace(0.1, 1.3, 20)
READERS = {"profiles": read_profiles, "prediction": read_prediction, "truth": read_truth}


def whole(kind: str, folder: Path) -> bytes:
    """Return the bytes of a small file that is as it should be."""
    path = folder / "whole_probability_pred.npz"
    if kind == "profiles":
        np.savez(path, x=X, y=np.random.default_rng(0).random((2, 2, 20), np.float32), flags=np.eye(2, dtype="u1"))
    elif kind == "truth":
        np.savez(path, label=np.array([[0, 1], [-1, 1]]), phases=["a", "b"], boundary=np.zeros((2, 2), bool))
    else:
        pred, invalid = np.full((2, 2, 2), 0.5, np.float32), np.zeros((2, 2), bool)
        more = {"sim_ids": ("sim-1",), "experiment": "s3://b/a.npz", "created": "now", "experiment_sha256": "ab"}
        write_prediction(path, Prediction(pred, ("a", "b"), "cnn-1", x=X, invalid=invalid, scan_q=X, **more))
    return path.read_bytes()


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage a file: half of the time its bytes, else those of one member, whose checksum is right again."""
    if rng.random() < 0.5:
        return altered(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name = str(rng.choice(list(members)))
    header = members[name].index(b"\n") + 1
    if rng.random() < 0.7:
        members[name] = altered(members[name][:header], rng) + members[name][header:]
    else:
        members[name] = members[name][:header] + altered(members[name][header:], rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for key, content in members.items():
            archive.writestr(key, content)
    return buffer.getvalue()


def altered(data: bytes, rng: np.random.Generator) -> bytes:
    """Change, remove or insert up to four bytes, or exchange a word of the header for another."""
    content = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(0, max(1, len(content))))
        match int(rng.integers(0, 4)):
            case 0 if content:
                content[at] = int(rng.integers(0, 256))
            case 1:
                del content[at : at + int(rng.integers(1, 5))]
            case 2:
                content[at:at] = rng.bytes(int(rng.integers(1, 5)))
            case _:
                old, new = rng.choice(WORDS, 2)
                content = bytearray(bytes(content).replace(old, new, 1))
    return bytes(content)


WORDS = np.array(
    [b"'<f4'", b"'<f8'", b"'>f8'", b"'<U1'", b"'>U1'", b"'<U64'", b"'<i8'", b"'|b1'", b"'|O'", b"'<M8[s]'", b"'<c8'",
     b"'|V4'", b"'|S4'", b"',i8'", b"()", b"set()", b"[('a', '<f4')]", b"(2,)", b"(2, 2)", b"(True,)", b"(-2,)",
     b"(0,)", b"(20,)", b"(99999999999999999999,)", b"(0, 999999999999999999)", b"True", b"False", b"'descr'",
     b"'shape'", b"{"],
    dtype=object,
)  # fmt: skip


def outcome(kind: str, path: Path) -> str:
    """Read a file and use what it holds, as prediction and evaluation do; return ``read`` or ``refused``."""
    try:
        found = READERS[kind](path)
        if kind != "profiles":
            pred = found if kind == "prediction" else Prediction(np.full((2, 2, 2), 0.5), ("a", "b"), "cnn-1", x=X)
            scan = Profiles("scan", X, np.random.default_rng(0).random((2, 2, 20)), "")
            evaluate_experiment(pred, scan, {}, found if kind == "truth" else None)
    except ExperimentError as error:
        message = str(error)
    else:
        return "read"
    assert str(path) in message or message.startswith("scan scan: "), message
    assert message.isprintable(), ascii(message)
    return "refused"


def outcomes(kind: str, folder: Path, count: int, seed: int) -> list[str]:
    """Return what became of ``count`` damaged files."""
    data, rng, path = whole(kind, folder), np.random.default_rng(seed), folder / "damaged_probability_pred.npz"
    found = []
    for _ in range(count):
        path.write_bytes(damaged(data, rng))
        found.append(outcome(kind, path))
    return found


@pytest.mark.parametrize("kind", READERS)
def test_random_damage_is_refused_with_our_error_or_does_not_matter(tmp_path, kind):
    assert outcome(kind, write(tmp_path / "a.npz", whole(kind, tmp_path))) == "read"
    found = outcomes(kind, tmp_path, 250, seed=1)
    assert found.count("refused") > 100
    assert found.count("read") > 5, "some damage is harmless, such as that of the padding of a header"


@pytest.mark.parametrize("path", sorted(FOUND.iterdir()), ids=lambda path: path.stem)
def test_files_whose_errors_escaped_are_refused_by_name(path):
    with pytest.raises(ExperimentError) as caught:
        READERS[path.stem.split("_")[0]](path)
    assert str(caught.value).startswith(str(path))


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def npy_of(header: str, values: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    length = len(header).to_bytes(2 if version[0] == 1 else 4, "little")
    return b"\x93NUMPY" + version + length + header.encode("latin-1") + values


def read(data: bytes) -> np.ndarray:
    return npy.read_array(io.BytesIO(data), len(data))


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n",
        '{"shape": (2, 3), "fortran_order": False, "descr": "<f4"}',
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }\n",
    ],
)
@pytest.mark.parametrize("version", [b"\x01\x00", b"\x02\x00"])
def test_headers_of_other_writers_are_read(header, version):
    values = np.arange(6, dtype="<f4").reshape(2, 3)
    np.testing.assert_array_equal(read(npy_of(header, values.tobytes(), version)), values)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.float32(3),
        np.array(["å", "bc"]), np.array("text"), np.zeros((0, 3)), np.arange(3, dtype=">i2"), np.array([True, False]),
        np.array(["2026-01-01"], "M8[D]"), np.array([b"ab"]), np.zeros(3, np.complex64), np.array(""),
    ],
    ids=lambda array: f"{np.asarray(array).dtype}{np.shape(array)}",
)  # fmt: skip
def test_what_numpy_writes_is_read_as_numpy_reads_it(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    found, expected = read(buffer.getvalue()), np.load(io.BytesIO(buffer.getvalue()))
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(found, expected)
    assert found.flags.writeable


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "NumPy"),
        (b"\x93NUMPY\x03\x00", "format 3.0"),
        (npy_of("{'descr': __import__('os').getcwd(), 'fortran_order': False, 'shape': (1,), }"), "header"),
        (npy_of("{'descr': '<f4', 'descr': '<f4', 'shape': (1,), }"), "header"),
        (npy_of("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }"), "header"),
        (npy_of("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }"), "header"),
        (npy_of("{'descr': '<f4', 'fortran_order': False, 'shape': (1 1,), }"), "shape"),
        (npy_of("{'descr': '<f3', 'fortran_order': False, 'shape': (1,), }"), "type '<f3'"),
        (npy_of("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", bytes(8)), "object"),
        (npy_of("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }", bytes(8)), "truncated"),
        (npy_of("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", bytes(8)), " 4 bytes.* 8"),
        (npy_of(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({'1, ' * 70}), }}", bytes(4)), "impossible"),
        (npy_of(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({'1' * 30_000}), }}"), "shape"),
    ],
)  # fmt: skip
def test_what_is_no_array_is_refused(data, words):
    with pytest.raises(InputError, match=words):
        read(data)


TYPES = ("<f4", "<f8", ">f4", "<f2", "<i8", "<u8", "|b1", "<U1", "<U8", ">U3", "<c8", "|S4", "<M8[s]", "<f16", "<U0")
SHAPES = ((), (0,), (1,), (2,), (20,), (2, 2), (2, 2, 2), (2, 2, 20), (2, 0, 2), (20, 0), (1,) * 40)
LETTERS = (0, 1, 10, 27, 65, 66, 0x202E, 0xD800, 0x10FFFF, 0x110000, 0x300)


def strange(rng: np.random.Generator) -> bytes:
    """Return a whole array of any type and shape, of random bytes, zeros, or letters that are none."""
    dtype, shape = np.dtype(str(rng.choice(TYPES))), SHAPES[rng.integers(len(SHAPES))]
    size = int(np.prod(shape, dtype=int)) * dtype.itemsize
    values = rng.bytes(size) if rng.random() < 0.7 else bytes(size)
    if dtype.kind == "U":
        values = rng.choice(LETTERS, size // 4).astype(dtype.byteorder.replace("=", "<") + "u4").tobytes()
    return npy_of(f"{{'descr': {dtype.str!r}, 'fortran_order': {rng.random() < 0.3}, 'shape': {shape!r}, }}", values)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", READERS)
def test_arrays_of_any_type_shape_and_content_are_read_or_refused(tmp_path, kind):
    rng, path = np.random.default_rng(7), tmp_path / "strange_probability_pred.npz"
    found = []
    for _ in range(400):
        with zipfile.ZipFile(io.BytesIO(whole(kind, tmp_path))) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist()}
        for name in rng.choice(list(members), rng.integers(1, 3)):
            members[name] = strange(rng)
        with zipfile.ZipFile(path, "w") as archive:
            for key, content in members.items():
                archive.writestr(key, content)
        found.append(outcome(kind, path))
    assert found.count("refused") > 100
