"""Convergence discs against one pattern for each direction of the beam, and the direct beam (docs/physics.md §§4–6)."""

from functools import partial

import numpy as np
import pytest
from orix.quaternion import Rotation

from difsims_core.errors import InputError
from tests.oracles import ewald, image_route, imperfections
from tests.oracles.compare import cosine
from tests.oracles.structure_factor import Reflections
from tests.physics.runs import CROP, Run, worst

PHASES = {"phases": ["pb", "gratia_2h"]}
S_MAX, MRAD_PX = 0.03, 1e-3 / ewald.wavelength_angstrom(200) / 0.00588


def disc_document(sigma_px: float, mrad: float, relrod: float = 0.01, **more) -> dict:
    spots = {"sigma_px": sigma_px, "convergence_semi_angle_mrad": mrad, **more}
    return {**PHASES, "diffraction": {"relrod_width_per_angstrom": relrod}, "spots": spots}


def patterns_of_all_directions(run: Run, i: int, n: int) -> ewald.Spots:
    """Return the spots of ``n`` beams over the cone, each with the Ewald sphere of its own direction."""
    draws = run.draws
    found = imperfections.reflections_of(run.spec.phases[i % 2].name, 1.75, float(draws["lattice_scale"][i]))
    rotation = Rotation(draws["orientation"][i].astype(float))
    s = ewald.excitation_error(imperfections.ewald_frame(found, rotation), 200)
    near = np.abs(s) < 2 * S_MAX
    found = Reflections(found.hkl[near], found.g[near], found.intensity[near])
    shape = partial(ewald.shape, relrod_width=float(draws["relrod_width_per_angstrom"][i]))
    cone = imperfections.tilts(float(draws["convergence_mrad"][i]) * 1e-3, n)
    parts = [imperfections.tilted_spots(found, rotation, tilt, 200, S_MAX, shape) for tilt in cone]
    spots = imperfections.joined(parts, [1 / n] * n)
    shown = 1 / float(draws["calibration_scale"][i])
    return ewald.Spots(spots.gx * shown, spots.gy * shown, spots.intensity)


@pytest.mark.parametrize(("sigma_px", "mrad", "relrod"), [(1.0, 1.0, 0.01), (2.0, 2.0, 0.003), (3.0, 1.5, 0.03)])
def test_discs_are_patterns_of_all_directions_of_the_beam(sigma_px, mrad, relrod):
    """Discs are drawn with one Gaussian for 1.5 σ², so that their rims are uneven by a tenth of their height."""
    run = Run.of(disc_document(sigma_px, mrad, relrod), 2)
    profiles, polar_patterns, images = run.profiles(), run.polar_patterns(), run.images()
    for i in range(2):
        spots = patterns_of_all_directions(run, i, 300)
        few = sigma_px == 3  # 24 points a disc
        oracle = imperfections.radial_profile(spots, sigma_px)
        assert cosine(profiles[i, CROP], oracle[CROP]) > (0.9995 if few else 0.9999)
        assert worst(profiles[i, CROP], oracle[CROP]) < (0.05 if few else 0.025)
        assert profiles[i, CROP].sum() == pytest.approx(oracle[CROP].sum(), rel=1e-3)
        inner = slice(60, 455)
        image = image_route.render(spots, sigma_px=sigma_px, supersample=1)[inner, inner]
        assert cosine(images[i, inner, inner].ravel(), image.ravel()) > 0.997
        assert worst(images[i, inner, inner], image) < 0.16
        near = np.hypot(spots.gx, spots.gy) < 0.7
        some = ewald.Spots(spots.gx[near], spots.gy[near], spots.intensity[near])
        if i == 0:  # the cells of one pattern in a small range: every point is a Gaussian of its own
            cells = slice(20, 70)
            polar_pattern = imperfections.polar_pattern(some, sigma_px)[cells]
            assert cosine(polar_patterns[i, cells].ravel(), polar_pattern.ravel()) > 0.997


def test_a_narrow_cone_gives_points_and_a_disc_keeps_the_intensity():
    point = Run.of({**PHASES, "diffraction": {"relrod_width_per_angstrom": 0.01}, "spots": {"sigma_px": 3.0}}, 2)
    narrow = Run.of(disc_document(3.0, 1e-3), 2)
    for found, expected in ((narrow.profiles(), point.profiles()), (narrow.polar_patterns(), point.polar_patterns())):
        assert worst(found[:, CROP], expected[:, CROP]) < 5e-4
    assert narrow.signal().unit == pytest.approx(point.signal().unit, rel=1e-4)
    wide = Run.of({**disc_document(3.0, 2.0), "diffraction": {"relrod_width_per_angstrom": 0.5}}, 1)
    flat = Run.of({**PHASES, "diffraction": {"relrod_width_per_angstrom": 0.5}, "spots": {"sigma_px": 3.0}}, 1)
    areas = image_route.annulus_areas_px()[CROP]
    assert wide.profiles()[0, CROP] @ areas == pytest.approx(flat.profiles()[0, CROP] @ areas, rel=0.02)


