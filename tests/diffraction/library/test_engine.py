"""Patterns from a library are those of its engine at the orientation that is stored beside them."""

from dataclasses import replace

import numpy as np
import pytest

from difsims_core import SimulationSpec, simulate
from difsims_core.config.documents import make_spec
from difsims_core.crystal.point_group import cartesian_operations
from difsims_core.diffraction.engines.base import Engine
from difsims_core.diffraction.engines.kinematical import KinematicalEngine
from difsims_core.diffraction.library.recipe import LibraryRecipe
from difsims_core.errors import InputError, SpecError
from difsims_core.families import ENGINES
from difsims_core.kernels.profile.pattern import rotation_matrix
from difsims_core.simulation.simulator import Simulator
from difsims_core.simulation.tables import build_tables

PLAIN = {
    "n_patterns": 240, "phases": ["pbi2_2h", "pbi2_4h", "p4mbm_tetragonal"], "lattice_scale": 1.02,
    "diffraction": {"thickness_angstrom": {"uniform": [50, 200]}, "shape_factor": "slab"},
    "orientations": {"kind": "library", "resolution_deg": 3.0, "thicknesses": 4},
    "overlap": {"probability": 0.5}, "distortion": {}, "calibration_scale": {"uniform": [0.95, 1.05]},
    "spots": {"removal": None},  # of two spots as bright rounding says which one goes
}  # fmt: skip


def document(**changes) -> SimulationSpec:
    return make_spec({**PLAIN, **changes})


class HandedEngine(KinematicalEngine):
    """Intensities that depend on the beam's direction d and on g as they may in a crystal without an inversion.

    The factor is Σ_S h(S g, S d) over the point group, h being any function: it has the symmetry of the group alone.
    """

    name, version = "handed", "1"
    sources = Engine.sources

    @classmethod
    def prepare(cls, spec, crystals, geometry, q_max_per_angstrom):
        engine = KinematicalEngine.prepare.__func__(cls, spec, crystals, geometry, q_max_per_angstrom)
        operations = [cartesian_operations(crystal.structure) for crystal in crystals]
        bases = [crystal.structure.cell.reciprocal for crystal in crystals]
        object.__setattr__(engine, "held", (operations, bases))
        return engine

    def spots(self, crystals, frame):
        found = KinematicalEngine.spots(self, crystals, frame)
        operations, basis = (held[crystals.label] for held in self.held)
        g = self.phases[crystals.label].hkl[found.reflection] @ basis
        d = np.array([rotation_matrix(*quaternion)[2] for quaternion in crystals.conditions.orientation])
        g, d = (np.einsum("mij,nj->mni", operations, vectors) for vectors in (g, d[found.crystal]))
        thickness = crystals.conditions.thickness[found.crystal]
        along = g @ [1.0, 0.4, 0.3] + d @ [0.2, 1.0, 0.6] * (1 + thickness / 300) + (g * d) @ [3.0, -2.0, 1.5]
        return replace(found, intensity=found.intensity * np.exp(along).mean(axis=0))


def engines_and_draws(spec: SimulationSpec):
    simulator = Simulator.prepare(spec)
    draws = simulator.draw(0, spec.n_patterns)
    return simulator.tables.engine, draws, draws.patterns % len(spec.class_names)


@pytest.mark.parametrize(
    "changes",
    [{}, {"diffraction": {"thickness_angstrom": {"choice": [60, 300]}, "precession_angle_deg": 0.4}},
     {"diffraction": {"thickness_angstrom": 150}, "intensities": {"model": "two_beam"}},
     {"intensities": {"model": "random"}}],
    ids=["slab", "precession", "two-beam", "random"],
)  # fmt: skip
def test_patterns_are_those_of_the_engine(changes):
    engine, draws, labels = engines_and_draws(document(**changes))
    for found, expected in zip(engine.profiles(draws, labels), engine.inner.profiles(draws, labels), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-5 * expected.max())
    found, expected = (item.detected_spots(draws, labels) for item in (engine, engine.inner))
    assert set(map(tuple, found.hkl)) == set(map(tuple, expected.hkl))
    assert found.start.tolist() == expected.start.tolist()


