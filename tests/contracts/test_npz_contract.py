"""The npz files that others write and read: what is accepted, what is refused, and how."""

import io
import json
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from difsims_core import resources
from difsims_core.errors import DifsimsError, ExperimentError, MissingObjectError
from difsims_core.storage.npz.contracts import (
    Prediction,
    experiment_name,
    predicted_name,
    read_prediction,
    read_profiles,
    read_truth,
    write_prediction,
    write_profiles,
)
from difsims_core.storage.npz.pattern_flags import BEAM_MODELLED, DEAD, SATURATED, UNCOVERED

X = np.linspace(0.1, 1.3, 147)


def _save(path, **arrays):
    np.savez(path, **arrays)
    return path


def _prediction(shape=(4, 5), n_phases=3, **changes):
    pred = np.full((*shape, n_phases), 1 / n_phases, np.float32)
    names = tuple(f"phase_{i}" for i in range(n_phases))
    return Prediction(pred, names, "cnn-1", **changes)


@pytest.mark.parametrize("name", ["roi_1", "roi_2", "roi_3"])
def test_the_samples_keep_the_contract(name):
    folder = resources.samples_folder()
    profiles = read_profiles(folder / f"{name}_radial_crop.npz")
    assert (profiles.name, profiles.x.shape, profiles.y.shape) == (f"{name}_radial_crop", (147,), (40, 50, 147))
    assert profiles.y.dtype == np.float32
    truth = read_truth(folder / "truth" / f"{name}_truth.npz")
    assert truth.label.shape == (40, 50)
    assert truth.label.min() == -1
    assert len(truth.phases) == 3


