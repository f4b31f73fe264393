"""Raw scans made for tests: crystals of known phases, seen by a detector whose every fault is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from orix.quaternion import Rotation

from difsims_core.crystal.reflections import reflection_list
from difsims_core.diffraction.noise_free import excited_spots
from difsims_core.evaluate.powder_lines import powder_lines


@dataclass(frozen=True)
class Faults:
    """What the microscope and the detector do to a scan; lengths in pixels."""

    seed: int = 1
    ellipse: tuple[float, float] = (0.0, 0.0)
    drift: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 0.0), (0.0, 0.0))  # over the scan, along y and x
    jitter_px: float = 0.0
    electrons: float = 30_000.0
    disc_px: float = 3.0
    beam_share: float = 0.5
    texture: float = 0.0  # the beam's disc grows from 1 − texture to 1 + texture across


@dataclass(frozen=True)
class MadeScan:
    frames: np.ndarray  # (ny, nx, rows, columns) uint16
    centres: np.ndarray  # (ny, nx, 2) row and column
    phase: np.ndarray  # (ny, nx)


SHAPE = (160, 160)
CALIBRATION = 0.018


def make_scan(phases: tuple[str, ...], faults: Faults, scan_shape: tuple[int, int] = (8, 8)) -> MadeScan:
    """Make a scan of square grains of 2 × 2 positions, each an orientation of one of the phases."""
    rng, noise = np.random.default_rng([faults.seed, 1]), np.random.default_rng([faults.seed, 2])
    ny, nx = scan_shape
    frames = np.empty((*scan_shape, *SHAPE), np.uint16)
    centres = np.empty((*scan_shape, 2))
    phase = np.empty(scan_shape, np.int64)
    a, b = faults.ellipse
    distort = np.array([[1 + a, b], [b, 1 - a]])
    grains = {}
    for iy, ix in np.ndindex(*scan_shape):
        key = (iy // 2, ix // 2)
        if key not in grains:
            number = len(grains) % len(phases)
            grains[key] = (number, _spots(phases[number], rng), rng.uniform(0.985, 1.015), rng.uniform(0, 2 * math.pi))
        phase[iy, ix], (places, intensity), scale, lit_from = grains[key]
        wander = np.array(faults.drift[0]) * iy / max(ny - 1, 1) + np.array(faults.drift[1]) * ix / max(nx - 1, 1)
        centre = (np.array(SHAPE) - 1) / 2 + wander + rng.normal(0, faults.jitter_px, 2)
        centres[iy, ix] = centre
        at = centre + (places / scale) @ distort.T
        rate = np.zeros(SHAPE)
        share = intensity / intensity.sum() * (1 - faults.beam_share)
        for place, weight in zip(at, share, strict=True):
            _add_disc(rate, place, faults.disc_px, weight * faults.electrons)
        _add_disc(rate, centre, faults.disc_px, faults.beam_share * faults.electrons, faults.texture, lit_from)
        frames[iy, ix] = np.minimum(noise.poisson(rate + 0.02), 65535)
    return MadeScan(frames, centres, phase)


def _spots(phase: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    turn = Rotation(_random_quaternion(rng))
    spots = excited_spots(phase, turn, calibration=CALIBRATION, detector_size=SHAPE[0], max_excitation_error=0.03)
    return spots.g[:, ::-1] / CALIBRATION, np.sqrt(spots.intensity)


def _random_quaternion(rng: np.random.Generator) -> np.ndarray:
    values = rng.normal(size=(1, 4))
    return values / np.linalg.norm(values)


def _add_disc(
    rate: np.ndarray, place: np.ndarray, radius: float, counts: float, texture: float = 0.0, lit_from: float = 0.0
) -> None:
    """Add a disc with a soft edge; ``texture`` makes it brighter towards one side."""
    half = math.ceil(radius) + 3
    row, column = np.round(place).astype(int)
    if not (half <= row < rate.shape[0] - half and half <= column < rate.shape[1] - half):
        return
    fine = (np.arange((2 * half + 1) * 4) + 0.5) / 4 - half - 0.5
    y, x = fine[:, None] - (place[0] - row), fine[None, :] - (place[1] - column)
    edge = 1 / (1 + np.exp((np.hypot(y, x) - radius) / 0.15))
    lit = edge * np.maximum(1 + texture / radius * (y * math.sin(lit_from) + x * math.cos(lit_from)), 0)
    pixels = lit.reshape(2 * half + 1, 4, 2 * half + 1, 4).sum(axis=(1, 3))
    rate[row - half : row + half + 1, column - half : column + half + 1] += counts * pixels / pixels.sum()


def make_powder(
    phase: str, faults: Faults, centre: tuple[float, float] = (80.3, 78.9), n_spots: int = 4000
) -> np.ndarray:
    """Make a frame of many small grains: (rows, columns) uint32, its beam as bright as all its rings together."""
    rng = np.random.default_rng([faults.seed, 3])
    lines = powder_lines(reflection_list(phase, 1.8), (0.05, 1.8))
    weight = lines.strength * lines.q  # a ring is as bright as it is high and long
    a, b = faults.ellipse
    distort = np.array([[1 + a, b], [b, 1 - a]])
    rate, middle = np.zeros(SHAPE), np.array(centre)
    for line in rng.choice(len(weight), n_spots, p=weight / weight.sum()):
        azimuth = rng.uniform(0, 2 * math.pi)
        place = distort @ np.array([math.cos(azimuth), math.sin(azimuth)]) * lines.q[line] / CALIBRATION
        _add_disc(rate, middle + place, faults.disc_px, rng.exponential())
    rate *= faults.electrons / rate.sum()
    _add_disc(rate, middle, faults.disc_px, faults.electrons)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    halo = np.exp(-np.hypot(y - centre[0], x - centre[1]) / 20)
    return rng.poisson(rate + 0.15 * faults.electrons * halo / halo.sum() + 0.02).astype(np.uint32)
