"""A folder that packages are imported from, for one test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from difsims_core.families import ENGINES, IMPERFECTIONS, METRICS, NETWORKS
from tests.plugins.packages import install

EXAMPLE = Path(__file__).with_name("example.py").read_text(encoding="utf-8")
GROUPS = {
    "difsims.imperfections": {name: f"difsims_example:{name.title()}" for name in ("drift", "fade", "blur", "gain")},
    "difsims.networks": {"flat": "difsims_example:flat_network"},
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder for packages; what a test has made of them is forgotten."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    for family in (ENGINES, IMPERFECTIONS, METRICS, NETWORKS):
        monkeypatch.setattr(family, "loaded", dict(family.loaded))
    yield folder
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def example(site: Path) -> Path:
    """Return the folder with the example of a package in it."""
    return install(site, "difsims_example", EXAMPLE, GROUPS)
