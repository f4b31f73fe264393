"""Make abtem_dynamical.json: multislice diffraction of thick crystals along zone axes and off them.

Needs the optional extra ``proof`` (abTEM, ASE), which nothing else here needs:
``python tests/references/abtem_dynamical.py [FILE]``, two minutes on one core. Nothing of this package is imported:
crystals are read by ASE; scattering factors (Lobato & Van Dyck), wavelength and interaction constant are abTEM's.

abTEM projects every atom into one slice, as if it were flat, and knows Debye–Waller factors (``sigmas``, the
displacement along one axis, B = 8π²σ²) only there. A flat atom scatters into Laue zones of higher order as strongly as
into the zone of the beam, which is 3 % of the spots of 100 Å of lead. So slices are cut here from the potential in
three dimensions, whose Fourier coefficients are the same scattering factors at |g| instead of its part in the plane.

A beam at an angle to the box is exp(2πi k·r) times a wave with the period of the box, so any angle is exact without a
larger box. The wave is propagated by the full phase 2πΔz(√(k² − q²) − k_n), q from the axis of the box, and a slice
crossed at an angle acts as σ k/k_n. Along the axis the strongest spots are held against abTEM's own multislice, with
the same slices and Fresnel's propagator, before anything is stored.
"""

import json
import sys
from pathlib import Path

import abtem
import ase
import numpy as np
from abtem.core.energy import energy2sigma, energy2wavelength
from abtem.parametrizations import LobatoParametrization
from abtem_thin_limit import orthogonal_cell, significant
from ase.io import read

HERE = Path(__file__).parent
BEAM_ENERGY_KV = 200
THICKNESSES_ANGSTROM = 50, 100, 200, 400  # rounded to whole cells
B = {"Pb": 2.0, "I": 2.0, "C": 1.0, "N": 1.0}
SAMPLING_ANGSTROM = 0.06
SLICE_ANGSTROM = 0.25
STRONGEST = 24  # at each thickness
ABTEM_AGREES = 0.01  # R of the twenty strongest spots up to 100 Å

# Edges of the orthogonal cell, [uvw], along x, y and the normal of the slab, and the fraction of the cell by which
# atoms are moved along it, so that none sits on the face; (tilt, azimuth) of the beam from the axis, degrees.
ZONES = {
    ("pb", "[001]"): (((1, 0, 0), (0, 1, 0), (0, 0, 1)), 0.25, ((0, 0), (1.3, 27), (3.1, 140), (4.6, 261))),
    ("pbi2_2h", "[0001]"): (((1, 0, 0), (1, 2, 0), (0, 0, 1)), 0.5, ((0, 0), (1.7, 71), (4.2, 203))),
    ("p4mbm_scaled_mixed_halide", "[001]"): (((1, 0, 0), (0, 1, 0), (0, 0, 1)), 0.25, ((0, 0), (1.1, 16), (3.4, 112))),
    ("gratia_2h", "[0001]"): (((1, 0, 0), (1, 2, 0), (0, 0, 1)), 0.05, ((0, 0), (0.9, 38), (2.8, 245))),
}


def occupancies(crystal: ase.Atoms) -> dict[str, float]:
    """Return the occupancy of each element; every site has one element, and sites of an element share theirs."""
    return {element: share for site in crystal.info["occupancy"].values() for element, share in site.items()}


def slice_potentials(unit: ase.Atoms, shares: dict[str, float], gpts: tuple[int, int, int]) -> np.ndarray:
    """Return the potential of each slice of one cell, integrated across the slice, V Å, (n_slices, n_x, n_y)."""
    lengths = unit.cell.lengths()
    x, y, z = (np.fft.fftfreq(n, length / n) for n, length in zip(gpts, lengths, strict=True))
    squared = x[:, None, None] ** 2 + y[:, None] ** 2 + z**2
    parametrization, total = LobatoParametrization(), np.zeros(gpts, dtype=complex)
    for element in sorted(set(unit.symbols)):
        waves = np.zeros(gpts, dtype=complex)
        for px, py, pz in unit.positions[[symbol == element for symbol in unit.symbols]]:
            waves += (
                np.exp(-2j * np.pi * x * px)[:, None, None]
                * np.exp(-2j * np.pi * y * py)[:, None]
                * np.exp(-2j * np.pi * z * pz)
            )
        # the transform of a projected atom is that of the atom itself, in the plane
        f = parametrization.projected_scattering_factor(element)(squared) * np.exp(-B[element] * squared / 4)
        total += shares[element] * f * waves
    total *= np.sinc(z * lengths[2] / gpts[2]) * np.prod(gpts) / (lengths[0] * lengths[1] * gpts[2])
    return np.moveaxis(np.fft.ifftn(total).real, 2, 0)


