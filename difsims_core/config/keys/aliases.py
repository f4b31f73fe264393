"""First names of keys: documents that use them are read as if they used today's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

FIRST_NAMES = {
    "random_seed": "seed",
    "snr": "hot_pixel_probability",
    "intensity_spike": "hot_pixel_intensity",
    "order": "noise_model",
    "cake_px": "polar_px",
    "cake_all": "polar_all",
}
"""Today's name of a key by its first one."""
CONVERTED = {"snr"}
"""First names under which a document gives other numbers."""
_WITHIN = {"orientations": {"order"}}  # sections in which a first name of another key is a key of its own
_DIGITS = 15


def todays_path(path: str) -> str:
    """Return a dotted key with the name of today."""
    *sections, key = path.split(".")
    own = sections and key in _WITHIN.get(sections[-1], ())
    return ".".join([*sections, key if own else FIRST_NAMES.get(key, key)])


def with_first_names_replaced(data: Any, values: Mapping[str, Callable[[Any], Any]] | None = None) -> Any:
    """Return the keys and values of one section by today's names; ``values`` turns those of a first name into today's.

    Raises
    ------
    ValueError
        If a key is there by both of its names.
    """
    if not isinstance(data, dict):
        return data
    both = [name for name in data if name in FIRST_NAMES and FIRST_NAMES[name] in data]
    if both:
        raise ValueError(f"{both[0]} and {FIRST_NAMES[both[0]]} are two names of one quantity; keep one of them")
    converted = {name: convert(data[name]) for name, convert in (values or {}).items() if name in data}
    return {FIRST_NAMES.get(key, key): converted.get(key, value) for key, value in data.items()}


def hot_probability(snr: Any) -> Any:
    """Return how a hot pixel's probability (1 − snr) / 2 is drawn, for how snr is; what is no document's stays."""
    return _turned(snr, lambda value: round((1 - value) / 2, _DIGITS))


def left_alone(probability: Any) -> Any:
    """Return how snr = 1 − 2 · probability is drawn, for how the probability is."""
    return _turned(probability, lambda value: 1 - 2 * value)


def _turned(value: Any, turn: Callable[[float], float]) -> Any:
    """Apply a falling function to the numbers of a distribution in a document; a range stays in rising order."""

    def number(item: Any) -> Any:
        return turn(float(item)) if isinstance(item, Real) and not isinstance(item, bool) else item

    if not isinstance(value, Mapping):
        return number(value)
    turned: dict[Any, Any] = {}
    for kind, numbers in value.items():
        if not isinstance(numbers, list | tuple):
            turned[kind] = number(numbers)
        else:
            turned[kind] = [number(item) for item in (reversed(numbers) if "uniform" in str(kind) else numbers)]
    return turned
