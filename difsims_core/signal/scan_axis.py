"""The q axis of a measured scan: read in its unit, and refused where it is not what it is taken for."""

from __future__ import annotations

import logging
import math
from typing import get_args

import numpy as np

from difsims_core.errors import ExperimentError, InputError
from difsims_core.signal.resample import REMEDY, check_increasing, shortcoming
from difsims_core.unit_names import QUnit
from difsims_core.units import electron_wavelength_angstrom

logger = logging.getLogger(__name__)

MOST_BEYOND = 4.0  # times the end of the model's axis; 2π/Å, the unit nearest to Å⁻¹, is 6.3 times
_FAR = 2.0  # times the end of the model's axis: further than most detectors reach
_OWN = 0.02  # the ends of a model's own axis, in whatever unit, agree so well
_LEAST_WITHIN = 0.5  # a scan that ends below this part of the model's axis is no help in finding its unit
_UNITS: tuple[QUnit, ...] = get_args(QUnit)
_USUAL_WAVELENGTHS = tuple(electron_wavelength_angstrom(kv) for kv in (200, 300, 120, 80))


def scan_axis(
    x: np.ndarray, q_wanted: np.ndarray, unit: QUnit | None = None, *, wavelength_angstrom: float | None = None
) -> np.ndarray:
    """Return the axis of a scan in Å⁻¹, or say what it looks like.

    q = 1/d in Å⁻¹ is expected. An axis is taken for that when it

    1. covers the model's axis,
    2. has at least 0.5 samples for each sample of the model's, over all of its range (`shortcoming`),
    3. ends at no more than 4 times the end of the model's axis.

    Rules 1 and 2 hold whatever is stated: nothing can be interpolated otherwise. Pixel numbers, spaced by 1, always
    break rule 2; the other units mostly do, as their numbers are 6 to 63 times as far apart, and what is sampled so
    finely that it does not breaks rule 3. Rule 3 alone can refuse an axis that is right, of a detector that reaches
    very far beyond a model (5.3 Å⁻¹ for one that ends at 1.3 Å⁻¹); a unit that is stated is therefore taken at its
    word, with a warning.

    What no rule can tell from Å⁻¹ are finely sampled numbers in another unit that end within 4 times the model's axis:
    such a scan ends, in truth, below 0.64 (2π/Å), 0.4 (nm⁻¹) or 0.16 (mrad) of what the model needs.

    What an axis that is refused looks like is said: pixel numbers, when it goes on by the same whole number; else the
    units in which it would be accepted; if there is none, those in which it ends between 0.5 and 4 times the end of the
    model's axis, the nearest first.

    Parameters
    ----------
    x
        (n,) numbers of the file.
    q_wanted
        (m,) axis of the model, Å⁻¹.
    unit
        Of ``x``; None: not stated, Å⁻¹ is expected.
    wavelength_angstrom
        Of the electrons, for ``mrad``.

    Returns
    -------
    (n,) float64, Å⁻¹.

    Raises
    ------
    ExperimentError
        If the axis is not finite and increasing, or does not fit, with the unit that it looks like and how to say so.
    InputError
        If there is no such unit, or the wavelength is needed and not known.
    """
    x, q_wanted = np.asarray(x, np.float64), np.asarray(q_wanted, np.float64)
    check_increasing(x)
    read_in: QUnit = unit or "1/angstrom"
    q = in_per_angstrom(x, read_in, wavelength_angstrom)
    wrong = shortcoming(q, q_wanted)
    if wrong is not None:
        read = f"{wrong} (x read in {unit})" if unit else wrong
        raise ExperimentError(f"{read}", f"{_what_to_do(x, q_wanted, read_in, wavelength_angstrom)}")
    if q[-1] > MOST_BEYOND * q_wanted[-1]:
        far = f"the measured q axis ends at {q[-1]:.4g} Å⁻¹, far beyond the model's {q_wanted[-1]:.4g} Å⁻¹"
        if unit is None:
            what = _what_to_do(x, q_wanted, read_in, wavelength_angstrom)
            raise ExperimentError(f"{far}; {what}", "if it is Å⁻¹ all the same, say --q-unit 1/angstrom")
        logger.warning("%s (x read in %s)", far, unit)
    elif unit is None and q[-1] > _FAR * q_wanted[-1]:
        logger.warning(
            "the q axis ends at %.4g, %.1f times as far as the model's; it is taken for Å⁻¹ (--q-unit says otherwise)",
            q[-1], q[-1] / q_wanted[-1],
        )  # fmt: skip
    if unit is not None:
        logger.info("x, %.4g … %.4g in %s, is %.4g … %.4g Å⁻¹", x[0], x[-1], unit, q[0], q[-1])
    return q


