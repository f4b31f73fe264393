"""Times of records: ISO dates and times, UTC, to the second."""

from __future__ import annotations

from datetime import UTC, datetime
from reprlib import repr as shortened
from typing import Any


def now_text() -> str:
    """Return the present time as records keep it."""
    return as_text(datetime.now(UTC))


def as_text(time: datetime) -> str:
    """Return a time with a zone as records keep it."""
    return time.astimezone(UTC).isoformat(timespec="seconds")


def moment(text: Any) -> datetime:
    """Return the time that a record names, UTC; one without a zone is taken as UTC.

    Raises
    ------
    ValueError
        If it is no time.
    """
    if not isinstance(text, str):
        raise ValueError(f"expected a date and time, found {shortened(text)}")  # noqa: TRY004 readers translate one kind
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text} lies beyond the years 1 … 9999") from None
