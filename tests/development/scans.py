"""Make raw 4D-STEM scans with truth, on which recipes are chosen: neither of the physics of training nor shared data.

    python -m tests.development.scans FOLDER [--small] [--only NAME …] [--spots FOLDER]

Writes ``<name>.hspy`` and ``<name>_mask.npy``, which ``difsims preprocess`` reads, and ``truth/<name>_truth.npz`` with
the keys of the truth of the shared films. They are made from the spots that are stored beside this file: four scans of
multislice, four of Bloch waves; no two have a grain in common. ``--small``: 8 × 8 positions each. The same command
writes the same counts.

A scan is a Voronoi mosaic, blended across its boundaries: discs, blurred by the detector; an amorphous ring, a decaying
background, inelastically scattered electrons about the direct beam; drift, an ellipse, a wrong calibration; dead
columns and hot pixels. One row of positions is in memory at a time.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import h5py
import numpy as np
from diffpy.structure import loadStructure
from scipy.spatial.transform import Rotation

from difsims_core.crystal.catalogue import find_crystal
from difsims_core.crystal.phases import load_crystal
from tests.development.frames import Optics, share_of_rings, sums_as_density
from tests.development.mosaic import Mosaic
from tests.development.spots import GrainSpots, StoredSpots, orientation_matrix, read_spots

PHASES = ("p4mbm_scaled_mixed_halide", "gratia_2h", "pbi2_2h")
BEAM_ENERGY_KV, WAVELENGTH_ANGSTROM, STEP_NM, SIZE_PX = 200.0, 0.0250793, 3.87, 256
HOT_READING = 4095
_DEAD_COLUMNS, _HOT_PIXELS = 2, 12
_AMORPHOUS = 0.07  # of the seeds of a mosaic
_AXES = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
"""In the truth of the shared films rows are numbered along x and the beam runs along +z; here along y, and along −z."""


@dataclass(frozen=True)
class Recipe:
    """What is chosen of a scan: its grains among those stored, positions along an edge, electrons a pattern."""

    name: str
    spots: str
    first: int
    grains: int
    side: int
    electrons: float
    calibration: float = 0.01176  # that the file names, Å⁻¹ a pixel


RECIPES = (
    Recipe("multislice_1", "multislice", 0, 100, 40, 60_000),
    Recipe("multislice_2", "multislice", 100, 100, 40, 14_000),
    Recipe("multislice_3", "multislice", 200, 100, 40, 3_500, 0.0135),
    Recipe("multislice_4", "multislice", 300, 100, 40, 1_500),
    Recipe("bloch_1", "bloch", 0, 160, 44, 30_000),
    Recipe("bloch_2", "bloch", 160, 160, 44, 8_000),
    Recipe("bloch_3", "bloch", 320, 160, 44, 3_000),
    Recipe("bloch_4", "bloch", 480, 160, 44, 1_000),
)


def small(recipe: Recipe) -> Recipe:
    """Return the same with few grains and positions."""
    return replace(recipe, grains=7, side=8)


@dataclass(frozen=True)
class Conditions:
    """What is drawn for a scan.

    Attributes
    ----------
    optics
        How patterns lie on the detector.
    shifts : (ny, nx, 2)
        Of the beam, row and column, px.
    smooth, ring : (len(Q),)
        What lies under every pattern, as a part of its electrons per Å⁻², and its amorphous ring alone, normalised.
    crystalline
        Part of the electrons that is in no smooth curve.
    in_halo
        Part of these that patches without a crystal scatter into the ring.
    dead, hot
        Columns; (12, 2) pixels.
    """

    optics: Optics
    shifts: np.ndarray
    smooth: np.ndarray
    ring: np.ndarray
    crystalline: float
    in_halo: float
    dead: np.ndarray
    hot: np.ndarray

    @classmethod
    def draw(cls, recipe: Recipe, random: np.random.Generator) -> Conditions:
        """Draw them."""
        true = recipe.calibration * (1 + random.uniform(-0.01, 0.01))
        half, angle = random.uniform(0.003, 0.025) / 2, random.uniform(0, np.pi)
        a, b = half * np.cos(2 * angle), half * np.sin(2 * angle)
        disc_px = random.uniform(0.4e-3, 1.0e-3) / WAVELENGTH_ANGSTROM / true
        optics = Optics(SIZE_PX, true, np.array([[1 + a, b], [b, 1 - a]]), disc_px, random.uniform(0.4, 0.9))

        places = np.stack(np.meshgrid(*[np.arange(recipe.side)] * 2, indexing="ij"), axis=-1)
        plane = random.uniform(-3, 3, size=2) + places @ random.uniform(-3, 3, size=(2, 2)) / recipe.side
        shifts = plane + random.normal(scale=random.uniform(0.05, 0.3), size=plane.shape)

        at, width = random.uniform(0.30, 0.36), random.uniform(0.025, 0.05)
        decay, screening = random.uniform(1.5, 4.0), random.uniform(0.3, 0.8)
        ring = share_of_rings(lambda q: _bump(q, at, width) + 0.3 * _bump(q, 1.75 * at, 1.6 * width))
        shares = np.exp(random.uniform(np.log([0.002, 0.008, 0.002]), np.log([0.03, 0.06, 0.05])))
        background = share_of_rings(lambda q: np.exp(-decay * q))
        inelastic = share_of_rings(lambda q: 1 / (q**2 + 0.02**2) / (1 + (q / screening) ** 2) ** 2)
        return cls(
            optics,
            shifts,
            shares @ np.stack([ring, background, inelastic]),
            ring,
            1 - shares.sum(),
            random.uniform(0.05, 0.25),
            random.choice(SIZE_PX, _DEAD_COLUMNS, replace=False),
            random.integers(0, SIZE_PX, size=(_HOT_PIXELS, 2)),
        )

    @property
    def mask(self) -> np.ndarray:
        """Pixels that count."""
        good = np.ones((SIZE_PX, SIZE_PX), bool)
        good[:, self.dead] = False
        good[tuple(self.hot.T)] = False
        return good


def _bump(q: np.ndarray, at: float, width: float) -> np.ndarray:
    return np.exp(-((q - at) ** 2) / (2 * width**2))


@dataclass(frozen=True)
class Shown:
    """What a seed of the mosaic shows: g (n, 2) with the direct beam, and what is in each and diffuse, together 1."""

    phase: int
    g: np.ndarray
    intensity: np.ndarray
    diffuse: np.ndarray
    quaternion: np.ndarray
    scale: float

    @classmethod
    def crystal(cls, grain: GrainSpots, level: int, edges: np.ndarray) -> Shown:
        """Return a grain behind one of its thicknesses."""
        g = np.concatenate([np.zeros((1, 2)), grain.g])
        intensity = np.append(grain.direct[level], grain.intensity[:, level])
        seen = intensity.sum() + grain.diffuse[level].sum()
        diffuse = sums_as_density(grain.diffuse[level], edges)
        return cls(grain.phase, g, intensity / seen, diffuse / seen, film_quaternion(grain), grain.scale)

    @classmethod
    def amorphous(cls, conditions: Conditions) -> Shown:
        """Return a patch without a crystal."""
        beam, halo = np.array([1 - conditions.in_halo]), conditions.in_halo * conditions.ring
        return cls(-1, np.zeros((1, 2)), beam, halo, np.full(4, np.nan), np.nan)


@cache
def _between_frames(name: str) -> np.ndarray:
    """Return the turn from the Cartesian frame of diffpy to that of orix."""
    return np.linalg.solve(load_crystal(name).structure.cell.base, loadStructure(find_crystal(name)).lattice.base)


def film_quaternion(grain: GrainSpots) -> np.ndarray:
    """Return an orientation as the truth of the shared films holds it, (x, y, z, w): specimen from crystal."""
    specimen = _AXES @ orientation_matrix(grain.quaternion).T @ _between_frames(PHASES[grain.phase])
    return Rotation.from_matrix(specimen).as_quat()


def write_scan(folder: Path, recipe: Recipe, stored: StoredSpots) -> None:
    """Write a scan, its mask and its truth."""
    key = zlib.crc32(recipe.name.encode())
    random = np.random.Generator(np.random.Philox(key=[key, 0]))
    conditions = Conditions.draw(recipe, random)
    n_amorphous = max(2, round(_AMORPHOUS * recipe.grains))
    mosaic = Mosaic.of(recipe.side, recipe.grains + n_amorphous, random)
    header = json.loads(str(stored.header))
    low, high, rings = header.get("diffuse_rings_per_angstrom", (0, 1, 0))
    levels = random.integers(0, stored.thickness.shape[1], size=recipe.grains)
    crystals = [
        Shown.crystal(stored.grain(recipe.first + i), level, np.linspace(low, high, rings + 1))
        for i, level in enumerate(levels.tolist())
    ]
    shown = crystals + [Shown.amorphous(conditions)] * n_amorphous
    order = random.permutation(len(shown))  # seeds are placed one after another
    shown = [shown[i] for i in order]
    frames = np.where(order < recipe.grains, order, -1)
    _write_hspy(folder / f"{recipe.name}.hspy", recipe, _rows(recipe, conditions, mosaic, shown, key))
    np.save(folder / f"{recipe.name}_mask.npy", conditions.mask)
    phase = np.array([one.phase for one in shown], np.int8)
    np.savez_compressed(
        folder / "truth" / f"{recipe.name}_truth.npz",
        label=phase[mosaic.larger],
        second=phase[mosaic.smaller],
        fraction=mosaic.fraction.astype(np.float32),
        phases=np.array(PHASES),
        boundary=mosaic.fraction < 1,
        frame=frames[mosaic.larger].astype(np.int16),
        quaternion_xyzw=np.stack([one.quaternion for one in shown])[mosaic.larger].astype(np.float32),
        lattice_scale=np.array([one.scale for one in shown], np.float32)[mosaic.larger],
        shifts_yx_px=conditions.shifts,
        distortion_yx=conditions.optics.distortion,
        calibration_per_angstrom=conditions.optics.calibration,
        dose=recipe.electrons,
    )


def _rows(recipe: Recipe, conditions: Conditions, mosaic: Mosaic, shown: list[Shown], key: int) -> Iterable[np.ndarray]:
    """Yield the counts of each row of positions, (nx, ny_detector, nx_detector) uint16."""
    for y in range(recipe.side):
        row = np.empty((recipe.side, SIZE_PX, SIZE_PX), np.uint16)
        for x in range(recipe.side):
            one, other = shown[mosaic.larger[y, x]], shown[mosaic.smaller[y, x]]
            parts = conditions.crystalline * np.array([mosaic.fraction[y, x], 1 - mosaic.fraction[y, x]])
            expected = conditions.optics.frame(
                conditions.shifts[y, x],
                np.concatenate([one.g, other.g]),
                recipe.electrons * np.concatenate([parts[0] * one.intensity, parts[1] * other.intensity]),
                recipe.electrons * (conditions.smooth + parts @ np.stack([one.diffuse, other.diffuse])),
            )
            random = np.random.Generator(np.random.Philox(key=[key, 1 + y * recipe.side + x]))
            row[x] = random.poisson(expected).clip(0, 65_535)
        row[:, :, conditions.dead] = 0
        row[:, conditions.hot[:, 0], conditions.hot[:, 1]] = HOT_READING
        yield row


def _write_hspy(file: Path, recipe: Recipe, rows: Iterable[np.ndarray]) -> None:
    """Write HyperSpy's HDF5."""
    axes = (
        ("y", STEP_NM, "nm"),
        ("x", STEP_NM, "nm"),
        ("ky", recipe.calibration, "1/A"),
        ("kx", recipe.calibration, "1/A"),
    )
    shape = (recipe.side, recipe.side, SIZE_PX, SIZE_PX)
    with h5py.File(file, "w") as opened:
        signal = opened.create_group(f"Experiments/{recipe.name}")
        for number, (name, scale, unit) in enumerate(axes):
            signal.create_group(f"axis-{number}").attrs.update(
                _type="UniformDataAxis", name=name, scale=scale, units=unit, offset=0.0,
                size=shape[number], navigate=number < 2,
            )  # fmt: skip
        signal.create_group("metadata/Acquisition_instrument/TEM").attrs["beam_energy"] = BEAM_ENERGY_KV
        packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
        data = signal.create_dataset("data", shape, np.uint16, chunks=(1, 4, SIZE_PX, SIZE_PX), **packed)
        for y, row in enumerate(rows):
            data[y] = row


def main() -> None:
    """Write the scans."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", action="store_true", help="8 × 8 positions each")
    parser.add_argument("--only", nargs="+", choices=[recipe.name for recipe in RECIPES], metavar="NAME")
    parser.add_argument("--spots", type=Path, default=Path(__file__).parent, help="folder of the stored spots")
    arguments = parser.parse_args()
    (arguments.folder / "truth").mkdir(parents=True, exist_ok=True)
    for recipe in RECIPES:
        if arguments.only is None or recipe.name in arguments.only:
            stored = read_spots(arguments.spots / f"{recipe.spots}_spots.npz")
            write_scan(arguments.folder, small(recipe) if arguments.small else recipe, stored)


if __name__ == "__main__":
    main()
