"""Structure factors of cells of any size against the sum over their atoms, one by one (docs/physics.md §3)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orix.crystal_map import Phase
from orix.quaternion import Rotation

from difsims_core import radial_profiles
from difsims_core.crystal import structure_factors
from difsims_core.crystal.indices import MOST_REFLECTIONS, friedel_half, mirrored
from difsims_core.crystal.phases import read_phase
from difsims_core.crystal.reflections import reflection_list
from difsims_core.crystal.rows import reflection_rows
from difsims_core.crystal.structure_factors import Scatterers
from difsims_core.errors import CrystalError
from difsims_core.kernels import structure_factors as kernels
from tests.effort import examples
from tests.oracles.big_cells import cube, random_phase
from tests.oracles.structure_factor import intensity_of_atoms

SCALES = np.array([0.91, 1.0, 1.13])
CELLS = st.tuples(*[st.floats(3, 9)] * 3, *[st.floats(65, 115)] * 3)
U = (0.004, 0.12)


def b_of(phase: Phase, u: tuple[float, float] | None) -> np.ndarray:
    return np.array([0.0 if u is None else 8 * np.pi**2 * atom.Uisoequiv for atom in phase.structure])


def basis_of(phase: Phase) -> np.ndarray:
    return read_phase(phase).structure.cell.reciprocal


@settings(max_examples=examples(40), deadline=None)
@given(
    CELLS, st.integers(1, 20), st.integers(0, 99), st.sampled_from(["lobato", "xtables"]), st.sampled_from([None, U])
)
def test_intensities_at_every_scale_are_the_sum_over_the_atoms(cell, n_atoms, seed, parametrisation, u):
    phase = random_phase(n_atoms, cell, seed, u)
    half = friedel_half(basis_of(phase), 1.4, phase.name, along_longest_rows=bool(seed % 2))
    found = Scatterers.of(read_phase(phase), parametrisation, "none" if u is None else "from_cif").intensity(
        half, SCALES
    )
    assert found.shape == (3, len(half))
    g = np.linalg.norm(half.hkl() @ basis_of(phase), axis=1)
    np.testing.assert_allclose(half.lengths(), g, rtol=1e-12)
    for row, scale in zip(found, SCALES, strict=True):
        expected = intensity_of_atoms(phase, half.hkl(), g / scale, b_of(phase, u), parametrisation)
        np.testing.assert_allclose(row, expected, rtol=0, atol=1e-10 * expected.max())


@settings(max_examples=examples(40), deadline=None)
@given(CELLS, st.floats(0.2, 1.2), st.booleans())
def test_the_half_and_its_mirror_image_are_all_points_of_the_ball(cell, radius, along):
    basis = basis_of(random_phase(1, cell))
    half = friedel_half(basis, radius, "a cell", along_longest_rows=along)
    hkl = mirrored(half.hkl(), -1)
    reach = np.arange(-25, 26)
    box = np.stack(np.meshgrid(reach, reach, reach, indexing="ij"), axis=-1).reshape(-1, 3)
    lengths = np.linalg.norm(box @ basis, axis=1)
    listed = set(map(tuple, hkl.tolist()))
    assert len(listed) == len(hkl)
    assert set(map(tuple, box[lengths <= radius * (1 - 1e-9)].tolist())) <= listed
    assert listed <= set(map(tuple, box[lengths <= radius * (1 + 1e-9)].tolist()))
    assert hkl[np.lexsort(hkl[:, half.order[::-1]].T)].tolist() == hkl.tolist()


@pytest.mark.parametrize("n", range(1, 13))
@pytest.mark.parametrize("axis", range(3))
def test_a_reflection_at_the_radius_itself_is_listed(axis, n):
    """Along each axis, so that it is a point, a row or a plane of points that the ball touches."""
    cell = (3.7, 4.1, 5.3, 83, 97, 104)
    basis = basis_of(random_phase(1, cell))
    hkl = n * np.eye(3, dtype=int)[axis]
    assert hkl.tolist() in friedel_half(basis, float(np.linalg.norm(hkl @ basis)), "a cell").hkl().tolist()


@pytest.mark.parametrize("u", [None, U])
@pytest.mark.parametrize("scales", [(0.97, 1.03), (0.9, 1.2)])
def test_rows_of_reflections_hold_the_sum_over_the_atoms_at_any_scale(scales, u):
    phase = random_phase(60, (7, 15, 11, 82, 97, 106), seed=5, u=u)
    rows = reflection_rows(read_phase(phase), 1.3, "lobato", "none" if u is None else "from_cif", scales)
    lattice = rows.lattice
    place = np.concatenate(
        [
            offset + np.arange(low, high + 1)
            for offset, low, high in zip(lattice.offsets, lattice.low, lattice.high, strict=True)
        ]
    )
    np.testing.assert_array_equal(place, np.arange(len(rows.hkl)))
    sizes = (lattice.high - lattice.low + 1).astype(int)
    third = place - np.repeat(lattice.offsets, sizes)
    vectors = np.stack([np.repeat(lattice.h, sizes), np.repeat(lattice.j, sizes), third], axis=1) @ lattice.axes
    np.testing.assert_allclose(vectors, rows.hkl @ basis_of(phase), atol=1e-9)
    g = np.linalg.norm(vectors, axis=1)
    for scale in (scales[0], 1.0, 1.011, scales[1]):
        found = np.polynomial.polynomial.polyval((scale - lattice.centre) / lattice.half, lattice.intensity.T)
        expected = intensity_of_atoms(phase, rows.hkl, g / scale, b_of(phase, u), "lobato")
        assert found[g == 0] == 0
        np.testing.assert_allclose(found[g > 0], expected[g > 0], rtol=0, atol=1e-5 * expected[g > 0].max())


def test_the_bytes_do_not_depend_on_how_much_is_done_at_once(monkeypatch):
    phase = random_phase(300, (14, 13, 12, 90, 101, 90), u=None)
    half = friedel_half(basis_of(phase), 1.2, phase.name)
    scatterers = Scatterers.of(read_phase(phase), "lobato", "none")
    whole = scatterers.intensity(half, SCALES)
    for reflections, atoms in ((1000, 7), (1, 1000), (10**9, 1)):
        monkeypatch.setattr(structure_factors, "REFLECTIONS_AT_ONCE", reflections)
        monkeypatch.setattr(structure_factors, "ATOMS_AT_ONCE", atoms)
        assert scatterers.intensity(half, SCALES).tobytes() == whole.tobytes()


def test_the_kernels_do_the_same_interpreted(monkeypatch):
    phase = random_phase(9, (4, 5, 6, 80, 95, 110), u=U)
    half = friedel_half(basis_of(phase), 0.8, phase.name)
    scatterers = Scatterers.of(read_phase(phase), "lobato", "from_cif")
    compiled = scatterers.intensity(half, SCALES)
    for name in ("add_phase_sums", "add_scattered"):
        monkeypatch.setattr(structure_factors, name, getattr(kernels, name).py_func)
    np.testing.assert_allclose(scatterers.intensity(half, SCALES), compiled, rtol=1e-12)


def test_atoms_whose_u_differs_by_rounding_are_one_kind():
    phase = random_phase(50, cube(1000))
    for i, atom in enumerate(phase.structure):
        atom.Uisoequiv = 0.05 * (1 + i * 1e-16)
    assert len(Scatterers.of(read_phase(phase), "lobato", "from_cif").b) == len(
        {atom.element for atom in phase.structure}
    )


def test_a_big_cell_needs_few_exponentials_and_scattering_factors(monkeypatch):
    """Far fewer than its 624 atoms times 6 scales times 4·10⁵ reflections: tables of single indices and of |g|."""
    phase = random_phase(624, cube(18_000))
    count = {"waves": 0, "factors": 0}
    waves, factors = structure_factors.index_waves, structure_factors.scattering_factors

    def counted_waves(*arguments):
        found = waves(*arguments)
        count["waves"] += found.size
        return found

    def counted_factors(*arguments):
        found = factors(*arguments)
        count["factors"] += found.size
        return found

    monkeypatch.setattr(structure_factors, "index_waves", counted_waves)
    monkeypatch.setattr(structure_factors, "scattering_factors", counted_factors)
    rows = reflection_rows(read_phase(phase), 1.7, "lobato", "none", (0.97, 1.03))
    assert len(rows.hkl) == pytest.approx(4 / 3 * np.pi * (1.7 * 1.03) ** 3 * 18_000, rel=1e-3)
    assert count["waves"] <= 2e-3 * 624 * len(rows.hkl)
    assert count["factors"] <= 0.1 * len(rows.hkl)


def test_a_cell_of_a_hundred_thousand_cubic_angstrom_is_accepted():
    """At the corner of the reference detector, with lattice scales: a sample of its reflections, atom by atom."""
    phase = random_phase(40, cube(1e5))
    rows = reflection_rows(read_phase(phase), 2.2, "lobato", "none", (0.97, 1.03))
    assert len(rows.hkl) == pytest.approx(4 / 3 * np.pi * (2.2 * 1.03) ** 3 * 1e5, rel=1e-3)
    assert int(rows.lattice.offsets.max()) + int(rows.lattice.high[-1]) == len(rows.hkl) - 1
    some = rows.hkl[:: len(rows.hkl) // 501]
    g = np.linalg.norm(some / 1e5 ** (1 / 3), axis=1)
    found = np.polynomial.polynomial.polyval(0.0, rows.lattice.intensity[:: len(rows.hkl) // 501].T)
    expected = intensity_of_atoms(phase, some, g, np.zeros(40), "lobato")
    np.testing.assert_allclose(found[g > 0], expected[g > 0], rtol=0, atol=1e-5 * rows.lattice.intensity[:, 0].max())


def test_too_many_reflections_say_what_limits_them_and_what_to_do():
    phase = random_phase(10, cube(3e6))
    with pytest.raises(CrystalError) as caught:
        radial_profiles(phase, Rotation.identity())
    text, most = str(caught.value), f"{MOST_REFLECTIONS:g}"
    for words in ("10 atoms", "1.2e+08 reflections", "3e+06 Å³", most, "memory", "q_max", "primitive cell"):
        assert words in text
    assert "lengths" not in text


@pytest.mark.parametrize(
    ("cell", "words"),
    [((2, 2, 40_000, 90, 90, 90), r" \d{5,}, .*\d{5}"), ((9000, 9000, 0.01, 90, 90, 90), "reflections")],
)
def test_cells_of_impossible_shape_are_refused(cell, words):
    with pytest.raises(CrystalError, match=words):
        reflection_list(random_phase(1, cell), 1.5)


@pytest.mark.parametrize(
    ("n_atoms", "cell", "nm"),
    [
        (1, (0.3, 0.3, 0.4, 90, 90, 90), True),
        (624, cube(18.0), True),
        (2, cube(18.0), False),
        (624, cube(18_000.0), False),
    ],
)
def test_only_a_cell_too_small_for_its_atoms_looks_like_nm(n_atoms, cell, nm):
    phase = random_phase(n_atoms, cell)
    with pytest.raises(CrystalError) as caught:
        reflection_list(phase, 0.01)
    assert ("lengths look like nm" in str(caught.value)) == nm
    with pytest.raises(CrystalError) as caught:
        reflection_rows(read_phase(phase), 0.01, "lobato", "none", (1.0, 1.0))
    assert ("lengths look like nm" in str(caught.value)) == nm
