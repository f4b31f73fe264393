"""What a check of a stored item found: one value for datasets, models, predictions and records."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with one item.

    Attributes
    ----------
    kind : str
        ``dataset``, ``model``, ``experiment``, ``prediction``, …
    id : str
        Of the item, or the key of its object.
    failures : tuple of str
        One sentence each; empty when all is well.
    warnings : tuple of str
        What should be known and does not make it wrong.
    """

    kind: str
    id: str
    failures: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures
