"""The oracles themselves: published numbers, conservation, and one route against another."""

import numpy as np
import pytest
from diffsims.crystallography._diffracting_vector import DiffractingVector
from diffsims.utils.sim_utils import get_kinematical_intensities
from orix.quaternion import Rotation

from tests.oracles import annulus_route, diffsims_route, ewald, image_route, noise_route
from tests.oracles.compare import cosine
from tests.oracles.crystals import PUBLISHED, published_phase
from tests.oracles.ewald import Spots
from tests.oracles.orientations import uniform_orientations
from tests.oracles.structure_factor import fractional_positions, reflections

Q_MAX = 1.6
CROP = slice(13, 160)

# Multiplicities of the International Tables times occupancies.
CELL_CONTENT = {
    "pb": {"Pb": 4},
    "pbi2_2h": {"Pb": 1, "I": 2},
    "pbi2_4h": {"Pb": 2, "I": 4},
    "pbi2_6h": {"Pb": 4, "I": 8},
    "pbbr2": {"Pb": 4, "Br": 4 * 1.991},
    "p4mbm_scaled_mixed_halide": {"Pb": 2, "I": 6, "C": 2},
    "pnma_TD_adjust_orthorhombic": {"Pb": 4, "I": 12, "C": 4, "N": 4},
    "gratia_2h": {"Pb": 2, "I": 6, "C": 2, "N": 12 * 0.3332},
    "gratia_4h": {"Pb": 4, "I": 12 - 6 * (0.277 + 0.068), "Br": 6 * (0.277 + 0.068), "C": 4, "N": 8},
}


@pytest.mark.parametrize("name", CELL_CONTENT)
def test_published_cells_hold_the_right_atoms(name):
    content = {}
    for atom in published_phase(name).structure:
        content[atom.element] = content.get(atom.element, 0) + atom.occupancy
    assert content == pytest.approx(CELL_CONTENT[name])


@pytest.mark.parametrize("name", PUBLISHED)
def test_structure_factors_agree_with_diffsims(name):
    phase = published_phase(name)
    ours = reflections(phase, 1.0, debye_waller_b={"Pb": 1.5, "I": 2.5})
    vectors = DiffractingVector(phase, hkl=ours.hkl)
    theirs = get_kinematical_intensities(
        phase.structure, ours.hkl, vectors.gspacing, debye_waller_factors={"Pb": 1.5, "I": 2.5}
    )
    np.testing.assert_allclose(vectors.data, ours.g, atol=1e-12)
    np.testing.assert_allclose(ours.intensity, theirs, rtol=1e-9, atol=1e-9 * theirs.max())


@pytest.mark.parametrize("name", ["pb", "pbi2_2h", "gratia_4h"])
def test_diffsims_lists_all_reflections_up_to_a_part_of_the_radius(name):
    """Its search box is too small for γ = 120°: complete to cos(30°) of the radius, not beyond."""
    phase = published_phase(name)
    ours = {tuple(row) for row in reflections(phase, 0.866 * 1.1).hkl}
    theirs = {tuple(row) for row in np.rint(DiffractingVector.from_min_dspacing(phase, 1 / 1.1).hkl).astype(int)}
    assert ours <= theirs
    assert theirs <= {tuple(row) for row in reflections(phase, 1.1 + 1e-9).hkl}


@pytest.mark.parametrize("name", ["pb", "pbi2_2h", "gratia_2h", "p4mbm_scaled_mixed_halide"])
def test_structure_factors_have_the_symmetry_of_the_point_group(name):
    """A point-group operation of orix maps |F|² onto itself: frame, atoms and symmetry belong together."""
    phase = published_phase(name)
    all_of_them = reflections(phase, 0.8)
    intensity = {tuple(row): value for row, value in zip(all_of_them.hkl, all_of_them.intensity, strict=True)}
    for operation in phase.point_group:
        turned = all_of_them.g @ operation.to_matrix()[0].T
        if operation.improper:
            turned = -turned
        hkl = np.rint(turned @ phase.structure.lattice.base.T).astype(int)
        image = np.array([intensity[tuple(row)] for row in hkl])
        np.testing.assert_allclose(image, all_of_them.intensity, atol=2e-3 * image.max())


def test_fractional_positions_of_a_hexagonal_phase_are_the_published_ones():
    iodine = fractional_positions(published_phase("pbi2_2h"))[1:]
    np.testing.assert_allclose(iodine, [[1 / 3, 2 / 3, 0.265], [2 / 3, 1 / 3, 0.735]], atol=1e-5)


