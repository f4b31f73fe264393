"""What real patterns show beyond the ideal ones, written from the equations (docs/physics.md §§2–7).

Conditions are those of a simulator's draws; spots are :class:`tests.oracles.ewald.Spots`, positions in Å⁻¹ at the
nominal calibration of the detector, as its pixels show them.
"""

from functools import lru_cache

import numpy as np
from orix.quaternion import Rotation
from scipy.constants import c, e, m_e
from scipy.integrate import quad
from scipy.special import i0e, j0

from difsims_core.crystal.phases import load_phase
from tests.oracles import ewald, slab
from tests.oracles.ewald import Spots
from tests.oracles.image_route import CALIBRATION_PER_ANGSTROM, N_BINS, annulus_edges_px
from tests.oracles.structure_factor import Reflections, reflections

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)
_REACH_IN_SIGMA = 6.0


@lru_cache(maxsize=64)
def reflections_of(name: str, q_max: float, lattice_scale: float) -> Reflections:
    return reflections(load_phase(name), q_max, lattice_scale)


def cell_volume(name: str, lattice_scale: float = 1.0) -> float:
    """Return the volume of the scaled cell, Å³."""
    return load_phase(name).structure.lattice.volume * lattice_scale**3


def drawn_spots(spec, draws, i: int, *, label: int | None = None, second: bool = False, q_max: float = 1.7) -> Spots:
    """Return the spots of pattern ``i`` of ``draws``, removed ones dropped, without the direct beam."""
    name = spec.phases[i % len(spec.class_names) if label is None else label].name
    prefix = "second_" if second else ""
    diffraction = spec.diffraction
    found = ewald.spots(
        reflections_of(name, q_max, float(draws[f"{prefix}lattice_scale"][i])),
        Rotation(draws[f"{prefix}orientation"][i].astype(float)),
        beam_energy_kv=spec.microscope.beam_energy_kv,
        max_excitation_error=diffraction.max_excitation_error_per_angstrom,
        relrod_width=float(draws["relrod_width_per_angstrom"][i]),
        shape_factor=diffraction.shape_factor,
    )
    shown = 1 / float(draws["calibration_scale"][i])
    spots = Spots(found.gx * shown, found.gy * shown, found.intensity)
    return without_brightest(spots, int(draws["removed_spots"][i]))


def without_brightest(spots: Spots, mask: int) -> Spots:
    """Drop the (r + 1)-th brightest spot where bit r of ``mask`` is set."""
    order = np.argsort(-spots.intensity)
    gone = [order[r] for r in range(min(64, len(order))) if mask >> r & 1]
    return Spots(*(np.delete(values, gone) for values in (spots.gx, spots.gy, spots.intensity)))


def with_direct_beam(spots: Spots, relative: float) -> Spots:
    """Add one spot at the origin, ``relative`` times as strong as the brightest reflection."""
    return Spots(
        np.append(spots.gx, 0.0), np.append(spots.gy, 0.0), np.append(spots.intensity, relative * spots.intensity.max())
    )


def joined(parts: list[Spots], weights: list[float]) -> Spots:
    """Return the spots of all parts, their intensities weighted."""
    return Spots(
        np.concatenate([part.gx for part in parts]),
        np.concatenate([part.gy for part in parts]),
        np.concatenate([weight * part.intensity for part, weight in zip(parts, weights, strict=True)]),
    )


def extinction_distance(f: np.ndarray, volume: float, beam_energy_kv: float) -> np.ndarray:
    """Return ξ_g = π Ω / (λ γ |F_g|), Å; F in Å at rest mass, Ω in Å³."""
    return np.pi * volume / (ewald.wavelength_angstrom(beam_energy_kv) * slab.mass_ratio(beam_energy_kv) * f)


def blackman(a: float) -> float:
    """Return (1/A) ∫₀^A J₀(2x) dx, dynamical over kinematical intensity (Blackman 1939, eq. 16)."""
    if a == 0:
        return 1.0
    return quad(lambda x: j0(2 * x), 0, a, limit=400)[0] / a


