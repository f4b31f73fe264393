"""The libraries of a store, as simulators ask for them: read, or computed into the store where they are missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from difsims_core.storage import layout
from difsims_core.storage.objects import open_store

if TYPE_CHECKING:
    from difsims_core.config.simulation import SimulationSpec
    from difsims_core.dataset.libraries.write import Write
    from difsims_core.diffraction.library.recipe import DirectionLibrary, LibraryRecipe

Progress = Callable[[str, int, int], None]
"""Takes the name of a phase, how many of its beam directions are stored, and of how many."""


@dataclass(frozen=True, slots=True)
class StoredLibraries:
    """Finds the library of a recipe in a store; one that is missing or unfinished is computed into it.

    Attributes
    ----------
    store_url : str
        Root of the store. Credentials come from the environment of this process.
    """

    store_url: str

    def __call__(self, recipe: LibraryRecipe) -> DirectionLibrary:
        """Return the library."""
        from difsims_core.dataset.libraries.read import read_spots
        from difsims_core.dataset.libraries.records import read_completion
        from difsims_core.dataset.libraries.write import write_library

        store = open_store(self.store_url)
        if read_completion(store, recipe.fingerprint) is None:
            write_library(store, recipe)
        return recipe.library(read_spots(store, recipe.fingerprint))


def make_libraries(
    store_url: str, spec: SimulationSpec, progress: Progress | None = None, write: Write | None = None
) -> list[str]:
    """Compute the libraries of a document that its store lacks, one after another; return the keys of all.

    Parameters
    ----------
    store_url, spec
        Root of the store, and the document.
    progress
        Told how much of each library is stored.
    write
        Writes the blocks of one, see `write_library`.

    Raises
    ------
    InputError
        If one would have too many members or not fit into memory.
    CorruptDataError
        If the records of one in the store are damaged.
    StoreError
        If the store fails; the same call resumes.
    """
    from difsims_core.dataset.libraries.records import read_completion
    from difsims_core.dataset.libraries.write import write_library
    from difsims_core.simulation.simulator import Simulator

    store, engine = open_store(store_url), Simulator.prepare(spec, StoredLibraries(store_url)).tables.library
    recipes = () if engine is None else engine.recipes
    for recipe in recipes:
        told = partial(_tell, progress or _ignore, recipe)
        if read_completion(store, recipe.fingerprint) is None:
            write_library(store, recipe, told, write)
        told(recipe.n_members)
    return [layout.library(recipe.fingerprint) for recipe in recipes]


def _tell(progress: Progress, recipe: LibraryRecipe, stored: int) -> None:
    progress(recipe.crystal.name, stored, recipe.n_members)


def _ignore(_phase: str, _done: int, _total: int) -> None:
    """Take progress that nobody asked for."""
