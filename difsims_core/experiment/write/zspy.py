"""Polar patterns for HyperSpy: a signal in Zarr, format 2, as HyperSpy and RosettaSciIO lay it out (``.zspy``).

The documents are few and plain JSON. RosettaSciIO's writer needs Zarr 2, which writes nothing to our stores.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from difsims_core.errors import InputError
from difsims_core.experiment.write.open import Experiment
from difsims_core.storage.objects import ObjectStore, exists_already, locate
from difsims_core.storage.zarr.blosc import Blosc

ENDING = ".zspy"
_VERSION = "3.3"  # of HyperSpy's layout
_SAID = ("fingerprint", "raw_sha256", "source", "calibration_per_angstrom", "ellipse", "ellipse_error", "versions")
_COMPRESSOR = Blosc(cname="zstd", clevel=1, shuffle=Blosc.SHUFFLE)


def export_zspy(experiment: Experiment, url: str, *, overwrite: bool = False) -> str:
    """Write the polar patterns of a preprocessed scan for HyperSpy, a row of the scan at a time.

    Parameters
    ----------
    experiment
        Which has polar patterns.
    url
        Path or URL, ``….zspy``: a folder of objects.
    overwrite
        Replace what is there.

    Raises
    ------
    InputError
        If the name ends otherwise, something is there already, or there are no polar patterns.
    """
    if not url.rstrip("/").endswith(ENDING):
        raise InputError(f"{url}: expected a name that ends with {ENDING}", "change the name")
    if "y" not in experiment.arrays:
        raise InputError(
            f"experiment {experiment.name} has no polar patterns", "preprocess the scan with integration.polar: true"
        )
    store, key = locate(url)
    there = store.list(key)
    if there and not overwrite:
        raise exists_already(url)
    if there and f"{key}/.zgroup" not in there:
        raise InputError(f"{url}: is a folder with other things than a Zarr group", "choose another name")
    store.delete_tree(key)
    signal = f"{key}/Experiments/{experiment.name}"
    polar = experiment["y"]
    for row in range(polar.shape[0]):
        patterns = np.ascontiguousarray(polar[row : row + 1], dtype="<f4")
        store.write(f"{signal}/data/{row}.0.0.0", _COMPRESSOR.encode(patterns))
    _write(store, f"{signal}/data/.zarray", _array_document(polar.shape))
    for number, axis in enumerate(_axes(experiment)):
        _write_group(store, f"{signal}/axis-{number}", axis)
    attrs = experiment.attrs
    said = {
        name: attrs[name] for name in ("fingerprint", "raw_sha256", "source", "calibration_per_angstrom", "ellipse")
    }
    groups = {
        "metadata": {},
        "metadata/General": {"title": experiment.name, "original_filename": attrs["source"]},
        "metadata/Signal": {"signal_type": "", "quantity": "Mean counts per pixel"},
        "metadata/_HyperSpy": {},
        "metadata/difsims": said,
        "metadata/Acquisition_instrument": {},
        "metadata/Acquisition_instrument/TEM": _known({"beam_energy": attrs["beam_energy_kv"]}),
        "original_metadata": {},
        "learning_results": {},
        "attributes": {"_lazy": False, "ragged": False},
    }
    for path, content in groups.items():
        _write_group(store, f"{signal}/{path}", content)
    _write_group(store, signal, {"package": "hyperspy", "package_version": "2.0"})  # whose class of signal it is
    _write_group(store, f"{key}/Experiments", {})
    _write_group(store, key, {"file_format": "ZSpy", "file_format_version": _VERSION})
    return url


def _axes(experiment: Experiment) -> list[dict[str, Any]]:
    """Return the axes as HyperSpy describes them: the scan navigates, q and azimuth are the signal."""
    step = experiment.attrs["scan_step_nm"]
    scale, unit = (step, "nm") if step else (1.0, "")
    ny, nx, n_q, n_azimuths = experiment["y"].shape
    q, azimuth = (np.asarray(experiment[path][...], np.float64) for path in ("q", "azimuth"))
    return [
        _axis("y", ny, scale, unit, navigate=True),
        _axis("x", nx, scale, unit, navigate=True),
        _axis("q", n_q, _step(q), "1/Å", offset=float(q[0])),
        _axis("azimuth", n_azimuths, _step(azimuth), "°", offset=float(azimuth[0])),
    ]


def _step(axis: np.ndarray) -> float:
    return float(axis[-1] - axis[0]) / max(len(axis) - 1, 1) or 1.0


def _axis(
    name: str, size: int, scale: float, units: str, *, offset: float = 0.0, navigate: bool = False
) -> dict[str, Any]:
    return {
        "_type": "UniformDataAxis", "name": name, "units": units, "navigate": navigate, "is_binned": False,
        "size": size, "scale": scale, "offset": offset,
    }  # fmt: skip


def _array_document(shape: tuple[int, ...]) -> dict[str, Any]:
    return {
        "zarr_format": 2,
        "shape": list(shape),
        "chunks": [1, *shape[1:]],
        "dtype": "<f4",
        "compressor": _COMPRESSOR.get_config(),
        "fill_value": "NaN",
        "filters": None,
        "order": "C",
        "dimension_separator": ".",
    }


def _write_group(store: ObjectStore, key: str, attributes: Mapping[str, Any]) -> None:
    _write(store, f"{key}/.zgroup", {"zarr_format": 2})
    if attributes:
        _write(store, f"{key}/.zattrs", attributes)


def _write(store: ObjectStore, key: str, document: Mapping[str, Any]) -> None:
    store.write(key, json.dumps(document, ensure_ascii=False).encode())


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
