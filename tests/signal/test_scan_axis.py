"""Which axes of measured scans are taken, which are refused, and what a refused one is said to look like."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from difsims_core.errors import ExperimentError, InputError
from difsims_core.signal.grid import RadialGrid
from difsims_core.signal.scan_axis import in_per_angstrom, likely_units, scan_axis
from difsims_core.units import electron_wavelength_angstrom

GRID = RadialGrid()
Q = GRID.q[GRID.crop]  # 0.108 … 1.318 Å⁻¹ in steps of 0.0083
STEP = GRID.step_per_angstrom
FACTORS = {"1/nm": 10.0, "2pi/angstrom": 2 * math.pi, "2pi/nm": 20 * math.pi}
other_units = pytest.mark.parametrize("unit", [*FACTORS, "mrad"])


def in_unit(q: np.ndarray, unit: str, kv: float = 200) -> np.ndarray:
    """Return an axis in Å⁻¹ as a file in another unit holds it."""
    if unit == "mrad":
        return 2000 * np.arcsin(q * electron_wavelength_angstrom(kv) / 2)
    return q * FACTORS[unit]


def wavelength_for(unit: str, kv: float = 200) -> float | None:
    return electron_wavelength_angstrom(kv) if unit == "mrad" else None


@st.composite
def axes(draw, most: float = 3.9, finest: float = 0.05):
    """Axes in Å⁻¹ of detectors that reach 1 … 3.9 times the model's range, up to 20 times finer or 2 times coarser."""
    step = STEP * draw(st.floats(finest, 1.99))
    start = draw(st.one_of(st.just(0.0), st.floats(0, Q[0])))
    end = Q[-1] * draw(st.floats(1.0, most))
    return start + step * np.arange(math.ceil((end - start) / step) + 1)


@given(axes())
@example(np.linspace(0, 3, 400))
@example(np.arange(0, 1.4, 0.0166))
@example(np.round(Q, 3))
@example(Q.astype(np.float32))
@example(GRID.q)
def test_plausible_axes_are_taken_as_they_are(axis):
    np.testing.assert_array_equal(scan_axis(axis, Q), axis)


@other_units
@given(axis=axes(most=2.0), kv=st.sampled_from([80, 120, 200, 300]))
def test_other_units_are_refused_named_and_converted(unit, axis, kv):
    x = in_unit(axis, unit, kv)
    with pytest.raises(ExperimentError, match=f"--q-unit {unit}"):
        scan_axis(x, Q)
    np.testing.assert_allclose(scan_axis(x, Q, unit, wavelength_angstrom=wavelength_for(unit, kv)), axis, atol=1e-12)


@other_units
@settings(deadline=None)
@given(axis=axes(finest=0.005))
def test_however_fine_an_axis_of_another_unit_is_it_is_not_taken(unit, axis):
    with pytest.raises(ExperimentError):
        scan_axis(in_unit(axis, unit), Q)


@pytest.mark.parametrize("unit", FACTORS)
def test_the_unit_of_the_models_own_axis_is_the_only_one_named(unit):
    assert list(likely_units(in_unit(Q, unit), Q)) == [unit]


@pytest.mark.parametrize("end", [8.5, 10.0, 12.9])
@pytest.mark.parametrize("n", [256, 512])
def test_a_scan_that_ends_too_early_in_its_unit_is_not_told_another_one_alone(end, n):
    """A detector that ends at 10 nm⁻¹ is too small for the model; in 2π/Å it would fit, and be wrong by 1.6."""
    with pytest.raises(ExperimentError, match=r"1/nm.*--q-unit 1/nm"):
        scan_axis(np.linspace(0, end, n), Q)


def test_an_axis_far_beyond_the_models_is_taken_with_a_warning(caplog):
    scan_axis(np.linspace(0, 5, 640), Q)
    assert " 3.8 " in caplog.text