def tilts(semi_angle: float, n: int) -> np.ndarray:
    """Return (n, 2) directions spread evenly over the illumination cone, radians (sunflower points)."""
    radius = semi_angle * np.sqrt((np.arange(n) + 0.5) / n)
    azimuth = np.arange(n) * np.pi * (3 - np.sqrt(5))
    return np.column_stack([radius * np.cos(azimuth), radius * np.sin(azimuth)])


def tilted_spots(
    found: Reflections, rotation: Rotation, tilt: np.ndarray, beam_energy_kv: float, s_max: float, shape
) -> Spots:
    """Return the pattern of one plane wave with the in-plane wave vector k · tilt.

    The centre of its Ewald sphere is at k (-t_x, -t_y, √(1 - t²)): as in docs/physics.md §4, on the side of positive z.
    A reflection shows at g + k t, off by s = k √(1 - t²) - √(k² - (g + k t)²) - g_z along z.
    """
    k = 1 / ewald.wavelength_angstrom(beam_energy_kv)
    gx, gy, gz = ewald_frame(found, rotation).T
    x, y = gx + k * tilt[0], gy + k * tilt[1]
    s = k * np.sqrt(1 - tilt @ tilt) - np.sqrt(k**2 - x**2 - y**2) - gz
    excited = np.abs(s) <= s_max
    return Spots(x[excited], y[excited], found.intensity[excited] * shape(s[excited]))


def ewald_frame(found: Reflections, rotation: Rotation) -> np.ndarray:
    """Return (m, 3) lattice vectors in the frame of the microscope, as ``ewald.spots`` turns them."""
    return found.g @ (~rotation).to_matrix()[0].T


def distorted(
    spots: Spots,
    ellipticity: float,
    direction_deg: float,
    centre_px: np.ndarray,
    calibration: float = CALIBRATION_PER_ANGSTROM,
) -> Spots:
    """Move spots as an ellipse of the same area with long / short = 1 + ε does, then by the error of the centre."""
    ratio = np.sqrt(1 + ellipticity)
    angle = np.deg2rad(direction_deg)
    along = spots.gx * np.cos(angle) + spots.gy * np.sin(angle)
    across = -spots.gx * np.sin(angle) + spots.gy * np.cos(angle)
    along, across = along * ratio, across / ratio
    x = along * np.cos(angle) - across * np.sin(angle) + centre_px[0] * calibration
    y = along * np.sin(angle) + across * np.cos(angle) + centre_px[1] * calibration
    return Spots(x, y, spots.intensity)


def lenz(q: np.ndarray, screening: float, energy_loss_ev: float, beam_energy_kv: float) -> np.ndarray:
    """Return Lenz's inelastic distribution over its value at q = 0.1 Å⁻¹ (Egerton 2011, eq. 3.16)."""
    gamma = slab.mass_ratio(beam_energy_kv)
    speed_squared = c**2 * (1 - 1 / gamma**2)
    theta_e = energy_loss_ev * e / (gamma * m_e * speed_squared)
    q_e = theta_e / ewald.wavelength_angstrom(beam_energy_kv)

    def distribution(q: np.ndarray) -> np.ndarray:
        squared = np.asarray(q, float) ** 2 + q_e**2
        return (1 - 1 / (1 + squared / screening**2) ** 2) / squared**2

    return distribution(q) / distribution(0.1)


def visible(x_px: np.ndarray, y_px: np.ndarray, stop_px: float, gap_px: float, offset_px: float, *, along_x: bool):
    """Tell which places (x, y) from the beam, pixels, lie beside the beam stop and the gap (along x: at y = offset)."""
    distance = np.abs((y_px if along_x else x_px) - offset_px)
    return (np.hypot(x_px, y_px) >= stop_px) & (distance >= gap_px / 2)


def radial_profile(spots: Spots, sigma_px: float, calibration: float = CALIBRATION_PER_ANGSTROM) -> np.ndarray:
    """Return the mean over each whole annulus, (256,): p(r) of docs/physics.md §5 integrated by Gauss's rule."""
    edges = annulus_edges_px(calibration)
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    r = middle[:, None] + half[:, None] * _NODES
    weight = r * _WEIGHTS * half[:, None] * 2 / (edges[1:] ** 2 - edges[:-1] ** 2)[:, None]
    profile = np.zeros(N_BINS)
    rho = np.hypot(spots.gx, spots.gy) / calibration
    for i in range(N_BINS):
        near = (rho > edges[i] - _REACH_IN_SIGMA * sigma_px) & (rho < edges[i + 1] + _REACH_IN_SIGMA * sigma_px)
        at = rho[near, None]
        p = np.exp(-((r[i] - at) ** 2) / (2 * sigma_px**2)) * i0e(r[i] * at / sigma_px**2)
        profile[i] = spots.intensity[near] @ p @ weight[i] / (2 * np.pi * sigma_px**2)
    return profile


