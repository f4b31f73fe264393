"""Intensities unlike kinematical ones, thickness and peak lists (docs/physics.md §§3–5)."""

import numpy as np
import pytest
from orix.quaternion import Rotation
from scipy.stats import kstest

from difsims_core.diffraction.imperfections.two_beam import blackman_table
from difsims_core.diffraction.noise_free import excited_spots
from tests.oracles import ewald, imperfections
from tests.oracles.structure_factor import Reflections
from tests.physics.runs import CROP, Run, worst

PHASES = {"phases": ["pb", "gratia_2h"]}
EXACT_PEAKS = {"peaks": True, "precision": "exact"}


def peaks(run: Run, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hkl, g and intensity of the spots of pattern ``i``."""
    found = run.simulator.block(i, i + 1).peaks
    return found.hkl, found.g, found.intensity


def test_blackmans_factor():
    table = blackman_table()
    for a in (0.0, 0.05, 0.47, 1.3, 5.0, 12.7, 39.9):
        at = a * 128
        value = np.interp(at, np.arange(len(table)), table)
        assert value == pytest.approx(imperfections.blackman(a), abs=2e-5)
    assert imperfections.blackman(60.0) == pytest.approx(0.5 / 60, rel=0.1)  # beyond the table


@pytest.mark.parametrize("thickness", [{"uniform": [50, 400]}, {"choice": [1500.0, 3000.0]}, 100_000.0])
@pytest.mark.parametrize("energy", [80, 300])
def test_two_beam_intensities_follow_the_extinction_distance(thickness, energy):
    document = {"microscope": {"beam_energy_kv": energy}, "diffraction": {"thickness_angstrom": thickness}}
    run = Run.of({**PHASES, **document, "intensities": {"model": "two_beam"}}, 2)
    draws, largest = run.draws, 0.0
    for i, profile in enumerate(run.profiles()):
        name, scale = run.spec.phases[i % 2].name, float(draws["lattice_scale"][i])
        t = float(draws["thickness_angstrom"][i])
        assert draws["relrod_width_per_angstrom"][i] == pytest.approx(1 / t, rel=1e-6)
        found = imperfections.reflections_of(name, 1.7, scale)
        volume = imperfections.cell_volume(name, scale)
        a = np.pi * t / imperfections.extinction_distance(np.sqrt(found.intensity) + 1e-12, volume, energy)
        factor = np.array([imperfections.blackman(x) if x < 40 else 0.5 / x for x in a])
        dynamical = Reflections(found.hkl, found.g, found.intensity * factor)
        spots = ewald.spots(
            dynamical, Rotation(draws["orientation"][i].astype(float)), beam_energy_kv=energy,
            max_excitation_error=0.03, relrod_width=1 / t,
        )  # fmt: skip
        shown = 1 / float(draws["calibration_scale"][i])
        spots = ewald.Spots(spots.gx * shown, spots.gy * shown, spots.intensity)
        oracle = imperfections.radial_profile(spots, float(draws["sigma_px"][i]))
        assert worst(profile[CROP], oracle[CROP]) < 1e-4
        largest = max(largest, a.max())
    assert largest > 0.4


@pytest.mark.parametrize("exponent", [0.3, 1.0, 2.0])
def test_compressed_intensities_keep_the_brightest_spot(exponent):
    run = Run.of(
        {**PHASES, "intensities": {"model": "random", "exponent": exponent, "scatter": 0.0}, "output": EXACT_PEAKS},
        4,
    )
    plain = Run.of({**PHASES, "output": EXACT_PEAKS}, 4)
    for i in range(4):
        (hkl, _, found), (same, _, kinematical) = peaks(run, i), peaks(plain, i)
        assert np.array_equal(hkl, same)
        top = kinematical.max()
        np.testing.assert_allclose(found, top * (kinematical / top) ** exponent, rtol=1e-4)
        assert found.max() == pytest.approx(top, rel=1e-6)


def test_scattered_intensities_are_the_same_everywhere_and_log_normal():
    document = {**PHASES, "intensities": {"model": "random", "exponent": 1.0, "scatter": 0.5}}
    document |= {"output": EXACT_PEAKS}
    run, plain = Run.of(document, 40), Run.of({**PHASES, "output": EXACT_PEAKS}, 40)
    found, kinematical = run.simulator.block(0, 40).peaks, plain.simulator.block(0, 40).peaks
    assert np.array_equal(found.hkl, kinematical.hkl)
    z = np.log(found.intensity / kinematical.intensity) / 0.5
    assert len(z) > 5000
    assert kstest(z, "norm").pvalue > 1e-3
    each = [z[a:b] for a, b in zip(found.start[:-1], found.start[1:], strict=True)]
    long = [values[:150] for values in each if len(values) >= 150]
    assert len(long) > 10
    assert np.abs(np.corrcoef(long) - np.eye(len(long))).max() < 0.45
    part = run.simulator.block(7, 9, threads=1).peaks
    assert part.intensity.tobytes() == found.intensity[found.start[7] : found.start[9]].tobytes()
    for i in (0, 1):
        mine = slice(found.start[i], found.start[i + 1])
        spots = ewald.Spots(*found.g[mine].astype(float).T, found.intensity[mine].astype(float))
        sigma = float(run.draws["sigma_px"][i])
        assert worst(Run.of(document, 2).profiles()[i, CROP], imperfections.radial_profile(spots, sigma)[CROP]) < 1e-4
        assert (
            worst(Run.of(document, 2).polar_patterns()[i, CROP], imperfections.polar_pattern(spots, sigma)[CROP]) < 5e-3
        )


@pytest.mark.parametrize("shape_factor", ["lorentzian", "slab"])
def test_thickness_sets_the_relrod(shape_factor):
    """slab: sinc²(t s), the kinematical crystal of docs/physics.md §4 without the cut of its tails."""
    diffraction = {"thickness_angstrom": 80.0, "shape_factor": shape_factor}
    run = Run.of({**PHASES, "diffraction": diffraction, "output": EXACT_PEAKS}, 2)
    assert np.all(run.draws["relrod_width_per_angstrom"] == np.float32(1 / 80))
    for i in range(2):
        hkl, _, intensity = peaks(run, i)
        found = imperfections.reflections_of(run.spec.phases[i].name, 2.4, float(run.draws["lattice_scale"][i]))
        rotation = Rotation(run.draws["orientation"][i].astype(float))
        s = ewald.excitation_error(imperfections.ewald_frame(found, rotation), 200)
        shape = np.sinc(80 * s) ** 2 if shape_factor == "slab" else 1 / (1 + (np.pi * s * 80) ** 2)
        known = {tuple(h): value for h, value in zip(found.hkl, found.intensity * shape, strict=True)}
        expected = np.array([known[tuple(h)] for h in hkl])
        np.testing.assert_allclose(intensity, expected, rtol=2e-3, atol=1e-5 * expected.max())


def test_peaks_are_the_excited_spots_of_the_drawn_conditions():
    document = {**PHASES, "output": EXACT_PEAKS, "diffraction": {"relrod_width_per_angstrom": 0.02}}
    run = Run.of({**document, "spots": {"removal": {"among": 5, "count": 3}}}, 4)
    block = run.simulator.block(0, 4)
    for i in range(4):
        hkl, g, intensity = peaks(run, i)
        mine = slice(block.peaks.start[i], block.peaks.start[i + 1])
        assert np.array_equal(hkl, block.peaks.hkl[mine])
        assert intensity.tobytes() == block.peaks.intensity[mine].tobytes()
        scale = float(run.draws["calibration_scale"][i])
        all_of_them = excited_spots(
            run.spec.phases[i % 2].name,
            Rotation(run.draws["orientation"][i].astype(float)),
            max_excitation_error=0.03,
            relrod_width=0.02,
            calibration=0.00588 * scale,
            lattice_scale=float(run.draws["lattice_scale"][i]),
        )
        rank = np.argsort(-all_of_them.intensity)
        gone = [rank[r] for r in range(5) if int(run.draws["removed_spots"][i]) >> r & 1]
        assert len(gone) == 3
        kept = np.delete(np.arange(len(rank)), gone)
        kept = kept[np.lexsort(all_of_them.hkl[kept].T)]
        order = np.lexsort(hkl.T)
        hkl, g, intensity = hkl[order], g[order], intensity[order]
        assert np.array_equal(hkl, all_of_them.hkl[kept])
        np.testing.assert_allclose(intensity, all_of_them.intensity[kept], rtol=1e-5)
        np.testing.assert_allclose(g, all_of_them.g[kept] / scale, atol=1e-6)
        spots = imperfections.drawn_spots(run.spec, run.draws, i, q_max=2.4)
        inside = np.maximum(np.abs(spots.gx), np.abs(spots.gy)) < 257.5 * 0.00588
        bright = inside & (spots.intensity > 1e-6 * spots.intensity.max())
        nearest = np.hypot(*(g[:, None, :] - np.column_stack([spots.gx, spots.gy])[None, bright]).transpose(2, 0, 1))
        assert nearest.min(axis=0).max() < 1e-5
