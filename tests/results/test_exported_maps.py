"""A phase map opens in other programs: the same labels, phases, steps and origin in each of them."""

from __future__ import annotations

import json

import h5py
import hyperspy.api as hs
import numpy as np
import orix.io
import pytest
from orix.quaternion import Rotation
from PIL import Image
from typer.testing import CliRunner

from difsims_core import export_map
from difsims_core.crystal.phases import as_crystal
from difsims_core.errors import ExperimentError, InputError
from difsims_core.evaluate.figure_style import INVALID, named_colours, phase_colours
from difsims_core.resources import crystal_folder
from difsims_core.results.maps.formats import FORMATS
from difsims_core.results.maps.orientation_picture import ipf_colours, point_groups
from difsims_core.results.maps.phase_map import phase_map
from difsims_core.storage.npz.contracts import Prediction, write_prediction
from flows.cli.app import app

MODEL = "cnn-11111111-1111-4111-8111-111111111111"
DATASETS = ("sim-22222222-2222-4222-8222-222222222222", "sim-33333333-3333-4333-8333-333333333333")
PHASES = ("pbi2_2h", "gratia_2h", "background", "nobody's phase α/β, 50 %")
ASCII = ["pbi2_2h", "gratia_2h", "background", "nobody_s_phase_alpha_beta_50"]
STEP_NM = 3.87
LABELS = np.array([[0, 1, 2, 3, 0], [1, -1, 1, 3, 2], [0, 0, 1, 1, 2]])
PLACES = STEP_NM * np.indices(LABELS.shape)


def prediction(**changes) -> Prediction:
    rng = np.random.default_rng(0)
    pred = rng.dirichlet(np.ones(4), LABELS.shape)
    pred[..., :] = 0.4 * pred + 0.6 * np.eye(4)[np.maximum(LABELS, 0)]
    pred[LABELS < 0] = 0.25
    given = {"sim_ids": DATASETS, "experiment": "file:///x/film.npz", "created": "2026-11-28T12:00:00+00:00"}
    return Prediction(pred.astype(np.float32), PHASES, MODEL, invalid=LABELS < 0, **(given | changes))


@pytest.fixture
def stored(tmp_path):
    """Write a prediction and return where it lies."""

    def write(**changes) -> str:
        url = tmp_path / "film_probability_pred.npz"
        write_prediction(url, prediction(**changes))
        return str(url)

    return write


def exported(stored, tmp_path, ending, **changes):
    return export_map(stored(**changes), tmp_path / f"film{ending}", store=str(tmp_path), scan_step_nm=STEP_NM)


def check_origin(said) -> None:
    assert said["title"] == "film"
    assert said["model"] == MODEL
    assert tuple(said["datasets"]) == DATASETS
    assert tuple(said["phases"]) == PHASES
    assert list(said["crystal_files"]) == ["pbi2_2h.cif", "gratia_2h.cif", "", ""]
    assert said["scan_step_nm"] == STEP_NM


@pytest.mark.parametrize("ending", [".png", ".tiff", ".tif"])
def test_the_pixels_of_a_picture_are_the_numbers_of_the_classes_in_the_colours_of_the_figures(stored, tmp_path, ending):
    with Image.open(exported(stored, tmp_path, ending)) as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.array(image), np.where(LABELS < 0, 255, LABELS))
        shown = np.array(image.convert("RGB"))
        said = json.loads(image.text["Description"] if ending == ".png" else image.tag_v2[270])
        per_inch = float(image.info["dpi"][0])
    expected = np.rint(255 * phase_colours(4))[np.maximum(LABELS, 0)]
    expected[LABELS < 0] = list(bytes.fromhex(INVALID[1:]))
    np.testing.assert_array_equal(shown, expected)
    check_origin(said)
    assert said["values"] == {name: number for number, name in enumerate(PHASES)}
    assert 2.54e7 / per_inch == pytest.approx(STEP_NM, rel=1e-4)


def test_hyperspy_opens_the_probabilities_with_their_axes(stored, tmp_path):
    signal = hs.load(exported(stored, tmp_path, ".hspy"))
    np.testing.assert_array_equal(signal.data, prediction().pred)
    assert signal.axes_manager.navigation_shape == (5, 3)
    for axis in signal.axes_manager.navigation_axes:
        assert (axis.scale, axis.units, axis.offset) == (STEP_NM, "nm", 0)
    assert [axis.name for axis in signal.axes_manager.navigation_axes] == ["x", "y"]
    assert signal.axes_manager.signal_axes[0].name == "phase"
    said = signal.metadata.difsims.as_dictionary()
    check_origin(said)
    np.testing.assert_array_equal(said["labels"], LABELS)
    assert signal.metadata.General.title == "film"


