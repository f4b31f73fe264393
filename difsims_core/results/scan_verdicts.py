"""What was said of raw scans, where their maps are shown: a map is not better than its scan."""

from __future__ import annotations

from difsims_core.errors import CorruptDataError, InputError, MissingObjectError
from difsims_core.evaluate.raw_scans.verdict import ScanVerdict
from difsims_core.experiment.write.records import read_completion
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import predicted_name, read_prediction
from difsims_core.storage.objects import ObjectStore


def read_verdict(store: ObjectStore, experiment: str) -> ScanVerdict | None:
    """Return what was said of the raw scan of an experiment; None where nobody judged it."""
    key = layout.verdict(experiment)
    try:
        return ScanVerdict.from_document(store.read_record(key), store.url(key))
    except (MissingObjectError, CorruptDataError):
        return None


def verdict_of_map(store: ObjectStore, url: str) -> ScanVerdict | None:
    """Return what was said of the raw scan behind a predicted map; None where it was made from other profiles."""
    try:
        experiment = predicted_name(url).removesuffix("_radial_crop")
        verdict, completion = read_verdict(store, experiment), read_completion(store, experiment)
        if verdict is None or completion is None:
            return None
        return verdict if read_prediction(url).experiment_sha256 == completion.profiles_sha256 else None
    except (InputError, CorruptDataError, MissingObjectError):
        return None  # it is shown or refused elsewhere
