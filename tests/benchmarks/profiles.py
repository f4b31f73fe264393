"""Profiles a second per core, against the route through diffsims, and the agreement of the two.

    python -m tests.benchmarks.profiles [--patterns 16384] [--repeats 5] [--orientations 100] [--diffsims 60]
    python -m tests.benchmarks.profiles --stages

Speed: full profiles of the reference document (draws, spots, noise, background, normalisation) on one thread, with
1d/x_all, as the document asks, and without, as bulk.yaml does, alternating in one run with two threads and with two
routes through diffsims' ``SimulationGenerator``, its own renderer at native pixels and a radial mean; medians, ratios
within each round. The first route simulates the same patterns, each with its own orientation, lattice scale, relrod
width, spot size and calibration, so that it calls the generator once a pattern (its renderer truncates spots to whole
pixels, ``fast=True``, its default). The second does it the favour of one call for all patterns of a phase, which forces
one lattice scale, relrod width and calibration on them. Neither adds noise or background.

Agreement: cosine of noise-free profiles with images super-sampled 4 and 5 times, and with diffsims' spots at native
pixels, each pixel assigned to an annulus by its centre, and shared among the annuli that it touches.

Stages: see ``stages``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping

import numpy as np
from diffsims.generators.simulation_generator import SimulationGenerator
from diffsims.simulations import Simulation2D
from orix.crystal_map import Phase
from orix.quaternion import Rotation

from difsims_core import SimulationSpec, load_spec, radial_profiles
from difsims_core.crystal.phases import load_phase
from difsims_core.resources import specs_folder
from difsims_core.simulation.simulator import Simulator
from tests.benchmarks import stages
from tests.oracles import diffsims_route, ewald, image_route
from tests.oracles.compare import cosine
from tests.oracles.crystals import DEFAULT_PHASES, published_phase
from tests.oracles.orientations import uniform_orientations
from tests.oracles.structure_factor import reflections

RANGE_PER_ANGSTROM = (0.11, 1.32)
CORNER_PER_ANGSTROM = 2.14


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patterns", type=int, default=16_384, help="profiles a timed run")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs; medians are printed")
    parser.add_argument("--diffsims", type=int, default=60, help="patterns a timed run of the diffsims route; 0 skips")
    parser.add_argument(
        "--orientations", type=int, default=100, help="orientations a phase for the agreement; 0 skips it"
    )
    parser.add_argument("--stages", action="store_true", help="only where the time goes, stage by stage")
    arguments = parser.parse_args()
    if arguments.stages:
        stages.report(max(8192, stages.SLICE), 9)
        return
    speed(arguments.patterns, arguments.diffsims, arguments.repeats)
    if arguments.orientations:
        agreement(arguments.orientations)


def speed(n: int, n_diffsims: int, repeats: int) -> None:
    simulators = {
        name: Simulator.prepare(
            load_spec(specs_folder() / file, SimulationSpec, [f"n_patterns={max(512, n * repeats)}"])
        )
        for name, file in (("with 1d/x_all", "reference.yaml"), ("without", "bulk.yaml"))
    }
    spec = simulators["with 1d/x_all"].spec
    draws = simulators["with 1d/x_all"].block(0, 512, threads=1).draws
    same = [
        published_phase(spec.class_names[i % 3], lattice_scale=float(draws["lattice_scale"][i]))
        for i in range(n_diffsims)
    ]
    routes = {"one by one": one_by_one, "in one call": in_one_call} if same else {}
    for route in routes.values():
        route(spec, same[:3], draws)
    simulators["without"].block(0, 512, threads=2)
    rates: dict[str, list[float]] = {}
    for repeat in range(repeats):
        profiles = []
        for name, simulator in simulators.items():
            for threads in (1, 2) if repeat % 2 else (2, 1):
                started = time.perf_counter()
                block = simulator.block(repeat * n, (repeat + 1) * n, threads=threads)
                rates.setdefault(f"{name}, {threads}", []).append(n / (time.perf_counter() - started))
                assert np.all(block.x_px.max(axis=1) == 1)
                profiles.append(block.x_px)
        assert all(np.array_equal(profiles[0], other) for other in profiles)
        for name, route in routes.items():
            started = time.perf_counter()
            theirs = route(spec, same, draws)
            rates.setdefault(name, []).append(n_diffsims / (time.perf_counter() - started))
            assert np.all(theirs.sum(axis=1) > 0)
    print(f"profiles/s of the reference document, {n:,} a run; medians of {repeats} (lowest … highest)")
    for name in simulators:
        one, two = (np.array(rates[f"{name}, {threads}"]) for threads in (1, 2))
        print(
            f"{name:<14} one thread {spread_of(one)}, two threads {spread_of(two)}, scaling {spread_of(two / one, 2)}"
        )
    for name in routes:
        theirs = np.array(rates[name])
        print(f"diffsims, {name:<12} {spread_of(theirs, 1)}/s, {1000 / np.median(theirs):.1f} ms a pattern")
        for ours in simulators:
            print(f"    {ours}, one thread: {spread_of(np.array(rates[f'{ours}, 1']) / theirs)} times as fast")


def spread_of(values: np.ndarray, digits: int = 0) -> str:
    """Return the median with the extremes."""
    low, high = values.min(), values.max()
    return f"{np.median(values):,.{digits}f} ({low:,.{digits}f} … {high:,.{digits}f})"


def render(simulation: Simulation2D, sigma_px: float, calibration: float) -> np.ndarray:
    image = simulation.get_diffraction_pattern(
        shape=(515, 515), sigma=sigma_px, calibration=calibration, direct_beam_position=(257, 257), normalize=False
    )
    return image_route.radial_mean(image)


def one_by_one(spec: SimulationSpec, phases: list[Phase], draws: Mapping[str, np.ndarray]) -> np.ndarray:
    generator, profiles = SimulationGenerator(), []
    for i, phase in enumerate(phases):
        simulation = generator.calculate_diffraction2d(
            phase, Rotation(draws["orientation"][i].astype(float)), reciprocal_radius=CORNER_PER_ANGSTROM,
            with_direct_beam=False, max_excitation_error=spec.diffraction.max_excitation_error_per_angstrom,
            shape_factor_width=float(draws["relrod_width_per_angstrom"][i]),
        )  # fmt: skip
        calibration = 0.00588 * float(draws["calibration_scale"][i])
        profiles.append(render(simulation, float(draws["sigma_px"][i]), calibration))
    return np.array(profiles)


def in_one_call(spec: SimulationSpec, phases: list[Phase], draws: Mapping[str, np.ndarray]) -> np.ndarray:
    generator, profiles = SimulationGenerator(), []
    for label in range(3):
        which = np.arange(label, len(phases), 3)
        simulation = generator.calculate_diffraction2d(
            phases[label], Rotation(draws["orientation"][which].astype(float)), reciprocal_radius=CORNER_PER_ANGSTROM,
            with_direct_beam=False, max_excitation_error=spec.diffraction.max_excitation_error_per_angstrom,
            shape_factor_width=0.02,
        )  # fmt: skip
        for place, i in enumerate(which):
            simulation.rotation_index = place
            profiles.append(render(simulation, float(draws["sigma_px"][i]), 0.00588))
    return np.array(profiles)


def agreement(n: int) -> None:
    q = np.arange(256) * image_route.STEP_PER_ANGSTROM
    inside = (q >= RANGE_PER_ANGSTROM[0]) & (q <= RANGE_PER_ANGSTROM[1])
    low, high = RANGE_PER_ANGSTROM
    print(f"\ncosine of noise-free profiles over {low} … {high} Å⁻¹, {n} orientations: lowest (median)")
    titles = ("image ×4", "image ×5", "diffsims, centres", "diffsims, shared")
    print(f"{'phase':<28}{'σ px':>5}  " + "  ".join(f"{title:>20}" for title in titles))
    for name in DEFAULT_PHASES:
        phase, rotations = load_phase(name), uniform_orientations(n, seed=22)
        found = reflections(phase, 1.6)
        for sigma in (1.5, 3.0, 5.0):
            profiles = radial_profiles(phase, rotations, sigma_px=sigma)[:, inside]
            columns: dict[str, list[float]] = {"image ×4": [], "image ×5": [], "centres": [], "shared": []}
            for rotation, profile in zip(rotations, profiles, strict=True):
                spots = ewald.spots(found, rotation)
                for k in (4, 5):
                    image = image_route.render(spots, sigma_px=sigma, supersample=k)
                    oracle = image_route.radial_mean(image, supersample=k)[inside]
                    columns[f"image ×{k}"].append(cosine(profile, oracle))
                theirs = diffsims_route.spots(diffsims_route.simulate(phase, rotation))
                native = image_route.render(theirs, sigma_px=sigma, supersample=1)
                columns["centres"].append(cosine(profile, image_route.radial_mean(native)[inside]))
                shared = image_route.radial_mean(image_route.split_pixels(native), supersample=image_route.SUPERSAMPLE)
                columns["shared"].append(cosine(profile, shared[inside]))
            cells = (f"{min(values):.5f} ({np.median(values):.5f})" for values in columns.values())
            print(f"{name:<28}{sigma:5.1f}  " + "  ".join(f"{cell:>20}" for cell in cells))


if __name__ == "__main__":
    main()
