"""Make multislice_spots.npz: the spots of grains by multislice with frozen phonons, for scans that choose recipes.

Needs the optional extra ``proof`` (abTEM, ASE): ``python -m tests.development.multislice FILE [--grains 400]``, four
seconds a grain on one core; what is there is gone on with, and the file is written anew after every ten grains.
Nothing of difsims is imported: crystals are read by ASE; scattering factors (Lobato & Van Dyck), wavelength and
interaction constant are abTEM's.

A grain is a cluster of atoms that fills a box, in any orientation, each atom moved at random once (Einstein's model,
``u`` along each axis) unless ``--smeared``, where the mean potential stands instead. The wave is a Gaussian, so that
nothing of it reaches the edge of the box, where the crystal does not fit to itself. A slice is cut through the atoms
in three dimensions: flat atoms scatter into Laue zones that lie far from the sphere. The wave vector is along −z, as
in docs/physics.md §4, so that the first slice is the one of highest z.

The intensity behind each thickness is given to the nearest reflection whose lattice point lies near the sphere; what
is far from all of them is diffuse, kept as a sum over rings.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
import scipy.fft
from abtem.core.energy import energy2sigma, energy2wavelength
from abtem.parametrizations import LobatoParametrization
from ase.io import read
from scipy.spatial import cKDTree
from scipy.special import j0

from tests.development.spots import GrainSpots, append, orientation_matrix, read_spots, write_spots

CRYSTALS = Path(__file__).parents[2] / "crystal_files"
PHASES = "p4mbm_scaled_mixed_halide", "gratia_2h", "pbi2_2h"
BEAM_ENERGY_EV = 200e3
SEED = 20_260
BOX_ANGSTROM, PIXELS = 72.0, 450  # 0.16 Å: waves up to 2.1 Å⁻¹
WAVE_ANGSTROM = 12.0  # standard deviation of the amplitude: spots are 0.009 Å⁻¹ wide
SLICES = 48, 78, 120, 168, 222  # behind which the intensity is kept: 72–84 … 333–389 Å
SLICE_ANGSTROM = 1.5, 1.75
SCALE = 0.98, 1.02
U_ANGSTROM = 0.06, 0.11
REACH_ANGSTROM, DEPTH_ANGSTROM = 3.4, 3.0  # of an atom's potential, across and along the beam
EXCITATION_ERROR = 0.05  # Å⁻¹, of reflections that intensity is given to
SPOT_PER_ANGSTROM, DIRECT_PER_ANGSTROM = 0.034, 0.055  # from a reflection, beyond which intensity is diffuse
G_MAX, FAINT = 1.5, 1e-5
RINGS = np.linspace(0, G_MAX, 61)  # of the diffuse part, Å⁻¹
_RHO_STEP, _OFFSETS = 0.02, 33  # of the tables of atoms


@dataclass(frozen=True)
class Grain:
    """What is drawn for one grain."""

    phase: int
    quaternion: np.ndarray
    scale: float
    u: float
    slice_angstrom: float
    moves: np.random.Generator


def draw(number: int) -> Grain:
    """Draw a grain; what grain ``number`` is depends on nothing else."""
    random = np.random.Generator(np.random.Philox(key=[SEED, number]))
    quaternion = random.normal(size=4)
    return Grain(
        number % len(PHASES),
        quaternion / np.linalg.norm(quaternion),
        random.uniform(*SCALE),
        random.uniform(*U_ANGSTROM),
        random.uniform(*SLICE_ANGSTROM),
        random,
    )


def atom_table(element: str, b: float, dz: float) -> np.ndarray:
    """Return the potential of an atom between two planes dz apart, V Å, (offset of the planes' middle, ρ).

    The transform of the atom in the plane is cut off softly where the grid ends, so that sampling makes no images.
    """
    q, g_z = np.linspace(0, 3.1, 600), np.linspace(0, 6, 600)
    squared = q[:, None] ** 2 + g_z**2
    f = LobatoParametrization().projected_scattering_factor(element)(squared) * np.exp(-b * squared / 4)
    offsets = np.linspace(0, DEPTH_ANGSTROM + dz / 2, _OFFSETS)
    along = np.cos(2 * np.pi * g_z[:, None] * offsets) * np.sinc(g_z * dz)[:, None] * dz * 2 * np.gradient(g_z)[:, None]
    along[0] /= 2  # the trapezium rule
    cut = np.where(q < 2.1, 1, np.cos(np.pi / 2 * (q - 2.1) / 1.0) ** 2)
    rho = np.arange(0, REACH_ANGSTROM + 2 * _RHO_STEP, _RHO_STEP)
    across = 2 * np.pi * q * j0(2 * np.pi * q * rho[:, None]) * cut * np.gradient(q)
    taper = np.clip((REACH_ANGSTROM - rho) / 0.6, 0, 1)
    return np.ascontiguousarray(((across @ (f @ along)) * taper[:, None]).T.astype(np.float32))


def atoms_in_box(crystal, grain: Grain, depth: float) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (n, 3) of atoms in the box, the third along the wave, and their sites in the cell."""
    base = crystal.cell.array * grain.scale @ orientation_matrix(grain.quaternion)  # rows a, b, c in the laboratory
    base = base * [1, 1, -1]  # the wave goes along −z
    ends = np.array([BOX_ANGSTROM, BOX_ANGSTROM, depth])
    corners = np.stack(np.meshgrid(*([0, end] for end in ends), indexing="ij"), axis=-1).reshape(-1, 3)
    fractional = corners @ np.linalg.inv(base)
    ranges = [np.arange(np.floor(f.min()) - 1, np.ceil(f.max()) + 1) for f in fractional.T]
    cells = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3) @ base
    near = np.all((cells > -20) & (cells < ends + 20), axis=1)
    positions = (cells[near, None] + crystal.get_scaled_positions() @ base).reshape(-1, 3)
    sites = np.tile(np.arange(len(crystal)), near.sum())
    inside = np.all((positions >= 0) & (positions < ends), axis=1)
    return positions[inside], sites[inside]


