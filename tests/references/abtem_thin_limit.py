"""Make abtem_thin_limit.json: multislice diffraction of thin slabs of Pb and PbI2 along low-index zones.

Needs the optional extra ``proof`` (abTEM, ASE), which nothing else here needs:
``python tests/references/abtem_thin_limit.py [FILE]``, a quarter of a minute on one core. Nothing of this package is
imported: crystals are read by ASE, potentials (Lobato & Van Dyck, atoms at rest, infinite projection) and propagation
are abTEM's. A slab is a whole number of orthogonal cells along the beam, and the wave is periodic across it, so that
the Fourier coefficients of the exit wave are the diffracted beams themselves, without any window.

The potential is taken as it is, and again ``WEAK`` times as large: then multiple scattering is gone, and what is left
is the kinematical limit of multislice, at any thickness. Its intensities are divided by ``WEAK``² for storing. (At
1e-3 the refraction by the mean potential would still be seen, 0.4 % at 100 Å.)
"""

import json
import sys
from pathlib import Path

import abtem
import ase
import numpy as np
from ase.io import read

HERE = Path(__file__).parent
BEAM_ENERGY_KV = 200
SAMPLING_ANGSTROM = 0.04
SLICE_ANGSTROM = 0.25
WEAK = 1e-5
N_SPOTS = 40
G_MAX_PER_ANGSTROM = 2.0  # half way to the first Laue zone of higher order
TOO_WEAK = 1e-7  # of the strongest spot: rounding, or tails of reflections off the plane through the origin

# Zones: the edges of the orthogonal cell along x and y and along the beam, [uvw]; slabs in cells along the beam, with
# the potential as it is and weak; and the fraction of the cell by which atoms are moved along the beam, so that no
# atom sits on the face of the slab and a sandwich I-Pb-I stays whole.
ZONES = {
    "pb": {
        "[001]": ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 2, 3, 4), (4, 20), 0.25),
        "[011]": ((1, 0, 0), (0, 0.5, -0.5), (0, 0.5, 0.5), (1, 2, 3, 4, 5), (5, 28), 0.25),
        "[111]": ((0.5, -0.5, 0), (0.5, 0.5, -1), (1, 1, 1), (1, 2), (2, 11), 1 / 6),
    },
    "pbi2_2h": {
        "[0001]": ((1, 0, 0), (1, 2, 0), (0, 0, 1), (1, 2), (2, 14), 0.5),
        "[10-10]": ((0, 1, 0), (0, 0, 1), (2, 1, 0), (1, 2), (2, 12), 0.125),
        "[2-1-10]": ((1, 2, 0), (0, 0, 1), (1, 0, 0), (1, 2, 3, 4), (4, 22), 0.25),
    },
}


def orthogonal_cell(crystal: ase.Atoms, edges: np.ndarray, shift: float) -> ase.Atoms:
    """Return the atoms of the orthogonal cell with these [uvw] edges, turned so that the edges are x, y and z."""
    new = edges @ crystal.cell.array
    lengths = np.linalg.norm(new, axis=1)
    if np.abs(new @ new.T - np.diag(lengths**2)).max() > 1e-9 or np.linalg.det(new) <= 0:
        raise ValueError(f"edges {edges.tolist()} are not orthogonal and right-handed")
    steps = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), axis=-1).reshape(-1, 3)
    symbols, positions = [], []
    for symbol, place in zip(crystal.symbols, crystal.get_scaled_positions(), strict=True):
        fractional = (place + steps) @ crystal.cell.array @ np.linalg.inv(new) + [0, 0, shift]
        inside = fractional[np.all((fractional > -1e-6) & (fractional < 1 - 1e-6), axis=1)]
        symbols += [symbol] * len(inside)
        positions += (inside * lengths).tolist()
    expected = len(crystal) * np.linalg.det(edges)
    if len(symbols) != round(expected):
        raise ValueError(f"expected {expected} atoms in the orthogonal cell, found {len(symbols)}")
    return ase.Atoms(symbols, positions=positions, cell=lengths, pbc=True)


def significant(value: float) -> float:
    """Return ``value`` with six significant digits."""
    return float(f"{value:.6g}")


