"""The oracle of dynamical diffraction against what is known without it (docs/physics.md §11)."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.oracles import slab
from tests.oracles.bloch import Atoms, diffract, elastic, potential
from tests.oracles.ewald import excitation_error, wavelength_angstrom
from tests.oracles.structure_factor import lobato

FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
DIAMOND = np.concatenate([FCC, FCC + 0.25])
THICKNESSES = np.array([25.0, 110.0, 400.0])
EXTINCTION_NM = [
    ("Al", 4.0495, FCC, (1, 1, 1), 55.6),
    ("Al", 4.0495, FCC, (2, 0, 0), 66.8),
    ("Cu", 3.6149, FCC, (1, 1, 1), 29.1),
    ("Cu", 3.6149, FCC, (2, 0, 0), 32.4),
    ("Ag", 4.0853, FCC, (1, 1, 1), 23.7),
    ("Ag", 4.0853, FCC, (2, 0, 0), 26.3),
    ("Au", 4.0782, FCC, (1, 1, 1), 17.8),
    ("Au", 4.0782, FCC, (2, 0, 0), 19.6),
    ("Si", 5.4310, DIAMOND, (1, 1, 1), 61.7),
    ("Si", 5.4310, DIAMOND, (2, 2, 0), 76.2),
]


def cubic(element: str, a: float, positions: np.ndarray, b: float = 0.0, occupancy: float = 1.0) -> Atoms:
    n = len(positions)
    return Atoms(np.eye(3) * a, (element,) * n, positions, np.full(n, occupancy), np.full(n, b))


def excited(atoms: Atoms, hkl: tuple[int, int, int], s: float, kv: float = 200.0) -> np.ndarray:
    """Return an orientation in which hkl has the excitation error s, off every zone axis."""
    g = np.array(hkl) @ atoms.reciprocal
    k, along = 1 / wavelength_angstrom(kv), 0.0
    for _ in range(50):
        in_plane = np.sqrt(g @ g - along**2)
        along = k - np.sqrt(k**2 - in_plane**2) - s
    there = np.array([in_plane, 0, along])
    turn = Rotation.from_rotvec(0.31 * there / np.linalg.norm(there))
    return (turn * Rotation.align_vectors([there], [g])[0]).as_matrix()


@pytest.mark.parametrize(("element", "a", "positions", "hkl", "expected"), EXTINCTION_NM)
def test_extinction_distances_are_those_of_the_table(element, a, positions, hkl, expected):
    atoms = cubic(element, a, positions)
    xi_nm = [
        0.1 / (wavelength_angstrom(kv) * np.abs(potential(atoms, np.array([hkl]), kv)[0])) for kv in (100.0, 200.0)
    ]
    assert xi_nm[0] == pytest.approx(expected, rel=5e-3)
    assert xi_nm[1] / xi_nm[0] == pytest.approx(1.26831, abs=5e-6)


@pytest.mark.parametrize("s", [0.0, 0.001, -0.004])
@pytest.mark.parametrize(("element", "a", "hkl"), [("Al", 4.0495, (1, 1, 1)), ("Au", 4.0782, (2, 0, 0))])
def test_two_beams_exchange_intensity_as_sine_squared(element, a, hkl, s):
    atoms = cubic(element, a, FCC)
    g = np.linalg.norm(hkl) / a
    found = diffract(atoms, excited(atoms, hkl, s), THICKNESSES, g_max=1.001 * g, s_max=abs(s) + 1e-6)
    assert found.hkl.tolist() == [[0, 0, 0], list(hkl)]
    xi = 1 / (wavelength_angstrom(200) * np.abs(potential(atoms, np.array([hkl]), 200)[0]))
    expected = np.sin(np.pi * THICKNESSES * np.hypot(s, 1 / xi)) ** 2 / (1 + (s * xi) ** 2)
    np.testing.assert_allclose(found.intensity[:, 1], expected, rtol=5e-3, atol=1e-6)
    np.testing.assert_allclose(found.intensity.sum(axis=1), 1, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kv", [20.0, 200.0, 1000.0])
def test_no_electron_is_lost(kv):
    """With a normal of the slab that is not the beam, too, and without a centre of symmetry."""
    zincblende = Atoms(np.eye(3) * 6.479, ("In",) * 4 + ("Sb",) * 4, DIAMOND, np.ones(8), np.full(8, 0.8))
    for normal in ((0, 0, 1), (0.1, -0.2, 1)):
        turn = Rotation.from_euler("zxz", [20, 3, 11], degrees=True).as_matrix()
        found = diffract(zincblende, turn, THICKNESSES, beam_energy_kv=kv, g_max=1.6, s_max=0.1, normal=normal)
        assert len(found.hkl) > 60
        np.testing.assert_allclose(found.intensity.sum(axis=1), 1, rtol=0, atol=1e-10)
        assert found.intensity[:, 1:].max() > 0.01


def test_a_weak_potential_is_kinematical():
    """Occupancies of 1e-4: |F|² times the shape of a slab, up to the sphere's curvature over 1 + g_n/K."""
    atoms = cubic("Pb", 4.95, FCC, b=2.0, occupancy=1e-4)
    found = diffract(atoms, excited(atoms, (2, 2, 0), 0.002), THICKNESSES, g_max=1.4, s_max=0.02)
    g = found.g[1:]
    length = np.linalg.norm(g, axis=1)
    factor = 4e-4 * lobato("Pb", length) * np.exp(-2.0 * length**2 / 4)
    for t, ours in zip(THICKNESSES, found.intensity[:, 1:], strict=True):
        expected = slab.product(factor**2, excitation_error(g, 200), t, 4.95**3)
        np.testing.assert_allclose(ours, expected, rtol=2e-3, atol=1e-4 * expected.max())
    assert len(g) >= 10