def test_pixel_counts_near_the_beam_are_countable_by_hand():
    """Bin 0 ends at 0.70 px, bin 1 at 2.11 px: the centre; then distances 1, √2 and 2."""
    counts = image_route.pixel_counts(515)
    assert list(counts[:2]) == [1, 12]
    assert counts.sum() == np.count_nonzero(image_route.annulus_index(515, 0.00588, 1) < 256)


@pytest.mark.parametrize("supersample", [1, 5])
def test_image_conserves_volume(supersample):
    spots = Spots(np.array([0.1, -0.53, 0.9]), np.array([0.02, 0.41, -0.7]), np.array([3.0, 2.0, 1.0]))
    image = image_route.render(spots, sigma_px=1.5, supersample=supersample)
    assert image.sum() / supersample**2 == pytest.approx(6.0, rel=1e-6)


@pytest.mark.parametrize("sigma_px", [1.5, 3.0, 5.0])
@pytest.mark.parametrize("g", [0.15, 0.5, 1.2])
def test_azimuthal_mean_is_the_density_of_the_exact_route(sigma_px, g):
    """docs/physics.md §5's p(r), averaged over the area of each annulus, is the Rice law's answer."""
    exact = annulus_route.profile(Spots(np.array([g]), np.array([0.0]), np.ones(1)), sigma_px=sigma_px)
    edges = image_route.annulus_edges_px()
    fine = np.linspace(edges[:-1], edges[1:], 41, axis=1)
    density = 2 * np.pi * fine * annulus_route.azimuthal_mean(fine, g / 0.00588, sigma_px)
    mean = np.trapezoid(density, fine, axis=1) / image_route.annulus_areas_px()
    np.testing.assert_allclose(mean, exact, atol=2e-4 * exact.max())


@pytest.mark.parametrize("sigma_px", [1.5, 3.0, 5.0])
def test_image_route_agrees_with_the_exact_route(sigma_px):
    found = reflections(published_phase("gratia_2h"), Q_MAX)
    counts = image_route.pixel_counts(515)[CROP]
    for rotation in uniform_orientations(3, seed=11):
        spots = ewald.spots(found, rotation)
        image = image_route.render(spots, sigma_px=sigma_px)
        long_way = image_route.radial_mean(image, supersample=image_route.SUPERSAMPLE)[CROP]
        exact = annulus_route.profile(spots, sigma_px=sigma_px)[CROP]
        np.testing.assert_allclose(long_way, exact, atol=0.03 * exact.max())
        assert long_way @ counts == pytest.approx(exact @ counts, rel=1e-3)
        assert cosine(long_way, exact) > 0.9997


def test_image_route_converges_to_the_exact_route_with_super_sampling():
    rng = np.random.default_rng(2)
    spots = Spots(*rng.uniform(-0.25, 0.25, (2, 30)), np.ones(30))
    inside = image_route.full_annuli(129)
    exact = annulus_route.profile(spots, sigma_px=1.5)[inside]
    errors = []
    for k in (1, 4, 16):
        image = image_route.render(spots, sigma_px=1.5, size=129, supersample=k)
        errors.append(np.abs(image_route.radial_mean(image, supersample=k)[inside] - exact).mean())
    assert errors[0] > 4 * errors[1] > 16 * errors[2]


def test_whole_pixels_alias_and_split_pixels_do_not():
    """One spot on an axis: annuli 1.41 px wide hold one pixel column or two there."""
    spots = Spots(np.array([0.6]), np.array([0.0]), np.ones(1))
    exact = annulus_route.profile(spots, sigma_px=2.0)
    image = image_route.render(spots, sigma_px=2.0, supersample=1)
    whole = image_route.radial_mean(image)
    split = image_route.radial_mean(image_route.split_pixels(image), supersample=image_route.SUPERSAMPLE)
    assert cosine(whole, exact) < 0.97
    assert cosine(split, exact) > 0.998


@pytest.mark.parametrize("name", ["pb", "pbi2_2h", "p4mbm_scaled_mixed_halide"])
@pytest.mark.parametrize("shape_factor", ["lorentzian", "linear", "sinc", "sin2c", "atanc"])
def test_spots_agree_with_diffsims(name, shape_factor):
    phase = published_phase(name)
    rotation = uniform_orientations(1, seed=5)
    ours = ewald.spots(reflections(phase, Q_MAX), rotation, relrod_width=0.015, shape_factor=shape_factor)
    theirs = diffsims_route.spots(
        diffsims_route.simulate(phase, rotation, relrod_width=0.015, shape_factor=shape_factor)
    )
    assert_same_spots(ours, theirs)


