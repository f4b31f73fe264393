"""Whatever the handwriting, a crystal is read as it is; whatever the damage, it is read or refused in one line.

Some files of each kind are tried in the suite, a few hundred on a full run, the same ones each time.
``DIFSIMS_FUZZ_EXAMPLES=20000`` in the environment of pytest tries that many, others on every run.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings

from difsims_core.crystal.phases import load_phase
from difsims_core.errors import CrystalError
from tests.crystal.reading import differences
from tests.effort import examples
from tests.properties.crystal_damage import CANARY, damaged_files
from tests.properties.crystal_files import Q_MAX, CrystalFile, crystal_files

EXAMPLES = int(os.environ.get("DIFSIMS_FUZZ_EXAMPLES") or examples(300))
many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize="DIFSIMS_FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder to work in, where code that a file smuggles in would leave its mark."""
    place, before = tmp_path_factory.mktemp("reader"), Path.cwd()
    os.chdir(place)
    yield place
    os.chdir(before)


@contextmanager
def silence() -> Iterator[None]:
    """Fail if anything, be it a library written in C, writes to standard error."""
    with tempfile.TemporaryFile() as heard:
        kept = os.dup(2)
        os.dup2(heard.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        heard.seek(0)
        said = heard.read()
    assert said == b""


@many
@given(crystal_files())
def test_a_crystal_is_read_as_it_is_whatever_the_handwriting(folder: Path, file: CrystalFile):
    path = folder / "crystal.cif"
    path.write_bytes(file.data())
    with silence():
        phase = load_phase(path)
    assert differences(phase, file.structure, Q_MAX) == []
    if file.style.displacements != "none":
        assert differences(phase, file.structure, Q_MAX, thermal=True) == []


@many
@given(damaged_files())
@example(b"")
@example(b"\xff\xfe")
@example(b"\xfe\xff\x00")
@example(b"data_" + b"\xc3" * 10)
@example(b"data_x\nloop_\n")
@example(b"[" * 100_000)
def test_a_damaged_file_is_read_or_refused_in_one_line(folder: Path, data: bytes):
    path = folder / "damaged.cif"
    path.write_bytes(data)
    phase, refusal = None, f"{path.name} is read"
    with silence():
        try:
            phase = load_phase(path)
        except CrystalError as error:
            refusal = str(error)
    assert path.name in refusal
    assert "\n" not in refusal
    marks = list(folder.glob(f"*{CANARY}*"))
    for mark in marks:  # or the next example would find it
        mark.rmdir() if mark.is_dir() else mark.unlink()
    assert not marks, "something in the file was run"
    if phase is not None:
        assert len(phase.structure) > 0
        assert np.all(np.isfinite(phase.structure.xyz))
        assert all(0 <= atom.occupancy <= 1 for atom in phase.structure)
