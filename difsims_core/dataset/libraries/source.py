"""The libraries of a store, as simulators ask for them: read, or computed into the store where they are missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from difsims_core.storage import layout
from difsims_core.storage.objects import open_store

if TYPE_CHECKING:
    from difsims_core.config.simulation import SimulationSpec
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
        return self.made(recipe, None)

    def made(self, recipe: LibraryRecipe, progress: Progress | None) -> DirectionLibrary:
        """Return the library, and say how much of it is computed while it is."""
        from difsims_core.dataset.libraries.read import read_spots
        from difsims_core.dataset.libraries.write import write_library

        store = open_store(self.store_url)
        held = read_spots(store, recipe.fingerprint)
        if held is not None:
            return recipe.library(held)
        if progress is None:
            return write_library(store, recipe)
        return write_library(store, recipe, lambda done: progress(recipe.crystal.name, done, recipe.n_members))


def make_libraries(store_url: str, spec: SimulationSpec, progress: Progress | None = None) -> list[str]:
    """Compute the libraries of a document that its store lacks, one after another; return the keys of all.

    Raises
    ------
    InputError
        If one would have too many members or not fit into memory.
    CorruptDataError
        If one in the store is damaged.
    StoreError
        If the store fails; the same call resumes.
    """
    from difsims_core.simulation.simulator import Simulator

    source = StoredLibraries(store_url)
    engine = Simulator.prepare(spec, source).tables.library
    if engine is None:
        return []
    for label in range(len(engine.recipes)):
        engine.library(label, lambda recipe: source.made(recipe, progress))
    return [layout.library(recipe.fingerprint) for recipe in engine.recipes]
