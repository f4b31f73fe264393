"""What a dataset says of itself, read strictly: its plan, its classes, its arrays, and that the folder is its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict

from difsims_core.dataset.peaks import FLAT
from difsims_core.dataset.plan import Plan, PlanRecord
from difsims_core.errors import CorruptDataError
from difsims_core.storage import layout
from difsims_core.storage.record_model import Items, Text

if TYPE_CHECKING:
    from difsims_core.storage.objects import ObjectStore
    from difsims_core.storage.zarr.metadata import ArrayLayout, GroupDocument

_COPY = "metadata"  # the group that repeats the attributes of the root


@dataclass(frozen=True, slots=True)
class Description:
    """The root document of a dataset.

    Attributes
    ----------
    document : GroupDocument
        Metadata of all arrays.
    plan : Plan
        Of its blocks.
    phases : tuple of str
        Class names in label order.
    summary : str
        One line.
    """

    document: GroupDocument
    plan: Plan
    phases: tuple[str, ...]
    summary: str


class _Attributes(PlanRecord):
    model_config = ConfigDict(extra="ignore")  # what a dataset may say of itself besides

    described: ClassVar[str] = "what a dataset says of itself"

    phases: Items[Text]
    summary: Text
    engine_version: Text
    crystals: list[dict[str, Any]]
    parameters: dict[str, Any]
    versions: dict[str, Any]


def read_description(store: ObjectStore, key: str) -> Description:
    """Return what the dataset in a folder says of itself, with one request.

    Raises
    ------
    MissingObjectError
        If there is none.
    CorruptDataError
        If it is not what a dataset says, or says that it is another one than the folder is called.
    """
    from difsims_core.storage.zarr.arrays import read_group  # loads Zarr

    document, where = read_group(store, key), store.url(key)
    attributes = _Attributes.from_document(document.attributes, where)
    plan = attributes.plan(where)
    check_folder(store, key, plan.id)
    if document.nodes.get(_COPY, {}).get("attributes") != document.attributes:
        raise CorruptDataError(
            f"{where}: its attributes differ from their copy in {_COPY!r}", "it was edited, restore it"
        )
    _check_arrays(document, plan, where)
    return Description(document, plan, attributes.phases, attributes.summary)


def versions_in_words(attributes: Mapping[str, Any]) -> str:
    """Return what makes the bytes of a dataset, from its attributes or ``Simulator.versions``.

    Datasets that name neither engine nor simulation are of the kinematical engine, whose version was that of all.
    """
    engine, version = attributes.get("engine", "kinematical"), attributes["engine_version"]
    around = attributes.get("simulation_version", version)
    extensions = "".join(f", {name} {of}" for name, of in sorted(attributes.get("extensions", {}).items()))
    return f"engine {engine} {version}, simulation {around}{extensions}"


def rows_arrays(document: GroupDocument) -> dict[str, ArrayLayout]:
    """Return the arrays of which every block writes a part, by path."""
    return {path: array for path, array in document.arrays.items() if array.shard_rows is not None}


def check_folder(store: ObjectStore, key: str, simulation_id: str) -> None:
    """Refuse a folder that is not called like the dataset in it."""
    name = key.rpartition("/")[2]
    if name != f"{simulation_id}{layout.SIMULATION_ENDING}":
        raise CorruptDataError(
            f"{store.url(key)}: the folder is called {name}, its records say {simulation_id}",
            "a dataset keeps the name that it was made with: give the folder its name back, or remove the copy",
        )


def _check_arrays(document: GroupDocument, plan: Plan, where: str) -> None:
    """Refuse arrays that the blocks of the plan do not fill."""
    for path, array in rows_arrays(document).items():
        flat = path in FLAT
        expected = (plan.n_blocks * plan.spot_rows, plan.spot_rows) if flat else (plan.n_patterns, plan.block_rows)
        if (array.shape[0], array.shard_rows) != expected:
            raise CorruptDataError(
                f"{where}: {path}: expected {expected[0]} rows in objects of {expected[1]}, as the attributes say, "
                f"found {array.shape[0]} in {array.shard_rows}",
                "it was damaged, restore it",
            )
