"""How much an npz file may hold: asked of its own claims before anything of it is unpacked."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Collection
from dataclasses import dataclass, fields

from difsims_core.errors import InputError

PREFIX = "DIFSIMS_NPZ_"
_MB = 1_000_000
MOST = 10**9
_BYTES_OF_AN_ENTRY = 1_024  # of the directory of a zip file; NumPy writes about sixty
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_KNOWN = {0: "stored", 8: "deflate", 9: "deflate64", 12: "bzip2", 14: "lzma", 93: "zstd", 95: "xz", 99: "AES"}
_ENCRYPTED = 0x1 | 0x40  # bits of the flags: encrypted, strongly encrypted


@dataclass(frozen=True, slots=True)
class NpzLimits:
    """What an npz file may hold; each limit is set by ``DIFSIMS_NPZ_…`` and its name in capitals.

    Attributes
    ----------
    array_mb, total_mb : int
        Unpacked megabytes (10⁶ bytes) of one array, and of all that are read.
    ratio : int
        How many times larger than packed the arrays may be. Measured counts, which are mostly zero, reach a hundred; a
        file of nothing but zeros, a thousand.
    ratio_from_mb : int
        Unpacked megabytes up to which no ratio is asked for.
    members : int
        Arrays in the file, those that nobody reads too.
    """

    array_mb: int = 8_000
    total_mb: int = 16_000
    ratio: int = 200
    ratio_from_mb: int = 256
    members: int = 1_000

    def check_directory(self, n_bytes: int, n_members: int) -> None:
        """Refuse a directory of too many members: by its length before it is read, by their number after.

        Raises
        ------
        InputError
            The text starts with a verb, as in `check_members`.
        """
        if n_members > self.members or n_bytes > self.members * _BYTES_OF_AN_ENTRY:
            raise InputError(
                f"lists {n_members:,} members in a directory of {n_bytes:,} bytes",
                f"expected {self.members:,} at most. Save what is needed alone, or set {PREFIX}MEMBERS",
            )

    def check_members(self, wanted: Collection[zipfile.ZipInfo], n_bytes: int) -> None:
        """Refuse members that are to be read from a file of ``n_bytes`` bytes, by what the file says of them.

        Raises
        ------
        InputError
            If one is encrypted or compressed in a way that NumPy never uses, or they are larger than the limits allow.
        """
        for info in wanted:
            _check_method(info)
            if info.file_size > self.array_mb * _MB:
                raise _too_large(f"holds {info.filename!r} of", info.file_size, self.array_mb, "ARRAY_MB")
        unpacked = sum(info.file_size for info in wanted)
        if unpacked > self.total_mb * _MB:
            raise _too_large("holds arrays of", unpacked, self.total_mb, "TOTAL_MB")
        packed = min(n_bytes, sum(info.compress_size for info in wanted))
        if unpacked > self.ratio_from_mb * _MB and unpacked > self.ratio * packed:
            raise InputError(
                f"would unpack {packed:,} bytes to {unpacked:,}",
                f"expected {self.ratio} times as many at most beyond {self.ratio_from_mb:,} MB. Save the arrays "
                f"uncompressed (np.savez), or set {PREFIX}RATIO",
            )

    def check_size(self, n_bytes: int) -> None:
        """Refuse a file that is larger, packed, than all its arrays may be.

        Raises
        ------
        InputError
            If it is.
        """
        if n_bytes > self.total_mb * _MB:
            raise _too_large("has", n_bytes, self.total_mb, "TOTAL_MB")


def npz_limits() -> NpzLimits:
    """Return the limits of the environment as it is now.

    Raises
    ------
    InputError
        If a variable has a value that cannot be used.
    """
    changes = {}
    for field in fields(NpzLimits):
        name = PREFIX + field.name.upper()
        text = os.environ.get(name)
        if text is not None:
            if not (text.isascii() and text.isdigit() and len(text) < len(str(MOST)) and int(text) >= 1):
                raise InputError(
                    f"{name}={text!r}: expected a whole number from 1 to below {MOST:,}", "correct it or unset it"
                )
            changes[field.name] = int(text)
    return NpzLimits(**changes)


def _check_method(info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise InputError(f"holds {info.filename!r} encrypted", "expected plain arrays, save them with np.savez")
    if info.compress_type not in _METHODS:
        method = _KNOWN.get(info.compress_type, f"method {info.compress_type}")
        raise InputError(
            f"holds {info.filename!r} compressed by {method}",
            "expected stored or deflate, save it with np.savez_compressed",
        )


def _too_large(what: str, n_bytes: int, limit_mb: int, setting: str) -> InputError:
    return InputError(
        f"{what} {n_bytes:,} bytes",
        f"expected {limit_mb:,} MB at most. Save less in one file, or set {PREFIX}{setting}",
    )
