"""The shipped CIF files: one structure for every reader, and the reflections that crystallography demands.

Orix (through diffpy), gemmi's own reader and ASE are independent readers of the same files, and gemmi's structure
factors (International Tables C, table 4.3.2.2) are an independent check of those of diffsims (table 4.3.2.3).
"""

import hashlib
import re
from collections import Counter
from functools import cache
from pathlib import Path

import gemmi
import numpy as np
import pytest
from diffsims.crystallography import ReciprocalLatticeVector
from diffsims.utils.sim_utils import get_kinematical_intensities
from numpy.testing import assert_allclose
from orix.crystal_map import Phase
from ruamel.yaml import YAML

from difsims_core.crystal.phases import load_crystal, load_phase
from difsims_core.crystal.point_group import proper_point_group
from tests.crystal.expected import CELLS, CONDITIONS, LINES, PUBLISHED_X_RAY, U_ISO, WYCKOFF

FOLDER = Path(__file__).parents[2] / "crystal_files"
CATALOGUE = YAML(typ="safe", pure=True).load(FOLDER / "catalogue.yaml")
ENTRIES = {entry["name"]: entry for entry in CATALOGUE["phases"]}

all_phases = pytest.mark.parametrize("name", sorted(ENTRIES))


@cache
def read_phase(name: str) -> Phase:
    return load_phase(name)


@cache
def read_diffpy(name: str) -> Phase:
    return Phase.from_cif(FOLDER / ENTRIES[name]["file"])


@cache
def read_gemmi(name: str) -> gemmi.SmallStructure:
    return gemmi.read_small_structure(str(FOLDER / ENTRIES[name]["file"]))


def fractional(phase: Phase) -> np.ndarray:
    """Return the positions along a, b, c.

    orix turns the lattice (a ∥ x, c* ∥ z) and leaves the atoms at their Cartesian positions in diffpy's own frame, so
    that ``atom.xyz`` of a hexagonal phase is not along the axes. diffsims undoes this in the same way.
    """
    lattice = phase.structure.lattice
    return phase.structure.xyz @ np.linalg.inv(lattice.stdbase @ lattice.recbase)


def gemmi_atoms(name: str) -> list[tuple[str, np.ndarray, float]]:
    """Return element, position and occupancy of each atom in the cell, merging what lies within 1e-4 of an axis.

    ``get_all_unit_cell_sites`` merges within 0.4 Å, which is wrong for the disordered cations of gratia_6h.
    """
    structure, atoms = read_gemmi(name), []
    operations = list(structure.spacegroup.operations())
    for site in structure.sites:
        orbit: list[np.ndarray] = []
        for operation in operations:
            position = np.array(operation.apply_to_xyz(site.fract.tolist()))
            if not any(np.abs(wrap(position - other)).max() < 1e-4 for other in orbit):
                orbit.append(position)
        atoms += [(site.element.name, position, site.occ) for position in orbit]
    return atoms


def wrap(difference: np.ndarray) -> np.ndarray:
    return difference - np.round(difference)


def assert_same_atoms(atoms, others) -> None:
    """Pair each atom with a different one of the same element, position and occupancy."""
    assert Counter(element for element, *_ in atoms) == Counter(element for element, *_ in others)
    left = list(others)
    for element, position, occupancy in atoms:
        matches = [
            i
            for i, (e, p, o) in enumerate(left)
            if e == element and abs(o - occupancy) < 1e-9 and np.abs(wrap(np.asarray(p) - position)).max() < 1e-6
        ]
        assert matches, f"no counterpart of {element} at {position} with occupancy {occupancy}"
        left.pop(matches[0])


def orix_atoms(phase: Phase) -> list[tuple[str, np.ndarray, float]]:
    return [(a.element, x, a.occupancy) for a, x in zip(phase.structure, fractional(phase), strict=True)]


@cache
def diffsims_reflections(name: str, d_min: float = 1.25) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hkl (n, 3), |g| (n,) in Å⁻¹ and |F|² (n,), sorted by |g|."""
    phase = read_phase(name)
    hkl = ReciprocalLatticeVector.from_min_dspacing(phase, d_min).hkl.round().astype(int)
    g = phase.structure.lattice.rnorm(hkl)
    order = np.argsort(g, kind="stable")
    hkl, g = hkl[order], g[order]
    return hkl, g, get_kinematical_intensities(phase.structure, hkl, g, scattering_params="xtables")


def gemmi_intensities(name: str, hkl: np.ndarray, calculator: type) -> np.ndarray:
    structure = gemmi.SmallStructure()
    structure.cell = gemmi.UnitCell(*read_gemmi(name).cell.parameters)  # without the symmetry images of the original
    structure.spacegroup = gemmi.SpaceGroup("P 1")
    for element, position, occupancy in gemmi_atoms(name):
        site = gemmi.SmallStructure.Site()
        site.element, site.occ, site.fract = gemmi.Element(element), occupancy, gemmi.Fractional(*position)
        structure.add_site(site)
    factors = calculator(structure.cell)
    return np.array([abs(factors.calculate_sf_from_small_structure(structure, h)) ** 2 for h in hkl.tolist()])


def powder_lines(g: np.ndarray, intensity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the line that each reflection belongs to and the intensity of each line in percent of the strongest."""
    line = np.concatenate([[0], np.cumsum(np.diff(g) > 5e-4)])
    total = np.bincount(line, intensity)
    return line, 100 * total / total.max()


