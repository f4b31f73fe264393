"""Simulate a run of patterns in memory: a pure function of the document and the pattern indices.

See docs/physics.md §8.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from operator import index
from typing import Any

import numpy as np

from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.phases import Crystal
from difsims_core.diffraction.draws import Draws, draw_patterns
from difsims_core.diffraction.library.recipe import LibrarySource, library_in_memory
from difsims_core.errors import InputError
from difsims_core.signal.grid import AZIMUTH_DEG
from difsims_core.signal.polar_grid import PolarGrid
from difsims_core.signal.resample import q_crop_axis
from difsims_core.simulation.block import Block
from difsims_core.simulation.detector_signal import image_signal
from difsims_core.simulation.inputs import read_crystals, with_absolute_paths
from difsims_core.simulation.slices import Slice, join_peaks, simulate_slice
from difsims_core.simulation.tables import Tables, build_tables
from difsims_core.simulation.versions import versions_of_document

SLICE = 1024
_SLICE_WITH_CELLS = 384
_SLICE_WITH_POLAR = 32


def simulate(spec: SimulationSpec, start: int = 0, stop: int | None = None, threads: int | None = None) -> Block:
    """Simulate patterns ``start`` … ``stop`` of a document, in memory.

    Parameters
    ----------
    spec
        The document.
    start, stop
        Pattern indices; ``stop`` defaults to ``n_patterns``.
    threads
        Threads to use; default: all processors. The bytes do not depend on it.

    Raises
    ------
    InputError
        If the range lies outside the dataset, or a crystal cannot be simulated.

    Examples
    --------
    >>> from difsims_core import load_spec, simulate
    >>> spec = load_spec("deployments/specs/reference.yaml")
    >>> block = simulate(spec, start=0, stop=6)
    >>> block.x_px.shape, float(block.x_px.max())
    ((6, 147), 1.0)
    >>> block.y.tolist()
    [0, 1, 2, 0, 1, 2]
    >>> bool((simulate(spec, start=4, stop=6).x_px == block.x_px[4:]).all())
    True
    """
    if not isinstance(spec, SimulationSpec):
        raise InputError(
            f"expected a SimulationSpec, found {type(spec).__name__}",
            "read a document with load_spec(path) or build one with SimulationSpec(...)",
        )
    return Simulator.prepare(spec).block(start, spec.n_patterns if stop is None else stop, threads)


@dataclass(frozen=True, eq=False)
class Simulator:
    """A document with its crystals read and its tables built; build it with ``prepare``.

    Attributes
    ----------
    spec
        The document.
    crystals
        The phases, in label order.
    tables
        Reflections, spread operators, orientations.
    """

    spec: SimulationSpec
    crystals: tuple[Crystal, ...]
    tables: Tables

    @classmethod
    def prepare(cls, spec: SimulationSpec, libraries: LibrarySource = library_in_memory) -> Simulator:
        """Read the crystals of a document and build its tables; the last few are remembered.

        Parameters
        ----------
        spec
            The document.
        libraries
            Finds or computes a library of beam directions, where the document wants one, for the first of its patterns.

        Raises
        ------
        InputError
            If a crystal is missing, malformed or has no allowed reflection, a list of orientations cannot be read, or
            the detector does not reach the crop.
        """
        spec = with_absolute_paths(spec)
        crystals = read_crystals(spec)
        if spec.orientations.kind == "list":  # the file may have changed
            return cls(spec, crystals, build_tables(spec, crystals))
        known = (spec, crystals) if spec.orientations.kind != "library" else (spec, crystals, libraries)
        return _prepared(*known)  # pyright: ignore[reportArgumentType] - frozen models have a hash

    @property
    def versions(self) -> dict[str, Any]:
        """Versions of what makes the bytes, for fingerprints and attributes of datasets."""
        return versions_of_document(self.spec)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in label order."""
        return self.spec.class_names

    @property
    def q_all(self) -> np.ndarray:
        """(256,) grid points, Å⁻¹."""
        return self.tables.geometry.grid.q

    @property
    def q_px(self) -> np.ndarray:
        """(147,) grid points of the pixel crop, Å⁻¹."""
        return self.q_all[self.tables.geometry.grid.crop]

    @property
    def q_q(self) -> np.ndarray | None:
        """(m,) bin centres of the q crop, Å⁻¹, when one is asked for."""
        crop = self.spec.postprocessing.q_crop
        return None if crop is None else q_crop_axis(crop)

    @property
    def azimuth(self) -> np.ndarray:
        """(360,) centres of the azimuthal bins, degrees."""
        return AZIMUTH_DEG

    @property
    def polar_grid(self) -> PolarGrid | None:
        """The reduced polar grid, when it is asked for."""
        return None if self.tables.cells is None else self.tables.cells.grid

    @property
    def orientation_sha256(self) -> tuple[str, ...] | None:
        """Checksums of the lists of orientations, when they come from files."""
        return self.tables.orientation_sha256

    @property
    def libraries(self) -> tuple[str, ...] | None:
        """Fingerprints of the libraries of beam directions, when patterns are drawn from them."""
        engine = self.tables.library
        return None if engine is None else tuple(recipe.fingerprint for recipe in engine.recipes)

    @property
    def most_peaks(self) -> int:
        """A number of spots that no pattern exceeds."""
        engine, grains = self.tables.engine, 1 if self.spec.overlap is None else 2
        return grains * max(engine.most_spots(label) for label in range(len(self.crystals)))

    @property
    def draw_templates(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Trailing shape and dtype of each drawn quantity."""
        drawn = self.draw(0, 1).values
        return {name: (values.shape[1:], values.dtype.str) for name, values in drawn.items()}

    @property
    def bytes_per_pattern(self) -> int:
        """Size of a pattern in all arrays, before compression; peaks are not counted."""
        output, n_all, n_px = self.spec.output, len(self.q_all), len(self.q_px)
        numbers = n_px + n_all * output.x_all + (0 if self.q_q is None else len(self.q_q))
        numbers += len(self.azimuth) * (n_px * output.polar_px + n_all * output.polar_all)
        if self.polar_grid is not None:
            numbers += self.polar_grid.n_radii * self.polar_grid.n_azimuths
        drawn = sum(math.prod(shape) * np.dtype(kind).itemsize for shape, kind in self.draw_templates.values())
        return 4 * numbers + drawn

    def block(self, start: int, stop: int, threads: int | None = None) -> Block:
        """Simulate patterns ``start`` … ``stop``; see ``simulate``."""
        start, stop = self._checked(start, stop, threads)
        output = self.spec.output
        size = SLICE if self.polar_grid is None else _SLICE_WITH_CELLS
        size = _SLICE_WITH_POLAR if output.polar_px or output.polar_all else size
        edges = [*range(start, stop, size), stop]
        with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
            parts = list(
                pool.map(lambda pair: simulate_slice(self.spec, self.tables, self.draw(*pair)), pairwise(edges))
            )

        def joined(name: str) -> np.ndarray | None:
            values = [getattr(part, name) for part in parts]
            return None if values[0] is None else np.concatenate(values)

        x_px, y = joined("x_px"), joined("y")
        assert x_px is not None and y is not None  # noqa: S101, PT018 - narrows the types; every slice has them
        return Block(
            start=start,
            stop=stop,
            x_px=x_px,
            y=y,
            x_all=joined("x_all"),
            x_q=joined("x_q"),
            draws={name: np.concatenate([part.draws[name] for part in parts]) for name in parts[0].draws},
            q_px=self.q_px,
            q_all=self.q_all,
            q_q=self.q_q,
            azimuth=self.azimuth,
            polar_px=joined("polar_px"),
            polar_all=joined("polar_all"),
            polar=joined("polar"),
            polar_grid=self.polar_grid,
            fractions=joined("fractions"),
            peaks=join_peaks([part.peaks for part in parts if part.peaks is not None]) if output.peaks else None,
        )

    def images(self, start: int, stop: int, *, noise: bool = True) -> np.ndarray:
        """Return the detector images (n, ny, nx) float32 of patterns ``start`` … ``stop`` by the pixel route.

        They show the same patterns as ``block``, with the same draws, before square root, crop and normalisation; with
        ``noise`` every pixel counts on its own. A megabyte each: ask for few at a time.
        """
        start, stop = self._checked(start, stop, None)
        self.tables.extensions.check_route("image")
        draws = self.draw(start, stop)
        return image_signal(self.spec, self.tables, draws, draws.patterns % len(self.class_names), noise=noise)

    def draw(self, start: int, stop: int) -> Draws:
        """Return what is drawn for patterns ``start`` … ``stop``, changed by the extensions of the document."""
        return self._drawn(np.arange(start, stop, dtype=np.int64))

    def slice_of(self, patterns: np.ndarray) -> Slice:
        """Simulate any patterns by their indices (n,) int64, in one thread; also those beyond ``n_patterns``."""
        return simulate_slice(self.spec, self.tables, self._drawn(patterns))

    def _drawn(self, patterns: np.ndarray) -> Draws:
        drawn = draw_patterns(self.spec, self.tables.orientations, patterns, self.tables.directions)
        return self.tables.extensions.draw(self.spec, drawn)

    def _checked(self, start: int, stop: int, threads: int | None) -> tuple[int, int]:
        if threads is not None and threads < 1:
            raise InputError(f"expected at least one thread, found {threads}")
        start, stop = index(start), index(stop)
        if not 0 <= start < stop <= self.spec.n_patterns:
            raise InputError(
                f"patterns {start} … {stop} were asked for, but the document has {self.spec.n_patterns}; "
                "expected 0 ≤ start < stop ≤ n_patterns"
            )
        return start, stop


@lru_cache(maxsize=4)
def _prepared(
    spec: SimulationSpec, crystals: tuple[Crystal, ...], libraries: LibrarySource = library_in_memory
) -> Simulator:
    return Simulator(spec, crystals, build_tables(spec, crystals, libraries))
