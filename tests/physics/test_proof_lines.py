"""Allowed and extinct lines of the thirteen phases: in our reflection lists, spots and averaged profiles.

See docs/physics.md §3.

tests/crystal holds the strongest lines of each phase against diffsims and gemmi; here they are asked of our own code,
with more lines, and with the reflections that each space group forbids (International Tables A).
"""

from functools import cache

import numpy as np
import pytest
from scipy.signal import find_peaks

from difsims_core import radial_profiles
from difsims_core.crystal.phases import load_phase
from difsims_core.crystal.reflections import ReflectionList, reflection_list
from difsims_core.diffraction.noise_free import excited_spots
from tests.crystal.expected import CELLS, LINES
from tests.oracles.image_route import STEP_PER_ANGSTROM
from tests.oracles.orientations import uniform_orientations

SIGMA_PX = 1.5
LAST_BIN = 120  # 1 Å⁻¹; beyond it, lines of most phases lie closer than bins

P4MBM_MORE = ((3, 1, 0), (4, 0, 2), (3, 1, 2), (5, 3, 0), (2, 0, 3), (1, 1, 0), (2, 0, 0), (2, 1, 1))
PBI2_4H_MORE = ((2, -1, 8), (3, -1, 3), (2, 0, 3), (2, 0, 2), (1, 0, 6), (0, 0, 2), (1, 0, 1), (0, 0, 4))
# Allowed lines beyond the four strongest of LINES: strong ones, and those at low angle that name a phase.
MORE = {
    "cubic_fapbi_scaled": ((2, 1, 0), (2, 1, 2), (3, 2, 2), (2, 2, 2), (1, -1, 1), (1, 0, 0), (0, 1, 1)),
    "p4mbm_scaled_mixed_halide": P4MBM_MORE,
    "p4mbm_tetragonal": P4MBM_MORE,
    "pnma_TD_adjust_orthorhombic": ((2, 8, 2), (0, 4, 4), (4, 4, 0), (3, 0, 1), (1, 0, 1), (0, 2, 0), (1, 1, 1)),
    "gratia_2h": ((2, -1, 2), (6, -2, 1), (2, 0, 3), (4, 0, 1), (1, 0, 0), (1, 0, 1), (2, 0, 0)),
    "gratia_4h": ((2, -1, 4), (5, -1, 4), (3, 0, 4), (4, 0, 2), (1, 0, 1), (1, 0, 2), (2, 0, 1)),
    "gratia_6h": ((2, -1, 6), (2, 0, 8), (5, -1, 6), (2, 0, 5), (1, 0, 1), (1, 0, 2), (2, 0, 2)),
    "pbi2_2h": ((3, -1, 2), (2, -1, 4), (3, 0, 0), (2, 0, 1), (1, 0, 3), (0, 0, 1), (0, 0, 3), (1, 1, 1)),
    "pbi2_4h": PBI2_4H_MORE,
    "pbi2": PBI2_4H_MORE,
    "pbi2_6h": ((1, -1, -12), (2, 0, -4), (3, 0, 0), (1, -1, 8), (1, 0, -2), (0, 0, 4)),
    "pbbr2": ((5, 1, 1), (3, 2, 2), (3, 1, 1), (3, 2, 0), (1, 2, 1), (1, 1, 0), (1, 2, 0), (0, 1, 1)),
    "pb": ((2, 2, 2), (4, 0, 0), (3, 3, 1), (4, 2, 0), (4, 2, 2)),
}

# d of lead in X-ray powder diffraction (as in PDF 04-0686, a = 4.9506 Å), in the order 111, 200, …
PB_PUBLISHED = {
    (1, 1, 1): 2.855,
    (2, 0, 0): 2.475,
    (2, 2, 0): 1.750,
    (3, 1, 1): 1.493,
    (2, 2, 2): 1.429,
    (4, 0, 0): 1.238,
    (3, 3, 1): 1.136,
    (4, 2, 0): 1.107,
}

