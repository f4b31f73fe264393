"""What is attacked: for each kind how one case is made from a seed, and how it is judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.attacks.oracles import Judge


class Attack(ABC):
    """The cases of one kind in one folder; a case is known by its number and the seed alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.material: dict[str, bytes] = {}  # of the latest case, for whoever wants to see it again
        self.prepare()
        self.judge = Judge(folder)

    def prepare(self) -> None:  # noqa: B027 some need nothing
        """Make what all cases need, and use it once: nothing is imported or compiled while a case is judged."""

    @abstractmethod
    def run(self, rng: np.random.Generator) -> str:
        """Run a case; return what came of it, or raise `BrokenPromiseError`."""

    def close(self) -> None:  # noqa: B027 some have nothing to add
        """Check at the end what concerns all cases together."""


@dataclass(frozen=True)
class Kind:
    """One kind of attack.

    Attributes
    ----------
    name : str
        ``group.part``.
    night : int
        Cases of a whole night.
    begin : callable
        From a folder to the attack on it.
    seconds : float
        That a case takes, about.
    """

    name: str
    night: int
    begin: Callable[[Path], Attack] = field(repr=False)
    seconds: float

    @property
    def group(self) -> str:
        return self.name.split(".")[0]


def all_kinds() -> dict[str, Kind]:
    """Return every kind by name, in the order of a campaign."""
    from tests.attacks import documents, flips, full_disk, kills, npz, records

    modules = (kills, full_disk, documents, flips, records, npz)  # the last ones have the most cases to do without
    return {kind.name: kind for module in modules for kind in module.KINDS}
