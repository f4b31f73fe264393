"""Polar patterns of an experiment open in HyperSpy, with axes."""

from __future__ import annotations

import numpy as np
import pytest

from difsims_core import PreprocessingSpec, open_experiment, write_scan
from difsims_core.errors import InputError
from difsims_core.experiment.write.zspy import export_zspy
from difsims_core.storage.objects import open_store


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zspy")
    frames = np.random.default_rng(2).poisson(4.0, (3, 5, 64, 64)).astype(np.uint16)
    frames[:, :, 30:35, 31:36] += 900
    np.save(folder / "roi_9.npy", frames)
    spec = PreprocessingSpec(
        reading={"calibration_per_angstrom": 0.05, "scan_step_nm": 2.5, "beam_energy_kv": 200},
        geometry={"ellipse": (0, 0)},
    )
    store = open_store(folder / "store")
    return open_experiment(write_scan(store, folder / "roi_9.npy", spec).profiles, store)


def test_hyperspy_opens_it(experiment, tmp_path):
    hyperspy = pytest.importorskip("hyperspy.api")
    signal = hyperspy.load(export_zspy(experiment, f"{tmp_path}/roi_9.zspy"))
    np.testing.assert_array_equal(signal.data, experiment["y"][...])
    scan, detector = signal.axes_manager.navigation_axes, signal.axes_manager.signal_axes
    assert [(axis.name, axis.size, axis.scale, axis.units) for axis in scan] == [
        ("x", 5, 2.5, "nm"),
        ("y", 3, 2.5, "nm"),
    ]
    azimuth, q = detector
    np.testing.assert_allclose(azimuth.axis, experiment["azimuth"][...])
    np.testing.assert_allclose(q.axis, experiment["q"][...], rtol=1e-12)
    assert signal.metadata.Acquisition_instrument.TEM.beam_energy == 200
    assert signal.metadata.difsims.fingerprint == experiment.completion.fingerprint


def test_nothing_is_overwritten_unasked(experiment, tmp_path):
    path = f"{tmp_path}/roi_9.zspy"
    export_zspy(experiment, path)
    with pytest.raises(InputError) as caught:
        export_zspy(experiment, path)
    assert "--force" in caught.value.remedy
    export_zspy(experiment, path, overwrite=True)


@pytest.mark.parametrize("name", ["roi_9.hspy", "mine.zspy"])
def test_other_names_and_other_folders_are_refused(experiment, tmp_path, name):
    (tmp_path / "mine.zspy").mkdir()
    (tmp_path / "mine.zspy" / "notes.txt").write_text("kept")
    with pytest.raises(InputError):
        export_zspy(experiment, f"{tmp_path}/{name}", overwrite=True)
    assert (tmp_path / "mine.zspy" / "notes.txt").read_text() == "kept"
