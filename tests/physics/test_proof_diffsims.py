"""Our spots against diffsims 0.7, reflection by reflection, to 1e-5 (docs/physics.md §3, §4, §9)."""

from dataclasses import dataclass

import numpy as np
import pytest
from diffsims.crystallography._diffracting_vector import DiffractingVector
from diffsims.generators.simulation_generator import SimulationGenerator
from diffsims.utils import shape_factor_models
from diffsims.utils.sim_utils import get_kinematical_intensities
from orix.crystal_map import Phase
from orix.quaternion import Rotation

from difsims_core import patterns
from difsims_core.crystal.phases import load_phase
from difsims_core.crystal.reflections import reflection_list
from difsims_core.diffraction.noise_free import excited_spots
from tests.oracles import diffsims_route
from tests.oracles.crystals import PUBLISHED
from tests.oracles.orientations import uniform_orientations

RTOL = 1e-5
COMPARED = 1.4  # Å⁻¹, inside the detector and where diffsims, asked for more, lists every reflection
ASKED = 1.85
SHAPES = ("lorentzian", "linear", "sinc", "sin2c", "atanc", "binary")
B = {"Pb": 1.2, "I": 2.3, "C": 4.0, "N": 3.1, "Br": 2.0, "H": 5.0}


@dataclass(frozen=True)
class Found:
    """Spots of one pattern by falling hkl: (m, 3), in-plane vectors (m, 2), excitation errors and intensities (m,)."""

    hkl: np.ndarray
    g: np.ndarray
    s: np.ndarray
    intensity: np.ndarray


def sorted_spots(hkl, g, s, intensity) -> Found:
    """Keep spots within the radius that is compared and with intensity, by hkl."""
    keep = (np.linalg.norm(g, axis=1) < COMPARED) & (intensity > 1e-9 * intensity.max())
    hkl, g, s, intensity = (np.asarray(values)[keep] for values in (hkl, g, s, intensity))
    order = np.lexsort(hkl.T)
    return Found(hkl[order], g[order], s[order], intensity[order])


def ours(phase: Phase, rotations: Rotation, **keywords) -> list[Found]:
    spots = excited_spots(phase, rotations, **keywords)
    assert spots.start[0] == 0
    assert spots.start[-1] == len(spots.hkl) == len(spots.g) == len(spots.intensity) == len(spots.excitation_error)
    parts = [slice(*bounds) for bounds in zip(spots.start[:-1], spots.start[1:], strict=True)]
    assert len(parts) == rotations.size
    return [sorted_spots(spots.hkl[p], spots.g[p], spots.excitation_error[p], spots.intensity[p]) for p in parts]


def diffsims(
    phase: Phase,
    rotation: Rotation,
    *,
    beam_energy_kv: float = 200,
    max_excitation_error: float = 0.02,
    relrod_width: float = 0.02,
    shape_factor: str = "lorentzian",
    precession_angle_deg: float = 0.0,
    scattering_factors: str = "lobato",
) -> Found:
    """Return diffsims' reflections with its own excitation errors, shape factors and structure factors."""

    def generator(shape) -> SimulationGenerator:
        return SimulationGenerator(
            accelerating_voltage=beam_energy_kv,
            scattering_params=scattering_factors,
            shape_factor_model=shape,
            precession_angle=precession_angle_deg,
        )

    def intersecting(shape, angle: float) -> tuple:
        made = generator(shape)
        made.precession_angle = angle
        return made.get_intersecting_reflections(
            listed, rotation, made.wavelength, cut_off, shape_factor_width=relrod_width, with_direct_beam=False
        )

    listed = DiffractingVector.from_min_dspacing(phase, min_dspacing=1 / ASKED, include_zero_vector=False)
    cut_off = max_excitation_error
    model = getattr(shape_factor_models, shape_factor)  # diffsims has a binary model, but no name for it
    vectors, hkl, shape = intersecting(model, precession_angle_deg)
    cut_off = 10.0  # every reflection, with the excitation error in place of a shape factor
    _, every_hkl, every_s = intersecting(lambda s, _: s, 0.0)
    errors = dict(zip(map(tuple, np.rint(every_hkl).astype(int)), every_s, strict=True))
    intensity = get_kinematical_intensities(
        phase.structure, hkl, vectors.gspacing, prefactor=shape, scattering_params=scattering_factors
    )
    hkl = np.rint(hkl).astype(int)
    s = np.array([errors[tuple(row)] for row in hkl])
    return sorted_spots(hkl, vectors.data[:, :2], s, intensity)


def assert_same(found: Found, theirs: Found, factor: float = 1.0) -> None:
    """Compare every reflection: the same ones, at the same places, with ``factor`` times diffsims' intensity."""
    assert len(theirs.hkl) > 0
    np.testing.assert_array_equal(found.hkl, theirs.hkl)
    np.testing.assert_allclose(found.g, theirs.g, rtol=RTOL, atol=1e-9)
    np.testing.assert_allclose(found.s, theirs.s, rtol=RTOL, atol=1e-9)
    np.testing.assert_allclose(
        found.intensity, factor * theirs.intensity, rtol=RTOL, atol=1e-9 * factor * theirs.intensity.max()
    )


