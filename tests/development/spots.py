"""Spots of many grains, stored compactly: positions and intensities behind each thickness (docs/physics.md §4)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

_G_STEP = 5e-5  # Å⁻¹, of stored positions
_UNIT = 1e-4  # of the incident beam, of stored intensities: float16 has its full precision above 6·10⁻⁵ units


@dataclass(frozen=True)
class GrainSpots:
    """The spots of one grain; intensities are parts of the incident beam.

    Attributes
    ----------
    phase
        Index.
    quaternion : (4,)
        Orientation, crystal ← sample, scalar first.
    scale, u
        Of the lattice; displacement along each axis, Å.
    thickness : (t,)
        Å.
    direct, total : (t,)
        Of the direct beam; of everything behind the grain.
    g : (n, 2)
        Å⁻¹.
    intensity : (n, t)
    diffuse : (t, rings)
        Between the spots, summed over rings; no rings: nothing.
    """

    phase: int
    quaternion: np.ndarray
    scale: float
    u: float
    thickness: np.ndarray
    direct: np.ndarray
    g: np.ndarray
    intensity: np.ndarray
    diffuse: np.ndarray
    total: np.ndarray


@dataclass(frozen=True)
class StoredSpots:
    """The spots of many grains, end to end: those of grain i are ``start[i]:start[i + 1]``; as `GrainSpots`."""

    header: np.ndarray
    phase: np.ndarray
    quaternion: np.ndarray
    scale: np.ndarray
    u: np.ndarray
    thickness: np.ndarray
    direct: np.ndarray
    total: np.ndarray
    diffuse: np.ndarray
    start: np.ndarray
    g: np.ndarray
    intensity: np.ndarray

    def grain(self, number: int) -> GrainSpots:
        """Return one grain, in the units of `GrainSpots`."""
        part = slice(self.start[number], self.start[number + 1])
        return GrainSpots(
            phase=int(self.phase[number]),
            quaternion=self.quaternion[number],
            scale=float(self.scale[number]),
            u=float(self.u[number]),
            thickness=self.thickness[number],
            direct=self.direct[number],
            total=self.total[number],
            diffuse=self.diffuse[number].astype(float) * _UNIT,
            g=self.g[part] * _G_STEP,
            intensity=self.intensity[part].astype(float) * _UNIT,
        )


def orientation_matrix(quaternion: np.ndarray) -> np.ndarray:
    """Return R, crystal ← sample, of a unit quaternion: g of the laboratory is ~R g, or g @ R for rows."""
    a, b, c, d = quaternion
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a - b * b + c * c - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a - b * b - c * c + d * d],
        ]
    )


def append(stored: StoredSpots | None, grain: GrainSpots, header: str) -> StoredSpots:
    """Return the stored spots with one more grain."""
    one = StoredSpots(
        header=np.array(header),
        phase=np.array([grain.phase], dtype=np.int8),
        quaternion=grain.quaternion[None],
        scale=np.array([grain.scale]),
        u=np.array([grain.u]),
        thickness=grain.thickness[None].astype(np.float32),
        direct=grain.direct[None].astype(np.float32),
        total=grain.total[None].astype(np.float32),
        diffuse=(grain.diffuse[None] / _UNIT).astype(np.float16),
        start=np.array([0, len(grain.g)]),
        g=np.rint(grain.g / _G_STEP).astype(np.int16),
        intensity=(grain.intensity / _UNIT).astype(np.float16),
    )
    if stored is None:
        return one
    joined = {
        field.name: np.concatenate([getattr(stored, field.name), getattr(one, field.name)])
        for field in fields(StoredSpots)
        if field.name not in ("header", "start")
    }
    return replace(stored, start=np.append(stored.start, stored.start[-1] + len(grain.g)), **joined)


def write_spots(file: Path, spots: StoredSpots) -> None:
    """Write an npz file in place of what is there."""
    written = file.with_suffix(".part.npz")
    np.savez_compressed(written, **{field.name: getattr(spots, field.name) for field in fields(StoredSpots)})
    written.replace(file)


def read_spots(file: Path) -> StoredSpots:
    """Read what `write_spots` wrote."""
    with np.load(file, allow_pickle=False) as arrays:
        return StoredSpots(**{field.name: arrays[field.name] for field in fields(StoredSpots)})
