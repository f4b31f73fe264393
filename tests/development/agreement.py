"""How well the spots of a grain by multislice agree with those of the dynamical engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from orix.quaternion import Rotation
from scipy.spatial import cKDTree

from difsims_core import excited_spots
from tests.development.spots import GrainSpots

STRONGEST = 20
_ONE_SPOT = 1e-3  # Å⁻¹: nearer than that, spots are seen as one


@dataclass(frozen=True)
class Agreement:
    """Of one grain behind one thickness.

    Attributes
    ----------
    farthest
        Of the twenty strongest spots from the engine's, Å⁻¹.
    r, correlation
        Of their intensities; R = Σ|I − I'|/ΣI. Of moved atoms (frozen phonons) they are scaled to each other first, as
        both lose electrons between the spots, the engine by absorption; of the smeared potential they are as they are.
    held
        Part of the scattered intensity up to 1.5 Å⁻¹ that lies in spots.
    """

    farthest: float
    r: float
    correlation: float
    held: float

    @classmethod
    def of(cls, grain: GrainSpots, level: int, phase: str, *, smeared: bool) -> Agreement:
        """Compare with the engine, whose beams are fine."""
        found = excited_spots(
            phase,
            Rotation(grain.quaternion[None]),
            max_excitation_error=0.05,
            calibration=0.01176,
            detector_size=256,
            thickness_angstrom=float(grain.thickness[level]),
            lattice_scale=grain.scale,
            intensities={
                "model": "bloch",
                "beams": "fine",
                "rms_displacement_angstrom": grain.u,
                "absorption": 0.0 if smeared else "phonons",
            },
        )
        strong = np.argsort(-grain.intensity[:, level])[:STRONGEST]
        away = cKDTree(found.g).query(grain.g[strong])[0]
        distance, nearest = cKDTree(grain.g).query(found.g)
        near = distance < _ONE_SPOT
        theirs = np.bincount(nearest[near], found.intensity[near], minlength=len(grain.g))[strong]
        ours = grain.intensity[strong, level]
        if not smeared:
            theirs = theirs * ours.sum() / theirs.sum()
        in_spots, between = grain.intensity[:, level].sum(), grain.diffuse[level].sum()
        return cls(
            float(away.max()),
            float(np.abs(ours - theirs).sum() / ours.sum()),
            float(np.corrcoef(ours, theirs)[0, 1]),
            float(in_spots / (in_spots + between)),
        )
