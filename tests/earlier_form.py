"""Datasets as earlier versions wrote them: records without checksums, rows the same."""

from __future__ import annotations

import json

from difsims_core.dataset.completion import read_completion
from difsims_core.dataset.plan import Plan
from difsims_core.dataset.receipts import read_receipts
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore


def make_earlier(store: ObjectStore, plan: Plan) -> None:
    """Bring the records of a complete dataset into the earlier form."""
    completion = read_completion(store, layout.simulation(plan.id))
    for block, receipt in read_receipts(store, plan).items():
        names = ("block", "start", "stop", "fingerprint", "checksums", "shapes", "class_counts")
        _write(store, layout.receipt(plan.id, block), {name: getattr(receipt, name) for name in names})
    names = (
        "id",
        "fingerprint",
        "n_patterns",
        "n_blocks",
        "class_counts",
        "content_sha256",
        "stored_bytes",
        "completed",
    )
    _write(store, layout.completion(plan.id), {name: getattr(completion, name) for name in names})
    _write(store, layout.simulation_index(plan.fingerprint), plan.record().to_document())


def _write(store: ObjectStore, key: str, document: object) -> None:
    store.write(key, json.dumps(document, indent=1).encode())