@pytest.mark.parametrize("shape", [(4, 5), (7,), (), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["f4", "f8", "u2", ">f4"])
def test_any_navigation_shape_and_real_type(tmp_path, shape, dtype):
    y = np.arange(np.prod(shape, dtype=int) * 147).reshape(*shape, 147).astype(dtype)
    profiles = read_profiles(_save(tmp_path / "a.npz", x=X, y=y))
    assert profiles.y.shape == (*shape, 147)
    assert profiles.y.dtype == np.float32
    assert profiles.y.dtype.isnative
    np.testing.assert_array_equal(profiles.y, y.astype(np.float32))


def test_scans_and_predictions_may_know_their_scan_step(tmp_path):
    y = np.zeros((2, 3, 147), np.float32)
    for step, name in ((3.5, "known"), (None, "unknown")):
        written = write_profiles(tmp_path / f"{name}_radial_crop.npz", X, y, scan_step_nm=step)
        assert written.scan_step_nm == read_profiles(tmp_path / f"{name}_radial_crop.npz").scan_step_nm == step
        write_prediction(tmp_path / f"{name}_probability_pred.npz", _prediction(scan_step_nm=step))
        assert read_prediction(tmp_path / f"{name}_probability_pred.npz").scan_step_nm == step


@pytest.mark.parametrize("step", [0.0, -1.0, np.nan, np.inf, [1.0, 2.0], "3 nm"])
def test_a_scan_step_that_is_no_length_is_refused(tmp_path, step):
    y = np.zeros((2, 3, 147), np.float32)
    with pytest.raises(ExperimentError, match="scan_step_nm"):
        read_profiles(_save(tmp_path / "a.npz", x=X, y=y, scan_step_nm=step))
    if isinstance(step, float):
        with pytest.raises(ExperimentError, match="scan_step_nm"):
            write_profiles(tmp_path / "b.npz", X, y, scan_step_nm=step)
        assert not (tmp_path / "b.npz").exists()


def test_scans_may_know_which_patterns_are_unusable(tmp_path):
    y, flags = np.zeros((2, 3, 147), np.float32), np.array([[0, DEAD, BEAM_MODELLED], [UNCOVERED, SATURATED, 15]])
    written = write_profiles(tmp_path / "a_radial_crop.npz", X, y, flags=flags)
    found = read_profiles(tmp_path / "a_radial_crop.npz")
    assert found.flags.dtype == written.flags.dtype == np.uint8
    np.testing.assert_array_equal(found.flags, flags)
    np.testing.assert_array_equal(found.unusable, [[False, True, True], [True, False, True]])
    silent = read_profiles(_save(tmp_path / "b.npz", x=X, y=y))
    assert silent.flags is None
    np.testing.assert_array_equal(silent.unusable, np.zeros((2, 3), bool))


@pytest.mark.parametrize(
    "flags",
    [
        np.zeros((3, 2), "u1"), np.zeros((2, 3, 1), "u1"), np.zeros(6, "u1"), np.uint8(0), np.zeros((2, 3)),
        np.zeros((2, 3), bool), np.full((2, 3), "0"), np.full((2, 3), -1), np.full((2, 3), 256),
    ],
)  # fmt: skip
def test_flags_that_are_not_one_byte_for_each_profile_are_refused(tmp_path, flags):
    y = np.zeros((2, 3, 147), np.float32)
    with pytest.raises(ExperimentError, match=r"a\.npz: expected flags"):
        read_profiles(_save(tmp_path / "a.npz", x=X, y=y, flags=flags))
    with pytest.raises(ExperimentError, match="expected flags"):
        write_profiles(tmp_path / "b.npz", X, y, flags=flags)
    assert not (tmp_path / "b.npz").exists()


def test_the_checksum_is_that_of_the_file(tmp_path):
    path = _save(tmp_path / "a_radial_crop.npz", x=X, y=np.zeros((2, 147)))
    said = subprocess.run(["sha256sum", str(path)], check=True, capture_output=True, text=True).stdout.split()[0]
    assert read_profiles(path).sha256 == said


def test_nan_in_y_is_left_to_the_classifier(tmp_path):
    y = np.zeros((2, 147))
    y[1, 3] = np.nan
    assert np.isnan(read_profiles(_save(tmp_path / "a.npz", x=X, y=y)).y[1, 3])


def test_profiles_are_read_as_they_were_written(store_url):
    written = write_profiles(f"{store_url}/e/scan_radial_crop.npz", X, np.random.default_rng(0).random((3, 2, 147)))
    found = read_profiles(f"{store_url}/e/scan_radial_crop.npz")
    assert found.name == "scan_radial_crop"
    assert found.sha256 == written.sha256
    np.testing.assert_array_equal(found.y, written.y)
    np.testing.assert_array_equal(found.x, X)


Y = np.zeros((4, 147), np.float32)
BAD_PROFILES = {
    "no x": ({"y": Y}, r"expected the keys x, y, found y"),
    "no y": ({"x": X, "z": Y}, r"found x, z"),
    "q axis first": ({"x": X, "y": Y.T}, r"\(…, 147\).*found \(147, 4\)"),
    "scalar": ({"x": X, "y": np.float32(1)}, r"found \(\)"),
    "empty": ({"x": X, "y": Y[:0]}, r"\(0, 147\)"),
    "two-dimensional x": ({"x": X[np.newaxis], "y": Y}, r"\(nq,\)"),
    "decreasing x": ({"x": X[::-1], "y": Y}, rf"\bx\b.* {X[-1]:g}"),
    "repeated x": ({"x": np.r_[X[:1], X[:-1]], "y": Y}, rf"\bx\b.* {X[0]:g}"),
    "NaN in x": ({"x": np.r_[X[:-1], np.nan], "y": Y}, "NaN"),
    "complex": ({"x": X, "y": Y.astype(complex)}, "complex"),
    "text": ({"x": X, "y": np.full((4, 147), "a")}, r"\by\b.*<U1"),
    "objects": ({"x": X, "y": np.array([[None] * 147])}, r"\by\b.*object"),
    "objects in x": ({"x": np.array([{}] * 147), "y": Y}, r"\bx\b.*object"),
    "booleans": ({"x": X, "y": Y > 0}, r"\by\b.*bool"),
}


@pytest.mark.parametrize("case", BAD_PROFILES)
def test_profiles_that_break_the_contract(tmp_path, case):
    arrays, words = BAD_PROFILES[case]
    path = _save(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ExperimentError, match=words) as caught:
        read_profiles(path)
    assert str(path) in str(caught.value)


def _npz_bytes():
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=X, y=np.random.default_rng(1).random((50, 147)))
    return buffer.getvalue()


@pytest.mark.parametrize("kept", [0, 1, 10, 200, 5000, -300, -22, -1])
def test_a_truncated_file_is_refused(tmp_path, kept):
    path = tmp_path / "cut.npz"
    path.write_bytes(_npz_bytes()[:kept])
    with pytest.raises(ExperimentError, match=f"^{path}: "):
        read_profiles(path)