# Reflections that the space group forbids. P-3m1 and P1 forbid none.
P4MBM = ((1, 0, 0), (0, 1, 0), (0, 1, 1), (1, 0, 1), (0, 1, 2), (3, 0, 0), (0, 3, 1), (3, 0, 2), (0, 5, 1))
SIX_3_C = ((0, 0, 1), (0, 0, 3), (0, 0, 5), (1, 1, 1), (1, 1, 3), (2, -1, 1), (1, -2, 3), (2, 2, 1), (-1, -1, 1))
FORBIDDEN = {
    "p4mbm_scaled_mixed_halide": P4MBM,  # P4/mbm: 0kl with k odd, h0l with h odd
    "p4mbm_tetragonal": P4MBM,
    "gratia_2h": SIX_3_C,  # P6₃/mmc and P6₃mc: hhl (and equivalents, -2h h l) with l odd, 00l with l odd
    "gratia_4h": SIX_3_C,
    "gratia_6h": SIX_3_C,
    "pbi2_4h": SIX_3_C,
    "pbi2": SIX_3_C,
    # Pnma: 0kl with k + l odd, hk0 with h odd
    "pnma_TD_adjust_orthorhombic": ((0, 1, 0), (0, 0, 1), (1, 0, 0), (0, 1, 2), (0, 2, 1), (1, 1, 0), (1, 2, 0)),
    # Pnam: 0kl with k + l odd, h0l with h odd
    "pbbr2": ((0, 1, 0), (0, 0, 1), (1, 0, 0), (0, 1, 2), (0, 2, 1), (1, 0, 1), (1, 0, 2), (3, 0, 1)),
    "pb": ((1, 0, 0), (1, 1, 0), (2, 1, 0), (2, 1, 1), (3, 0, 0), (2, 2, 1), (3, 1, 0), (3, 2, 1)),  # F: mixed parity
}
# What the forbidding operations of related structures would take away, and these space groups do not.
KEPT = {
    "cubic_fapbi_scaled": ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1)),  # P1, not F or I
    "pbi2_2h": ((0, 0, 1), (0, 0, 3), (1, 1, 1), (2, -1, 3)),  # P-3m1: no c glide as in 4H
    "pbi2_6h": ((0, 0, 4), (1, 0, 1), (2, -1, 4), (1, 0, -1), (0, 1, 2)),
    "pbbr2": ((1, 1, 0), (1, 2, 0), (3, 2, 0)),  # hk0 with h odd: forbidden in Pnma, not in Pnam
    "pnma_TD_adjust_orthorhombic": ((1, 0, 1), (1, 0, 2), (3, 0, 1)),  # the reverse
}
all_phases = pytest.mark.parametrize("name", sorted(CELLS))


def spacing(name: str, hkl: tuple[int, int, int]) -> float:
    """Return d from the published cell: orthogonal, or hexagonal with 1/d² = 4/3 (h² + hk + k²)/a² + l²/c²."""
    a, b, c, gamma = CELLS[name]
    h, k, l = hkl  # noqa: E741
    in_plane = 4 / 3 * (h * h + h * k + k * k) / a**2 if gamma == 120 else (h / a) ** 2 + (k / b) ** 2
    return 1 / np.sqrt(in_plane + (l / c) ** 2)


@cache
def listed(name: str, scattering_factors: str = "lobato") -> ReflectionList:
    return reflection_list(load_phase(name), 1.2, scattering_factors=scattering_factors)


@cache
def of_hkl(name: str) -> dict[tuple[int, ...], tuple[float, float]]:
    """Return hkl → (d, |F|² over the largest)."""
    found = listed(name)
    relative = found.intensity / found.intensity.max()
    lengths = np.linalg.norm(found.g, axis=1)
    return dict(zip(map(tuple, found.hkl.tolist()), zip(1 / lengths, relative, strict=True), strict=True))


@cache
def allowed_lines(name: str) -> np.ndarray:
    """Return the lengths |g| of reflections with intensity, Å⁻¹."""
    found = listed(name)
    return np.unique(np.linalg.norm(found.g[found.intensity > 0], axis=1).round(7))


@cache
def averaged_profile(name: str) -> np.ndarray:
    """Return the mean profile of many orientations, the largest bin being 1."""
    mean = radial_profiles(name, uniform_orientations(300, seed=71), sigma_px=SIGMA_PX).mean(axis=0)
    return mean / mean[5:].max()


def bins_to_nearest_line(name: str, q: np.ndarray) -> np.ndarray:
    return np.abs(np.subtract.outer(np.atleast_1d(q), allowed_lines(name))).min(axis=1) / STEP_PER_ANGSTROM