@given(
    first=st.one_of(st.integers(0, 200), st.floats(0, 200)),
    spacing=st.integers(1, 4),
    n=st.integers(3, 1024),
    stated=st.sampled_from([None, "1/angstrom"]),
)
@example(first=0, spacing=1, n=147, stated=None)
@example(first=0.5, spacing=1, n=257, stated="1/angstrom")
def test_pixel_numbers_are_refused_as_such_whatever_is_stated(first, spacing, n, stated):
    with pytest.raises(ExperimentError, match=r"x = pixel number × "):
        scan_axis(first + spacing * np.arange(n), Q, stated)


def test_a_wide_and_fine_axis_is_asked_about_and_taken_when_it_is_stated(caplog):
    wide = np.arange(0, 6, 0.008)
    with pytest.raises(ExperimentError, match="--q-unit 1/angstrom"):
        scan_axis(wide, Q)
    np.testing.assert_array_equal(scan_axis(wide, Q, "1/angstrom"), wide)
    assert "1.318" in caplog.text


@given(axis=axes(finest=0.3), missing=st.integers(1, 40), at=st.floats(0, 1))
def test_a_gap_of_more_than_two_samples_of_the_model_is_refused(axis, missing, at):
    inside = np.flatnonzero((axis > Q[0]) & (axis < Q[-1]))
    first = inside[int(at * (len(inside) - 1))]
    holed = np.delete(axis, slice(first, first + missing))
    step = axis[1] - axis[0]
    assume(holed[-1] >= Q[-1])
    gap = (missing + 1) * step / STEP
    assume(not 1.99 < gap < 2.03)  # the tolerance of rounded axes
    if gap > 2:
        with pytest.raises(ExperimentError, match=rf" {holed[first - 1]:.4g} .* {holed[first]:.4g} "):
            scan_axis(holed, Q)
    else:
        np.testing.assert_array_equal(scan_axis(holed, Q), holed)


def test_gaps_outside_the_models_range_do_not_matter():
    axis = np.r_[0.0, Q, 2.0, 4.0]
    np.testing.assert_array_equal(scan_axis(axis, Q), axis)


def test_the_spacing_that_counts_is_that_of_the_model_at_that_place():
    """A model whose samples grow apart can be fed by an axis that is coarse where the model is."""
    model = np.r_[np.linspace(0.1, 0.5, 81), np.linspace(0.55, 1.5, 20)]
    assert len(scan_axis(np.r_[np.linspace(0.1, 0.5, 60), np.linspace(0.59, 1.55, 13)], model)) == 73
    with pytest.raises(ExperimentError, match="without a sample"):
        scan_axis(np.linspace(0.1, 1.55, 100), model)


@pytest.mark.parametrize("short", [0.05, 0.5])
def test_only_the_rounding_of_an_end_may_be_missing(short):
    axis = Q.copy()
    axis[-1] -= short * STEP
    if short < 0.1:
        np.testing.assert_array_equal(scan_axis(axis, Q), axis)
        return
    with pytest.raises(ExperimentError, match=r"covers 0\.1078 … 1\.3140"):
        scan_axis(axis, Q)


def test_a_unit_that_is_stated_wrongly_is_noticed():
    with pytest.raises(ExperimentError, match=r" 1/nm.* 1/angstrom.*q_unit='1/angstrom'"):
        scan_axis(Q, Q, "1/nm")
    with pytest.raises(InputError, match=r" 1/angstrom, .*'px'"):
        scan_axis(Q, Q, "px")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"mrad.* kV"):
        scan_axis(in_unit(Q, "mrad"), Q, "mrad")


@pytest.mark.parametrize("axis", [Q[::-1], np.full(147, np.nan), np.r_[Q[:-1], np.inf], np.zeros(147)])
def test_what_is_no_axis_is_refused(axis):
    with pytest.raises(ExperimentError, match="Å⁻¹"):
        scan_axis(axis, Q)


def test_units_by_their_definition():
    """The 111 reflection of gold: d = 2.355 Å, and 10.65 mrad at 200 kV."""
    q = np.array([1 / 2.355])
    for unit, number in {"1/nm": 4.2463, "2pi/angstrom": 2.6680, "2pi/nm": 26.680, "mrad": 10.649}.items():
        found = in_per_angstrom(np.array([number]), unit, 0.025079)  # type: ignore[arg-type]
        np.testing.assert_allclose(found, q, rtol=1e-4)