@pytest.mark.parametrize("position", range(0, 40_000, 997))
def test_a_damaged_byte_is_an_error_or_changes_nothing(tmp_path, position):
    data = bytearray(_npz_bytes())
    data[position % len(data)] ^= 0xFF
    (tmp_path / "damaged.npz").write_bytes(data)
    try:
        found = read_profiles(tmp_path / "damaged.npz")
    except DifsimsError:
        return
    np.testing.assert_array_equal(found.x, X)
    np.testing.assert_array_equal(found.y, np.random.default_rng(1).random((50, 147)).astype(np.float32))


def test_a_header_that_claims_terabytes_allocates_nothing(tmp_path):
    def member(shape):
        header = str({"descr": "<f4", "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\0" * 64

    path = tmp_path / "liar.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", member((16,)))
        archive.writestr("y.npy", member((10**6, 10**6)))
    with pytest.raises(ExperimentError, match=r"claims.*truncated"):
        read_profiles(path)


def test_a_pickle_in_place_of_an_array_is_never_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    array = np.empty(1, object)
    array[0] = Bomb()
    for path in (tmp_path / "a.npz", tmp_path / "b_probability_pred.npz"):
        np.savez(path, x=array, y=array, pred=array, phases=array, cnn_id=array)
    for read in (
        lambda: read_profiles(tmp_path / "a.npz"),
        lambda: read_prediction(tmp_path / "b_probability_pred.npz"),
    ):
        with pytest.raises(ExperimentError, match="object"):
            read()
    assert not (tmp_path / "ran").exists()


def test_what_is_not_there_or_no_npz(tmp_path):
    with pytest.raises(MissingObjectError, match=r"none\.npz"):
        read_profiles(tmp_path / "none.npz")
    np.save(tmp_path / "plain.npy", X)
    with pytest.raises(ExperimentError, match=r"plain\.npy: .*\.npz"):
        read_profiles(tmp_path / "plain.npy")
    (tmp_path / "text.npz").write_text("q, intensity")
    with pytest.raises(ExperimentError, match=r"text\.npz: "):
        read_profiles(tmp_path / "text.npz")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("/a/roi_3_rebin_radial_crop.npz", "roi_3_rebin_radial_crop"),
        ("s3://b/p/scan 2.npz", "scan 2"),
        ("a%20b.npz", "a%20b"),
        ("file:///a%20b.npz", "a b"),
        ("x_probability_pred.npz", "x_probability_pred"),
    ],
)
def test_an_experiment_has_the_whole_name_of_its_file(url, name):
    assert experiment_name(url) == name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("roi_3_rebin_radial_crop_probability_pred.npz", "roi_3_rebin_radial_crop"),
        ("s3://b/roi_3_rebin_probability_pred.npz", "roi_3_rebin"),
        ("x_probabilty_pred.npz", "x"),
    ],
)
def test_a_prediction_has_the_name_of_its_experiment(url, name):
    assert predicted_name(url) == name
    with pytest.raises(ExperimentError, match="_probability_pred"):
        predicted_name(url.replace("_pred", "_guess"))


def test_a_prediction_is_read_as_it_was_written(store_url):
    url = f"{store_url}/p/roi_1_probability_pred.npz"
    invalid = np.zeros((4, 5), bool)
    invalid[1, 2] = True
    written = _prediction(
        x=X, sim_ids=("sim-1", "sim-22"), experiment="s3://e/roi_1.npz", created="2026-01-01T00:00:00+00:00",
        experiment_sha256="ab", invalid=invalid,
    )  # fmt: skip
    write_prediction(url, written)
    found = read_prediction(url)
    for name in ("phases", "cnn_id", "sim_ids", "experiment", "created", "experiment_sha256"):
        assert getattr(found, name) == getattr(written, name)
    for name in ("pred", "x", "invalid"):
        np.testing.assert_array_equal(getattr(found, name), getattr(written, name))


def test_a_prediction_needs_nothing_but_numpy(tmp_path):
    path = tmp_path / "a_probability_pred.npz"
    write_prediction(path, _prediction(x=X, sim_ids=("sim-1",)))
    code = (
        "import json, sys, numpy as np\n"
        "f = np.load(sys.argv[1], allow_pickle=False)\n"
        "texts = [list(f['phases']), str(f['cnn_id']), list(f['sim_ids'])]\n"
        "print(json.dumps([f['pred'].shape, str(f['pred'].dtype), *texts]))\n"
    )
    said = subprocess.run([sys.executable, "-I", "-c", code, str(path)], check=True, capture_output=True, text=True)
    assert json.loads(said.stdout) == [[4, 5, 3], "float32", ["phase_0", "phase_1", "phase_2"], "cnn-1", ["sim-1"]]


