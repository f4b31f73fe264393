"""The average over all orientations is a powder pattern (docs/physics.md §3, §4).

Over uniform orientations, the excitation error of a reflection of length g is uniform near zero with density
1 / (2g): s = λ r²/2 - g cos θ, cos θ uniform, and ds/d(cos θ) = g up to terms of (λg)². The truncated Lorentzian has
the integral ∫ ds / (1 + (πs/w)²) = (2w/π) atan(π s_max/w) over |s| <= s_max. So a ring of multiplicity m has the
mean intensity m |F|² · w / (πg) · atan(π s_max/w), at the radius g less (λg/2)²/2 and about s_max²/g of it.
"""

import numpy as np
import pytest

from difsims_core import radial_profiles
from difsims_core.crystal.phases import load_phase
from tests.oracles.image_route import STEP_PER_ANGSTROM, annulus_areas_px
from tests.oracles.orientations import uniform_orientations
from tests.oracles.structure_factor import reflections

N_ORIENTATIONS = 20_000
# h² + k² + l² of the rings of lead; 311 and 222 overlap and are taken together.
RINGS = {"111": (3,), "200": (4,), "220": (8,), "311, 222": (11, 12), "400": (16,), "422": (24,)}


@pytest.fixture(scope="module")
def mean_profiles() -> dict[tuple[float, float], np.ndarray]:
    """Mean profiles of lead for two pairs of (cut-off, relrod width), σ = 1.5 px."""
    rotations = uniform_orientations(N_ORIENTATIONS, seed=41)
    return {
        (cut_off, width): radial_profiles(
            "pb", rotations, sigma_px=1.5, max_excitation_error=cut_off, relrod_width=width
        ).mean(axis=0)
        for cut_off, width in [(0.02, 0.02), (0.03, 0.012)]
    }


def ring(squares: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, slice]:
    """Return |g| and |F|² of every reflection of a ring, and the bins that hold it."""
    found = reflections(load_phase("pb"), 1.1)
    g = np.linalg.norm(found.g, axis=1)
    member = np.isin(np.rint((4.95 * g) ** 2).astype(int), squares)
    first = int(g[member].min() / STEP_PER_ANGSTROM + 0.5) - 3
    last = int(g[member].max() / STEP_PER_ANGSTROM + 0.5) + 3
    return g[member], found.intensity[member], slice(first, last + 1)


@pytest.mark.parametrize("squares", RINGS.values(), ids=RINGS.keys())
@pytest.mark.parametrize("relrod", [(0.02, 0.02), (0.03, 0.012)])
def test_rings_hold_the_integrated_intensity_of_the_powder(mean_profiles, relrod, squares):
    cut_off, width = relrod
    g, intensity, bins = ring(squares)
    weight = width / (np.pi * g) * np.arctan(np.pi * cut_off / width)
    held = (mean_profiles[relrod] * annulus_areas_px())[bins].sum()
    assert held == pytest.approx((intensity * weight).sum(), rel=0.04)


@pytest.mark.parametrize("squares", [(3,), (4,), (8,), (16,), (24,)])
def test_rings_lie_at_the_lengths_of_their_reflections(mean_profiles, squares):
    g, _, bins = ring(squares)
    held = (mean_profiles[0.02, 0.02] * annulus_areas_px())[bins]
    centroid = np.average(np.arange(256)[bins] * STEP_PER_ANGSTROM, weights=held)
    assert centroid == pytest.approx(g.mean(), abs=0.25 * STEP_PER_ANGSTROM)
