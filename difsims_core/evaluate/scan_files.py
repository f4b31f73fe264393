"""The files that belong to a prediction: its scan and its truth map, found by the name of the predicted file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from difsims_core.errors import ExperimentError, InputError
from difsims_core.storage.names import child_url, file_name, parent_url
from difsims_core.storage.npz.contracts import TRUTH_ENDING, Prediction, Truth, predicted_name, read_truth
from difsims_core.storage.trusted_locations import ALSO_READ, may_be_read
from difsims_core.storage.urls import url_exists

_CROPPED = "_radial_crop"


def scan_folder(prediction: Prediction, url: str | Path, also_read: Iterable[str | Path]) -> str:
    """Return the URL of the folder where the scan of a prediction lay when it was predicted.

    Parameters
    ----------
    prediction, url
        The prediction, and where it was read from.
    also_read
        Where a scan may be read on the word of a prediction: the store, and what the user has named.

    Raises
    ------
    ExperimentError
        If the prediction does not say it, or names another place.
    """
    if "/" not in prediction.experiment:
        raise ExperimentError(f"{url}: does not say where its experiment lies", "name the folder with --experiments")
    _stems(prediction, url)
    if not may_be_read(prediction.experiment, also_read):
        raise ExperimentError(
            f"{url}: says that its experiment is {prediction.experiment!r}, which lies outside the store",
            f"if it is yours, name the folder with --experiments, or allow it with {ALSO_READ}",
        )
    return parent_url(prediction.experiment)


def find_scan(prediction: Prediction, url: str | Path, folder: str | Path) -> str:
    """Return the URL of the scan of a prediction in a folder.

    Raises
    ------
    ExperimentError
        If it is not there.
    """
    names = [f"{stem}.npz" for stem in _stems(prediction, url)]
    found = _first_in(folder, names)
    if found is None:
        raise ExperimentError(
            f"{url}: its experiment is not in {folder} (looked for {' and '.join(names)})",
            "give the folder of the experiment that was predicted",
        )
    return found


def find_truth(prediction: Prediction, url: str | Path, folder: str | Path | None) -> str | None:
    """Return where the truth map of the scan of a prediction lies; None when the folder holds none.

    It is called ``<name>_truth.npz``, with or without ``_radial_crop`` in the name.
    """
    if folder is None:
        return None
    stems = _stems(prediction, url)
    shorter = [stem.removesuffix(_CROPPED) for stem in stems]
    return _first_in(folder, [f"{stem}{TRUTH_ENDING}" for stem in (*stems, *shorter)])


def read_truth_of(prediction: Prediction, url: str | Path, folder: str | Path | None) -> Truth | None:
    """Return the truth map of the scan of a prediction, where the folder holds one."""
    found = find_truth(prediction, url, folder)
    return None if found is None else read_truth(found)


def _stems(prediction: Prediction, url: str | Path) -> list[str]:
    """Return the file names, without ending, that the scan may have."""
    if prediction.experiment:
        try:
            return [file_name(prediction.experiment).removesuffix(".npz")]
        except InputError as error:
            raise ExperimentError(
                f"{url}: the place of its experiment cannot be read ({error})", "predict again"
            ) from None
    name = predicted_name(url)  # a historical prediction has it in its own file name only, and shorter
    return [f"{name}{_CROPPED}", name]


def _first_in(folder: str | Path, names: Iterable[str]) -> str | None:
    candidates = (child_url(folder, name) for name in names)
    return next((url for url in candidates if url_exists(url)), None)
