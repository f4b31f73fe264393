"""The Ewald kernels against their equations, compiled and interpreted (docs/physics.md §4)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from diffsims.utils import shape_factor_models
from scipy.integrate import quad

from difsims_core.crystal.phases import load_crystal
from difsims_core.crystal.rows import reflection_rows
from difsims_core.diffraction.engines.kinematical import SHAPE_FACTORS
from difsims_core.kernels.profile import pattern
from difsims_core.kernels.spots import candidates, ewald
from difsims_core.kernels.spots.records import spot_buffer
from tests.oracles.orientations import uniform_orientations


@pytest.mark.parametrize("name", SHAPE_FACTORS)
@pytest.mark.parametrize("s", [1e-9, 1e-4, -0.004, 0.013, 0.05])
def test_shape_factors_are_those_of_diffsims(name, s):
    width = 0.02
    theirs = {"binary": 1.0, "slab": float(np.sinc(s / width) ** 2)}.get(name)
    if theirs is None:
        theirs = float(getattr(shape_factor_models, name)(np.array([s]), width)[0])
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


@pytest.mark.parametrize("name", ["p4mbm_scaled_mixed_halide", "pbi2_2h", "pb"])
@pytest.mark.parametrize("angle_deg", [0.0, 1.0])
def test_the_ranges_of_rows_hold_every_excited_reflection(name, angle_deg):
    """Random orientations and the awkward ones, with rows of reflections along the beam and across it."""
    k, s_max, half = 1 / 0.0250793, 0.03, 1.5
    lattice = reflection_rows(load_crystal(name), 2.2, "lobato", "none", (1.0, 1.0)).lattice
    spots = spot_buffer(len(lattice.h), len(lattice.intensity))
    quaternions = np.vstack([uniform_orientations(40, 3).data, np.eye(4), [[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]]])
    for quaternion in quaternions:
        axes = pattern.turned_axes(quaternion, lattice.axes, 1.0)
        angle = math.radians(angle_deg)
        if angle:
            candidates.ranges_in_slab(axes, lattice, k, s_max, angle, 2.2, spots.low, spots.high)
        else:
            candidates.ranges_in_shell(axes, lattice, k, s_max, half, spots.low, spots.high)
        n = candidates.expand(axes, lattice, spots)
        found = set(spots.reflection[:n].tolist())
        assert len(found) == n
        indices = [
            (h, j, t)
            for h, j, low, high in zip(lattice.h, lattice.j, lattice.low, lattice.high, strict=True)
            for t in range(int(low), int(high) + 1)
        ]
        x, y, z = (np.array(indices) @ axes).T
        rho = np.hypot(x, y)
        if angle:
            cone_z, cone_t = k * math.cos(angle), k * math.sin(angle)
            up, down = (cone_z - np.sqrt(k**2 - (rho + sign * cone_t) ** 2) for sign in (1, -1))
            excited = (z - s_max <= up) & (z + s_max >= down)
        else:
            s = k - np.sqrt(k**2 - rho**2) - z
            excited = (np.abs(s) <= s_max) & (np.abs(x) <= half) & (np.abs(y) <= half)
        assert set(np.flatnonzero(excited).tolist()) <= found
        if not angle:
            assert n <= 1.3 * np.count_nonzero(excited) + 60
