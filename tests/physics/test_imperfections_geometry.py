"""Distortion, beam stop and gaps, against moved spots and masked images (docs/physics.md §2)."""

import numpy as np
import pytest
from orix.quaternion import Rotation

from difsims_core.diffraction.draws import Draws
from tests.oracles import image_route, imperfections, noise_route
from tests.oracles.compare import cosine
from tests.oracles.ewald import Spots
from tests.physics.runs import CROP, Run, worst

PHASES = {"phases": ["pb", "gratia_2h"]}


def hides(run: Run, i: int) -> dict:
    """Return what the pixels of pattern ``i`` do not see, as ``imperfections.visible`` takes it."""
    draws = run.draws
    return {
        "stop_px": float(draws["beam_stop_radius_px"][i]),
        "gap_px": float(draws["gap_width_px"][i]),
        "offset_px": float(draws["gap_offset_px"][i]),
        "along_x": bool(draws["gap_along_x"][i]),
    }


def test_distorted_patterns_are_those_of_moved_spots():
    wide = {"ellipticity": {"uniform": [0.05, 0.2]}, "centre_error_px": {"uniform": [2, 20]}}
    run = Run.of({**PHASES, "distortion": wide}, 4)
    profiles, polar_patterns, images, draws = run.profiles(), run.polar_patterns(), run.images(), run.draws
    shift = np.hypot(*draws["centre_error_px"].T)
    assert np.all((shift >= 2) & (shift <= 20))
    for i in range(4):
        spots = imperfections.distorted(
            imperfections.drawn_spots(run.spec, draws, i, q_max=2.5),
            float(draws["ellipticity"][i]),
            float(draws["ellipse_direction_deg"][i]),
            draws["centre_error_px"][i].astype(float),
        )
        sigma = float(draws["sigma_px"][i])
        assert worst(profiles[i, CROP], imperfections.radial_profile(spots, sigma)[CROP]) < 2e-4
        assert worst(polar_patterns[i, CROP], imperfections.polar_pattern(spots, sigma)[CROP]) < 1e-2
        assert worst(images[i], image_route.render(spots, sigma_px=sigma, supersample=1)) < 1e-4


def test_an_ellipse_has_the_drawn_ratio_of_axes():
    """Second moments of a ring of spots: long over short axis is 1 + ellipticity, along the drawn direction."""
    run = Run.of({"phases": ["pb"], "distortion": {"ellipticity": 0.1, "centre_error_px": 0.0}, "spots": {}}, 3)
    for i in range(3):
        angle = np.deg2rad(float(run.draws["ellipse_direction_deg"][i]))
        ring = np.exp(2j * np.pi * np.arange(360) / 360)
        circle = Spots(ring.real, ring.imag, np.ones(360))
        ellipse = imperfections.distorted(circle, 0.1, np.rad2deg(angle), np.zeros(2))
        length, axes = np.linalg.eigh(np.cov(ellipse.gx, ellipse.gy))
        assert np.sqrt(length[1] / length[0]) == pytest.approx(1.1, rel=1e-9)
        assert length[0] * length[1] == pytest.approx(np.linalg.det(np.cov(circle.gx, circle.gy)), rel=1e-9)
        assert abs(axes[:, 1] @ [np.cos(angle), np.sin(angle)]) == pytest.approx(1, abs=1e-6)


def test_no_distortion_is_exactly_none():
    none = {"ellipticity": 0.0, "centre_error_px": 0.0}
    run, plain = Run.of({**PHASES, "distortion": none}, 4), Run.of(PHASES, 4)
    assert np.array_equal(run.profiles(), plain.profiles())
    assert np.array_equal(run.images(), plain.images())
    assert np.array_equal(run.polar_patterns(), plain.polar_patterns())


STOP_AND_GAP = {"beam_stop_radius_px": {"uniform": [10, 30]}, "gap_width_px": {"uniform": [2, 12]}}
CENTRAL_GAP = {"beam_stop_radius_px": 0, "gap_width_px": 8, "gap_offset_px": {"uniform": [-20, 20]}}


@pytest.mark.parametrize("cut_off", [{}, STOP_AND_GAP, CENTRAL_GAP])
@pytest.mark.parametrize("sigma_px", [1.0, 4.0])
def test_profiles_are_means_over_the_visible_pixels(cut_off, sigma_px):
    """The annulus that the edge of the stop crosses reads the mean of the whole of it."""
    run = Run.of({**PHASES, "spots": {"sigma_px": sigma_px}, "cut_off": cut_off}, 10)
    ways = set()
    for i, profile in enumerate(run.profiles()):
        hidden = hides(run, i)
        ways.add(hidden["along_x"])
        spots = imperfections.drawn_spots(run.spec, run.draws, i, q_max=1.6)
        seen = imperfections.masked_profile(spots, sigma_px, hidden, CROP)
        whole = imperfections.radial_profile(spots, sigma_px)[CROP]
        behind = image_route.annulus_edges_px()[14:161] <= hidden["stop_px"]
        assert np.all(profile[CROP][behind] == 0)
        edge = np.arange(13, 160) == np.rint(hidden["stop_px"] * 0.00588 / 0.008290514530472063)
        difference = np.abs(profile[CROP] - seen) / whole.max()
        assert difference[~edge].max() < 0.015
        assert cosine(np.where(edge, 0, profile[CROP]), np.where(edge, 0, seen)) > 0.9999
    assert ways == {False, True}


