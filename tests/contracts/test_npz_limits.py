"""Files that would unpack to more than anybody has room for: refused by what they claim, before they are unpacked."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from difsims_core.errors import ExperimentError, InputError
from difsims_core.storage.npz.contracts import read_prediction, read_profiles
from difsims_core.storage.npz.limits import NpzLimits, npz_limits
from difsims_core.storage.npz.members import read_members

X = np.linspace(0.1, 1.3, 20)
SMALL = NpzLimits(array_mb=2, total_mb=3, ratio=50, ratio_from_mb=1, members=10)
BZIP2, LZMA = zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def npy_of(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def zeros(n_bytes: int) -> bytes:
    """Return an array of so many bytes, each profile as long as the axis."""
    return npy_of(np.zeros((n_bytes // 160, 20)))


def claiming(data: bytes, name: str, **claims: int) -> bytes:
    """Change what the directory says of a member: ``method`` 10, ``flags`` 8, ``packed`` 20, ``unpacked`` 24."""
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(f"{name}.npy".encode()))
    changed = bytearray(data)
    for key, value in claims.items():
        offset, layout = {"flags": (8, "<H"), "method": (10, "<H"), "packed": (20, "<I"), "unpacked": (24, "<I")}[key]
        struct.pack_into(layout, changed, at + offset, value)
    return bytes(changed)


def refused(path: Path, words: str, limits: NpzLimits | None = None) -> None:
    """Expect a refusal that names the file, and no more memory than its directory needs."""
    tracemalloc.start()
    with pytest.raises(ExperimentError, match=words) as caught:
        read_profiles(path, limits=limits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(caught.value).startswith(f"{path}: ")
    assert peak < 5_000_000


@pytest.mark.parametrize(("method", "name"), [(BZIP2, "bzip2"), (LZMA, "lzma")])
def test_a_method_that_numpy_never_uses_is_refused_unread(tmp_path, method, name):
    path = zipped(tmp_path / "a.npz", {"x": npy_of(X), "y": zeros(40_000_000)}, method)
    assert path.stat().st_size < 20_000
    refused(path, f"compressed by {name}; expected stored or deflate")


@pytest.mark.parametrize("claims", [{"method": 93}, {"method": 77}, {"flags": 1}])
def test_a_method_that_nobody_knows_and_encryption_are_refused(tmp_path, claims):
    data = zipped(tmp_path / "a.npz", {"x": npy_of(X), "y": zeros(1600)}).read_bytes()
    (tmp_path / "a.npz").write_bytes(claiming(data, "y", **claims))
    refused(tmp_path / "a.npz", "zstd|method 77|encrypted")


def test_kilobytes_that_claim_gigabytes_are_refused_by_their_ratio(tmp_path):
    data = zipped(tmp_path / "a.npz", {"x": npy_of(X), "y": zeros(4_000_000)}).read_bytes()
    assert len(data) < 8_000
    (tmp_path / "a.npz").write_bytes(claiming(data, "y", unpacked=3_000_000_000))
    refused(tmp_path / "a.npz", r"to 3,000,000,\d+; expected 200 times .* DIFSIMS_NPZ_RATIO")


def test_a_file_that_claims_less_than_it_unpacks_to_ends_at_its_claim(tmp_path):
    data = zipped(tmp_path / "a.npz", {"x": npy_of(X), "y": zeros(4_000_000)}).read_bytes()
    (tmp_path / "a.npz").write_bytes(claiming(data, "y", unpacked=160_000))
    refused(tmp_path / "a.npz", "y' claims .* truncated")


def test_zeros_are_refused_beyond_a_size_and_read_below(tmp_path):
    path = zipped(tmp_path / "a.npz", {"x": npy_of(X), "y": zeros(1_600_000)})
    refused(path, r"50 times .* beyond 1 MB.*DIFSIMS_NPZ_RATIO", SMALL)
    assert read_profiles(path).y.shape == (10_000, 20)
    small = zipped(tmp_path / "b.npz", {"x": npy_of(X), "y": zeros(800_000)})
    assert read_profiles(small, limits=SMALL).y.shape == (5_000, 20)


def test_what_nobody_reads_makes_no_ratio_better(tmp_path):
    noise = np.random.default_rng(0).bytes(200_000)
    path = zipped(tmp_path / "a.npz", {"x": npy_of(X), "y": zeros(1_600_000), "noise": noise})
    refused(path, "DIFSIMS_NPZ_RATIO", SMALL)


def test_one_array_and_all_together_have_a_limit(tmp_path):
    noise = np.random.default_rng(0).random((15_000, 20))
    refused(zipped(tmp_path / "a.npz", {"x": npy_of(X), "y": npy_of(noise)}), "2 MB.*DIFSIMS_NPZ_ARRAY_MB", SMALL)
    half = npy_of(noise[:11_000])
    path = zipped(tmp_path / "b.npz", {"x": npy_of(X), "y": half, "z": half})
    with pytest.raises(ExperimentError, match=r"3 MB.*DIFSIMS_NPZ_TOTAL_MB"):
        read_members(path, ("y", "z"), limits=SMALL)
    assert read_profiles(path, limits=SMALL).y.shape == (11_000, 20), "what nobody reads does not count"


def test_members_that_overlap_count_each(tmp_path):
    """Several names for the same bytes would unpack them several times."""
    whole = zipped(tmp_path / "a.npz", {"x": npy_of(X), "y": zeros(1_800_000)}).read_bytes()
    start, end = whole.index(b"PK\x01\x02"), whole.index(b"PK\x05\x06")
    entries = whole[start:end]
    entry = entries[entries.rindex(b"PK\x01\x02") :]
    names = [b"y.npy", b"b.npy", b"c.npy"]
    directory = entries + b"".join(entry.replace(b"y.npy", name) for name in names[1:])
    ending = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 4, 4, len(directory), start, 0)
    path = tmp_path / "b.npz"
    path.write_bytes(whole[:start] + directory + ending)
    many = NpzLimits(array_mb=2, total_mb=3)
    with pytest.raises(ExperimentError, match="DIFSIMS_NPZ_TOTAL_MB"):
        read_members(path, ("y", "b", "c"), limits=many)
    with pytest.raises(ExperimentError, match=f"^{path}: "):
        read_members(path, ("b",), limits=many)


def directory_of(count: int, said: int) -> bytes:
    """Return a zip file of ``count`` members in a directory that says it has ``said``."""
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"
    directory = entry * count
    return directory + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, said, said, len(directory), 0, 0)


@pytest.mark.parametrize("said", [1, 60_000])
def test_a_million_members_are_refused_before_their_directory_is_read(tmp_path, said):
    path = tmp_path / "a.npz"
    path.write_bytes(directory_of(1_000_000, said))
    refused(path, r"lists .* members in a directory of 47,000,000 bytes.*DIFSIMS_NPZ_MEMBERS")


def test_more_members_than_said_are_counted(tmp_path):
    members = {f"m{number}": npy_of(X) for number in range(11)}
    refused(zipped(tmp_path / "a.npz", members | {"x": npy_of(X), "y": zeros(1600)}), "lists 13 members", SMALL)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("x.npy", "y.npy", "y.npy"), ("x.npy", "y", "y.npy")])
def test_two_members_of_one_name_are_refused(tmp_path, names):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name in names:
            archive.writestr(name, npy_of(X))
    refused(tmp_path / "a.npz", "'y' twice")


def test_a_name_that_leads_elsewhere_is_a_key_and_nothing_else(tmp_path):
    path = zipped(tmp_path / "a.npz", {"x": npy_of(X), "y": zeros(1600), "/etc/passwd": b"", "../../z": b""})
    assert read_profiles(path).y.shape == (10, 20)


def test_rows_of_text_have_an_end(tmp_path):
    """A million names of one letter are four megabytes in the file, a hundred in Python."""
    path = tmp_path / "a_probability_pred.npz"
    np.savez_compressed(path, pred=np.ones((1, 1)), phases=np.full(1_000_000, "a"), cnn_id="c")
    with pytest.raises(ExperimentError, match=r"10,000 .*phases"):
        read_prediction(path)


def test_limits_are_set_by_the_environment_and_wrong_ones_are_named(monkeypatch, tmp_path):
    assert npz_limits() == NpzLimits()
    for number, field in enumerate(fields(NpzLimits), start=1):
        monkeypatch.setenv(f"DIFSIMS_NPZ_{field.name.upper()}", str(number))
    assert npz_limits() == NpzLimits(1, 2, 3, 4, 5)
    path = zipped(tmp_path / "a.npz", {"x": npy_of(X), "y": zeros(1_600_000)})
    refused(path, "1 MB at most.*DIFSIMS_NPZ_ARRAY_MB")
    for wrong in ("", "0", "-1", "1e3", "many", "9" * 30):
        monkeypatch.setenv("DIFSIMS_NPZ_ARRAY_MB", wrong)
        with pytest.raises(InputError, match="DIFSIMS_NPZ_ARRAY_MB="):
            npz_limits()


def test_memory_that_does_not_suffice_is_an_error_of_the_file(monkeypatch, tmp_path):
    def nothing_left(*_):
        raise MemoryError

    path = zipped(tmp_path / "a.npz", {"x": npy_of(X), "y": zeros(1600)})
    for place in ("members.read_array", "contracts.held_values"):
        with monkeypatch.context() as patch:
            patch.setattr(f"difsims_core.storage.npz.{place}", nothing_left)
            with pytest.raises(ExperimentError, match=r"a\.npz: "):
                read_profiles(path)