def check_crystal_map(opened, *, tolerance: float, unit_nm: float) -> None:
    phases = {opened.phases[i].name: i for i in opened.phases.ids if i >= 0}
    names = np.array([*ASCII, "not_indexed"])[LABELS.ravel()]
    found = [opened.phases[int(i)].name if i >= 0 else "not_indexed" for i in opened.phase_id]
    assert found == names.tolist()
    for axis, place in zip((opened.y, opened.x), PLACES, strict=True):
        np.testing.assert_allclose(axis * unit_nm, place.ravel(), atol=tolerance)
    cell = opened.phases[phases["pbi2_2h"]]
    assert cell.structure.lattice.abcABG() == pytest.approx((4.5585, 4.5585, 6.99, 90, 90, 120), abs=2e-2)
    pred = prediction().pred.reshape(-1, 4)
    known = LABELS.ravel() >= 0
    for i, name in enumerate(ASCII):
        np.testing.assert_allclose(opened.prop[f"probability_{name}"][known], pred[known, i], atol=1e-5)


def test_orix_opens_the_map_with_the_phases_of_the_crystal_files(stored, tmp_path):
    path = exported(stored, tmp_path, ".h5")
    opened = orix.io.load(path)
    check_crystal_map(opened, tolerance=1e-9, unit_nm=1)
    assert opened.scan_unit == "nm"
    assert (opened.dx, opened.dy) == pytest.approx((STEP_NM, STEP_NM))
    assert opened.phases[0].space_group.number == 164
    assert opened.phases[1].space_group.number == 194
    assert opened.phases[2].point_group is None
    assert {atom.element for atom in opened.phases[0].structure} == {"Pb", "I"}
    assert [opened.phases[i].color for i in range(4)] == list(named_colours(4))
    assert np.allclose(opened.rotations.angle, 0)
    with h5py.File(path) as file:
        said = {key: value[()] for key, value in file["difsims"].items()}
        check_origin({key: text_of(value) for key, value in said.items()})


def text_of(value):
    if isinstance(value, np.ndarray):
        return [item.decode() for item in value]
    return value.decode() if isinstance(value, bytes) else value


def test_orix_opens_the_ang_file_in_micrometres(stored, tmp_path):
    path = exported(stored, tmp_path, ".ang")
    opened = orix.io.load(path, autogen_names=False)
    check_crystal_map(opened, tolerance=5.1e-3, unit_nm=1000)
    assert opened.scan_unit == "um"
    by_name = {phase.name: phase.point_group.name for _, phase in opened.phases if phase.name != "not_indexed"}
    assert by_name == {"pbi2_2h": "321", "gratia_2h": "622", "background": "1", ASCII[3]: "1"}
    header = [line for line in (tmp_path / "film.ang").read_text("ascii").splitlines() if line.startswith("#")]
    assert f"# model: {MODEL}" in header
    assert f"# datasets: {', '.join(DATASETS)}" in header
    assert "# orientations: unknown" in header
    assert len(np.loadtxt(path)) == LABELS.size


def test_known_orientations_are_those_of_the_map(stored, tmp_path):
    turned = Rotation.from_euler([[10.0, 40.0, 70.0]] * 15, degrees=True).data.reshape(3, 5, 4)
    for ending in (".h5", ".ang"):
        path = exported(stored, tmp_path, ending, orientation=turned)
        opened = orix.io.load(path)
        euler = opened.rotations.to_euler(degrees=True)[LABELS.ravel() >= 0]
        np.testing.assert_allclose(euler, np.broadcast_to([10.0, 40.0, 70.0], euler.shape), atol=1e-3)
    signal = hs.load(exported(stored, tmp_path, ".hspy", orientation=turned))
    np.testing.assert_allclose(signal.metadata.difsims.quaternions, turned)


def test_pixels_without_an_orientation_lie_as_the_sample_does(stored, tmp_path):
    turned = Rotation.from_euler([[10.0, 40.0, 70.0]] * 15, degrees=True).data.reshape(3, 5, 4)
    turned[1, 2] = np.nan
    opened = orix.io.load(exported(stored, tmp_path, ".h5", orientation=turned))
    np.testing.assert_allclose(opened.rotations.data[1 * 5 + 2], [1, 0, 0, 0])
    np.testing.assert_allclose(opened.rotations.data[0], turned[0, 0], atol=1e-6)


@pytest.mark.parametrize("wrong", [np.ones((3, 5, 4)), np.full((3, 5, 4), [1, 0, 0, np.nan]), np.ones((3, 5, 3))])
def test_orientations_that_are_none_are_refused(stored, wrong, tmp_path):
    with pytest.raises(ExperimentError, match="orientation"):
        exported(stored, tmp_path, ".h5", orientation=wrong)


