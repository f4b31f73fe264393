"""Scans whose ``x`` is in another unit: refused with the remedy, and with it predicted as the same scan in Å⁻¹."""

from __future__ import annotations

import dataclasses
import logging
from types import SimpleNamespace

import numpy as np
import pytest

from difsims_core.errors import ExperimentError, InputError, MissingObjectError
from difsims_core.evaluate.experiment_scores import evaluate_experiment
from difsims_core.learn import measured_axis
from difsims_core.learn.predict import predict_experiment, predict_profiles
from difsims_core.storage.npz.contracts import read_prediction, read_profiles, write_prediction, write_profiles
from difsims_core.storage.objects import open_store
from tests.learn.test_predict import Q, bundle_of, measured

X = {"1/nm": Q * 10, "2pi/angstrom": Q * 2 * np.pi, "2pi/nm": Q * 20 * np.pi}


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.mark.parametrize("unit", X)
def test_a_stated_unit_gives_the_prediction_of_the_axis_in_angstrom(unit):
    y = measured(3, 4)
    with pytest.raises(ExperimentError, match=f"q_unit='{unit}'"):
        predict_profiles(bundle_of(), y, X[unit])
    found = predict_profiles(bundle_of(), y, X[unit], q_unit=unit)
    np.testing.assert_allclose(found, predict_profiles(bundle_of(), y, Q), atol=1e-6)


def test_pixel_numbers_are_refused_by_file_and_nothing_is_written(tmp_path, store):
    path = tmp_path / "px_radial_crop.npz"
    np.savez(path, x=np.arange(147), y=np.random.default_rng(0).random((6, 5, 147), np.float32))
    for unit in (None, "1/angstrom", "1/nm"):
        with pytest.raises(ExperimentError, match=r"px_radial_crop\.npz: .*0, 1 … 146 "):
            predict_experiment(store, bundle_of(), path, unit)
    assert store.list() == []


def test_angles_take_the_beam_energy_of_the_simulations_or_that_of_the_scan(monkeypatch):
    energies = {"sim-00000000-0000-4000-8000-000000000000": 200.0}

    def opened(name, _store):
        if name not in energies:
            raise MissingObjectError(f"there is no dataset {name}")
        return SimpleNamespace(spec=SimpleNamespace(microscope=SimpleNamespace(beam_energy_kv=energies[name])))

    monkeypatch.setattr(measured_axis, "open_simulation", opened)
    bundle = dataclasses.replace(bundle_of(), store=object())
    vars(bundle)["classifier"] = bundle_of().classifier
    y, expected = measured(5), predict_profiles(bundle_of(), measured(5), Q)
    for wavelength, energy in ((0.025079, None), (0.019687, 300)):
        x = 2000 * np.arcsin(Q * wavelength / 2)
        found = predict_profiles(bundle, y, x, "mrad", beam_energy_kv=energy)
        np.testing.assert_allclose(found, expected, atol=1e-3)
    for known in ({}, {**energies, "sim-2": 80.0}):
        monkeypatch.setitem(vars(bundle), "sim_ids", (*known, "sim-00000000-0000-4000-8000-000000000000"))
        energies.clear()
        energies.update(known)
        with pytest.raises(InputError, match="--beam-energy"):
            predict_profiles(bundle, y, Q * 25, "mrad")
    with pytest.raises(InputError, match="--beam-energy"):
        predict_profiles(bundle_of(), y, Q * 25, "mrad")
    with pytest.raises(InputError, match=r" kV.* 0$"):
        predict_profiles(bundle_of(), y, Q * 25, "mrad", beam_energy_kv=0)


def test_a_prediction_keeps_the_axis_by_which_the_scan_was_read(tmp_path, store, caplog):
    path, bundle = tmp_path / "scan_radial_crop.npz", bundle_of()
    write_profiles(path, X["1/nm"], measured(3, 4))
    with caplog.at_level(logging.INFO):
        first = predict_experiment(store, bundle, path, "1/nm")
    assert "1 … 13 in 1/nm, is 0.1 … 1.3 Å⁻¹" in caplog.text
    prediction = read_prediction(first.url)
    np.testing.assert_allclose(prediction.scan_q, Q)
    assert predict_experiment(store, bundle, path, "1/nm").reused
    with pytest.raises(ExperimentError, match="--q-unit 1/nm"):
        predict_experiment(store, bundle, path)

    evaluation = evaluate_experiment(prediction, read_profiles(path), {})
    write_profiles(tmp_path / "same_radial_crop.npz", Q, measured(3, 4))
    same = predict_experiment(store, bundle, tmp_path / "same_radial_crop.npz")
    expected = evaluate_experiment(read_prediction(same.url), read_profiles(tmp_path / "same_radial_crop.npz"), {})
    assert [phase.n_pixels for phase in evaluation.phases] == [phase.n_pixels for phase in expected.phases]
    for found, wanted in zip(evaluation.phases, expected.phases, strict=True):
        np.testing.assert_allclose(found.mean_profile, wanted.mean_profile, rtol=1e-6)


def test_the_same_scan_read_in_another_unit_is_predicted_again(tmp_path, store):
    """An axis that two units fit: 0 … 14 in nm⁻¹, or in 2π/Å."""
    path, bundle, x = tmp_path / "scan.npz", bundle_of(), np.linspace(0, 14, 2000)
    write_profiles(path, x, measured(3, 4, q=x / 10))
    first = predict_experiment(store, bundle, path, "1/nm")
    before = read_prediction(first.url)
    again = predict_experiment(store, bundle, path, "2pi/angstrom")
    assert (again.url, again.reused) == (first.url, False)
    assert np.any(read_prediction(again.url).pred != before.pred)


def test_a_prediction_of_an_earlier_version_was_read_in_angstrom(tmp_path, store):
    path, bundle = tmp_path / "scan.npz", bundle_of()
    write_profiles(path, Q, measured(3, 4))
    first = predict_experiment(store, bundle, path)
    write_prediction(first.url, dataclasses.replace(read_prediction(first.url), scan_q=None))
    assert predict_experiment(store, bundle, path).reused


def test_a_scan_that_is_gone_is_the_fault_of_that_scan(tmp_path, store):
    with pytest.raises(ExperimentError, match=r"gone_radial_crop\.npz"):
        predict_experiment(store, bundle_of(), tmp_path / "gone_radial_crop.npz")
