"""Crystals of one's own: a folder, or a prefix in an object store (docs/physics.md §3)."""

from __future__ import annotations

import pytest

from difsims_core.config.documents import make_spec
from difsims_core.errors import CrystalError
from difsims_core.resources import crystal_folder
from difsims_core.simulation.simulator import Simulator, simulate
from difsims_core.storage.objects import open_store, write_url

pytestmark = pytest.mark.service


def test_a_new_phase_is_a_file(store_url):
    """The bytes are those of the same crystal under its shipped name."""
    folder = f"{open_store(store_url).root}/my crystals"
    write_url(f"{folder}/film.cif", (crystal_folder() / "pb.cif").read_bytes())
    own = simulate(make_spec({"n_patterns": 40, "phases": ["film"], "crystal_folder": folder}))
    shipped = simulate(make_spec({"n_patterns": 40, "phases": ["pb"]}))
    assert own.x_px.tobytes() == shipped.x_px.tobytes()


def test_a_missing_phase_and_an_empty_folder_are_named(store_url):
    folder = f"{open_store(store_url).root}/other"
    with pytest.raises(CrystalError, match=folder.removeprefix("file://")):
        Simulator.prepare(make_spec({"phases": ["film"], "crystal_folder": folder}))
    write_url(f"{folder}/film.cif", (crystal_folder() / "pb.cif").read_bytes())
    with pytest.raises(CrystalError, match="'film'"):
        Simulator.prepare(make_spec({"phases": ["fim"], "crystal_folder": folder}))
