"""Files of orientations: the unit of their angles, stated, plain or asked about."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from orix.quaternion import Rotation

from difsims_core.config.documents import make_spec
from difsims_core.crystal.orientations import orientation_grid, read_orientations, write_orientations
from difsims_core.crystal.phases import as_crystal
from difsims_core.errors import InputError, SpecError
from difsims_core.resources import samples_folder

MANY = Rotation(np.random.default_rng(3).normal(size=(200, 4))).unit
ANGLES = {"rad": MANY.to_euler(), "deg": MANY.to_euler(degrees=True)}


def saved(folder, array) -> str:
    np.save(folder / "list.npy", array)
    return str(folder / "list.npy")


def assert_same_rotations(found: np.ndarray, expected: Rotation) -> None:
    np.testing.assert_allclose(np.abs((found * expected.data).sum(axis=1)), 1, atol=1e-12)


@pytest.mark.parametrize(("unit", "stated"), [("rad", "rad"), ("deg", "deg"), ("deg", None)])
def test_angles_are_read_in_their_unit(tmp_path, unit, stated):
    assert_same_rotations(read_orientations(saved(tmp_path, ANGLES[unit]), stated)[0], MANY)


def test_many_angles_that_may_be_radians_are_asked_about(tmp_path):
    for angles in (ANGLES["rad"], ANGLES["rad"][:20], ANGLES["rad"] - np.pi):
        with pytest.raises(InputError, match=r"list\.npy: .*orientations\.unit: rad"):
            read_orientations(saved(tmp_path, angles))


def test_few_are_warned_of_and_read_as_degrees(tmp_path, caplog):
    angles = np.array([[0, 0, 0], [0.17453293, 0.6981317, 1.22173048], [1.74532925, 1.57079633, 4.36332313]])
    with caplog.at_level(logging.WARNING):
        found, _ = read_orientations(saved(tmp_path, angles))
    assert "list.npy" in caplog.text
    assert "orientations.unit" in caplog.text
    assert_same_rotations(found, Rotation.from_euler(angles, degrees=True))
    stated, _ = read_orientations(saved(tmp_path, angles), "rad")
    assert_same_rotations(stated, Rotation.from_euler([[0, 0, 0], [10, 40, 70], [100, 90, 250]], degrees=True))


def test_small_angles_in_degrees_can_be_stated(tmp_path, caplog):
    tilts = np.column_stack([np.zeros(30), np.linspace(0, 5, 30), np.zeros(30)])
    assert_same_rotations(read_orientations(saved(tmp_path, tilts), "deg")[0], Rotation.from_euler(tilts, degrees=True))
    read_orientations(saved(tmp_path, np.zeros((30, 3))))
    assert caplog.text == "", "zero is zero in both"


def test_degrees_that_are_called_radians_are_asked_about(tmp_path):
    with pytest.raises(InputError, match=r"list\.npy: .*orientations\.unit: deg"):
        read_orientations(saved(tmp_path, ANGLES["deg"]), "rad")


def test_quaternions_have_no_unit(tmp_path):
    assert_same_rotations(read_orientations(saved(tmp_path, MANY.data))[0], MANY)
    with pytest.raises(InputError, match=r"list\.npy: .*orientations\.unit"):
        read_orientations(saved(tmp_path, MANY.data), "deg")


def test_the_unit_is_a_key_of_the_document():
    listed = {"kind": "list", "file": "a.npy"}
    assert make_spec({"orientations": listed}).orientations.unit is None
    assert make_spec({"orientations": {**listed, "unit": "rad"}}).orientations.unit == "rad"
    with pytest.raises(SpecError, match=r"orientations\.unit"):
        make_spec({"orientations": {**listed, "unit": "radians"}})
    with pytest.raises(SpecError, match="orientations: unit"):
        make_spec({"orientations": {"kind": "grid", "unit": "rad"}})


def test_a_written_list_is_read_back_and_covers_the_zone(tmp_path):
    structure = as_crystal("pbi2_2h").structure
    url = str(tmp_path / "orientations_pbi2_2h.npy")
    rows = write_orientations(structure, url, "cubochoric", 12)
    read, _ = read_orientations(url)
    assert len(read) == rows
    np.testing.assert_allclose(read, orientation_grid(structure, "cubochoric", 12), atol=1e-15)
    with pytest.raises(InputError, match=r"^\S+orientations_pbi2_2h\.npy: .*--force"):
        write_orientations(structure, url, "cubochoric", 12)
    assert write_orientations(structure, url, "cubochoric", 20, overwrite=True) < rows
    with pytest.raises(InputError, match=r"\.npy"):
        write_orientations(structure, str(tmp_path / "list.txt"), "cubochoric", 20)


@pytest.mark.parametrize("name", ["p4mbm_scaled_mixed_halide", "gratia_2h", "pbi2_2h"])
def test_the_shipped_lists_are_grids_of_ten_degrees(name):
    read, _ = read_orientations(str(samples_folder() / f"orientations_{name}.npy"))
    expected = orientation_grid(as_crystal(name).structure, "cubochoric", 10)
    np.testing.assert_allclose(read, expected, atol=1e-12)
