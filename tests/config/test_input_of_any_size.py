"""Documents, names, headers and patterns made to be slow: read in one pass, or refused above a size that is stated.

Sizes are those at which reading them with every pair compared, or every way through folders tried, takes minutes to
years; what is read in one pass takes no time at all.
"""

import io
import json

import pytest

from difsims_core.config.beside import with_files_beside
from difsims_core.config.documents import apply_changes, load_spec, make_spec
from difsims_core.config.legacy.convert import convert_document
from difsims_core.config.sweep import MOST_POINTS, load_sweep, make_sweep
from difsims_core.crystal.cif.reader import read_structure
from difsims_core.errors import CrystalError, InputError, SpecError
from difsims_core.plugins import nearest
from difsims_core.storage.npz import npy
from difsims_core.storage.objects import expand_urls
from tests.config.legacy.documents import changed


def longest_line(error):
    return max(map(len, str(error.value).splitlines()))


def test_a_document_of_90_000_keys(tmp_path):
    keys = {f"k{i}": 1 for i in range(90_000)}
    (tmp_path / "keys.json").write_text(json.dumps(keys)[:1_000_000].rpartition(",")[0] + "}")
    with pytest.raises(SpecError, match="'k0'"):
        load_spec(tmp_path / "keys.json")
    with pytest.raises(SpecError, match="'k0'"):
        make_spec(keys)
    (tmp_path / "keys.yaml").write_text("".join(f"k{i}: \n" for i in range(90_000)))
    with pytest.raises(SpecError, match="100,000"):
        load_spec(tmp_path / "keys.yaml")


def test_a_sweep_of_90_000_keys(tmp_path):
    with pytest.raises(SpecError, match=r"90,000 .* 100 "):
        make_sweep({}, {f"k{i}": [1] for i in range(90_000)})
    with pytest.raises(SpecError, match=r"90,000 .* 100 "):
        make_sweep({}, {",".join(f"k{i}" for i in range(90_000)): [[1] * 90_000]})
    (tmp_path / "sweep.json").write_text(json.dumps({"sweep": {f"k{i}": [1] for i in range(40_000)}}))
    with pytest.raises(SpecError, match=r"40,000 .* 100 "):
        load_sweep(tmp_path / "sweep.json")


def test_points_times_their_size_have_a_limit():
    document = {"imperfections": {"x": {"choice": [0.5] * 40_000}}}
    with pytest.raises(SpecError, match=r"10,000 .* 2\d\d,\d{3} "):
        make_sweep(document, {"seed": list(range(MOST_POINTS))})
    assert len(make_sweep({}, {"seed": list(range(500))}).points) == 500


def test_keys_have_so_many_parts():
    deep = ".".join(["a"] * 200_000)
    for attempt in (lambda: apply_changes({}, [f"{deep}=1"]), lambda: make_sweep({}, {deep: [1]})):
        with pytest.raises(SpecError, match=" 50 ") as error:
            attempt()
        assert longest_line(error) < 3000


def test_what_is_wrong_is_told_of_the_first_lines_only():
    phases = [{"cif": "x.cif", "name": "a", "orientations": {"choice": []}} for _ in range(40_000)]
    with pytest.raises(SpecError, match=r" 39,?\d+ | 250") as error:
        make_spec({"phases": phases})
    assert len(str(error.value).splitlines()) <= 51
    with pytest.raises(SpecError) as error:
        make_spec({"seed" * 250_000: 1})
    assert longest_line(error) < 3000
    with pytest.raises(SpecError) as error:
        make_spec({"seed": "1" * 1_000_000})
    assert longest_line(error) < 3000


def test_an_old_document_of_45_000_unknown_keys_has_hints_for_the_first(tmp_path):
    old = changed({}) | {f"x{i}": 1 for i in range(45_000)}
    (tmp_path / "old.json").write_text(json.dumps(old))
    findings = convert_document(tmp_path / "old.json").findings
    unknown = [finding for finding in findings if "unknown to the legacy form" in finding.text]
    assert len(unknown) == 51
    assert "44950" in unknown[-1].text