@numba.njit(cache=True, fastmath=True)
def add_atoms(slice_potential, positions, kinds, shares, tables, middle, pixel, offset_step):
    """Add to a slice, (n, n), the atoms that reach into it."""
    n, rows = slice_potential.shape[0], tables.shape[1]
    table = np.empty(tables.shape[2], dtype=np.float32)
    pixels = int(REACH_ANGSTROM / pixel) + 1
    for atom in range(len(positions)):
        place = abs(positions[atom, 2] - middle) / offset_step
        row = int(place)
        if row >= rows - 1:
            continue
        part = place - row
        for i in range(len(table)):
            table[i] = shares[atom] * (
                (1 - part) * tables[kinds[atom], row, i] + part * tables[kinds[atom], row + 1, i]
            )
        x, y = positions[atom, 0] / pixel, positions[atom, 1] / pixel
        row_of, column_of = round(x), round(y)
        for i in range(row_of - pixels, row_of + pixels + 1):
            dx = np.float32((i - x) * pixel)
            for j in range(column_of - pixels, column_of + pixels + 1):
                dy = np.float32((j - y) * pixel)
                rho = np.sqrt(dx * dx + dy * dy) / np.float32(_RHO_STEP)
                low = int(rho)
                if low < len(table) - 1:
                    t = rho - low
                    slice_potential[i % n, j % n] += table[low] + t * (table[low + 1] - table[low])


def exit_intensities(crystal, grain: Grain, smeared: bool) -> list[np.ndarray]:
    """Return |ψ(q)|², (n, n) in the order of the transform, behind each number of ``SLICES``; 1 in all before it."""
    dz, pixel = grain.slice_angstrom, BOX_ANGSTROM / PIXELS
    elements = sorted(set(crystal.symbols))
    b = 8 * np.pi**2 * grain.u**2 if smeared else 0.0
    tables = np.stack([atom_table(element, b, dz) for element in elements])
    positions, sites = atoms_in_box(crystal, grain, SLICES[-1] * dz)
    if not smeared:
        positions = positions + grain.moves.normal(scale=grain.u, size=positions.shape)
    order = np.argsort(positions[:, 2])
    positions, sites = positions[order], sites[order]
    kinds = np.array([elements.index(symbol) for symbol in crystal.symbols])[sites]
    occupancy = {element: share for site in crystal.info["occupancy"].values() for element, share in site.items()}
    shares = np.array([occupancy[symbol] for symbol in crystal.symbols], dtype=np.float32)[sites]

    q = np.fft.fftfreq(PIXELS, pixel)
    squared = q[:, None] ** 2 + q**2
    k = 1 / energy2wavelength(BEAM_ENERGY_EV)
    propagator = (np.sqrt(squared) < 1 / (3 * pixel)) * np.exp(2j * np.pi * dz * (np.sqrt(k**2 - squared) - k))
    propagator = propagator.astype(np.complex64)
    x = (np.arange(PIXELS) - PIXELS / 2) * pixel
    wave = np.exp(-(x[:, None] ** 2 + x**2) / (2 * WAVE_ANGSTROM**2)).astype(np.complex64)
    wave /= np.sqrt((np.abs(wave) ** 2).sum())
    sigma, behind = energy2sigma(BEAM_ENERGY_EV), []
    potential = np.empty((PIXELS, PIXELS), dtype=np.float32)
    for number in range(1, SLICES[-1] + 1):
        middle = (number - 0.5) * dz
        first, last = np.searchsorted(positions[:, 2], [middle - DEPTH_ANGSTROM - dz, middle + DEPTH_ANGSTROM + dz])
        potential[:] = 0
        add_atoms(
            potential, positions[first:last], kinds[first:last], shares[first:last], tables, middle, pixel,
            (DEPTH_ANGSTROM + dz / 2) / (_OFFSETS - 1),
        )  # fmt: skip
        potential *= sigma
        wave *= np.cos(potential) + 1j * np.sin(potential)
        spectrum = scipy.fft.fft2(wave, workers=1, overwrite_x=True)
        spectrum *= propagator
        if number in SLICES:
            behind.append((np.abs(spectrum) ** 2 / wave.size).astype(float))
        wave = scipy.fft.ifft2(spectrum, workers=1, overwrite_x=True)
    return behind