def test_equal_predictions_are_equal_bytes(tmp_path):
    paths = [tmp_path / folder / "a_probability_pred.npz" for folder in "ab"]
    for path in paths:
        write_prediction(path, _prediction())
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_the_historical_form_is_read_and_never_written(tmp_path):
    old = tmp_path / "roi_1_probabilty_pred.npz"
    np.savez(old, pred=np.full((2, 3), 1 / 3), phases=["a", "b", "c"], cnn_id="cnn-old")
    found = read_prediction(old)
    assert (found.phases, found.cnn_id, found.x, found.sim_ids) == (("a", "b", "c"), "cnn-old", None, ())
    with pytest.raises(ExperimentError, match="_probability_pred"):
        write_prediction(tmp_path / "roi_2_probabilty_pred.npz", found)


BAD_PREDICTIONS = {
    "phases missing": ({"pred": Y}, "phases.*cnn_id"),
    "other number of phases": ({"pred": Y, "phases": ["a"], "cnn_id": "c"}, r"\(…, 1\)"),
    "NaN": ({"pred": np.full((2, 2), np.nan), "phases": ["a", "b"], "cnn_id": "c"}, "pred.*nan"),
    "phases no text": ({"pred": np.ones((2, 2)), "phases": [1, 2], "cnn_id": "c"}, "phases"),
    "two ids": ({"pred": np.ones((2, 2)), "phases": ["a", "b"], "cnn_id": ["c", "d"]}, "cnn_id"),
    "invalid of another shape": (
        {"pred": np.eye(2), "phases": ["a", "b"], "cnn_id": "c", "invalid": np.zeros((2, 2), bool)}, "invalid",
    ),
    "negative": ({"pred": [[1.5, -0.5]], "phases": ["a", "b"], "cnn_id": "c"}, r"pred.*1\.5, -0\.5"),
    "negative but hardly": ({"pred": [[1.0, -2e-6]], "phases": ["a", "b"], "cnn_id": "c"}, "pred.*-2e-06"),
    "not 1 together": ({"pred": np.full((2, 2), 0.49), "phases": ["a", "b"], "cnn_id": "c"}, r"pred.*0\.98"),
    "infinite": ({"pred": [[np.inf, 0]], "phases": ["a", "b"], "cnn_id": "c"}, "pred.*inf"),
    "a phase twice": ({"pred": np.eye(2), "phases": ["a", "a"], "cnn_id": "c"}, "phases.*'a'"),
    "a phase without a name": ({"pred": np.eye(2), "phases": ["a", " "], "cnn_id": "c"}, "phases.*' '"),
    "a phase of two lines": ({"pred": np.eye(2), "phases": ["a", "b\nc"], "cnn_id": "c"}, r"phases.*'b\\nc'"),
    "a phase without an end": ({"pred": np.eye(2), "phases": ["a", "b" * 201], "cnn_id": "c"}, "phases.*'bbb"),
    "too many texts": (
        {"pred": np.eye(2), "phases": ["a", "b"], "cnn_id": "c", "sim_ids": ["s"] * 10_001}, "10,000 .*sim_ids",
    ),
    "an endless text": ({"pred": np.eye(2), "phases": ["a", "b"], "cnn_id": "c" * 10_001}, "cnn_id"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_PREDICTIONS)
def test_predictions_that_break_the_contract(tmp_path, case):
    arrays, words = BAD_PREDICTIONS[case]
    with pytest.raises(ExperimentError, match=words):
        read_prediction(_save(tmp_path / "x_probability_pred.npz", **arrays))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"label": np.zeros((2, 2)), "phases": ["a"]}, "label.*float64"),
        ({"label": np.full((2, 2), 1), "phases": ["a"]}, "−1 … 0"),
        ({"label": np.full((2, 2), -2), "phases": ["a"]}, "−1 … 0"),
        ({"label": np.zeros((2, 2), int), "phases": ["a"], "boundary": np.zeros(2, bool)}, "boundary"),
        ({"label": np.zeros((2, 2), int)}, "phases"),
        ({"label": np.zeros((2, 2), int), "phases": ["a", "a"]}, "phases.*'a'"),
    ],
)
def test_truth_maps_that_break_the_contract(tmp_path, arrays, words):
    with pytest.raises(ExperimentError, match=words):
        read_truth(_save(tmp_path / "t_truth.npz", **arrays))