def diffracted_beams(slab: ase.Atoms, potential_scale: float) -> np.ndarray:
    """Return the intensity of every diffracted beam, (nx, ny), of an incident plane wave of intensity one."""
    gpts = [2 * int(np.ceil(length / SAMPLING_ANGSTROM / 2)) for length in slab.cell.lengths()[:2]]
    n_slices = int(np.ceil(slab.cell.lengths()[2] / SLICE_ANGSTROM))
    slices = slab.cell.lengths()[2] / n_slices
    potential = abtem.Potential(
        slab, gpts=gpts, slice_thickness=slices, parametrization="lobato", projection="infinite"
    ).build(lazy=False)
    potential.array[:] *= potential_scale
    incident = abtem.PlaneWave(energy=BEAM_ENERGY_KV * 1e3)
    exit_wave = incident.multislice(potential, lazy=False).array
    return np.abs(np.fft.fft2(exit_wave) / np.abs(np.fft.fft2(np.ones(gpts)))[0, 0]) ** 2


def strongest_spots(intensity: np.ndarray, cell: np.ndarray, lengths: np.ndarray, edges: np.ndarray) -> tuple:
    """Return rows (h, k, l, g_x, g_y, intensity) in the plane through the origin, and the strongest one beside it.

    A reflection hkl = g · (a, b, c) with g = (n_x / L_x, n_y / L_y, 0) in the axes of the orthogonal cell.
    """
    axes = (edges @ cell) / lengths[:, None]
    indices = [np.rint(np.fft.fftfreq(n, 1 / n)).astype(int) for n in intensity.shape]
    rows, beside = [], 0.0
    rounded = np.array([significant(value) for value in intensity.ravel()]).reshape(intensity.shape)
    for flat in np.argsort(-rounded, axis=None, kind="stable"):  # equivalent spots in the same order every time
        i, j = np.unravel_index(flat, intensity.shape)
        g = np.array([indices[0][i] / lengths[0], indices[1][j] / lengths[1]])
        hkl = cell @ (g @ axes[:2])
        if not 0 < np.linalg.norm(g) < G_MAX_PER_ANGSTROM:
            continue
        if np.abs(hkl - np.rint(hkl)).max() > 1e-6:
            beside = max(beside, rounded[i, j])
        elif rounded[i, j] > TOO_WEAK * (rows[0][5] if rows else 0) and len(rows) < N_SPOTS:
            rows.append([*np.rint(hkl).astype(int).tolist(), *g.round(9).tolist(), rounded[i, j]])
        else:
            break
    return rows, beside


def cases(name: str, zone: str) -> list[dict]:
    """Return the spots of every slab of one phase along one zone."""
    x, y, beam, as_it_is, weak, shift = ZONES[name][zone]
    crystal = read(HERE.parents[1] / "crystal_files" / f"{name}.cif")
    edges = np.array([x, y, beam])
    unit = orthogonal_cell(crystal, edges, shift)
    done = []
    for cells, scale in [(n, 1.0) for n in as_it_is] + [(n, WEAK) for n in weak]:
        beams = diffracted_beams(unit * (1, 1, cells), scale)
        rows, beside = strongest_spots(beams, crystal.cell.array, unit.cell.lengths(), edges)
        case = {
            "phase": name,
            "zone": zone,
            "x_uvw": x,
            "beam_uvw": beam,
            "cells": cells,
            "edges_angstrom": unit.cell.lengths().round(9).tolist(),
            "thickness_angstrom": round(cells * unit.cell.lengths()[2], 9),
            "atoms": [[s, *np.round(p, 9).tolist()] for s, p in zip(unit.symbols, unit.positions, strict=True)],
            "potential_scale": scale,
            "direct_beam": significant(beams[0, 0]),
            "all_beams": significant(beams.sum()),
            "strongest_beside": float(f"{beside / scale**2:.3g}"),
            "spots": [[*row[:5], significant(row[5] / scale**2)] for row in rows],
        }
        done.append(case)
    return done


def main() -> None:
    """Write the file of references."""
    abtem.config.set({"precision": "float64", "diagnostics.progress_bar": False})
    document = {
        "made_by": "tests/references/abtem_thin_limit.py",
        "abtem": abtem.__version__,
        "ase": ase.__version__,
        "beam_energy_kv": BEAM_ENERGY_KV,
        "parametrization": "lobato",
        "projection": "infinite",
        "sampling_angstrom": SAMPLING_ANGSTROM,
        "slice_angstrom": SLICE_ANGSTROM,
        "spot": ["h", "k", "l", "g_x", "g_y", "intensity"],
        "cases": [case for name, zones in ZONES.items() for zone in zones for case in cases(name, zone)],
    }
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "abtem_thin_limit.json"
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in document.pop("cases"))
    target.write_text(f'{json.dumps(document)[:-1]}, "cases": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
