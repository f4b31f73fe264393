"""Stores with models, datasets and what belongs to them, as small as they can be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np

from difsims_core.learn.weights import WEIGHTS
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import Prediction, write_prediction
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.records import from_record

LONG_AGO = "2020-01-01T00:00:00+00:00"
NETWORK = b"not a real network"


def fingerprint(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def put_dataset(store: ObjectStore, *, created: str = LONG_AGO, whole: bool = True) -> str:
    """Write the records of a dataset and one piece of data."""
    name = layout.new_simulation_id()
    key, own = layout.simulation(name), fingerprint(name)
    store.write_record(layout.simulation_index(own), {"id": name, "fingerprint": own, "created": created})
    store.write(f"{key}/1d/x_px/c/0/0", b"x" * 1000)
    attributes = {"id": name, "fingerprint": own, "created": created}
    root = {"attributes": attributes, "zarr_format": 3, "node_type": "group"}
    store.write(f"{key}/zarr.json", json.dumps(root).encode())
    store.write_record(layout.receipt(name, 0), {"block": 0})
    if whole:
        record = {"id": name, "fingerprint": own, "completed": created, "stored_bytes": 1000}
        store.write_record(layout.completion(name), record)
    store.write(layout.figure(name, "sample-profiles.png"), b"png")
    store.write(layout.export(name, ".npz"), b"npz")
    return name


def put_model(
    store: ObjectStore,
    *,
    datasets: Iterable[str] = (),
    fingerprints: Iterable[str] = (),
    created: str = LONG_AGO,
    scans: Iterable[str] = (),
) -> str:
    """Write the records of a model, with a prediction, scores and a map of each scan."""
    name, datasets = layout.new_model_id(), list(datasets)
    key = layout.model(name)
    store.write(f"{key}/{WEIGHTS}", NETWORK)
    record = {
        "format": 1,
        "id": name,
        "created": created,
        "sim_ids": datasets,
        "sim_fingerprints": [*fingerprints] or [fingerprint(item) for item in datasets],
        "training_fingerprint": fingerprint(name),
        "weights_sha256": hashlib.sha256(NETWORK).hexdigest(),
    }
    store.write_record(f"{key}/bundle.json", record)
    store.write_record(layout.model_index(fingerprint(name)), {"id": name, "created": created})
    for scan in scans:
        put_prediction(store, name, scan, datasets)
        store.write_record(layout.evaluation(name, scan), {"experiment": scan})
        store.write(layout.figure(name, f"{scan}-phase-map.png"), b"png")
    return name


def put_prediction(store: ObjectStore, model: str, scan: str, datasets: Iterable[str] = ()) -> None:
    pred = np.full((2, 2, 2), 0.5, np.float32)
    url = store.url(layout.prediction(model, scan))
    write_prediction(url, Prediction(pred, ("a", "b"), model, sim_ids=tuple(datasets)))


def put_report(store: ObjectStore, run: str, *ids: str) -> str:
    store.write(layout.report(run), f"<html>{' and '.join(ids)}</html>".encode())
    return run


def write_registry(store: ObjectStore, champion: str | None, former: Iterable[str] = ()) -> None:
    """Write a registry without the checks of `promote`: its models may not exist."""

    def entry(model: str) -> dict[str, object]:
        return {"model": model, "since": LONG_AGO, "why": "a test", "scores": {}, "by": "hand"}

    document = {
        "format": 2,
        "serial": 1,
        "written": LONG_AGO,
        "champion": entry(champion) if champion else None,
        "former": [entry(model) for model in former],
        "considered": [],
    }
    store.write_record(layout.model_registry(), document)


def contents(store: ObjectStore) -> dict[str, bytes]:
    return {key: store.read(key) for key in store.list()}


def later(days: int) -> datetime:
    """Return a time so many days from now: everything that was written now is that old then."""
    return datetime.fromtimestamp(datetime.now(UTC).timestamp() + days * 86400, UTC)


def names_in(store: ObjectStore) -> set[str]:
    """Return all ids that occur in keys or documents of a store."""
    found: set[str] = set()
    for key, data in contents(store).items():
        found |= layout.find_ids(key) | layout.find_ids(data.decode(errors="replace"))
    return found


def rewrite(store: ObjectStore, key: str, **changes: object) -> None:
    store.write_record(key, from_record(store.read(key), key) | changes)
