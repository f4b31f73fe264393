"""One's own crystal files: where they are looked for, which names they may have, and what a class is called."""

from pathlib import Path

import pytest

from difsims_core.config.class_names import class_name
from difsims_core.config.documents import load_spec, make_spec
from difsims_core.config.sweep import load_sweep
from difsims_core.crystal.catalogue import find_crystal
from difsims_core.crystal.phases import load_crystal
from difsims_core.errors import CrystalError, SpecError
from difsims_core.resources import crystal_folder
from difsims_core.simulation.simulator import Simulator

LEAD = (crystal_folder() / "pb.cif").read_bytes()


@pytest.fixture
def own(tmp_path) -> Path:
    folder = tmp_path / "own crystals"
    folder.mkdir()
    return folder


def write(path: Path, data: bytes = LEAD) -> str:
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pbi2_2h", "pbi2_2h"),
        ("P-3m1", "P-3m1"),
        ("a__b", "a__b"),
        ("PbI2 (2H)", "PbI2_2H"),
        ("α-FAPbI₃ (cubic)", "alpha-FAPbI3_cubic"),
        ("Pérovskite [RT]", "Perovskite_RT"),
        ("film #3", "film_3"),
        ("_hidden", "hidden"),
        ("日本", ""),
        ("", ""),
    ],
)
def test_class_names_keep_what_a_label_can_bear(text, expected):
    assert class_name(text) == expected
    assert class_name(expected) == expected


def test_own_files_come_beside_the_shipped_ones(own):
    write(own / "film.cif")
    assert find_crystal("film", folder=own) == str(own / "film.cif")
    assert find_crystal("pbi2_2h", folder=own) == str(crystal_folder() / "pbi2_2h.cif")


def test_an_own_file_of_a_shipped_name_wins_and_says_so(own, caplog):
    file = write(own / "pbi2_2h.cif")
    assert find_crystal("pbi2_2h", folder=own) == file
    assert "pbi2_2h " in caplog.text
    assert str(file) in caplog.text


@pytest.mark.parametrize("file", ["film.CIF", "film.Cif"])
def test_the_ending_counts_in_any_case(own, file):
    written = write(own / file)
    assert find_crystal("film", folder=own) == written


@pytest.mark.parametrize("ending", ["cif", "CIF"])
@pytest.mark.parametrize("stem", ["PbI2 (2H)", "α-PbI₂ [1]", "film #3", "100%"])
def test_a_file_of_any_name_gets_a_class_name(own, stem, ending):
    file = write(own / f"{stem}.{ending}")
    spec = make_spec({"phases": [stem], "crystal_folder": str(own), "n_patterns": 3})
    (crystal,) = Simulator.prepare(spec).crystals
    assert (crystal.name, crystal.file) == (class_name(stem), f"{stem}.{ending}")
    assert spec.class_names == (class_name(stem),)
    assert find_crystal(class_name(stem), folder=own) == file


def test_names_that_become_one_class_are_told_apart(own):
    first, second = write(own / "a b.cif"), write(own / "a [b].cif", LEAD + b"\n")
    assert make_spec({"phases": ["a b"], "crystal_folder": str(own)}).phases[0].cif == "a b.cif"
    with pytest.raises(CrystalError, match=r"a b\.cif.*\{name: a_b, cif: "):
        find_crystal("a_b", folder=own)
    third = write(own / "a_b.cif")
    assert find_crystal("a_b", folder=own) == third
    assert {first, second} == {find_crystal("a_b", cif=name, folder=own) for name in ("a b.cif", "a [b].cif")}


def test_a_name_without_letters_asks_for_one():
    with pytest.raises(SpecError, match=r"\{name: my_phase, cif: 日本\.cif\}"):
        make_spec({"phases": ["日本"]})


def test_a_missing_phase_shows_how_to_name_a_file(own):
    write(own / "film.cif")
    with pytest.raises(CrystalError, match=r"'film'.*\{name: fim, cif: path\.cif\}"):
        find_crystal("fim", folder=own)


