"""The npz contracts (docs/architecture.md §4): measured profiles, predictions, truth maps."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from difsims_core.errors import ExperimentError
from difsims_core.storage.names import check_name, file_name, object_name
from difsims_core.storage.npz.check_prediction import SHARES, check_prediction
from difsims_core.storage.npz.checks import (
    as_texts,
    axis,
    bits,
    class_names,
    flags,
    grain_numbers,
    held_values,
    memory_for,
    quaternions,
    real,
    scan_step,
    single,
    text,
    texts,
)
from difsims_core.storage.npz.limits import NpzLimits
from difsims_core.storage.npz.members import read_members, write_members
from difsims_core.storage.npz.values import Prediction, Profiles, Truth
from difsims_core.storage.objects import local_copy

__all__ = [
    "PREDICTION_ENDING",
    "PREDICTION_ENDINGS",
    "TRUTH_ENDING",
    "Prediction",
    "Profiles",
    "Truth",
    "experiment_name",
    "predicted_name",
    "read_prediction",
    "read_profiles",
    "read_truth",
    "write_prediction",
    "write_profiles",
]

PREDICTION_ENDING = "_probability_pred.npz"
TRUTH_ENDING = "_truth.npz"
PREDICTION_ENDINGS = (PREDICTION_ENDING, "_probabilty_pred.npz")  # the second: read, never written
_STEP, _FLAGS = "scan_step_nm", "flags"
_WORDS = ("experiment", "created", "experiment_sha256")


def experiment_name(url: str | Path) -> str:
    """Return the name of an experiment from that of its profiles: the whole file name without ``.npz``.

    Where that cannot be a name in a store, it is one with a digest (`object_name`); no two files share one.

    Raises
    ------
    ExperimentError
        If it is not an ``.npz`` file.
    """
    return object_name(_without(url, (".npz",), "an .npz file"))


def predicted_name(url: str | Path) -> str:
    """Return the name under which a prediction lies: that of its experiment, earlier without ``_radial_crop``.

    Raises
    ------
    ExperimentError
        If it is not called like a prediction.
    """
    return check_name(_without(url, PREDICTION_ENDINGS, f"a prediction, …{PREDICTION_ENDING}"))


def _without(url: str | Path, endings: tuple[str, ...], what: str) -> str:
    name = file_name(url)
    for ending in endings:
        if name.endswith(ending) and len(name) > len(ending):
            return name.removesuffix(ending)
    raise ExperimentError(f"{url}: expected the name of {what}, found {name!r}")


def read_profiles(url: str | Path, *, limits: NpzLimits | None = None, shown: str | Path | None = None) -> Profiles:
    """Read measured profiles: ``x`` (nq,) and ``y`` (…, nq); ``scan_step_nm`` and ``flags`` (…) when they are there.

    NaN in ``y`` is left to whoever classifies the pixels; everything else must fit.

    Parameters
    ----------
    url
        The file.
    limits
        How much it may hold; default: those of the environment.
    shown
        Where it lies, when ``url`` is a copy: errors and the name of the experiment are of this.

    Raises
    ------
    ExperimentError
        Naming file, expected, found and remedy.
    """
    shown = shown or url
    name = experiment_name(shown)
    with memory_for(shown):
        with local_copy(url) as path:
            arrays = read_members(path, ("x", "y"), (_STEP, _FLAGS), limits=limits, shown=shown)
            sha256 = _sha256(path)
        x = axis(shown, arrays["x"])
        y = _check_profiles(shown, x, arrays["y"])
        step = scan_step(shown, arrays[_STEP]) if _STEP in arrays else None
        found = bits(shown, _FLAGS, arrays[_FLAGS], y.shape[:-1]) if _FLAGS in arrays else None
        return Profiles(name, x, held_values(y), sha256, step, found)


def write_profiles(
    url: str | Path,
    x: np.ndarray,
    y: np.ndarray,
    *,
    scan_step_nm: float | None = None,
    flags: np.ndarray | None = None,
) -> Profiles:
    """Write measured profiles and return them as they are read again.

    Parameters
    ----------
    url
        ``…/<name>_radial_crop.npz``.
    x
        q axis in Å⁻¹ (q = 1/d), shape (n_q,).
    y
        Profiles, shape (…, n_q): one, a line scan or a map (ny, nx, n_q).
    scan_step_nm
        Distance of neighbouring scan positions, nm; None: unknown, maps have no scale bar.
    flags
        Bits of each pattern, integers (…) (`pattern_flags`); None: nobody says which are unusable.

    Raises
    ------
    ExperimentError
        If they do not fit the contract; nothing is written.
    """
    x = axis(url, np.asarray(x))
    y = held_values(_check_profiles(url, x, np.asarray(y)))
    arrays = {"x": x, "y": y}
    if scan_step_nm is not None:
        arrays[_STEP] = np.array(scan_step_nm, np.float64)
        scan_step_nm = scan_step(url, arrays[_STEP])
    if flags is not None:
        arrays[_FLAGS] = flags = bits(url, _FLAGS, np.asarray(flags), y.shape[:-1])
    data = write_members(url, arrays)
    return Profiles(experiment_name(url), x, y, hashlib.sha256(data).hexdigest(), scan_step_nm, flags)


def _check_profiles(url: str | Path, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    y = real(url, "y", y)
    if y.ndim < 1 or y.shape[-1] != len(x):
        raise ExperimentError(
            f"{url}: expected y of shape (…, {len(x)}), a value for each point of x, found {y.shape}",
            "put the q axis last",
        )
    if y.size == 0:
        raise ExperimentError(f"{url}: expected at least one profile, found y of shape {y.shape}", "check the scan")
    return y


def read_prediction(url: str | Path) -> Prediction:
    """Read a prediction; of files in the historical form only ``pred``, ``phases`` and ``cnn_id`` are expected.

    Raises
    ------
    ExperimentError
        Naming file, expected, found and remedy.
    """
    optional = ("x", "sim_ids", "experiment", "created", "experiment_sha256", "invalid", "scan_q", "orientation", _STEP)
    optional += (*SHARES, "fractions", "grain", "grain_pred")
    with memory_for(url):
        with local_copy(url) as path:
            arrays = read_members(path, ("pred", "phases", "cnn_id"), optional, shown=url)
            sha256 = _sha256(path)
        prediction = _prediction(url, arrays, sha256)
        check_prediction(url, prediction)
    return prediction


def _prediction(url: str | Path, arrays: Mapping[str, np.ndarray], sha256: str) -> Prediction:
    x, invalid = arrays.get("x"), arrays.get("invalid")
    return Prediction(
        single(url, "pred", arrays["pred"]),
        texts(url, "phases", arrays["phases"]),
        text(url, "cnn_id", arrays["cnn_id"]),
        x=None if x is None else axis(url, x),
        sim_ids=texts(url, "sim_ids", arrays["sim_ids"]) if "sim_ids" in arrays else (),
        invalid=None if invalid is None else flags(url, "invalid", invalid),
        scan_q=axis(url, arrays["scan_q"], "scan_q") if "scan_q" in arrays else None,
        scan_step_nm=scan_step(url, arrays[_STEP]) if _STEP in arrays else None,
        orientation=quaternions(url, arrays["orientation"]) if "orientation" in arrays else None,
        grain=grain_numbers(url, arrays["grain"]) if "grain" in arrays else None,
        grain_pred=single(url, "grain_pred", arrays["grain_pred"]) if "grain_pred" in arrays else None,
        sha256=sha256,
        **_texts_and_shares(url, arrays),
    )


def _texts_and_shares(url: str | Path, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    said = {key: text(url, key, arrays[key]) for key in _WORDS if key in arrays}
    return said | {key: single(url, key, arrays[key]) for key in (*SHARES, "fractions") if key in arrays}


def write_prediction(url: str | Path, prediction: Prediction) -> None:
    """Write a prediction; its name must end with ``_probability_pred.npz``.

    Raises
    ------
    ExperimentError
        If the name or the arrays break the contract.
    """
    if not str(url).endswith(PREDICTION_ENDING):
        raise ExperimentError(f"{url}: a prediction is written under a name that ends with {PREDICTION_ENDING}")
    check_prediction(url, prediction)
    arrays = {
        "pred": prediction.pred.astype(np.float32),
        "phases": as_texts(prediction.phases),
        "cnn_id": np.array(prediction.cnn_id),
        "sim_ids": as_texts(prediction.sim_ids),
        **{key: np.array(getattr(prediction, key)) for key in _WORDS},
    }
    for key, q_axis in (("x", prediction.x), ("scan_q", prediction.scan_q)):
        if q_axis is not None:
            arrays[key] = axis(url, q_axis, key)
    if prediction.invalid is not None:
        arrays["invalid"] = prediction.invalid.astype(bool)
    if prediction.scan_step_nm is not None:
        arrays[_STEP] = np.array(prediction.scan_step_nm, np.float64)
        scan_step(url, arrays[_STEP])
    if prediction.orientation is not None:
        arrays["orientation"] = prediction.orientation.astype(np.float64)
    if prediction.grain is not None:
        arrays["grain"] = prediction.grain.astype(np.int32)
    shares = {key: getattr(prediction, key) for key in (*SHARES, "fractions", "grain_pred")}
    arrays |= {key: values.astype(np.float32) for key, values in shares.items() if values is not None}
    write_members(url, arrays)


def read_truth(url: str | Path) -> Truth:
    """Read a truth map: ``label`` (…), ``phases``, and ``boundary`` (…) when it is there.

    Raises
    ------
    ExperimentError
        Naming file, expected, found and remedy.
    """
    with memory_for(url):
        with local_copy(url) as path:
            arrays, sha256 = read_members(path, ("label", "phases"), ("boundary",), shown=url), _sha256(path)
        return replace(_truth(url, arrays), sha256=sha256)


def _truth(url: str | Path, arrays: Mapping[str, np.ndarray]) -> Truth:
    label, phases = arrays["label"], class_names(url, "phases", texts(url, "phases", arrays["phases"]))
    if label.dtype.kind not in "iu":
        raise ExperimentError(f"{url}: expected integers in label, found {label.dtype}", "save indices into phases")
    if label.size and not -1 <= int(label.min()) <= int(label.max()) < len(phases):
        raise ExperimentError(
            f"{url}: expected labels −1 … {len(phases) - 1} (indices into phases), found {label.min()} … {label.max()}"
        )
    boundary = flags(url, "boundary", arrays["boundary"]) if "boundary" in arrays else None
    if boundary is not None and boundary.shape != label.shape:
        raise ExperimentError(f"{url}: expected boundary of shape {label.shape} as label, found {boundary.shape}")
    return Truth(label.astype(np.int64), phases, boundary, str(url))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
