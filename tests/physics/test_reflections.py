"""docs/physics.md §3: reflection lists and structure factors, against explicit sums and against diffsims."""

import numpy as np
import pytest
from diffsims.crystallography._diffracting_vector import DiffractingVector
from diffsims.utils.sim_utils import get_kinematical_intensities

from difsims_core.crystal.phases import load_phase
from difsims_core.crystal.reflections import reflection_list
from tests.oracles import structure_factor
from tests.oracles.crystals import PUBLISHED, published_phase

PHASES = (
    "pb",
    "pbi2_2h",
    "pbi2_4h",
    "pbbr2",
    "p4mbm_scaled_mixed_halide",
    "gratia_2h",
    "gratia_4h",
    "cubic_fapbi_scaled",
)


def table(reflections) -> dict[tuple[int, int, int], tuple[np.ndarray, float]]:
    """Return hkl → (g, |F|²)."""
    hkl = np.asarray(reflections.hkl)
    assert np.issubdtype(hkl.dtype, np.integer)
    rows = {
        tuple(int(i) for i in index): (g, float(value))
        for index, g, value in zip(hkl, reflections.g, reflections.intensity, strict=True)
    }
    assert len(rows) == len(hkl), "a reflection is listed twice"
    return rows


def assert_same_reflections(ours: dict, oracle: dict, rtol: float, atol_of_max: float = 1e-9) -> None:
    """Compare two lists; reflections without intensity (extinct) may be left out of ours."""
    strongest = max(value for _, value in oracle.values())
    assert ours.keys() <= oracle.keys()
    left_out = oracle.keys() - ours.keys()
    assert all(oracle[hkl][1] < 1e-6 * strongest for hkl in left_out), "a reflection with intensity is missing"
    order = sorted(ours)
    np.testing.assert_allclose([ours[hkl][0] for hkl in order], [oracle[hkl][0] for hkl in order], atol=1e-6)
    np.testing.assert_allclose(
        [ours[hkl][1] for hkl in order],
        [oracle[hkl][1] for hkl in order],
        rtol=rtol,
        atol=atol_of_max * strongest,
    )


@pytest.mark.parametrize("name", PHASES)
def test_all_reflections_are_there_with_the_oracles_structure_factors(name):
    phase = load_phase(name)
    assert_same_reflections(
        table(reflection_list(phase, 1.2)), table(structure_factor.reflections(phase, 1.2)), rtol=1e-5
    )


@pytest.mark.parametrize("name", PHASES)
@pytest.mark.parametrize("factors", ["lobato", "xtables"])
def test_structure_factors_are_those_of_diffsims(name, factors):
    phase = load_phase(name)
    ours = reflection_list(phase, 0.9, scattering_factors=factors)
    vectors = DiffractingVector(phase, hkl=ours.hkl)
    theirs = get_kinematical_intensities(phase.structure, ours.hkl, vectors.gspacing, scattering_params=factors)
    np.testing.assert_allclose(ours.intensity, theirs, rtol=1e-5, atol=1e-9 * theirs.max())
    np.testing.assert_allclose(ours.g, vectors.data, atol=1e-6)


@pytest.mark.parametrize("name", PUBLISHED)
def test_crystal_files_hold_the_published_structures(name):
    """CIF reading against a cell built from the published sites: symmetry, occupancies, settings, species.

    Coordinates that are rounded off their special position move weak reflections a little.
    """
    ours = table(reflection_list(load_phase(name), 0.8))
    oracle = table(structure_factor.reflections(published_phase(name), 0.8))
    assert_same_reflections(ours, oracle, rtol=0.01, atol_of_max=5e-4)


@pytest.mark.parametrize("name", ["pb", "gratia_2h", "p4mbm_scaled_mixed_halide"])
def test_lattice_scale_moves_g_and_evaluates_the_scattering_factor_there(name):
    phase, scale = load_phase(name), 1.07
    scaled = table(reflection_list(phase, 1.0, lattice_scale=scale))
    assert_same_reflections(scaled, table(structure_factor.reflections(phase, 1.0, lattice_scale=scale)), rtol=1e-5)
    larger_cell = structure_factor.reflections(published_phase(name, lattice_scale=scale), 1.0)
    assert_same_reflections(scaled, table(larger_cell), rtol=0.01, atol_of_max=5e-4)


