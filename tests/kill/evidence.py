"""What a dataset looks like from outside, before and after a process was killed."""

from __future__ import annotations

from dataclasses import dataclass

from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.records import to_record

# What carries an id or a time of day: it differs between two datasets of the same patterns.
_OF_THE_RUN = ("/zarr.json", "/complete.json")


@dataclass(frozen=True)
class Finished:
    """The receipts of a dataset at one moment: key → what the store says of when and what was written."""

    receipts: dict[str, tuple[str, object]]

    @classmethod
    def of(cls, store: ObjectStore, simulation: str) -> Finished:
        found = store.describe(layout.receipts(simulation))
        return cls({item.key: (item.etag, item.modified) for item in found})

    def __len__(self) -> int:
        return len(self.receipts)

    def assert_kept_in(self, later: Finished) -> None:
        """No finished block was written a second time."""
        for key, written in self.receipts.items():
            assert later.receipts[key] == written, f"{key} was written again"


def assert_same_bytes(store: ObjectStore, simulation: str, other: ObjectStore, undisturbed: str) -> None:
    """All objects of two datasets are the same, byte for byte, but for what carries their ids and times."""
    mine, theirs = _objects(store, simulation), _objects(other, undisturbed)
    assert mine == theirs, "the two consist of different objects"
    compared = 0
    for name in mine:
        if not name.endswith(_OF_THE_RUN):
            one = _bytes(store, f"{layout.simulation(simulation)}{name}", simulation)
            assert one == _bytes(other, f"{layout.simulation(undisturbed)}{name}", undisturbed), name
            compared += 1
    assert compared > len(mine) / 2
    contents = {
        place.read_record(layout.completion(name))["content_sha256"]
        for place, name in ((store, simulation), (other, undisturbed))
    }
    assert len(contents) == 1


def _bytes(store: ObjectStore, key: str, simulation: str) -> bytes:
    """Return an object without the id of its dataset; receipts hold it, under a checksum."""
    if "/receipts/" not in key:
        return store.read(key)
    record = store.read_record(key)
    assert record.pop("id") == simulation
    return to_record(record)


def _objects(store: ObjectStore, simulation: str) -> list[str]:
    folder = layout.simulation(simulation)
    return [key.removeprefix(folder) for key in store.list(folder)]