@pytest.mark.parametrize("name", ["a" * 1_000_000, "large_filter" * 90_000])
def test_a_name_of_a_million_characters_has_no_neighbour(name):
    assert nearest(name, ["large_filter", name + "s"]) == ""
    assert nearest("large_filte", [name, "large_filter"]) == ", did you mean 'large_filter'?"


@pytest.mark.parametrize("line", ["\n", " \n", "\t\n", "\r\n"])
def test_empty_lines_of_a_crystal_file(line):
    with pytest.raises(CrystalError, match=r"^x\.cif: .*data_"):
        read_structure((line * 1_000_000 + "x").encode(), "x.cif")


def test_lists_and_fields_of_a_crystal_file():
    head = "data_x\n" + "".join(f"_cell_length_{a} 5\n" for a in "abc")
    head += "".join(f"_cell_angle_{a} 90\n" for a in ("alpha", "beta", "gamma"))
    sites = "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"
    operations = "loop_\n_space_group_symop_operation_xyz\n" + "x,y,z\n" * 100_000
    with pytest.raises(CrystalError, match="100000"):
        read_structure(f"{head}{operations}{sites}Pb 0 0 0\n".encode(), "x.cif")
    many = "Pb 0 0 0\n" * 60_000
    with pytest.raises(CrystalError, match="50000"):
        read_structure(f"{head}{sites}{many}".encode(), "x.cif")
    ones = "1" * 1_000_000
    for digits in (f"0.{ones}", f"{ones}(5)", f"1e{ones}", f"0.{ones}x"):
        try:
            read_structure(f"{head}{sites}Pb {digits} 0 0\n".encode(), "x.cif")
        except CrystalError as error:
            assert len(str(error)) < 1000  # noqa: PT017 whether it is read or refused, it is soon


START = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3,)"


@pytest.mark.parametrize(
    "text",
    [
        START + b" " * 65_000,
        START + b"," + b" " * 65_000,
        START + b" " * 32_000 + b"," + b" " * 32_000 + b"x",
        b"{" + b" " * 65_000,
        b"{'descr'" + b" " * 65_000,
        START + b"}" + b" " * 65_000 + b"x",
        START[:-4] + b"1," * 32_000,
    ],
)
def test_the_header_of_an_array_is_matched_in_one_pass(text):
    header = b"\x93NUMPY\x02\x00" + len(text).to_bytes(4, "little") + text
    for _ in range(40):
        with pytest.raises(InputError):
            npy.read_array(io.BytesIO(header), len(header))


def wide_tree(folder):
    for i in range(40):
        (folder / f"d{i}").mkdir()
    return folder


def test_a_pattern_does_not_walk_through_a_folder_again_and_again(tmp_path):
    wide_tree(tmp_path)
    for end in ("*/../" * 11, "d*/x/../*", "**/../"):
        with pytest.raises(InputError, match=r"'\.\.'"):
            expand_urls(f"{tmp_path}/{end}nothing.npz")
    (tmp_path / "a.npz").write_bytes(b"")
    assert expand_urls(f"{tmp_path}/d1/../*.npz") == [f"{tmp_path}/d1/../a.npz"]


def test_a_path_beside_a_document_does_not_either(tmp_path):
    wide_tree(tmp_path)
    for path in ("{phase}/../" * 11 + "nothing", "{phase}/" * 11 + "nothing"):
        assert with_files_beside({"file": path}, tmp_path) == {"file": path}
    (tmp_path / "d1" / "d1.npy").write_bytes(b"")
    found = with_files_beside({"file": "{phase}/{phase}.npy"}, tmp_path)
    assert found == {"file": f"{tmp_path}/{{phase}}/{{phase}}.npy"}
