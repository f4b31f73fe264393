"""What every format of an export has in common: its files, and that none is replaced without being asked."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from difsims_core.errors import InputError
from difsims_core.storage.objects import exists_already, object_exists

if TYPE_CHECKING:
    from difsims_core.dataset.open import Simulation

_VERSIONS = ("engine", "engine_version", "simulation_version")


class Exporter(ABC):
    """A format that datasets are written in.

    Attributes
    ----------
    ending : str
        Of the files.
    """

    ending: ClassVar[str]

    def export(
        self,
        dataset: Simulation,
        path: str | Path,
        *,
        overwrite: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> list[str]:
        """Write a dataset, and return the files in order; memory stays at one block, whatever its size.

        Parameters
        ----------
        dataset
            The dataset.
        path
            Path or URL, with the ending of the format.
        overwrite
            Replace what is there.
        progress
            Called with the number of patterns written so far.

        Raises
        ------
        InputError
            If the name ends otherwise, or something is there already.
        """
        if not str(path).endswith(self.ending):
            raise InputError(f"{path}: expected a name that ends with {self.ending}")
        files = self.files(dataset, str(path))
        there = [] if overwrite else self.existing(files)
        if there:
            raise exists_already(there[0])
        self.write(dataset, files, progress or (lambda _patterns: None))
        return files

    def files(self, dataset: Simulation, path: str) -> list[str]:  # noqa: ARG002 - a format may need several
        """Return what `write` makes of a path, in order."""
        return [path]

    def existing(self, files: Sequence[str]) -> list[str]:
        """Return those of the files that are there already."""
        return [file for file in files if object_exists(file)]

    @abstractmethod
    def write(self, dataset: Simulation, files: Sequence[str], progress: Callable[[int], None]) -> None:
        """Write the files, each whole or not at all, over those that are there."""


def description(dataset: Simulation) -> dict[str, Any]:
    """Return what a dataset says of itself: numbers, text, a list of class names, and JSON where there is structure."""
    attrs = dataset.attrs
    return {
        "phases": list(dataset.phases),
        **{key: str(attrs[key]) for key in ("id", "summary", "created", "fingerprint", *_VERSIONS)},
        **{key: _json(attrs[key]) for key in ("parameters", "versions", "crystals")},
        "n_patterns": dataset.n_patterns,
    }


def _json(value: Mapping[str, Any] | list[Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