@pytest.mark.parametrize("shape", [(), (7,), (2, 3, 4), (6, 1)])
@pytest.mark.parametrize("ending", [".png", ".tiff", ".hspy", ".h5"])
def test_scans_of_any_shape_are_exported_without_a_step(tmp_path, shape, ending):
    url = tmp_path / "line_probability_pred.npz"
    pred = np.random.default_rng(1).dirichlet(np.ones(2), shape).astype(np.float32)
    write_prediction(url, Prediction(pred, ("pb", "gratia_2h"), MODEL))
    path = export_map(url, tmp_path / f"line{ending}", store=str(tmp_path))
    labels = pred.argmax(-1).ravel()
    if ending in {".png", ".tiff"}:
        with Image.open(path) as image:
            np.testing.assert_array_equal(np.array(image).ravel(), labels)
            assert "dpi" not in image.info or ending == ".tiff"
    elif ending == ".hspy":
        signal = hs.load(path)
        assert {axis.units for axis in signal.axes_manager.navigation_axes} <= {"px"}
        np.testing.assert_array_equal(signal.data.reshape(-1, 2).argmax(-1), labels)
    else:
        opened = orix.io.load(path)
        names = [opened.phases[int(i)].name for i in opened.phase_id]
        assert names == [("pb", "gratia_2h")[i] for i in labels]


@pytest.mark.parametrize("shape", [(), (7,), (2, 3, 4), (6, 1)])
def test_an_ang_file_needs_two_pixels_in_a_row_and_a_step_in_length(tmp_path, shape):
    url, path = tmp_path / "line_probability_pred.npz", tmp_path / "line.ang"
    pred = np.random.default_rng(1).dirichlet(np.ones(2), shape).astype(np.float32)
    write_prediction(url, Prediction(pred, ("pb", "gratia_2h"), MODEL))
    with pytest.raises(InputError, match="in µm, and the scan step of the map is not known") as caught:
        export_map(url, path, store=str(tmp_path))
    assert "--scan-step" in caught.value.remedy
    assert not path.exists()
    if shape in {(), (6, 1)}:
        with pytest.raises(InputError, match="two pixels in a row"):
            export_map(url, path, store=str(tmp_path), scan_step_nm=500)
        return
    opened = orix.io.load(export_map(url, path, store=str(tmp_path), scan_step_nm=500))
    np.testing.assert_allclose(opened.x, np.tile(0.5 * np.arange(shape[-1]), opened.size // shape[-1]))
    names = [opened.phases[int(i)].name for i in opened.phase_id]
    assert names == [("pb", "gratia_2h")[i] for i in pred.argmax(-1).ravel()]


@pytest.mark.parametrize(
    "name", ["# Phase 7", "ACOM", "EMsoft", "MaterialName: x, y", "α", "ÄÖ" * 90, "/etc/passwd", "../x"]
)
def test_names_from_outside_stay_names(tmp_path, name):
    url = tmp_path / "film_probability_pred.npz"
    pred = np.eye(2, dtype=np.float32)[np.array([[0, 1, 1], [1, 0, 0]])]
    write_prediction(url, Prediction(pred, ("pb", name), name, sim_ids=(name,), created=name))
    for ending in (".h5", ".ang"):
        path = export_map(url, tmp_path / f"x{ending}", store=str(tmp_path), scan_step_nm=STEP_NM)
        opened = orix.io.load(path, **_as_named(ending))
        assert [phase.name for i, phase in opened.phases if i >= 0].count("pb") == 1
        assert len({phase.name for i, phase in opened.phases if i >= 0}) == 2
    signal = hs.load(export_map(url, tmp_path / "x.hspy", store=str(tmp_path)))
    assert signal.metadata.difsims.phases == ["pb", name]
    with Image.open(export_map(url, tmp_path / "x.png", store=str(tmp_path))) as image:
        assert json.loads(image.text["Description"])["phases"] == ["pb", name]


def _as_named(ending: str) -> dict[str, bool]:
    return {"autogen_names": False} if ending == ".ang" else {}


def test_grains_travel_along(stored, tmp_path):
    grain = np.arange(15, dtype=np.int32).reshape(LABELS.shape) // 2 - 1
    known = {"grain": grain, "grain_pred": prediction().pred}
    for ending in (".h5", ".ang"):
        opened = orix.io.load(exported(stored, tmp_path, ending, **known), **_as_named(ending))
        measured = LABELS.ravel() >= 0  # of the others an .ang holds nothing
        np.testing.assert_array_equal(opened.prop["grain"][measured], grain.ravel()[measured])
    signal = hs.load(exported(stored, tmp_path, ".hspy", **known))
    np.testing.assert_array_equal(signal.metadata.difsims.grains, grain)


def test_the_colours_of_orientations_are_those_of_the_directions_along_the_axes_of_the_scan(stored, tmp_path):
    along_z = {"[001]": [0.0, 0.0, 0.0], "[110]": [0.0, 90.0, 45.0]}
    turned = np.full((3, 5, 4), np.nan)
    turned[0, 0] = Rotation.from_euler(along_z["[001]"], degrees=True).data
    turned[2, 0] = Rotation.from_euler(along_z["[110]"], degrees=True).data
    found = phase_map(
        prediction(orientation=turned), "x_probability_pred.npz", {"pbi2_2h": as_crystal("pb")}
    )  # PbI₂ with lead's symmetry
    along = ipf_colours(found, point_groups(found))[2]
    np.testing.assert_allclose(along[0, 0], [1, 0, 0], atol=1e-6)  # red: [001] lies along the beam
    np.testing.assert_allclose(along[2, 0], [0, 1, 0], atol=0.01)  # green: [110]
    np.testing.assert_array_equal(along[LABELS != 0], 1.0)


def test_a_picture_of_orientations_needs_some(stored, tmp_path):
    with pytest.raises(InputError, match="no orientations"):
        export_map(stored(), tmp_path / "film.ipf.png", store=str(tmp_path))
    known = np.tile([1.0, 0.0, 0.0, 0.0], (3, 5, 1))
    path = export_map(stored(orientation=known), tmp_path / "film.ipf.png", store=str(tmp_path))
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.size[0] > 900


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "ipf"])  # whose maps have orientations
def test_what_is_there_is_replaced_only_when_asked(stored, tmp_path, name):
    url = stored(scan_step_nm=STEP_NM)
    path = export_map(url, tmp_path / "map", name, store=str(tmp_path))
    assert path == str(tmp_path / f"map.{name}")
    with pytest.raises(InputError, match=f"^{path}: ") as caught:
        export_map(url, path, store=str(tmp_path))
    assert "--force" in caught.value.remedy
    assert export_map(url, path, store=str(tmp_path), overwrite=True) == path


