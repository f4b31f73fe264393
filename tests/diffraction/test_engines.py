"""The seam between crystals and detector: an engine that only lists its spots goes all the way to a dataset."""

import numpy as np
import pytest

from difsims_core import simulate
from difsims_core.config.documents import make_spec
from difsims_core.dataset.plan import fingerprint
from difsims_core.diffraction.engines.base import Engine
from difsims_core.diffraction.engines.kinematical import KinematicalEngine
from difsims_core.diffraction.noise_free import radial_profiles
from difsims_core.errors import InputError, SpecError
from difsims_core.families import ENGINES
from difsims_core.simulation.simulator import Simulator
from tests.diffraction.test_noise_free import ROTATIONS

EVERYTHING = {
    "n_patterns": 10, "phases": ["pbi2_2h", "pb"],
    "diffraction": {"thickness_angstrom": {"uniform": [50, 200]}},
    "spots": {"sigma_px": {"choice": [1.5, 4]}, "direct_beam": 5, "convergence_semi_angle_mrad": {"choice": [0, 0.8]}},
    "overlap": {"probability": 0.7}, "distortion": {}, "cut_off": {"gap_width_px": 4},
    "output": {"peaks": True, "polar_px": True, "polar": {}, "precision": "exact"}, "noise": None, "background": None,
}  # fmt: skip


class ListingEngine(KinematicalEngine):
    """The spots of the kinematical engine, listed instead of computed on the way; its versions are another matter."""

    name, version = "listing", "7"
    sources = Engine.sources


@pytest.fixture(autouse=True)
def _listing(monkeypatch):
    monkeypatch.setitem(ENGINES.loaded, "listing", ListingEngine)


def documents(changes):
    plain = {**EVERYTHING, **changes}
    return [
        make_spec({**plain, "diffraction": {**plain["diffraction"], "engine": name}})
        for name in ("kinematical", "listing")
    ]


@pytest.mark.parametrize(
    "changes", [{}, {"intensities": {"model": "two_beam"}}, {"intensities": {"model": "random"}},
                {"diffraction": {"precession_angle_deg": 0.5}}],
    ids=["kinematical", "two-beam", "random", "precession"],
)  # fmt: skip
def test_listed_spots_give_what_spots_computed_on_the_way_give(changes):
    """Through ``simulate``, with every imperfection of spots on: profiles, polar patterns and lists of spots."""
    fused, listed = (simulate(spec) for spec in documents(changes))
    for name in ("x_px", "x_all", "polar_px", "polar"):
        np.testing.assert_allclose(getattr(listed, name), getattr(fused, name), rtol=0, atol=2e-6)
    assert listed.peaks is not None
    assert fused.peaks is not None
    assert np.array_equal(listed.peaks.hkl, fused.peaks.hkl)
    np.testing.assert_allclose(listed.peaks.intensity, fused.peaks.intensity, rtol=1e-5)
    np.testing.assert_allclose(listed.peaks.g, fused.peaks.g, atol=1e-6)


def test_images_too():
    fused, listed = (Simulator.prepare(spec).images(0, 2) for spec in documents({}))
    np.testing.assert_allclose(listed, fused, rtol=0, atol=1e-6 * fused.max())


def test_chosen_orientations_too():
    found, expected = (radial_profiles("pb", ROTATIONS, engine=name) for name in ("listing", "kinematical"))
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * expected.max())


def test_engine_and_version_belong_to_the_fingerprint(monkeypatch):
    kinematical, listing = (Simulator.prepare(spec) for spec in documents({}))
    assert listing.versions == {**kinematical.versions, "engine": "listing", "engine_version": "7"}
    before = fingerprint(listing)
    assert before != fingerprint(kinematical)
    monkeypatch.setattr(ListingEngine, "version", "8")
    assert fingerprint(listing) != before


def test_an_unknown_engine_is_refused_with_the_choices():
    document, found = {"diffraction": {"engine": "kinematicl"}}, r"no engine is called 'kinematicl', did you mean"
    with pytest.raises(SpecError, match=found):
        make_spec(document)
    with pytest.raises(InputError, match=found):
        Simulator.prepare(make_spec(document, stored=True))


def test_an_engine_that_loses_count_is_named(monkeypatch):
    def one_too_many(self, crystals, frame):
        spots = KinematicalEngine.spots(self, crystals, frame)
        spots.start[-1] += 1
        return spots

    monkeypatch.setattr(ListingEngine, "spots", one_too_many)
    with pytest.raises(InputError, match=r" 470, 469 "):
        simulate(documents({})[1])


def test_spots_are_computed_once_for_all_that_is_drawn_of_them(monkeypatch):
    """Profiles, reduced polar patterns and peaks of one slice; discs, which fill the memory, are listed each time."""
    asked = []

    def spots(self, crystals, frame):
        asked.append(crystals.label)
        return KinematicalEngine.spots(self, crystals, frame)

    monkeypatch.setattr(ListingEngine, "spots", spots)
    document = {"n_patterns": 6, "phases": ["pbi2_2h", "pb"], "diffraction": {"engine": "listing"},
                "output": {"peaks": True, "polar": {}}}  # fmt: skip
    simulate(make_spec(document), threads=1)
    assert asked == [0, 1]
    asked.clear()
    simulate(make_spec({**document, "spots": {"convergence_semi_angle_mrad": 0.5}}), threads=1)
    assert sorted(asked) == [0, 0, 0, 1, 1, 1]


def test_crystals_of_one_orientation_come_to_an_engine_together(monkeypatch):
    """So that a dynamical one diffracts once for all thicknesses, whatever their widths of spots."""
    spec = make_spec(
        {
            "n_patterns": 24, "phases": ["pb"], "combinations": True, "lattice_scale": 1.0, "calibration_scale": 1.0,
            "diffraction": {"engine": "listing", "thickness_angstrom": {"choice": [100, 200, 400]}},
        }
    )  # fmt: skip
    simulator = Simulator.prepare(spec)
    engine, draws = simulator.tables.engine, simulator.draw(0, 24)
    assert np.ptp(draws["sigma_px"]) > 0
    monkeypatch.setattr("difsims_core.diffraction.engines.base._POINTS_AT_ONCE", 9 * engine.most_spots(0))
    (grains,) = engine.grains(draws, draws.patterns % 1)
    parts = list(engine.parts(grains))
    assert [len(part.which) for part in parts] == [9, 9, 6]
    for part in parts:
        assert len(np.unique(part.conditions.orientation, axis=0)) == len(part.which) // 3
        assert np.array_equal(part.conditions.orientation, draws.of("orientation", part.which))
    assert sorted(np.concatenate([part.which for part in parts])) == list(range(24))
