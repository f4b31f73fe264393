"""Damaged and hostile npz files: their bytes, the headers of their arrays, and everything that a zip file claims."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from difsims_core.storage.npz.contracts import Prediction, write_prediction, write_profiles
from difsims_core.storage.npz.members import write_members

Q = np.linspace(0.1, 1.3, 20)
_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_WORDS = (
    "'<f4'", "'<f8'", "'>f8'", "'<U1'", "'<U64'", "'<U100000000'", "'<i8'", "'|b1'", "'|O'", "'<M8[s]'", "'<c8'",
    "'|V4'", "'|S4'", "',i8'", "()", "set()", "[('a', '<f4')]", "[('a', '|O')]", "(2,)", "(2, 2)", "(True,)", "(-2,)",
    "(0,)", "(20,)", "(99999999999999999999,)", "(0, 999999999999999999)", "(1000000000, 1000)", "(1e9,)", "(2**40,)",
    "True", "False", "None", "nan", "'descr'", "'shape'", "{", "__import__('antigravity')", "(((((((((((",
    "1" * 5000, "'\\x00'", "lambda: 0", "ℝ",
)  # fmt: skip
_TEXTS = (
    "", " ", "a", "a\nb", "\x1b[2J", "\x00", "\u202e", "../../etc/passwd", "/etc/hostname", "file:///etc/hostname",
    "s3://other/bucket", r"$\undefined{x}$", "[open](javascript:alert(1))", "<script>", "a" * 10_000, "é" * 300,
    "cnn-00000000-0000-4000-8000-000000000000", "nan", "\ufeff", "CON", "%2e%2e%2f",
)  # fmt: skip


def whole_files(folder: Path) -> dict[str, bytes]:
    """Return one small file of each contract that is as it should be, as our own functions write it."""
    rng = np.random.default_rng(0)
    place = folder / "whole_probability_pred.npz"
    found = {}
    write_profiles(place, Q, rng.random((2, 2, 20), np.float32))
    found["profiles"] = place.read_bytes()
    pred, invalid = np.full((2, 2, 2), 0.5, np.float32), np.zeros((2, 2), bool)
    more = {"sim_ids": ("sim-1",), "experiment": "s3://b/a.npz", "created": "now", "experiment_sha256": "ab"}
    write_prediction(place, Prediction(pred, ("a", "b"), "cnn-1", x=Q, invalid=invalid, scan_q=Q, **more))
    found["prediction"] = place.read_bytes()
    labels = np.array([[0, 1], [-1, 1]])
    arrays = {"label": labels, "phases": np.array(["a", "b"]), "boundary": np.zeros((2, 2), bool)}
    write_members(place, arrays)
    found["truth"] = place.read_bytes()
    place.unlink()
    return found


def damaged_npz(data: bytes, rng: np.random.Generator) -> bytes:
    """Return a file damaged in one of the ways below."""
    return _DAMAGES[int(rng.integers(len(_DAMAGES)))](data, rng)


def changed_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Flip bits, set bytes, take some out or put some in, up to four times."""
    content = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(0, max(1, len(content))))
        match int(rng.integers(0, 4)):
            case 0 if content:
                content[at] ^= 1 << int(rng.integers(0, 8))
            case 1 if content:
                content[at] = int(rng.integers(0, 256))
            case 2:
                del content[at : at + int(rng.integers(1, 60))]
            case _:
                content[at:at] = rng.bytes(int(rng.integers(1, 5)))
    return bytes(content)


def _truncated(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(0, len(data)))]


def _spliced(data: bytes, rng: np.random.Generator) -> bytes:
    """Put a piece of the file over another one."""
    source, target, length = (int(n) for n in rng.integers(0, len(data), 3))
    piece = data[source : source + length]
    return data[:target] + piece + data[target + len(piece) :]