def multislice(slices: np.ndarray, lengths: np.ndarray, cells: list[int], tilt_deg: tuple[float, float]) -> list:
    """Return the intensity of every beam of the box, (n_x, n_y), behind each number of cells."""
    gpts, dz = slices.shape[1:], lengths[2] / len(slices)
    k = 1 / energy2wavelength(BEAM_ENERGY_KV * 1e3)
    polar, azimuth = np.deg2rad(tilt_deg)
    k_x, k_y = k * np.sin(polar) * np.array([np.cos(azimuth), np.sin(azimuth)])
    k_n = k * np.cos(polar)
    fractions = [np.fft.fftfreq(n) for n in gpts]
    q_x, q_y = (f * n / length for f, n, length in zip(fractions, gpts, lengths[:2], strict=True))
    band = np.hypot(fractions[0][:, None], fractions[1]) < 1 / 3  # of waves, so that products stay within the grid
    q_squared = (q_x[:, None] + k_x) ** 2 + (q_y + k_y) ** 2
    propagator = band * np.exp(2j * np.pi * dz * (np.sqrt(k**2 - q_squared) - k_n))
    transmission = np.exp(1j * energy2sigma(BEAM_ENERGY_KV * 1e3) * k / k_n * slices)
    wave, behind = np.ones(gpts, dtype=complex), []
    for cell in range(1, max(cells) + 1):
        for transmitted in transmission:
            wave = np.fft.ifft2(propagator * np.fft.fft2(transmitted * wave))
        if cell in cells:
            behind.append(np.abs(np.fft.fft2(wave) / wave.size) ** 2)
    return behind


def strongest(intensity: np.ndarray, count: int) -> np.ndarray:
    """Return the places of the strongest diffracted beams; equivalent ones in the same order every time."""
    rounded = np.array([significant(value) for value in intensity.ravel()])
    rounded[0] = 0
    return np.argsort(-rounded, kind="stable")[:count]


def check_against_abtem(slices: np.ndarray, lengths: np.ndarray, cells: int, ours: np.ndarray) -> None:
    """Let abTEM propagate through the same slices."""
    potential = abtem.potentials.iam.PotentialArray(
        np.tile(slices, (cells, 1, 1)),
        slice_thickness=lengths[2] / len(slices),
        sampling=tuple(lengths[:2] / slices.shape[1:]),
    )
    wave = abtem.PlaneWave(energy=BEAM_ENERGY_KV * 1e3).multislice(potential, lazy=False).array
    theirs = np.abs(np.fft.fft2(wave) / wave.size) ** 2
    few = strongest(theirs, 20)
    r = np.abs(ours.ravel()[few] - theirs.ravel()[few]).sum() / theirs.ravel()[few].sum()
    if r > ABTEM_AGREES:
        raise ValueError(f"abTEM's own multislice differs by R = {r:.4f} in {cells} cells")


def cases(name: str, zone: str, finer: float = 1.0) -> list[dict]:
    """Return the spots of one phase about one zone, with each tilt of the beam."""
    edges, shift, tilts = ZONES[name, zone]
    crystal = read(HERE.parents[1] / "crystal_files" / f"{name}.cif")
    unit = orthogonal_cell(crystal, np.array(edges), shift)
    lengths = unit.cell.lengths()
    steps = np.array([SAMPLING_ANGSTROM, SAMPLING_ANGSTROM, SLICE_ANGSTROM]) / finer
    gpts = tuple(2 * np.ceil(lengths / steps / 2).astype(int))
    slices = slice_potentials(unit, occupancies(crystal), gpts)
    cells = [round(thickness / lengths[2]) for thickness in THICKNESSES_ANGSTROM]
    done = []
    for tilt in tilts:
        beams = multislice(slices, lengths, cells, tilt)
        if tilt == (0, 0):
            for some, intensity in zip(cells[:2], beams, strict=False):
                check_against_abtem(slices, lengths, some, intensity)
        places = list(dict.fromkeys(np.concatenate([strongest(one, STRONGEST) for one in beams]).tolist()))
        order_x, order_y = np.unravel_index(places, gpts[:2])
        columns = [
            np.fft.fftfreq(n, 1 / n)[i].round().astype(int).tolist()
            for n, i in ((gpts[0], order_x), (gpts[1], order_y))
        ]
        columns += [[significant(value) for value in one.ravel()[places]] for one in beams]
        done.append(
            {
                "phase": name,
                "zone": zone,
                "edges_uvw": edges,
                "edges_angstrom": lengths.round(9).tolist(),
                "shift": shift,
                "tilt_deg": tilt,
                "thicknesses_angstrom": [round(n * lengths[2], 9) for n in cells],
                "direct_beam": [significant(one[0, 0]) for one in beams],
                "all_beams": [significant(one.sum()) for one in beams],
                "spots": [list(row) for row in zip(*columns, strict=True)],
            }
        )
    return done


def main() -> None:
    """Write the file of references."""
    abtem.config.set({"precision": "float64", "diagnostics.progress_bar": False})
    document = {
        "made_by": "tests/references/abtem_dynamical.py",
        "abtem": abtem.__version__,
        "ase": ase.__version__,
        "beam_energy_kv": BEAM_ENERGY_KV,
        "parametrization": "lobato",
        "b": B,
        "sampling_angstrom": SAMPLING_ANGSTROM,
        "slice_angstrom": SLICE_ANGSTROM,
        "spot": ["n_x", "n_y", "intensity at each thickness"],
        "cases": [case for name, zone in ZONES for case in cases(name, zone)],
    }
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "abtem_dynamical.json"
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in document.pop("cases"))
    target.write_text(f'{json.dumps(document)[:-1]}, "cases": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