@all_phases
def test_lines_lie_where_the_published_cell_puts_them(name):
    of = of_hkl(name)
    for hkl, d, _ in LINES[name]:
        assert of[hkl][0] == pytest.approx(d, abs=2e-4)
    for hkl in [*MORE[name], *(hkl for hkl, *_ in LINES[name])]:
        assert of[hkl][0] == pytest.approx(spacing(name, hkl), rel=1e-7)
        assert of[hkl][1] > 1e-5, f"{hkl} should be allowed"


@all_phases
def test_the_strongest_lines_are_strongest_in_our_list(name):
    """Σ|F|² of each line in percent of the strongest, d > 1.25 Å, International-Tables factors, as published there."""
    found = listed(name, "xtables")
    g = np.linalg.norm(found.g, axis=1)
    order = np.argsort(g, kind="stable")[: np.count_nonzero(g <= 1 / 1.25)]
    line = np.concatenate([[0], np.cumsum(np.diff(g[order]) > 5e-4)])
    total = np.bincount(line, found.intensity[order])
    line_of = dict(zip(map(tuple, found.hkl[order].tolist()), line, strict=True))
    for hkl, _, percent in LINES[name]:
        assert 100 * total[line_of[hkl]] / total.max() == pytest.approx(percent, abs=1.0)


def test_lines_of_lead_are_the_published_ones():
    for hkl, d in PB_PUBLISHED.items():
        assert of_hkl("pb")[hkl][0] == pytest.approx(d, abs=0.004)
    allowed = 1 / allowed_lines("pb")
    assert len(allowed[allowed > 1.1]) == len(PB_PUBLISHED)


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_forbidden_reflections_are_exactly_zero(name):
    of = of_hkl(name)
    for hkl in FORBIDDEN[name]:
        assert of.get(hkl, (0, 0))[1] == 0, hkl


@pytest.mark.parametrize("name", sorted(KEPT))
def test_reflections_that_only_a_related_space_group_forbids_are_kept(name):
    for hkl in KEPT[name]:
        assert of_hkl(name)[hkl][1] > 1e-4, hkl


@all_phases
def test_no_spot_is_forbidden(name):
    """Spots of many orientations: every one is an allowed reflection, and no short allowed one never shows."""
    spots = excited_spots(name, uniform_orientations(40, seed=72))
    shown = spots.hkl[spots.intensity > 0]
    shown = set(map(tuple, shown[np.linalg.norm(spots.g[spots.intensity > 0], axis=1) < 1.1].tolist()))
    of = of_hkl(name)
    assert shown <= {hkl for hkl, (_, relative) in of.items() if relative > 0}
    assert not shown & set(FORBIDDEN.get(name, ()))
    assert shown & set(MORE[name])


@all_phases
def test_peaks_of_the_averaged_profile_lie_at_allowed_lines(name):
    """To a bin: a spot off the sphere is projected inwards by up to a quarter of one."""
    profile = averaged_profile(name)
    peaks = find_peaks(profile, height=1e-3)[0]
    peaks = peaks[(peaks > 5) & (peaks < LAST_BIN)]
    assert len(peaks) > 5
    assert bins_to_nearest_line(name, peaks * STEP_PER_ANGSTROM).max() < 1


@all_phases
def test_the_averaged_profile_is_dark_where_no_line_is(name):
    """Four bins, five σ of a spot, from every allowed line: gaps that phases with c below 15 Å have at low q."""
    q = np.arange(5, LAST_BIN) * STEP_PER_ANGSTROM
    gaps = bins_to_nearest_line(name, q) > 4
    if CELLS[name][2] < 15:
        assert gaps.any()
    assert np.all(averaged_profile(name)[5:LAST_BIN][gaps] < 2e-3)


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_forbidden_lines_that_stand_alone_are_dark(name):
    q = np.array([1 / spacing(name, hkl) for hkl in FORBIDDEN[name]])
    alone = q[(bins_to_nearest_line(name, q) > 4) & (q > 0.05)]
    assert len(alone) > 0 or name in {"gratia_2h", "gratia_6h"}  # 001 of these is near 100
    bins = np.rint(alone / STEP_PER_ANGSTROM).astype(int)
    assert np.all(averaged_profile(name)[bins] < 2e-3)


@all_phases
def test_the_averaged_profile_peaks_at_the_two_strongest_lines(name):
    """To a bin and a half: lines beside a strong one pull its peak."""
    peaks = find_peaks(averaged_profile(name), height=0.02)[0]
    for _, d, _ in LINES[name][:2]:
        assert np.abs(peaks - 1 / d / STEP_PER_ANGSTROM).min() < 1.5