def test_a_path_is_a_phase_of_its_own_name(own):
    spec = make_spec({"phases": [write(own / "my film.cif")], "n_patterns": 3})
    assert spec.class_names == ("my_film",)
    assert Simulator.prepare(spec).crystals[0].file == "my film.cif"


def test_a_relative_file_is_looked_for_beside_the_document_then_in_the_folder_then_here(own, tmp_path, monkeypatch):
    here, documents = tmp_path / "here", tmp_path / "documents"
    here.mkdir(), documents.mkdir()
    monkeypatch.chdir(here)
    document = documents / "spec.yaml"
    document.write_text(f"phases: [{{name: film, cif: film.cif}}]\nn_patterns: 3\ncrystal_folder: {own}\n")

    def place() -> str:
        phase = load_spec(document).phases[0]
        assert load_sweep(document).points[0].spec.phases[0] == phase
        return find_crystal(phase.name, phase.cif, load_spec(document).crystal_folder)

    with pytest.raises(CrystalError, match=r"^film: .*own crystals/film\.cif .*film\.cif"):
        place()
    write(here / "film.cif")
    assert place() == "film.cif"
    write(own / "film.cif")
    assert place() == str(own / "film.cif")
    write(documents / "film.cif")
    assert place() == str(documents / "film.cif")


def test_files_of_a_sweep_are_looked_for_beside_the_document(tmp_path):
    write(tmp_path / "film.CIF")
    document = tmp_path / "spec.yaml"
    document.write_text(
        "n_patterns: 3\nsweep: {phases: [[film.cif], [pb]], 'seed, crystal_folder': [[1, .], [2, .]]}\n"
    )
    points = load_sweep(document).points
    assert [point.spec.phases[0].cif for point in points] == [str(tmp_path / "film.CIF")] * 2 + [None] * 2
    assert {point.spec.crystal_folder for point in points} == {str(tmp_path / ".")}


def test_only_a_crystal_file_is_found_under_another_ending(own):
    write(own / "film.CIF")
    assert find_crystal("film", "film.cif", own) == str(own / "film.CIF")
    for other in ("film.txt", "~nobody-here/film.cif"):
        with pytest.raises(CrystalError, match=f"^film: .*{other}"):
            find_crystal("film", other, own)
    with pytest.raises(CrystalError) as caught:
        find_crystal("film", folder="")
    assert "film" not in caught.value.problem, "no phase is at fault"


def test_folder_and_orientations_are_looked_for_beside_the_document(tmp_path):
    write(tmp_path / "film.cif")
    (tmp_path / "angles_film.npy").write_bytes(b"")
    document = tmp_path / "spec.yaml"
    document.write_text("crystal_folder: .\norientations: {kind: list, file: 'angles_{phase}.npy'}\nphases: [film]\n")
    spec = load_spec(document)
    assert find_crystal("film", folder=spec.crystal_folder) == str(tmp_path / "film.cif")
    assert spec.orientations.file == str(tmp_path / "angles_{phase}.npy")


def test_the_same_structure_in_another_style_has_another_file_and_the_same_digest(own):
    copy = LEAD.replace(b"_atom_site_U_iso_or_equiv", b"_atom_site_U_iso_or_equiv   ") + b"# a comment\n"
    one, other = load_crystal("pb"), load_crystal("pb", write(own / "pb.cif", copy))
    assert one.sha256 != other.sha256
    assert one.structure_sha256 == other.structure_sha256
    moved = load_crystal("pb", write(own / "pb.cif", LEAD.replace(b"4.95", b"4.96")))
    assert moved.structure_sha256 != one.structure_sha256


@pytest.mark.parametrize("phase", ["日本", {"name": "x", "cfi": "x.cif"}, 5])
def test_a_bad_phase_gives_one_line(phase):
    with pytest.raises(SpecError) as caught:
        make_spec({"phases": [phase]})
    assert str(caught.value).count("\n") == 0