def polar_pattern(spots: Spots, sigma_px: float, calibration: float = CALIBRATION_PER_ANGSTROM) -> np.ndarray:
    """Return the mean over each polar cell, (256, 360): Gaussians integrated by Gauss's rule, frame ignored."""
    edges = annulus_edges_px(calibration)
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    r = middle[:, None] + half[:, None] * _NODES
    weight = r * _WEIGHTS * half[:, None] * 2 / (edges[1:] ** 2 - edges[:-1] ** 2)[:, None]
    cells = np.zeros((N_BINS, 360))
    reach = _REACH_IN_SIGMA * sigma_px
    for gx, gy, intensity in zip(spots.gx, spots.gy, spots.intensity, strict=True):
        rho, azimuth = np.hypot(gx, gy) / calibration, np.rad2deg(np.arctan2(gy, gx))
        rows = np.flatnonzero((edges[1:] > rho - reach) & (edges[:-1] < rho + reach))
        angle = 180.0 if rho <= reach else np.rad2deg(np.arcsin(reach / rho))
        columns = np.arange(np.floor(azimuth - angle), min(np.ceil(azimuth + angle), np.floor(azimuth - angle) + 360))
        phi = np.deg2rad((columns + 0.5)[:, None] + 0.5 * _NODES - azimuth)
        x = r[rows][:, :, None, None] * np.cos(phi) - rho
        y = r[rows][:, :, None, None] * np.sin(phi)
        density = np.exp(-(x**2 + y**2) / (2 * sigma_px**2)) @ (_WEIGHTS / 2)
        mean = np.einsum("rn,rnc->rc", weight[rows], density)
        cells[np.ix_(rows, columns.astype(int) % 360)] += intensity / (2 * np.pi * sigma_px**2) * mean
    return cells


def masked_profile(
    spots: Spots, sigma_px: float, hides: dict, bins: slice, calibration: float = CALIBRATION_PER_ANGSTROM
) -> np.ndarray:
    """Return the mean over the visible part of each annulus of ``bins``, 0 where there is none, point by point.

    ``hides`` are the arguments of ``visible``. Six circles an annulus and eight points a degree: 0.2 px at most.
    """
    edges = annulus_edges_px(calibration)[bins.start : bins.stop + 1]
    part = (np.arange(6) + 0.5) / 6
    r = (edges[:-1, None] + part * np.diff(edges)[:, None]).ravel()
    phi = np.deg2rad((np.arange(2880) + 0.5) / 8)
    x, y = r[:, None] * np.cos(phi), r[:, None] * np.sin(phi)
    seen = visible(x, y, **hides) * r[:, None]
    image = np.zeros(x.shape)
    reach = _REACH_IN_SIGMA * sigma_px
    for gx, gy, intensity in zip(spots.gx / calibration, spots.gy / calibration, spots.intensity, strict=True):
        rho = np.hypot(gx, gy)
        rows = slice(*np.searchsorted(r, [rho - reach, rho + reach]))
        angle = 1440 if rho <= reach else int(np.ceil(np.rad2deg(np.arcsin(reach / rho)) * 8)) + 1
        columns = (int(np.floor(np.rad2deg(np.arctan2(gy, gx)) * 8)) + np.arange(-angle, angle)) % 2880
        distance = (x[rows, columns] - gx) ** 2 + (y[rows, columns] - gy) ** 2
        image[rows, columns] += intensity / (2 * np.pi * sigma_px**2) * np.exp(-distance / (2 * sigma_px**2))
    total = (image * seen).sum(axis=1).reshape(-1, 6).sum(axis=1)
    weight = seen.sum(axis=1).reshape(-1, 6).sum(axis=1)
    return np.divide(total, weight, out=np.zeros(len(total)), where=weight > 0)
