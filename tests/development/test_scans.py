"""Development scans: what they are made of, that they are what they say, and that preprocessing reads them."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from diffpy.structure import loadStructure
from orix.quaternion import Rotation
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation as Rotation3

from difsims_core import PreprocessingSpec, excited_spots, open_experiment
from difsims_core.crystal.catalogue import find_crystal
from difsims_core.experiment.write.write_scan import write_scan as preprocess
from difsims_core.storage.npz.contracts import read_truth
from difsims_core.storage.objects import open_store
from tests.development.agreement import Agreement
from tests.development.frames import Q_STEP, Optics, Q, share_of_rings, sums_as_density
from tests.development.mosaic import Mosaic
from tests.development.scans import PHASES, RECIPES, WAVELENGTH_ANGSTROM, film_quaternion, small, write_scan
from tests.development.spots import append, orientation_matrix, read_spots, write_spots

HERE = Path(__file__).parent
KEYS_OF_FILMS = {
    "label", "second", "fraction", "phases", "shifts_yx_px", "distortion_yx", "calibration_per_angstrom", "boundary",
    "frame", "dose", "quaternion_xyzw", "lattice_scale",
}  # fmt: skip


@pytest.fixture(scope="module")
def stored():
    return {name: read_spots(HERE / f"{name}_spots.npz") for name in ("multislice", "bloch")}


@pytest.fixture(scope="module")
def scan(tmp_path_factory, stored):
    """Eight by eight positions of the first scan."""
    folder = tmp_path_factory.mktemp("scan")
    (folder / "truth").mkdir()
    write_scan(folder, small(RECIPES[0]), stored["multislice"])
    return folder


def counts_of(folder, name):
    with h5py.File(folder / f"{name}.hspy") as file:
        return file[f"Experiments/{name}/data"][...]


def test_no_two_scans_share_a_grain_and_all_grains_are_stored(stored):
    used = [(recipe.spots, grain) for recipe in RECIPES for grain in range(recipe.first, recipe.first + recipe.grains)]
    assert len(set(used)) == len(used) >= 1000
    assert all(grain < len(stored[spots].phase) for spots, grain in used)


@pytest.mark.parametrize("name", ["multislice", "bloch"])
def test_the_files_say_how_they_were_made(stored, name):
    header = json.loads(str(stored[name].header))
    assert header["made_by"] == f"tests/development/{name}.py"
    assert tuple(header["phases"]) == PHASES
    share = stored[name].direct + np.add.reduceat(stored[name].intensity, stored[name].start[:-1], dtype=float) * 1e-4
    assert share.max() < 1.01


@pytest.mark.parametrize("number", range(6))
def test_spots_of_multislice_lie_where_the_engine_has_them_and_are_as_bright(stored, number):
    """Thin crystals; one set of moved atoms and none of the engine's absorption differ by noise."""
    grain = stored["multislice"].grain(number)
    found = Agreement.of(grain, 0, PHASES[grain.phase], smeared=False)
    assert found.farthest < 1e-3
    assert found.correlation > 0.98


@pytest.mark.parametrize("number", [0, 1, 2])
def test_spots_of_bloch_waves_are_those_of_their_orientation(stored, number):
    grain = stored["bloch"].grain(number)
    found = excited_spots(
        PHASES[grain.phase],
        Rotation(grain.quaternion[None]),
        max_excitation_error=0.05,
        calibration=0.01176,
        detector_size=256,
        thickness_angstrom=float(grain.thickness[0]),
        lattice_scale=grain.scale,
        intensities={"model": "bloch", "beams": "fine"},
    )
    assert cKDTree(found.g).query(grain.g)[0].max() < 1e-4


def test_stored_spots_are_read_as_they_were(tmp_path, stored):
    grain = stored["bloch"].grain(5)
    write_spots(tmp_path / "spots.npz", append(append(None, grain, "{}"), grain, "{}"))
    again = read_spots(tmp_path / "spots.npz").grain(1)
    np.testing.assert_array_equal(again.g, grain.g)
    np.testing.assert_array_equal(again.intensity, grain.intensity)


def test_an_orientation_matrix_is_that_of_orix():
    quaternions = np.random.default_rng(3).normal(size=(5, 4))
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    for quaternion in quaternions:
        expected = Rotation(quaternion).to_matrix()[0]
        np.testing.assert_allclose(orientation_matrix(quaternion), expected, atol=1e-12)