def orbits(name: str) -> list[tuple[str, int, float]]:
    """Return element, multiplicity and occupancy of every occupied Wyckoff position."""
    found = []
    for element, positions in WYCKOFF[name].items():
        for position in positions.split():
            multiplicity, occupancy = re.fullmatch(r"(\d+)[a-l](?:\*([\d.]+))?", position).groups(default="1")
            found.append((element, int(multiplicity), float(occupancy)))
    return found


def test_the_catalogue_lists_every_file_once():
    files = [entry["file"] for entry in CATALOGUE["phases"]]
    assert sorted(files) == sorted(path.name for path in FOLDER.glob("*.cif"))
    assert all(entry["file"] == f"{entry['name']}.cif" for entry in CATALOGUE["phases"])
    assert set(ENTRIES) == set(CELLS) == set(WYCKOFF) == set(LINES)


def test_the_default_phases_come_in_the_order_of_the_classes():
    assert CATALOGUE["default_phases"] == ["p4mbm_scaled_mixed_halide", "gratia_2h", "pbi2_2h"]
    assert {name for name, entry in ENTRIES.items() if entry["default"]} == set(CATALOGUE["default_phases"])


@all_phases
def test_the_checksum_is_that_of_the_file(name):
    entry = ENTRIES[name]
    found = hashlib.sha256((FOLDER / entry["file"]).read_bytes()).hexdigest()
    assert found == entry["sha256"], (
        f"{entry['file']} has sha256 {found}, the catalogue says {entry['sha256']}. If the change is meant, write the "
        f"first value into catalogue.yaml (recompute it with: sha256sum crystal_files/{entry['file']}); if not, "
        "restore the file (a checkout that converts line endings also changes it)."
    )


@all_phases
def test_the_space_group_and_the_point_group_are_those_of_the_catalogue(name):
    entry, structure = ENTRIES[name], load_crystal(name).structure
    assert structure.setting.symbol == gemmi.find_spacegroup_by_name(entry["space_group"]).hm
    assert structure.setting.number == entry["space_group_number"]
    assert proper_point_group(structure).name == entry["proper_point_group"]
    assert read_phase(name).point_group.proper_subgroup.name == entry["proper_point_group"]


@all_phases
def test_orix_and_gemmi_read_the_cell(name):
    a, b, c, gamma = CELLS[name]
    assert_allclose(read_phase(name).structure.lattice.abcABG(), (a, b, c, 90, 90, gamma), rtol=1e-9)
    assert_allclose(read_gemmi(name).cell.parameters, (a, b, c, 90, 90, gamma), rtol=1e-9)


@all_phases
def test_the_operations_are_those_of_the_named_space_group(name):
    entry, structure = ENTRIES[name], read_gemmi(name)
    named = gemmi.find_spacegroup_by_name(entry["space_group"])
    listed = gemmi.GroupOps([gemmi.Op(triplet) for triplet in structure.symops])
    assert listed == named.operations()
    assert len(structure.symops) == len(named.operations())
    assert structure.spacegroup.xhm() == named.xhm()
    assert named.number == entry["space_group_number"]


@all_phases
def test_the_atom_count_follows_from_the_wyckoff_multiplicities(name):
    expected = Counter()
    for element, multiplicity, _ in orbits(name):
        expected[element] += multiplicity
    assert Counter(atom.element for atom in read_phase(name).structure) == expected


@all_phases
def test_the_occupancies_add_up_to_the_content_of_the_cell(name):
    expected, found = Counter(), Counter()
    for element, multiplicity, occupancy in orbits(name):
        expected[element] += multiplicity * occupancy
    for atom in read_phase(name).structure:
        found[atom.element] += atom.occupancy
    assert found == pytest.approx(expected)
    halides = re.findall(r"(?:I|Br)([\d.]+)", ENTRIES[name]["formula"])
    assert (found["I"] + found["Br"]) / found["Pb"] == pytest.approx(sum(map(float, halides)), abs=0.01)


@all_phases
def test_gemmi_reads_the_same_atoms(name):
    assert_same_atoms(orix_atoms(read_phase(name)), gemmi_atoms(name))


