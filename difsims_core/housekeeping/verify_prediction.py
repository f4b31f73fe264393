"""Check a prediction: its seal, its model, its classes, and the scan that it was made from."""

from __future__ import annotations

from difsims_core.errors import DifsimsError, InputError, MissingObjectError
from difsims_core.findings import Findings
from difsims_core.learn.bundle import load_bundle
from difsims_core.messages import first_line
from difsims_core.storage import layout
from difsims_core.storage.names import as_written, join_url, split_url
from difsims_core.storage.npz.contracts import Prediction, predicted_name, read_prediction, read_profiles
from difsims_core.storage.npz.members import is_sealed
from difsims_core.storage.objects import ObjectStore, object_exists, open_store


def verify_prediction(url: str) -> Findings:
    """Return what is wrong with a prediction: its seal, its model, its classes, and the scan that it was made from."""
    failures: list[str] = []
    warnings: list[str] = []
    prediction = read_prediction(url)
    predicted_name(url)
    if not is_sealed(url):
        failures.append(
            "it carries no seal: an earlier version wrote it (`difsims convert` seals predictions of your own), or "
            "something else: delete it and predict the scan again"
        )
    models, folder = _home_of(url)
    if models and folder != prediction.cnn_id:
        failures.append(f"it lies in the folder of {ascii(folder)[1:-1]}, and says that {prediction.cnn_id} made it")
    try:
        phases = load_bundle(prediction.cnn_id, models).phases if models else prediction.phases
    except MissingObjectError:
        warnings.append(f"its model {prediction.cnn_id} is not in this store")
    except DifsimsError as error:
        warnings.append(f"its model cannot be read: {first_line(error)}")
    else:
        if phases != prediction.phases:
            failures.append("its phases are not those of its model, or in another order")
    failures += _scan_differs(prediction, models)
    return Findings("prediction", as_written(url), tuple(failures), tuple(warnings))


def _home_of(url: str) -> tuple[ObjectStore | None, str]:
    """Return the store of a prediction and the folder in which it lies there; None where it lies in no store."""
    scheme, path = split_url(url)
    root, *within = path.rsplit("/", 3)
    if not root or within[0] != layout.PREDICTIONS:
        return None, ""
    return open_store(join_url(scheme, root)), within[1]


def _scan_differs(prediction: Prediction, store: ObjectStore | None) -> list[str]:
    """Return whether the scan of a prediction, when it is in the same store, is another one now."""
    if store is None or not prediction.experiment or not prediction.experiment_sha256:
        return []
    try:
        url = store.url(store.key_of(prediction.experiment))
    except InputError:
        return []  # a scan outside the store is not opened because a file says so
    if not object_exists(url) or read_profiles(url).sha256 == prediction.experiment_sha256:
        return []
    return ["its scan has changed since; predict it again"]