def in_per_angstrom(x: np.ndarray, unit: QUnit, wavelength_angstrom: float | None = None) -> np.ndarray:
    """Return numbers of a unit as q = 1/d in Å⁻¹. An angle in mrad is the one between the beam and the scattered beam.

    Raises
    ------
    InputError
        If there is no such unit, or the wavelength is needed and not known.
    """
    match unit:
        case "1/angstrom":
            return x
        case "1/nm":
            return x / 10
        case "2pi/angstrom":
            return x / (2 * math.pi)
        case "2pi/nm":
            return x / (20 * math.pi)
        case "mrad":
            if wavelength_angstrom is None:
                raise InputError("mrad become Å⁻¹ by the wavelength of the electrons", "give the beam energy in kV too")
            return 2 * np.sin(np.clip(x / 2000, -math.pi / 2, math.pi / 2)) / wavelength_angstrom  # docs/physics.md §1
    raise InputError(
        f"expected q_unit to be one of {', '.join(_UNITS)}, found {unit!r}",
        "pixel numbers need the calibration: save x = pixel number × Å⁻¹ per pixel",
    )


def likely_units(x: np.ndarray, q_wanted: np.ndarray, wavelength_angstrom: float | None = None) -> dict[QUnit, float]:
    """Return the units in which an axis could be, the likeliest first, each with its end in Å⁻¹ then.

    It is the one in which it is the model's own axis; else those in which it fits or only ends too early; if there is
    none, those in which its end is near that of the model's.

    Parameters
    ----------
    x
        (n,) numbers of the file.
    q_wanted
        (m,) axis of the model, Å⁻¹.
    wavelength_angstrom
        Of the electrons; not known: that of the usual voltages.
    """
    wavelengths = _USUAL_WAVELENGTHS if wavelength_angstrom is None else (wavelength_angstrom,)
    readings: list[tuple[QUnit, np.ndarray]] = [
        (unit, in_per_angstrom(x, unit, wavelength))
        for unit in _UNITS
        for wavelength in (wavelengths if unit == "mrad" else wavelengths[:1])
    ]
    q_end = q_wanted[-1]
    near: list[tuple[QUnit, np.ndarray]] = [
        (unit, q) for unit, q in readings if _LEAST_WITHIN * q_end <= q[-1] <= MOST_BEYOND * q_end
    ]
    near.sort(key=lambda reading: abs(math.log(reading[1][-1] / q_end)))
    ends_wanted = q_wanted[[0, -1]]
    own = [reading for reading in near if np.allclose(reading[1][[0, -1]], ends_wanted, rtol=_OWN, atol=0)]
    begun = [reading for reading in near if _fits_but_for_its_end(reading[1], q_wanted)]
    ends: dict[QUnit, float] = {}
    for unit, q in own or begun or near:
        ends.setdefault(unit, float(q[-1]))
    return ends


def _fits_but_for_its_end(q: np.ndarray, q_wanted: np.ndarray) -> bool:
    covered = q_wanted[q_wanted <= q[-1]]
    return len(covered) > 1 and shortcoming(q, covered) is None


def looks_like_pixels(x: np.ndarray) -> bool:
    """Return whether an axis goes on by the same whole number."""
    steps = np.diff(x)
    return bool(steps.size) and round(steps[0]) >= 1 and np.allclose(steps, round(steps[0]), rtol=0, atol=1e-6)


def _what_to_do(x: np.ndarray, q_wanted: np.ndarray, read_in: QUnit, wavelength_angstrom: float | None) -> str:
    """Return what an axis that does not fit looks like, and the remedy."""
    if looks_like_pixels(x):
        return (
            f"{x[0]:g}, {x[1]:g} … {x[-1]:g} looks like pixel numbers: save x = pixel number × calibration, in Å⁻¹ per "
            "pixel (q = 1/d, without 2π)"
        )
    ends = likely_units(x, q_wanted, wavelength_angstrom)
    if not ends or read_in in ends:
        return REMEDY
    likely = " or ".join(f"{unit}, in which it ends at {end:.3g} Å⁻¹" for unit, end in ends.items())
    flags = " or ".join(f"--q-unit {unit}" for unit in ends)
    which = "convert it with" if len(ends) == 1 else f"the model needs {q_wanted[-1]:.3g}; say which it is:"
    return f"it looks like {likely}: {which} {flags} (q_unit={next(iter(ends))!r} in Python)"