def test_the_step_is_that_of_the_map_unless_another_is_given(stored, tmp_path):
    url = stored(scan_step_nm=2.5)
    for given, expected in ((None, 2.5), (7.0, 7.0)):
        path = export_map(url, tmp_path / "map.hspy", store=str(tmp_path), scan_step_nm=given, overwrite=True)
        assert [axis.scale for axis in hs.load(path).axes_manager.navigation_axes] == [expected] * 2


def test_the_command_exports_a_map_and_takes_its_options_for_nothing_else(stored, tmp_path):
    url, out = stored(), str(tmp_path / "map.hspy")
    arguments = ["export", url, out, "--store", str(tmp_path / "store"), "--scan-step", "3.5", "--json"]
    done = CliRunner().invoke(app, arguments)
    assert json.loads(done.stdout) == {"id": "film", "files": [out]}
    assert hs.load(out).axes_manager.navigation_axes[0].scale == 3.5
    again = CliRunner().invoke(app, arguments)
    assert (again.exit_code, "--force" in again.stderr) == (2, True)
    other = CliRunner().invoke(app, ["export", "cnn-x", "m.keras", "--scan-step", "3.5"])
    assert (other.exit_code, "--scan-step" in other.stderr) == (2, True)


def test_own_crystals_are_those_of_a_folder(stored, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "pbi2_2h.cif").write_bytes((crystal_folder() / "pb.cif").read_bytes())
    opened = orix.io.load(export_map(stored(), tmp_path / "map.h5", store=str(tmp_path), crystals=str(folder)))
    assert opened.phases[0].space_group.number == 225
    assert opened.phases[1].space_group.number == 194  # none there: the one that comes along


def test_a_wrong_ending_names_those_that_there_are(stored, tmp_path):
    with pytest.raises(InputError, match=r"\.png.*\.hspy.*\.ang"):
        export_map(stored(), tmp_path / "map.svg", store=str(tmp_path))
    with pytest.raises(InputError, match=r"ends with \.ang"):
        export_map(stored(), tmp_path / "map.png", "ang", store=str(tmp_path))
    with pytest.raises(InputError, match="scan_step_nm"):
        export_map(stored(), tmp_path / "map.png", store=str(tmp_path), scan_step_nm=0.0)
    assert not list(tmp_path.glob("map*"))


def test_a_picture_holds_no_more_phases_than_its_colour_table(tmp_path):
    url, many = tmp_path / "many_probability_pred.npz", tuple(f"p{i}" for i in range(256))
    write_prediction(url, Prediction(np.full((2, 2, 256), 1 / 256, np.float32), many, MODEL))
    with pytest.raises(InputError, match="255 phases"):
        export_map(url, tmp_path / "many.png", store=str(tmp_path))
    assert not list(tmp_path.glob("many.*"))