@pytest.mark.parametrize("phase", ["pbi2_4h", "pbi2_2h", "pb", "cubic_fapbi_scaled", "p4mbm_tetragonal"])
def test_turned_inverted_and_mirrored_patterns_are_too(monkeypatch, phase):
    """With an engine that tells d from −d, left from right and thick from thin; operations of each kind occur."""
    monkeypatch.setitem(ENGINES.loaded, "handed", HandedEngine)
    changes = {"phases": [phase], "lattice_scale": 1.0, "overlap": None}
    spec = document(diffraction={**PLAIN["diffraction"], "engine": "handed"}, **changes)
    engine, draws, labels = engines_and_draws(spec)
    operations = engine.directions[0].operations[engine.directions[0].located(draws["orientation"])[0]]
    kinds = {(np.sign(np.linalg.det(s)), np.allclose(s, np.eye(3))) for s in operations}
    assert (1.0, False) in kinds or phase == "cubic_fapbi_scaled"
    found, expected = (item.detected_spots(draws, labels) for item in (engine, engine.inner))
    order = [np.lexsort((*spots.hkl.T, np.repeat(np.arange(240), np.diff(spots.start)))) for spots in (found, expected)]
    assert np.array_equal(found.hkl[order[0]], expected.hkl[order[1]])
    off = np.abs(found.intensity[order[0]] - expected.intensity[order[1]])
    assert off.max() < 1e-4 * expected.intensity.max()
    np.testing.assert_allclose(found.g[order[0]], expected.g[order[1]], atol=1e-6)


def test_dynamical_patterns_are_too_each_member_with_a_displacement_of_its_own():
    """Without an inversion, two grains of two phases, and documents that show only the crop."""
    changes = {
        "n_patterns": 48, "phases": ["pbi2_4h", "pbi2_2h"],
        "diffraction": {"thickness_angstrom": {"choice": [60, 250]}},
        "intensities": {"model": "bloch", "rms_displacement_angstrom": {"uniform": [0.06, 0.12]}},
        "orientations": {"kind": "library", "resolution_deg": 3}, "output": {"x_all": False}, "distortion": None,
    }  # fmt: skip
    engine, draws, labels = engines_and_draws(document(**changes))
    first, second = draws["rms_displacement_angstrom"], draws["second_rms_displacement_angstrom"]
    assert len(np.unique(first)) > 40
    assert len(np.unique(second)) > 40
    assert 0.06 <= min(first.min(), second.min()) < max(first.max(), second.max()) <= 0.12
    crop = engine.geometry.grid.crop
    found, expected = (item.profiles(draws, labels)[0][:, crop] for item in (engine, engine.inner))
    off = np.abs(found - expected).sum(axis=1) / expected.sum(axis=1)
    assert np.median(off) < 1e-4
    assert off.max() < 2e-3
    moved = replace(draws, values={**draws.values, "rms_displacement_angstrom": first[::-1].copy()})
    other = engine.inner.profiles(moved, labels)[0][:, crop]
    assert np.median(np.abs(other - expected).sum(axis=1) / expected.sum(axis=1)) > 1e-2


def test_displacements_of_members_cannot_be_taken_in_turn():
    bloch = {"model": "bloch", "rms_displacement_angstrom": {"choice": [0.06, 0.12]}}
    with pytest.raises(InputError, match=r"rms_displacement_angstrom is given as a choice, but can only be drawn"):
        Simulator.prepare(document(intensities=bloch, combinations=True))


def test_thickness_and_scale_are_drawn_and_the_scale_moves_the_spots():
    spec = document(lattice_scale={"uniform": [0.9, 1.1]}, overlap=None, distortion=None, calibration_scale=1.0)
    engine, draws, labels = engines_and_draws(spec)
    assert len(np.unique(draws["thickness_angstrom"])) == 4
    assert np.array_equal(np.float32(1) / draws["thickness_angstrom"], draws["relrod_width_per_angstrom"])
    spots = engine.detected_spots(draws, labels)
    first = slice(0, spots.start[1])
    expected = np.linalg.norm(spots.hkl[first] @ engine.recipes[0].crystal.structure.cell.reciprocal, axis=1)
    factor = np.median(np.linalg.norm(spots.g[first], axis=1) / expected * draws["lattice_scale"][0])
    assert factor == pytest.approx(1, abs=1e-3)  # all but their small component along the beam


def test_a_convergent_beam_fills_its_discs_evenly():
    spec = document(
        spots={"removal": None, "convergence_semi_angle_mrad": {"choice": [0.4, 0.8]}, "sigma_px": 2.0},
        lattice_scale=1.0,
    )
    engine, draws, labels = engines_and_draws(spec)
    found, expected = (item.profiles(draws, labels)[0] for item in (engine, engine.inner))
    off = np.abs(found - expected).sum(axis=1) / expected.sum(axis=1)
    assert np.median(off) < 0.05
    assert np.abs(found.sum() / expected.sum() - 1) < 0.02


def test_any_orientation_is_served_by_the_nearest_member():
    """Uniform orientations, given to the engine as they are: their places are their own, intensities a neighbour's."""
    spec = document(orientations={**PLAIN["orientations"], "resolution_deg": 0.5}, phases=["pbi2_2h"], overlap=None)
    engine, draws, labels = engines_and_draws(spec)
    uniform = Simulator.prepare(spec.model_copy(update={"orientations": type(spec.orientations)()}))
    exact = uniform.draw(0, 240).values["orientation"]
    draws = replace(draws, values={**draws.values, "orientation": exact})
    found, expected = (item.profiles(draws, labels)[0] for item in (engine, engine.inner))
    off, others = (np.abs(one - expected).sum(axis=1) for one in (found, np.roll(found, 1, axis=0)))
    assert 0 < np.median(off) < np.median(others) / 2