def test_sublattices_that_nothing_couples_take_no_part():
    found = diffract(cubic("Pb", 4.95, FCC), np.eye(3), THICKNESSES, g_max=1.0, s_max=0.1)
    assert np.all(found.hkl % 2 == 0)


def test_friedel_pairs_differ_only_without_a_centre():
    """At the exact zone axis [110] of a polar pair of planes; many beams bring the phases of F into play."""
    rows = {}
    for other in ("Sb", "In"):
        atoms = Atoms(np.eye(3) * 6.479, ("In",) * 4 + (other,) * 4, DIAMOND, np.ones(8), np.full(8, 0.8))
        turn = Rotation.align_vectors([[0, 0, 1]], [[1, 1, 0]])[0].as_matrix()
        found = diffract(atoms, turn, np.array([150.0]), g_max=1.5, s_max=0.04)
        one, opposite = (
            {tuple(h): i for h, i in zip(sign * found.hkl, found.intensity[0], strict=True)} for sign in (1, -1)
        )
        rows[other] = max(abs(one[h] - opposite[h]) for h in one)
    assert rows["In"] < 1e-12
    assert rows["Sb"] > 1e-3


def test_a_mean_absorption_dims_every_beam_alike():
    """U′₀ alone: exp(−2πU′₀t/K), but for the beams' angles. The other U′ leave more of what stays between the atoms."""
    atoms = cubic("Au", 4.0782, FCC, b=0.6)
    turn = excited(atoms, (2, 0, 0), 0.0)
    beams = {"g_max": 1.3, "s_max": 0.03}
    free = diffract(atoms, turn, THICKNESSES, **beams).intensity
    flat = diffract(atoms, turn, THICKNESSES, absorptive=lambda e, g, b: 0.1 * elastic(e, g, b) * (g < 1e-9), **beams)
    u_0 = 0.1 * potential(atoms, np.array([[0, 0, 0]]), 200)[0].real
    dimmed = np.exp(-2 * np.pi * u_0 * wavelength_angstrom(200) * THICKNESSES)
    np.testing.assert_allclose(flat.intensity, free * dimmed[:, None], rtol=2e-3, atol=1e-7)
    full = diffract(atoms, turn, THICKNESSES, absorptive=lambda e, g, b: 0.1 * elastic(e, g, b), **beams)
    assert np.all(np.diff(full.intensity.sum(axis=1)) < 0)
    assert full.intensity[-1].sum() > 1.2 * dimmed[-1]
