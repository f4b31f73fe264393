"""Absorptive scattering factors against two integrals that know nothing of each other (docs/physics.md §11)."""

import numpy as np
import pytest
from scipy import integrate

from difsims_core.crystal.potential.absorption import absorptive_factors
from difsims_core.crystal.scattering_factors import coefficients_by_element
from tests.oracles.ewald import wavelength_angstrom
from tests.oracles.slab import mass_ratio
from tests.oracles.structure_factor import lobato, xtables

VOLT_ANGSTROM_SQUARED = 47.878  # of a projected potential for 1 Å of f
INTERACTION = 7.28840e-4  # rad / (V Å) at 200 kV
ROOM_TEMPERATURE = [("C", 1.0), ("Si", 0.46), ("I", 2.0), ("Pb", 2.0)]


def table(element: str, lengths, b: float, kv: float = 200.0, parametrisation: str = "lobato") -> np.ndarray:
    pairs = np.array([coefficients_by_element(parametrisation)[element]], dtype=float)
    return absorptive_factors(np.asarray(lengths, dtype=float), pairs, parametrisation, np.array([b]), kv)[0]


def over_the_sphere(element: str, g: float, b: float, kv: float) -> float:
    """Return f′ by adaptive quadrature over all directions k′, both k and k + g on the sphere."""
    k, damp = 1 / wavelength_angstrom(kv), np.exp(-b * g**2 / 4)
    sine = g / 2 / k
    cosine = np.sqrt(1 - sine**2)

    def integrand(azimuth: float, log_angle: float) -> float:
        angle = np.exp(log_angle)
        across, along = np.sin(angle) * np.cos(azimuth), np.cos(angle)
        first, second = (2 * k**2 * (1 - side * sine * across - cosine * along) for side in (1, -1))
        left = damp - np.exp(-b * (first + second) / 4)
        return lobato(element, np.sqrt(first)) * lobato(element, np.sqrt(second)) * left * np.sin(angle) * angle

    quarter, _ = integrate.dblquad(integrand, np.log(1e-5), np.log(np.pi), 0, np.pi / 2, epsabs=1e-7, epsrel=1e-6)
    return mass_ratio(kv) / (2 * k) * k**2 * 4 * quarter


@pytest.mark.parametrize("kv", [20.0, 200.0])
@pytest.mark.parametrize("g", [0.0, 0.35, 1.3, 2.6])
@pytest.mark.parametrize(("element", "b"), [("I", 2.0), ("Pb", 0.5)])
def test_the_plane_stands_in_for_the_sphere(element, b, g, kv):
    largest = table(element, [0.0], b, kv)[0]
    assert table(element, [g], b, kv)[0] == pytest.approx(over_the_sphere(element, g, b, kv), abs=1e-3 * largest)


@pytest.mark.parametrize(("element", "b"), ROOM_TEMPERATURE)
def test_the_loss_is_the_fluctuation_of_the_phase_that_a_moving_atom_gives(element, b):
    """⟨exp(iσv)⟩ ≈ exp(iσ⟨v⟩ − σ²(⟨v²⟩ − ⟨v⟩²)/2): an imaginary potential σ(⟨v²⟩ − ⟨v⟩²)/2, averages of displacements.

    In real space, with the interaction constant for a prefactor.
    """
    edge, n = 12.0, 1200
    x = np.fft.fftfreq(n, 1 / n) / edge
    squared = x[:, None] ** 2 + x**2
    damping = np.exp(-b * squared / 4)

    def field(coefficients: np.ndarray) -> np.ndarray:
        return np.fft.ifft2(coefficients).real * n**2 / edge**2

    def coefficients(field: np.ndarray) -> np.ndarray:
        return np.fft.fft2(field).real / n**2 * edge**2

    v = VOLT_ANGSTROM_SQUARED * lobato(element, np.sqrt(squared))
    mean = field(v * damping)
    mean_square = field(coefficients(field(v) ** 2) * damping)
    lost = coefficients(INTERACTION / 2 * (mean_square - mean**2)) / VOLT_ANGSTROM_SQUARED
    lengths, largest = x[: n // 4 : 3], lost[0, 0]
    np.testing.assert_allclose(table(element, lengths, b), lost[0, : n // 4 : 3], rtol=0, atol=1e-3 * largest)


def test_nothing_is_lost_to_atoms_at_rest_and_everything_to_atoms_anywhere():
    """B → ∞: the whole elastic cross-section, (γλ)² ∫ d²q f² = 2γλ f′(0)."""
    np.testing.assert_array_equal(table("Pb", [0.0, 0.4, 2.0], 0.0), 0.0)
    everything, _ = integrate.quad(lambda q: 2 * np.pi * q * lobato("Pb", q) ** 2, 0, 80, limit=400)
    prefactor = mass_ratio(200) * wavelength_angstrom(200) / 2
    limit = table("Pb", [0.0, 0.4], 1e6)
    assert limit[0] == pytest.approx(prefactor * everything, rel=1e-4)
    assert limit[1] == pytest.approx(0, abs=1e-12)
    assert np.all(np.diff([table("Pb", [0.0], b)[0] for b in (0.1, 0.5, 2.0, 10.0)]) > 0)


def test_iodine_and_lead_lose_what_is_known_of_them():
    """At 100 kV and room temperature about 0.08 and 0.12 of f, more at larger angles."""
    for element, b, least, most in (("I", 1.7, 0.07, 0.09), ("Pb", 1.6, 0.11, 0.13)):
        lengths = np.array([0.0, 0.3, 0.6, 1.0])
        ratio = table(element, lengths, b, 100.0) / (lobato(element, lengths) * np.exp(-b * lengths**2 / 4))
        assert least < ratio[0] < most
        assert np.all(np.diff(ratio) > 0)


def test_the_table_between_its_lengths_is_the_integral():
    """A single length is a node of its own table when it is the largest."""
    lengths = np.linspace(0.02, 5.9, 40)
    together = table("Pb", np.append(lengths, 6.0), 1.5)[:-1]
    alone = [table("Pb", [g], 1.5)[0] for g in lengths[lengths > 1]]
    np.testing.assert_allclose(together[lengths > 1], alone, rtol=0, atol=1e-6 * table("Pb", [0.0], 1.5)[0])


def test_gaussians_of_the_international_tables_have_a_closed_form_at_zero():
    """Σ a_i a_j 2π ∫ q exp(−(b_i + b_j) q²/4) (1 − exp(−B q²/2)) dq."""
    b = 1.2
    pairs = np.array(coefficients_by_element("xtables")["Pb"])
    sums = pairs[:, None, 1] + pairs[:, 1]
    expected = np.sum(pairs[:, None, 0] * pairs[:, 0] * 4 * np.pi * (1 / sums - 1 / (sums + 2 * b)))
    expected *= mass_ratio(200) * wavelength_angstrom(200) / 2
    assert table("Pb", [0.0], b, parametrisation="xtables")[0] == pytest.approx(expected, rel=1e-6)
    assert xtables("Pb", np.zeros(1))[0] == pytest.approx(pairs[:, 0].sum())