def test_the_bytes_do_not_depend_on_split_or_threads():
    spec = document(lattice_scale={"uniform": [0.97, 1.03]}, n_patterns=60, output={"polar": {}})
    whole = simulate(spec, threads=2)
    for first, last in ((0, 1), (1, 37), (37, 60)):
        part = simulate(spec, first, last, threads=1)
        assert part.x_px.tobytes() == whole.x_px[first:last].tobytes()
        assert part.polar is not None
        assert whole.polar is not None
        assert part.polar.tobytes() == whole.polar[first:last].tobytes()
        assert part.draws["orientation"].tobytes() == whole.draws["orientation"][first:last].tobytes()


def test_members_do_not_depend_on_those_computed_with_them():
    simulator = Simulator.prepare(document())
    recipe = simulator.tables.engine.recipes[1]
    whole, part = recipe.spots_of(0, 40), recipe.spots_of(13, 29)
    rows = slice(whole.start[13], whole.start[29])
    assert part.intensity.tobytes() == whole.intensity[rows].tobytes()
    assert part.reflection.tobytes() == whole.reflection[rows].tobytes()


def test_the_version_of_libraries_belongs_to_a_dataset_that_uses_one():
    assert Simulator.prepare(document()).versions["library_version"] == "1"
    assert "library_version" not in Simulator.prepare(document(orientations={})).versions


def recipes_of(spec: SimulationSpec) -> list[str]:
    simulator = Simulator.prepare(spec)
    return [recipe.fingerprint for recipe in simulator.tables.engine.recipes]


def test_a_library_is_the_same_for_every_document_that_needs_the_same():
    before = recipes_of(document())
    assert len(set(before)) == 3
    alike = {"seed": 3, "n_patterns": 5, "intensities": {"model": "random"}, "noise": None, "overlap": None}
    assert recipes_of(document(**alike, phases=PLAIN["phases"][:2])) == before[:2]
    for other in (
        {"lattice_scale": 1.03}, {"diffraction": {**PLAIN["diffraction"], "shape_factor": "lorentzian"}},
        {"orientations": {**PLAIN["orientations"], "thicknesses": 5}}, {"microscope": {"beam_energy_kv": 300}},
        {"orientations": {**PLAIN["orientations"], "resolution_deg": 2.9}}, {"intensities": {"model": "two_beam"}},
        {"spots": {"convergence_semi_angle_mrad": 0.5}},
    ):  # fmt: skip
        assert not set(recipes_of(document(**other))) & set(before)


@pytest.mark.parametrize(
    ("changes", "found"),
    [({"diffraction": {}}, "set diffraction.thickness_angstrom"),
     ({"diffraction": {"thickness_angstrom": 100, "precession_angle_deg": {"uniform": [0, 1]}}}, "from 0 to 1"),
     ({"diffraction": {"thickness_angstrom": {"choice": list(range(50, 150))}}}, "at most 64 thicknesses"),
     ({"orientations": {"kind": "library", "resolution_deg": 5}}, r"lies in 0.1 … 3°, found 5"),
     ({"orientations": {"kind": "grid", "resolution_deg": 0.5}}, r"lies in 1 … 45°, found 0.5"),
     ({"orientations": {"kind": "library", "file": "a.npy"}}, "need a file, and only they do"),
     ({"orientations": {"kind": "library", "order": "sequential"}}, "kind library have no order"),
     ({"orientations": {"kind": "library", "thicknesses": 1}}, "thicknesses")],
)  # fmt: skip
def test_what_a_library_cannot_hold_is_refused(changes, found):
    with pytest.raises(SpecError, match=found):
        document(**changes)


def test_a_library_has_a_resolution_of_its_own():
    assert document(orientations={"kind": "library"}).orientations.resolution_deg == 0.7
    assert make_spec({}).orientations.resolution_deg == 3.0


def test_a_library_beyond_memory_is_refused_before_it_is_computed(monkeypatch):
    monkeypatch.setattr("difsims_core.diffraction.library.recipe._MOST_BYTES", 1e5)
    asked = []
    kept = LibraryRecipe.spots_of
    monkeypatch.setattr(LibraryRecipe, "spots_of", lambda *run: asked.append(run[1:]) or kept(*run))
    spec = document(phases=["pbi2_2h"])
    with pytest.raises(InputError, match=r"will take 0.\d GB of memory \(\d+ beam directions, 4 thicknesses"):
        build_tables(spec, Simulator.prepare(spec).crystals).engine.library(0)
    assert asked == [(0, 256)]
