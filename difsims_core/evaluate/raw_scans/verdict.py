"""What a scan's checks say of it: numbers, limits, sentences (docs/physics.md §17)."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from difsims_core.storage.record_model import Items, Record, RecordPart, Text

Judgement = Literal["good", "doubtful", "bad"]
_WORST_FIRST: tuple[Judgement, ...] = ("bad", "doubtful", "good")


class Check(RecordPart):
    """One number of a scan and what follows from it.

    Attributes
    ----------
    name : str
        What was looked at, for people.
    value : float or None
        The number; None where it is without bounds, or nothing could be measured.
    unit : str
        Of value and limits.
    good_to, bad_beyond : float
        Limits: good up to the first, bad beyond the second; the number shall be large where the first is the larger.
    verdict : str
        "good", "doubtful" or "bad".
    sentence : str
        What it means.
    """

    name: Text
    value: float | None
    unit: str
    good_to: float
    bad_beyond: float
    verdict: Judgement
    sentence: Text

    @property
    def told(self) -> str:
        """The sentence with its verdict before it."""
        return f"{self.verdict.capitalize()}: {self.sentence}"


class ScanVerdict(Record):
    """All checks of a scan, as they are kept.

    Attributes
    ----------
    scan : str
        Path or URL of its file.
    checks : tuple of Check
    """

    described: ClassVar[str] = "the verdict on a scan"
    remedy: ClassVar[str] = "preprocess the scan again"

    scan: Text
    checks: Items[Check]

    @property
    def overall(self) -> Judgement:
        """The worst of all."""
        return worst(self.checks)

    @property
    def in_words(self) -> str:
        """What speaks against the scan, the worst first, or that nothing does."""
        faults = sorted(
            (check for check in self.checks if check.verdict != "good"),
            key=lambda check: _WORST_FIRST.index(check.verdict),
        )
        return " ".join(check.told for check in faults) or "Good: nothing speaks against it."

    def of(self, *names: str) -> Check | None:
        """Return the worst of the checks of these names, the first of equals; None where there is none."""
        found = [check for name in names for check in self.checks if check.name == name]
        return min(found, key=lambda check: _WORST_FIRST.index(check.verdict), default=None)


def worst(checks: tuple[Check, ...]) -> Judgement:
    """Return the worst verdict; good where nothing was checked."""
    return _WORST_FIRST[min((_WORST_FIRST.index(check.verdict) for check in checks), default=-1)]


def judged(name: str, value: float, unit: str, limits: tuple[float, float], sentence: str) -> Check:
    """Judge a number: good up to the first limit, bad beyond the second, doubtful between; bad where it is not finite.

    >>> judged("share of dead patterns", 0.2, "", (0.01, 0.1), "A fifth of the patterns is dead.").verdict
    'bad'
    >>> judged("dose", 50.0, "counts", (30.0, 3.0), "An annulus holds 50 counts.").verdict  # the larger the better
    'good'
    """
    good_to, bad_beyond = limits
    sign = 1.0 if good_to <= bad_beyond else -1.0
    if not math.isfinite(value) or sign * value > sign * bad_beyond:
        verdict: Judgement = "bad"
    else:
        verdict = "good" if sign * value <= sign * good_to else "doubtful"
    return Check(
        name=name,
        value=float(value) if math.isfinite(value) else None,
        unit=unit,
        good_to=good_to,
        bad_beyond=bad_beyond,
        verdict=verdict,
        sentence=sentence,
    )
