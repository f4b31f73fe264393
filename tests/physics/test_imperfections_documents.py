"""Combinations, lists of orientations, aliases, and what a document leaves alone (docs/physics.md §8)."""

import itertools

import numpy as np
import pytest
from orix.quaternion import Rotation

from difsims_core.config.documents import load_spec, make_spec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.errors import DifsimsError, InputError
from difsims_core.resources import specs_folder
from difsims_core.simulation.simulator import Simulator
from tests.physics.runs import Run

PHASES = {"phases": ["pb", "pbi2_2h"], "spots": {"sigma_px": {"choice": [1.0, 3.0]}}}
OFF = ("intensities", "overlap", "distortion", "cut_off", "amorphous_ring", "inelastic")
ON = {
    "two_beam": {"diffraction": {"thickness_angstrom": {"uniform": [50, 200]}}, "intensities": {"model": "two_beam"}},
    "random": {"intensities": {"model": "random"}},
    "overlap": {"overlap": {}},
    "distortion": {"distortion": {}},
    "cut_off": {"cut_off": {}},
    "amorphous_ring": {"amorphous_ring": {}},
    "inelastic": {"inelastic": {}},
    "convergence": {"spots": {**PHASES["spots"], "convergence_semi_angle_mrad": {"uniform": [0.2, 1.0]}}},
    "direct_beam": {"spots": {**PHASES["spots"], "direct_beam": {"uniform": [0.1, 1.0]}}},
    "jitter": {"postprocessing": {"q_crop": {"jitter": {"uniform": [0.9, 1.1]}}}},
}


def test_imperfections_are_off_by_default_and_in_old_datasets():
    for spec in (SimulationSpec(), load_spec(specs_folder() / "historical.yaml")):
        assert all(getattr(spec, name) is None for name in OFF)
        assert spec.spots.convergence_semi_angle_mrad is None
        assert spec.spots.direct_beam is None
        assert spec.diffraction.thickness_angstrom is None
        assert spec.combinations is False
        assert spec.postprocessing.q_crop is None
        assert not spec.output.polar_px
        assert not spec.output.polar_all
        assert not spec.output.peaks


@pytest.mark.parametrize("name", ON)
def test_an_imperfection_changes_no_other_draw(name):
    plain, other = make_spec({"n_patterns": 50, **PHASES}), make_spec({"n_patterns": 50, **PHASES, **ON[name]})
    before, after = (Simulator.prepare(spec).block(10, 20).draws for spec in (plain, other))
    replaced = {"two_beam": {"relrod_width_per_angstrom"}, "direct_beam": {"direct_beam"}}.get(name, set())
    for quantity, values in before.items():
        assert quantity in replaced or np.array_equal(values, after[quantity]), quantity
    assert len(after) > len(before) or replaced


CHOICES = {
    "sigma_px": (1.0, 3.0, 2.0), "dose": (100.0, 1000.0), "relrod_width_per_angstrom": (0.01, 0.04),
}  # fmt: skip
COMBINED = {
    "spots": {"sigma_px": {"choice": [1.0, 3.0, 2.0]}},
    "noise": {"dose": {"choice": [100.0, 1000.0]}},
    "diffraction": {"relrod_width_per_angstrom": {"choice": [0.01, 0.04]}},
}


def test_each_orientation_takes_every_combination_once():
    run = Run.of({**PHASES, **COMBINED, "combinations": True}, 2 * 12 * 3)
    expected = set(itertools.product(*(map(np.float32, values) for values in CHOICES.values())))
    assert len(expected) == 12
    for label in (0, 1):
        mine = run.labels == label
        orientation = run.draws["orientation"][mine].reshape(3, 12, 4)
        assert np.all(orientation == orientation[:, :1])
        assert len(np.unique(orientation[:, 0], axis=0)) == 3
        drawn = np.stack([run.draws[name][mine] for name in CHOICES], axis=1).reshape(3, 12, 3)
        for each in drawn:
            assert set(map(tuple, each)) == expected
        assert np.all(drawn == drawn[:1])
    assert not np.array_equal(run.draws["orientation"][0], run.draws["orientation"][1])
    part = Run.of({**PHASES, **COMBINED, "combinations": True}, 9, start=17)
    for name, values in part.draws.values.items():
        assert values.tobytes() == run.draws[name][17:26].tobytes(), name
    assert len(np.unique(run.draws["calibration_scale"])) > 60  # what is no choice is drawn


def test_listed_combinations_leave_the_other_choices_to_chance():
    run = Run.of({**PHASES, **COMBINED, "combinations": ["spots.sigma_px"]}, 2 * 3 * 20)
    for label in (0, 1):
        mine = run.labels == label
        orientation = run.draws["orientation"][mine].reshape(20, 3, 4)
        assert np.all(orientation == orientation[:, :1])
        assert np.all(run.draws["sigma_px"][mine].reshape(20, 3) == np.array(CHOICES["sigma_px"], np.float32))
        assert len(np.unique(run.draws["dose"][mine].reshape(20, 3), axis=0)) > 2
    for wrong in (["spots.sigma"], ["noise.snr"]):
        with pytest.raises(InputError, match="combinations") as caught:
            Simulator.prepare(make_spec({**PHASES, **COMBINED, "combinations": wrong}))
        assert "\n" not in str(caught.value)


def test_combinations_go_through_a_sequential_list_one_orientation_at_a_time():
    grid = {"kind": "grid", "resolution_deg": 30, "order": "sequential"}
    run = Run.of({**PHASES, **COMBINED, "combinations": True, "orientations": grid}, 2 * 12 * 2)
    for label, members in enumerate(run.simulator.tables.orientations):
        drawn = run.draws["orientation"][run.labels == label]
        assert np.array_equal(drawn[::12], members[:2].astype(np.float32))


