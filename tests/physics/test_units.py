"""docs/physics.md §1: the relativistic electron wavelength."""

import pytest
from diffsims.utils.sim_utils import get_electron_wavelength

from difsims_core.units import electron_wavelength_angstrom
from tests.oracles.ewald import wavelength_angstrom


@pytest.mark.parametrize(
    ("kv", "angstrom"),
    [(80, 0.041757), (100, 0.037014), (120, 0.033492), (200, 0.025079), (300, 0.019687)],
)
def test_wavelength_is_the_published_one(kv, angstrom):
    assert electron_wavelength_angstrom(kv) == pytest.approx(angstrom, abs=6e-7)


@pytest.mark.parametrize("kv", [1, 60, 200, 1000])
def test_wavelength_agrees_with_the_equation_and_with_diffsims(kv):
    assert electron_wavelength_angstrom(kv) == pytest.approx(wavelength_angstrom(kv), rel=1e-7)
    assert electron_wavelength_angstrom(kv) == pytest.approx(get_electron_wavelength(kv), rel=1e-7)
