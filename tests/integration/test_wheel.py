"""A wheel carries crystal files, documents and samples, and works outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CODE = """
import difsims_core, sys
from difsims_core import load_spec
from difsims_core.crystal.catalogue import list_catalogue
from difsims_core.crystal.phases import load_crystal
from difsims_core.resources import samples_folder, specs_folder
assert difsims_core.__file__.startswith(sys.argv[1]), difsims_core.__file__
assert load_spec(specs_folder() / "reference.yaml").class_names
assert len({load_crystal(entry.name).sha256 for entry in list_catalogue()}) == 13
assert len(list(samples_folder().glob("*_radial_crop.npz"))) == 3
assert len(list((samples_folder() / "truth").glob("*_truth.npz"))) == 4
"""


@pytest.mark.slow
def test_wheel_works_outside_the_checkout(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    built = subprocess.run(build, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("difsims-*.whl")
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
        names = archive.namelist()
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "deployments/"))]
    assert missing_from(site) == []
    environment = {**os.environ, "PYTHONPATH": str(site)}
    ran = subprocess.run(
        [sys.executable, "-c", CODE, str(site)],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    listed = subprocess.run(
        [sys.executable, "-m", "flows.cli.app", "phases"], cwd=elsewhere, env=environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert listed.returncode == 0, listed.stderr
    assert "gratia_2h" in listed.stdout


def missing_from(site: Path) -> list[str]:
    """Return which files of the packages are not there with the same content: what they do is tested where they lie."""
    files = [path for package in ("difsims_core", "flows") for path in (ROOT / package).rglob("*") if path.is_file()]
    ours = [path.relative_to(ROOT) for path in files if path.parent.name != "__pycache__"]
    assert ours
    return [str(p) for p in ours if not (site / p).is_file() or (site / p).read_bytes() != (ROOT / p).read_bytes()]