def test_the_unit_is_the_centre_of_the_brightest_disc():
    """P = I (1 − exp(−R²/2σ²)) / πR², the reading at the centre of a blurred disc that is evenly excited."""
    sigma_px, mrad = 2.0, 1.5
    run = Run.of({**disc_document(sigma_px, mrad), "output": {"peaks": True, "precision": "exact"}}, 2)
    peaks = run.simulator.block(0, 2).peaks
    for i in range(2):
        radius = mrad * MRAD_PX / float(run.draws["calibration_scale"][i])
        top = peaks.intensity[peaks.start[i] : peaks.start[i + 1]].max()
        expected = top * (1 - np.exp(-(radius**2) / (2 * sigma_px**2))) / (np.pi * radius**2)
        assert run.signal().unit[i] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("removal", [None, {"among": 5, "count": 4}])
def test_the_direct_beam_is_relative_to_the_brightest_spot_that_is_left(removal):
    document = {**PHASES, "spots": {"sigma_px": 2.0, "removal": removal}}
    run = Run.of({**document, "spots": {**document["spots"], "direct_beam": {"uniform": [0.5, 20]}}}, 2)
    without = Run.of(document, 2)
    for i, profile in enumerate(run.profiles()):
        spots = imperfections.drawn_spots(run.spec, run.draws, i)
        both = imperfections.with_direct_beam(spots, float(run.draws["direct_beam"][i]))
        assert worst(profile[:180], imperfections.radial_profile(both, 2.0)[:180]) < 1e-5
        assert run.signal().unit[i] == pytest.approx(without.signal().unit[i])
    polar_pattern = run.polar_patterns()[0]
    beam = (polar_pattern[0] - without.polar_patterns()[0, 0]).astype(float)
    assert np.ptp(beam) < 1e-6 * beam.max()


def test_the_direct_beam_of_a_cone_is_an_even_disc():
    run = Run.of(disc_document(1.0, 1.5, direct_beam=5.0), 1)
    without = Run.of(disc_document(1.0, 1.5), 1)
    beam = (run.profiles() - without.profiles())[0]
    radius = 1.5 * MRAD_PX / float(run.draws["calibration_scale"][0])
    inside = np.arange(256) * 0.00829 / 0.00588 < radius - 3
    even = beam[inside][1:].mean()
    assert np.abs(beam[inside][1:] / even - 1).max() < 0.05
    edge = int(np.argmin(np.abs(beam[:30] - even / 2)))
    assert edge * 0.00829 / 0.00588 == pytest.approx(radius, abs=0.8)
    total = beam @ image_route.annulus_areas_px()
    assert total == pytest.approx(even * np.pi * radius**2, rel=0.05)


@pytest.mark.parametrize("cut_off", [{"beam_stop_radius_px": 4.0, "gap_width_px": 0}, {"beam_stop_radius_px": 0.0}])
def test_a_cut_off_leaves_the_direct_beam_beside_it_alone(cut_off):
    """A stop narrower than the beam lets its tail pass; a gap over the brightest reflection dims nothing else."""
    document = {**PHASES, "spots": {"sigma_px": 4.0, "direct_beam": 10.0}}
    clean = Run.of(document, 2).profiles()
    for offset in (30.0, 40.0, 60.0):
        gap = {"gap_width_px": 14.0, "gap_offset_px": offset, **cut_off}
        run = Run.of({**document, "cut_off": gap}, 2)
        first = 0 if cut_off["beam_stop_radius_px"] == 0 else 3
        assert worst(run.profiles()[:, first:8], clean[:, first:8]) < 2e-3
        assert np.all(run.profiles()[:, : max(first - 1, 0)] == 0)
        assert worst(run.polar_patterns()[:, first + 1 : 8].max(axis=2), clean[:, first + 1 : 8]) < 2e-3


def test_discs_centred_beside_the_frame_reach_the_crop():
    """A detector so large that nothing lies beside it shows the same crop."""
    document = {**PHASES, "calibration_scale": 1.0, "spots": {"sigma_px": 3.0, "convergence_semi_angle_mrad": 6.0}}
    small, large = (Run.of({**document, "detector": {"size_px": size}}, 2).profiles() for size in (515, 801))
    assert worst(small[:, CROP], large[:, CROP]) < 1e-3


def test_discs_larger_than_their_calibration_says_stay_within_bounds():
    """The largest factor on the pixels, and the direct beam's disc: every point has a place."""
    spots = {"sigma_px": 6.0, "convergence_semi_angle_mrad": 8.0, "direct_beam": 1.0}
    run = Run.of({**PHASES, "calibration_scale": 0.5, "distortion": {"centre_error_px": 50.0}, "spots": spots}, 2)
    assert np.all(np.isfinite(run.profiles()))


def test_a_narrow_cone_of_a_precessing_beam_excites_what_the_beam_does():
    document = {"diffraction": {"relrod_width_per_angstrom": 0.01, "precession_angle_deg": 1.0}}
    point = Run.of({**PHASES, **document, "spots": {"sigma_px": 3.0}}, 2).profiles()
    cone = {"sigma_px": 3.0, "convergence_semi_angle_mrad": 1e-3}
    assert worst(Run.of({**PHASES, **document, "spots": cone}, 2).profiles(), point) < 1e-3


def test_discs_that_spots_cannot_fill_are_refused():
    with pytest.raises(InputError, match=r"spots\.sigma_px"):
        Run.of({**PHASES, "spots": {"sigma_px": 1.0, "convergence_semi_angle_mrad": 20.0}}, 1)