def test_sequential_grids_and_lists_come_round(tmp_path):
    quaternions = Rotation.random(5).data
    np.save(tmp_path / "pb.npy", quaternions)
    euler = np.array([[10.0, 20.0, 30.0], [350.0, 90.0, 5.0]])
    np.save(tmp_path / "pbi2_2h.npy", euler)
    wanted = {"kind": "list", "file": str(tmp_path / "{phase}.npy"), "order": "sequential"}
    run = Run.of({**PHASES, "orientations": wanted}, 24)
    lists = (quaternions, Rotation.from_euler(euler, degrees=True).data)
    for label, members in enumerate(lists):
        drawn = run.draws["orientation"][run.labels == label]
        np.testing.assert_allclose(drawn, members[np.arange(12) % len(members)], atol=1e-6)
    chance = Run.of({**PHASES, "orientations": {**wanted, "order": "random"}}, 60)
    for label, members in enumerate(lists):
        drawn = chance.draws["orientation"][chance.labels == label]
        which = np.abs(drawn[:, None] - members).max(axis=2).argmin(axis=1)
        assert set(which) == set(range(len(members)))
    assert len(run.simulator.orientation_sha256) == 2
    np.save(tmp_path / "pb.npy", quaternions[::-1])
    again = Run.of({**PHASES, "orientations": wanted}, 2)
    np.testing.assert_allclose(again.draws["orientation"][0], quaternions[-1], atol=1e-6)


WRONG = {
    "five columns": np.zeros((3, 5)), "empty": np.zeros((0, 4)), "one row": np.array([1.0, 0, 0, 0]),
    "NaN": np.array([[1, 0, 0, np.nan]]), "infinity": np.array([[np.inf, 0, 0]]), "twice": 2 * np.eye(4)[:1],
    "nothing": np.zeros((2, 4)), "text": np.array([["a", "b", "c"]]), "complex": np.eye(4) * 1j,
    "objects": np.array([[1, 0, 0, None]], dtype=object),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_lists_are_refused_in_one_line(tmp_path, name):
    np.save(tmp_path / "list.npy", WRONG[name])
    assert_refused(str(tmp_path / "list.npy"))


@pytest.mark.parametrize("content", [None, b"", b"quaternions", b"\x93NUMPY\x01\x00"])
def test_files_that_are_no_lists_are_refused_in_one_line(tmp_path, content):
    if content is not None:
        (tmp_path / "list.npy").write_bytes(content)
    assert_refused(str(tmp_path / "list.npy"))


def assert_refused(file: str) -> None:
    spec = make_spec({**PHASES, "orientations": {"kind": "list", "file": file}})
    with pytest.raises(DifsimsError, match=r"list\.npy") as caught:
        Simulator.prepare(spec)
    assert "\n" not in str(caught.value)


def test_an_archive_of_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "list.npz", np.eye(4))
    (tmp_path / "list.npz").rename(tmp_path / "list.npy")
    assert_refused(str(tmp_path / "list.npy"))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"orientations": {"kind": "list"}}, "orientations: .*file"),
        ({"orientations": {"kind": "grid", "file": "a.npy"}}, "orientations: .*file"),
        ({"orientations": {"order": "sequential"}}, "orientations: .*order"),
        ({"intensities": {"model": "two_beam"}}, r"diffraction\.thickness_angstrom"),
        ({"diffraction": {"shape_factor": "slab", "precession_angle_deg": 1}}, "precession"),
        ({"overlap": {"fraction": 0.6}}, "0.5"),
        ({"combinations": True, "spots": {}}, "combinations"),
        ({"postprocessing": {"q_crop": {"q_max_per_angstrom": 2.0, "jitter": 1.2}}}, "q_max.*jitter"),
    ],
)
def test_documents_that_contradict_themselves_are_refused(document, words):
    with pytest.raises(DifsimsError, match=words):
        Simulator.prepare(make_spec({**PHASES, **document}))


def test_the_q_crop_jitters():
    """Bin j of x_q is the mean over [q_j − δ/2, q_j + δ/2] · scale of the profile, a step function of q."""
    crop = {"n_points": 60, "jitter": {"uniform": [0.85, 1.15]}}
    spec = make_spec({"n_patterns": 6, **PHASES, "postprocessing": {"q_crop": crop}, "output": {"precision": "exact"}})
    block = Simulator.prepare(spec).block(0, 6)
    assert np.array_equal(block.q_q, np.linspace(0.11, 1.30, 60))
    step, half = 0.008290514530472063, (1.30 - 0.11) / 59 / 2
    edges = np.maximum(np.arange(257) - 0.5, 0) * step
    scales = block.draws["q_crop_scale"].astype(float)
    assert np.ptp(scales) > 0.05
    for profile, found, scale in zip(block.x_all.astype(float), block.x_q, scales, strict=True):
        integral = np.concatenate([[0], np.cumsum(profile * np.diff(edges))])
        ends = np.interp([(block.q_q - half) * scale, (block.q_q + half) * scale], edges, integral)
        mean = (ends[1] - ends[0]) / (2 * half * scale)
        expected = (mean - mean.min()) / np.ptp(mean)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_old_name_of_the_seed():
    assert make_spec({**PHASES, "random_seed": 7}) == make_spec({**PHASES, "seed": 7})
    with pytest.raises(DifsimsError, match="random_seed"):
        make_spec({**PHASES, "random_seed": 7, "seed": 8})