def _with_members(data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    change(members)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _inside(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage the bytes of one member; the checksums of the zip file are right again."""

    def change(members: dict[str, bytes]) -> None:
        name = str(rng.choice(list(members)))
        at = members[name].index(b"\n") + 1
        head, values = members[name][:at], members[name][at:]
        members[name] = changed_bytes(head, rng) + values if rng.random() < 0.5 else head + changed_bytes(values, rng)

    return _with_members(data, change)


def _other_header(data: bytes, rng: np.random.Generator) -> bytes:
    """Give a member a header of words that are none of its business, its length told as it is."""

    def change(members: dict[str, bytes]) -> None:
        name = str(rng.choice(list(members)))
        version = members[name][6:8]
        at = members[name].index(b"\n") + 1
        words = [str(word) for word in rng.choice(_WORDS, 3)]
        text = f"{{'descr': {words[0]}, 'fortran_order': {words[1]}, 'shape': {words[2]}, }}"
        if rng.random() < 0.5:
            text = members[name][10:at].decode("latin-1").replace(words[1], words[2])
            text = text.replace(
                str(rng.choice(["(2, 2, 2)", "(2,)", "(20,)", "()", "<f4", "<f8"])), words[0].strip("'")
            )
        head = text.encode("utf-8") + b"\n"
        if len(head) < 65_536:
            members[name] = b"\x93NUMPY" + version + struct.pack("<H", len(head)) + head + members[name][at:]

    return _with_members(data, change)


def _other_values(data: bytes, rng: np.random.Generator) -> bytes:
    """Put well-formed arrays of wrong contents in the place of one."""

    def change(members: dict[str, bytes]) -> None:
        name = str(rng.choice(list(members)))
        buffer = io.BytesIO()
        np.save(buffer, _arrays(rng), allow_pickle=False)
        members[name] = buffer.getvalue()

    return _with_members(data, change)


def _arrays(rng: np.random.Generator) -> np.ndarray:
    texts = [str(text) for text in rng.choice(_TEXTS, int(rng.integers(0, 4)))]
    shape = tuple(int(n) for n in rng.integers(0, 4, int(rng.integers(0, 5))))
    choices = [
        np.array(texts, dtype=np.str_), np.array(str(rng.choice(_TEXTS))), np.full(shape, np.nan),
        np.full(shape, -1e308),
        np.full(shape, np.inf, np.float32), np.full(shape, 0.5, np.float16), np.arange(20)[::-1] * 1.0, np.zeros(20),
        np.full((2, 2, 2), -3.0), np.full((2, 2, 2), 7.0), np.full((2, 2, 2), 1e-30), np.array(["a", "a"]),
        np.array(["", ""]), np.full(shape, 2**63, np.uint64), np.full(shape, b"\xff\xfe"), np.zeros(shape, "M8[s]"),
        np.zeros(shape, complex), np.full((1,) * 32, 0.5), np.full(20, 5e-324).cumsum(), np.zeros(shape, "V7"),
    ]  # fmt: skip
    return choices[int(rng.integers(len(choices)))]


def _zip_claims(data: bytes, rng: np.random.Generator) -> bytes:
    """Change what the directory of the zip file claims: methods, flags, sizes, places, names, counts."""
    content = bytearray(data)
    central = [at for at in range(len(data)) if data.startswith(_CENTRAL, at)]
    local = [at for at in range(len(data)) if data.startswith(_LOCAL, at)]
    end = data.rfind(_END)
    if not central or not local or end < 0:
        return changed_bytes(data, rng)
    at, first = int(rng.choice(central)), int(rng.choice(local))
    number = int(rng.choice([0, 1, 2, 255, 65_535, 2**31 - 1, 2**32 - 1, len(data)]))
    short, long = struct.pack("<H", number & 0xFFFF), struct.pack("<I", number)
    fields = [(at + 6, short), (at + 20, long), (at + 24, long), (at + 28, short), (at + 30, short), (at + 32, short)]
    fields += [(at + 42, struct.pack("<I", int(rng.choice(local)))), (at + 42, long), (at + 16, long)]
    fields += [
        (place, struct.pack("<H", int(rng.choice([0, 1, 8, 9, 12, 14, 93, 95, 99])))) for place in (at + 10, first + 8)
    ]
    fields += [(place, struct.pack("<H", 1 << int(rng.integers(16)))) for place in (at + 8, first + 6)]
    fields += [(end + 8, short), (end + 10, short), (end + 12, long), (end + 16, long), (end + 20, short)]
    for _ in range(int(rng.integers(1, 4))):
        place, value = fields[int(rng.integers(len(fields)))]
        content[place : place + len(value)] = value
    return bytes(content)


def _other_archive(data: bytes, rng: np.random.Generator) -> bytes:
    """Pack the members otherwise: other methods, names, twice, or thousands more."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    method = int(rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]))
    match int(rng.integers(0, 5)):
        case 0:
            members += [members[int(rng.integers(len(members)))]]
        case 1:
            name, content = members[0]
            members[0] = (
                str(rng.choice(["../x.npy", "/x.npy", "x", "X.npy", "x.npy/", "\x1b[2J.npy", "a" * 60_000])),
                content,
            )
        case 2:
            members += [(f"m{number}.npy", b"") for number in range(int(rng.choice([100, 1000])))]
        case 3:
            members = members[: int(rng.integers(len(members)))]
        case _:
            pass
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            _write_quietly(archive, name, content)
        if rng.random() < 0.3:
            archive.comment = rng.bytes(int(rng.integers(1, 100)))
    return buffer.getvalue()


def _write_quietly(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.NameToInfo.pop(name, None)  # or zipfile warns of the second one
    archive.writestr(name, content)


def _bomb(data: bytes, rng: np.random.Generator) -> bytes:
    """Let a member unpack to very much: to what its header claims, or to more than the directory claims."""
    megabytes = int(rng.choice([1, 8, 64, 4095]))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [(info.filename, *_packed(archive.read(info)), info.file_size) for info in archive.infolist()]
    at = int(rng.integers(len(entries)))
    packed, size = _packed_zeros(megabytes)
    claimed = size if rng.random() < 0.5 else int(rng.integers(0, 400))
    entries[at] = (entries[at][0], packed, 0, claimed)
    return _zip_of(entries)


def _zip_of(entries: list[tuple[str, bytes, int, int]]) -> bytes:
    """Return a zip file of names, deflated bytes, checksums and sizes, true or not."""
    local, central = b"", b""
    for name, packed, crc, size in entries:
        fixed = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0x21, crc, len(packed), size, len(name.encode()), 0)
        place = struct.pack("<HHHII", 0, 0, 0, 0, len(local))
        local += _LOCAL + fixed + name.encode() + packed
        central += _CENTRAL + struct.pack("<H", 20) + fixed + place + name.encode()
    end = struct.pack("<HHHHIIH", 0, 0, len(entries), len(entries), len(central), len(local), 0)
    return local + central + _END + end


def _packed(content: bytes, end: int = zlib.Z_FINISH) -> tuple[bytes, int]:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush(end), zlib.crc32(content)


@cache
def _packed_zeros(megabytes: int) -> tuple[bytes, int]:
    """Return an array of so many megabytes of zeros, deflated piece by piece, and its size."""
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({megabytes * 2**18},), }}".encode() + b"\n"
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head
    piece, _ = _packed(bytes(2**20), zlib.Z_FULL_FLUSH)
    return _packed(head, zlib.Z_FULL_FLUSH)[0] + piece * megabytes + _packed(b"")[0], len(head) + megabytes * 2**20


_DAMAGES = (
    changed_bytes, changed_bytes, _truncated, _spliced, _inside, _inside, _other_header, _other_header, _other_values,
    _other_values, _zip_claims, _zip_claims, _other_archive, _bomb,
)  # fmt: skip
