"""Swept values of the legacy form: what the points are, and how the same points are written as axes of a sweep.

One old key may set several keys here, and two old keys may set the same one (the number of patterns is a product), so
the axes are found by converting every point and comparing: an axis that changes one key is written as such, several
keys that change together as one axis in step, and where axes cannot be told apart all points become one axis.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from math import prod
from typing import Any

from difsims_core.config.distributions import DISTRIBUTIONS
from difsims_core.config.legacy.tagged_yaml import Dimension
from difsims_core.config.sweep import MOST_POINTS
from difsims_core.errors import SpecError

KeyPath = tuple[str | int, ...]
Document = dict[str, Any]


def find_dimensions(tree: Any) -> dict[KeyPath, Dimension]:
    """Return the swept places in the order of paramspace: by ``order``, then by name; the last varies fastest."""
    found = dict(_search(tree, ()))
    return dict(sorted(found.items(), key=lambda item: (item[1].order, [str(part) for part in item[0]])))


def at_point(tree: Any, values: Mapping[KeyPath, Any]) -> Any:
    """Return the tree with every dimension replaced by its value there, or by its default."""

    def resolve(node: Any, path: KeyPath) -> Any:
        if isinstance(node, Dimension):
            return copy.deepcopy(values.get(path, node.default))
        if isinstance(node, dict):
            return {key: resolve(item, (*path, key)) for key, item in node.items()}
        if isinstance(node, list):
            return [resolve(item, (*path, i)) for i, item in enumerate(node)]
        return node

    return resolve(tree, ())


def find_axes(
    tree: Any, dimensions: Mapping[KeyPath, Dimension], convert: Callable[[Any], Document], source: str
) -> tuple[dict[str, list[Any]], list[KeyPath]]:
    """Return the axes of the sweep that stands for the same points, and the dimensions that change nothing here.

    Parameters
    ----------
    tree
        The old document with its dimensions.
    dimensions
        From ``find_dimensions``.
    convert
        From an old document without dimensions to plain values of ours.
    source
        What errors call the document.
    """
    n_points = prod(len(dimension.values) for dimension in dimensions.values())
    if n_points > MOST_POINTS:
        raise SpecError(f"{source}: the parameter space has {n_points:,} points, at most {MOST_POINTS:,} can be")
    try:
        return _find_axes(tree, dimensions, convert)
    except KeyError as error:
        raise SpecError(
            f"{source}: some points have {error.args[0]} and others do not", "convert a document for each of them"
        ) from None


def _find_axes(
    tree: Any, dimensions: Mapping[KeyPath, Dimension], convert: Callable[[Any], Document]
) -> tuple[dict[str, list[Any]], list[KeyPath]]:
    base = convert(at_point(tree, {}))
    axes: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    idle, separate = [], True
    for path, dimension in dimensions.items():
        documents = [convert(at_point(tree, {path: value})) for value in dimension.values]
        keys = _changed(base, documents)
        if not keys:
            idle.append(path)
            continue
        separate = separate and not any(_touch(one, other) for one in keys for axis in axes for other in axis)
        axes[keys] = _distinct([tuple(_get(document, key) for key in keys) for document in documents])
    moving = {path: dimension for path, dimension in dimensions.items() if path not in idle}
    everywhere = [
        convert(at_point(tree, dict(zip(moving, values, strict=True))))
        for values in product(*(dimension.values for dimension in moving.values()))
    ]
    if not separate or not _same_points(base, axes, everywhere):
        keys = _changed(base, everywhere)
        axes = {keys: _distinct([tuple(_get(document, key) for key in keys) for document in everywhere])}
    plain = {
        ", ".join(keys): [list(step) if len(keys) > 1 else step[0] for step in steps] for keys, steps in axes.items()
    }
    return plain, idle


def _search(node: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Dimension]]:
    if isinstance(node, Dimension):
        yield path, node
    elif isinstance(node, dict):
        for key, item in node.items():
            yield from _search(item, (*path, key))
    elif isinstance(node, list):
        for i, item in enumerate(node):
            yield from _search(item, (*path, i))


def _same_points(
    base: Document, axes: Mapping[tuple[str, ...], list[tuple[Any, ...]]], everywhere: list[Document]
) -> bool:
    """Return whether the axes over the base document give exactly these documents, in this order."""
    if prod(len(steps) for steps in axes.values()) != len(everywhere):
        return False
    for steps, wanted in zip(product(*axes.values()), everywhere, strict=True):
        document = copy.deepcopy(base)
        for keys, step in zip(axes, steps, strict=True):
            for key, value in zip(keys, step, strict=True):
                _put(document, key, value)
        if document != wanted:
            return False
    return True


def _changed(base: Document, documents: list[Document]) -> tuple[str, ...]:
    """Return the dotted keys that together turn ``base`` into any of the documents, none inside another."""
    found = dict.fromkeys(key for document in documents for key in _differences(base, document, ""))
    return tuple(key for key in found if not any(key.startswith(f"{other}.") for other in found))


def _differences(one: Any, other: Any, key: str) -> Iterator[str]:
    sections = all(isinstance(item, dict) and not _is_distribution(item) for item in (one, other))
    if sections and (one.keys() == other.keys() or not key):
        for name in {**one, **other}:
            yield from _differences(one.get(name), other.get(name), f"{key}.{name}" if key else name)
    elif one != other or type(one) is not type(other):
        yield key


def _is_distribution(item: dict[str, Any]) -> bool:
    return len(item) == 1 and item.keys() <= DISTRIBUTIONS.keys()


def _touch(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _distinct(steps: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return list({json.dumps(step): step for step in reversed(steps)}.values())[::-1]


def _get(document: Document, key: str) -> Any:
    value: Any = document
    for part in key.split("."):
        if part not in value:
            raise KeyError(key)
        value = value[part]
    return value


def _put(document: Document, key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for part in parents:
        document = document[part]
    document[last] = value
