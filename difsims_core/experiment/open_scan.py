"""Open a raw scan of any format: which reader, which frames, which scales."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import DifsimsError, ExperimentError
from difsims_core.experiment.raw_scan import RawScan
from difsims_core.experiment.readers.base import HEAD_BYTES, ScanReader
from difsims_core.experiment.readers.zarr import SUFFIXES, open_zarr
from difsims_core.experiment.stored.calibration import scales
from difsims_core.experiment.stored.layouts import arrange
from difsims_core.experiment.stored.lazy import lazy_scan
from difsims_core.experiment.stored.recording import Recording
from difsims_core.families import SCAN_READERS
from difsims_core.messages import first_line
from difsims_core.storage.kept_copies import kept_copy
from difsims_core.storage.names import as_written, file_name, join_url, object_name, split_url


def open_raw_scan(location: str | Path, reading: ReadingSpec = ReadingSpec()) -> RawScan:  # noqa: B008 frozen
    """Open a raw 4D-STEM scan; its frames are read when they are computed.

    Parameters
    ----------
    location
        Path or URL of the file, or of a Zarr group. Groups are read where they lie; a file of an object store is
        copied first, with what belongs to it, and kept (`storage.kept_copies`).
    reading
        What its file does not say, or says wrongly.

    Raises
    ------
    ExperimentError
        If no reader knows the file, it is damaged, or it leaves a choice that the reader cannot make; the message
        lists the candidates.
    """
    try:
        recording = _recording(location, reading)
        layout, remarks = arrange(recording, reading)
        found = scales(recording, reading)
    except ExperimentError as error:
        shown = as_written(location)
        raise error if shown in error.problem else ExperimentError(f"{shown}: {error.problem}", error.remedy) from error
    flip = (recording.upwards != reading.flip_up_down, reading.flip_left_right)
    return RawScan(
        frames=lazy_scan(recording.frames, layout, flip),
        calibration_per_angstrom=found.calibration_per_angstrom,
        scan_step_nm=found.scan_step_nm,
        beam_energy_kv=found.beam_energy_kv,
        scan_rotation_deg=recording.scan_rotation_deg
        if reading.scan_rotation_deg is None
        else reading.scan_rotation_deg,
        source=as_written(location),
        files=recording.frames.files,
        file_format=recording.file_format,
        group=recording.frames.group,
        remarks=(*recording.remarks, *remarks, *found.remarks),
    )


@contextmanager
def scan_on_disk(location: str | Path) -> Iterator[str | None]:
    """Give the path of a raw scan on this machine: a copy of it where it lies in an object store.

    None for a Zarr group there, of which only what is asked for is fetched.
    """
    scheme, where = split_url(location)
    where = where.rstrip("/")
    if scheme == "file":
        yield where
    elif where.lower().endswith(SUFFIXES):
        yield None
    else:
        copy = kept_copy(join_url(scheme, where), _beside)
        try:
            yield str(copy.path)
        finally:
            copy.release()


def raw_scan_name(location: str | Path) -> str:
    """Return the name of the experiment that a raw scan is: that of its file without the ending of its format.

    >>> raw_scan_name("s3://lab/day 3/roi_7_master.h5")
    'roi_7'
    """
    name = file_name(location)
    fitting = [ending for ending in scan_endings() if name.lower().endswith(ending) and len(name) > len(ending)]
    return object_name(name[: len(name) - len(max(fitting, key=len, default=""))])


def scan_endings() -> list[str]:
    """Return the endings of the names of raw scans, of all formats."""
    return sorted({*SUFFIXES, *(suffix for known in SCAN_READERS.names() for suffix in SCAN_READERS[known]().suffixes)})


def _recording(location: str | Path, reading: ReadingSpec) -> Recording:
    """Return what the reader finds that knows the file or the folder."""
    scheme, where = split_url(location)
    where = where.rstrip("/")
    if where.lower().endswith(SUFFIXES) and (scheme != "file" or not Path(where).is_file()):
        return _opened("Zarr", lambda: open_zarr(join_url(scheme, where), reading), where)
    if scheme == "file":
        return _opened_file(Path(where), reading)
    copy = kept_copy(join_url(scheme, where), _beside)
    try:
        recording = _opened_file(copy.path, reading)
    except ExperimentError as error:
        copy.release()
        shown = join_url(scheme, where)
        raise ExperimentError(error.problem.replace(str(copy.path), shown), error.remedy) from error
    except BaseException:
        copy.release()
        raise
    weakref.finalize(recording.frames, copy.release)
    return recording


def _beside(name: str, others: Sequence[str]) -> list[str]:
    """Return which files of the same folder belong to one of this name, for all readers that may take it."""
    readers = (SCAN_READERS[known]() for known in SCAN_READERS.names())
    named = (reader for reader in readers if name.lower().endswith(reader.suffixes))
    return sorted({other for reader in named for other in reader.beside(name, others)})


def _opened_file(path: Path, reading: ReadingSpec) -> Recording:
    reader = _reader_of(path)
    return _opened(reader.file_format, lambda: reader.open(path, reading), path)


def _opened(file_format: str, open_it: Callable[[], Recording], path: str | Path) -> Recording:
    try:
        return open_it()
    except DifsimsError:
        raise
    except Exception as error:  # readers of other packages raise what a damaged file makes them stumble over
        raise ExperimentError(
            f"{path}: cannot be read as {file_format} ({type(error).__name__}: {first_line(error)})",
            "it may be truncated or of another format: copy it again, or export it as .hspy",
        ) from error


def _reader_of(path: Path) -> ScanReader:
    """Return the reader that knows a file: by what it begins with, and its ending where several do."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        raise ExperimentError(f"{path}: {error.strerror or error}", "check the path") from None
    readers = sorted((SCAN_READERS[name]() for name in SCAN_READERS.names()), key=lambda reader: reader.general)
    named = [reader for reader in readers if path.name.lower().endswith(reader.suffixes)]
    known = [reader for reader in (*named, *readers) if reader.recognises(path, head)]
    if known:
        return known[0]
    if not head:
        raise ExperimentError(f"{path}: is empty", "copy it again")
    if path.name.lower().endswith(SUFFIXES):
        raise ExperimentError(f"{path}: is a file, expected the folder of a Zarr group", "unpack it if it is zipped")
    if named:
        raise ExperimentError(
            f"{path}: is called like {named[0].file_format}, but does not begin like it",
            "it may be truncated: copy it again",
        )
    raise ExperimentError(f"{path}: no raw scan of a known format", f"expected one of {', '.join(scan_endings())}")
