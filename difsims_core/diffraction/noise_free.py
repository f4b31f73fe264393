"""Noise-free profiles, polar patterns, images and spots of chosen orientations: for checks, templates, teaching."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from difsims_core.config.documents import make_spec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal import libraries
from difsims_core.crystal.phases import as_crystal
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.engines.base import Engine
from difsims_core.diffraction.geometry import Geometry
from difsims_core.diffraction.quantities import QUANTITIES
from difsims_core.diffraction.spots import DetectedSpots
from difsims_core.errors import InputError
from difsims_core.families import ENGINES
from difsims_core.signal.cell_pixels import polar_cells
from difsims_core.signal.polar_grid import PolarGrid

if TYPE_CHECKING:
    from orix.crystal_map import Phase
    from orix.quaternion import Rotation

_OF_DIFFRACTION = (
    "engine", "precession_angle_deg", "shape_factor", "scattering_factors", "debye_waller", "thickness_angstrom"
)  # fmt: skip
_FURTHER = (*_OF_DIFFRACTION, "lattice_scale", "intensities")


def radial_profiles(
    phase: str | Path | Phase,
    rotations: Rotation,
    beam_energy_kv: float = 200,
    max_excitation_error: float = 0.02,
    relrod_width: float = 0.02,
    sigma_px: float = 4.0,
    calibration: float = 0.00588,
    detector_size: int = 515,
    **further: Any,
) -> np.ndarray:
    """Return the noise-free radial profile of each orientation, not normalised.

    Parameters
    ----------
    phase
        A catalogue name, the path of a CIF file, or an orix phase.
    rotations
        n orientations (crystal ← sample, as orix defines it).
    beam_energy_kv
        Accelerating voltage, kV.
    max_excitation_error, relrod_width
        Å⁻¹ (docs/physics.md §4).
    sigma_px
        Standard deviation of a spot, pixels.
    calibration, detector_size
        Å⁻¹ per pixel, and pixels along one edge.
    further
        ``engine`` ("kinematical"), ``precession_angle_deg`` (0), ``shape_factor`` ("lorentzian"),
        ``scattering_factors`` ("lobato"), ``debye_waller`` ("none"), ``thickness_angstrom`` (none), ``lattice_scale``
        (1) and ``intensities`` (none), with the meaning they have in a parameter document. ``intensities="bloch"``, or
        ``{"model": "bloch", …}``, with a thickness gives dynamical diffraction (docs/physics.md §11).

    Returns
    -------
    (n, 256) float32: mean intensity per pixel of each annulus (docs/physics.md §2).

    Raises
    ------
    InputError
        If the phase cannot be read, ``rotations`` are no rotations, or a value is out of range.

    Examples
    --------
    The strongest annulus of lead along [001] is that of its 200 spots, q = 2 / 4.95 Å = 0.404 Å⁻¹:

    >>> from difsims_core import radial_profiles
    >>> from orix.quaternion import Rotation
    >>> profiles = radial_profiles("pb", Rotation.identity(), sigma_px=2)
    >>> profiles.shape
    (1, 256)
    >>> strongest = int(profiles[0].argmax())
    >>> strongest, round(strongest * 0.008290514530472063, 3)
    (49, 0.406)
    """
    chosen = _Chosen.of(
        phase, rotations, beam_energy_kv, max_excitation_error, relrod_width, sigma_px, calibration, detector_size,
        further,
    )  # fmt: skip
    return chosen.engine.profiles(chosen.draws, chosen.labels)[0]


def polar_patterns(
    phase: str | Path | Phase,
    rotations: Rotation,
    beam_energy_kv: float = 200,
    max_excitation_error: float = 0.02,
    relrod_width: float = 0.02,
    sigma_px: float = 4.0,
    calibration: float = 0.00588,
    detector_size: int = 515,
    grid: PolarGrid | None = None,
    **further: Any,
) -> np.ndarray:
    """Return the noise-free polar pattern of each orientation, not normalised.

    Parameters
    ----------
    grid
        A reduced grid, such as ``PolarGrid()`` of `difsims_core.signal.polar_grid`: its cells read what the integration
        of an image gives them (docs/physics.md §12). By default the cells are those of the spots alone.
    others
        As in ``radial_profiles``.

    Returns
    -------
    (n, 256, 360) or (n, n_radii, n_azimuths) float32: mean intensity per pixel of each cell, azimuth in degrees from +x
    towards +y (docs/physics.md §2).

    Examples
    --------
    The mean over the azimuth is the radial profile:

    >>> from difsims_core import polar_patterns, radial_profiles
    >>> from orix.quaternion import Rotation
    >>> polar = polar_patterns("pb", Rotation.identity(), sigma_px=2)
    >>> polar.shape
    (1, 256, 360)
    >>> profile = radial_profiles("pb", Rotation.identity(), sigma_px=2)[0]
    >>> bool(abs(polar[0].mean(axis=1) - profile)[:180].max() < 1e-3 * profile.max())
    True
    """
    chosen = _Chosen.of(
        phase, rotations, beam_energy_kv, max_excitation_error, relrod_width, sigma_px, calibration, detector_size,
        further,
    )  # fmt: skip
    if grid is not None:
        return chosen.engine.polar_cells(chosen.draws, chosen.labels, polar_cells(detector_size, calibration, grid))[0]
    return chosen.engine.polar_patterns(chosen.draws, chosen.labels, slice(None))[0]


def excited_spots(
    phase: str | Path | Phase,
    rotations: Rotation,
    beam_energy_kv: float = 200,
    max_excitation_error: float = 0.02,
    relrod_width: float = 0.02,
    calibration: float = 0.00588,
    detector_size: int = 515,
    **further: Any,
) -> DetectedSpots:
    """Return the spots of each orientation on the detector; parameters as ``radial_profiles``.

    Examples
    --------
    >>> from difsims_core import excited_spots
    >>> from orix.quaternion import Rotation
    >>> spots = excited_spots("pb", Rotation.identity())
    >>> brightest = spots.intensity.argsort()[::-1][:4]
    >>> sorted(spots.hkl[brightest].tolist())
    [[-2, 0, 0], [0, -2, 0], [0, 2, 0], [2, 0, 0]]
    >>> spots.start.tolist()
    [0, 28]
    """
    chosen = _Chosen.of(
        phase, rotations, beam_energy_kv, max_excitation_error, relrod_width, 1.0, calibration, detector_size, further
    )
    return chosen.engine.detected_spots(chosen.draws, chosen.labels)


def patterns(
    phase: str | Path | Phase,
    rotations: Rotation,
    beam_energy_kv: float = 200,
    max_excitation_error: float = 0.02,
    relrod_width: float = 0.02,
    sigma_px: float = 4.0,
    calibration: float = 0.00588,
    shape: tuple[int, int] = (515, 515),
    **further: Any,
) -> np.ndarray:
    """Return the noise-free detector image of each orientation, not normalised.

    Parameters
    ----------
    shape
        (ny, nx) pixels; the beam is at the centre of the frame, x runs along columns, y along rows.
    others
        As in ``radial_profiles``.

    Returns
    -------
    (n, ny, nx) float32: intensity per pixel, sampled at the pixel centres (docs/physics.md §5).

    Raises
    ------
    InputError
        As ``radial_profiles``.

    Examples
    --------
    >>> from difsims_core import patterns
    >>> from orix.quaternion import Rotation
    >>> images = patterns("pb", Rotation.identity(), sigma_px=2, shape=(201, 201))
    >>> images.shape, images.dtype.name
    ((1, 201, 201), 'float32')
    """
    if len(shape) != 2 or min(shape) < 1:
        raise InputError(f"expected a shape (ny, nx) of an image, found {shape}")
    chosen = _Chosen.of(
        phase, rotations, beam_energy_kv, max_excitation_error, relrod_width, sigma_px, calibration,
        max(32, *shape), further, image=shape,
    )  # fmt: skip
    return chosen.engine.images(chosen.draws, chosen.labels, shape)[0]


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Orientations of one phase with the same conditions, ready to be drawn."""

    engine: Engine
    draws: Draws

    @classmethod
    def of(
        cls,
        phase: str | Path | Phase,
        rotations: Rotation,
        beam_energy_kv: float,
        max_excitation_error: float,
        relrod_width: float,
        sigma_px: float,
        calibration: float,
        size_px: int,
        further: dict[str, Any],
        image: tuple[int, int] | None = None,
    ) -> _Chosen:
        """Check the values as a document's are, and read the phase."""
        if unknown := sorted(set(further) - set(_FURTHER)):
            raise InputError(f"unknown argument {', '.join(unknown)} (further ones: {', '.join(_FURTHER)})")
        intensities = further.get("intensities")
        document = {
            "microscope": {"beam_energy_kv": beam_energy_kv},
            "detector": {"size_px": size_px, "calibration_per_angstrom": calibration},
            "diffraction": {
                "max_excitation_error_per_angstrom": max_excitation_error,
                "relrod_width_per_angstrom": relrod_width,
                **{name: further[name] for name in _OF_DIFFRACTION if name in further},
            },
            "lattice_scale": further.get("lattice_scale", 1.0),
            "intensities": {"model": intensities} if isinstance(intensities, str) else intensities,
            "calibration_scale": 1.0,
            "spots": {"sigma_px": sigma_px, "removal": None},
            "noise": None,
            "background": None,
        }
        spec = make_spec(document, SimulationSpec, source="arguments")
        quaternions = _quaternions(rotations)
        geometry = Geometry.of(beam_energy_kv, spec.detector, np.array([sigma_px], np.float32))
        reach_px = geometry.reach_px if image is None else geometry.image_frame(image).reach
        engine = ENGINES[spec.engine].prepare(spec, [as_crystal(phase)], geometry, reach_px * calibration)
        return cls(engine, _constant_draws(spec, quaternions))

    @property
    def labels(self) -> np.ndarray:
        """(n,) zeros: all patterns are of the one phase."""
        return np.zeros(len(self.draws.patterns), np.int64)


