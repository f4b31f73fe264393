"""Where the time of a dynamical direction goes, stage by stage, and how far each is from what the machine could do.

    python -m tests.benchmarks.bloch_stages [--phases pbi2_2h,gratia_2h,pbi2] [--directions 60] [--repeats 7]

The stages run the kernels of the engine for random directions, three thicknesses to 400 Å, in a loop that stops after a
chosen one; a stage is the difference of two stops. What the last one leaves is compared with the engine's own, to the
bit. A floor is counted: products in single precision, or the bytes of the matrix from the cache that holds it, over the
rates of this machine (see ``rates``). They overlap: the larger is the floor, and it is named. Listing beams has none.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np
from numba import njit

from difsims_core.crystal.structure import B_OF_U
from difsims_core.diffraction.engines.bloch.room import room_for
from difsims_core.kernels.bloch.beams import list_beams, place_beams
from difsims_core.kernels.bloch.bethe import fold_in_weak_beams
from difsims_core.kernels.bloch.diffract import diffract
from difsims_core.kernels.bloch.matrix import (
    coefficients,
    fill_couplings,
    interpolation,
    interval,
    mean_potential,
    padded,
    to_unit_interval,
)
from difsims_core.kernels.bloch.propagate import bessel, most_terms, propagate
from difsims_core.kernels.bloch.weak import FAR_ORDERS, ORDERS, krylov, weak_intensities
from difsims_core.kernels.profile.pattern import turned_axes
from difsims_core.simulation.simulator import Simulator
from tests.benchmarks.bloch import THICKNESSES, document
from tests.benchmarks.floors import floor_of
from tests.benchmarks.rates import Rates, measure_rates, print_rates

STAGES = "listing", "couplings", "Bethe's terms", "interval", "Chebyshev", "powers", "weak beams", "far beams"
_SEEN = 1.4  # Å⁻¹


@njit(nogil=True, error_model="numpy")
def until(stop, axes, k, thickness, lattice, potential, choice, room, counted):
    """Do what ``diffract`` does for each direction (n, 3, 3), as far as the stage ``stop``.

    ``counted`` (n, 5) becomes the numbers of strong, weak and far beams and of those that act back on the strong ones,
    and the half-width of the interval.
    """
    for d in range(axes.shape[0]):
        strong, back, reach = choice.strong, choice.back, max(_SEEN, choice.g_strong)
        ends, zonal, _ = list_beams(axes[d], lattice, k, potential, choice, reach, _SEEN, strong, back, room)
        if zonal:
            strong, back, reach = choice.strong_zone, choice.weak, max(_SEEN, choice.g_weak)
            ends, _, _ = list_beams(axes[d], lattice, k, potential, choice, reach, _SEEN, strong, back, room)
        counted[d, 0], counted[d, 1], counted[d, 2] = ends[0], ends[1] - ends[0], ends[2] - ends[1]
        counted[d, 3] = ends[3] - ends[0] if back > strong else 0
        if stop > 0:
            middle, half = matrix_until(stop, k, ends, strong, back, potential, room)
            counted[d, 4] = half
            if stop > 3:
                waves_until(stop, k, ends, middle, half, thickness, potential, room)


@njit(nogil=True, error_model="numpy")
def matrix_until(stop, k, ends, strong, back, potential, room):
    """Fill the matrix, as far as the stage ``stop``; return middle and half-width of its interval."""
    n_strong, size, half_inverse = ends[0], padded(ends[0]), 0.5 / k
    beams, origin = room.beams, potential.origin
    place_beams(beams, ends[3], potential.places, k, room.tilt)
    for part in range(room.matrix.shape[0]):
        table = room.real if part == 0 else room.imaginary
        fill_couplings(table, origin, beams.place, room.tilt, n_strong, half_inverse, size, room.matrix[part])
    for i in range(n_strong):
        room.diagonal[i] = beams.error[i] * room.tilt[i] * room.tilt[i]
    if stop > 1 and back > strong:
        fold_in_weak_beams(room, origin, n_strong, ends[3], back, size, half_inverse)
    middle, half = 0.0, 0.0
    if stop > 2:
        middle, half = interval(room.matrix, room.diagonal, n_strong)
        to_unit_interval(room.matrix, room.diagonal, n_strong, size, middle, half)
    return middle, half


@njit(nogil=True, error_model="numpy")
def waves_until(stop, k, ends, middle, half, thickness, potential, room):
    """Compute the waves of strong beams and the intensities of the others, as far as the stage ``stop``."""
    n_strong, size, half_inverse, start = ends[0], padded(ends[0]), 0.5 / k, room.start
    propagate(room.matrix, size, middle, half, thickness, room.psi, room.work)
    if stop > 4:
        start[0, :, :size] = np.float32(0.0)
        start[0, 0, 0] = np.float32(1.0)
        krylov(room.matrix, size, middle, half, start)
        for t in range(thickness.shape[0]):
            room.powers[t, 0, :, :size] = room.psi[t, :, :size]
            krylov(room.matrix, size, middle, half, room.powers[t])
    if stop > 5:
        weak_intensities(room, potential.origin, n_strong, n_strong, ends[1], ORDERS, half_inverse, thickness)
    if stop > 6:
        weak_intensities(room, potential.origin, n_strong, ends[1], ends[2], FAR_ORDERS, half_inverse, thickness)


def main() -> None:
    """Print the table of each phase."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--phases", default="pbi2_2h,gratia_2h,pbi2")
    parser.add_argument("--directions", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=7)
    asked = parser.parse_args()
    rates = measure_rates()
    print("what one thread of this machine can do")
    print_rates(rates)
    for phase in asked.phases.split(","):
        measure(phase, asked.directions, asked.repeats, rates)