def reflections(crystal, grain: Grain) -> np.ndarray:
    """Return (n, 2) in-plane vectors, Å⁻¹, of the lattice points near the sphere, the direct beam first."""
    reciprocal = np.linalg.inv(crystal.cell.array * grain.scale).T @ orientation_matrix(grain.quaternion)
    most = [int(np.ceil((G_MAX + 0.1) * length * grain.scale)) for length in crystal.cell.lengths()]
    hkl = np.stack(np.meshgrid(*[np.arange(-m, m + 1) for m in most], indexing="ij"), axis=-1).reshape(-1, 3)
    hkl = hkl[np.argsort(np.abs(hkl).sum(axis=1), kind="stable")]
    g = hkl @ reciprocal
    k, radius = 1 / energy2wavelength(BEAM_ENERGY_EV), np.hypot(g[:, 0], g[:, 1])
    g, radius = g[radius <= G_MAX], radius[radius <= G_MAX]
    excitation_error = (k - np.sqrt(k**2 - radius**2)) - g[:, 2]
    return g[np.abs(excitation_error) <= EXCITATION_ERROR, :2]


def spots_of(crystal, grain: Grain, smeared: bool = False) -> GrainSpots:
    """Return the spots of a grain behind each thickness."""
    places, behind = reflections(crystal, grain), exit_intensities(crystal, grain, smeared)
    q = np.fft.fftfreq(PIXELS, BOX_ANGSTROM / PIXELS)
    points = np.stack(np.meshgrid(q, q, indexing="ij"), axis=-1).reshape(-1, 2)
    distance, nearest = cKDTree(places).query(points)
    of_spot = distance <= np.where(nearest == 0, DIRECT_PER_ANGSTROM, SPOT_PER_ANGSTROM)
    ring = np.digitize(np.hypot(*points.T), RINGS) - 1
    of_ring = ~of_spot & (ring < len(RINGS) - 1)
    intensity = np.stack(
        [np.bincount(nearest[of_spot], one.ravel()[of_spot], minlength=len(places)) for one in behind], axis=1
    )
    diffuse = np.stack([np.bincount(ring[of_ring], one.ravel()[of_ring], minlength=len(RINGS) - 1) for one in behind])
    kept = np.flatnonzero(intensity.max(axis=1) >= FAINT)
    return GrainSpots(
        phase=grain.phase,
        quaternion=grain.quaternion,
        scale=grain.scale,
        u=grain.u,
        thickness=np.array(SLICES) * grain.slice_angstrom,
        direct=intensity[0],
        g=places[kept[kept > 0]],
        intensity=intensity[kept[kept > 0]],
        diffuse=diffuse,
        total=np.array([one.sum() for one in behind]),
    )


def main() -> None:
    """Write the spots of many grains, going on with what the file holds."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--grains", type=int, default=400)
    parser.add_argument("--smeared", action="store_true", help="the mean potential instead of moved atoms")
    arguments = parser.parse_args()
    crystals = [read(CRYSTALS / f"{name}.cif") for name in PHASES]
    header = json.dumps(
        {
            "made_by": "tests/development/multislice.py",
            "phases": PHASES,
            "beam_energy_kv": BEAM_ENERGY_EV / 1e3,
            "potential": "Lobato; smeared" if arguments.smeared else "Lobato; frozen phonons, one configuration",
            "seed": SEED,
            "box_angstrom": BOX_ANGSTROM,
            "pixels": PIXELS,
            "wave_angstrom": WAVE_ANGSTROM,
            "diffuse_rings_per_angstrom": [0, G_MAX, len(RINGS) - 1],
        }
    )
    done = read_spots(arguments.file) if arguments.file.exists() else None
    for number in range(0 if done is None else len(done.phase), arguments.grains):
        grain = draw(number)
        done = append(done, spots_of(crystals[grain.phase], grain, arguments.smeared), header)
        if number % 10 == 9 or number == arguments.grains - 1:
            write_spots(arguments.file, done)


if __name__ == "__main__":
    main()