def _quaternions(rotations: Rotation) -> np.ndarray:
    """Return (n, 4) float64."""
    if not isinstance(rotations, libraries.Rotation):
        raise InputError(
            f"expected an orix Rotation, found {type(rotations).__name__}",
            "make one with Rotation.from_euler(angles, degrees=True) or Rotation(quaternions)",
        )
    quaternions = np.asarray(rotations.data, float).reshape(-1, 4)
    if not np.all(np.linalg.norm(quaternions, axis=1) > 0.5):
        raise InputError("a rotation has the quaternion (0, 0, 0, 0) or nearly", "every one must be a unit quaternion")
    return quaternions


def _constant_draws(spec: SimulationSpec, quaternions: np.ndarray) -> Draws:
    """Return draws that hold the chosen values instead of random ones."""
    n = len(quaternions)
    values = {
        "orientation": quaternions,
        "lattice_scale": np.full(n, spec.lattice_scale.support()[0]),
        "removed_spots": np.zeros(n, np.uint8),
    }
    for quantity in QUANTITIES:
        wanted = quantity.wanted(spec)
        if wanted is not None or quantity.absent is not None:
            values[quantity.name] = np.full(n, quantity.absent if wanted is None else wanted.support()[0])
    values["sigma_px"] = values["sigma_px"].astype(np.float32)
    return Draws(np.arange(n, dtype=np.int64), values)