@all_phases
def test_diffpy_reads_the_same_atoms(name):
    assert_same_atoms(orix_atoms(read_phase(name)), orix_atoms(read_diffpy(name)))


@all_phases
def test_ase_reads_the_same_atoms(name):
    ase_io = pytest.importorskip("ase.io")
    atoms = ase_io.read(FOLDER / ENTRIES[name]["file"])
    assert atoms.info["spacegroup"].no == ENTRIES[name]["space_group_number"]
    # Atoms that share a site are one ASE atom, whose content is in info["occupancy"].
    found = [
        (element, position, occupancy)
        for position, kind in zip(atoms.get_scaled_positions(), atoms.arrays["spacegroup_kinds"], strict=True)
        for element, occupancy in atoms.info["occupancy"][str(kind)].items()
    ]
    assert_same_atoms(orix_atoms(read_phase(name)), found)


@all_phases
def test_displacement_parameters_are_read_or_absent(name):
    text = (FOLDER / ENTRIES[name]["file"]).read_text(encoding="ascii")
    given = U_ISO.get(name)
    assert ("_atom_site_U_iso_or_equiv" in text) == (given is not None)
    sites = read_gemmi(name).sites
    expected = given or [0.0] * len(sites)
    assert_allclose([site.u_iso for site in sites], expected)
    by_label = {site.label: u for site, u in zip(sites, expected, strict=True)}
    for atom in read_phase(name).structure:
        assert atom.Uisoequiv == pytest.approx(by_label[atom.label.split("_")[0]])


@all_phases
def test_type_symbols_are_plain_elements(name):
    """diffsims gives an element that it does not know, Pb2+ for one, no scattering at all, and says nothing."""
    assert {site.type_symbol for site in read_gemmi(name).sites} == set(WYCKOFF[name])


@all_phases
def test_structure_factors_of_diffsims_agree_with_gemmi(name):
    hkl, _, intensity = diffsims_reflections(name)
    hkl, intensity = hkl[:800], intensity[:800]
    oracle = gemmi_intensities(name, hkl, gemmi.StructureFactorCalculatorE)
    assert_allclose(np.sqrt(intensity), np.sqrt(oracle), atol=0.003 * np.sqrt(oracle.max()))


@pytest.mark.parametrize("name", sorted(n for n in ENTRIES if ENTRIES[n]["space_group"] in CONDITIONS))
def test_reflection_conditions_hold(name):
    hkl, _, intensity = diffsims_reflections(name)
    for label, belongs, obeys in CONDITIONS[ENTRIES[name]["space_group"]]:
        extinct = belongs(hkl.T) & ~obeys(hkl.T)
        assert extinct.any(), f"no {label} reflection to judge"
        assert intensity[extinct].max() < 1e-9 * intensity.max(), f"{label} reflections that should be absent"
        assert intensity[belongs(hkl.T) & obeys(hkl.T)].max() > 1e-3 * intensity.max()


def test_pbbr2_breaks_the_conditions_of_the_standard_setting():
    """In Pnma 120 would be absent and 101 allowed; in Pnam it is the other way round."""
    hkl, _, intensity = diffsims_reflections("pbbr2")
    of = {tuple(h): i for h, i in zip(hkl.tolist(), intensity / intensity.max(), strict=True)}
    assert of[1, 2, 0] > 0.05
    assert of[1, 0, 1] < 1e-9


@all_phases
def test_the_strongest_electron_lines(name):
    hkl, g, intensity = diffsims_reflections(name)
    line, percent = powder_lines(g, intensity)
    index = {tuple(h): i for i, h in enumerate(hkl.tolist())}
    for h, d, expected in LINES[name]:
        assert 1 / g[index[h]] == pytest.approx(d, abs=2e-4)
        assert percent[line[index[h]]] == pytest.approx(expected, abs=1.0)
    weakest = min(expected for *_, expected in LINES[name])
    assert (percent > weakest + 1).sum() <= len(LINES[name])


@pytest.mark.parametrize("name", sorted(PUBLISHED_X_RAY))
def test_the_published_x_ray_lines_are_strong(name):
    hkl, g, _ = diffsims_reflections(name)
    theta = np.arcsin(1.5406 / 2 * g)  # Cu Kα1
    lorentz_polarisation = (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
    intensity = gemmi_intensities(name, hkl, gemmi.StructureFactorCalculatorX) * lorentz_polarisation
    line, percent = powder_lines(g, intensity)
    index = {tuple(h): i for i, h in enumerate(hkl.tolist())}
    published = [line[index[h]] for h, _ in PUBLISHED_X_RAY[name]]
    assert published[0] == np.argmax(percent)
    assert percent[published].min() > 25
    for h, d in PUBLISHED_X_RAY[name]:
        assert 1 / g[index[h]] == pytest.approx(d, abs=0.01)