@pytest.mark.parametrize("angle_deg", [0.3, 1.0])
def test_precessed_spots_agree_with_diffsims(angle_deg):
    phase = published_phase("pbi2_2h")
    rotation = uniform_orientations(1, seed=6)
    ours = ewald.spots(reflections(phase, Q_MAX), rotation, precession_angle_deg=angle_deg)
    theirs = diffsims_route.spots(diffsims_route.simulate(phase, rotation, precession_angle_deg=angle_deg))
    assert_same_spots(ours, theirs)


@pytest.mark.slow  # diffsims compiles its renderer
def test_diffsims_draws_the_same_image():
    """With sub-pixel coordinates, no clipping and no normalisation, it is our native image (docs/physics.md §9.3)."""
    phase = published_phase("pb")
    simulation = diffsims_route.simulate(phase, uniform_orientations(1, seed=7))
    spots = diffsims_route.spots(simulation)
    theirs = simulation.get_diffraction_pattern(
        shape=(515, 515),
        sigma=3.0,
        direct_beam_position=(257, 257),
        calibration=0.00588,
        fast=False,
        normalize=False,
        clip_threshold=1e-9 * spots.intensity.min(),
    )
    inside = np.maximum(np.abs(spots.gx), np.abs(spots.gy)) < 257 * 0.00588
    kept = Spots(spots.gx[inside], spots.gy[inside], spots.intensity[inside])
    ours = image_route.render(kept, sigma_px=3.0, supersample=1)
    np.testing.assert_allclose(theirs, ours, atol=1e-6 * ours.max())


def test_first_bunge_angle_turns_the_pattern_about_the_beam():
    found = reflections(published_phase("gratia_2h"), 0.9)
    still = ewald.spots(found, Rotation.from_euler([[10, 35, 50]], degrees=True))
    turned = ewald.spots(found, Rotation.from_euler([[47, 35, 50]], degrees=True))
    angle = np.deg2rad(37)
    np.testing.assert_allclose(
        np.abs((turned.gx + 1j * turned.gy) / (still.gx + 1j * still.gy) - np.exp(1j * angle)), 0, atol=1e-9
    )
    np.testing.assert_allclose(turned.intensity, still.intensity)


@pytest.mark.parametrize(("snr", "intensity_spike"), [(1.0, 0.5), (0.9, 0.5), (0.98, 2.0)])
def test_pixel_noise_follows_theory(snr, intensity_spike):
    size, sigma_px, n = 129, 2.0, 1500
    spots = Spots(np.array([0.1, -0.2]), np.array([0.05, 0.2]), np.array([1.0, 0.6]))
    image = image_route.render(spots, sigma_px=sigma_px, size=size, supersample=1)
    noise = {
        "unit": noise_route.intensity_unit(spots, sigma_px),
        "dose": 20.0,
        "snr": snr,
        "intensity_spike": intensity_spike,
    }
    drawn = noise_route.noisy_profiles(image, n, rng=np.random.default_rng(3), **noise)
    counts = image_route.pixel_counts(size)
    clean = image_route.radial_mean(image)
    spread = noise_route.spread_within_annuli(image, noise["unit"])
    inside = (counts > 0) & (clean > 0.01 * clean.max())
    mean, variance = noise_route.theory(clean[inside], counts[inside], spread_within_annulus=spread[inside], **noise)
    standard_error = np.sqrt(variance / n)
    assert np.abs((drawn[:, inside].mean(axis=0) - mean) / standard_error).max() < 4.5
    ratio = drawn[:, inside].var(axis=0) / variance
    assert ratio.mean() == pytest.approx(1, abs=0.03)
    np.testing.assert_allclose(ratio, 1, atol=0.25)


def assert_same_spots(ours: Spots, theirs: Spots) -> None:
    """Compare spot lists in any order, within 1.5 Å⁻¹, where both are complete; spots of no weight may be missing."""
    mine, other = _sorted_table(ours), _sorted_table(theirs)
    assert len(mine) == len(other)
    np.testing.assert_allclose(mine[:, :2], other[:, :2], atol=1e-9)
    np.testing.assert_allclose(mine[:, 2], other[:, 2], rtol=1e-6, atol=1e-6 * mine[:, 2].max())


def _sorted_table(spots: Spots) -> np.ndarray:
    table = np.column_stack([spots.gx, spots.gy, spots.intensity])
    within = np.hypot(spots.gx, spots.gy) < 1.5
    table = table[within & (spots.intensity > 1e-9 * spots.intensity.max())]
    return table[np.lexsort(np.round(table[:, :2], 8).T)]