def test_lattice_scale_of_one_element_follows_its_scattering_factor():
    """Pb has one kind of atom: |F|² = (4 f)², at |g| / s."""
    plain, scaled = (table(reflection_list(load_phase("pb"), 1.3, lattice_scale=s)) for s in (1.0, 1.1))
    for hkl in [(1, 1, 1), (2, 0, 0), (2, -2, 0), (3, 1, 1)]:
        g = np.linalg.norm(hkl) / 4.95
        assert np.linalg.norm(scaled[hkl][0]) == pytest.approx(g / 1.1, rel=1e-6)
        assert plain[hkl][1] == pytest.approx((4 * structure_factor.lobato("Pb", g)) ** 2, rel=1e-5)
        assert scaled[hkl][1] == pytest.approx((4 * structure_factor.lobato("Pb", g / 1.1)) ** 2, rel=1e-5)


def extinct(name: str, hkl: tuple[int, int, int]) -> bool:
    """Tell whether the space group forbids a reflection (International Tables, general positions)."""
    h, k, l = hkl  # noqa: E741
    if name == "pb":  # F lattice
        return len({h % 2, k % 2, l % 2}) > 1
    if name == "pbi2_4h":  # P6₃mc: 6₃ screw and c glides
        return l % 2 == 1 and (h == k or h == -2 * k or k == -2 * h)
    if name == "pnma_TD_adjust_orthorhombic":  # Pnma
        return (h == 0 and (k + l) % 2 == 1) or (l == 0 and h % 2 == 1)
    return (h == 0 and k % 2 == 1) or (k == 0 and h % 2 == 1)  # P4/mbm: b glides


@pytest.mark.parametrize("name", ["pb", "pbi2_4h", "pnma_TD_adjust_orthorhombic", "p4mbm_scaled_mixed_halide"])
def test_forbidden_reflections_have_no_intensity(name):
    found = table(reflection_list(load_phase(name), 1.0))
    strongest = max(value for _, value in found.values())
    forbidden = [value for hkl, (_, value) in found.items() if extinct(name, hkl)]
    everything = structure_factor.reciprocal_lattice(load_phase(name), 1.0)[0]
    assert any(extinct(name, tuple(hkl)) for hkl in everything)
    assert all(value < 1e-6 * strongest for value in forbidden)


def test_friedel_pairs_have_equal_intensity_and_the_origin_is_not_listed():
    found = table(reflection_list(load_phase("pbi2_4h"), 1.0))
    assert (0, 0, 0) not in found
    for (h, k, l), (g, value) in found.items():  # noqa: E741
        opposite_g, opposite_value = found[(-h, -k, -l)]
        np.testing.assert_allclose(opposite_g, -g, atol=1e-9)
        assert opposite_value == pytest.approx(value, rel=1e-6, abs=1e-9)


def test_no_reflection_lies_beyond_the_radius():
    found = reflection_list(load_phase("gratia_2h"), 0.7)
    length = np.linalg.norm(found.g, axis=1)
    assert length.min() > 0
    assert length.max() <= 0.7 * (1 + 1e-7)


def test_debye_waller_factor_of_an_element_damps_it():
    phase = load_phase("pbi2_2h")
    b = {"Pb": 1.2, "I": 2.3}
    ours = table(reflection_list(phase, 1.0, debye_waller=b))
    oracle = table(structure_factor.reflections(phase, 1.0, debye_waller_b=b))
    assert_same_reflections(ours, oracle, rtol=1e-5)


def test_debye_waller_factors_of_the_crystal_file_are_eight_pi_squared_u():
    phase = load_phase("gratia_2h")
    u = {"Pb": 0.0485, "I": 0.0709, "C": 0.148, "N": 0.111}
    b = {element: 8 * np.pi**2 * value for element, value in u.items()}
    ours = table(reflection_list(phase, 0.8, debye_waller="from_cif"))
    oracle = table(structure_factor.reflections(phase, 0.8, debye_waller_b=b))
    assert_same_reflections(ours, oracle, rtol=1e-5)