@pytest.mark.parametrize("number", range(3))
def test_orientations_of_truth_are_in_the_frame_of_the_films(stored, number):
    """R turns crystal vectors of diffpy's frame; rows of a frame run along x, the wave along +z: 2g_z/λ + g² = 0."""
    grain = stored["multislice"].grain(number)
    reciprocal = np.asarray(loadStructure(find_crystal(PHASES[grain.phase])).lattice.reciprocal().base)
    hkl = np.stack(np.meshgrid(*[np.arange(-14, 15)] * 3), axis=-1).reshape(-1, 3)
    g = hkl @ reciprocal / grain.scale @ Rotation3.from_quat(film_quaternion(grain)).as_matrix().T
    on_sphere = np.abs(g[:, 2] + WAVELENGTH_ANGSTROM * (g**2).sum(axis=1) / 2) < 0.05
    rows_and_columns = grain.g[:, ::-1]
    assert cKDTree(g[on_sphere, :2]).query(rows_and_columns)[0].max() < 1e-3


def test_truth_has_the_keys_of_the_films(scan):
    recipe = small(RECIPES[0])
    truth = read_truth(scan / "truth" / f"{recipe.name}_truth.npz")
    assert truth.label.shape == (8, 8)
    assert truth.phases == PHASES
    with np.load(scan / "truth" / f"{recipe.name}_truth.npz", allow_pickle=False) as arrays:
        assert set(arrays.files) == KEYS_OF_FILMS
        np.testing.assert_array_equal(arrays["frame"] < 0, arrays["label"] < 0)
        np.testing.assert_array_equal(arrays["boundary"], arrays["fraction"] < 1)
        np.testing.assert_allclose(np.linalg.norm(arrays["quaternion_xyzw"][arrays["label"] >= 0], axis=-1), 1, 1e-6)


def test_the_same_command_writes_the_same_counts(scan, stored, tmp_path):
    (tmp_path / "truth").mkdir()
    recipe = small(RECIPES[0])
    write_scan(tmp_path, recipe, stored["multislice"])
    first, second = (
        h5py.File(folder / f"{recipe.name}.hspy")[f"Experiments/{recipe.name}/data"] for folder in (scan, tmp_path)
    )
    np.testing.assert_array_equal(first[:], second[:])


def test_a_pattern_holds_its_electrons(scan):
    recipe = small(RECIPES[0])
    counts = counts_of(scan, recipe.name)
    good = np.load(scan / f"{recipe.name}_mask.npy")
    assert (~good).sum() > 2 * 256
    assert (counts[:, :, ~good] % 4095 == 0).all()
    np.testing.assert_allclose((counts * good).sum(axis=(2, 3)).mean(), recipe.electrons, rtol=0.03)


def test_a_scan_is_preprocessed(scan, tmp_path):
    recipe, store = small(RECIPES[0]), open_store(str(tmp_path))
    written = preprocess(store, scan / f"{recipe.name}.hspy", PreprocessingSpec(phases=PHASES))
    experiment = open_experiment(written.name, store)
    with np.load(scan / "truth" / f"{recipe.name}_truth.npz", allow_pickle=False) as truth:
        off = experiment["centre"][...] - (truth["shifts_yx_px"] + 127.5)
        (yy, yx), (_, xx) = truth["distortion_yx"]
    assert np.median(np.hypot(*np.moveaxis(off, -1, 0))) < 0.1
    np.testing.assert_allclose(experiment.attrs["ellipse"], [(yy - xx) / 2, yx], atol=3e-3)
    assert experiment.attrs["beam_energy_kv"] == 200


def test_a_mosaic_blends_across_a_pixel():
    mosaic = Mosaic.of(30, 40, np.random.default_rng(1))
    assert 0.5 <= mosaic.fraction.min() < 0.6
    assert 0.3 < (mosaic.fraction == 1).mean() < 0.9
    assert (mosaic.larger != mosaic.smaller).all()


def test_smooth_parts_and_discs_hold_what_they_are_given():
    optics = Optics(256, 0.0118, np.array([[1.01, 0.003], [0.003, 0.99]]), 2.0, 0.6)
    curve = share_of_rings(lambda q: np.exp(-6 * q))
    image = optics.frame(np.array([1.3, -0.7]), np.array([[0.3, 0.5]]), np.array([40.0]), 1000 * curve)
    assert image.sum() == pytest.approx(1040, rel=0.01)
    without = optics.frame(np.array([1.3, -0.7]), np.zeros((0, 2)), np.zeros(0), 1000 * curve)
    disc = image - without
    assert disc.sum() == pytest.approx(40, rel=1e-3)
    y, x = (np.indices(image.shape) * disc).sum(axis=(1, 2)) / disc.sum()
    expected = np.array([128.8, 126.8]) + optics.distortion @ [0.5, 0.3] / 0.0118
    np.testing.assert_allclose([y, x], expected, atol=0.02)


def test_sums_over_rings_become_a_density():
    edges = np.linspace(0, 1.5, 61)
    density = sums_as_density(np.diff(edges**2), edges)
    assert (2 * np.pi * Q * density).sum() * Q_STEP == pytest.approx(1.5**2, rel=0.02)
