"""Ids of datasets, models and libraries, and their beginnings: what people type, looked up in a store."""

from __future__ import annotations

import re
from collections.abc import Iterable

from difsims_core.errors import InputError, MissingObjectError
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore

FEWEST_DIGITS = 4
"""Of the beginning of an id: fewer soon fit several items of a store."""
_BEGINNING = re.compile("(?:sim|cnn)-[0-9a-f-]{0,35}|lib-[0-9a-f]{0,63}")
_MOST_SHOWN = 20


def list_simulations(store: ObjectStore) -> list[str]:
    """Return the ids of all datasets of a store, complete or not, sorted."""
    ending = layout.SIMULATION_ENDING
    names = (name.removesuffix(ending) for name in store.folders(layout.SIMULATIONS) if name.endswith(ending))
    return [name for name in names if layout.is_simulation_id(name)]


def list_models(store: ObjectStore) -> list[str]:
    """Return the ids of all models of a store, complete or not, sorted."""
    return [name for name in store.folders(layout.MODELS) if layout.is_model_id(name)]


def list_libraries(store: ObjectStore) -> list[str]:
    """Return the ids of all libraries of beam directions of a store, complete or not, sorted."""
    found = filter(None, map(layout.library_fingerprint, store.folders(layout.LIBRARIES)))
    return sorted(map(layout.library_id, found))


def is_beginning(text: str) -> bool:
    """Return whether a text can only be the beginning of an id: ``sim-0b6e``, ``cnn-7c1d-``, and not a whole one."""
    return _BEGINNING.fullmatch(text) is not None


def expand_id(store: ObjectStore, text: str) -> str:
    """Return the id that a text begins; anything else, a whole id or a URL, as it is and without a listing.

    Raises
    ------
    InputError
        If it fits several items, which are listed, or is too short.
    MissingObjectError
        If it fits none.
    """
    if not is_beginning(text):
        return text
    listed = {"sim": list_simulations, "cnn": list_models, "lib": list_libraries}[text.partition("-")[0]]
    return choose_id(text, listed(store), store.root)


def choose_id(text: str, ids: Iterable[str], where: str) -> str:
    """Return the one of several ids that a text begins; ``where`` they are is said in errors.

    >>> choose_id("sim-0b6e", ["sim-0b6e7a55", "sim-0b7f1c20"], "store")
    'sim-0b6e7a55'

    Raises
    ------
    InputError
        If it fits several, or is too short.
    MissingObjectError
        If it fits none.
    """
    if len(text.partition("-")[2]) < FEWEST_DIGITS:
        raise InputError(f"expected at least {FEWEST_DIGITS} digits of an id, found {text!r}", "add digits")
    fitting = [name for name in ids if name.startswith(text)]
    if not fitting:
        raise MissingObjectError(f"{where}: no id begins with {text!r}", "check the id and the store (DIFSIMS_STORE)")
    if len(fitting) > 1:
        more = f" and {len(fitting) - _MOST_SHOWN} more" if len(fitting) > _MOST_SHOWN else ""
        shown = ", ".join(fitting[:_MOST_SHOWN])
        raise InputError(f"{where}: {text!r} begins {len(fitting)} ids: {shown}{more}", "add digits")
    return fitting[0]