def measure(phase: str, n: int, repeats: int, rates: Rates) -> None:
    """Print µs a direction of each stage: the floor, what was measured, their ratio, and what makes the floor."""
    simulator = Simulator.prepare(document((phase,), n, lattice_scale=1.0, calibration_scale=1.0))
    engine, draws = simulator.tables.engine, simulator.draw(0, n)
    tables, thickness = engine.tables[0], np.array(THICKNESSES)
    lattice, potential, choice = tables.lattice, tables.potential, tables.choice
    room = room_for(tables, len(thickness))
    between = interpolation(B_OF_U * 0.0, 1.0, potential)
    coefficients(potential.real, between, room.real)
    coefficients(potential.imaginary, between, room.imaginary)
    k = math.sqrt(engine.geometry.k**2 + mean_potential(potential, between)[0])
    axes = np.array([turned_axes(orientation, lattice.axes, 1.0) for orientation in draws["orientation"]])
    counted = np.zeros((n, 5))
    seconds = np.empty((repeats + 1, len(STAGES)))  # the first run compiles
    for repeat in range(repeats + 1):
        for stop in range(len(STAGES)):
            begun = time.process_time()
            until(stop, axes, k, thickness, lattice, potential, choice, room, counted)
            seconds[repeat, stop] = (time.process_time() - begun) / n
    check(axes[-1], k, thickness, lattice, potential, choice, room, counted[-1])
    measured = 1e6 * np.diff(np.median(seconds[1:], axis=0), prepend=0.0)
    parts = room.matrix.shape[0]
    needs = floors(counted, thickness, parts, rates)
    strong, weak, far, _, _ = counted.mean(axis=0)
    print(
        f"\n{phase}, {'complex' if parts == 2 else 'real'}: {strong:.0f} strong beams, {weak:.0f} weak, {far:.0f} far"
    )
    print(f"{'stage':<16}{'floor µs':>9}{'measured µs':>13}{'ratio':>7}  held by")
    for name, taken in zip(STAGES, measured, strict=True):
        lowest, by, others = floor_of(needs.get(name, {}))
        floor = f"{lowest:9.1f}{taken:13.1f}{taken / lowest:7.1f}  {by}" if lowest else f"{'':9}{taken:13.1f}"
        print(f"{name:<16}{floor}{', also ' + others if others else ''}")
    total = sum(floor_of(each)[0] for each in needs.values())
    print(
        f"{'whole':<16}{total:9.1f}{measured.sum():13.1f}{measured.sum() / total:7.1f}  {1e6 / measured.sum():,.0f}/s"
    )


def check(axes, k, thickness, lattice, potential, choice, room, counted) -> None:
    """Stop unless the stages leave what the engine computes, but for the common factor of all beams."""
    n = int(counted[:3].sum())
    strong = int(counted[0])
    staged = room.intensity[:, strong:n].copy()
    diffract(axes, k, 0.0, thickness, _SEEN, lattice, potential, choice, room)
    ratio = room.intensity[:, strong:n] / staged
    if not np.allclose(ratio, ratio[:, :1], rtol=1e-5):
        raise SystemExit("the stages do not compute what the engine does")


def floors(counted: np.ndarray, thickness: np.ndarray, parts: int, rates: Rates) -> dict[str, dict[str, float]]:
    """Return the µs that each stage needs of each resource."""
    size = np.ceil(counted[:, 0] / 8) * 8
    square, n_thick = size**2, len(thickness)
    products = 1 if parts == 1 else 4  # of real matrices and vectors, in one of Chebyshev's terms
    terms = np.array([bessel_terms(half, thickness.max()) for half in counted[:, 4]])
    kilobytes = 4e-3 * parts * square.mean()
    byte = rates.l1 if kilobytes < 32 else rates.l2 if kilobytes < 1000 else rates.l3
    vectors = (n_thick + 1) * (ORDERS - 1)
    weak, far = size * counted[:, 1], size * counted[:, 2]
    waves = 2 * n_thick * parts
    seconds = {
        "couplings": {"arithmetic": parts * square * rates.madd32, "table": 4 * parts * square * rates.l2},
        "Bethe's terms": {"arithmetic": square * counted[:, 3] * (0.5 if parts == 1 else 4) * rates.madd32},
        "interval": {"arithmetic": 2 * parts * square * rates.madd32, "matrix": 8 * parts * square * byte},
        "Chebyshev": {
            "arithmetic": terms * products * square * rates.madd32,
            "matrix": 4 * terms * parts * square * byte,
        },
        "powers": {
            "arithmetic": vectors * 2 * parts * square * rates.madd32,
            "matrix": 4 * vectors * parts * square * byte,
        },
        "weak beams": {
            "arithmetic": ORDERS * (waves + parts * 2) * weak * rates.madd32,
            "table": 4 * parts * weak * rates.l2,
        },
        "far beams": {"arithmetic": FAR_ORDERS * waves * far * rates.madd32, "table": 4 * parts * far * rates.l2},
    }
    return {
        stage: {what: 1e6 * float(np.mean(value)) for what, value in needs.items()} for stage, needs in seconds.items()
    }


def bessel_terms(half: float, thickness: float) -> int:
    """Return how many of Chebyshev's terms count."""
    argument = 2 * math.pi * thickness * half
    return bessel(argument, np.zeros(most_terms(argument)))


if __name__ == "__main__":
    main()
