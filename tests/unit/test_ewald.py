"""The Ewald kernels against their equations, compiled and interpreted (PHYSICS §4)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from diffsims.utils import shape_factor_models
from scipy.integrate import quad

from difsims_core.diffraction.profile import SHAPE_FACTORS
from difsims_core.kernels import ewald


@pytest.mark.parametrize("name", SHAPE_FACTORS)
@pytest.mark.parametrize("s", [1e-9, 1e-4, -0.004, 0.013, 0.05])
def test_shape_factors_are_those_of_diffsims(name, s):
    width = 0.02
    theirs = float(getattr(shape_factor_models, name)(np.array([s]), width)[0]) if name != "binary" else 1.0
    assert ewald.shape_factor(SHAPE_FACTORS[name], s, width) == pytest.approx(theirs, rel=1e-12, abs=1e-15)
    assert ewald.shape_factor.py_func(SHAPE_FACTORS[name], s, width) == pytest.approx(theirs, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", SHAPE_FACTORS)
def test_shape_factors_are_one_on_the_sphere(name):
    """Also where diffsims divides zero by zero."""
    assert ewald.shape_factor(SHAPE_FACTORS[name], 0.0, 0.02) == 1.0


@pytest.mark.parametrize("angle_deg", [0.0, 0.05, 0.7, 2.0])
@pytest.mark.parametrize("s", [0.0, 0.003, -0.02])
def test_precession_is_the_average_over_the_cone(angle_deg, s):
    """Equation 10 against the integral of equation 8, and diffsims' up to its factor 2/width."""
    width, rho, angle = 0.02, 0.6, math.radians(angle_deg)

    def rocked(theta):
        return ewald.shape_factor(ewald.LORENTZIAN, s + rho * angle * math.cos(theta), width)

    average = quad(rocked, 0, math.pi, limit=400)[0] / math.pi
    value = ewald.lorentzian_precession(s, width, rho, angle)
    assert value == pytest.approx(average, rel=1e-7)
    theirs = shape_factor_models.lorentzian_precession(s, width, rho, angle)
    assert value == pytest.approx(theirs * width / 2, rel=1e-12)


def test_sphere_height_has_no_cancellation():
    k = 1 / 0.0250793
    assert ewald.sphere_height(1e-10, k) == pytest.approx(1e-10 / (2 * k), rel=1e-9)
    assert ewald.sphere_height(1.0, k) == pytest.approx(k - math.sqrt(k * k - 1.0), rel=1e-9)


@pytest.mark.parametrize("dz", [0.3, -0.3, 0.0])
@pytest.mark.parametrize("z0", [-0.5, 0.01, 2.0])
def test_index_ranges_hold_every_index_in_the_slab(z0, dz):
    first, last = ewald.indices_in_slab(z0, 1 / dz if dz else 0.0, -9, 9, -0.02, 0.7)
    expected = [t for t in range(-9, 10) if -0.02 <= z0 + t * dz <= 0.7]
    assert list(range(first, last + 1)) == expected
