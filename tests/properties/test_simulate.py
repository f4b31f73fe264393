"""Pattern i depends on (document, i) alone (docs/physics.md §8), whatever the blocks, threads and order."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difsims_core import SimulationSpec, simulate
from difsims_core.config.documents import load_spec, make_spec
from difsims_core.errors import CrystalError, InputError
from difsims_core.resources import specs_folder
from difsims_core.simulation.simulator import Simulator
from tests.effort import examples

N = 1600
SPEC = load_spec(specs_folder() / "reference.yaml", changes=[f"n_patterns={N}", "postprocessing.q_crop={}"])


@pytest.fixture(scope="module")
def whole():
    return simulate(SPEC, threads=1)


def assert_same_bytes(part, whole, start, stop):
    for name in ("x_px", "x_all", "x_q", "y"):
        assert getattr(part, name).tobytes() == getattr(whole, name)[start:stop].tobytes(), name
    for name, values in part.draws.items():
        assert values.tobytes() == whole.draws[name][start:stop].tobytes(), name


@settings(max_examples=examples(12), deadline=None)
@given(
    cuts=st.lists(st.integers(1, N - 1), min_size=1, max_size=3, unique=True),
    threads=st.sampled_from([1, 2, 3]),
    backwards=st.booleans(),
)
def test_bytes_do_not_depend_on_blocks_threads_or_order(whole, cuts, threads, backwards):
    edges = [0, *sorted(cuts), N]
    pieces = list(pairwise(edges))
    for start, stop in reversed(pieces) if backwards else pieces:
        assert_same_bytes(simulate(SPEC, start, stop, threads=threads), whole, start, stop)


def test_a_prefix_is_a_smaller_dataset(whole):
    smaller = SPEC.model_copy(update={"n_patterns": 100})
    assert_same_bytes(simulate(smaller), whole, 0, 100)


def test_leaving_out_the_full_profiles_changes_no_byte_of_the_others(whole):
    lean = load_spec(specs_folder() / "bulk.yaml", changes=[f"n_patterns={N}"])
    block = simulate(lean, 0, 500)
    assert block.x_all is None
    assert block.x_px.tobytes() == whole.x_px[:500].tobytes()


def test_another_seed_makes_other_patterns(whole):
    other = simulate(SPEC.model_copy(update={"seed": 11}), 0, 300)
    assert not np.any(np.all(other.x_px == whole.x_px[:300], axis=1))


def test_profiles_are_normalised_and_labels_interleaved(whole):
    for profiles in (whole.x_px, whole.x_all, whole.x_q):
        assert profiles.dtype == np.float32
        assert np.all(profiles.min(axis=1) == 0)
        assert np.all(profiles.max(axis=1) == 1)
    assert np.array_equal(whole.y, np.arange(N) % 3)
    assert whole.x_px.shape == (N, 147)
    assert whole.x_all.shape == (N, 256)
    assert whole.q_px[0] == pytest.approx(0.10777668889613681, abs=1e-15)
    assert whole.q_px[-1] == pytest.approx(1.318191810345058, abs=1e-15)


def test_draws_lie_in_their_ranges(whole):
    for name, low, high in [
        ("lattice_scale", 0.97, 1.03), ("calibration_scale", 0.98, 1.02), ("relrod_width_per_angstrom", 0.005, 0.05),
        ("sigma_px", 1.0, 4.0), ("dose", 20, 1e5), ("background_amplitude", 0, 2),
    ]:  # fmt: skip
        values = whole.draws[name]
        assert low * (1 - 1e-6) <= values.min() < values.max() <= high * (1 + 1e-6), name
    assert np.allclose(np.linalg.norm(whole.draws["orientation"], axis=1), 1, atol=1e-6)
    assert set(np.unique(whole.draws["removed_spots"])) == set(range(32))
    assert len(np.unique(whole.draws["sigma_px"])) == 64


def test_a_grid_of_orientations_gives_members_of_the_grid():
    spec = make_spec(
        {"n_patterns": 60, "phases": ["pb", "pbi2_2h"], "orientations": {"kind": "grid", "resolution_deg": 10}}
    )
    simulator = Simulator.prepare(spec)
    assert simulator.tables.orientations is not None
    drawn = simulator.block(0, 60).draws["orientation"]
    for label, grid in enumerate(simulator.tables.orientations):
        distance = np.abs(drawn[label::2, None] - grid.astype(np.float32)).max(axis=2).min(axis=1)
        assert np.all(distance == 0)


def test_background_class_has_no_spots():
    spec = make_spec({"n_patterns": 40, "phases": ["pb"], "background_class": True, "noise": None})
    block = simulate(spec)
    assert spec.class_names == ("pb", "background")
    smooth = block.x_px[block.y == 1]
    assert np.all(np.diff(smooth, axis=1) <= 0)


@pytest.mark.parametrize("order", ["physical", "historical"])
def test_square_root_and_order(order):
    plain = {"n_patterns": 30, "phases": ["pb"], "noise": None, "order": order, "background": {"amplitude": 0.0}}
    linear = simulate(make_spec(plain)).x_all
    rooted = simulate(make_spec({**plain, "postprocessing": {"sqrt": True}})).x_all
    assert linear is not None
    assert rooted is not None
    np.testing.assert_allclose(rooted, np.sqrt(linear), atol=2e-3)


def test_historical_background_is_free_of_noise():
    """Added after the noise on a profile in [0, 1]: the difference to the profile without it is A exp(−τ q)."""
    document = {
        "n_patterns": 12, "phases": ["pb"], "order": "historical", "output": {"precision": "exact"},
        "noise": {"dose": 1, "snr": 0.999, "intensity_spike": 1.0},
    }  # fmt: skip
    simulator = Simulator.prepare(make_spec({**document, "background": {"amplitude": 0.5, "decay_angstrom": 2.0}}))
    block = simulator.block(0, 12)
    without = simulate(make_spec({**document, "background": None}))
    assert block.x_all is not None
    assert without.x_all is not None
    expected = without.x_all + 0.5 * np.exp(-2.0 * block.q_all)
    low = expected.min(axis=1, keepdims=True)
    np.testing.assert_allclose(block.x_all, (expected - low) / (expected.max(axis=1, keepdims=True) - low), atol=1e-5)


def test_spot_removal_never_removes_every_spot():
    document = {"n_patterns": 30, "phases": ["pb"], "noise": None, "background": None}
    removing = {"sigma_px": 2, "removal": {"among": 64, "count": 64}}
    block = simulate(make_spec({**document, "spots": removing}))
    assert block.draws["removed_spots"].dtype == np.uint64
    assert np.all(block.draws["removed_spots"] == np.uint64(2**64 - 1))
    assert block.x_all is not None
    assert np.all(block.x_all.max(axis=1) == 1)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"phases": ["pbi2_2"]}, "'pbi2_2h'"),
        ({"phases": [{"name": "a", "cif": "/nowhere/a.cif"}]}, r"/nowhere/a\.cif"),
        ({"crystal_folder": "/nowhere"}, "/nowhere"),
        ({"detector": {"size_px": 256}}, r"0\.753.*1\.322.*size_px"),
        ({"postprocessing": {"q_crop": {"q_max_per_angstrom": 3.0}}}, "q_max"),
        ({"diffraction": {"debye_waller": {"Xe": 1.0}}}, "Xe"),
        ({"detector": {"size_px": 64, "calibration_per_angstrom": 0.05}}, r"0\.05"),
    ],
)
def test_what_cannot_be_simulated_is_refused_before_any_work(document, words):
    with pytest.raises(InputError, match=words):
        Simulator.prepare(make_spec(document))


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 5), (0, 11)])
def test_ranges_outside_the_dataset_are_refused(start, stop):
    with pytest.raises(InputError, match="start < stop"):
        simulate(SimulationSpec(n_patterns=10), start, stop)


CIF = """data_x
_cell_length_a 4
_cell_length_b 4
_cell_length_c 4
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_symmetry_equiv_pos_as_xyz
'x,y,z'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
A1 {element} 0 0 0 {occupancy}
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("this is not a CIF", r"a\.cif"),
        ("", "a.cif"),
        (CIF.format(element="Pb", occupancy=1).split("loop_\n_atom")[0], "_atom_site_fract"),
        (CIF.format(element="Pb", occupancy=1).replace("Pb 0 0 0", "Pb ? 0 0"), r"\?"),
        (CIF.format(element="Pb", occupancy=1).replace("length_a 4", "length_a ?"), "_cell_length_a"),
        (CIF.format(element="Pb", occupancy=1).replace("length_a 4", "length_a 0.2"), "volume"),
        (CIF.format(element="Pb", occupancy=1).replace("length_a 4", "length_a 90000"), " Å³"),
        (CIF.format(element="Qq", occupancy=1), "'Qq'"),
        (CIF.format(element="Pb", occupancy=1.5), "occupancy"),
    ],
)
def test_bad_crystal_files_are_refused(tmp_path, text, words):
    (tmp_path / "a.cif").write_text(text)
    with pytest.raises(CrystalError, match=words) as caught:
        Simulator.prepare(make_spec({"phases": ["a"], "crystal_folder": str(tmp_path)}))
    assert "a.cif" in str(caught.value) or "reflections" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_crystal_folder_is_refused(tmp_path):
    with pytest.raises(CrystalError, match=rf"{tmp_path}.*\.cif"):
        Simulator.prepare(make_spec({"phases": ["a"], "crystal_folder": str(tmp_path)}))