def test_profiles_of_discs_and_direct_beams_are_means_over_the_visible_pixels():
    """A disc loses what its own part in the gap holds; the oracle is the polar pattern, cell by cell."""
    spots = {"sigma_px": 2.0, "convergence_semi_angle_mrad": 1.5, "direct_beam": 3.0}
    gap = {"beam_stop_radius_px": 0, "gap_width_px": 9, "gap_offset_px": {"uniform": [-60, 60]}}
    run = Run.of({**PHASES, "spots": spots, "cut_off": gap}, 6)
    clean = Run.of({**PHASES, "spots": spots}, 6).polar_patterns()
    azimuth, radius = np.deg2rad(np.arange(360) + 0.5), np.arange(256)[:, None] * 0.00829 / 0.00588
    for i, profile in enumerate(run.profiles()):
        seen = imperfections.visible(radius * np.cos(azimuth), radius * np.sin(azimuth), **hides(run, i))
        mean = (clean[i] * seen).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
        assert cosine(profile[CROP], mean[CROP]) > 0.998


def test_polar_patterns_and_images_lose_what_is_hidden_and_nothing_else():
    run, plain = Run.of({**PHASES, "cut_off": STOP_AND_GAP}, 4), Run.of(PHASES, 4)
    polar_patterns, images = run.polar_patterns(), run.images()
    x = image_route.pixel_centres(515)
    azimuth, radius = np.deg2rad(np.arange(360) + 0.5), np.arange(256)[:, None] * run.simulator.tables.step_px
    for i in range(4):
        seen = imperfections.visible(x[None, :], x[:, None], **hides(run, i))
        assert np.array_equal(images[i], np.where(seen, plain.images()[i], 0))
        seen = imperfections.visible(radius * np.cos(azimuth), radius * np.sin(azimuth), **hides(run, i))
        assert np.array_equal(polar_patterns[i], np.where(seen, plain.polar_patterns()[i], 0))


def test_noise_knows_how_many_pixels_are_left():
    """Counts of the visible pixels: variance of the background class, whose mean is known."""
    cut_off = {"beam_stop_radius_px": 25.0, "gap_width_px": 60.0, "gap_offset_px": 20.0}
    document = {
        "background_class": True, "background": {"amplitude": 1.0, "decay_angstrom": 1.0}, "cut_off": cut_off,
        "noise": {"dose": 20.0, "snr": 1.0},
    }  # fmt: skip
    run = Run.of(document, 800)
    profiles = run.profiles()[1::2]
    x = image_route.pixel_centres(515)
    for along_x in (False, True):
        drawn = profiles[run.draws["gap_along_x"][1::2] == along_x]
        seen = imperfections.visible(x[None, :], x[:, None], 25.0, 60.0, 20.0, along_x=along_x)
        index = image_route.annulus_index(515, 0.00588, 1)
        counts = np.bincount(index, weights=seen.ravel(), minlength=257)[:256]
        smooth = np.exp(-run.simulator.q_all)
        usable = (counts > 40) & (np.arange(256) < 180)
        assert np.array_equal(drawn.max(axis=0)[:180] > 0, counts[:180] > 0)
        mean, variance = noise_route.theory(smooth, np.maximum(counts, 1), unit=1, dose=20, snr=1, intensity_spike=0)
        z = (drawn.mean(axis=0) - mean) / np.sqrt(variance / len(drawn))
        assert np.abs(z[usable]).max() < 5
        assert np.mean((drawn.var(axis=0) / variance)[usable]) == pytest.approx(1, abs=0.03)


def test_a_pattern_turned_by_a_quarter_sees_the_other_gap():
    """Gap along x and the pattern, or gap along y and the pattern turned by 90°: the same profile."""
    run = Run.of({**PHASES, "cut_off": CENTRAL_GAP}, 2)
    values = dict(run.draws.values)
    quarter = Rotation.from_axes_angles([0, 0, 1], -90, degrees=True)
    turned = [(Rotation(q.astype(float)) * quarter).data[0] for q in values["orientation"]]
    first = {**values, "gap_along_x": np.ones(2, np.uint8)}
    other = {**values, "gap_along_x": np.zeros(2, np.uint8), "orientation": np.array(turned, np.float32)}
    other["gap_offset_px"] = -values["gap_offset_px"]
    found = [
        Run(run.simulator, Draws(run.draws.patterns, v), run.labels).profiles()
        for v in (first, other, {**other, "gap_offset_px": values["gap_offset_px"]})
    ]
    assert min(worst(found[0][:, CROP], found[1][:, CROP]), worst(found[0][:, CROP], found[2][:, CROP])) < 1e-3


@pytest.mark.parametrize("noise", [None, {"snr": 0.99, "intensity_spike": 1.0}])
def test_nothing_shows_behind_the_stop_in_the_historical_order_either(noise):
    stop = {"beam_stop_radius_px": 25.0, "gap_width_px": 0}
    run = Run.of({"order": "historical", "background": {"amplitude": 0.5}, "cut_off": stop, "noise": noise}, 2)
    behind = image_route.annulus_edges_px()[1:] <= 25
    assert np.all(run.profiles()[:, behind] == 0)
    assert np.all(run.polar_patterns()[:, behind] == 0)
    assert run.profiles()[:, ~behind].min() > 0