@pytest.mark.parametrize("factors", ["lobato", "xtables"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_structure_factors_of_every_phase(name, factors):
    """With and without thermal motion; |F|² below 1e-9 of the strongest is the rounding of an extinction."""
    phase = load_phase(name)
    for damping in (None, B):
        listed = reflection_list(phase, 0.7, scattering_factors=factors, debye_waller=damping or "none")
        length = DiffractingVector(phase, hkl=listed.hkl).gspacing
        theirs = get_kinematical_intensities(
            phase.structure, listed.hkl, length, scattering_params=factors, debye_waller_factors=damping or {}
        )
        np.testing.assert_allclose(np.linalg.norm(listed.g, axis=1), length, rtol=1e-9)
        np.testing.assert_allclose(listed.intensity, theirs, rtol=RTOL, atol=1e-9 * theirs.max())


@pytest.mark.parametrize("name", PUBLISHED)
def test_spots_of_every_phase(name):
    phase, rotations = load_phase(name), uniform_orientations(2, seed=61)
    for rotation, found in zip(rotations, ours(phase, rotations), strict=True):
        assert_same(found, diffsims(phase, rotation))


@pytest.mark.parametrize("relrod_width", [0.01, 0.03])
@pytest.mark.parametrize("shape_factor", SHAPES)
@pytest.mark.parametrize("name", ["pbi2_2h", "p4mbm_scaled_mixed_halide"])
def test_every_shape_factor(name, shape_factor, relrod_width):
    phase, rotations = load_phase(name), uniform_orientations(2, seed=62)
    keywords = {"shape_factor": shape_factor, "relrod_width": relrod_width}
    for rotation, found in zip(rotations, ours(phase, rotations, **keywords), strict=True):
        assert_same(found, diffsims(phase, rotation, **keywords))


@pytest.mark.parametrize("scattering_factors", ["lobato", "xtables"])
@pytest.mark.parametrize(("kv", "cut_off"), [(80, 0.01), (200, 0.05), (300, 0.02)])
def test_energy_cut_off_and_scattering_factors(kv, cut_off, scattering_factors):
    phase, rotations = load_phase("gratia_2h"), uniform_orientations(1, seed=63)
    keywords = {
        "beam_energy_kv": kv,
        "max_excitation_error": cut_off,
        "scattering_factors": scattering_factors,
    }
    for rotation, found in zip(rotations, ours(phase, rotations, **keywords), strict=True):
        assert_same(found, diffsims(phase, rotation, **keywords))


@pytest.mark.parametrize("relrod_width", [0.01, 0.02])
@pytest.mark.parametrize("angle_deg", [0.2, 0.5, 1.0, 2.0])
def test_precession(angle_deg, relrod_width):
    """diffsims' precessed Lorentzian is 2 / w times the average over the cone; ours is the average."""
    phase, rotations = load_phase("pbi2_2h"), uniform_orientations(2, seed=64)
    keywords = {"precession_angle_deg": angle_deg, "relrod_width": relrod_width}
    for rotation, found in zip(rotations, ours(phase, rotations, **keywords), strict=True):
        assert_same(found, diffsims(phase, rotation, **keywords), factor=relrod_width / 2)


def test_on_the_sphere_a_sinc_is_one_here_and_zero_in_diffsims():
    """sin(x)/x at x = 0: diffsims fills the division by zero with 0 in sinc and sin2c, and with 1 in atanc."""
    nothing = np.zeros(1)
    assert shape_factor_models.sinc(nothing, 0.02)[0] == shape_factor_models.sin2c(nothing, 0.02)[0] == 0
    assert shape_factor_models.sinc(nothing + 1e-12, 0.02)[0] == pytest.approx(1)
    phase = load_phase("pb")
    bragg = np.arcsin(0.5 * 2 / 4.95 * 0.0250793)
    rotation = Rotation.from_axes_angles([0, 1, 0], [bragg, -bragg])
    listed = reflection_list(phase, 0.5)
    f_squared = dict(zip(map(tuple, listed.hkl.tolist()), listed.intensity, strict=True))
    for shape_factor in ("sinc", "sin2c"):
        for found in ours(phase, rotation, shape_factor=shape_factor):
            nearest = np.argmin(np.abs(found.s))
            assert abs(found.s[nearest]) < 1e-7
            assert found.intensity[nearest] == pytest.approx(f_squared[tuple(found.hkl[nearest])], rel=1e-5)


@pytest.mark.slow  # diffsims compiles its renderer
@pytest.mark.parametrize("name", ["pb", "gratia_2h"])
def test_images(name):
    """With sub-pixel coordinates, no clipping and no normalisation, diffsims' image is ours (docs/physics.md §9.3)."""
    phase, rotation = load_phase(name), uniform_orientations(1, seed=65)
    simulation = diffsims_route.simulate(phase, rotation, q_max_per_angstrom=2.6)
    image = patterns(phase, rotation, sigma_px=3.0)[0]
    theirs = simulation.get_diffraction_pattern(
        shape=image.shape,
        sigma=3.0,
        direct_beam_position=(257, 257),
        calibration=0.00588,
        fast=False,
        normalize=False,
        clip_threshold=1e-9 * diffsims_route.spots(simulation).intensity.min(),
    )
    inside = np.s_[20:-20, 20:-20]  # diffsims leaves out spots centred beside the frame
    np.testing.assert_allclose(image[inside], theirs[inside], atol=1e-5 * theirs.max())