def test_oxidation_states_are_accepted(tmp_path):
    for element, name in [("Pb2+", "ion"), ("Pb", "atom")]:
        (tmp_path / f"{name}.cif").write_text(CIF.format(element=element, occupancy=1))
    blocks = [
        simulate(make_spec({"n_patterns": 20, "phases": [name], "crystal_folder": str(tmp_path)}))
        for name in ("ion", "atom")
    ]
    assert blocks[0].x_px.tobytes() == blocks[1].x_px.tobytes()


def test_debye_waller_factors_apply_to_the_phases_that_hold_the_element():
    plain = {"n_patterns": 40, "phases": ["pb", "pbi2_2h"], "noise": None, "background": None}
    damped = simulate(make_spec({**plain, "diffraction": {"debye_waller": {"I": 3.0}}}))
    without = simulate(make_spec(plain))
    same = np.all(damped.x_px == without.x_px, axis=1)
    assert np.all(same[damped.y == 0])
    assert not np.any(same[damped.y == 1])


@pytest.mark.parametrize("decay", [0.5, 6.0, 8.0])
@pytest.mark.parametrize("noise", [None, {"dose": 1e5, "snr": 1.0}])
def test_steep_power_laws_stay_finite_and_keep_their_shape(decay, noise):
    background = {"model": "power_law", "amplitude": 1.0, "decay_angstrom": decay}
    block = simulate(make_spec({"n_patterns": 30, "phases": ["pb"], "background": background, "noise": noise}))
    assert block.x_all is not None
    assert np.all(np.isfinite(block.x_px))
    assert np.all(block.x_all.argmax(axis=1) == 0)


@pytest.mark.parametrize("spec", [{}, "reference.yaml", None])
def test_simulate_asks_for_a_spec(spec):
    with pytest.raises(InputError, match="load_spec"):
        simulate(spec)
